"""What is known of the columns that formulas name, and the check of formulas by it: no indicator gets a table that may break a build."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pyspark.sql.types import DateType, DecimalType, DoubleType, IntegerType, LongType, StringType, TimestampType

from churnlake.core.contract import Indicator
from churnlake.core.errors import ContractError
from churnlake.core.formula_check import checked
from churnlake.core.kinds import DATE, FLAG, INT_MOST, LONG_MOST, TEXT, Kind
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS
from churnlake.indicators.formulas import BEFORE, DATA_DAYS, PLAN_MEAN, TWO_BEFORE
from churnlake.indicators.needs import by_name, words
from churnlake.indicators.sources import RECORD, SOURCES
from churnlake.indicators.time import WEEKDAYS

RECORDS = 2.0**20 - 1
"""Records of a user and month that formulas are made for. Beyond it hours of the day no longer fit their 20 bits either."""
ROWS = {"records": RECORDS, "days": 100.0, "": 0.0, "subscriber": 0.0}
"""How many rows of a source a user and month can have: of others no more than records of two months; 0 where it is one row at most."""

WHOLE_OF_RECORDS = {"seconds": 86_400.0, "bytes": 2e9, "hour": 23.0, "weekday": 7.0, "hour_unit": 2.0**40}
TEXTS = frozenset({
    "peer_network", "peer_area", "cell_id", "maker", "model", "service", "channel", "arm", "number_beauty", "brand", "plan_id", "status", "branch",
    "group_customer_id", "vip_card", "gender", "credit_class",
})  # fmt: skip
DATES = frozenset({"month", "month_end", "day", "billed_month"})
FLAGS = frozenset({"in_month", "sends_mms"})
"""Beside those whose names say it: what ends in _on, _since or _until is a date, what begins with is_ or has_ a flag."""
NUMBERS = {
    DATA_DAYS: Kind("int", 1e5), "days_back": Kind("int", 1e3), "months_back": Kind("int", 100), "weekday": Kind("int", 7), "birth_year": Kind("int", 1e4), "points": Kind("int", INT_MOST, True),
    "included_minutes": Kind("int", INT_MOST), "included_messages": Kind("int", INT_MOST), "latitude": Kind("double", 90, True), "longitude": Kind("double", 180, True),
    "imei_key": Kind("long", LONG_MOST, True), "last_seen": Kind("struct", fields=(("day", DATE), ("imei_key", Kind("long", LONG_MOST, True)))),
}  # fmt: skip
TYPES: dict[type, Kind] = {
    IntegerType: Kind("int", INT_MOST, True), LongType: Kind("long", LONG_MOST, True), DecimalType: Kind("decimal", 1e10, True), DoubleType: Kind("double", float("inf"), True),
    StringType: TEXT, DateType: DATE, TimestampType: DATE,
}  # fmt: skip


def kind_of_column(source: str, name: str) -> Kind:
    """Of what kind a column of a source is, and how great it can be."""
    known = by_name()
    if source == "records":
        kind = {"int": "int", "bigint": "long", "string": "text", "boolean": "flag", "date": "date", "timestamp": "date"}
        told = kind.get({"weekday": "int", "hour_unit": "bigint", **RECORD}[name], "decimal")
        most = WHOLE_OF_RECORDS.get(name, 1e6 if told == "decimal" else LONG_MOST)
        return Kind(told, most, name.endswith("_key")) if told in ("int", "long", "decimal") else Kind(told)
    if source in ("", "days") and name in known:
        return kind_of(known[name])
    if source == "" and name not in NUMBERS:
        prefix = next(one for one in (BEFORE, TWO_BEFORE, PLAN_MEAN, *(f"{day}_" for day in WEEKDAYS)) if name.startswith(one))
        of = kind_of(known[name.removeprefix(prefix)])
        return Kind("double", of.greatest, of.signed) if prefix == PLAN_MEAN else of
    if name in NUMBERS:
        return NUMBERS[name]
    if name in TEXTS:
        return TEXT
    if name in DATES or name.endswith(("_on", "_at", "_since", "_until")):
        return DATE
    if name in FLAGS or name.startswith(("is_", "has_")):
        return FLAG
    if name.endswith("_yuan"):
        return Kind("decimal", 1e10, True)
    # counts and seconds of the records of a month
    return Kind("long", RECORDS * WHOLE_OF_RECORDS["seconds"] if name.endswith("_seconds") else RECORDS)


@cache
def kind_of(indicator: Indicator) -> Kind:
    """Of what kind an indicator's column is: its formula's value, which is null where the column can not hold it."""
    held = TYPES[type(indicator.type)]
    if held.name not in ("int", "long", "decimal", "double"):
        return held
    told = _read(indicator)[0]
    if not told.is_number:
        return held
    return Kind(held.name, min(told.greatest, held.greatest), told.signed)


def wrong_with(indicator: Indicator) -> list[str]:
    """What is wrong with an indicator's formula, in words; nothing where it can be made of whatever rows there are.

    It names only what its source has; divides by nothing that can be 0 and takes logarithms of nothing but what is above 0; uses no
    function but those known here; aggregates where it is over rows and nowhere else; and no number in it can outgrow its type as long as
    a user has no more than a million records a month (``RECORDS``). A double may: infinity and NaN are null in the tables.
    """
    if not indicator.daily and not indicator.over and indicator.name in words([indicator.formula]):
        return ["names itself"]
    kind, found = _read(indicator)
    held = TYPES[type(indicator.type)]
    if kind.name not in ("any", "null") and kind.is_number != held.is_number:
        found = [*found, f"is a {kind.name} where its unit, {indicator.unit.name}, asks for a {held.name}"]
    return found


def refuse_wrong(indicators: Iterable[Indicator] = (*DAILY, *INDICATORS, *ALL_ITEMS)) -> None:
    """Raise ContractError where a formula is wrong: before anything is read."""
    wrong = {i.name: found for i in indicators if (found := wrong_with(i))}
    if wrong:
        told = "; ".join(f"{name} {', '.join(found)}" for name, found in list(wrong.items())[:5])
        raise ContractError(f"{len(wrong)} formulas of indicators may not be as they are: {told}")


def _read(indicator: Indicator) -> tuple[Kind, list[str]]:
    source = "records" if indicator.daily else indicator.over
    if source not in SOURCES:
        return Kind("null"), [f"is over {source}, which is no source"]
    named = words([indicator.formula])
    columns = {
        name: kind_of_column(source, name)
        for name in SOURCES[source].columns
        if name in named and (source, name) != ("", indicator.name)
    }
    rows = ROWS.get(source, 2 * RECORDS)
    return checked(indicator.formula, columns, rows=rows, keys=("day",) if indicator.daily else ("month",))
