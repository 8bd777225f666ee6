"""Stages, signs and causes of the tiny city that went through the chain."""

from conftest import City
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.tables.causes import CAUSE_NAMES, LEAVER_CAUSES
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.stages import LEAD_TIMES, SIGNS, STAGES, TRANSITIONS


def test_every_leaving_is_staged_and_explained(city: City, spark: SparkSession) -> None:
    lake = city.lake(spark)
    left = lake.read(LEAVINGS).select("user_id", "known_on")
    assert left.count() > 0
    churned = lake.read(STAGES).where("stage = 'churned'").select("user_id", "known_on")
    # a second confirmation finds one who has not used the number since churned already
    assert churned.exceptAll(left).count() == 0
    assert left.select("user_id").subtract(churned.select("user_id")).count() == 0
    told = lake.read(LEAVER_CAUSES)
    assert told.select("user_id", "known_on").exceptAll(left).count() == 0
    assert told.count() == left.count()
    whole = F.expr(" + ".join(f"{cause}_share" for cause in (*CAUSE_NAMES, "unknown")))
    assert told.where(F.abs(whole - 1) > 1e-4).count() == 0
    assert told.where("cause <> 'unknown'").count() > 0


def test_signs_and_stages_alternate_and_months_add_up(city: City, spark: SparkSession) -> None:
    lake = city.lake(spark)
    signs, stages = lake.read(SIGNS), lake.read(STAGES)
    assert {row["sign"] for row in signs.select("sign").distinct().collect()} >= {"hotline", "use_fell"}
    in_turn = "lag(is_seen) OVER (PARTITION BY user_id, sign ORDER BY known_on) as before"
    assert signs.selectExpr("*", in_turn).where("is_seen = coalesce(before, false)").count() == 0
    follows = "lag(stage, 1, 'healthy') OVER (PARTITION BY user_id ORDER BY known_on) as before"
    assert stages.selectExpr("*", follows).where("before <> stage_before").count() == 0
    assert stages.where("stage = 'alarm' AND size(signs) = 0").count() == 0
    # whoever is in alarm or warned at a month's end is counted there
    last = max(row["month"] for row in lake.read(TRANSITIONS).select("month").distinct().collect())
    newest = (
        stages.where(F.col("known_on") <= F.last_day(F.lit(last)))
        .groupBy("user_id")
        .agg(F.max_by("stage", "known_on").alias("stage"))
    )
    for stage in ("alarm", "warning"):
        (row,) = (
            lake.read(TRANSITIONS)
            .where(F.col("month") == F.lit(last))
            .where(F.col("to_stage") == stage)
            .agg(F.sum("users"))
            .collect()
        )
        assert (row[0] or 0) == newest.where(F.col("stage") == stage).count()
    assert lake.read(LEAD_TIMES).where("low_days > median_days OR median_days > high_days OR warned > leavers").count() == 0
