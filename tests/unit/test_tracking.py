"""The registry: a version is logged once for one training, found as champion, loaded with its notes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import SparkSession

from churnlake.core.errors import MissingInputError
from churnlake.core.settings import TrackingSettings
from churnlake.core.tracking import Tracker, Version

SETTINGS = TrackingSettings(
    uri="sqlite:///registry/mlflow.db", artifacts="registry/mlruns", experiment="churn", model_name="churn"
)


def log(tracker: Tracker, key: str, by: int) -> Version:
    return tracker.log_model(
        PipelineModel([SQLTransformer(statement=f"SELECT *, calls * {by} AS probability FROM __THIS__")]),
        "logistic",
        training_key=key,
        params={"train_months": "2005-05-01"},
        metrics={"pr_auc": 0.5},
        numeric=["calls"],
        categories=["brand"],
        inputs={"churn.labels": 3},
        notes={"by": by},
        tags={"learner": "logistic"},
    )


def test_registry_keeps_one_version_a_training(spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow.models import get_model_info

    tracker = Tracker(SETTINGS, root=tmp_path)
    assert tracker.champion() is None
    with pytest.raises(MissingInputError):
        tracker.load("1")

    first = log(tracker, "a", by=2)
    assert first == Version("1", {"training_key": "a", "input.churn.labels": "3", "learner": "logistic"})
    assert log(tracker, "a", by=2).version == "1"
    assert log(tracker, "b", by=3).version == "2"

    champion = Tracker(SETTINGS, root=tmp_path).champion()
    assert champion is not None
    assert (champion.version, champion.tags["training_key"]) == ("2", "b")
    pipeline, notes = tracker.load(champion.version)
    assert notes == {"by": 3}
    scored = pipeline.transform(spark.createDataFrame([(5, "x")], "calls int, brand string")).head()
    assert scored is not None
    assert scored["probability"] == 15

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
