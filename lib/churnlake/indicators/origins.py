"""Which stored tables an indicator comes from, through the indicators that its formula names."""

from __future__ import annotations

from functools import cache

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import PLAN_MEAN
from churnlake.indicators.needs import by_name, sums, words
from churnlake.indicators.sources import SOURCES

BESIDE = {
    "sends_mms": "daily.usage", "has_left": "churn.leavings", "latitude": "reference.cells", "longitude": "reference.cells", "maker": "reference.handsets",
    "model": "reference.handsets", "has_gprs": "reference.handsets", "has_mms": "reference.handsets", "has_java": "reference.handsets",
    "plan_fee_yuan": "reference.plans", "included_minutes": "reference.plans", "included_messages": "reference.plans",
}  # fmt: skip
"""Columns of a source that do not come from the table its rows are of, and where they come from."""


def tables_of(name: str) -> tuple[str, ...]:
    """The stored tables whose columns an indicator's formula names, through other indicators; sums of days are stored in daily.usage."""
    return _tables_of(by_name()[name])


@cache
def _tables_of(indicator: Indicator) -> tuple[str, ...]:
    source = SOURCES["records" if indicator.daily else indicator.over]
    if indicator.daily:
        return source.tables
    named = words([indicator.monthly])
    if source.name:
        return tuple(t for at, t in enumerate(source.tables) if at == 0 or t in {BESIDE.get(word) for word in named})
    found = [SOURCES["days"].tables] if sums([indicator]) or PLAN_MEAN in indicator.monthly else []
    found += [SOURCES["subscriber"].tables[:1]] if PLAN_MEAN in indicator.monthly else []
    found += [_tables_of(one) for word in sorted(named) if (one := by_name().get(word)) and not one.daily]
    return tuple(dict.fromkeys(table for tables in found for table in tables))
