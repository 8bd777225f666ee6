"""The warning forecasts: a logistic regression for each sign, taught on past months, judged on the newest that is over, and served.

Each is one logistic regression with an elastic net and calibrated probabilities (Platt 1999, see ``fit.calibrate``). Nothing from the
future: the months taught with were over, days to come included, when the month tested on ended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.months import last_day
from churnlake.models.fit import calibrate, held_out, prepared, probability
from churnlake.models.frame import raw
from churnlake.models.judge import judge, measures
from churnlake.models.learners import FEATURES, LABEL, Candidate
from churnlake.models.profile import profile
from churnlake.models.search import side_by_side
from churnlake.models.settings import ModelsSettings
from churnlake.tables.stages import FORECAST_NAMES, FORECASTS, FORECASTS_JUDGED

Checkpoint = Callable[[DataFrame], DataFrame]
Judged = dict[str, float | int | str | dt.date | list[str] | None]


@dataclass(frozen=True)
class Taught:
    """What was taught: the stages that make a feature vector, by forecast the regression that serves, and how each was judged."""

    stages: tuple[Transformer, ...]
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    served: Mapping[str, PipelineModel]
    judged: Mapping[str, Judged]


@dataclass(frozen=True)
class _Month:
    month: dt.date
    rows: int
    positives: Mapping[str, int]


def teach(
    frame: DataFrame,
    forecasts: Sequence[str],
    days: int,
    numeric: list[str],
    categories: list[str],
    settings: ModelsSettings,
    checkpoint: Checkpoint,
) -> Taught:
    """Each forecast taught on the months of the frame and judged on the newest; left out, with the reason, where too few came true.

    A young lake has no month that was over when the newest ended: the forecasts then serve without having been judged.

    Args:
        frame: one row per month and user whose days to come are over: month, user_id, features, and by forecast whether it came true.
        forecasts: the columns that say so.
        days: how many days are to come.
        numeric: the numeric features.
        categories: the text features.
        settings: the learner's parameters (the first of logistic), how many must have come true, and most rows taught with.
        checkpoint: materialises a frame and cuts its lineage.
    """
    outcome = [F.col(name).cast("double").alias(name) for name in forecasts]
    plain = frame.select("month", "user_id", *outcome, *raw(numeric, categories))
    # in fixed partitions and order: sums of doubles, and so the fits, come out the same every time
    base = checkpoint(plain.repartition(settings.partitions, "user_id").sortWithinPartitions("user_id", "month"))
    found = _months(base, forecasts)
    before = [m for m in found if found and _over(m.month, days) <= last_day(found[-1].month)]
    least = settings.forecasts.least_positives
    enough = [name for name in forecasts if sum(month.positives[name] for month in found) >= least]
    tested = [name for name in enough if sum(m.positives[name] for m in before) >= least and found[-1].positives[name] > 0]
    judged = {name: _told(name, found, before if name in tested else [], enough, least) for name in forecasts}
    if not enough:
        return Taught((), tuple(numeric), tuple(categories), {}, judged)
    rows = base
    total = sum(month.rows for month in found)
    if total > settings.most_train_rows:
        kept = int(1_000_000 * settings.most_train_rows / total)
        rows = rows.where(F.pmod(F.xxhash64("user_id", F.lit(settings.seed)), F.lit(1_000_000)) < kept)
    # what is usual is told by the months taught with, where there are such
    of_before = F.col("month").isin([month.month for month in before])
    known = profile(rows.where(of_before) if before else rows, numeric, categories, settings)
    if not known.columns:
        empty: dict[str, Judged] = {
            name: {**told, "left_out": told["left_out"] or "no feature is filled and varies"} for name, told in judged.items()
        }
        return Taught((), tuple(numeric), tuple(categories), {}, empty)
    ready, stages = prepared(rows, known)
    # cut from the plan of hundreds of columns, which would be gone through again for each of some hundred jobs
    ready = checkpoint(ready.select("month", "user_id", FEATURES, *forecasts))
    candidate = Candidate("logistic", settings.forecasts.learner, settings.seed)
    apart = F.pmod(F.xxhash64("user_id", F.lit(settings.seed + 1)), F.lit(3)) == 0

    def one(name: str) -> PipelineModel:
        every = ready.withColumn(LABEL, F.col(name))
        taught = every.where(of_before) if name in tested else every
        fitted = candidate.fit(taught)
        # what is calibrated by rows it was taught with says too much: a third of the users ask one taught with the others
        model = calibrate(fitted, [held_out(candidate.fit(taught.where(~apart)), taught.where(apart))])
        if name not in tested:
            return model
        asked = every.where(F.col("month") == F.lit(found[-1].month))
        figures = measures(judge({name: model}, asked)[name])
        judged[name] |= {measure: figures[measure] for measure in _MEASURES}
        # once judged, the newest month tells best how many show the sign now
        return calibrate(fitted, [held_out(fitted, asked)])

    served = dict(zip(enough, side_by_side(ready, one, enough, settings.fits_at_once), strict=True))
    return Taught(tuple(stages), tuple(numeric), tuple(categories), served, judged)


_MEASURES = ("roc_auc", "pr_auc", "precision_top_10", "calibration_slope", "calibration_error")


def foretell(features: DataFrame, taught: Taught, known_on: dt.date, settings: ModelsSettings) -> DataFrame:
    """One row per user asked about at a month's end (churn.forecasts): the chance of each sign; those who can be cared for are warned of.

    A user's place goes by its places in all forecasts together (Borda 1781): the signs are not equally common, and who leaves is likely
    to show several. Equals are placed by the likeliest sign, then by user_id.

    Args:
        features: one row per user asked about, of one month.
        taught: what to foretell with; at least one forecast is served.
        known_on: the month's last day.
        settings: how many can be cared for.
    """
    frame = features.select("user_id", *raw(list(taught.numeric), list(taught.categories)))
    for stage in taught.stages:
        frame = stage.transform(frame)
    frame = frame.select("user_id", FEATURES)
    for name, model in taught.served.items():
        frame = model.transform(frame).select(*frame.columns, probability().alias(name))
    absent = [name for name in FORECAST_NAMES if name not in taught.served]
    frame = frame.withColumns({name: F.lit(None).cast("double") for name in absent})
    # of equals the first declared: the least negated place
    each = [
        F.struct(F.col(name).alias("p"), F.lit(-at).alias("turn"), F.lit(name).alias("name"))
        for at, name in enumerate(FORECAST_NAMES)
        if name in taught.served
    ]
    likeliest = F.array_max(F.array(*each))
    told = frame.withColumn("likeliest", likeliest).select(
        F.lit(known_on).alias("known_on"), "user_id", *FORECAST_NAMES,
        F.col("likeliest.p").alias("probability"), F.col("likeliest.name").alias("forecast"),
    )  # fmt: skip
    # by each forecast the place among all; the least sum of them is the first
    whole = Window.partitionBy("known_on")
    places = [F.rank().over(whole.orderBy(F.desc(name))) for name in FORECAST_NAMES if name in taught.served]
    summed = told.withColumn("places", reduce(Column.__add__, places))
    order = whole.orderBy("places", F.desc("probability"), "user_id")
    placed = summed.withColumn("place", F.row_number().over(order).cast("bigint"))
    cared_for = F.round(F.count("*").over(whole) * settings.forecasts.cared_for_share)
    return placed.withColumn("is_warned", F.col("place") <= cared_for).select(FORECASTS.names)


def report(judged: Sequence[tuple[dt.date, Taught]], session: DataFrame) -> DataFrame:
    """One row per day and forecast, as churn.forecasts_judged keeps it. Any frame of the session will do."""
    rows = [
        tuple({"known_on": day, **row}.get(name) for name in FORECASTS_JUDGED.names)
        for day, t in judged
        for row in t.judged.values()
    ]
    return session.sparkSession.createDataFrame(rows, FORECASTS_JUDGED.schema)


def _months(base: DataFrame, forecasts: Sequence[str]) -> list[_Month]:
    counts = base.groupBy("month").agg(F.count("*").alias("rows"), *[F.sum(name).alias(name) for name in forecasts])
    found = [_Month(row["month"], row["rows"], {name: int(row[name]) for name in forecasts}) for row in counts.collect()]
    return sorted(found, key=lambda month: month.month)


def _told(name: str, found: Sequence[_Month], before: Sequence[_Month], enough: Sequence[str], least: int) -> Judged:
    """What is said of a forecast before it is fitted: what it is taught and tested on, or why it is left out."""
    positives = sum(month.positives[name] for month in found)
    why = None
    if name not in enough:
        why = f"{positives} users of {len(found)} months showed the sign, fewer than models.forecasts.least_positives={least}"
    test = found[-1] if before else None
    return {
        "forecast": name,
        "train_months": [str(month.month) for month in before],
        "test_month": test.month if test else None,
        "train_positives": sum(month.positives[name] for month in before),
        "test_rows": test.rows if test else 0,
        "test_positives": test.positives[name] if test else 0,
        "left_out": why,
    }


def _over(month: dt.date, days: int) -> dt.date:
    return last_day(month) + dt.timedelta(days=days)
