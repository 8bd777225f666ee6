"""Daily partials become monthly features, as of each month's end."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import DOUBLE, Indicator, Table
from churnlake.core.months import last_day, month_before
from churnlake.indicators import DAILY, INDICATORS
from churnlake.indicators.calls import TRENDS
from churnlake.indicators.formulas import DATA_DAYS, PLAN_MEAN, total
from churnlake.indicators.needs import levels, needed, sums, words
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import CONTACTS, DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import (
    BILLS,
    CELLS,
    HANDSETS,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)
from churnlake.usage.sql import count_where, counted, least_peer_codes, with_peer_texts

USER_MONTH = ["user_id", "month"]
DAYS_BACK = 90
"""Days that trends look back from a month's end, and months of which the first is looked at whole."""
MONTHS_BACK = 2
WIDEST = 60
"""Columns of one aggregation."""
Tables = Mapping[Table, DataFrame]


def first_day_needed(months: Collection[dt.date]) -> dt.date:
    """First day of daily data that features of these months look at."""
    return min(_looks_back_to(month) for month in months)


def features(
    months: Sequence[dt.date], tables: Tables, home_area: str, indicators: Sequence[Indicator] = INDICATORS
) -> DataFrame:
    """One row per user with a record in the month: the indicators asked for, from facts known by the month's end.

    Each source of ``churnlake.indicators.sources`` is dealt out by user once, and all its indicators are one aggregation.

    Args:
        months: first days of the months.
        tables: what the sources are made of, the daily tables from ``first_day_needed`` on. Where an operator delivers no such
            feed its indicators are null.
        home_area: the city's area code.
        indicators: what to work out. A count is 0 for a user without rows in a source that is there, any other null.
    """
    asked = needed(indicators)
    of_days = [_packed(part, USER_MONTH, f"days_{at}") for at, part in enumerate(_of_days(months, tables[USAGE], asked))]
    rows = reduce(lambda one, other: one.join(other, on=USER_MONTH, how="left"), of_days)
    columns = [F.col(f"days_{at}.*") for at in range(len(of_days))]
    for name in dict.fromkeys(i.over for i in asked if i.over and i.over != "days"):
        over = [i for i in asked if i.over == name]
        if (made := source(name, months, tables, home_area)) is None:
            columns += [F.lit(None).cast(i.type).alias(i.name) for i in over]
            continue
        rows = rows.join(_packed(_added_up(made, name, over), USER_MONTH, name), on=USER_MONTH, how="left")
        rows = rows.withColumn(name, F.coalesce(name, _none_of(over)))
        columns.append(F.col(f"{name}.*"))
    if any(PLAN_MEAN in i.monthly for i in asked):
        if SUBSCRIBERS in tables:
            means = F.broadcast(_packed(_plan_means(months, tables), ["of_month", "of_plan"], "plan"))
            rows = rows.join(means, on=F.expr("month = of_month AND subscriber.plan_id = of_plan"), how="left")
            columns.append(F.col("plan.*"))
        else:
            columns += [F.lit(None).cast("double").alias(PLAN_MEAN + name) for name in TRENDS]
    if DATA_DAYS in words(i.monthly for i in asked):
        rows = rows.join(F.broadcast(_data_days(months, tables[USAGE])), on=F.expr("month = of_data"), how="inner")
        columns.append(F.col(DATA_DAYS))
    made_of_others = _inlined(levels(asked))
    rows = rows.select(*USER_MONTH, *columns)
    return rows.select("month", "user_id", *(_finite(made_of_others.get(i.name, i.name), i) for i in indicators))


# ---- from formulas to columns


def _made(indicator: Indicator) -> Column:
    """The formula as a column of its type; what does not fit the type is null."""
    return F.expr(_typed(counted(indicator.monthly), indicator)).alias(indicator.name)


def _typed(formula: str, indicator: Indicator) -> str:
    return f"try_cast({formula} as {indicator.type.simpleString()})"


def _finite(formula: str, indicator: Indicator) -> Column:
    """What the formula says as the indicator's column; neither NaN nor infinity gets into a table."""
    finite = f"if(abs({formula}) < double('infinity'), {formula}, null)" if indicator.type == DOUBLE else formula
    return F.expr(finite).alias(indicator.name)


def _inlined(levels: Sequence[Sequence[Indicator]]) -> dict[str, str]:
    """By name, the formulas of indicators made of others, those of later levels with what they name written out.

    So that all is one projection: of hundreds of columns each costs as much as a join, for its code does not fit a core's cache.
    """
    told: dict[str, str] = {}
    for level in levels:
        told |= {i.name: _typed(_written_out(i.monthly, told), i) for i in level}
    return told


def _written_out(formula: str, told: Mapping[str, str]) -> str:
    return re.sub(r"\w+", lambda word: told.get(word[0], word[0]), formula)


def _added_up(rows: DataFrame, name: str, indicators: Sequence[Indicator]) -> DataFrame:
    """One row per user and month with a row in the source: the indicators over it."""
    columns = [_made(i) for i in indicators]
    # the register has one row per user and month already
    return rows.select(*USER_MONTH, *columns) if name == "subscriber" else rows.groupBy(USER_MONTH).agg(*columns)


def _none_of(indicators: Sequence[Indicator]) -> Column:
    """The indicators of a user without a row in their source: counts are 0."""
    return F.struct(*(F.lit(0 if i.counts else None).cast(i.type).alias(i.name) for i in indicators))


def _packed(rows: DataFrame, keys: Sequence[str], name: str) -> DataFrame:
    """The rows with all columns but the keys as one: joins move that as it lies, and do not write hundreds of columns anew each."""
    return rows.select(*keys, F.struct(*(c for c in rows.columns if c not in keys)).alias(name))


# ---- sources


def _looks_back_to(month: dt.date) -> dt.date:
    first = month
    for _ in range(MONTHS_BACK):
        first = month_before(first)
    return min(first, last_day(month) - dt.timedelta(days=DAYS_BACK - 1))


def _spread(rows: DataFrame, months: Sequence[dt.date], condition: str = "true") -> DataFrame:
    """The rows once for every month asked for of which the condition holds, with ``month`` and ``month_end``."""
    each = [F.lit(month) for month in months]
    # of one month the condition can be asked of partitions
    rows = rows.withColumn("month", each[0] if len(each) == 1 else F.explode(F.array(*each)))
    return rows.withColumn("month_end", F.expr("last_day(month)")).where(condition)


def _by_user(rows: DataFrame) -> DataFrame:
    """The rows dealt out once by user: of a month's days hardly any two of a user lie in one file, so adding up before would only cost.

    By user alone, so that whatever is added up or joined by user, with the month or with a peer, lies together already.
    """
    return rows.repartition("user_id")


def _of_days(months: Sequence[dt.date], usage: DataFrame, indicators: Sequence[Indicator]) -> list[DataFrame]:
    """One row per user with a record in the month: the indicators over days, and what formulas over others name of its days.

    The first frame has every such user, the others have the rest of the columns, ``WIDEST`` each: of an aggregation of more than a
    hundred Spark makes no code of its own (``spark.sql.codegen.maxFields``), and of one that long a method no JVM compiles.
    """
    asked, added_up = [i for i in indicators if i.over == "days"], sums(indicators)
    named = words(i.monthly for i in asked) | {i.name for _, i, _ in added_up}
    reach = f"day <= month_end AND day >= least(add_months(month, -{MONTHS_BACK}), date_sub(month_end, {DAYS_BACK - 1}))"
    days = _spread(usage.select("user_id", "day", *(i.name for i in DAILY if i.name in named)), months, reach)
    days = _by_user(days).withColumns(
        {
            "days_back": F.expr("datediff(month_end, day)"),
            "months_back": F.expr("cast(months_between(month, trunc(day, 'MM')) as int)"),
            "in_month": F.expr("day >= month"),
            "weekday": F.expr("weekday(day) + 1"),
        }
    )
    columns = [
        *(F.expr(_typed(f"{i.merge}({i.name}) filter (where {condition})", i)).alias(name) for name, i, condition in added_up),
        *(_made(i) for i in asked),
    ]
    first, *others = [columns[at : at + WIDEST] for at in range(0, len(columns), WIDEST)] or [[]]
    found = days.groupBy(USER_MONTH).agg(F.expr(count_where("in_month")).alias("days_with_records"), *first)
    return [
        found.where("days_with_records > 0").drop("days_with_records"),
        *(days.groupBy(USER_MONTH).agg(*part) for part in others),
    ]


def _data_days(months: Sequence[dt.date], usage: DataFrame) -> DataFrame:
    """One row per month: days from the first that there are records of to the month's end."""
    first = _spread(usage.agg(F.min("day").alias("data_from")), months)
    return first.select(F.col("month").alias("of_data"), F.expr("datediff(month_end, data_from) + 1").alias(DATA_DAYS))


def source(name: str, months: Sequence[dt.date], tables: Tables, home_area: str) -> DataFrame | None:
    """The rows of a source of ``churnlake.indicators.sources`` other than days, or None where the operator delivers no such feed."""
    if name == "edges":
        return _edges(months, tables, home_area)
    table, made = MADE_OF[name]
    return made(months, tables) if table in tables else None


def _edges(months: Sequence[dt.date], tables: Tables, home_area: str) -> DataFrame:
    """One row per user, month and peer met in the month or the one before."""
    columns = ("voice_out_calls", "voice_in_calls", "voice_out_seconds", "voice_in_seconds", "message_out", "message_in")
    met = tables[EDGES].select("user_id", "day", "peer_id", "peer_network", "peer_area", *columns)
    met = _by_user(_spread(met, months, "day <= month_end AND day >= add_months(month, -1)"))
    per_peer = met.groupBy(*USER_MONTH, "peer_id").agg(
        F.expr(total("day >= month", CONTACTS)).alias("contacts"),
        F.expr(total("day < month", CONTACTS)).alias("contacts_before"),
        F.expr(total("day < month", "voice_out_calls")).alias("voice_out_calls_before"),
        *(F.expr(total("day >= month", name)).alias(name) for name in columns),
        F.expr(count_where("day >= month")).alias("days_met"),
        *least_peer_codes(),
    )
    known = _of_peers(months, tables)
    told = with_peer_texts(per_peer).join(known, on=["peer_id", "month"], how="left")
    return told.withColumns({"is_away": F.expr(f"peer_area <> '{home_area}'"), "month_end": F.expr("last_day(month)")})


def _of_peers(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per user of ours and month of whom, as a peer, there is something to tell: has_left, sends_mms."""
    wrote = _spread(
        tables[USAGE].where("mms_out_messages > 0").select("user_id", "day"), months, "day >= month AND day <= month_end"
    )
    told = wrote.select(
        F.col("user_id").alias("peer_id"),
        "month",
        F.lit(None).cast("boolean").alias("left_then"),
        F.lit(True).alias("wrote_then"),
    )
    if LEAVINGS in tables:
        # a leaving counts in the month in which it became known and the one after: never before anybody could know it
        left = _spread(
            tables[LEAVINGS].select("user_id", "known_on"), months, "known_on <= month_end AND known_on >= add_months(month, -1)"
        )
        told = told.unionByName(
            left.select(
                F.col("user_id").alias("peer_id"),
                "month",
                F.lit(True).alias("left_then"),
                F.lit(None).cast("boolean").alias("wrote_then"),
            )
        )
    return told.groupBy("peer_id", "month").agg(F.max("left_then").alias("has_left"), F.max("wrote_then").alias("sends_mms"))


def _places(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per user, month and cell."""
    seen = tables[PLACES].select("user_id", "day", "cell_id", "voice_calls", "night_calls")
    seen = _by_user(_spread(seen, months, "day >= month AND day <= month_end"))
    per_cell = seen.groupBy(*USER_MONTH, "cell_id").agg(
        F.sum("voice_calls").alias("calls"),
        F.sum("night_calls").alias("night_calls"),
        F.expr("sum(if(weekday(day) < 5, voice_calls - night_calls, 0))").alias("work_calls"),
        F.count("*").alias("days_seen"),
    )
    return _beside(per_cell, months, tables.get(CELLS), "cell_id", {"latitude": "double", "longitude": "double"})


def _devices(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per user, month and handset seen in the month or the one before."""
    seen = tables[DEVICES].select("user_id", "day", "imei_key", "tac", "voice_calls")
    seen = _by_user(_spread(seen, months, "day <= month_end AND day >= add_months(month, -1)"))
    per_device = seen.groupBy(*USER_MONTH, "imei_key").agg(
        F.min("tac").alias("tac"),
        F.expr(total("day >= month", "voice_calls")).alias("calls"),
        F.expr(total("day < month", "voice_calls")).alias("calls_before"),
        F.min("day").alias("first_on"),
        F.expr("max(struct(day, imei_key)) filter (where day >= month)").alias("last_seen"),
    )
    told = {"maker": "string", "model": "string", "has_gprs": "boolean", "has_mms": "boolean", "has_java": "boolean"}
    return _beside(per_device, months, tables.get(HANDSETS), "tac", told)


def _handset_days(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per user, month and handset of the last 90 days, with how long ago it was seen last."""
    seen = _spread(
        tables[DEVICES].select("user_id", "day", "imei_key"),
        months,
        f"day <= month_end AND day > date_sub(month_end, {DAYS_BACK})",
    )
    seen = _by_user(seen).groupBy(*USER_MONTH, "month_end", "imei_key").agg(F.max("day").alias("day"))
    return seen.withColumn("days_back", F.expr("datediff(month_end, day)"))


def _newest(rows: DataFrame, months: Sequence[dt.date], key: str, told: Collection[str]) -> DataFrame:
    """One row per month and key: the newest delivery by the month's end."""
    known = _spread(rows, months, "delivered_on <= month_end")
    return known.groupBy(key, "month").agg(*(F.max_by(name, "delivered_on").alias(name) for name in told))


def _beside(
    rows: DataFrame, months: Sequence[dt.date], register: DataFrame | None, key: str, told: Mapping[str, str]
) -> DataFrame:
    """The rows with what a register of some thousands says of their key, nulls where there is none; and ``month_end``."""
    rows = rows.withColumn("month_end", F.expr("last_day(month)"))
    if register is None:
        return rows.select("*", *(F.lit(None).cast(kind).alias(name) for name, kind in told.items()))
    return rows.join(F.broadcast(_newest(register, months, key, told)), on=[key, "month"], how="left")


def _recharges(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    spread = _spread(tables[RECHARGES], months, f"day <= month_end AND day >= add_months(month, -{MONTHS_BACK})")
    return spread.withColumn("in_month", F.expr("day >= month"))


def _bills(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    renamed = tables[BILLS].withColumnRenamed("month", "billed_month")
    return _spread(renamed, months, "delivered_on <= month_end AND billed_month >= add_months(month, -3)")


def _subscriptions(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    known = _spread(tables[SUBSCRIPTIONS], months, "delivered_on <= month_end AND started_on <= month_end")
    newest = known.groupBy(*USER_MONTH, "month_end", "service", "started_on").agg(
        F.expr("max_by(struct(ended_on, channel, monthly_fee_yuan), delivered_on)").alias("s")
    )
    return newest.select(*USER_MONTH, "month_end", "service", "started_on", "s.*").withColumn(
        "is_held", F.expr("ended_on IS NULL OR ended_on >= month_end")
    )


def _touches(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    return _spread(
        tables[TOUCHES],
        months,
        f"delivered_on <= month_end AND assigned_on <= month_end AND assigned_on >= add_months(month, -{MONTHS_BACK})",
    )


PLAN_CHANGES = f"""aggregate(
  array_sort(collect_list(struct(delivered_on, plan_id))),
  struct(cast(null as string) AS plan, cast(null as date) AS since, 0L AS changes),
  (a, x) -> if(x.plan_id <=> a.plan, a, struct(
    x.plan_id AS plan, if(a.plan IS NULL, null, x.delivered_on) AS since,
    a.changes + if(a.plan IS NOT NULL AND x.delivered_on >= add_months(month, -{MONTHS_BACK}), 1L, 0L) AS changes)))"""


def _subscriber(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per user and month: the newest delivery of the register by the month's end, with the plan as delivered by then."""
    subscribers = tables[SUBSCRIBERS]
    known = _spread(subscribers, months, "delivered_on <= month_end")
    told = [c for c in subscribers.columns if c not in ("user_id", "delivered_on")]
    newest = known.groupBy(*USER_MONTH, "month_end").agg(
        F.max_by(F.struct(*told), "delivered_on").alias("s"), F.expr(PLAN_CHANGES).alias("p")
    )
    rows = newest.select(
        *USER_MONTH, "month_end", "s.*", F.col("p.since").alias("plan_since"), F.col("p.changes").alias("plan_changes")
    )
    prices = {"monthly_fee_yuan": "decimal(12,2)", "included_minutes": "int", "included_messages": "int"}
    return _beside(rows, months, tables.get(PLANS), "plan_id", prices).withColumnRenamed("monthly_fee_yuan", "plan_fee_yuan")


def _plan_means(months: Sequence[dt.date], tables: Tables) -> DataFrame:
    """One row per month and plan: means, over its users with a record in the month, of what trends are told of."""
    of_month = _spread(tables[USAGE].select("user_id", "day", *TRENDS), months, "day >= month AND day <= month_end")
    of_users = of_month.groupBy(USER_MONTH).agg(*(F.sum(name).alias(name) for name in TRENDS))
    plans = _newest(tables[SUBSCRIBERS], months, "user_id", ["plan_id"])
    # of whole numbers and decimals, so that the order of users changes no digit
    means = (F.avg(name).cast("double").alias(PLAN_MEAN + name) for name in TRENDS)
    found = of_users.join(plans, on=USER_MONTH, how="inner")
    return found.groupBy(F.col("month").alias("of_month"), F.col("plan_id").alias("of_plan")).agg(*means)


MADE_OF: dict[str, tuple[Table, Callable[[Sequence[dt.date], Tables], DataFrame]]] = {
    "places": (PLACES, _places),
    "devices": (DEVICES, _devices),
    "handset_days": (DEVICES, _handset_days),
    "recharges": (RECHARGES, _recharges),
    "bills": (BILLS, _bills),
    "subscriptions": (SUBSCRIPTIONS, _subscriptions),
    "touches": (TOUCHES, _touches),
    "subscriber": (SUBSCRIBERS, _subscriber),
}
"""By source, the table that it can not do without and what makes its rows."""
