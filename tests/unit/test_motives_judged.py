"""Motives beside planted ones: the confusion by hand."""

from pyspark.sql import SparkSession

from churnlake.core.testing import rows
from churnlake.evaluate.motives import motives_found
from churnlake.tables.motives import MOTIVE_SHARES, MOTIVES


def test_only_right_matches_are_compared(spark: SparkSession) -> None:
    told = [(1, 11, "plan"), (2, 12, "brand"), (3, 13, "unknown"), (4, 14, "plan"), (5, 99, "plan")]
    motives = rows(spark, MOTIVES, *[{"user_id": user, "old_user_id": old, "motive": motive} for user, old, motive in told])
    planted = spark.createDataFrame(
        [(1, 11, "plan", True), (2, 12, "plan", False), (3, 13, "brand", False), (4, 14, "plan", False), (5, 15, "plan", True)],
        "user_id long, old_user_id long, planted string, is_unaware boolean",
    )
    shares = rows(
        spark, MOTIVE_SHARES, {"motive": "all", "preventable_share": 0.3, "preventable_low": 0.2, "preventable_high": 0.4}
    )
    found = motives_found(motives, shares, planted)
    assert found.confusion == {"plan": {"plan": 2, "brand": 1}, "brand": {"unknown": 1}}
    assert (found.share(), found.share("unknown"), found.matches) == (0.5, 0.25, 4)
    assert str(found) == (
        "0.50 of 4 right matches by rule as planted, 0.25 unknown, 0.25 another (brand 0 of 1, plan 2 of 3); "
        "preventable by the survey 0.30 (0.20 to 0.40), planted 0.25"
    )
    assert str(motives_found(motives.where("false"), None, planted)) == "no right match with a planted motive"
