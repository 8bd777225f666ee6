"""What a formula may do, found out from its text: no Spark, no data.

Formulas run in Spark's ANSI mode, where a division by zero, a sum beyond 64 bits or a text that is no number does not give null but
stops the build. So each is read here with what is known of its columns: of what kind they are and how large they can get. From that
follows of what kind and how large each part of the formula is (interval arithmetic); what may go wrong is told in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlglot
from sqlglot import exp

from churnlake.core.kinds import (
    ANY,
    DATE,
    FLAG,
    LONG_MOST,
    MOST,
    NULL,
    TEXT,
    WHOLE,
    Kind,
    decimal_most,
    grown,
    literal,
    literal_name,
    pairs,
    power,
    times,
    type_name,
    wider,
)

DAYS = Kind("int", 1e6, True)
COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Is, exp.In, exp.Between)
FIXED: dict[type[exp.Expression], Kind] = {
    exp.DateDiff: DAYS, exp.Year: Kind("int", 1e4), exp.Day: Kind("int", 31), exp.UnixMicros: Kind("long", 1e17), exp.Length: Kind("int", 1e6),
    exp.ArraySize: Kind("int", 1e6), exp.ArrayPosition: Kind("long", 1e6), exp.Pad: TEXT, exp.RegexpSplit: Kind("list", of=TEXT), exp.TsOrDsToDate: DATE,
    exp.AddMonths: DATE, exp.LastDay: DATE, exp.TsOrDsAdd: DATE, exp.DateTrunc: DATE, exp.MonthsBetween: Kind("double", 1e5, True),
}  # fmt: skip
"""What gives the same kind whatever it is given."""
OF_DATES = (exp.TsOrDsToDate, exp.UnixMicros)
MEASURES = (exp.Sin, exp.Cos, exp.Asin, exp.Radians, exp.Sqrt, exp.Ln, exp.Log)
AGGREGATES = (exp.Sum, exp.Avg, exp.Count, exp.CountIf, exp.Min, exp.Max, exp.AnyValue, exp.ArgMax, exp.StddevPop, exp.ArrayAgg,
              exp.ArrayUniqueAgg, exp.BitwiseOrAgg)  # fmt: skip
NAMED = {"bin": TEXT}
"""Functions that the parser knows only by name."""


@dataclass(frozen=True)
class Place:
    """Where in a formula something stands: within an aggregate, under which names of a lambda, and what is above 0 there."""

    is_within: bool = False
    bound: tuple[tuple[str, Kind], ...] = ()
    above_zero: frozenset[str] = frozenset()


def checked(formula: str, columns: Mapping[str, Kind], *, rows: float = 0, keys: Iterable[str] = ()) -> tuple[Kind, list[str]]:
    """Of what kind the formula's value is, and what is wrong with it, in words.

    Args:
        formula: SQL of one value.
        columns: what the formula may name.
        rows: how many rows an aggregate formula can be over; 0 for a formula over the columns of one row.
        keys: columns that are the same in all those rows, which may stand outside aggregates.
    """
    reading = _Reading(columns, rows, frozenset(keys))
    try:
        parsed = sqlglot.parse_one(formula, dialect="spark")
    except sqlglot.errors.ParseError as error:
        told = error.errors[0] if error.errors else {}
        return ANY, [f"can not be read: {told.get('description', 'it is no SQL')} Character {told.get('col', 1)}."]
    kind = reading.kind(parsed, Place())
    return kind, list(dict.fromkeys(reading.found))


class _Reading:
    def __init__(self, columns: Mapping[str, Kind], rows: float, keys: frozenset[str]) -> None:
        self.columns, self.rows, self.keys = columns, rows, keys
        self.found: list[str] = []

    def kind(self, node: Any, place: Place) -> Kind:
        """The kind of a part of the formula; what is wrong in it is added to what was found."""
        if isinstance(node, AGGREGATES):
            return self._aggregate(node, place)
        if isinstance(node, COMPARED):
            return self._compared(node, place)
        if type(node) in FIXED:
            return self._fixed(node, place)
        if isinstance(node, MEASURES):
            return self._measure(node, place)
        number = literal(node)
        if number is not None:
            return self._fits(Kind(literal_name(node), abs(number), number < 0), node)
        match node:
            case exp.Literal():
                return TEXT
            case exp.Null():
                return NULL
            case exp.Boolean():
                return FLAG
            case exp.Paren():
                return self.kind(node.this, place)
            case exp.Column() | exp.Identifier() | exp.Dot():
                return self._named(node, place)
            case exp.And() | exp.Or() | exp.Not():
                self._each(node, place)
                return FLAG
            case exp.Add() | exp.Sub() | exp.Mul():
                return self._reckoned(node, place)
            case exp.Div() | exp.IntDiv() | exp.Mod():
                return self._divided(node, place)
            case exp.Neg():
                return replace(self._number(node.this, place), signed=True)
            case exp.BitwiseAnd():
                one, other = self._number(node.this, place), self._number(node.expression, place)
                return Kind(wider(one, other), min(one.greatest, other.greatest), one.signed and other.signed)
            case exp.BitwiseRightShift():
                whole, by = self._number(node.this, place), literal(node.expression)
                return replace(whole, greatest=whole.greatest / 2 ** (by or 0))
            case exp.BitwiseLeftShift():
                self._each(node, place)
                return Kind("long", LONG_MOST, True)
            case exp.Filter():
                condition = node.expression.this
                self.kind(condition, replace(place, is_within=True))
                return self.kind(node.this, replace(place, above_zero=place.above_zero | _above_zero(condition)))
            case exp.If():
                self.kind(node.this, place)
                then = self.kind(node.args["true"], replace(place, above_zero=place.above_zero | _above_zero(node.this)))
                return self._one_of([then, *([self.kind(node.args["false"], place)] if node.args.get("false") else [])], node)
            case exp.Case():
                branches = [self.kind(one, place) for one in node.args["ifs"]]
                return self._one_of(
                    [*branches, *([self.kind(node.args["default"], place)] if node.args.get("default") else [])], node
                )
            case exp.Coalesce() | exp.Greatest() | exp.Least():
                return self._one_of([self.kind(one, place) for one in (node.this, *node.expressions)], node)
            case exp.Nullif():
                self.kind(node.expression, place)
                return self.kind(node.this, place)
            case exp.Cast():
                return self._cast(node, place)
            case exp.Pow():
                base, by = self._number(node.this, place), literal(node.expression)
                self._number(node.expression, place)
                return Kind("double", power(base.greatest, by), base.signed)
            case exp.Round() | exp.Abs():
                return replace(self._number(node.this, place), signed=isinstance(node, exp.Round))
            case exp.Ceil() | exp.Floor():
                one = self._number(node.this, place)
                return self._fits(Kind("decimal" if one.name == "decimal" else "long", one.greatest + 1, one.signed), node)
            case exp.Array():
                return Kind("list", of=self._one_of([self.kind(one, place) for one in node.expressions], node))
            case exp.Struct():
                named = (
                    (one.name, one.expression) if isinstance(one, exp.PropertyEQ) else (one.alias_or_name, one)
                    for one in node.expressions
                )
                return Kind("struct", fields=tuple((name, self.kind(value, place)) for name, value in named))
            case exp.ArraySort() | exp.ArraySlice():
                return self._list(node.this, place)
            case exp.ArrayMax():
                return self._list(node.this, place).of or ANY
            case exp.Transform():
                of = self._list(node.this, place).of or ANY
                return Kind("list", of=self._lambda(node.expression, [of], place))
            case exp.Reduce():
                return self._folded(node, place)
            case exp.Anonymous() if node.name.lower() in NAMED:
                self._each(node, place)
                return NAMED[node.name.lower()]
        return self._wrong(f"uses {_told(node)}, which no formula may")

    # ---- names

    def _named(self, node: Any, place: Place) -> Kind:
        bound = dict(place.bound)
        if isinstance(node, exp.Dot):
            of = self.kind(node.this, place)
            if of.name in ("any", "null"):
                return of
            return dict(of.fields).get(node.expression.name) or self._wrong(f"names {node.expression.name}")
        if isinstance(node, exp.Identifier):
            return bound.get(node.name) or self._wrong(f"names {node.name}")
        first = node.table or node.name
        if first not in self.columns:
            return self._wrong(f"names {_told(node)}")
        if self.rows and not place.is_within and first not in self.keys:
            return self._wrong(f"names {first} outside of an aggregate")
        kind = self.columns[first]
        return kind if not node.table else dict(kind.fields).get(node.name) or self._wrong(f"names {_told(node)}")

    # ---- numbers

    def _number(self, node: Any, place: Place) -> Kind:
        kind = self.kind(node, place)
        return kind if kind.is_number else self._wrong(f"reckons with {_told(node)}, a {kind.name}")

    def _reckoned(self, node: Any, place: Place) -> Kind:
        one, other = self._number(node.this, place), self._number(node.expression, place)
        greatest = times(one.greatest, other.greatest) if isinstance(node, exp.Mul) else one.greatest + other.greatest
        return self._fits(Kind(wider(one, other), greatest, one.signed or other.signed or isinstance(node, exp.Sub)), node)

    def _divided(self, node: Any, place: Place) -> Kind:
        above, below = self._number(node.this, place), self._number(node.expression, place)
        divisor = self._bare(node.expression, place)
        number = literal(divisor)
        if not number and not (isinstance(divisor, exp.Nullif) and literal(divisor.expression) == 0):
            self._wrong(f"divides by {_told(node.expression)}, which may be 0: put nullif(..., 0)")
        signed = above.signed or below.signed
        if isinstance(node, exp.Mod):
            return replace(above, name=wider(above, below))
        least = abs(number) if number else 1.0 if below.name in WHOLE else 0.0 if below.name == "double" else 1e-6
        greatest = above.greatest / least if least else math.inf
        if isinstance(node, exp.IntDiv):
            return self._fits(Kind("long", greatest, signed), node)
        is_decimal = "decimal" in (above.name, below.name) and "double" not in (above.name, below.name)
        return self._fits(Kind("decimal" if is_decimal else "double", greatest, signed), node)

    def _bare(self, node: Any, place: Place) -> Any:
        """What stands in parentheses and in casts that make no other number 0."""
        while isinstance(node, exp.Paren) or (isinstance(node, exp.Cast) and literal(node) is None):
            if isinstance(node, exp.Cast):
                within = _Reading(self.columns, self.rows, self.keys).kind(node.this, place)
                if type_name(node) != "double" and within.name not in WHOLE:
                    return node
            node = node.this
        return node

    def _measure(self, node: Any, place: Place) -> Kind:
        of = node.expression if isinstance(node, exp.Log) else node.this
        one = self._number(of, place)
        if isinstance(node, exp.Log) and not ((literal(node.this) or 0) > 1):
            self._wrong(f"takes a logarithm to the base {_told(node.this)}")
        if isinstance(node, exp.Ln | exp.Log):
            bare = self._bare(of, place)
            is_not_zero = isinstance(bare, exp.Nullif) and literal(bare.expression) == 0 and not one.signed
            if not is_not_zero and not (literal(bare) or 0) > 0 and _told(bare) not in place.above_zero:
                self._wrong(f"takes the logarithm of {_told(of)}, which may be 0 or less")
            return Kind("double", 1e3, True)
        return Kind("double", max(one.greatest, 1.0), not isinstance(node, exp.Sqrt))

    def _cast(self, node: Any, place: Place) -> Kind:
        kind, to = self.kind(node.this, place), type_name(node)
        if to not in MOST:
            return {"text": TEXT, "date": DATE, "flag": FLAG}.get(to) or self._wrong(f"makes a {to} of {_told(node.this)}")
        if kind.name in ("flag", "any"):
            return Kind(to, 1) if kind.name == "flag" else ANY
        if not kind.is_number:
            return self._wrong(f"makes a number of {_told(node.this)}, a {kind.name}")
        return self._fits(replace(kind, name=to), node, decimal_most(node) if to == "decimal" else MOST[to])

    def _fits(self, kind: Kind, node: Any, most: float | None = None) -> Kind:
        """The number, where its kind can hold it."""
        most = MOST.get(kind.name, math.inf) if most is None else most
        if kind.greatest > most:
            self._wrong(f"{_told(node)} may overflow: as much as {kind.greatest:.0e}")
            return replace(kind, greatest=most)
        return kind

    # ---- rows

    def _aggregate(self, node: Any, place: Place) -> Kind:
        if not self.rows:
            return self._wrong(f"aggregates with {_told(node)}, in a formula over one row")
        if place.is_within:
            return self._wrong(f"aggregates within an aggregate: {_told(node)}")
        within = replace(place, is_within=True)
        if isinstance(node, exp.Count | exp.CountIf):
            for one in node.this.expressions if isinstance(node.this, exp.Distinct) else [node.this]:
                if not isinstance(one, exp.Star):
                    self.kind(one, within)
            return Kind("long", self.rows)
        of = self.kind(node.this, within)
        if isinstance(node, exp.Sum | exp.Avg | exp.StddevPop) and not of.is_number:
            return self._wrong(f"adds up {_told(node.this)}, a {of.name}")
        match node:
            case exp.Sum():
                return self._fits(Kind("long" if of.name == "int" else of.name, times(of.greatest, self.rows), of.signed), node)
            case exp.Avg() | exp.StddevPop():
                return Kind("decimal" if of.name == "decimal" else "double", of.greatest, of.signed)
            case exp.ArgMax():
                self.kind(node.expression, within)
            case exp.ArrayAgg() | exp.ArrayUniqueAgg():
                return Kind("list", of=of)
        return of

    def _list(self, node: Any, place: Place) -> Kind:
        kind = self.kind(node, place)
        return kind if kind.name in ("list", "any") else self._wrong(f"takes {_told(node)}, a {kind.name}, for a list")

    def _lambda(self, node: Any, given: list[Kind], place: Place) -> Kind:
        names = tuple(zip((one.name for one in node.expressions), given, strict=False))
        return self.kind(node.this, replace(place, bound=(*place.bound, *names)))

    def _folded(self, node: Any, place: Place) -> Kind:
        """Of a list added up one by one: each step may add at most an element, or 1, to what there was."""
        of = self._list(node.this, place).of or ANY
        step = max([1.0, of.greatest])
        begun = self.kind(node.args["initial"], place)
        held = grown(begun, step * max(self.rows, 1.0))
        made = self._lambda(node.args["merge"], [held, of], place)
        for name, most, found in pairs(held, made):
            if found.name in WHOLE and found.greatest > most.greatest + step:
                self._wrong(f"{_told(node.args['merge'])} may overflow{f' in {name}' if name else ''}")
        return held

    # ---- the rest

    def _fixed(self, node: Any, place: Place) -> Kind:
        for one in _children(node):
            kind = self.kind(one, place)
            if isinstance(node, OF_DATES) and kind.name not in ("date", "null", "any"):
                return self._wrong(f"takes {_told(one)}, a {kind.name}, for a date")
        return FIXED[type(node)]

    def _compared(self, node: Any, place: Place) -> Kind:
        kinds = [self.kind(one, place) for one in _children(node)]
        told = {"number" if kind.is_number else kind.name for kind in kinds if kind.name not in ("null", "any")}
        if len(told) > 1:
            self._wrong(f"compares a {' with a '.join(sorted(told))}: {_told(node)}")
        return FLAG

    def _one_of(self, kinds: list[Kind], node: Any) -> Kind:
        """One of several, whichever: as wide and as great as the greatest of them."""
        known = [kind for kind in kinds if kind.name != "null"] or [NULL]
        if any(kind.name == "any" for kind in known):
            return ANY
        first = known[0]
        if all(kind.is_number for kind in known):
            return Kind(wider(*known), max(kind.greatest for kind in known), any(kind.signed for kind in known))
        if any(kind.name != first.name for kind in known):
            return self._wrong(f"is now a {first.name}, now not: {_told(node)}")
        if first.name == "struct":
            told = [(name, [dict(kind.fields).get(name, NULL) for kind in known]) for name, _ in first.fields]
            return replace(first, fields=tuple((name, self._one_of(of, node)) for name, of in told))
        return first

    def _each(self, node: Any, place: Place) -> None:
        for one in _children(node):
            self.kind(one, place)

    def _wrong(self, what: str) -> Kind:
        self.found.append(what)
        return ANY


def _children(node: Any) -> list[Any]:
    return [one for one in node.iter_expressions() if not isinstance(one, exp.Var | exp.DataType)]


def _told(node: Any) -> str:
    return str(node.unnest().sql(dialect="spark"))


def _above_zero(condition: Any) -> frozenset[str]:
    """What is above 0 where the condition holds, as text."""
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _above_zero(condition.this) | _above_zero(condition.expression)
    number = literal(condition.expression) if isinstance(condition, exp.GT | exp.GTE) else None
    if number is not None and (number > 0 or (number == 0 and isinstance(condition, exp.GT))):
        return frozenset([_told(condition.this)])
    return frozenset()
