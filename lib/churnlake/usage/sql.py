"""Formulas put so that Spark works them out fast. What they say stays the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from churnlake.tables.clean import NETWORKS

COUNTED = re.compile(r"count_if\((.+)\)")
KIND = re.compile(r"service = '\w+'(?: and direction = '\w+')?(?: and seconds > 0(?![.\d]))?|service <> 'wap'")

_NETWORKS = f"array({', '.join(repr(network) for network in sorted(NETWORKS))})"
PEER_CODES = {
    "network_place": f"nullif(array_position({_NETWORKS}, peer_network), 0)",
    "area_number": "try_cast(peer_area as int)",
}
PEER_TEXTS = {
    "peer_network": f"element_at({_NETWORKS}, cast(network_place as int))",
    "peer_area": "concat('0', cast(area_number as string))",
}
"""What is known of a peer as numbers while rows are added up, and back: with a text to compare, Spark sorts all rows in place of
hashing them, four times the work."""


def counted(formula: str) -> str:
    """The formula; one that is a ``count_if`` as a count: Spark 4.1 makes the condition of each a column of its own, row by row, before it adds up.

    With ``by_kind``, over 6.2 million records and 92 sums: 22 s of processor time in place of 27.
    """
    found = COUNTED.fullmatch(formula)
    return f"count(if({found[1]}, 1, null))" if found and _is_whole(found[1]) else formula


def _is_whole(sql: str) -> bool:
    """Whether no parenthesis is closed that is opened before it."""
    depth = 0
    for character in sql:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return True


def by_kind(formulas: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What kinds of record the formulas ask for, as columns, and the formulas over those columns.

    Dozens of formulas ask alike for, say, answered calls made: that is worked out once a record and not once a formula.
    """
    kinds: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return kinds.setdefault(found[0], f"kind_{len(kinds)}")

    over = {name: KIND.sub(named, formula) for name, formula in formulas.items()}
    return {name: condition for condition, name in kinds.items()}, over
