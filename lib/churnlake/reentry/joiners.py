"""The joiners to be looked at: who began when, and how much is known of each at each stage."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.lake import Lake
from churnlake.core.runs import Days
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.daily import CONTACTS, USAGE
from churnlake.tables.reentry import JOINERS
from churnlake.tables.reference import LIVES

TELLS = 3
"""Days in which who has a new number tells its friends of it."""


def first_day_needed(days: Days, settings: ReentrySettings) -> dt.date:
    """First day of daily data that a run over these days looks at."""
    return days.first - dt.timedelta(days=max(settings.stages) + settings.looks_back_days)


def first_pair_needed(days: Days, settings: ReentrySettings) -> dt.date:
    """First day of pairs that a run over these days looks at: no two joiners who could be the same old user are farther apart."""
    return days.first - dt.timedelta(days=settings.gap_most_days - settings.gap_least_days + max(settings.stages))


@dataclass(frozen=True)
class Asked:
    """``own`` (own_days), ``new`` (began) and ``due`` (at_stages) of a run, the last two cut from the plan of their making."""

    own: DataFrame
    new: DataFrame
    due: DataFrame


def asked(lake: Lake, days: Days, settings: ReentrySettings) -> Asked:
    """Who is to be looked at on these days, by daily use and, where they are delivered, the lives of numbers."""
    # read again each time: three columns of a whole city's days are sooner read than kept in memory
    own = own_days(lake.read(USAGE, first=first_day_needed(days, settings)))
    lives = lake.read(LIVES) if lake.has(LIVES) else None
    begins = lake.read(USAGE).agg(F.min("day").alias("day")).collect()[0]["day"]
    new = lake.checkpoint(began(own, lives, begins or days.first, settings))
    return Asked(own, new, lake.checkpoint(at_stages(new, days, settings)))


def own_days(usage: DataFrame) -> DataFrame:
    """One row per user and day with an own outgoing event: ``own_events``."""
    return usage.where("own_events > 0").select("user_id", "day", "own_events")


def began(own: DataFrame, lives: DataFrame | None, data_begins: dt.date, settings: ReentrySettings) -> DataFrame:
    """One row per joiner: user_id, joined_on (its first own outgoing event).

    It follows the joining on paper by at most ``join_slack_days``; where no lives are delivered, it lies at least ``warmup_days``
    after the data begin (before, everybody looks new).
    """
    begun = own.groupBy("user_id").agg(F.min("day").alias("joined_on"))
    warm = F.col("joined_on") >= F.lit(data_begins + dt.timedelta(days=settings.warmup_days))
    if lives is None:
        return begun.where(warm)
    papers = lives.select("user_id", F.col("joined_on").alias("on_paper"))
    known = begun.join(papers, on="user_id", how="left")
    is_new = (F.col("on_paper").isNull() & warm) | (F.datediff("joined_on", "on_paper") <= settings.join_slack_days)
    return known.where(is_new).select("user_id", "joined_on")


def at_stages(new: DataFrame, days: Days, settings: ReentrySettings) -> DataFrame:
    """One row per joiner (``began``) and stage that falls due within the days: user_id, stage_days, joined_on, known_on."""
    stages = ", ".join(str(stage) for stage in settings.stages)
    due = new.select("user_id", "joined_on", F.expr(f"explode(array({stages}))").alias("stage_days"))
    return due.withColumn("known_on", F.expr("date_add(joined_on, stage_days)")).where(
        F.col("known_on").between(F.lit(days.first), F.lit(days.last))
    )


def circles(due: DataFrame, edges: DataFrame) -> DataFrame:
    """One row per joiner, stage and peer met by then: the joiner's row, ``contacts``, and ``is_told``: sent a message in the first TELLS days."""
    counted = edges.select("user_id", "day", "peer_id", F.expr(CONTACTS).alias("n"), "message_out")
    # joiners are few beside the edges of all
    met = counted.join(F.broadcast(due), on="user_id", how="inner").where("day >= joined_on AND day <= known_on")
    is_told = F.expr(f"max(message_out > 0 AND day < date_add(joined_on, {TELLS}))")
    return met.groupBy("user_id", "stage_days", "joined_on", "known_on", "peer_id").agg(
        F.sum("n").alias("contacts"), is_told.alias("is_told")
    )


def scopes(due: DataFrame, met: DataFrame, candidates: DataFrame, together: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner and stage (reentry.joiners): its scope.

    Excluded where it moved ``together`` with others (evidence.moved_together); scored when some old user could be weighed, or its circle is large enough to say
    that none fits; else too little evidence.
    """
    sizes = met.groupBy("user_id", "stage_days").agg(F.count("*").alias("peers"))
    weighed = candidates.groupBy("user_id", "stage_days").agg(F.count("*").alias("candidates"))
    left_out = together.withColumn("excluded_by", F.lit("together"))
    rows = due
    for told in (sizes, weighed, left_out):
        rows = rows.join(told, on=["user_id", "stage_days"], how="left")
    rows = rows.withColumn("peers", F.expr("coalesce(peers, 0)")).withColumn("candidates", F.expr("coalesce(candidates, 0)"))
    scope = (
        "CASE WHEN excluded_by IS NOT NULL THEN 'excluded' "
        f"WHEN candidates > 0 OR peers >= {settings.least_peers} THEN 'scored' ELSE 'too_little' END"
    )
    return rows.withColumn("scope", F.expr(scope)).select(JOINERS.names)
