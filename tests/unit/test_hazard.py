"""Hazards of leaving and of re-entering, month by month, on users whose risks are planted; against scikit-learn's regression."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

from churnlake.core.errors import MissingInputError
from churnlake.core.settings import TrackingSettings, load
from churnlake.core.testing import rows
from churnlake.core.tracking import Tracker
from churnlake.models.hazard import LATER, Hazard, check_outcomes, exits, fitted, outcomes
from churnlake.models.hazard_lesson import learn_hazard
from churnlake.models.lesson import Lesson, Tiers
from churnlake.models.parts import judged_frame
from churnlake.models.profile import profile
from churnlake.models.score import Asked, hazards, scored
from churnlake.models.settings import LogisticSettings
from churnlake.settings import Settings
from churnlake.tables.churn import LABELS
from churnlake.tables.features import SELECTION
from churnlake.tables.judged import HAZARDS, JUDGED

MONTHS = [dt.date(2005, month, 1) for month in (2, 3, 4)]
USERS = 1500
PLAIN = LogisticSettings(max_iter=100, reg_param=0.0, elastic_net=0.0)


def chance(seed: int) -> Column:
    return F.pmod(F.xxhash64("user_id", "month", F.lit(seed)), F.lit(10_000)) / F.lit(10_000.0)


def features(spark: SparkSession) -> DataFrame:
    when = spark.createDataFrame([(month,) for month in MONTHS], "month date")
    return spark.range(USERS).withColumnRenamed("id", "user_id").crossJoin(when).select(
        "month", "user_id", (chance(1) * 9).cast("bigint").alias("own_events"), F.lit(50).cast("decimal(12,2)").alias("fee_mean_3m_yuan"),
        F.when(chance(2) < 0.3, "mzone").otherwise("gotone").alias("brand"),
    )  # fmt: skip


def labels(given: DataFrame) -> DataFrame:
    """Of each month ahead a draw among stay, leave and re-enter; a user gone in the first month does not go in the second."""
    leave, back = F.exp(-1.0 - 0.4 * F.col("own_events")), F.when(F.col("brand") == "mzone", 0.12).otherwise(0.02)
    drawn = given.select(
        "month",
        "user_id",
        *(F.when(chance(at) < leave, 1).when(chance(at) < leave + back, 2).otherwise(0).alias(f"at_{at}") for at in (5, 6)),
    )
    told = drawn.select(
        "month", "user_id", F.explode(F.array(
            F.struct(F.lit("leave_t1").alias("target"), F.col("at_5").alias("how")),
            F.struct(F.lit("leave_t2").alias("target"), F.when(F.col("at_5") == 0, F.col("at_6")).otherwise(0).alias("how")),
        )).alias("one"),
    )  # fmt: skip
    return told.select(
        "month",
        "user_id",
        "one.target",
        (F.col("one.how") > 0).alias("has_churned"),
        (F.col("one.how") == 1).alias("has_churned_for_good"),
    )


@pytest.fixture(scope="module")
def given(spark: SparkSession) -> Iterator[DataFrame]:
    made = features(spark).persist()
    yield made
    made.unpersist()


def test_outcomes_are_told_of_each_month_ahead_and_of_those_still_here(spark: SparkSession) -> None:
    told = {1: (True, True), 2: (True, False), 3: (False, False)}
    first = [
        {"user_id": user, "target": "leave_t1", "has_churned": a, "has_churned_for_good": b} for user, (a, b) in told.items()
    ]
    second = [{"user_id": user, "target": "leave_t2", "has_churned": user == 3, "has_churned_for_good": False} for user in (2, 3)]
    other = {"user_id": 3, "target": "revenue", "has_churned": True, "has_churned_for_good": True}
    found = outcomes(rows(spark, LABELS, *first, *second, other)).orderBy(LATER, "user_id").collect()
    assert [(row["user_id"], row[LATER], row["label"], row["at_risk"]) for row in found] == [
        (1, 0.0, 1.0, True), (2, 0.0, 2.0, True), (3, 0.0, 0.0, True), (2, 1.0, 0.0, False), (3, 1.0, 2.0, True),
    ]  # fmt: skip


def test_hazards_are_those_of_scikit_learn_and_add_up(given: DataFrame) -> None:
    settings = load(Settings, "local").models
    frame = given.join(outcomes(labels(given)), on=["month", "user_id"], how="inner").where("at_risk")
    frame = frame.withColumn("own_events", F.col("own_events").cast("double"))
    known = profile(frame, ["own_events"], ["brand"], settings)
    model = fitted(frame, known, PLAIN)
    newest = given.where("month = date'2005-04-01'").select("month", "user_id", "own_events", "brand")
    told = exits(Hazard(model, ["own_events"], ["brand"]), newest)
    found = told.join(given, on=["month", "user_id"], how="inner").toPandas()
    data = frame.select("own_events", "brand", LATER, "label").toPandas()
    x = np.stack([np.log1p(data["own_events"]), data["brand"] == "mzone", data[LATER]], axis=1)
    fit = LogisticRegression(C=np.inf, max_iter=500).fit(x, data["label"])
    at = [
        np.stack([np.log1p(found["own_events"].astype(float)), found["brand"] == "mzone", np.full(len(found), later)], axis=1)
        for later in (0, 1)
    ]
    now, then = (fit.predict_proba(part) for part in at)
    for name, expected in (
        ("leaves_in_1m", now[:, 1]), ("reenters_in_1m", now[:, 2]), ("leaves_in_2m", now[:, 0] * then[:, 1]), ("reenters_in_2m", now[:, 0] * then[:, 2]),
    ):  # fmt: skip
        assert found[name].to_numpy() == pytest.approx(expected, abs=0.004), name
    assert found[["leaves_in_1m", "reenters_in_1m", "leaves_in_2m", "reenters_in_2m"]].sum(axis=1).max() < 1
    alone = hazards(scored(newest, Asked([], Hazard(model, ["own_events"], ["brand"])), settings), "3")
    assert alone.columns == HAZARDS.names
    names = ["user_id", "leaves_in_1m", "reenters_in_1m", "leaves_in_2m", "reenters_in_2m"]
    assert sorted(alone.select(names).collect()) == sorted(told.select(names).collect())


def test_too_few_who_came_back_say_so(given: DataFrame) -> None:
    frame = outcomes(labels(given)).where("at_risk AND label <> 2")
    with pytest.raises(MissingInputError, match=r"0 users re-enter in the months trained on, fewer than models\.least_leavers=5"):
        check_outcomes(frame, 5)


def test_the_hazard_is_taught_judged_and_entered(given: DataFrame, spark: SparkSession, tmp_path: Path) -> None:
    settings = load(Settings, "local").models
    selection = rows(
        spark, SELECTION, *[{"month": MONTHS[0], "indicator": name, "role": "modelling"} for name in ("own_events", "brand")]
    )
    lesson = Lesson(
        given, labels(given), selection, {}, dt.date(2005, 8, 1), settings, Tiers("fee_mean_3m_yuan", 0.7), 10, lambda f: f.localCheckpoint(), {},
    )  # fmt: skip
    tracker = Tracker(
        TrackingSettings(uri=f"sqlite:///{tmp_path}/m.db", artifacts=str(tmp_path / "a"), experiment="e", model_prefix=""),
        "churn_hazard",
    )
    first = learn_hazard(lesson, tracker, None)
    assert first.promoted == "1"
    told = {row["value"]: row for row in judged_frame(first.judged, given).collect()}
    assert set(told) == {f"{what} in month {at}" for what in ("leaves", "reenters") for at in (1, 2)}
    for row in told.values():
        assert row["rows"] == USERS
        assert row["pr_auc"] > 1.3 * row["base_rate"]
        assert row["calibration_error"] < 0.03
    assert told["leaves in month 1"]["calibration_slope"] == pytest.approx(1.0, abs=0.35)
    again = learn_hazard(replace(lesson, known_on=dt.date(2005, 8, 2)), tracker, judged_frame(first.judged, given))
    assert "nothing new to learn; version 1" in again.told
    assert judged_frame(again.judged, given).columns == JUDGED.names
    blind = settings.model_copy(update={"hazard": PLAIN.model_copy(update={"reg_param": 9.0, "elastic_net": 1.0})})
    worse = learn_hazard(replace(lesson, known_on=dt.date(2005, 8, 3), settings=blind), tracker, None)
    assert worse.promoted is None
    assert "2, challenger: not better beyond noise" in worse.told
