"""Value and churn propensity give the action cell and its priority."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.campaigns.settings import CampaignsSettings

CELLS = {
    (True, True): ("care_and_retain", "high"),
    (False, True): ("retain", "medium"),
    (True, False): ("care", "medium"),
    (False, False): ("passive", "low"),
}
"""(high value, high propensity) -> cell, priority: the 2 x 2 of seed 000 p.118, whose rewards go where both are high."""


def placed(scores: DataFrame, features: DataFrame, settings: CampaignsSettings) -> DataFrame:
    """One row per user scored: the columns of the score, value_yuan, cell and priority.

    Value is the mean monthly fee; a user without one, or with credits only, is worth 0. High value: at or above the month's
    ``value_quantile``, and above 0. High propensity: among the likeliest ``propensity_share`` of the month.
    """
    value = features.select("month", "user_id", F.col(settings.value_feature).cast("decimal(12,2)").alias("value_yuan"))
    valued = scores.join(value, ["month", "user_id"], how="left").withColumn(
        "value_yuan", F.expr("greatest(coalesce(value_yuan, 0), 0)").cast("decimal(12,2)")
    )
    quantile = F.expr(f"percentile_disc({settings.value_quantile}) WITHIN GROUP (ORDER BY value_yuan)")
    cut = valued.groupBy("month").agg(
        quantile.cast("decimal(12,2)").alias("cut"),
        F.count("*").alias("scored"),
    )
    judged = valued.join(F.broadcast(cut), ["month"], how="inner").select(
        *valued.columns,
        F.expr("value_yuan >= cut AND value_yuan > 0").alias("is_valuable"),
        (F.col("place") <= F.ceil(F.col("scored") * F.lit(settings.propensity_share))).alias("is_likely"),
    )
    which = [(F.col("is_valuable") == value) & (F.col("is_likely") == likely) for value, likely in CELLS]
    cell = F.coalesce(*(F.when(condition, F.lit(name)) for condition, (name, _) in zip(which, CELLS.values(), strict=True)))
    priority = F.coalesce(*(F.when(condition, F.lit(order)) for condition, (_, order) in zip(which, CELLS.values(), strict=True)))
    return judged.select(*valued.columns, cell.alias("cell"), priority.alias("priority"))
