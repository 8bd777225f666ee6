"""A village of weekly contacts: they add up to those of the month, become daily tables, and who came back in it is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.evaluate import reentry
from churnlake.evaluate.cities import overrides
from churnlake.evaluate.content import lake_of
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, EDGES, USAGE
from churnlake.tables.reference import LIVES

VILLAGE = """
like: tiny
name: village
users: 80
last_day: 2005-04-15
"""
COUNTS = ("OUT_CALLS", "IN_CALLS", "OUT_MESSAGES", "IN_MESSAGES")


@pytest.fixture(scope="module")
def village(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, Any]]:
    """Its settings, and the figures of who came back in it."""
    home = tmp_path_factory.mktemp("village")
    (home / "village.yaml").write_text(VILLAGE, encoding="utf-8")
    city = reentry.weekly_city(str(home / "village.yaml"), 80, home / "weeks")
    settings = load(Settings, "local", overrides(city, 7, home))
    return settings, reentry.judge(settings, Console()).figures


def _edges(spark: SparkSession, landing: str) -> DataFrame:
    return spark.read.parquet(f"{landing}/edges")


@pytest.mark.heavy
def test_weeks_add_up_to_the_month(
    spark: SparkSession, village: tuple[Settings, dict[str, Any]], tmp_path: Path
) -> None:  # fmt: skip
    path = tmp_path / "months.yaml"
    path.write_text(f"{VILLAGE}records: {{form: edges}}\n", encoding="utf-8")
    generate(spark, scenario(str(path)), 7, tmp_path / "landing", tmp_path / "truth")
    key = ("month", "USER_ID", "MSISDN", "OPP_NUMBER")
    weeks = _edges(spark, village[0].store.landing).groupBy(*key).agg(
        *(F.sum(name).cast("int").alias(name) for name in COUNTS), F.min("FIRST_DAY").alias("FIRST_DAY"), F.max("LAST_DAY").alias("LAST_DAY")
    )  # fmt: skip
    months = _edges(spark, str(tmp_path / "landing")).select(weeks.columns)
    assert weeks.count() == months.count() > 500
    assert weeks.exceptAll(months).isEmpty()


@pytest.mark.heavy
def test_daily_tables_hold_what_the_weeks_told(spark: SparkSession, village: tuple[Settings, dict[str, Any]]) -> None:
    settings, _ = village
    city = scenario(settings.city.scenario)
    lake = lake_of(spark, settings, Days(city.first_day, city.last_day), USAGE, EDGES, DEVICES, LIVES)
    told = _edges(spark, settings.store.landing)
    used = spark.read.parquet(f"{settings.store.landing}/lifecycle")
    sums = told.agg(F.sum(F.expr("OUT_CALLS + OUT_MESSAGES")), F.sum("IN_CALLS")).first()
    ends = used.agg(F.count("FIRST_USE"), F.count("LAST_USE")).first()
    assert sums is not None
    assert ends is not None
    own = lake.read(USAGE).agg(F.sum("own_events")).first()
    assert own is not None
    assert own[0] == sums[0] + ends[0] + ends[1]
    peers = lake.read(EDGES)
    # service numbers are no peers
    calls = peers.agg(F.sum("voice_in_calls")).first()
    assert calls is not None
    assert 0 < calls[0] <= sums[1]
    # an on-net peer is named by its user, and meets the other in as many weeks
    both = peers.join(lake.read(LIVES).selectExpr("user_id as peer_id").distinct(), on="peer_id", how="left_semi")
    other = both.selectExpr("day", "peer_id as user_id", "user_id as peer_id", "voice_in_calls as heard", "message_in as read")
    met = both.join(other, on=["day", "user_id", "peer_id"], how="inner")
    assert met.count() > 0.9 * both.count()
    first = lake.read(USAGE).where("own_events > 0").groupBy("user_id").agg(F.min("day").alias("day"))
    begun = used.select(
        lake.key.pseudonym(F.col("USER_ID"), "user").alias("user_id"), F.greatest("FIRST_USE", F.lit(city.first_day)).alias("day")
    )
    assert begun.exceptAll(first).isEmpty()
    assert lake.read(DEVICES).count() > 0


@pytest.mark.heavy
def test_who_came_back_is_judged_beside_baselines(village: tuple[Settings, dict[str, Any]]) -> None:
    _, found = village
    assert found["candidates"] >= found["pairs_true"] >= found["pairs_evident"] > 0
    assert 0 < found["pairs_kept_share"] < 1
    assert 0.5 < found["pair_completeness"] <= 1
    assert {"Dice", "Jaccard", "tf-idf cosine"} <= set(found["baselines"])
    assert 0 < found["pr_auc"] <= 1
