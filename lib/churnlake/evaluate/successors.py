"""Leavers' new numbers at other networks, beside where the city says that they went."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.lake import Lake
from churnlake.core.runs import Days
from churnlake.evaluate.truth import planted_destinations
from churnlake.reentry import elsewhere
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.circles import SIGNATURES
from churnlake.tables.daily import EDGES

TO_THEM = "competitor"
LIKENESS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def judged(lake: Lake, own: DataFrame, truth: Path, days: Days, settings: ReentrySettings) -> dict[str, Any]:
    """Of users silent for ``looks`` days and more: those with a number that inherits their circle, and how many of them went to the competitor.

    By the likeness that is asked for, at least: precision (went there, of those named) and recall (named, of those who went there).
    """
    looks = max(settings.stages)
    last = own.groupBy("user_id").agg(F.max("day").alias("day")).where(F.col("day") < F.lit(days.last - dt.timedelta(days=looks)))
    # the newest circle that is known of is none where the data begin
    last = last.where(F.col("day") >= F.lit(days.first + dt.timedelta(days=settings.circle_days)))
    left = last.select("user_id", F.date_add("day", 1).alias("leave_on"), F.date_add("day", looks + 1).alias("known_on"))
    left = lake.checkpoint(left)
    all_told = settings.model_copy(update={"successor_least": 0.0})
    others = elsewhere.away(lake.read(EDGES), all_told, lake.checkpoint)
    found = elsewhere.successors(left, lake.read(SIGNATURES), others, all_told, lake.checkpoint).select("user_id", "likeness")
    went = planted_destinations(lake.spark, truth, lake.key)
    rows = left.join(went, on="user_id", how="inner").join(found, on="user_id", how="left")
    rows = rows.withColumn("is_theirs", F.expr(f"destination <=> '{TO_THEM}'"))
    counts = [
        column
        for least in LIKENESS
        for column in (
            F.expr(f"count_if(likeness >= {least})").alias(f"named_{least}"),
            F.expr(f"count_if(likeness >= {least} AND is_theirs)").alias(f"right_{least}"),
        )
    ]
    row = rows.agg(F.count("*").alias("leavers"), F.expr("count_if(is_theirs)").alias("there"), *counts).collect()[0]
    told: dict[str, Any] = {"leavers": row["leavers"], "to_competitor": row["there"]}
    for least in LIKENESS:
        named, right = row[f"named_{least}"], row[f"right_{least}"]
        told[f"precision_at_{least}"] = right / named if named else None
        told[f"recall_at_{least}"] = right / row["there"] if row["there"] else None
    return told
