"""Which user held a number when, so that a recycled number never merges two people."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.tables.reference import LIVES

STILL_HELD = "9999-12-31 00:00:00"


def lives(subscribers_good: DataFrame) -> DataFrame:
    """One row per user: its number, from when to when, as the newest delivery tells it.

    Two lives of one number never overlap: the earlier one ends where the later begins. Where both begin at one moment the user
    with the smaller id has a life of no length.
    """
    told = F.struct("delivered_on", "number_key", "valid_from", "valid_to", "joined_on")
    newest = subscribers_good.groupBy("user_id").agg(F.max(told).alias("newest")).select("user_id", "newest.*")
    of_number = Window.partitionBy("number_key").orderBy("valid_from", "user_id")
    until = F.coalesce("valid_to", F.lit(STILL_HELD).cast("timestamp"))
    cut = newest.withColumn("valid_to", F.least(until, F.lead("valid_from").over(of_number)))
    return cut.select(*LIVES.names)
