"""Numbers of other networks that a joiner had before, or that somebody who left has now: who else the two could be.

Such a number is known by whom of our users it is in touch with. Where it appears as an old number falls silent, among the circle of that, its
owner went over to another network, and is no joiner of ours; where it falls silent as a joiner begins, that is who the joiner was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.frames import only
from churnlake.core.runs import Days
from churnlake.reentry import candidates
from churnlake.reentry.candidates import UNIT
from churnlake.reentry.settings import ReentrySettings

Checkpoint = Callable[[DataFrame], DataFrame]
HELD = ["old_user_id", "as_of", "old_last_on", "known_on"]
"""What names an old user as known then."""
LEAST = 2
"""People of a circle who meet a number, or it says nothing of the circle."""


def with_elsewhere(
    pairs: DataFrame, met: DataFrame, old: DataFrame, others: DataFrame, settings: ReentrySettings, checkpoint: Checkpoint
) -> DataFrame:
    """The pairs with ``new_elsewhere`` and ``old_elsewhere``: how like the new and the old circle the best number of another network is.

    The share of the circle that is in touch with the number, by strength, times the root of the share of the number's users who are of the
    circle. A number counts beside a joiner if nobody met it later than ``elsewhere_days`` after the join, and beside an old user
    if nobody had met it before ``elsewhere_days`` to its last own event; 0 where there is none.

    Args:
        pairs: candidates with ``old_last_on`` and ``kind`` (evidence.with_old_use).
        met: the joiners' circles (joiners.circles).
        old: the old circles (candidates.newest).
        others: who of our users met which number of another network (``away``) on the days looked at.
        settings: limits.
        checkpoint: cuts a frame from the plan of its making.
    """
    new = _new_elsewhere(pairs, met, others, settings, checkpoint)
    known = pairs.withColumn("as_of", F.expr(candidates.AS_OF))
    gone = _old_elsewhere(known.where("kind <> 'kept'").select(*HELD).distinct(), old, others, settings, checkpoint)
    found = known.join(new.select(*UNIT, F.col("likeness").alias("new_elsewhere")), on=UNIT, how="left")
    found = found.join(gone.select(*HELD, F.col("likeness").alias("old_elsewhere")), on=HELD, how="left").drop("as_of")
    return found.na.fill(0.0, ["new_elsewhere", "old_elsewhere"])


def first_day_needed(days: Days, settings: ReentrySettings) -> dt.date:
    """First day of edges that ``successors`` of leavings confirmed in these days looks at."""
    return days.first - dt.timedelta(days=settings.looks_back_days + settings.circle_days)


def successors(
    left: DataFrame, signatures: DataFrame, others: DataFrame, settings: ReentrySettings, checkpoint: Checkpoint
) -> DataFrame:
    """One row per leaver whose circle a number of another network is in touch with since (reentry.successors): likely the leaver's new one.

    Args:
        left: one row per leaver: user_id, leave_on, and ``known_on``, the day by which all is told.
        signatures: circles by month.
        others: who of our users met which number of another network (``away``) from ``circle_days`` before the leavings on.
        settings: limits.
        checkpoint: cuts a frame from the plan of its making.
    """
    held = left.select(
        F.col("user_id").alias("old_user_id"),
        F.date_sub("leave_on", 1).alias("old_last_on"),
        "known_on",
        F.expr(candidates.AS_OF).alias("as_of"),
    )
    found = _old_elsewhere(held, candidates.newest(signatures, held, settings), others, settings, checkpoint)
    told = found.where(f"likeness >= {settings.successor_least}")
    return told.select(
        "known_on", F.col("old_user_id").alias("user_id"), F.date_add("old_last_on", 1).alias("leave_on"), F.col("number").alias("peer_id"),
        F.col("network").alias("peer_network"), "likeness", F.col("members").alias("shared_peers"), F.col("users").alias("peer_users"),
    )  # fmt: skip


def away(edges: DataFrame, settings: ReentrySettings, checkpoint: Checkpoint) -> DataFrame:
    """One row per day and pair of a user of ours (``met_by``) and a ``number`` of another ``network``; numbers of more than ``hub_users`` are left out.

    No person's is met by so many; the dozen that are, in a city of twenty thousand, would be nearly all the work.
    """
    of_others = edges.where("peer_network <> 'own'").select(
        F.col("user_id").alias("met_by"), "day", F.col("peer_id").alias("number"), F.col("peer_network").alias("network")
    )
    users = of_others.select("number", "met_by").distinct().groupBy("number").agg(F.count("*").alias("users"))
    hubs = checkpoint(users.where(F.col("users") > settings.hub_users).select("number"))
    return of_others.join(F.broadcast(hubs), on="number", how="left_anti")


def _new_elsewhere(
    pairs: DataFrame, met: DataFrame, away: DataFrame, settings: ReentrySettings, checkpoint: Checkpoint
) -> DataFrame:
    """One row per joiner and stage with such a number, as ``_best`` tells it."""
    asked = pairs.select(*UNIT).distinct()
    whole = met.groupBy(*UNIT).agg(F.sum("contacts").alias("whole"))
    circle = met.join(asked, on=UNIT, how="left_semi").join(whole, on=UNIT, how="inner")
    circle = circle.select(*UNIT, "peer_id", F.expr("contacts / whole").alias("share"))
    near = f"day >= date_sub(joined_on, {settings.circle_days}) AND day <= date_add(joined_on, {settings.elsewhere_days}) AND day <= known_on"
    numbers = checkpoint(_numbers(checkpoint(circle), away, UNIT, near))
    later = f"day > date_add(joined_on, {settings.elsewhere_days})"
    return _best(numbers, away, UNIT, f"day >= date_sub(joined_on, {settings.circle_days})", near, later)


def _old_elsewhere(
    held: DataFrame, old: DataFrame, away: DataFrame, settings: ReentrySettings, checkpoint: Checkpoint
) -> DataFrame:
    """One row per old user, as known then, with such a number, as ``_best`` tells it."""
    circle = held.join(old.select("as_of", "old_user_id", "peer_id", "share"), on=["as_of", "old_user_id"], how="inner")
    since = f"date_sub(old_last_on, {settings.elsewhere_days})"
    numbers = checkpoint(_numbers(checkpoint(circle), away, HELD, f"day > {since} AND day <= known_on"))
    before = f"day <= {since}"
    looks_back = f"day >= date_sub(old_last_on, {settings.circle_days})"
    return _best(numbers, away, HELD, looks_back, f"day > {since}", before)


def _numbers(circle: DataFrame, away: DataFrame, who: list[str], when: str) -> DataFrame:
    """One row per circle and number that some of it met then: ``share`` of the circle and ``members`` who did."""
    theirs = only(away.withColumnRenamed("met_by", "peer_id"), circle.select("peer_id"))
    theirs = circle.join(theirs, on="peer_id", how="inner").where(when)
    each = theirs.groupBy(*who, "number", "peer_id").agg(F.max("share").alias("share"))
    told = each.groupBy(*who, "number").agg(F.sum("share").alias("share"), F.count("*").alias("members"))
    return told.where(f"members >= {LEAST}")


def _best(numbers: DataFrame, away: DataFrame, who: list[str], looks: str, when: str, otherwise: str) -> DataFrame:
    """One row per circle with a number that was in use only then: ``likeness``, number and network of the most like, its ``members`` and ``users``."""
    used = numbers.join(only(away, numbers.select("number")), on="number", how="inner").where(f"({looks}) AND day <= known_on")
    told = used.groupBy(*who, "number").agg(
        F.any_value("share").alias("share"),
        F.any_value("members").alias("members"),
        F.max("network").alias("network"),
        F.expr(f"count(DISTINCT if({when}, met_by, null))").alias("users"),
        F.expr(f"max({otherwise})").alias("is_otherwise"),
    )
    alike = told.where("NOT is_otherwise").withColumn("likeness", F.expr("round(least(share, 1D) * sqrt(members / users), 6)"))
    best = F.max(F.struct("likeness", "number", "network", "members", "users")).alias("best")
    return alike.groupBy(*who).agg(best).select(*who, "best.*")
