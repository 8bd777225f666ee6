"""Which indicators the formulas of others need, and in what order they can be worked out. Declarations only, whatever the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from churnlake.core.contract import Indicator
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS
from churnlake.indicators.formulas import BEFORE, PLAN_MEAN, TWO_BEFORE
from churnlake.indicators.time import WEEKDAYS

PARTS = {
    "": "in_month",
    BEFORE: "months_back = 1",
    TWO_BEFORE: "months_back = 2",
    **{f"{day}_": f"in_month AND weekday = {at + 1}" for at, day in enumerate(WEEKDAYS)},
}
"""What the name of a sum begins with in a formula over the user's month, and the days it is of."""


@cache
def by_name() -> dict[str, Indicator]:
    """Every declared indicator and item, the daily sums among them."""
    return {i.name: i for i in (*DAILY, *INDICATORS, *ALL_ITEMS)}


def words(formulas: Iterable[str]) -> set[str]:
    """Every name, function and keyword in the formulas."""
    return set(re.findall(r"\w+", " ".join(formulas)))


def needed(indicators: Sequence[Indicator]) -> list[Indicator]:
    """The indicators and those that their formulas name, in the order of their declaration."""
    known = {i.name: i for i in (*INDICATORS, *indicators)}
    found, asked = set[str](), {i.name for i in indicators}
    while asked:
        found |= asked
        text = " ".join(known[name].monthly for name in asked if not known[name].over)
        # means of a plan need to know which plan it is
        told = words([text]) | ({"plan_id"} if PLAN_MEAN in text else set())
        asked = {name for name in told if name in known} - found
    return [i for name, i in known.items() if name in found]


def sums(indicators: Sequence[Indicator]) -> list[tuple[str, Indicator, str]]:
    """The sums of days that the indicators and their formulas over others name: the name, the daily indicator, the days it is of."""
    named = words(i.monthly for i in indicators if i.monthly and not i.over) | {i.name for i in indicators if i.daily}
    return [(prefix + i.name, i, condition) for prefix, condition in PARTS.items() for i in DAILY if prefix + i.name in named]


def levels(indicators: Sequence[Indicator]) -> list[list[Indicator]]:
    """Those made of other indicators, each level after those it names. Raises ValueError where they go round in a circle."""
    left, found = {i.name: i for i in indicators if i.monthly and not i.over}, []
    while left:
        level = [i for i in left.values() if not (words([i.monthly]) & left.keys())]
        if not level:
            raise ValueError(f"these indicators are made of each other: {', '.join(left)}")
        found.append(level)
        left = {name: i for name, i in left.items() if i not in level}
    return found
