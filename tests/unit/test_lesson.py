"""A target taught time and again: first version, better, worse, the very same; what the registry and the tables then say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError, MissingInputError
from churnlake.core.settings import TrackingSettings, load
from churnlake.core.testing import rows
from churnlake.core.tracking import Tracker
from churnlake.models.fit import Contributions, probability
from churnlake.models.lesson import Learnt, Lesson, Tiers
from churnlake.models.parts import judged_frame
from churnlake.models.promotion import unfair
from churnlake.models.serving import Serving, serving
from churnlake.models.settings import LearnersSettings, LogisticSettings, ModelsSettings, TreeSettings
from churnlake.models.train import report
from churnlake.settings import Settings
from churnlake.tables.churn import MODELS
from churnlake.tables.features import SELECTION
from churnlake.tables.judged import JUDGED

MONTHS = [dt.date(2005, month, 1) for month in (2, 3, 4, 5)]
SEEING = LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.0)
BLIND = LogisticSettings(max_iter=20, reg_param=9.0, elastic_net=1.0)
USERS = 400


def learners(logistic: LogisticSettings, *trees: TreeSettings) -> LearnersSettings:
    return LearnersSettings(logistic=[logistic], tree=list(trees), forest=[], boosted=[], perceptron=[])


def models(logistic: LogisticSettings = SEEING, *trees: TreeSettings) -> ModelsSettings:
    usual = load(Settings, "local").models
    few = {
        "train_months": 3,
        "most_folds": 1,
        "least_leavers": 5,
        "importance": usual.importance.model_copy(update={"rows": 200, "features": 3}),
    }
    return usual.model_copy(
        update={**few, "promotion": usual.promotion.model_copy(update={"resamples": 100}), "learners": learners(logistic, *trees)}
    )


def chance(seed: int) -> Column:
    return F.pmod(F.xxhash64("user_id", "month", F.lit(seed)), F.lit(10_000)) / F.lit(10_000.0)


def features(spark: SparkSession) -> DataFrame:
    when = spark.createDataFrame([(month,) for month in MONTHS], "month date")
    return spark.range(USERS).withColumnRenamed("id", "user_id").crossJoin(when).select(
        "month",
        "user_id",
        (chance(1) * 100).cast("bigint").alias("own_events"),
        (chance(2) < 0.15).cast("bigint").alias("voice_forwarded_calls"),
        (chance(3) * 300).cast("decimal(12,2)").alias("fee_mean_3m_yuan"),
        F.lit(None).cast("double").alias("voice_forwarded_share"),
        F.lit(7).alias("points"),
        F.when(chance(4) < 0.5, "gotone").otherwise("mzone").alias("brand"),
    )  # fmt: skip


def labels(given: DataFrame) -> DataFrame:
    risk = F.expr("-1.5 - 0.04 * own_events + 2.5 * voice_forwarded_calls")
    return given.select(
        "month", "user_id", F.lit("leave_t1").alias("target"), (chance(9) < 1 / (1 + F.exp(-risk))).alias("has_churned_for_good")
    )


@dataclass
class School:
    spark: SparkSession
    tracking: TrackingSettings
    lesson: Lesson
    tracker: Tracker

    def learnt(self, day: int, settings: ModelsSettings, before: Learnt | None = None, **changed: Any) -> Learnt:
        lesson = replace(self.lesson, known_on=dt.date(2005, 8, day), settings=settings, **changed)
        frames = (
            (report(before.models, self.lesson.features), judged_frame(before.judged, self.lesson.features))
            if before
            else (None, None)
        )
        return lesson.learnt("leave_t1", self.tracker, *frames)


@pytest.fixture(scope="module")
def school(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    home = tmp_path_factory.mktemp("school")
    tracking = TrackingSettings(
        uri=f"sqlite:///{home}/mlflow.db", artifacts=str(home / "mlruns"), experiment="e", model_prefix=""
    )
    given = features(spark).persist()
    chosen = ("own_events", "voice_forwarded_calls", "voice_forwarded_share", "points", "brand")
    selection = rows(spark, SELECTION, *[{"month": MONTHS[0], "indicator": name, "role": "modelling"} for name in chosen])
    lesson = Lesson(
        given, labels(given), selection, {}, dt.date(2005, 8, 1), models(), Tiers("fee_mean_3m_yuan", 0.7), 10,
        lambda frame: frame.localCheckpoint(), {"features.monthly": 4, "churn.labels": 2, "churn.models": 9},
    )  # fmt: skip
    yield School(spark, tracking, lesson, Tracker(tracking, "churn_leave"))
    given.unpersist()


def test_only_what_is_better_beyond_noise_replaces_the_champion(school: School) -> None:
    import mlflow

    first = school.learnt(1, models(BLIND, TreeSettings(depth=1, least_rows=150, least_gain=0.2, bins=8)))
    assert first.promoted == "1"
    assert [(row["is_champion"], row["model_version"]) for row in first.models if row["verdict"]] == [(True, "1")]
    seeing = school.learnt(2, models())
    assert seeing.promoted == "2"
    assert "better beyond noise" in seeing.told
    # features that teach nothing are named
    assert seeing.told.endswith("features hardly filled or always the same: points, voice_forwarded_share")
    again = school.learnt(3, models(), seeing)
    assert again.promoted is None
    assert [{**row, "known_on": None} for row in again.models] == [{**row, "known_on": None} for row in seeing.models]
    assert {row["known_on"] for row in (*again.models, *again.judged)} == {dt.date(2005, 8, 3)}
    assert "nothing new to learn; version 2" in again.told
    lost = school.learnt(3, models())
    assert [row["model_version"] for row in lost.models] == ["2"], "where the tables are lost it is fitted, not entered, again"
    worse = school.learnt(4, models(BLIND))
    assert worse.promoted is None
    assert "3, challenger: not better beyond noise" in worse.told
    assert not any(row["is_champion"] for row in worse.models)
    found = [school.tracker.champion(), school.tracker.challenger()]
    assert [one.version for one in found if one] == ["2", "3"]
    # a run over days before what the champion was taught with moves nothing
    earlier = school.learnt(1, models(SEEING.model_copy(update={"reg_param": 0.02})))
    assert "4, not entered: the champion was taught by what became known on 2005-08-02, after 2005-08-01" in earlier.told
    assert [one.version for one in (school.tracker.champion(), school.tracker.challenger()) if one] == ["2", "3"]

    client = mlflow.MlflowClient(tracking_uri=school.tracking.uri)
    version = client.get_model_version("churn_leave", "2")
    assert version.tags["input.features.monthly"] == "4"
    assert version.tags["slices.features.monthly"] == "2005-02-01,2005-03-01,2005-04-01,2005-05-01"
    assert "input.churn.models" not in version.tags, "what it writes is no input"
    assert version.tags["test_month"] == "2005-05-01"
    # what serves was taught the month tested on once it was judged; a newer one is compared with it as judged
    assert version.tags["taught_months"] == f"{version.tags['train_months']},2005-05-01"
    newest = school.lesson.features.where("month = date'2005-05-01'").withColumn("own_events", F.col("own_events").cast("double"))
    newest = newest.withColumn("voice_forwarded_calls", F.col("voice_forwarded_calls").cast("double"))
    as_judged, as_serving = (
        [row[0] for row in pipeline.transform(newest).orderBy("user_id").select(probability()).collect()]
        for pipeline in (school.tracker.judged("2"), school.tracker.load("2")[0])
    )
    assert as_judged != as_serving
    assert as_judged == pytest.approx(as_serving, abs=0.2)
    run = client.get_run(version.run_id)
    assert run.data.metrics["pr_auc"] > 1.5 * run.data.metrics["base_rate"]
    assert run.data.metrics["importance.own_events"] > 0.05
    folder = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id, tracking_uri=school.tracking.uri))
    pictures = sorted(path.name for path in (folder / "curves").iterdir())
    assert pictures == ["calibration.png", "gains.png", "precision_recall.png"]
    assert all((folder / "curves" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    card = (folder / "card.md").read_text()
    for said in (
        "# leave_t1: logistic",
        "Champion: better beyond noise",
        "`features.monthly` version 4: 2005-02-01",
        "| brand gotone |",
        "| tier high |",
        "## Limits",
    ):
        assert said in card, said


def test_the_judged_parts_add_up(school: School) -> None:
    learnt = school.learnt(20, models())
    kept = judged_frame(learnt.judged, school.lesson.features)
    assert kept.columns == JUDGED.names
    found = {(row["part"], row["value"]): row for row in kept.collect()}
    assert {part for part, _ in found} == {"all", "brand", "tier", "month"}
    whole = found["all", "all"]
    assert whole["rows"] == USERS
    for part in ("brand", "tier"):
        assert sum(row["rows"] for (of, _), row in found.items() if of == part) == USERS
        assert sum(row["positives"] for (of, _), row in found.items() if of == part) == whole["positives"]
    assert found["month", "2005-05"]["pr_auc"] == whole["pr_auc"]
    assert found["month", "2005-04"]["profit_yuan"] is None
    assert whole["profit_yuan"] > 0
    assert 0 < whole["profit_share"] < 1
    assert whole["empc"] > 0
    tiers = [found["tier", name]["rows"] for name in ("low", "middle", "high")]
    assert tiers == [pytest.approx(share * USERS, abs=10) for share in (0.3, 0.4, 0.3)]


def test_a_champion_whose_columns_are_gone_is_replaced_and_can_not_score(school: School) -> None:
    champion = school.tracker.champion()
    assert champion is not None
    without = school.lesson.features.drop("voice_forwarded_calls")
    pipeline, notes = school.tracker.load(champion.version)
    assert Contributions.from_notes(notes).numeric.keys() == {"own_events", "voice_forwarded_calls"}
    with pytest.raises(
        ContractError, match="takes columns that features no longer have: voice_forwarded_calls; nothing was scored"
    ):
        Serving("churn_leave", champion.version, pipeline, notes, False).check(without)
    selection = school.lesson.selection.where("indicator <> 'voice_forwarded_calls'")
    learnt = school.learnt(25, models(), features=without, selection=selection)
    assert learnt.promoted is not None
    assert "asks for columns that are gone: voice_forwarded_calls" in learnt.told


def test_a_target_without_labels_or_of_one_class_says_so(school: School) -> None:
    with pytest.raises(MissingInputError, match="no user-month has both features and a label"):
        school.lesson.learnt("revenue", school.tracker, None, None)
    for value, told in (("false", "fewer than models.least_leavers=5"), ("true", "one class alone teaches and tells nothing")):
        same = school.lesson.labels.withColumn("has_churned_for_good", F.expr(value))
        with pytest.raises(MissingInputError, match=told):
            school.learnt(26, models(), labels=same)
    nobody = school.lesson.labels.withColumn("has_churned_for_good", F.expr("has_churned_for_good and month < date'2005-05-01'"))
    with pytest.raises(MissingInputError, match="2005-05, the month tested on: 0 of 400 rows are positive"):
        school.learnt(26, models(), labels=nobody)


def test_a_month_missing_or_not_closed_is_not_taught(school: School) -> None:
    learnt = school.learnt(27, models(), features=school.lesson.features.where("month <> date'2005-03-01'"))
    assert learnt.models[0]["train_months"] == ["2005-02-01", "2005-04-01"]
    closed = school.lesson.labels.where("month < date'2005-05-01'")
    learnt = school.learnt(27, models(), labels=closed)
    assert (learnt.models[0]["test_month"], learnt.models[0]["train_months"][-1]) == (MONTHS[2], "2005-03-01")


def test_a_training_that_leaks_is_refused_and_enters_nothing(school: School) -> None:
    before = school.tracker.champion(), school.tracker.challenger()
    answer = school.lesson.labels.select("month", "user_id", F.col("has_churned_for_good").cast("int").alias("points"))
    leaking = school.lesson.features.drop("points").join(answer, on=["month", "user_id"], how="left")
    with pytest.raises(ContractError, match=r"leave_t1: .* nothing was taught: .*column points: its value alone tells the label"):
        school.learnt(27, models(), features=leaking)
    assert (school.tracker.champion(), school.tracker.challenger()) == before
    early = school.lesson.labels.withColumn("known_on", F.expr("last_day(add_months(month, 1))"))
    with pytest.raises(ContractError, match="labels of 2005-02: taken on 2005-03-31, before they are settled on 2005-05-30"):
        school.learnt(27, models(), labels=early, closes_on=lambda month, _: month + dt.timedelta(days=118))


def test_a_champion_taught_the_month_is_not_compared_on_it() -> None:
    day = dt.date(2005, 8, 1)
    assert unfair({"known_on": "2005-07-31", "train_months": "2005-02-01,2005-03-01"}, day, MONTHS[2]) is None
    found = unfair({"known_on": "2005-07-31", "train_months": "2005-03-01,2005-04-01"}, day, MONTHS[2])
    assert found is not None
    assert not found.serves


def test_scoring_without_a_champion_is_none(school: School) -> None:
    assert serving(school.tracking, "churn_none", "") is None
    assert MODELS.names.count("target") == 1
