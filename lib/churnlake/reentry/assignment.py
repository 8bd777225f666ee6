"""One old user for each joiner, one joiner for each old user."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def assign(pairs: DataFrame, taken: DataFrame | None, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per joiner and stage that got an old user: the pairs chosen, each joiner and each old user once a stage.

    Pairs known earlier choose first, then the more probable, then the smaller keys: the same choice whether days are run one
    by one or as a range. ``taken`` holds old users given away in runs before this one (stage_days, old_user_id). In each
    round every pair that is first for both its ends is chosen (the greedy matching, found from all sides at once).
    """
    order = [F.col("known_on"), F.desc("probability"), F.desc("circle_score"), F.col("user_id"), F.col("old_user_id")]
    left = (
        pairs
        if taken is None
        else pairs.join(taken.select("stage_days", "old_user_id").distinct(), on=["stage_days", "old_user_id"], how="left_anti")
    )
    left = checkpoint(left)
    chosen: list[DataFrame] = []
    while not left.isEmpty():
        for_new = F.row_number().over(Window.partitionBy("stage_days", "user_id").orderBy(*order))
        for_old = F.row_number().over(Window.partitionBy("stage_days", "old_user_id").orderBy(*order))
        round_ = checkpoint(
            left.withColumn("for_new", for_new)
            .withColumn("for_old", for_old)
            .where("for_new = 1 AND for_old = 1")
            .drop("for_new", "for_old")
        )
        chosen.append(round_)
        left = left.join(round_.select("stage_days", "user_id"), on=["stage_days", "user_id"], how="left_anti")
        left = checkpoint(
            left.join(round_.select("stage_days", "old_user_id"), on=["stage_days", "old_user_id"], how="left_anti")
        )
    found = left
    for round_ in chosen:
        found = found.unionByName(round_)
    return found


def matches(assigned: DataFrame, leavings: DataFrame | None) -> DataFrame:
    """One row per joiner and stage matched (reentry.matches).

    The assigned pairs with how they were found and what confirmed the old user's leaving by then.
    """
    found_by = "CASE WHEN has_same_imei AND shared_peers > 0 THEN 'both' WHEN has_same_imei THEN 'imei' ELSE 'circle' END"
    rows = assigned.withColumn("found_by", F.expr(found_by))
    if leavings is None:
        return rows.withColumn("old_left_by", F.lit(None).cast("string"))
    told = leavings.select(
        F.col("user_id").alias("old_user_id"), F.col("known_on").alias("told_on"), F.col("kind").alias("left_by")
    )
    confirmed = (
        assigned.select("user_id", "stage_days", "old_user_id", "known_on")
        .join(told, on="old_user_id", how="inner")
        .where("told_on <= known_on")
    )
    confirmed = confirmed.groupBy("user_id", "stage_days").agg(F.min_by("left_by", "told_on").alias("old_left_by"))
    return rows.join(confirmed, on=["user_id", "stage_days"], how="left")
