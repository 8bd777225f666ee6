"""When and how a user goes: hazards of two competing exits, leaving for good and coming back under another number, month by month.

A user active at a month's end gives a row for each month ahead that it entered and of which it is known what became of it; a multinomial
logistic regression tells stay, leave and re-enter apart (discrete-time competing risks: Allison 1982; all months ahead in one model with
the month ahead as a covariate: van Houwelingen 2007, "landmarking").
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.models.frame import raw
from churnlake.models.learners import FEATURES, LABEL
from churnlake.models.profile import Profile
from churnlake.models.settings import LogisticSettings
from churnlake.tables.judged import HAZARDS

STAY, LEAVE, REENTER = 0, 1, 2
OUTCOMES = ("stay", "leave", "re-enter")
AHEAD = {"leave_t1": 1, "leave_t2": 2}
"""By target, how many months ahead it tells of."""
LATER = "later"
"""1 in the second month ahead, else 0."""
HAZARD = "hazard"


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


def exits(model: PipelineModel, features: DataFrame, numeric: Sequence[str], categories: Sequence[str]) -> DataFrame:
    """The rows given with the probabilities, to nine places, that a user leaves or re-enters in each month ahead.

    What is told of the second month is what happens in it to a user active now: it must have stayed through the first.
    """
    others = [name for name in features.columns if name not in (*numeric, *categories)]
    given = features.select(*others, *raw(list(numeric), list(categories)))
    for at, name in enumerate(("now", "then")):
        taken = [*given.columns]
        told = model.transform(given.withColumn(LATER, F.lit(float(at))))
        given = told.select(*taken, vector_to_array(F.col(HAZARD)).alias(name))
    stays = F.col("now")[STAY]
    found = {
        "leaves_in_1m": F.col("now")[LEAVE],
        "reenters_in_1m": F.col("now")[REENTER],
        "leaves_in_2m": stays * F.col("then")[LEAVE],
        "reenters_in_2m": stays * F.col("then")[REENTER],
    }
    return given.select(*others, *(F.round(column, 9).alias(name) for name, column in found.items()))


def hazards(
    model: PipelineModel, features: DataFrame, numeric: Sequence[str], categories: Sequence[str], version: str
) -> DataFrame:
    """One row per user and month given, as churn.hazards keeps it."""
    told = exits(model, features.select("month", "user_id", *numeric, *categories), numeric, categories)
    return told.withColumn("model_version", F.lit(version)).select(*HAZARDS.names)
