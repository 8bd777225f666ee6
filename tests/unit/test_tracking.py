"""The registry: a version is logged once for one training, found as champion, loaded with its notes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import SparkSession

from churnlake.core.errors import MissingInputError, UnreachableError
from churnlake.core.settings import TrackingSettings
from churnlake.core.tracking import CHALLENGER, CHAMPION, Logged, Tracker, Trial, Version, kept

SETTINGS = TrackingSettings(uri="sqlite:///registry/mlflow.db", artifacts="registry/mlruns", experiment="churn", model_prefix="")


def log(tracker: Tracker, key: str, by: int, alias: str | None = CHAMPION, **more: Any) -> Version:
    return tracker.log_model(
        PipelineModel([SQLTransformer(statement=f"SELECT *, calls * {by} AS probability FROM __THIS__")]),
        "logistic",
        training_key=key,
        numeric=["calls"],
        categories=["brand"],
        alias=alias,
        logged=Logged(
            params={"train_months": "2005-05-01"},
            metrics={"pr_auc": 0.5},
            inputs={"churn.labels": 3},
            notes={"by": by},
            tags={"learner": "logistic"},
            **more,
        ),
    )


def test_registry_keeps_one_version_a_training(spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow.models import get_model_info

    tracker = Tracker(SETTINGS, "churn", root=tmp_path)
    assert tracker.champion() is None
    with pytest.raises(MissingInputError):
        tracker.load("1")

    first = log(tracker, "a", by=2)
    assert first == Version("1", {"training_key": "a", "input.churn.labels": "3", "learner": "logistic"})
    assert log(tracker, "a", by=2).version == "1"
    assert log(tracker, "b", by=3).version == "2"

    champion = Tracker(SETTINGS, "churn", root=tmp_path).champion()
    assert champion is not None
    assert (champion.version, champion.tags["training_key"]) == ("2", "b")
    pipeline, notes = tracker.load(champion.version)
    assert notes == {"by": 3}
    scored = pipeline.transform(spark.createDataFrame([(5, "x")], "calls int, brand string")).head()
    assert scored is not None
    assert scored["probability"] == 15
    # of a version that was taught once more after it was judged, as it was judged, too
    third = log(
        tracker, "c", by=7, judged=PipelineModel([SQLTransformer(statement="SELECT *, calls * 5 AS probability FROM __THIS__")])
    )
    calls = spark.createDataFrame([(5, "x")], "calls int, brand string")
    for model, expected in ((tracker.judged(third.version), 25), (tracker.load(third.version)[0], 35), (tracker.judged("2"), 15)):
        assert [row["probability"] for row in model.transform(calls).collect()] == [expected]

    signature = get_model_info("models:/churn/2").signature
    assert [(c.name, c.type.name, c.required) for c in signature.inputs] == [
        ("calls", "double", False),
        ("brand", "string", False),
    ]

    made = {path.name for path in (tmp_path / "registry").iterdir()}
    assert made == {"mlflow.db", "mlruns"}
    said = capfd.readouterr()
    assert "Registered" not in said.out + said.err
    assert "registered" not in said.out + said.err
    assert "INFO" not in said.out + said.err
    assert "WARNING mlflow" not in said.out + said.err


def test_a_challenger_does_not_serve_and_is_known(spark: SparkSession, tmp_path: Path) -> None:
    tracker = Tracker(SETTINGS, "churn_leave", root=tmp_path)
    log(tracker, "a", 2)
    log(tracker, "b", 3, CHALLENGER)
    assert [v.version for v in (tracker.champion(), tracker.challenger()) if v] == ["1", "2"]
    assert log(tracker, "b", 3, CHALLENGER).version == "2", "made of the very same"
    assert log(tracker, "c", 4, None).version == "3"
    assert [v.version for v in (tracker.champion(), tracker.challenger()) if v] == ["1", "2"]
    assert log(tracker, "d", 5).version == "4"
    assert tracker.challenger() is None, "it was measured against another champion"
    assert Tracker(SETTINGS, "churn_revenue", root=tmp_path).champion() is None, "each target has a model of its own"


def test_a_training_is_kept_with_what_was_tried_and_what_it_was_made_of(spark: SparkSession, tmp_path: Path) -> None:
    import mlflow

    tracker = Tracker(SETTINGS, "churn_leave", root=tmp_path)
    trials = [Trial(f"logistic 2005-0{n}", {"fold": f"2005-0{n}", "reg_param": "0.1"}, {"pr_auc": n / 10}) for n in (3, 4)]
    version = log(
        tracker, "a", 2, slices={"churn.labels": ["2005-03-01", "2005-04-01"]}, trials=trials, texts={"card.md": "# leave_t1"},
        pictures={"curves/gains.png": b"PNG"},
    )  # fmt: skip
    assert version.tags["slices.churn.labels"] == "2005-03-01,2005-04-01"
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/registry/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("churn").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted((run.data.params["fold"], run.data.metrics["pr_auc"]) for run in children) == [
        ("2005-03", 0.3),
        ("2005-04", 0.4),
    ]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert parent.data.tags["mlflow.source.git.commit"]
    folder = Path(mlflow.artifacts.download_artifacts(run_id=parent.info.run_id, dst_path=str(tmp_path / "down")))
    assert (folder / "card.md").read_text() == "# leave_t1"
    assert (folder / "curves" / "gains.png").read_bytes() == b"PNG"
    assert json.loads((folder / "data.json").read_text()) == {
        "churn.labels": {"version": 3, "slices": ["2005-03-01", "2005-04-01"]}
    }


def test_a_kept_copy_needs_no_registry(spark: SparkSession, tmp_path: Path) -> None:
    tracker = Tracker(SETTINGS, "churn_leave", root=tmp_path)
    copy = tmp_path / "champions" / "churn_leave"
    with pytest.raises(MissingInputError, match="no copy of a champion in"):
        kept(copy)
    for by in (2, 3):
        tracker.keep(log(tracker, f"by {by}", by).version, copy)
    (tmp_path / "registry").rename(tmp_path / "gone")
    pipeline, notes, version = kept(copy)
    assert (notes, version) == ({"by": 3}, "2")
    scored = pipeline.transform(spark.createDataFrame([(5, "x")], "calls int, brand string")).head()
    assert scored is not None
    assert scored["probability"] == 15
    assert [path.name for path in copy.parent.iterdir()] == ["churn_leave"], "nothing half there beside it"


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9",
        "postgresql://mlflow:secret@127.0.0.1:9/mlflow",
        "sqlite:////proc/none/mlflow.db",
        "sqlite:///text.db",
    ],
)
def test_a_registry_out_of_reach_says_so_within_seconds(tmp_path: Path, uri: str) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="can not be asked for churn_leave") as caught:
        Tracker(SETTINGS.model_copy(update={"uri": uri}), "churn_leave", root=tmp_path).champion()
    assert time.monotonic() - began < 10
    assert "secret" not in str(caught.value)
