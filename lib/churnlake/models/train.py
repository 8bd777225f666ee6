"""Train: both learners on the earlier months, judged on the newest, the better one champion."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.models.fit import Contributions, calibrate, contributions, fit, prepared
from churnlake.models.frame import Split, months, split
from churnlake.models.judge import Measures, champion, judge
from churnlake.models.profile import profile
from churnlake.models.settings import ModelsSettings
from churnlake.models.specs import FEATURES, LABEL, specs
from churnlake.tables.churn import MODELS

Checkpoint = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Fitted:
    """One learner, fitted and judged."""

    learner: str
    pipeline: PipelineModel
    measures: Measures
    is_champion: bool


@dataclass(frozen=True)
class Trained:
    """Everything a training leaves: the learners, the split, what explains a score, and a key of all that went in."""

    fitted: tuple[Fitted, ...]
    split: Split
    contributions: Contributions
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    training_key: str

    @property
    def champion(self) -> Fitted:
        """The learner that serves."""
        return next(fitted for fitted in self.fitted if fitted.is_champion)

    def metrics(self) -> dict[str, float]:
        """What is known of both learners, flat: the champion's measures by name, every learner's under its own."""
        flat = {f"{f.learner}_{name}": value for f in self.fitted for name, value in f.measures.items() if value is not None}
        return {name: value for name, value in self.champion.measures.items() if value is not None} | flat

    def params(self) -> dict[str, str]:
        """What was trained on, as text."""
        return {
            "learner": self.champion.learner,
            "train_months": ",".join(str(month.month) for month in self.split.train),
            "test_month": str(self.split.test.month),
            "train_rows": str(self.split.rows),
            "test_rows": str(self.split.test.rows),
            "numeric_features": str(len(self.numeric)),
            "category_features": ",".join(self.categories),
        }


def train(
    frame: DataFrame, numeric: list[str], categories: list[str], settings: ModelsSettings, checkpoint: Checkpoint
) -> Trained:
    """Both learners fitted on the earlier months of a labelled frame and judged on its newest month.

    One fixed fit a learner, no search: what is measured on the test month was not chosen by it, but for the champion.
    Leavers are not resampled, for then no probability would hold; a training set above ``most_train_rows`` is thinned
    evenly, by a hash of the user.

    Args:
        frame: one row per user and month, from ``frame.labelled``.
        numeric: the numeric features.
        categories: the text features.
        settings: how to fit.
        checkpoint: materialises a frame and cuts its lineage.

    Raises:
        MissingInputError: too few months, leavers or features.
    """
    # Users go to fixed partitions in a fixed order: sums of doubles, and so the fits, come out the same every time.
    ordered = frame.repartition(settings.partitions, "user_id").sortWithinPartitions("user_id", "month")
    base = checkpoint(ordered)
    parts = split(months(base), settings)
    rows = base.where(F.col("month").isin([month.month for month in parts.train]))
    if parts.rows > settings.most_train_rows:
        kept = int(1_000_000 * settings.most_train_rows / parts.rows)
        rows = rows.where(F.pmod(F.xxhash64("user_id", F.lit(settings.seed)), F.lit(1_000_000)) < kept)
    known = profile(rows, numeric, categories, settings)
    if not known.columns:
        raise MissingInputError("no feature is filled and varies in the months trained on; run build_features for them again")
    ready, stages = prepared(rows, known)
    newest, _ = prepared(base.where(F.col("month") == F.lit(parts.test.month)), known)
    ready, newest = ready.select(FEATURES, LABEL).persist(), newest.select(FEATURES, LABEL).persist()
    learners = specs(settings)
    models: dict[str, PipelineModel] = {}
    try:
        for spec in learners:
            models[spec.learner] = calibrate(fit(spec, ready), newest, parts.test.rows, parts.test.leavers)
        judged = judge(models, newest, settings.top_share)
    finally:
        ready.unpersist()
        newest.unpersist()
    best = champion(judged, [spec.learner for spec in learners])
    linear = next(spec.learner for spec in learners if spec.is_linear)
    return Trained(
        fitted=tuple(
            Fitted(name, PipelineModel([*stages, *model.stages]), judged[name], name == best) for name, model in models.items()
        ),
        split=parts,
        contributions=contributions(models[linear], known),
        numeric=tuple(n.name for n in known.numeric),
        categories=tuple(c.name for c in known.categories),
        training_key=_key(parts, numeric, categories, settings),
    )


def report(trained: Trained, known_on: dt.date, model_version: str, frame: DataFrame) -> DataFrame:
    """One row per learner fitted, as churn.models keeps it. Any frame of the session will do as ``frame``."""
    parts = trained.split
    rows = [
        {
            "known_on": known_on,
            "learner": fitted.learner,
            "train_months": [str(month.month) for month in parts.train],
            "test_month": parts.test.month,
            "train_rows": parts.rows,
            "test_rows": parts.test.rows,
            **fitted.measures,
            "is_champion": fitted.is_champion,
            "model_version": model_version,
        }
        for fitted in trained.fitted
    ]
    return frame.sparkSession.createDataFrame([tuple(row[name] for name in MODELS.names) for row in rows], MODELS.schema)


def _key(parts: Split, numeric: list[str], categories: list[str], settings: ModelsSettings) -> str:
    content = repr((parts, numeric, categories, settings.model_dump()))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
