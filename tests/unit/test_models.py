"""Models on one small planted city: what drives leaving is known, so are the months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.stats import mannwhitneyu, norm

from churnlake.core.errors import MissingInputError
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.models.fit import Contributions, prepared
from churnlake.models.frame import BESIDE, Month, features_of, labelled, months, raw, selected, split, taught_months, with_beside
from churnlake.models.learners import SIMPLEST, Candidate
from churnlake.models.profile import profile
from churnlake.models.score import Asked, Scoring, placed, score, scored, watched
from churnlake.models.search import Fold, Tried, best, margins, tried
from churnlake.models.settings import (
    BoostedSettings,
    DriftSettings,
    ForestSettings,
    ImportanceSettings,
    LearnersSettings,
    LogisticSettings,
    ModelsSettings,
    PerceptronSettings,
    ProfitSettings,
    PromotionSettings,
    TreeSettings,
)
from churnlake.models.train import Trained, origins, report, told, train
from churnlake.settings import Settings
from churnlake.stats.gains import BEYOND_CHANCE, Gains
from churnlake.tables.churn import MODELS, SCORES
from churnlake.tables.circles import MEMBERS, NEIGHBOURS
from churnlake.tables.features import MONTHLY, SELECTION

SETTINGS = ModelsSettings(
    targets=("leave_t1",),
    ablation=False,
    low_value_quantile=0.3,
    fall_back_to="",
    promotion=PromotionSettings(resamples=200, level=0.95),
    profit=ProfitSettings(margin_share=0.5, months=12, offer_yuan=30, contact_yuan=2, accepted_alpha=6, accepted_beta=14),
    importance=ImportanceSettings(rows=120, features=4),
    drift=DriftSettings(most_rows=1000, most_inputs=0.1),
    winback_days=30,
    forecasts=load(Settings, "local").models.forecasts,
    tables=load(Settings, "local").models.tables,
    leakage=load(Settings, "local").models.leakage,
    hazard=LogisticSettings(max_iter=20, reg_param=0.001, elastic_net=0.5),
    label="has_churned_for_good",
    train_months=2,
    gap_months=1,
    most_folds=2,
    finalists=3,
    fits_at_once=2,
    least_leavers=5,
    most_train_rows=100_000,
    partitions=2,
    seed=1,
    least_filled=0.05,
    most_levels=3,
    least_level_share=0.05,
    most_reasons=2,
    least_contribution=0.05,
    learners=LearnersSettings(
        logistic=[
            LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.0),
            LogisticSettings(max_iter=20, reg_param=9.0, elastic_net=1.0),
        ],
        tree=[TreeSettings(depth=2, least_rows=5, least_gain=0.0, bins=16, cost=3.0)],
        forest=[ForestSettings(trees=5, depth=3, least_rows=3, bins=16, columns_share=0.7)],
        boosted=[BoostedSettings(trees=3, depth=2, step=0.2, least_rows=5, bins=16)],
        perceptron=[PerceptronSettings(hidden=3, max_iter=15)],
    ),
)
NUMERIC = ["slope", "calls", "forwarded_calls", "never_filled", "constant"]
CATEGORIES = ["brand", "channel"]
MONTHS = [dt.date(2005, month, 1) for month in (4, 5, 6, 7)]


def checkpoint(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint()


def chance(seed: int) -> Column:
    return F.pmod(F.xxhash64("user_id", "month", F.lit(seed)), F.lit(10_000)) / F.lit(10_000.0)


def features(spark: SparkSession, users: int = 300) -> DataFrame:
    """One row per user and month; a falling slope and forwarding announce leaving, M-Zone leaves more."""
    when = spark.createDataFrame([(month,) for month in MONTHS], "month date")
    return (
        spark.range(users)
        .withColumnRenamed("id", "user_id")
        .crossJoin(when)
        .select(
            "month",
            "user_id",
            F.when(chance(1) < 0.9, chance(2) * 2 - 1).alias("slope"),
            F.exp(chance(3) * 5).cast("bigint").alias("calls"),
            (chance(4) < 0.08).cast("bigint").alias("forwarded_calls"),
            F.lit(None).cast("double").alias("never_filled"),
            F.lit(3).cast("decimal(12,2)").alias("constant"),
            F.when(chance(5) < 0.4, "M-Zone").when(chance(5) < 0.97, "EasyOwn's").alias("brand"),
            F.lit("shop").alias("channel"),
        )
    )


def labels(given: DataFrame) -> DataFrame:
    risk = F.expr("-2.5 - 3 * coalesce(slope, 0) + 3 * forwarded_calls + if(brand = 'M-Zone', 1, 0)")
    return given.where(F.col("month") < MONTHS[-1]).select(
        "month", "user_id", (chance(9) < 1 / (1 + F.exp(-risk))).alias("has_churned_for_good")
    )


@dataclass(frozen=True)
class Case:
    features: DataFrame
    frame: DataFrame
    trained: Trained


@pytest.fixture(scope="module")
def case(spark: SparkSession) -> Iterator[Case]:
    given = features(spark).persist()
    frame = labelled(given, labels(given), "has_churned_for_good", NUMERIC, CATEGORIES)
    yield Case(given, frame, train(frame, NUMERIC, CATEGORIES, SETTINGS, checkpoint))
    given.unpersist()


def test_labelled_keeps_only_known_outcomes(case: Case) -> None:
    assert case.frame.columns == ["month", "user_id", "label", *NUMERIC, *CATEGORIES]
    assert {kind for name, kind in case.frame.dtypes if name in NUMERIC} == {"double"}
    assert [(m.month, m.rows) for m in months(case.frame)] == [(month, 300) for month in MONTHS[:3]]


def test_the_newest_month_is_tested_and_earlier_ones_trained() -> None:
    found = [Month(dt.date(2004, 11, 1), 9, 9, 0), *(Month(month, 10, 8, 0) for month in MONTHS)]
    parts = split(found, SETTINGS)
    assert parts.test.month == MONTHS[3]
    assert [month.month for month in parts.train] == MONTHS[1:3]
    wide = split(found, SETTINGS.model_copy(update={"gap_months": 5}))
    assert [month.month for month in wide.train] == [dt.date(2004, 11, 1)]


def test_too_little_to_train_on_says_what_to_do() -> None:
    with pytest.raises(MissingInputError, match="label_churn"):
        split([], SETTINGS)
    with pytest.raises(MissingInputError, match="2005-04-01 only"):
        split([Month(MONTHS[0], 10, 9, 0)], SETTINGS)
    with pytest.raises(MissingInputError, match="least_leavers=5"):
        split([Month(MONTHS[0], 10, 4, 0), Month(MONTHS[1], 10, 9, 0)], SETTINGS)


def test_a_model_takes_the_newest_selection_that_is_no_newer_than_what_it_is_taught(spark: SparkSession) -> None:
    def told(month: dt.date, **roles: str) -> list[dict[str, object]]:
        return [{"month": month, "indicator": name, "role": role} for name, role in roles.items()]

    selection = rows(
        spark,
        SELECTION,
        *told(MONTHS[0], brand="modelling", own_events="modelling", bill_yuan="descriptive", gone_indicator="modelling"),
        *told(MONTHS[2], own_events="descriptive", points="modelling", channel="unusable"),
    )
    assert selected(selection, MONTHS[0], MONTHLY) == (["own_events"], ["brand"])
    assert selected(selection, MONTHS[1], MONTHLY) == (["own_events"], ["brand"])
    assert selected(selection, MONTHS[3], MONTHLY) == (["points"], [])
    with pytest.raises(MissingInputError, match="no selection of indicators of 2005-01 or before; run job select_indicators"):
        selected(selection, dt.date(2005, 1, 1), MONTHLY)
    numeric, categories = features_of(MONTHLY)
    assert not {"month", "user_id"} & {*numeric, *categories}
    assert len(numeric) + len(categories) == len(MONTHLY.columns) - 2


def test_the_months_taught_are_those_the_frame_is_split_by(case: Case) -> None:
    given = labels(case.features)
    assert taught_months(case.features, given, SETTINGS) == [m.month for m in split(months(case.frame), SETTINGS).train]
    # a labelled month whose features are hidden is neither taught nor tested
    without = case.features.where(F.col("month") != MONTHS[2])
    assert taught_months(without, given, SETTINGS) == MONTHS[:1]
    with pytest.raises(MissingInputError, match="label_churn"):
        taught_months(case.features, given.where("false"), SETTINGS)


def test_a_model_is_scored_with_the_features_it_was_taught_with(case: Case) -> None:
    kept = Contributions.from_notes(case.trained.contributions.to_notes())
    taken = [*kept.numeric, *kept.categories]
    assert taken == ["slope", "calls", "forwarded_calls", "brand"]
    # other features, also those selected since, may be gone or not yet be there
    only = case.features.where(F.col("month") == MONTHS[3]).select("month", "user_id", *taken)
    assert score(only, case.trained.serving, kept, "1", SETTINGS).count() == 300


def test_profile_drops_what_teaches_nothing_and_folds_rare_levels(case: Case) -> None:
    known = profile(case.frame, NUMERIC, CATEGORIES, SETTINGS)
    assert [n.name for n in known.numeric] == ["slope", "calls", "forwarded_calls"]
    (brand,) = known.categories
    assert brand.levels == ("EasyOwn's", "M-Zone", "other", "unknown")
    assert sum(brand.shares) == pytest.approx(1.0)


def test_all_learners_find_the_planted_signal(case: Case) -> None:
    trained = case.trained
    assert [f.learner for f in trained.fitted] == list(SIMPLEST)
    assert sum(f.is_champion for f in trained.fitted) == 1
    for fitted in trained.fitted:
        assert (fitted.measures["pr_auc"] or 0) > 1.5 * (fitted.measures["base_rate"] or 1), fitted.learner
    given = trained.contributions
    assert given.numeric["slope"] < -0.3
    assert given.numeric["forwarded_calls"] > 0.3
    assert given.categories["brand"]["M-Zone"] > given.categories["brand"]["EasyOwn's"]
    assert Contributions.from_notes(given.to_notes()) == given


def test_parameters_are_chosen_by_months_before_the_one_that_judges(case: Case) -> None:
    assert case.trained.folds == ("2005-05",)
    by_learner = {f.learner: f for f in case.trained.fitted}
    # the other set of parameters takes every slope to nothing
    assert by_learner["logistic"].candidate.parameters == SETTINGS.learners.logistic[0]
    assert case.trained.champion.merit == max(f.merit or 0 for f in case.trained.fitted)
    single = train(case.frame.where(F.col("month") > MONTHS[0]), NUMERIC, CATEGORIES, SETTINGS, checkpoint)
    assert single.folds == ()
    assert {f.merit for f in single.fitted} == {None}
    assert single.champion.measures["pr_auc"] == max(f.measures["pr_auc"] or 0 for f in single.fitted)


def test_folds_of_rolling_origin_teach_with_what_lies_the_gap_before() -> None:
    found = [Month(dt.date(2005, number, 1), 100, 20, 0) for number in range(1, 7)]
    folds = origins(split(found, SETTINGS.model_copy(update={"train_months": 5})), SETTINGS.model_copy(update={"gap_months": 2}))
    assert [fold.name for fold in folds] == ["2005-04", "2005-05"]
    assert [fold.name for fold in origins(split(found[:2], SETTINGS), SETTINGS)] == []


def test_who_falls_behind_on_the_newest_fold_is_not_tried_on_the_others(case: Case) -> None:
    ready, _ = prepared(case.frame, profile(case.frame, NUMERIC, CATEGORIES, SETTINGS))
    user, asked = F.col("user_id"), [Candidate("logistic", one, 1) for one in SETTINGS.learners.logistic]
    folds = [Fold("old", user < 80, user >= 80), Fold("new", user < 150, user >= 150)]
    raced = tried(ready, folds, asked, checkpoint, finalists=1, at_once=2)
    assert [(one.candidate, one.fold.name) for one in raced] == [(asked[0], "new"), (asked[1], "new"), (asked[0], "old")]
    assert best(raced, asked) == asked[:1]
    every = tried(ready, folds, asked, checkpoint)
    assert [one.fold.name for one in every] == ["new", "new", "old", "old"]
    assert every[0].gains.average_precision() == pytest.approx(raced[0].gains.average_precision(), abs=1e-9), (
        "alone or side by side"
    )


def test_who_ranks_no_better_than_chance_is_chosen_last(case: Case) -> None:
    """One leaver found first and the others anywhere: a great area under precision and recall, and nothing known."""
    rng = np.random.default_rng(4)
    leaves = np.arange(1000) % 50 == 0
    lucky, plain = rng.random(1000), rng.random(1000) ** np.where(leaves, 0.4, 1)
    lucky[0] = 2.0
    fold, asked = Fold("new", F.lit(True), F.lit(False)), [Candidate("logistic", one, 1) for one in SETTINGS.learners.logistic]
    found = [
        Tried(candidate, fold, case.trained.judging, case.frame, Gains.ranked(score, leaves), 1.0)
        for candidate, score in zip(asked, (lucky, plain), strict=True)
    ]
    area = [one.gains.average_precision() or 0.0 for one in found]
    assert area[0] > area[1]
    assert best(found, asked) == asked[1:2]
    assert found[0].gains.above_chance() < BEYOND_CHANCE < found[1].gains.above_chance()
    exact = mannwhitneyu(plain[leaves], plain[~leaves], use_continuity=False, method="asymptotic")
    assert found[1].gains.above_chance() == pytest.approx(norm.isf(exact.pvalue / 2), rel=1e-6)
    assert Gains.ranked(plain, leaves & False).above_chance() == 0


def test_a_cost_moves_no_probability(case: Case) -> None:
    """A tree taught with leavers counted three times says how many leave, not three times as many."""
    ready, _ = prepared(case.frame, profile(case.frame, NUMERIC, CATEGORIES, SETTINGS))
    plain = LogisticSettings(max_iter=30, reg_param=0.0, elastic_net=0.0)
    for parameters in (plain, plain.model_copy(update={"cost": 4.0})):
        model = Candidate("logistic", parameters, 1).fit(ready)
        told = margins(model, ready).agg(F.avg("score"), F.avg("label")).first()
        assert told is not None
        assert told[0] == pytest.approx(told[1], rel=0.05)


def test_probabilities_hold_on_the_months_asked(case: Case) -> None:
    newest = case.features.where(F.col("month") == MONTHS[2])
    left = case.frame.where(F.col("month") >= MONTHS[1]).agg(F.avg("label")).first()
    assert left is not None
    scored = score(newest, case.trained.serving, case.trained.contributions, "1", SETTINGS)
    mean = scored.agg(F.avg("probability")).head()
    assert mean is not None
    # as often as in the months that were asked
    assert mean[0] == pytest.approx(left[0], abs=0.02)


def test_training_again_gives_the_same(case: Case) -> None:
    again = train(case.frame.repartition(3, "slope"), NUMERIC, CATEGORIES, SETTINGS, checkpoint)
    assert again.training_key == case.trained.training_key
    for one, other in zip(again.fitted, case.trained.fitted, strict=True):
        assert one.measures == pytest.approx(other.measures, abs=1e-9)
    assert again.contributions.numeric == pytest.approx(case.trained.contributions.numeric, abs=1e-6)


def test_scores_are_ranked_and_explained(case: Case) -> None:
    newest = case.features.where(F.col("month") == MONTHS[3])
    scored = score(newest, case.trained.serving, case.trained.contributions, "7", SETTINGS)
    assert scored.columns == SCORES.names
    found = scored.orderBy("place").collect()
    assert [row["place"] for row in found] == list(range(1, 301))
    assert [(-row["probability"], row["user_id"]) for row in found] == sorted((-r["probability"], r["user_id"]) for r in found)
    assert all(len(row["reasons"]) <= 2 and row["model_version"] == "7" for row in found)
    top = " ".join(reason for row in found[:20] for reason in row["reasons"])
    assert "slope low (-" in top
    assert "forwarded_calls high (+" in top
    assert "never_filled" not in top


def test_ties_go_to_the_lower_user_id(case: Case) -> None:
    same = case.features.where("user_id = 5").where(F.col("month") == MONTHS[3]).drop("user_id")
    twins = same.select(F.explode(F.array(F.lit(12).cast("bigint"), F.lit(3).cast("bigint"))).alias("user_id"), "*")
    scored = score(twins, case.trained.serving, case.trained.contributions, "1", SETTINGS)
    assert [row["user_id"] for row in scored.orderBy("place").collect()] == [3, 12]


def test_report_fits_its_table(case: Case) -> None:
    found = report(told(case.trained, "leave_t1", dt.date(2005, 9, 1), "3", True, "the first of its name"), case.frame)
    assert found.columns == MODELS.names
    kept = found.collect()
    assert [(r["learner"], r["train_rows"], r["test_rows"], r["model_version"]) for r in kept] == [
        (name, 600, 300, "3") for name in SIMPLEST
    ]
    assert kept[1]["parameters"] == "tree (depth 2, least_rows 5, least_gain 0, bins 16, cost 3)"
    assert all(r["merit"] is not None and r["calibration_error"] is not None for r in kept)
    assert [r["verdict"] for r in kept if r["is_champion"]] == ["the first of its name"]
    challenges = told(case.trained, "leave_t1", dt.date(2005, 9, 1), "3", False, "no better")
    assert not any(r["is_champion"] for r in challenges)


def test_features_of_other_tables_stand_beside_and_are_null_where_there_are_none(spark: SparkSession, case: Case) -> None:
    given = case.features.where("user_id < 3").where(F.col("month") == MONTHS[0]).select("month", "user_id", "calls")
    fell, placed = (features_of(table)[0] for table in (NEIGHBOURS, MEMBERS))
    more = {
        NEIGHBOURS: rows(spark, NEIGHBOURS, *[{"month": month, "user_id": user, fell[0]: 2} for month, user in ((MONTHS[0], 1), (MONTHS[1], 2))]),
        MEMBERS: rows(spark, MEMBERS, {"month": MONTHS[0], "user_id": 2, placed[0]: 1}, {"month": MONTHS[0], "user_id": 9, placed[0]: 1}),
    }  # fmt: skip
    found, told = with_beside(given, more, [fell[0], placed[0]])
    assert told == [fell[0], placed[0]]
    assert sorted((row["user_id"], row[fell[0]], row[placed[0]]) for row in found.collect()) == [
        (0, None, None),
        (1, 2, None),
        (2, None, 1),
    ]
    whole, told = with_beside(given, more)
    absent = [name for table in BESIDE if table not in more for name in features_of(table)[0]]
    assert told == [*fell, *placed]
    assert set(whole.columns) == {*given.columns, *told, *absent}
    without, told = with_beside(given, {}, [fell[0]])
    assert told == []
    assert without.columns == ["month", "user_id", "calls", fell[0]]
    assert without.where(f"{fell[0]} is null").count() == 3


def test_of_those_watched_all_that_was_asked_is_kept(case: Case) -> None:
    newest, given = case.features.where(F.col("month") == MONTHS[3]), case.trained.contributions
    scoring = [Scoring("leave_t1", case.trained.serving, given, "1"), Scoring("revenue", case.trained.judging, given, "2")]
    asked = Asked(scoring, is_watched=F.col("user_id") % 3 == 0)
    rows = scored(newest, asked, SETTINGS).localCheckpoint()
    told = placed(rows).where("target = 'revenue' and user_id % 3 = 0").select("user_id", "probability")
    columns = [*raw(list(given.numeric), list(given.categories)), F.col("probability").alias("score")]
    expected = newest.join(told, on="user_id", how="inner").select(*columns)
    found = watched(rows, asked, "revenue")
    assert found.columns == expected.columns
    assert sorted(map(repr, found.collect())) == sorted(map(repr, expected.collect()))
    assert found.count() > 50


def test_targets_scored_together_are_scored_as_each_alone(case: Case) -> None:
    newest, given = case.features.where(F.col("month") == MONTHS[3]), case.trained.contributions
    asked = [
        Scoring("leave_t1", case.trained.serving, given, "1"),
        Scoring("revenue", case.trained.judging, given, "2", True),
    ]
    together = placed(scored(newest, Asked(asked), SETTINGS)).orderBy("target", "place").collect()
    for of in asked:
        alone = placed(scored(newest, Asked([of]), SETTINGS)).orderBy("place").collect()
        assert [row for row in together if row["target"] == of.target] == alone
        assert {(row["model_version"], row["is_fallback"]) for row in alone} == {(of.version, of.is_fallback)}
