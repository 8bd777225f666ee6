"""Re-entry in the tiny city: matches, the counter's checks, gross adds taken apart, where leavers went."""

import shutil
from pathlib import Path

import pytest
from conftest import LINEAGE, City
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.pseudonyms import Key
from churnlake.core.settings import load
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.truth import planted_pairs, reentry_found
from churnlake.settings import Settings
from churnlake.tables.churn import LABELS, LEAVINGS, TARGETS
from churnlake.tables.control import CALLBACKS, GROSS_ADDS, NET_ADDS, STEPS
from churnlake.tables.joining import BONUS_REVIEWS, COUNTER_REMINDERS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import ACTIVATIONS, JOINING_REVIEWS
from churnlake.tables.staying import BUCKET, COHORTS, DESTINATIONS, SILENCES


def test_the_planted_reentrants_are_found(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    key = Key.load(spark, city.settings.store.key_file, True)
    found = reentry_found(lake.read(JOINERS), lake.read(MATCHES), planted_pairs(spark, Path(city.settings.city.truth), key), 60)
    assert found.planted >= 5
    assert found.precision is not None
    assert found.recall is not None
    # some fifteen pairs among decoys that share half their circle, by the weights of start, for so few teach nothing: of sixteen three share
    # nobody, and two old numbers are used on as before
    assert found.precision >= 0.5, found
    assert found.recall >= 0.4, found


def test_matches_are_one_to_one_and_keep_the_definition(spark: SparkSession, city: City) -> None:
    matches = city.lake(spark).read(MATCHES)
    assert matches.groupBy("stage_days", "old_user_id").count().where("count > 1").isEmpty()
    final = matches.where("stage_days = 60")
    assert final.where("gap_days NOT BETWEEN -60 AND 120 OR kind NOT IN ('full', 'partial')").isEmpty()
    # above half its level by chance alone, of few events
    assert final.where("level_share > 0.5").count() <= 0.1 * final.count()
    assert matches.where("old_last_on > known_on OR datediff(known_on, joined_on) <> stage_days").isEmpty()


def test_scope_has_every_joiner_once_a_stage(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    assert (
        lake.read(MATCHES)
        .join(lake.read(JOINERS).where("scope = 'scored'"), on=["user_id", "stage_days"], how="left_anti")
        .isEmpty()
    )


def test_every_activation_is_checked_once_and_the_counter_knows_customers_better_than_chance(
    spark: SparkSession, city: City
) -> None:
    lake = city.lake(spark)
    checks = lake.read(JOINING_CHECKS)
    activations = lake.read(ACTIVATIONS)
    assert checks.count() == activations.count() == lake.read(COUNTER_REMINDERS).count() > 50
    assert checks.join(activations, on="activation_key", how="left_anti").isEmpty()
    key = Key.load(spark, city.settings.store.key_file, True)
    users = spark.read.parquet(f"{city.settings.city.truth}/users")
    person = users.select(key.pseudonym(F.col("user_id"), "user").alias("user_id"), "person_id")
    before = person.withColumnsRenamed({"user_id": "old_user_id", "person_id": "old_person_id"})
    named = checks.where("verdict = 'known'").join(person, on="user_id", how="inner").join(before, on="old_user_id", how="inner")
    found = named.agg(
        F.count("*").alias("known"), F.count_if(F.col("person_id") == F.col("old_person_id")).alias("right")
    ).first()
    assert found is not None
    assert found["known"] >= 5
    # some show a relative's document
    assert found["right"] >= found["known"] / 2, found
    # a later stage speaks of who was checked, and of nobody else; a person alone decides on bonuses
    followed = lake.read(JOINING_FOLLOW_UPS)
    assert followed.join(checks, on=["activation_key", "user_id", "verdict"], how="left_anti").isEmpty()
    assert {row["stage_days"] for row in followed.select("stage_days").distinct().collect()} == set(city.settings.reentry.stages)
    bonuses = lake.read(BONUS_REVIEWS)
    decided = bonuses.where("state <> 'to_review'")
    assert decided.join(
        lake.read(JOINING_REVIEWS), on=["activation_key", "decided_on", "reviewer_key"], how="left_anti"
    ).isEmpty()
    assert not bonuses.where("state = 'to_review'").isEmpty()


def test_gross_adds_taken_apart_are_all_joiners_of_the_months_told(spark: SparkSession, city: City) -> None:
    lake, final = city.lake(spark), max(city.settings.reentry.stages)
    told = {r.month: r.joiners for r in lake.read(NET_ADDS).collect()}
    joined = lake.read(JOINERS).where(F.col("stage_days") == final).groupBy(F.trunc("joined_on", "MM").alias("month")).count()
    assert told == {r.month: r["count"] for r in joined.collect() if r.month in told}
    assert len(told) == 3, "what joined from April on is not told yet"
    for row in (
        lake.read(GROSS_ADDS)
        .groupBy("month", "dimension")
        .agg(F.sum("counted").alias("n"), F.sum("expected").alias("e"))
        .collect()
    ):
        if row.dimension != "cell":
            assert row.n == told[row.month]
            assert row.e == pytest.approx(told[row.month])
    steps = lake.read(STEPS).where("passed IS NOT NULL").collect()
    assert {r.step for r in steps if r.month in told} >= {1, 2, 4, 5, 7}
    assert all(r.passed for r in steps if r.measure in ("joiners", "matches", "gross_adds")), (
        "sums and one to one hold on any city"
    )
    # who is called knows nothing of why
    assert set(lake.read(CALLBACKS).columns) == {"known_on", "month", "user_id", "call_order"}


@pytest.mark.heavy
def test_wider_windows_change_nothing_but_who_came_back_later(spark: SparkSession, city: City, tmp_path: Path) -> None:
    shutil.copytree(city.settings.store.lake, tmp_path / "lake")
    settings = load(
        Settings, "local", [*city.overrides, f"store.lake={tmp_path}/lake", "reentry.control.windows_days=[60, 120, 180]"]
    )
    verify = next(job for job in LINEAGE.jobs if job.name == "verify_reentry")
    verify.run(spark, settings, city.days, makers=LINEAGE.makers, restate=True)
    narrow, wide = (
        {(r.month, r.measure): r for r in lake.read(STEPS).collect()}
        for lake in (city.lake(spark), lake_of(spark, settings, city.days, STEPS))
    )
    more = [month for month, name in wide if name == "back_within_180_days"]
    assert len(more) >= 3
    back = {days: sum(wide[month, f"back_within_{days}_days"].value for month in more) for days in (60, 120, 180)}
    assert 0 < back[60] <= back[120] <= back[180]
    told_otherwise = {name for (month, name), row in wide.items() if narrow.get((month, name)) != row}
    assert told_otherwise <= {"back_within_180_days", "window_share", "full_replacement", "partial_replacement"}


def test_the_bucket_and_cohorts_add_up(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    leavers, told = lake.read(LEAVINGS), lake.read(DESTINATIONS)
    assert not told.isEmpty()
    assert told.join(leavers, on=["user_id", "leave_on"], how="left_anti").isEmpty()
    assert told.where("known_on < date_add(leave_on, 60)").isEmpty()
    flows = {(r.month, r.flow): r for r in lake.read(BUCKET).collect()}
    for month in {month for month, _ in flows}:
        gone = [flows[month, name] for name in ("back", "competitor", "elsewhere")]
        counted = sum(r.counted for r in gone)
        assert abs(sum(r.expected for r in gone) - counted) < 1e-3
        assert counted <= leavers.where(F.trunc("leave_on", "MM") == F.lit(month)).count()
    cohorts = lake.read(COHORTS).collect()
    for row in (r for r in cohorts if r.dimension == "all"):
        for name in ("brand", "plan", "dealer"):
            parts = [r for r in cohorts if r.dimension == name and (r.cohort, r.month) == (row.cohort, row.month)]
            assert sum(r.users for r in parts) == row.users
            assert sum(r.fee_yuan for r in parts) == row.fee_yuan
    assert {r.months_since for r in cohorts} > {0, 1, 2}
    labels = (
        lake.read(LABELS)
        .groupBy("target")
        .agg(F.count("*").alias("n"), F.expr("count_if(has_churned)").alias("churned"))
        .collect()
    )
    assert {r.target for r in labels} == set(TARGETS)
    assert all(0 < r.churned < r.n for r in labels)
    wakes = lake.read(SILENCES).where("brand = 'all'").orderBy("month", "days").collect()
    assert wakes[-1].wakes < wakes[0].wakes
