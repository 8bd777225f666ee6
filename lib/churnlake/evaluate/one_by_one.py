"""Indicators one by one from records, a grouping for each: the way of cider (helpers/features.py), to measure the lakehouse against.

Nothing is shared between two indicators but the records. Each is made by as few groupings as it needs: one where it counts or adds
up records, two where it is over days, peers, cells or handsets. Indicators over registers are grouped from those. Written anew after
the way cider does it, on its own terms: a number is a user, both directions are there already, no result is joined to another.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Indicator
from churnlake.indicators import DAILY, INDICATORS
from churnlake.indicators.formulas import DATA_DAYS, PLAN_MEAN, total
from churnlake.indicators.needs import levels, needed, sums, words
from churnlake.tables.reference import CELLS, HANDSETS
from churnlake.usage.features import Tables, source
from churnlake.usage.settings import UsageSettings

EVERY, FIRST = 22, 10
"""The subset measured: every 22nd of those that stand alone, from one where every kind of source is met."""
WARM_UP = 5
BY_NAME = {i.name: i for i in DAILY}
ADDED_UP = re.compile(
    re.escape(total("CONDITION", "COLUMN")).replace("CONDITION", "(?P<condition>[^()]+)").replace("COLUMN", r"(?P<column>\w+)")
)
"""What only adds up a column of some days, as the declarations put it."""
ANSWERED = "service = 'voice' AND seconds > 0 AND direction IN ('out', 'in')"
MET = f"peer_key IS NOT NULL AND peer_service IS NULL AND peer_key <> number_key AND ({ANSWERED} OR service IN ('sms', 'mms')) AND months_back < 2"
EDGES = {
    "contacts": "count_if(in_month)",
    "contacts_before": "count_if(NOT in_month)",
    "voice_out_calls_before": "count_if(NOT in_month AND service = 'voice' AND direction = 'out')",
    **{f"voice_{way}_calls": f"count_if(in_month AND service = 'voice' AND direction = '{way}')" for way in ("out", "in")},
    **{f"voice_{way}_seconds": total(f"in_month AND service = 'voice' AND direction = '{way}'", "seconds") for way in ("out", "in")},
    **{f"message_{way}": f"count_if(in_month AND service <> 'voice' AND direction = '{way}')" for way in ("out", "in")},
    "days_met": "count(distinct if(in_month, day, null))",
    "peer_network": "min(peer_network)",
    "peer_area": "min(peer_area)",
}  # fmt: skip
DEVICES = {
    "calls": "count_if(in_month)",
    "calls_before": "count_if(NOT in_month)",
    "tac": "min(tac)",
    "first_on": "min(day)",
    "last_seen": "max(struct(day, imei_key)) filter (where in_month)",
}


def subset() -> list[Indicator]:
    """The indicators measured; those made of other users' records or means are none of one grouping."""
    return [i for i in INDICATORS if not _of_others(i)][FIRST::EVERY]


def _of_others(indicator: Indicator) -> bool:
    named = words(i.monthly for i in needed([indicator]))
    return bool({"has_left", "sends_mms", DATA_DAYS} & named) or any(word.startswith(PLAN_MEAN) for word in named)


def seconds(records: DataFrame, tables: Tables, month: dt.date, home_area: str, settings: UsageSettings) -> dict[str, float]:
    """Seconds that each of the subset takes alone; the first are made twice and told once, so that none has the JVM's warming up in it."""
    found, some = {}, subset()
    for indicator in (*some[:WARM_UP], *some):
        began = time.monotonic()
        alone(indicator, records, tables, month, home_area, settings).write.format("noop").mode("overwrite").save()
        found[indicator.name] = time.monotonic() - began
    return found


def alone(
    indicator: Indicator, records: DataFrame, tables: Tables, month: dt.date, home_area: str, settings: UsageSettings
) -> DataFrame:
    """One row per user: the indicator, from records up to the month's end (``usage.daily.events``) or the registers in ``tables``."""
    asked = needed([indicator])
    dated = _dated(records, month)
    frames = []
    added_up = sums(asked)
    for condition in dict.fromkeys(condition for _, _, condition in added_up):
        # a day's sum adds up over all of them too
        some = [F.expr(i.daily).try_cast(i.type).alias(name) for name, i, when in added_up if when == condition]
        frames.append(dated.where(condition).groupBy("user_id").agg(*some))
    for name in dict.fromkeys(i.over for i in asked if i.over):
        over = [i for i in asked if i.over == name]
        if name == "days":
            frames += [_of_days(dated, i) for i in over]
            continue
        made = [F.expr(i.monthly).try_cast(i.type).alias(i.name) for i in over]
        rows = _grouped(name, words(i.monthly for i in over), dated, tables, home_area, settings)
        if rows is None:
            rows = source(name, [month], tables, home_area)
        if rows is None:
            raise ValueError(f"{indicator.name}: no {name}")
        frames.append(rows.select("user_id", *made) if name == "subscriber" else rows.groupBy("user_id").agg(*made))
    found = reduce(lambda one, other: one.join(other, on="user_id", how="full"), frames)
    for level in levels(asked):
        found = found.select("*", *(F.expr(i.monthly).try_cast(i.type).alias(i.name) for i in level))
    return found.select("user_id", indicator.name)


def _dated(rows: DataFrame, month: dt.date) -> DataFrame:
    """The rows up to the month's end, with their days seen from it."""
    month_end = F.last_day(F.lit(month))
    told = {
        "month": F.lit(month),
        "month_end": month_end,
        "days_back": F.datediff(month_end, "day"),
        "months_back": F.expr(f"cast(months_between(date'{month}', trunc(day, 'MM')) as int)"),
        "in_month": F.col("day") >= F.lit(month),
        "weekday": F.expr("weekday(day) + 1"),
    }
    return rows.where(F.col("day") <= month_end).withColumns(told)


def _of_days(dated: DataFrame, indicator: Indicator) -> DataFrame:
    """One grouping where it only adds up what some records have, else one by day before it."""
    plain = ADDED_UP.fullmatch(indicator.monthly)
    if plain and plain["column"] in BY_NAME:
        made = F.expr(BY_NAME[plain["column"]].daily).try_cast(indicator.type).alias(indicator.name)
        return dated.where(plain["condition"]).groupBy("user_id").agg(made)
    day = ["month", "month_end", "days_back", "months_back", "in_month", "weekday"]
    named = words([indicator.monthly])
    daily = [F.expr(i.daily).alias(i.name) for i in DAILY if i.name in named]
    per_day = dated.groupBy("user_id", "day", *(name for name in day if name in named)).agg(F.count("*").alias("n"), *daily)
    return per_day.groupBy("user_id").agg(F.expr(indicator.monthly).try_cast(indicator.type).alias(indicator.name))


def _grouped(
    name: str, named: set[str], dated: DataFrame, tables: Tables, home_area: str, settings: UsageSettings
) -> DataFrame | None:
    """One row per user and peer, cell or handset, with the columns named; None for a source not made of records."""
    if name == "edges":
        named = named | ({"peer_area"} if "is_away" in named else set())
        asked = [F.expr(sql).alias(column) for column, sql in EDGES.items() if column in named]
        rows = dated.where(MET).groupBy("user_id", "peer_key", "month_end").agg(*asked)
        return rows.withColumn("is_away", F.expr(f"peer_area <> '{home_area}'")) if "is_away" in named else rows
    if name == "places":
        night = f"hour >= {settings.night_from_hour} OR hour < {settings.night_to_hour}"
        told = {"calls": "count(*)", "night_calls": f"count_if({night})", "work_calls": f"count_if(weekday <= 5 AND NOT ({night}))",
                "days_seen": "count(distinct day)"}  # fmt: skip
        asked = [F.expr(sql).alias(column) for column, sql in told.items() if column in named]
        rows = (
            dated.where("cell_id IS NOT NULL AND in_month")
            .groupBy("user_id", "cell_id", "month_end")
            .agg(F.count("*").alias("n"), *asked)
        )
        return _beside(rows, tables[CELLS], "cell_id", ("latitude", "longitude"), named)
    if name == "devices":
        maker = ("maker", "model", "has_gprs", "has_mms", "has_java")
        named = named | ({"tac"} if named & {*maker} else set())
        asked = [F.expr(sql).alias(column) for column, sql in DEVICES.items() if column in named]
        rows = dated.where("imei_key IS NOT NULL AND months_back < 2").groupBy("user_id", "imei_key", "month_end").agg(*asked)
        return _beside(rows, tables[HANDSETS], "tac", maker, named)
    return None


def _beside(rows: DataFrame, register: DataFrame, key: str, told: tuple[str, ...], named: set[str]) -> DataFrame:
    """The rows with what the register says of their key, where that is asked for."""
    asked = [F.max_by(name, "delivered_on").alias(name) for name in told if name in named]
    if not asked:
        return rows
    return rows.join(F.broadcast(register.groupBy(key).agg(*asked)), on=key, how="left")
