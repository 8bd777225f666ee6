"""What pipelines say in batches, beside what Spark makes of the same rows one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.base import Transformer
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError
from churnlake.core.settings import load
from churnlake.models.batches import Question, asked, chance
from churnlake.models.fit import calibrate, held_out, prepared, probability
from churnlake.models.frame import raw
from churnlake.models.hazard import TOLD, Hazard, exits
from churnlake.models.hazard import fitted as fitted_hazard
from churnlake.models.learners import FEATURES, LABEL, Candidate
from churnlake.models.profile import Category, Numeric, Profile, profile
from churnlake.models.settings import (
    BoostedSettings,
    ForestSettings,
    LogisticSettings,
    NewtonSettings,
    PerceptronSettings,
    TreeSettings,
)
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").models
BRANDS = ("EasyOwn", "it's", "back\\slash", None)
NUMERIC, CATEGORIES = ["calls", "slope", "patchy"], ["brand", "plan"]
LEARNERS = {
    "logistic": LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.2, cost=3.0),
    "tree": TreeSettings(depth=4, least_rows=5, least_gain=0.0, bins=16, cost=2.0),
    "forest": ForestSettings(trees=7, depth=5, least_rows=3, bins=16, columns_share=0.5),
    "boosted": BoostedSettings(trees=8, depth=3, step=0.2, least_rows=5, bins=16, rows_share=0.8, columns_share=1.0),
    "perceptron": PerceptronSettings(hidden=4, max_iter=30),
}


@dataclass(frozen=True)
class Case:
    """Rows with numbers that are missing, none and negative, texts with quotes, and what is prepared of those taught."""

    rows: DataFrame
    known: Profile
    ready: DataFrame
    stages: list[Transformer]


@pytest.fixture(scope="module")
def case(spark: SparkSession) -> Iterator[Case]:
    draw = "pmod(xxhash64(user_id, {0}), 1000) / 1000D"
    rows = spark.range(600).withColumnRenamed("id", "user_id").select(
        "user_id",
        F.expr(f"floor(40 * {draw.format(1)} * {draw.format(2)})").alias("calls"),
        F.expr(f"if({draw.format(3)} < 0.1, double('NaN'), 8 * {draw.format(3)} - 5)").alias("slope"),
        F.expr(f"if({draw.format(4)} < 0.3, null, 100 * {draw.format(4)})").alias("patchy"),
        F.element_at(F.array(*map(F.lit, BRANDS)), F.expr(f"int(1 + 4 * {draw.format(5)})")).alias("brand"),
        F.expr(f"if({draw.format(6)} < 0.004, 'rare', if({draw.format(6)} < 0.5, '1', 'unknown'))").alias("plan"),
    )  # fmt: skip
    rows = rows.withColumn(
        LABEL, F.expr(f"double(calls / 40D + slope / 10D + {draw.format(7)} > 0.7 and not isnan(slope))")
    ).persist()
    # a fifth is not taught, and of a brand that nobody had
    known = profile(rows.where("user_id % 5 > 0"), NUMERIC, CATEGORIES, SETTINGS)
    rows = rows.withColumn("brand", F.when(F.col("user_id") % 25 == 0, "new").otherwise(F.col("brand")))
    ready, stages = prepared(rows, known)
    ready = ready.select("user_id", FEATURES, LABEL).persist()
    yield Case(rows, known, ready, stages)
    ready.unpersist()
    rows.unpersist()


def told(case: Case, pipeline: PipelineModel) -> list[tuple[int, float]]:
    known, answer = chance(pipeline)
    question = Question("probability double", lambda batch: [pa.array(answer(batch.vectors(known)))])
    given = case.rows.repartition(3).select("user_id", *raw(NUMERIC, CATEGORIES))
    return sorted(tuple(row) for row in asked(given, ["user_id"], [question]).collect())


@pytest.mark.parametrize("learner", LEARNERS)
def test_each_learner_says_what_it_says_row_by_row(case: Case, learner: str) -> None:
    fitted = Candidate(learner, LEARNERS[learner], 7).fit(case.ready.where("user_id % 5 > 0"))
    pipeline = PipelineModel([*case.stages, *calibrate(fitted, [held_out(fitted, case.ready)]).stages])
    found = told(case, pipeline)
    expected = sorted(tuple(row) for row in pipeline.transform(case.rows).select("user_id", probability()).collect())
    assert [user for user, _ in found] == [user for user, _ in expected]
    assert [one for _, one in found] == pytest.approx([one for _, one in expected], abs=2e-9)
    assert len({one for _, one in expected}) > 4


def test_hazards_are_those_of_sparks_own_regression(case: Case) -> None:
    rows = case.rows.withColumn("later", F.lit(0.0)).unionByName(case.rows.withColumn("later", F.lit(1.0)))
    rows = rows.withColumn(LABEL, F.when(F.col(LABEL) == 1, 1 + F.pmod("user_id", F.lit(2))).otherwise(0).cast("double"))
    model = fitted_hazard(rows, case.known, SETTINGS.hazard)
    found = exits(Hazard(model, NUMERIC, CATEGORIES), case.rows.drop(LABEL)).orderBy("user_id").select(*TOLD).collect()
    first, second = (
        np.array([row[0].toArray() for row in model.transform(case.rows.withColumn("later", F.lit(at))).orderBy("user_id").select("hazard").collect()])
        for at in (0.0, 1.0)
    )  # fmt: skip
    expected = np.stack([first[:, 1], first[:, 2], first[:, 0] * second[:, 1], first[:, 0] * second[:, 2]], axis=1)
    assert np.array(found) == pytest.approx(expected, abs=2e-9)
    assert expected.std(axis=0).min() > 1e-4


def test_a_statement_tells_what_it_was_written_of() -> None:
    known = Profile(
        (Numeric("a", 0.0, -1.5e-12, 2.25e17), Numeric("z_b", -3.0, math.pi, 1e-300)),
        (Category("brand", ("it's", "back\\slash", "a', '(1.0D)", "other", "unknown"), ()),),
    )
    assert Profile.of_statement(known.statement()) == known


def test_a_pipeline_of_another_make_is_refused(case: Case) -> None:
    newton = Candidate("newton", NewtonSettings(trees=2, depth=2, step=0.2, least_rows=20, bins=16), 7).fit(case.ready)
    other = PipelineModel([SQLTransformer(statement="SELECT *, 0.5D AS probability FROM __THIS__")])
    for pipeline in (other, PipelineModel([*case.stages, *calibrate(newton, [held_out(newton, case.ready)]).stages])):
        with pytest.raises(ContractError, match="a champion is no pipeline that job train_model makes"):
            chance(pipeline)
