"""The stage of leaving of each customer, day by day; how stages follow each other; how early leavers were warned of.

Definitions: mission, A5 and "Stages". Alarm: a sign seen. Warning: none yet, but one forecast likely enough to be cared for.
Churned: the leaving is confirmed. Healthy: none of these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.signs import on_at
from churnlake.core.runs import Days
from churnlake.tables.stages import LEAD_TIMES, SIGNS_SEEN, STAGES, STAGES_AT_END, STAGES_OF_LEAVING, TRANSITIONS

LEFT, WARNED = "left", "warned"
STATES = (*SIGNS_SEEN, WARNED, LEFT)
"""What a stage is made of: each is on or off on a day."""
KEY = ["user_id", "day"]


def changes(
    signs: DataFrame,
    forecasts: DataFrame | None,
    leavings: DataFrame,
    usage: DataFrame,
    known: DataFrame | None,
    days: Days,
    warned_days: int,
) -> DataFrame:
    """One row per user and day of the run on which the stage changed (churn.stages).

    It goes on from the newest row of ``known`` before the run, so a range of days gives what its days give one by one.
    A warning counts until the next forecast is made, ``warned_days`` at most. One who had left is back with the first own event
    after that was known.

    Args:
        signs: churn.signs up to the last day.
        forecasts: churn.forecasts from ``warned_days`` before the first day on; None without any.
        leavings: churn.leavings of the days of the run.
        usage: daily.usage of the days of the run.
        known: churn.stages of the days before; None where there is none.
        days: the days to make, without a gap.
        warned_days: how long a forecast counts.
    """
    first, before = F.lit(days.first), F.lit(days.first - dt.timedelta(days=1))
    stood = None if known is None else _stood(known.where(F.col("known_on") < first))
    marks = [_of_signs(signs, days), _of_leavings(leavings, usage, stood, days)]
    if forecasts is not None:
        marks.append(_of_forecasts(forecasts, days, warned_days))
    every = reduce(DataFrame.unionByName, marks)
    # what stood before the run is looked at on its first day, also where nothing happens on it
    carried = every.where(F.col("day") < first).select("user_id")
    carried = (carried if stood is None else carried.unionByName(stood.select("user_id"))).distinct()
    every = every.unionByName(carried.withColumn("day", first), allowMissingColumns=True)
    wide = every.groupBy(*KEY).agg(
        *[
            # of off and on on one day, on
            F.max(F.expr(f"if(state = '{state}', named_struct('is_seen', is_seen, 'since', since, 'by', by), null)")).alias(state)
            for state in STATES
        ]
    )
    if stood is None:
        wide = wide.withColumn("stood", F.lit(None).cast("string"))
    else:
        told = stood.select("user_id", before.alias("day"), F.col("stage").alias("stood"))
        wide = wide.join(told, on=KEY, how="full")
    by_user = Window.partitionBy("user_id").orderBy("day")
    so_far = by_user.rowsBetween(Window.unboundedPreceding, 0)
    now = wide.select(
        *KEY, "stood", *[F.last(state, ignorenulls=True).over(so_far).alias(state) for state in STATES],
        *[F.coalesce(F.col(f"{state}.is_seen"), F.lit(False)).alias(f"{state}_today") for state in STATES],
    )  # fmt: skip
    held = {state: f"coalesce({state}.is_seen, false)" for state in STATES}
    signs_on = ", ".join(f"if({held[sign]}, '{sign}', null)" for sign in SIGNS_SEEN)
    staged = now.withColumn("signs", F.expr(f"array_compact(array({signs_on}))")).withColumn(
        "stage",
        F.expr(
            f"case when day < date'{days.first}' then coalesce(stood, 'healthy') when {held[LEFT]} then 'churned' "
            f"when size(signs) > 0 then 'alarm' when {held[WARNED]} then 'warning' else 'healthy' end"
        ),
    )
    staged = staged.withColumn("stage_before", F.lag("stage", 1, "healthy").over(by_user))
    moved = staged.where(F.col("day") >= first).where("stage <> stage_before")
    return moved.withColumn("cause", _moved_by()).select(
        F.col("day").alias("known_on"), "user_id", "stage", "stage_before",
        F.col("cause.by").alias("moved_by"), F.col("cause.since").alias("since"), "signs",
    ).select(STAGES.names)  # fmt: skip


def _moved_by() -> Column:
    """What moved a user to its stage, and since when: of several signs one of that very day, the first declared."""
    fresh = [f"when {sign}_today then named_struct('by', '{sign}', 'since', {sign}.since)" for sign in SIGNS_SEEN]
    older = [
        f"when coalesce({sign}.is_seen, false) then named_struct('by', '{sign}', 'since', {sign}.since)" for sign in SIGNS_SEEN
    ]
    return F.expr(
        f"case stage when 'churned' then named_struct('by', {LEFT}.by, 'since', {LEFT}.since) "
        f"when 'alarm' then case {' '.join([*fresh, *older])} end "
        f"when 'warning' then named_struct('by', {WARNED}.by, 'since', {WARNED}.since) "
        "else named_struct('by', if(stage_before = 'churned', 'use', 'quiet'), 'since', day) end"
    )


def _stood(known: DataFrame) -> DataFrame:
    """One row per user that is not healthy after these rows of churn.stages: user_id, stage, moved_by, since."""
    newest = known.groupBy("user_id").agg(F.max_by(F.struct("stage", "moved_by", "since"), "known_on").alias("at"))
    return newest.where("at.stage <> 'healthy'").select("user_id", "at.stage", "at.moved_by", "at.since")


def _marks(rows: DataFrame, state: str | None, is_seen: bool, day: str, since: str, by: str) -> DataFrame:
    """Marks of a state (None: the one the column ``state`` names), from SQL of their day, since when, and what they are told by."""
    named = F.col("state") if state is None else F.lit(state)
    return rows.select(
        "user_id", F.expr(day).alias("day"), named.alias("state"), F.lit(is_seen).alias("is_seen"),
        F.expr(since).cast("date").alias("since"), F.expr(by).cast("string").alias("by"),
    )  # fmt: skip


def _of_signs(signs: DataFrame, days: Days) -> DataFrame:
    stored = on_at(signs.where(F.col("known_on") < F.lit(days.first))).withColumnRenamed("sign", "state")
    of_run = signs.where(F.col("known_on").between(F.lit(days.first), F.lit(days.last))).withColumnRenamed("sign", "state")
    before = f"date_sub(date'{days.first}', 1)"
    return (
        _marks(stored, None, True, before, "since", "state")
        .unionByName(_marks(of_run.where("is_seen"), None, True, "known_on", "since", "state"))
        .unionByName(_marks(of_run.where("NOT is_seen"), None, False, "known_on", "since", "state"))
    )


def _of_forecasts(forecasts: DataFrame, days: Days, warned_days: int) -> DataFrame:
    """A warning begins with the forecast and ends with the next one, whomever that warns of; known forecasts alone count."""
    made = forecasts.select("known_on").distinct()
    after = made.withColumn("next_on", F.lead("known_on").over(Window.orderBy("known_on")))
    warned = forecasts.where("is_warned").join(F.broadcast(after), on="known_on", how="inner")
    warned = warned.withColumn("ends", F.expr(f"least(date_add(known_on, {warned_days}), coalesce(next_on, date'9999-12-31'))"))
    last, before = f"date'{days.last}'", f"date_sub(date'{days.first}', 1)"
    began = warned.where(f"ends > {before} AND known_on <= {last}")
    ended = warned.where(f"ends BETWEEN date'{days.first}' AND {last}")
    return _marks(began, WARNED, True, f"greatest(known_on, {before})", "known_on", "forecast").unionByName(
        _marks(ended, WARNED, False, "ends", "ends", "forecast")
    )


def _of_leavings(leavings: DataFrame, usage: DataFrame, stood: DataFrame | None, days: Days) -> DataFrame:
    of_run = leavings.where(F.col("known_on").between(F.lit(days.first), F.lit(days.last)))
    # of two confirmed on one day, the later leave date
    of_day = of_run.groupBy("user_id", "known_on").agg(F.max(F.struct("leave_on", "kind")).alias("left"))
    left = of_day.select(
        "user_id", F.col("known_on").alias("day"), F.col("left.leave_on").alias("since"), F.col("left.kind").alias("by")
    )
    if stood is not None:
        gone = stood.where("stage = 'churned'").select(
            "user_id", F.lit(days.first - dt.timedelta(days=1)).alias("day"), "since", F.col("moved_by").alias("by")
        )
        left = left.unionByName(gone)
    used = usage.where("own_events > 0").where(F.col("day").between(F.lit(days.first), F.lit(days.last)))
    woke = used.select("user_id", "day").join(left.select("user_id").distinct(), on="user_id", how="left_semi")
    return _marks(left, LEFT, True, "day", "since", "by").unionByName(
        _marks(woke, LEFT, False, "day", "day", "cast(null as string)")
    )


def stage_at(known: DataFrame, *by: str) -> DataFrame:
    """One row per user after these rows of churn.stages: ``by``, user_id, stage. Who has none is healthy."""
    return known.groupBy(*by, "user_id").agg(F.max_by("stage", "known_on").alias("stage"))


def at_ends(known: DataFrame, signs: DataFrame, features: DataFrame, months: Sequence[dt.date]) -> DataFrame:
    """One row per month and user with a record in it: the stage at the month's end, as a model takes it (features.stages).

    Args:
        known: churn.stages up to the last month's end.
        signs: churn.signs up to then.
        features: features.monthly of the months.
        months: first days of the months to make.
    """
    of = F.explode(F.array(*[F.lit(month) for month in months])).alias("month")
    stood = known.select("user_id", "known_on", "stage", of).where("known_on <= last_day(month)")
    stood = stood.groupBy("month", "user_id").agg(F.max_by(F.struct("stage", "known_on"), "known_on").alias("at"))
    shown = on_at(signs.select("*", of).where("known_on <= last_day(month)"), "month")
    shown = shown.groupBy("month", "user_id").agg(F.collect_set("sign").alias("signs"))
    there = features.select("month", "user_id").where(F.col("month").isin(list(months)))
    told = there.join(stood, on=["month", "user_id"], how="left").join(shown, on=["month", "user_id"], how="left")
    ranks = F.array(*[F.lit(stage) for stage in STAGES_OF_LEAVING])
    rank = F.coalesce(F.array_position(ranks, F.col("at.stage")) - 1, F.lit(0))
    days = F.when(rank > 0, F.datediff(F.last_day("month"), F.col("at.known_on"))).otherwise(0)
    held = [F.coalesce(F.array_contains("signs", sign), F.lit(False)).cast("bigint").alias(f"sign_{sign}") for sign in SIGNS_SEEN]
    found = told.select("month", "user_id", rank.alias("stage_rank"), days.cast("bigint").alias("stage_days"), *held)
    return found.select(STAGES_AT_END.names)


def transitions(known: DataFrame, features: DataFrame, months: Sequence[dt.date]) -> DataFrame:
    """One row per month, stage at the end of the month before and stage at its end: users (churn.transitions).

    Counted is who had a record in the month or the one before, or is not healthy at either end. Who had left before the month and
    has not used the number since is gone, and not counted again. A month is told where there are records of the one before.

    Args:
        known: churn.stages up to the last month's end.
        features: features.monthly of the months and those before them.
        months: first days of the months to make.
    """
    of = F.array(*[F.lit(month) for month in months])
    rows = known.select("user_id", "known_on", "stage", F.explode(of).alias("month"))
    from_stage = stage_at(rows.where("known_on < month"), "month").withColumnRenamed("stage", "from_stage")
    to_stage = stage_at(rows.where("known_on <= last_day(month)"), "month").withColumnRenamed("stage", "to_stage")
    there = features.select("user_id", F.col("month").alias("seen_in"))
    this = there.where(F.col("seen_in").isin(list(months))).select("user_id", F.col("seen_in").alias("month"))
    last = there.select("user_id", F.add_months("seen_in", 1).alias("month")).where(F.col("month").isin(list(months)))
    seen = (
        this.withColumn("was_there", F.lit(False))
        .unionByName(last.withColumn("was_there", F.lit(True)))
        .groupBy("month", "user_id")
        .agg(F.max("was_there").alias("was_there"))
    )
    every = seen.join(from_stage, on=["month", "user_id"], how="full").join(to_stage, on=["month", "user_id"], how="full")
    named = every.select(
        "month",
        F.expr("coalesce(from_stage, if(NOT was_there, 'new', 'healthy'))").alias("from_stage"),
        F.expr("coalesce(to_stage, 'healthy')").alias("to_stage"),
        F.expr("was_there IS NOT NULL").alias("has_record"),
    )
    counted = named.where("has_record OR from_stage <> 'healthy' OR to_stage <> 'healthy'")
    counted = counted.where("NOT (from_stage = 'churned' AND to_stage = 'churned')")
    # when data begin everybody seems to be new
    counted = counted.join(last.select("month").distinct(), on="month", how="left_semi")
    found = counted.groupBy("month", "from_stage", "to_stage").agg(F.count("*").alias("users"))
    return found.select(TRANSITIONS.names)


def lead_times(known: DataFrame, leavings: DataFrame, months: Sequence[dt.date]) -> DataFrame:
    """One row per month in which leavings were confirmed: for how long those who left had been warned of (churn.lead_times).

    Args:
        known: churn.stages up to the last month's end.
        leavings: churn.leavings of these months.
        months: first days of the months to make.
    """
    left = leavings.withColumn("month", F.trunc("known_on", "MM")).where(F.col("month").isin(list(months)))
    left = left.groupBy("month", "user_id").agg(F.max("leave_on").alias("leave_on"))
    every = warned_days(known, left.withColumnRenamed("leave_on", "on"))
    parts = (("low", 0.25), ("median", 0.5), ("high", 0.75))
    measured = {f"{name}_days": f"percentile(coalesce(days, 0), {part})" for name, part in parts}
    measured["warned_median_days"] = "percentile(days, 0.5)"
    return every.groupBy("month").agg(
        F.count("*").alias("leavers"), F.count("days").alias("warned"),
        *[F.expr(sql).alias(name) for name, sql in measured.items()],
    ).select(LEAD_TIMES.names)  # fmt: skip


def warned_days(known: DataFrame, asked: DataFrame) -> DataFrame:
    """The rows asked about, with ``days``: those without a break in a warning or alarm stage up to the day ``on``; null without any.

    What was only told on that day or after it is no warning.

    Args:
        known: churn.stages.
        asked: user_id, month, on; a user once a month.
    """
    told = known.select("user_id", F.col("known_on").alias("told_on"), F.col("stage").isin("warning", "alarm").alias("is_warned"))
    before = asked.join(told, on="user_id", how="inner").where("told_on < on")
    # warned of without a break: since the first such row after the last that is none
    calm = F.max(F.expr("if(NOT is_warned, told_on, null)")).over(Window.partitionBy("month", "user_id"))
    lasting = before.withColumn("calm_on", calm).where("is_warned AND (calm_on IS NULL OR told_on > calm_on)")
    days = lasting.groupBy("month", "user_id").agg(F.expr("datediff(max(on), min(told_on)) as days"))
    return asked.join(days, on=["month", "user_id"], how="left")
