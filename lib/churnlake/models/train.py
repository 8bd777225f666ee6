"""Train: learners chosen on earlier months, judged on the newest, the best one champion."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.tracking import Trial
from churnlake.models.fit import Contributions, calibrate, contributions, prepared
from churnlake.models.frame import Split, check_classes, months, split
from churnlake.models.judge import Measures, judge, measures
from churnlake.models.learners import FEATURES, LABEL, SIMPLEST, Candidate, answers, candidates
from churnlake.models.log_odds import MARGIN
from churnlake.models.profile import Profile, profile
from churnlake.models.search import Checkpoint, Fold, best, merit, side_by_side, tried
from churnlake.models.settings import ModelsSettings
from churnlake.stats.gains import Gains
from churnlake.tables.churn import MODELS

NOT_TAUGHT = {
    "targets",
    "ablation",
    "low_value_quantile",
    "fall_back_to",
    "promotion",
    "profit",
    "importance",
    "drift",
    "leakage",
    "winback_days",
    "hazard",
    "fits_at_once",
    "forecasts",
    "tables",
}
"""Settings that no fit depends on."""
REGISTERED = {
    "leave_t1": "churn_leave",
    "leave_t2": "churn_leave_later",
    "revenue": "churn_revenue",
    "winback": "churn_winback",
    "hazard": "churn_hazard",
}
"""By target, the name of its model in the registry."""


@dataclass(frozen=True)
class Fitted:
    """One learner with the parameters chosen for it, fitted and judged. ``merit``: mean PR-AUC on the folds, None where there were none."""

    candidate: Candidate
    measures: Measures
    merit: float | None
    is_champion: bool

    @property
    def learner(self) -> str:
        """Its name."""
        return self.candidate.learner


@dataclass(frozen=True)
class Material:
    """What is to be taught: rows that stay as they are, months to teach and the one to test on, and a key of all that goes in."""

    rows: DataFrame
    split: Split
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    training_key: str
    checkpoint: Checkpoint

    @property
    def newest(self) -> DataFrame:
        """The rows of the month tested on: one per user."""
        return self.rows.where(F.col("month") == F.lit(self.split.test.month))

    def taught(self, settings: ModelsSettings) -> DataFrame:
        """The rows of the months trained on, thinned to ``most_train_rows`` by a hash of the user: one per user and month."""
        return self.rows.where(self.is_taught(settings))

    def is_taught(self, settings: ModelsSettings) -> Column:
        """Whether a row is one of ``taught``."""
        return F.col("month").isin([month.month for month in self.split.train]) & self.is_kept(settings)

    def is_kept(self, settings: ModelsSettings) -> Column:
        """Whether a user stays where the months trained on are thinned."""
        if self.split.rows <= settings.most_train_rows:
            return F.lit(True)
        kept = int(1_000_000 * settings.most_train_rows / self.split.rows)
        return F.pmod(F.xxhash64("user_id", F.lit(settings.seed)), F.lit(1_000_000)) < kept


@dataclass(frozen=True)
class Trained:
    """Everything a training leaves: the learners, the split, what explains a score, and a key of all that went in.

    ``judging``: the chosen one as it was judged, taught and calibrated without the newest month; ``serving``: the same taught once more, with that
    month; both from raw columns to probability. ``newest``: the rows of that month with their feature
    vector, and without the columns it was made of. ``gains``: the ranking of that month and of those asked while choosing (before
    calibration). ``unusable``: features that are hardly filled or do not vary.
    """

    fitted: tuple[Fitted, ...]
    split: Split
    folds: tuple[str, ...]
    trials: tuple[Trial, ...]
    contributions: Contributions
    profile: Profile
    judging: PipelineModel
    serving: PipelineModel
    newest: DataFrame
    gains: dict[str, Gains]
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    unusable: tuple[str, ...]
    training_key: str

    @property
    def champion(self) -> Fitted:
        """The learner that was chosen."""
        return next(fitted for fitted in self.fitted if fitted.is_champion)

    def metrics(self) -> dict[str, float]:
        """What is known of all learners, flat: the champion's measures by name, every learner's under its own."""
        flat = {f"{f.learner}_{name}": value for f in self.fitted for name, value in f.measures.items() if value is not None}
        return {name: value for name, value in self.champion.measures.items() if value is not None} | flat

    def params(self) -> dict[str, str]:
        """What was trained on, as text."""
        return {
            "learner": self.champion.learner,
            **{name: f"{value:g}" for name, value in self.champion.candidate.told().items()},
            "train_months": ",".join(str(month.month) for month in self.split.train),
            "folds": ",".join(self.folds),
            "test_month": str(self.split.test.month),
            "train_rows": str(self.split.rows),
            "test_rows": str(self.split.test.rows),
            "numeric_features": str(len(self.numeric)),
            "category_features": ",".join(self.categories),
        }


def material(
    frame: DataFrame, numeric: list[str], categories: list[str], settings: ModelsSettings, checkpoint: Checkpoint
) -> Material:
    """What a training on this frame teaches, told before anything is fitted.

    Args:
        frame: one row per user and month, from ``frame.labelled``; further columns go along.
        numeric: the numeric features.
        categories: the text features.
        settings: how to fit.
        checkpoint: materialises a frame and cuts its lineage.

    Raises:
        MissingInputError: too few months or leavers, or one class alone.
    """
    # Users go to fixed partitions in a fixed order: sums of doubles, and so the fits, come out the same every time.
    base = checkpoint(frame.repartition(settings.partitions, "user_id").sortWithinPartitions("user_id", "month"))
    parts = split(months(base.select("month", "user_id", LABEL, *numeric, *categories)), settings)
    check_classes(parts)
    return Material(base, parts, tuple(numeric), tuple(categories), _key(parts, numeric, categories, settings), checkpoint)


def train(
    frame: DataFrame, numeric: list[str], categories: list[str], settings: ModelsSettings, checkpoint: Checkpoint
) -> Trained:
    """``taught`` by the ``material`` of a frame."""
    return taught(material(frame, numeric, categories, settings, checkpoint), settings)


def taught(given: Material, settings: ModelsSettings) -> Trained:
    """Learners tried on earlier months, the best of each fitted on all of them and judged on the newest, which chose nothing.

    Parameters, the learner that serves and its calibration are chosen by rolling origin: months before a month teach, that month asks
    (Tashman 2000). With a single month to teach with nothing can be tried: the first parameters are taken, and the newest month
    chooses and calibrates. The learner chosen is fitted once more with that month among the others before it serves.
    Leavers are not resampled, for then no probability would hold; a training set above ``most_train_rows`` is thinned
    evenly, by a hash of the user.

    Raises:
        MissingInputError: no usable feature.
    """
    parts = given.split
    known = profile(given.taught(settings), list(given.numeric), list(given.categories), settings)
    if not known.columns:
        raise MissingInputError("no feature is filled and varies in the months trained on; run build_features for them again")
    # cut from the plan of hundreds of columns, which would be gone through again for each of some hundred jobs
    is_newest = F.col("month") == F.lit(parts.test.month)
    assembled, stages = prepared(given.rows.where(given.is_taught(settings) | is_newest), known)
    beside = [name for name in given.rows.columns if name not in (*given.numeric, *given.categories)]
    assembled = given.checkpoint(assembled.select(*beside, FEATURES))
    ready, newest = assembled.where(~is_newest), assembled.where(is_newest)
    folds, every = origins(parts, settings), candidates(settings)
    found = tried(ready, folds, every, given.checkpoint, settings.finalists, settings.fits_at_once)
    chosen = best(found, every)
    whole = side_by_side(ready, lambda candidate: candidate.fit(ready), chosen, settings.fits_at_once)
    asked = given.checkpoint(answers(whole, newest, F.col(MARGIN)))

    def told_of(at: int) -> tuple[list[DataFrame], DataFrame]:
        """What a candidate said of rows it was not taught: of those asked while choosing, and of the newest month."""
        on_folds = [one.held_out for one in found if one.candidate == chosen[at]]
        return on_folds, asked.select(F.col(f"answer_{at}").alias(MARGIN), LABEL)

    def as_judged(at: int) -> PipelineModel:
        on_folds, on_newest = told_of(at)
        return calibrate(whole[at], on_folds or [on_newest])

    both = side_by_side(ready, as_judged, range(len(chosen)), settings.fits_at_once)
    models = {candidate.learner: model for candidate, model in zip(chosen, both, strict=True)}
    gains = judge(models, newest)
    judged = {learner: measures(ranking) for learner, ranking in gains.items()}
    by_test = max(chosen, key=lambda candidate: round(judged[candidate.learner]["pr_auc"] or 0.0, 6))
    serves = chosen[0] if folds else by_test
    # judged it is; what serves is taught once more, with the newest month, which is nearest to those it will be asked about
    on_folds, on_newest = told_of(chosen.index(serves))
    last = serves.fit(assembled.where(~is_newest | given.is_kept(settings)))
    served = calibrate(last, [*on_folds, on_newest])
    usable = {*(n.name for n in known.numeric), *(c.name for c in known.categories)}
    return Trained(
        fitted=tuple(
            Fitted(
                candidate,
                judged[candidate.learner],
                merit(found, candidate) if folds else None,
                candidate == serves,
            )
            for candidate in sorted(chosen, key=lambda candidate: SIMPLEST.index(candidate.learner))
        ),
        split=parts,
        folds=tuple(fold.name for fold in folds),
        trials=tuple(one.told() for one in found),
        contributions=contributions(models[SIMPLEST[0]], known),
        profile=known,
        judging=PipelineModel([*stages, *models[serves.learner].stages]),
        serving=PipelineModel([*stages, *served.stages]),
        newest=newest,
        gains={
            **{one.fold.name: one.gains for one in found if one.candidate == serves},
            f"{parts.test.month:%Y-%m}": gains[serves.learner],
        },
        numeric=tuple(n.name for n in known.numeric),
        categories=tuple(c.name for c in known.categories),
        unusable=tuple(name for name in (*given.numeric, *given.categories) if name not in usable),
        training_key=given.training_key,
    )


def origins(parts: Split, settings: ModelsSettings) -> list[Fold]:
    """Folds of rolling origin within the months trained on, oldest first: each of the newest ``most_folds`` is asked once, those before teach."""
    months_of = [month.month for month in parts.train]
    folds = []
    for asked in months_of:
        taught = [month for month in months_of if _number(month) <= _number(asked) - settings.gap_months]
        leavers = sum(month.leavers for month in parts.train if month.month in taught)
        if leavers >= settings.least_leavers:
            told = F.col("month").isin(taught)
            folds.append(Fold(f"{asked:%Y-%m}", told, F.col("month") == F.lit(asked)))
    return folds[-settings.most_folds :]


def _number(month: dt.date) -> int:
    return month.year * 12 + month.month


def told(trained: Trained, target: str, known_on: dt.date, model_version: str, serves: bool, why: str) -> list[dict[str, Any]]:
    """One row per learner fitted, as churn.models keeps it; the chosen one is the champion where it ``serves``."""
    parts = trained.split
    return [
        {
            "known_on": known_on,
            "target": target,
            "learner": fitted.learner,
            "train_months": [str(month.month) for month in parts.train],
            "test_month": parts.test.month,
            "train_rows": parts.rows,
            "test_rows": parts.test.rows,
            "parameters": str(fitted.candidate),
            "merit": fitted.merit,
            **fitted.measures,
            "is_champion": fitted.is_champion and serves,
            "verdict": why if fitted.is_champion else None,
            "model_version": model_version,
        }
        for fitted in trained.fitted
    ]


def report(rows: Sequence[Mapping[str, Any]], frame: DataFrame) -> DataFrame:
    """The rows as a frame of churn.models. Any frame of the session will do as ``frame``."""
    return frame.sparkSession.createDataFrame([tuple(row.get(name) for name in MODELS.names) for row in rows], MODELS.schema)


def _key(parts: Split, numeric: list[str], categories: list[str], settings: ModelsSettings) -> str:
    content = repr((parts, numeric, categories, settings.model_dump(exclude=NOT_TAUGHT)))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
