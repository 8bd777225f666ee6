"""What models lean on: signals planted in two of four features are found by shuffling and by leaving out, for every learner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.settings import load
from churnlake.models.fit import Contributions, calibrate, contributions, held_out, prepared
from churnlake.models.importance import ablated, permuted, places
from churnlake.models.learners import FEATURES, SIMPLEST, Candidate
from churnlake.models.parts import WHOLE, by_part, profit
from churnlake.models.profile import Profile, profile
from churnlake.models.score import score
from churnlake.models.settings import (
    BoostedSettings,
    ForestSettings,
    LogisticSettings,
    PerceptronSettings,
    TreeSettings,
)
from churnlake.settings import Settings
from churnlake.stats.gains import Gains

SETTINGS = load(Settings, "local").models
LEARNERS = {
    "logistic": LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.0),
    "tree": TreeSettings(depth=3, least_rows=10, least_gain=0.0, bins=16),
    "forest": ForestSettings(trees=8, depth=4, least_rows=5, bins=16, columns_share=0.7),
    "boosted": BoostedSettings(trees=6, depth=3, step=0.3, least_rows=5, bins=16),
    "perceptron": PerceptronSettings(hidden=4, max_iter=60),
}
ASKED = SETTINGS.importance.model_copy(update={"rows": 400, "features": 4})


def u(seed: int) -> Column:
    return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(10_000)) / F.lit(10_000.0)


@dataclass(frozen=True)
class Case:
    taught: DataFrame
    newest: DataFrame
    known: Profile
    given: Contributions


@pytest.fixture(scope="module")
def case(spark: SparkSession) -> Iterator[Case]:
    frame = spark.range(1600).select(F.col("id").alias("user_id")).select(
        "user_id", F.lit("2005-05-01").cast("date").alias("month"), (u(1) * 2 - 1).alias("slope"), (u(2) * 50).alias("calls"),
        (u(3) * 9).alias("noise"), F.when(u(4) < 0.3, "mzone").otherwise("gotone").alias("brand"), (u(5) * 100).alias("judged_value"),
    )  # fmt: skip
    risk = F.expr("-2 - 3 * slope + if(brand = 'mzone', 1.5, 0)")
    frame = frame.withColumn("label", (u(9) < 1 / (1 + F.exp(-risk))).cast("double")).withColumn("judged_brand", F.col("brand"))
    frame = frame.repartition(2, "user_id").sortWithinPartitions("user_id").persist()
    taught, newest = frame.where("user_id < 1000"), frame.where("user_id >= 1000")
    known = profile(taught, ["slope", "calls", "noise"], ["brand"], SETTINGS)
    ready, _ = prepared(taught, known)
    yield Case(taught, newest, known, contributions(Candidate("logistic", LEARNERS["logistic"], 1).fit(ready), known))
    frame.unpersist()


@pytest.mark.parametrize("learner", SIMPLEST)
def test_shuffling_finds_what_each_learner_leans_on_and_reasons_are_told(case: Case, learner: str) -> None:

    ready, stages = prepared(case.taught, case.known)
    fitted = Candidate(learner, LEARNERS[learner], 1).fit(ready)
    calibrated = calibrate(fitted, [held_out(fitted, ready)])
    model, newest = PipelineModel([*stages, *calibrated.stages]), prepared(case.newest, case.known)[0]
    found = permuted(calibrated, newest, case.known, ASKED, 5)
    lost = dict(found)
    assert found[0][0] == "slope"
    assert lost["slope"] > 0.15
    assert lost["brand"] > 0.005
    assert max(lost.get(name, 0.0) for name in ("calls", "noise")) < 0.03
    assert permuted(calibrated, newest.repartition(5, "calls"), case.known, ASKED, 5) == [
        (name, pytest.approx(value, abs=1e-9)) for name, value in found
    ], "the order of rows changes nothing"
    told = score(case.newest, model, case.given, "1", SETTINGS).where("place <= 30").collect()
    assert all(any(reason.startswith("slope low (-") for reason in row["reasons"]) for row in told), learner
    assert any("brand is mzone" in row["reasons"] for row in told)


def test_leaving_out_a_group_costs_what_it_brings(case: Case) -> None:
    ready, newest = (prepared(part, case.known)[0].select(FEATURES, "label") for part in (case.taught, case.newest))
    groups = {
        "signs": ["slope"],
        "use": ["calls", "noise"],
        "not taken": ["seconds"],
        "all": ["slope", "calls", "noise", "brand"],
    }
    lost = ablated(Candidate("logistic", LEARNERS["logistic"], 1), ready, newest, case.known, groups)
    assert set(lost) == {"signs", "use"}
    assert lost["signs"] > 0.15
    assert abs(lost["use"]) < 0.05
    assert places(case.known) == {"slope": [0], "calls": [1], "noise": [2], "brand": [3, 4, 5, 6]}


def test_parts_are_of_the_whole_and_money_is_that_of_every_cut(case: Case) -> None:
    ready, stages = prepared(case.taught, case.known)

    fitted = Candidate("logistic", LEARNERS["logistic"], 1).fit(ready)
    model = PipelineModel([*stages, *calibrate(fitted, [held_out(fitted, ready)]).stages])
    odd = case.newest.withColumns(
        {
            "judged_brand": F.expr("if(user_id % 50 = 0, null, brand)"),
            "judged_value": F.expr("if(user_id % 4 = 0, null, judged_value)"),
        }
    )
    found = by_part(model, odd, (0.3, 0.7), SETTINGS.profit)
    whole = found[WHOLE]
    assert whole.rows.sum() == 600
    assert {value for part, value in found if part == "brand"} == {"gotone", "mzone", "unknown"}
    for part in ("brand", "tier"):
        assert sum(gains.rows.sum() for (of, _), gains in found.items() if of == part) == 600
    # who pays nothing, a quarter here, is of the low tier
    assert found["tier", "low"].rows.sum() == pytest.approx(180, abs=3)
    p = SETTINGS.profit
    scored = (
        score(odd, model, case.given, "1", SETTINGS)
        .select("user_id", "probability")
        .join(odd, on="user_id", how="inner")
        .toPandas()
    )
    scored = scored.sort_values("probability", ascending=False)
    worth = scored["judged_value"].fillna(0) * p.margin_share * p.months
    accepted = p.accepted_alpha / (p.accepted_alpha + p.accepted_beta)
    each = accepted * (worth - p.offer_yuan) * scored["label"] - p.offer_yuan * (1 - scored["label"]) - p.contact_yuan
    told = profit(whole, p)
    assert told["profit_yuan"] == pytest.approx(max(each.cumsum().max(), 0.0), abs=0.5)
    assert told["empc"] is not None
    empty = Gains(*(part * 0 for part in (whole.rows, whole.rows, whole.score, whole.value)))
    assert set(profit(empty, p).values()) == {None}


def test_a_level_unseen_in_training_is_scored_as_another(case: Case) -> None:
    ready, stages = prepared(case.taught, case.known)
    fitted = Candidate("logistic", LEARNERS["logistic"], 1).fit(ready)
    model = PipelineModel([*stages, *calibrate(fitted, [held_out(fitted, ready)]).stages])
    few = case.newest.where("user_id < 1010")
    told = {}
    for level in ("'tornado'", "'never heard of'", "cast(null as string)"):
        found = score(few.withColumn("brand", F.expr(level)), model, case.given, "1", SETTINGS).orderBy("user_id").collect()
        assert not any("brand" in reason for row in found for reason in row["reasons"])
        told[level] = [row["probability"] for row in found]
    assert told["'tornado'"] == told["'never heard of'"]
    assert all(0 < probability < 1 for several in told.values() for probability in several)
