"""When and how a user goes: hazards of two competing exits, leaving for good and coming back under another number, month by month.

A user active at a month's end gives a row for each month ahead that it entered and of which it is known what became of it; a multinomial
logistic regression tells stay, leave and re-enter apart (discrete-time competing risks: Allison 1982; all months ahead in one model with
the month ahead as a covariate: van Houwelingen 2007, "landmarking").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.models.batches import Matrix, Question, Raw, asked, margins
from churnlake.models.frame import raw
from churnlake.models.learners import FEATURES, LABEL
from churnlake.models.profile import Profile
from churnlake.models.settings import LogisticSettings

STAY, LEAVE, REENTER = 0, 1, 2
OUTCOMES = ("stay", "leave", "re-enter")
AHEAD = {"leave_t1": 1, "leave_t2": 2}
"""By target, how many months ahead it tells of."""
LATER = "later"
"""1 in the second month ahead, else 0."""
HAZARD = "hazard"
TOLD = ("leaves_in_1m", "reenters_in_1m", "leaves_in_2m", "reenters_in_2m")
"""What is told of a user: that it leaves, or re-enters, in the first and in the second month ahead."""


def outcome() -> Column:
    """Of a row of churn.labels: STAY, LEAVE (for good) or REENTER (left, and seen again under another number)."""
    return F.when(F.col("has_churned_for_good"), LEAVE).when(F.col("has_churned"), REENTER).otherwise(STAY).cast("double")


def outcomes(labels: DataFrame) -> DataFrame:
    """One row per user, month and month ahead that is closed: month, user_id, LATER, label, and ``at_risk``: still here when it began."""
    known = labels.where(F.col("target").isin(list(AHEAD))).select(
        "month", "user_id", (F.col("target") == "leave_t2").cast("double").alias(LATER), outcome().alias(LABEL)
    )
    gone = known.where(f"{LATER} = 0 AND {LABEL} <> {STAY}").select("month", "user_id", F.lit(True).alias("is_gone"))
    told = known.join(gone, on=["month", "user_id"], how="left")
    return told.select("month", "user_id", LATER, LABEL, F.expr(f"{LATER} = 0 OR is_gone IS NULL").alias("at_risk"))


def check_outcomes(rows: DataFrame, least: int) -> None:
    """Raise MissingInputError where fewer than ``least`` users left, or came back, in the months taught."""
    found = {int(row[LABEL]): row["count"] for row in rows.groupBy(LABEL).count().collect()}
    for kind in (STAY, LEAVE, REENTER):
        if found.get(kind, 0) < least:
            raise MissingInputError(
                f"{found.get(kind, 0)} users {OUTCOMES[kind]} in the months trained on, fewer than models.least_leavers={least}: "
                "add months or lower it"
            )


def fitted(rows: DataFrame, known: Profile, settings: LogisticSettings) -> PipelineModel:
    """From raw columns and LATER to HAZARD, the probabilities of the three outcomes in that month.

    Args:
        rows: one row per user, month and month ahead at risk: label, LATER and the raw columns.
        known: what they say of each feature.
        settings: of the regression.
    """
    stages = [
        SQLTransformer(statement=known.statement()),
        VectorAssembler(inputCols=[*known.columns, LATER], outputCol=FEATURES),
    ]
    ready = rows
    for stage in stages:
        ready = stage.transform(ready)
    regression = LogisticRegression(
        featuresCol=FEATURES,
        labelCol=LABEL,
        family="multinomial",
        maxIter=settings.max_iter,
        regParam=settings.reg_param,
        elasticNetParam=settings.elastic_net,
        rawPredictionCol="hazard_margins",
        probabilityCol=HAZARD,
        predictionCol="hazard_likeliest",
    )
    return PipelineModel([*stages, regression.fit(ready.select(FEATURES, LABEL))])


@dataclass(frozen=True)
class Hazard:
    """What tells the exits: the fitted model, the numbers and the categories that it takes."""

    model: PipelineModel
    numeric: list[str]
    categories: list[str]


def exits(hazard: Hazard, features: DataFrame) -> DataFrame:
    """The rows given with the probabilities, to nine places, that a user leaves or re-enters in each month ahead.

    What is told of the second month is what happens in it to a user active now: it must have stayed through the first.
    """
    others = [name for name in features.columns if name not in (*hazard.numeric, *hazard.categories)]
    told = asked(features.select(*others, *raw(hazard.numeric, hazard.categories)), others, [question(hazard)])
    return told.select(*others, *(F.round(name, 9).alias(name) for name in TOLD))


def question(hazard: Hazard) -> Question:
    """What tells TOLD of a batch."""
    profile, weights, intercepts = margins(hazard.model)
    # LATER is the last that the regression takes: a month later the margins are these and its weights, and rows are gone through once
    now, later = weights[:, :-1].T, weights[:, -1]

    def answer(raw: Raw) -> list[pa.Array]:
        found = raw.vectors(profile) @ now + intercepts
        first, second = _chances(found), _chances(found + later)
        then = second * first[:, [STAY]]
        return [pa.array(column) for column in (first[:, LEAVE], first[:, REENTER], then[:, LEAVE], then[:, REENTER])]

    return Question(", ".join(f"{name} double" for name in TOLD), answer)


def _chances(margins: Matrix) -> Matrix:
    """The softmax of each row, written so that it does not overflow."""
    raised = np.exp(margins - margins.max(axis=1, keepdims=True))
    found: Matrix = raised / raised.sum(axis=1, keepdims=True)
    return found
