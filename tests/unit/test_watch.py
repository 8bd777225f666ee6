"""Drift of inputs and scores against the months taught: nothing where nothing moved, the moved column where it did; and scoring with champions that do not fit."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError, MissingInputError, UnreachableError
from churnlake.core.job import Run
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.core.tracking import Logged, Tracker
from churnlake.models.fit import calibrate, contributions, held_out, prepared, probability
from churnlake.models.learners import Candidate
from churnlake.models.profile import profile
from churnlake.models.settings import DriftSettings, LogisticSettings
from churnlake.models.watch import Limits, advised, drift, drift_frame, is_drawn, reference
from churnlake.settings import Settings
from churnlake.tables.churn import SCORES
from churnlake.tables.features import MONTHLY
from churnlake.tables.judged import DRIFT

SETTINGS = DriftSettings(most_rows=5000, most_inputs=0.3)
LIMITS = Limits(0.1, 0.25, 3.0)
MAY = dt.date(2005, 5, 1)
SCORE_MODEL = next(job for job in Lineage.of_package().jobs if job.name == "score_model")


def model(scored: str = "calls / 200D") -> PipelineModel:
    class Says(SQLTransformer):
        """A model that reads its probability off a column."""

        def _transform(self, frame: DataFrame) -> DataFrame:
            from pyspark.ml.functions import array_to_vector

            said = F.expr(f"least(coalesce({scored}, 0D), 1D)")
            return frame.withColumn("calibrated", array_to_vector(F.array(1 - said, said)))

    return PipelineModel([Says(statement="SELECT * FROM __THIS__")])


def users(spark: SparkSession, count: int, first: int = 0) -> DataFrame:
    def u(seed: int) -> Any:
        return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(1000))

    return spark.range(first, first + count).select(
        F.col("id").alias("user_id")
    ).select(
        "user_id", (u(1) / 10).cast("double").alias("calls"), F.when(u(2) < 700, 0.0).otherwise((u(2) - 699).cast("double")).alias("mms"),
        F.when(u(3) < 900, u(4).cast("double")).alias("fee"), F.when(u(5) < 600, "gotone").when(u(5) < 950, "mzone").alias("brand"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def before(spark: SparkSession) -> dict[str, Any]:
    taught = users(spark, 3000)
    known = profile(taught, ["calls", "mms", "fee"], ["brand"], load(Settings, "local").models)
    told = reference(taught.repartition(3), 3000, model(), known, SETTINGS, 7)
    assert told == reference(taught.orderBy("calls"), 3000, model(), known, SETTINGS, 7), "the order of rows changes nothing"
    # it goes through the registry as text
    return dict(json.loads(json.dumps(told)))


def found(now: DataFrame, before: dict[str, Any], count: int, scored: str = "calls / 200D") -> dict[str, tuple[float, str]]:
    sample = now.where(is_drawn(count, SETTINGS, 7)).withColumn("score", F.expr(f"least(coalesce({scored}, 0D), 1D)"))
    rows_now = drift(sample, before, LIMITS)
    return {row["column"]: (row["psi"], row["advice"]) for row in rows_now}


def test_other_users_alike_have_not_moved(spark: SparkSession, before: dict[str, Any]) -> None:
    assert sum(before["numbers"]["mms"]["counts"]) == 3000
    assert before["numbers"]["mms"]["edges"][0] == 0.0
    assert len(before["numbers"]["mms"]["edges"]) in (3, 4), "six deciles and more are one value"
    told = found(users(spark, 2500, 10_000), before, 2500)
    assert set(told) == {"calls", "mms", "fee", "brand", "score"}
    assert {advice for _, advice in told.values()} == {"none"}
    assert advised([{"column": name, "psi": psi, "advice": advice} for name, (psi, advice) in told.items()], SETTINGS) is None


def test_what_moved_is_named(spark: SparkSession, before: dict[str, Any]) -> None:
    now = users(spark, 2500, 10_000)
    moved = now.withColumns(
        {"fee": F.expr("if(user_id % 2 = 0, null, fee)"), "brand": F.expr("if(user_id % 3 = 0, 'newbrand', brand)")}
    )
    told = found(moved, before, 2500)
    assert {name for name, (_, advice) in told.items() if advice == "retrain"} == {"fee", "brand"}
    lines = [{"column": name, "psi": psi, "advice": advice} for name, (psi, advice) in told.items()]
    assert "retraining advised: 2 of 4 inputs have changed greatly since it was taught" in str(advised(lines, SETTINGS))
    scores = found(now, before, 2500, "calls * calls / 20000D")
    assert {name for name, (_, advice) in scores.items() if advice == "retrain"} == {"score"}
    lines = [{"column": name, "psi": psi, "advice": advice} for name, (psi, advice) in scores.items()]
    assert "its scores are spread otherwise" in str(advised(lines, SETTINGS))
    kept = drift_frame([{**row, "month": MAY, "target": "leave_t1", "rows": 9, "model_version": "1"} for row in lines], now)
    assert kept.columns == DRIFT.names


class Shelf:
    """A lake of given rows, which remembers what is written."""

    def __init__(self, spark: SparkSession, features: DataFrame) -> None:
        self.spark, self.features, self.made = spark, features, {}

    def has(self, table: Any) -> bool:
        return bool(table == MONTHLY)

    def read(self, table: Any, **_: Any) -> DataFrame:
        return self.features

    def checkpoint(self, rows: DataFrame) -> DataFrame:
        return rows

    def write_all(self, made: dict[Any, DataFrame]) -> None:
        self.made = made


def scoring(
    spark: SparkSession, features: DataFrame, home: Path, *sets: str, uri: str = "", shelf: Shelf | None = None
) -> tuple[Shelf, Run]:
    settings = load(
        Settings, "local", [f"tracking.uri={uri or f'sqlite:///{home}/m.db'}", f"tracking.artifacts={home}/a", "models.targets=[leave_t1]", *sets],
    )  # fmt: skip
    shelf, run = shelf or Shelf(spark, features), Run("r", "score_model", Days(MAY, dt.date(2005, 5, 31)), settings)
    SCORE_MODEL.body(shelf, run)  # type: ignore[arg-type]
    return shelf, run


@pytest.fixture(scope="module")
def home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a champion, and its copy."""
    home = tmp_path_factory.mktemp("registry")
    settings = load(Settings, "local", [f"tracking.uri=sqlite:///{home}/m.db", f"tracking.artifacts={home}/a"]).tracking
    tracker = Tracker(settings, "churn_leave")
    taught = spark.range(1, 400).selectExpr("double(id % 100) AS own_events", "double(id % 100 + 7 * (id % 9) > 90) AS label")
    known = profile(taught, ["own_events"], [], load(Settings, "local").models)
    ready, stages = prepared(taught, known)
    fitted = Candidate("logistic", LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.0), 7).fit(ready)
    served = calibrate(fitted, [held_out(fitted, ready)])
    version = tracker.log_model(
        PipelineModel([*stages, *served.stages]),
        "r",
        training_key="k",
        numeric=["own_events"],
        categories=[],
        logged=Logged({}, {}, {}, {**contributions(fitted, known).to_notes(), "known_on": "2005-05-20"}),
    )
    tracker.keep(version.version, home / "champions" / "churn_leave")
    return home


def active(spark: SparkSession, **more: Any) -> DataFrame:
    return rows(
        spark,
        MONTHLY,
        *[{"month": MAY, "user_id": user, "own_events": user * 10, "last_use_days": 1, **more} for user in (1, 2, 9)],
    )


def by_its_pipeline(spark: SparkSession, home: Path) -> dict[int, float]:
    """By user what the champion says where Spark asks it row by row."""
    settings = load(Settings, "local", [f"tracking.uri=sqlite:///{home}/m.db", f"tracking.artifacts={home}/a"]).tracking
    told = Tracker(settings, "churn_leave").load("1")[0].transform(active(spark).select("user_id", "own_events"))
    return {row["user_id"]: row["probability"] for row in told.select("user_id", probability().alias("probability")).collect()}


def test_the_champion_scores_and_says_why(spark: SparkSession, home: Path) -> None:
    shelf, run = scoring(spark, active(spark), home)
    kept = shelf.made[SCORES].orderBy("place").collect()
    said = by_its_pipeline(spark, home)
    assert [(row["user_id"], row["place"], row["probability"], row["is_fallback"]) for row in kept] == [
        (9, 1, said[9], False), (2, 2, said[2], False), (1, 3, said[1], False),
    ]  # fmt: skip
    assert 0.9 > said[9] > 0.5 > said[2] > said[1] > 0
    assert kept[0]["reasons"] == ["own_events high (+1.0 sd)"]
    assert run.left_out == []


def test_out_of_reach_it_scores_by_the_copy_only_if_told_to(spark: SparkSession, home: Path, tmp_path: Path) -> None:
    away = "http://127.0.0.1:9"
    with pytest.raises(UnreachableError, match=r"MLflow at http://127\.0\.0\.1:9 can not be asked.*models\.fall_back_to"):
        scoring(spark, active(spark), home, uri=away)
    with pytest.raises(MissingInputError, match="no copy of a champion in"):
        scoring(spark, active(spark), home, f"models.fall_back_to={tmp_path}", uri=away)
    shelf, run = scoring(spark, active(spark), home, f"models.fall_back_to={home}/champions", uri=away)
    kept = shelf.made[SCORES].orderBy("place").collect()
    said = by_its_pipeline(spark, home)
    assert [(row["probability"], row["is_fallback"], row["model_version"]) for row in kept] == [
        (said[9], True, "1"), (said[2], True, "1"), (said[1], True, "1"),
    ]  # fmt: skip
    assert run.facts["told"] == ["leave_t1: MLflow can not be reached; scored by the copy of version 1"]
    shutil.copytree(home / "champions", tmp_path / "champions")
    shelf, _ = scoring(spark, active(spark), home, f"models.fall_back_to={tmp_path}/champions")
    assert not shelf.made[SCORES].where("is_fallback").count(), "in reach, the registry serves"


def test_what_does_not_fit_is_said_and_nothing_is_written(spark: SparkSession, home: Path) -> None:
    with pytest.raises(ContractError, match="version 1 of churn_leave takes columns that features no longer have: own_events"):
        scoring(spark, active(spark).drop("own_events"), home)
    shelf, run = scoring(spark, active(spark, last_use_days=40), home)
    assert not shelf.made
    assert run.left_out == ["scoring: no active user has features of 2005-05; run job build_features over it first"]
    settings = load(
        Settings,
        "local",
        [f"tracking.uri=sqlite:///{home}/m.db", f"tracking.artifacts={home}/a", "models.targets=[leave_t1, revenue]"],
    )
    shelf, run = Shelf(spark, active(spark)), Run("r", "score_model", Days(dt.date(2005, 4, 1), dt.date(2005, 4, 30)), settings)
    shelf.features = shelf.features.withColumn("month", F.lit(dt.date(2005, 4, 1)))
    SCORE_MODEL.body(shelf, run)  # type: ignore[arg-type]
    assert not shelf.made
    assert run.left_out == [
        "scoring of leave_t1: the champion was taught by what became known on 2005-05-20, after 2005-04-30",
        "scoring of revenue: no champion in the registry yet",
    ]


def test_a_champion_of_another_make_is_refused_and_nothing_is_written(spark: SparkSession, tmp_path: Path) -> None:
    settings = load(Settings, "local", [f"tracking.uri=sqlite:///{tmp_path}/m.db", f"tracking.artifacts={tmp_path}/a"]).tracking
    other = PipelineModel([SQLTransformer(statement="SELECT *, 0.5D AS probability FROM __THIS__")])
    notes = {"numeric": {"own_events": 0.5}, "categories": {}}
    logged = Logged({}, {}, {}, notes)
    Tracker(settings, "churn_leave").log_model(other, "r", training_key="k", numeric=["own_events"], categories=[], logged=logged)
    shelf = Shelf(spark, active(spark))
    said = r"leave_t1, version 1: a champion is no pipeline that job train_model makes .*SQLTransformer"
    with pytest.raises(ContractError, match=said):
        scoring(spark, shelf.features, tmp_path, shelf=shelf)
    assert not shelf.made
