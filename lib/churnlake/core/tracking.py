"""The model registry: which model serves, what it was made from, and the model itself. The one importer of MLflow.

Nothing about a person goes here: parameters, measures, curves and fitted models only.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from churnlake.core.errors import ChurnlakeError, MissingInputError, UnreachableError
from churnlake.core.logs import revision
from churnlake.core.settings import TrackingSettings

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

CHAMPION, CHALLENGER = "champion", "challenger"
KEY = "training_key"
NOTES = "notes.json"
JUDGED = "judged"
SQLITE = "sqlite:///"
DATABRICKS = "databricks"
"""Begins the address of a Databricks workspace; its models are then those of Unity Catalog (databricks-uc), as MLflow 3 has it."""
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
PATIENCE = 5
"""Seconds that a registry has to answer at all."""


@dataclass(frozen=True)
class Version:
    """A registered version: its number and its tags."""

    version: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Trial:
    """One learner on one fold, a child of the training's run."""

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Logged:
    """What is kept of a training beside the model.

    Attributes:
        params: what was trained on, and how.
        metrics: how well it ranks.
        inputs: table name -> Delta version read.
        slices: table name -> the slices or months of it that went in.
        notes: plain values of fixed size kept beside the model, given back by ``load``.
        tags: further tags of run and version.
        trials: what was tried, each a child run.
        texts: file name -> text, the model card among them.
        pictures: file name -> PNG.
        judged: the model as it was judged, where what serves was taught once more since.
    """

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    inputs: Mapping[str, int]
    notes: Mapping[str, Any]
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    trials: Sequence[Trial] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    judged: PipelineModel | None = None


class Tracker:
    """Logs versions of one model and finds the champion. ``root`` is the folder that relative paths of the settings start from.

    Raises UnreachableError, within seconds, where the registry does not answer.
    """

    def __init__(self, settings: TrackingSettings, model_name: str, root: Path | None = None) -> None:
        base = (root or Path.cwd()).resolve()
        self.name = f"{settings.model_prefix}{model_name}"
        self._experiment = settings.experiment
        self._uri = settings.uri
        self._artifacts = settings.artifacts
        if settings.uri.startswith(SQLITE):
            self._uri = f"{SQLITE}{base / settings.uri.removeprefix(SQLITE)}"
        with self._reached():
            answers(self._uri)
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
        numeric: Sequence[str],
        categories: Sequence[str],
        logged: Logged,
        alias: str | None = CHAMPION,
    ) -> Version:
        """Keep a fitted pipeline as a new version under an alias: the champion serves from now on.

        Where a version with the same ``training_key`` is known, nothing is logged and all stays as it is.

        Args:
            pipeline: from raw columns to probability.
            run_name: the run's name, for people.
            training_key: a hash of all that went in.
            numeric: raw numeric columns, all doubles in the signature, for they may be null.
            categories: raw text columns.
            logged: what is kept beside it.
            alias: CHAMPION, CHALLENGER, or none.
        """
        known = self.known(training_key)
        if known is not None:
            return known
        with self._reached():
            mlflow = self._mlflow
            mlflow.set_tracking_uri(self._uri)
            from mlflow.models.signature import ModelSignature
            from mlflow.types.schema import ColSpec, Schema

            typed = [*(("double", name) for name in numeric), *(("string", name) for name in categories)]
            columns = Schema([ColSpec(kind, name, required=False) for kind, name in typed])
            signature = ModelSignature(inputs=columns, outputs=Schema([ColSpec("double", "probability")]))
            tagged = {
                KEY: training_key,
                **{f"input.{table}": str(version) for table, version in logged.inputs.items()},
                **{f"slices.{table}": ",".join(slices) for table, slices in logged.slices.items()},
                **logged.tags,
            }
            requirements = [f"{package}=={importlib.metadata.version(package)}" for package in ("mlflow", "pyspark")]
            code = {"mlflow.source.git.commit": revision() or "unknown"}
            with mlflow.start_run(experiment_id=self._experiment_id(), run_name=run_name, tags=tagged | code) as run:
                mlflow.log_params(dict(logged.params))
                mlflow.log_metrics(dict(logged.metrics))
                mlflow.log_dict(dict(logged.notes), NOTES)
                with tempfile.TemporaryDirectory() as folder:
                    self._beside(Path(folder), logged)
                if logged.judged is not None:
                    with _between() as folder:
                        mlflow.spark.save_model(
                            logged.judged, f"{folder}/model", dfs_tmpdir=f"{folder}/tmp", pip_requirements=requirements
                        )
                        mlflow.log_artifacts(f"{folder}/model", JUDGED)
                with _between() as folder:
                    model = mlflow.spark.log_model(
                        pipeline, artifact_path="model", signature=signature, pip_requirements=requirements, dfs_tmpdir=folder
                    )
            self._try_out(run, logged.trials)
            if not self._is_known():
                self._client.create_registered_model(self.name)
            made = self._client.create_model_version(
                self.name,
                source=model.model_uri,
                run_id=run.info.run_id,
                model_id=model.model_id,
                tags=self._kept_by_version(tagged),
            )
            if alias:
                self._client.set_registered_model_alias(self.name, alias, made.version)
            if alias == CHAMPION and self._by(CHALLENGER):
                # who challenged was measured against another
                self._client.delete_registered_model_alias(self.name, CHALLENGER)
            return Version(str(made.version), tagged)

    def champion(self) -> Version | None:
        """The version that serves, or None while no model was logged."""
        with self._reached():
            return self._by(CHAMPION)

    def challenger(self) -> Version | None:
        """The newest version that was not better than the champion beyond noise, or None."""
        with self._reached():
            return self._by(CHALLENGER)

    def known(self, training_key: str) -> Version | None:
        """The champion or challenger that was made of the very same, or None."""
        return next((v for v in (self.champion(), self.challenger()) if v is not None and v.tags.get(KEY) == training_key), None)

    def notes(self, version: str) -> dict[str, Any]:
        """The notes kept beside a version. Raises MissingInputError when there is no such version."""
        with self._reached():
            self._mlflow.set_tracking_uri(self._uri)
            notes: dict[str, Any] = self._mlflow.artifacts.load_dict(f"runs:/{self._found(version).run_id}/{NOTES}")
        return notes

    def load(self, version: str) -> tuple[PipelineModel, dict[str, Any]]:
        """The pipeline of a version and the notes kept beside it. Raises MissingInputError when there is no such version."""
        notes = self.notes(version)
        with self._reached(), _between() as folder:
            pipeline = self._mlflow.spark.load_model(f"models:/{self.name}/{version}", dfs_tmpdir=folder, dst_path=folder)
        return pipeline, notes

    def judged(self, version: str) -> PipelineModel:
        """The pipeline of a version as it was judged: the one that serves, unless that was taught once more since."""
        with self._reached(), _between() as folder:
            self._mlflow.set_tracking_uri(self._uri)
            run_id = self._found(version).run_id
            if any(found.path == JUDGED for found in self._client.list_artifacts(run_id)):
                there = self._mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=JUDGED, dst_path=folder)
                pipeline: PipelineModel = self._mlflow.spark.load_model(there, dfs_tmpdir=f"{folder}/tmp")
                return pipeline
        return self.load(version)[0]

    def keep(self, version: str, folder: Path) -> None:
        """Put a copy of a version and its notes into a folder, whole or not at all: ``kept`` reads it without any registry."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        notes = self.notes(version)
        with self._reached(), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as there:
            whole = Path(there) / "whole"
            whole.mkdir()
            self._mlflow.artifacts.download_artifacts(f"models:/{self.name}/{version}", dst_path=str(whole / "model"))
            (whole / NOTES).write_text(json.dumps({"version": version, "notes": notes}), encoding="utf-8")
            if folder.exists():
                folder.rename(Path(there) / "before")
            whole.rename(folder)

    def _is_known(self) -> bool:
        # asked for by name: Unity Catalog searches its models by nothing
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def _kept_by_version(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags a version takes: in Unity Catalog none whose key has a dot; the run has them all."""
        return {key: value for key, value in tags.items() if "." not in key or not self._uri.startswith(DATABRICKS)}

    def _by(self, alias: str) -> Version | None:
        if not self._is_known():
            return None
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version_by_alias(self.name, alias)
        except MlflowException:
            return None
        return Version(str(found.version), dict(found.tags))

    def _found(self, version: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(self.name, version)
        except MlflowException as error:
            raise MissingInputError(f"no version {version} of model {self.name} in the registry; train it first") from error

    def _beside(self, folder: Path, logged: Logged) -> None:
        data = {
            table: {"version": version, "slices": list(logged.slices.get(table, ()))} for table, version in logged.inputs.items()
        }
        texts = {**logged.texts, "data.json": json.dumps(data, indent=1, sort_keys=True)}
        for name, content in {**{n: t.encode() for n, t in texts.items()}, **logged.pictures}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        self._mlflow.log_artifacts(str(folder))

    def _try_out(self, parent: Any, trials: Sequence[Trial]) -> None:
        from mlflow.entities import Metric, Param

        for trial in trials:
            tags = {"mlflow.parentRunId": parent.info.run_id, "mlflow.runName": trial.name}
            child = self._client.create_run(parent.info.experiment_id, tags=tags)
            now = int(time.time() * 1000)
            self._client.log_batch(
                child.info.run_id,
                metrics=[Metric(name, value, now, 0) for name, value in trial.metrics.items()],
                params=[Param(name, value) for name, value in trial.params.items()],
            )
            self._client.set_terminated(child.info.run_id)

    def _experiment_id(self) -> str:
        # The location is said explicitly: by default artifacts land in ./mlruns of whatever folder is current.
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(self._experiment, artifact_location=self._artifacts))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except ChurnlakeError:
            raise
        except Exception as error:
            what = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
            raise UnreachableError(
                f"MLflow at {without_password(self._uri)} can not be asked for {self.name} ({what}); start it, or set tracking.uri to where it is"
            ) from error


def _between() -> tempfile.TemporaryDirectory[str]:
    """A folder through which a pipeline goes from Spark to MLflow and back; both must reach it, so on a cluster MLFLOW_DFS_TMP says where."""
    return tempfile.TemporaryDirectory(dir=os.environ.get("MLFLOW_DFS_TMP") or None)


def kept(folder: Path) -> tuple[PipelineModel, dict[str, Any], str]:
    """Pipeline, notes and version of the copy that ``Tracker.keep`` put into a folder. Raises MissingInputError where there is none."""
    if not (folder / NOTES).is_file():
        raise MissingInputError(f"no copy of a champion in {folder}; train_model puts one there when it promotes")
    told = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    mlflow = _import_quietly()
    with _between() as there:
        shutil.copytree(folder / "model", Path(there) / "model")
        pipeline = mlflow.spark.load_model(f"{there}/model", dfs_tmpdir=f"{there}/tmp")
    return pipeline, told["notes"], str(told["version"])


def without_password(uri: str) -> str:
    """The address as it may be shown."""
    password = urlsplit(uri).password
    return uri if password is None else uri.replace(password, "***")


def answers(uri: str) -> None:
    """Raise what is wrong with a registry that does not answer: MLflow's own clients would try again for minutes."""
    place = urlsplit(uri)
    scheme = place.scheme.partition("+")[0]
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE))
        database.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(database, timeout=PATIENCE) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
        connection.close()
    elif scheme in PORTS and place.hostname:
        socket.create_connection((place.hostname, place.port or PORTS[scheme]), timeout=PATIENCE).close()


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
