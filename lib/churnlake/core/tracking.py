"""The model registry: which model serves, what it was made from, and the model itself. The one importer of MLflow.

Nothing about a person goes here: parameters, measures and fitted models only.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnlake.core.errors import MissingInputError
from churnlake.core.settings import TrackingSettings

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

CHAMPION = "champion"
KEY = "training_key"
NOTES = "notes.json"
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Version:
    """A registered version: its number and its tags."""

    version: str
    tags: dict[str, str]


class Tracker:
    """Logs models and finds the champion. ``root`` is the folder that relative paths of the settings start from."""

    def __init__(self, settings: TrackingSettings, root: Path | None = None) -> None:
        base = (root or Path.cwd()).resolve()
        self._name = settings.model_name
        self._experiment = settings.experiment
        self._uri = settings.uri
        self._artifacts = settings.artifacts
        if settings.uri.startswith(SQLITE):
            database = base / settings.uri.removeprefix(SQLITE)
            database.parent.mkdir(parents=True, exist_ok=True)
            self._uri = f"{SQLITE}{database}"
        if ":/" not in settings.artifacts:
            folder = base / settings.artifacts
            folder.mkdir(parents=True, exist_ok=True)
            self._artifacts = folder.as_uri()
        self._mlflow = _import_quietly()
        self._client = self._mlflow.MlflowClient(tracking_uri=self._uri)

    def log_model(
        self,
        pipeline: PipelineModel,
        run_name: str,
        *,
        training_key: str,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        numeric: Sequence[str],
        categories: Sequence[str],
        inputs: Mapping[str, int],
        notes: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """Keep a fitted pipeline as a new version, the champion from now on.

        Where the champion was made with the same ``training_key``, nothing is logged and it stays.

        Args:
            pipeline: from raw columns to probability.
            run_name: the run's name, for people.
            training_key: a hash of all that went in.
            params: what was trained on, and how.
            metrics: how well it ranks.
            numeric: raw numeric columns, all doubles in the signature, for they may be null.
            categories: raw text columns.
            inputs: table name -> Delta version read.
            notes: plain values of fixed size kept beside the model, given back by ``load``.
            tags: further tags of run and version.
        """
        current = self.champion()
        if current is not None and current.tags.get(KEY) == training_key:
            return current
        mlflow = self._mlflow
        mlflow.set_tracking_uri(self._uri)
        from mlflow.models.signature import ModelSignature
        from mlflow.types.schema import ColSpec, Schema

        typed = [*(("double", name) for name in numeric), *(("string", name) for name in categories)]
        columns = Schema([ColSpec(kind, name, required=False) for kind, name in typed])
        signature = ModelSignature(inputs=columns, outputs=Schema([ColSpec("double", "probability")]))
        tagged = {KEY: training_key, **{f"input.{table}": str(version) for table, version in inputs.items()}, **(tags or {})}
        requirements = [f"{package}=={importlib.metadata.version(package)}" for package in ("mlflow", "pyspark")]
        with mlflow.start_run(experiment_id=self._experiment_id(), run_name=run_name, tags=tagged) as run:
            mlflow.log_params(dict(params))
            mlflow.log_metrics(dict(metrics))
            mlflow.log_dict(dict(notes), NOTES)
            with tempfile.TemporaryDirectory() as folder:
                logged = mlflow.spark.log_model(
                    pipeline, artifact_path="model", signature=signature, pip_requirements=requirements, dfs_tmpdir=folder
                )
        if not self._client.search_registered_models(f"name = '{self._name}'"):
            self._client.create_registered_model(self._name)
        made = self._client.create_model_version(
            self._name, source=logged.model_uri, run_id=run.info.run_id, model_id=logged.model_id, tags=tagged
        )
        self._client.set_registered_model_alias(self._name, CHAMPION, made.version)
        return Version(str(made.version), tagged)

    def champion(self) -> Version | None:
        """The version that serves, or None while no model was logged."""
        if not self._client.search_registered_models(f"name = '{self._name}'"):
            return None
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version_by_alias(self._name, CHAMPION)
        except MlflowException:
            return None
        return Version(str(found.version), dict(found.tags))

    def load(self, version: str) -> tuple[PipelineModel, dict[str, Any]]:
        """The pipeline of a version and the notes kept beside it. Raises MissingInputError when there is no such version."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version(self._name, version)
        except MlflowException as error:
            raise MissingInputError(f"no version {version} of model {self._name} in the registry; train it first") from error
        self._mlflow.set_tracking_uri(self._uri)
        with tempfile.TemporaryDirectory() as folder:
            pipeline = self._mlflow.spark.load_model(f"models:/{self._name}/{version}", dfs_tmpdir=folder, dst_path=folder)
        notes = self._mlflow.artifacts.load_dict(f"runs:/{found.run_id}/{NOTES}")
        return pipeline, notes

    def _experiment_id(self) -> str:
        # The location is said explicitly: by default artifacts land in ./mlruns of whatever folder is current.
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(self._experiment, artifact_location=self._artifacts))


def _import_quietly() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import mlflow.spark

    # Table upgrades and advice on how to log are no news to whoever runs a job; importing MLflow sets its own levels.
    for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("mlflow.spark", "mlflow.models.model"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow
