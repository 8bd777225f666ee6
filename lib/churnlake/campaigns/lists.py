"""The retention list: whom to call first, and who is left alone."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.campaigns.cells import placed
from churnlake.campaigns.settings import CampaignsSettings
from churnlake.tables.campaigns import LISTS
from churnlake.tables.reference import OPTED_OUT

GRAIN = 10_000
"""Users fall into so many hash buckets; the control arm is whole buckets."""


def willing(rows: DataFrame, opt_outs: DataFrame) -> DataFrame:
    """The rows of those users whose newest choice is not to be left alone, or who never chose."""
    left_alone = opt_outs.groupBy("user_id").agg(F.expr(OPTED_OUT).alias("is_out")).where("is_out").select("user_id")
    return rows.join(left_alone, on="user_id", how="left_anti")


def plan(scores: DataFrame, features: DataFrame, settings: CampaignsSettings) -> DataFrame:
    """One row per user on the month's retention list, as campaigns.lists keeps it.

    Users of the cells acted on, ranked by what is at stake (probability times value), ties by user_id, up to ``capacity``.
    The control arm is drawn inside the list by a hash of the user: it is as worth calling as the rest, and the same user
    stays in it month after month, so that later effects are not mixed. (An uncontacted control inside the target measures
    incrementality; a random group measures targeting: references.)

    Args:
        scores: churn.scores of the months to plan, of one target.
        features: features.monthly of the same months.
        settings: cells, capacity, control arm.
    """
    stake = F.expr("CAST(CAST(probability AS DECIMAL(10,9)) * value_yuan AS DECIMAL(12,2))")
    worth = placed(scores, features, settings).where(F.col("cell").isin(list(settings.cells))).withColumn("at_stake_yuan", stake)
    order = Window.partitionBy("month").orderBy(F.desc("at_stake_yuan"), "user_id")
    bucket = F.pmod(F.xxhash64("user_id", F.lit(settings.seed)), F.lit(GRAIN))
    arm = F.when(bucket < round(GRAIN * settings.control_share), F.lit("control")).otherwise(F.lit("target"))
    ranked = worth.select("*", F.row_number().over(order).cast("bigint").alias("rank"), arm.alias("arm"))
    listed = ranked.where(F.col("rank") <= settings.capacity).drop("place").withColumnRenamed("rank", "place")
    return listed.select(*LISTS.names)
