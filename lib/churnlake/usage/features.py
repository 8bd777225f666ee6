"""Daily partials become monthly features, as of each month's end."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Indicator
from churnlake.indicators import DAILY, INDICATORS, MONTHLY
from churnlake.tables.daily import CONTACTS

BEFORE = "before_"
MONTHS_BACK = 2
"""Months before the first one built that the formulas look at: three-month means and comparisons with the month before."""


def first_day_needed(months: list[dt.date]) -> dt.date:
    """First day of daily data that features of these months look at."""
    first = min(months)
    for _ in range(MONTHS_BACK):
        first = (first - dt.timedelta(days=1)).replace(day=1)
    return first


def monthly(
    months: list[dt.date], usage: DataFrame, edges: DataFrame, places: DataFrame, devices: DataFrame,
    subscribers: DataFrame | None, plans: DataFrame | None, bills: DataFrame | None, recharges: DataFrame | None,
    handsets: DataFrame | None, leavings: DataFrame | None,
) -> DataFrame:  # fmt: skip
    """One row per user with a record in the month: every indicator, from facts known by the month's end.

    ``usage``, ``edges``, ``places`` and ``devices`` are daily tables from ``first_day_needed`` on; the others may be None
    where the operator delivers no such feed, and their indicators are then null. Sources of ``over=``: days (rows of
    daily.usage), months (the user's months), edges, places, devices (one row per user, month and peer, cell, handset),
    recharges (three months), bills (delivered by the month's end), subscriber (the newest delivery by then).
    """
    wanted = F.col("month").isin(months)
    days = _dated(usage)
    sums = days.groupBy("user_id", "month").agg(*[F.sum(i.name).cast(i.type).alias(i.name) for i in DAILY], *_over("days"))
    before = sums.select(
        "user_id", F.add_months("month", 1).alias("month"), *[F.col(i.name).alias(BEFORE + i.name) for i in DAILY]
    )
    spans = (
        sums.withColumn("of_month", F.expr("explode(transform(sequence(0, 2), k -> add_months(month, k)))"))
        .drop("month")
        .withColumnRenamed("of_month", "month")
    )
    rows = sums.where(wanted).join(before, on=["user_id", "month"], how="left")
    sources: list[tuple[str, DataFrame | None]] = [
        ("months", spans.where(wanted)),
        ("edges", _edges(edges, leavings).where(wanted)),
        ("places", _dated(places).where(wanted).groupBy("user_id", "month", "cell_id").agg(F.sum("voice_calls").alias("calls"))),
        ("devices", _devices(devices, handsets).where(wanted)),
        ("recharges", None if recharges is None else _recharges(recharges, months)),
        ("bills", None if bills is None else _bills(bills, months)),
    ]
    for name, source in sources:
        formulas = _over(name)
        if source is None:
            rows = rows.select("*", *_nulls(name))
        else:
            rows = rows.join(source.groupBy("user_id", "month").agg(*formulas), on=["user_id", "month"], how="left")
    if subscribers is None:
        rows = rows.select("*", *_nulls("subscriber"))
    else:
        rows = rows.join(_subscriber(subscribers, plans, months), on=["user_id", "month"], how="left")
    rows = rows.select("*", *[F.expr(i.monthly).cast(i.type).alias(i.name) for i in _row_formulas()])
    return rows.select("month", "user_id", *[F.col(i.name) for i in INDICATORS])


def _over(source: str) -> list[Column]:
    return [F.expr(i.monthly).cast(i.type).alias(i.name) for i in MONTHLY if i.over == source]


def _nulls(source: str) -> list[Column]:
    return [F.lit(None).cast(i.type).alias(i.name) for i in MONTHLY if i.over == source]


def _row_formulas() -> list[Indicator]:
    return [i for i in MONTHLY if not i.over]


def _dated(daily: DataFrame) -> DataFrame:
    return daily.withColumn("month", F.expr("cast(trunc(day, 'MM') as date)")).withColumn("month_end", F.expr("last_day(day)"))


def _with_before(per_month: DataFrame, thing: str) -> DataFrame:
    """The same rows with ``seen_before``: the user had the same thing the month before."""
    before = per_month.select("user_id", thing, F.add_months("month", 1).alias("month"), F.lit(True).alias("was_there"))
    return per_month.join(before, on=["user_id", thing, "month"], how="left").withColumn(
        "seen_before", F.expr("was_there IS NOT NULL")
    )


def _edges(edges: DataFrame, leavings: DataFrame | None) -> DataFrame:
    per_peer = _dated(edges).groupBy("user_id", "month", "peer_id").agg(
        F.expr(f"sum({CONTACTS})").alias("contacts"),
        F.expr("sum(voice_out_calls + message_out)").alias("contacts_out"),
        F.min("peer_network").alias("peer_network"), F.min("peer_area").alias("peer_area"),
    )  # fmt: skip
    per_peer = _with_before(per_peer, "peer_id")
    if leavings is None:
        return per_peer.withColumn("has_left", F.lit(None).cast("boolean"))
    # a leaving counts in the month in which it became known and the one after: never before anybody could know it
    known = leavings.select(
        F.col("user_id").alias("peer_id"),
        F.expr("explode(array(cast(trunc(known_on, 'MM') as date), cast(add_months(trunc(known_on, 'MM'), 1) as date)))").alias(
            "month"
        ),
    )
    known = known.distinct().withColumn("left_known", F.lit(True))
    return per_peer.join(known, on=["peer_id", "month"], how="left").withColumn("has_left", F.expr("left_known IS NOT NULL"))


def _devices(devices: DataFrame, handsets: DataFrame | None) -> DataFrame:
    per_device = (
        _dated(devices)
        .groupBy("user_id", "month", "imei_key")
        .agg(
            F.min("tac").alias("tac"),
            F.sum("voice_calls").alias("calls"),
            F.expr("max(struct(day, imei_key))").alias("last_seen"),
        )
    )
    per_device = _with_before(per_device, "imei_key")
    if handsets is None:
        return per_device.withColumn("maker", F.lit(None).cast("string")).withColumn("has_mms", F.lit(None).cast("boolean"))
    newest = handsets.groupBy("tac").agg(
        F.max_by("maker", "delivered_on").alias("maker"), F.max_by("has_mms", "delivered_on").alias("has_mms")
    )
    return per_device.join(newest, on="tac", how="left")


def _ends(months: list[dt.date], rows: DataFrame) -> DataFrame:
    """The rows once for every month asked for, with ``month`` and ``month_end``."""
    spans = ", ".join(f"date'{month}'" for month in months)
    return rows.withColumn("month", F.expr(f"explode(array({spans}))")).withColumn("month_end", F.expr("last_day(month)"))


def _recharges(recharges: DataFrame, months: list[dt.date]) -> DataFrame:
    spread = _ends(months, recharges).where("day <= month_end AND day >= add_months(month, -2)")
    return spread.withColumn("in_month", F.expr("day >= month"))


def _bills(bills: DataFrame, months: list[dt.date]) -> DataFrame:
    return _ends(months, bills.withColumnRenamed("month", "billed_month")).where(
        "delivered_on <= month_end AND billed_month >= add_months(month, -3)"
    )


def _subscriber(subscribers: DataFrame, plans: DataFrame | None, months: list[dt.date]) -> DataFrame:
    known = _ends(months, subscribers).where("delivered_on <= month_end")
    columns = [c for c in subscribers.columns if c not in ("user_id", "delivered_on")]
    newest = (
        known.groupBy("user_id", "month", "month_end")
        .agg(F.max_by(F.struct(*columns), "delivered_on").alias("s"))
        .select("user_id", "month", "month_end", "s.*")
    )
    if plans is None:
        priced = newest.withColumn("monthly_fee_yuan", F.lit(None).cast("decimal(12,2)"))
    else:
        prices = plans.groupBy("plan_id").agg(F.max_by("monthly_fee_yuan", "delivered_on").alias("monthly_fee_yuan"))
        priced = newest.join(F.broadcast(prices), on="plan_id", how="left")
    return priced.select("user_id", "month", *_over("subscriber"))
