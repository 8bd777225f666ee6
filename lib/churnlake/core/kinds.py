"""Of what kind a value of a formula is and how great it can get; and what the text of a number or of a type says of that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

INT_MOST, LONG_MOST, DECIMAL_MOST = 2.0**31 - 1, 2.0**63 - 1, 1e32
MOST = {"int": INT_MOST, "long": LONG_MOST, "decimal": DECIMAL_MOST, "double": math.inf}
"""Kinds of numbers, narrow to wide, and the largest each holds. Doubles get infinite, which the tables hold as null."""
WHOLE = ("int", "long")


@dataclass(frozen=True)
class Kind:
    """Of what kind a value is: int, long, decimal, double; text, date, flag; list (``of`` what), struct (of which ``fields``); null.

    A number is at most ``greatest`` in size and, unless ``signed``, never below 0.
    """

    name: str
    greatest: float = 0.0
    signed: bool = False
    of: Kind | None = None
    fields: tuple[tuple[str, Kind], ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether one can reckon with it."""
        return self.name in MOST or self.name in ("null", "any")


TEXT, DATE, FLAG, NULL, ANY = Kind("text"), Kind("date"), Kind("flag"), Kind("null"), Kind("any", math.inf, True)
"""``any`` is what something wrong gives: told of once, it is not told of again further out."""
TYPES = {"INT": "int", "BIGINT": "long", "DOUBLE": "double", "DECIMAL": "decimal"}


def literal(node: Any) -> float | None:
    """The number that is written here, if one is: 7, 60.0D, 0L, 0.8BD, -1."""
    if isinstance(node, exp.Paren):
        return literal(node.this)
    if isinstance(node, exp.Neg):
        number = literal(node.this)
        return None if number is None else -number
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and type_name(node) in MOST:
        try:
            return float(node.this.this)
        except ValueError:
            return None
    return float(node.this) if isinstance(node, exp.Literal) and not node.is_string else None


def literal_name(node: Any) -> str:
    """Of what kind a number is that is written here."""
    if isinstance(node, exp.Cast):
        return type_name(node)
    if isinstance(node, exp.Paren | exp.Neg):
        return literal_name(node.this)
    text = str(node.this).lower()
    return "double" if "e" in text else "decimal" if "." in text else "int" if float(text) <= INT_MOST else "long"


def type_name(cast: Any) -> str:
    """The kind that a cast makes."""
    name = cast.to.this.name
    return TYPES.get(name) or {"TEXT": "text", "VARCHAR": "text", "DATE": "date", "BOOLEAN": "flag"}.get(name, name.lower())


def decimal_most(cast: Any) -> float:
    """The greatest number of a decimal type, by its digits before the point."""
    digits = [int(one.this.this) for one in cast.to.expressions]
    return 10.0 ** (digits[0] - digits[1]) if len(digits) == 2 else 1e10


def wider(*kinds: Kind) -> str:
    """The kind of number that what is reckoned with all of them has."""
    names = [kind.name for kind in kinds]
    return "any" if "any" in names else next((name for name in reversed(list(MOST)) if name in names), "null")


def times(one: float, other: float) -> float:
    """A product, in which nothing times infinite is nothing."""
    return one * other if one and other else 0.0


def power(base: float, by: float | None) -> float:
    """How great a power gets; None is a power that is not known."""
    try:
        return math.inf if by is None or by < 0 else max(base, 1.0) ** abs(by)
    except OverflowError:
        return math.inf


def grown(kind: Kind, by: float) -> Kind:
    """A number that so much was added to; of a struct, each of its numbers."""
    if kind.name == "struct":
        return replace(kind, fields=tuple((name, grown(of, by)) for name, of in kind.fields))
    return replace(kind, greatest=kind.greatest + by) if kind.name in MOST else kind


def pairs(one: Kind, other: Kind) -> list[tuple[str, Kind, Kind]]:
    """Two values side by side: of structs, field by field with its name."""
    if one.name == other.name == "struct":
        return [(name, of, dict(other.fields).get(name, ANY)) for name, of in one.fields]
    return [("", one, other)]
