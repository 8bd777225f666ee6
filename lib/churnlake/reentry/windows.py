"""Who would be back under a wider window of days between the old number's last use and the join."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.reentry import joiners, odds
from churnlake.reentry.settings import ReentrySettings
from churnlake.reentry.weighing import weigh
from churnlake.tables.daily import USAGE


def reach_days(settings: ReentrySettings) -> int:
    """Days before the joiners that the widest window looks back: as the detector does, and by so much more as it is wider."""
    return settings.looks_back_days + max(0, max(settings.control.windows_days) - settings.gap_most_days)


def first_day_needed(since: dt.date, settings: ReentrySettings) -> dt.date:
    """First day of daily data that joiners since that day are weighed by."""
    return since - dt.timedelta(days=reach_days(settings))


def beyond(
    due: DataFrame,
    tables: Mapping[Table, DataFrame],
    learnt: Iterable[Mapping[str, Any]],
    settings: ReentrySettings,
    checkpoint: Callable[[DataFrame], DataFrame],
) -> DataFrame:
    """One row per joiner that would be matched under the widest of ``windows_days`` to an old user beyond the detector's own: user_id, gap_days, kind.

    The detector's own functions on all evidence, the final stage alone; of each joiner the likeliest old user, whoever else it could be.

    Args:
        due: joiners of the final stage (user_id, stage_days, joined_on, known_on: the day of that stage).
        tables: those of weighing.weigh, and daily.usage.
        learnt: rows of reentry.weights.
        settings: of the detector.
        checkpoint: cuts a frame from the plan of its making.
    """
    wide = settings.model_copy(update={"gap_most_days": max(settings.control.windows_days)})
    own = checkpoint(joiners.own_days(tables[USAGE]))
    pairs = weigh(due.select("user_id", "joined_on"), due, own, tables, wide, checkpoint).pairs
    weighed = odds.with_odds_of_then(checkpoint(pairs), learnt, settings)
    found = odds.with_probability(weighed, weighed.where("false"), settings)
    order = Window.partitionBy("user_id").orderBy(F.desc("probability"), "old_user_id")
    first = found.withColumn("turn", F.row_number().over(order)).where("turn = 1")
    first = first.where((F.col("probability") >= settings.least_probability) & (F.col("gap_days") > settings.gap_most_days))
    return first.select("user_id", "gap_days", "kind")


def with_windows(joined: DataFrame, matches: DataFrame, further: DataFrame | None, settings: ReentrySettings) -> DataFrame:
    """The joiners with gap_days and kind of who is back, and ``is_multiple``: the old number was a re-entry itself, within half a year.

    ``matches``: of the final stage (reentry.matches); ``further``: what ``beyond`` found, which counts for those not matched.
    """
    own = matches.select("user_id", "old_user_id", "gap_days", "kind")
    before = matches.select(F.col("user_id").alias("old_user_id"), F.col("joined_on").alias("before_on"))
    rows = joined.join(own, on="user_id", how="left").join(before, on="old_user_id", how="left")
    rows = rows.withColumn(
        "is_multiple", F.expr(f"coalesce(datediff(joined_on, before_on) BETWEEN 0 AND {settings.multiple_days}, false)")
    )
    if further is None:
        return rows
    other = further.select("user_id", F.col("gap_days").alias("further_days"), F.col("kind").alias("further_kind"))
    rows = rows.join(other, on="user_id", how="left")
    return rows.withColumns(
        {"gap_days": F.expr("coalesce(gap_days, further_days)"), "kind": F.expr("coalesce(kind, further_kind)")}
    )
