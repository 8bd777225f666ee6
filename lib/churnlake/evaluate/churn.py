"""Who leaves next, judged on cities of weekly contacts: beside the true hazard, and beside the best that an operator could see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.churn import labels
from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lake import Lake
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate import reentry
from churnlake.evaluate.ceilings import scores
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.weekly import SEEN
from churnlake.models.fit import probability
from churnlake.models.frame import beside, features_of, labelled, raw, selected, taught_months
from churnlake.models.learners import SIMPLEST
from churnlake.models.settings import ModelsSettings
from churnlake.models.train import Trained, train
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import MEMBERS, NEIGHBOURS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import DECLINES, MONTHLY, SELECTION

SCENARIOS = ("standard",)
SEEDS = "2006,2007,2008,2009,2010"
FIRST_DAY, ASKED = dt.date(2004, 9, 1), dt.date(2005, 4, 1)
"""A city's first day, and the month at whose end forecasts are made: late enough to have closed labels of some months with a history,
and with the two months after it in the city's time."""
TARGETS = {"leave_t1": "t1", "leave_t2": "t2"}
TOP = 0.02
WITHOUT_RULES: dict[str, Any] = {"abnormal": {"flea": 0}, "coming": {"decoys": {"farmed": 0}, "renumbered": 0}}
"""Fleas, farmed cards and firms that change their numbers leave by a rule, not by chance: no hazard says when, so no ceiling knows of them."""
JOBS = ("ingest_reference", "build_circles", "label_leaving", "build_groups", "build_features", "select_indicators")
CIRCLE = (NEIGHBOURS, MEMBERS)


def weekly_city(city: str, users: int, home: Path) -> str:
    """Path of a scenario file: that city with so many people by weekly contacts, from FIRST_DAY on, without those who live by a rule."""
    return reentry.weekly_city(city, users, home, first_day=FIRST_DAY, **WITHOUT_RULES)


def judge(settings: Settings, console: Console) -> dict[str, Any]:
    """Make the city the settings name, unless it is there, run the chain up to its features, and return what is to be said of one seed."""
    work = Path(settings.store.work).resolve()
    log_to(work / "logs")
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    by_name = {job.name: job for job in Lineage.of_package().jobs}
    first, *others = (by_name[name] for name in JOBS)
    jobs = [first, SEEN, *others]
    makers = {table.name: job.name for job in jobs for table in job.writes}
    with session(settings.spark, work / "logs") as spark:
        if not (Path(settings.store.landing) / "_manifest.json").is_file():
            console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
            generate(spark, city, settings.city.seed, Path(settings.store.landing), Path(settings.city.truth))
        run_chain(spark, settings, jobs, days, console, makers=makers)
        return {"city": city.name, "seed": settings.city.seed, **figures(spark, settings, days)}


def figures(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    """What is to be said of one lake beside its truth, by target: taught and asked by the house's own functions, as of ASKED's end.

    Labels are those known that day. Asked are users active then, by the house's definition and the truth's; what became of them is the
    truth's. ``gain_of_circle_features`` is the PR-AUC over that of the same learner taught without what circles tell, less one.
    """
    lake = lake_of(spark, settings, days, MONTHLY, SELECTION, DECLINES, *CIRCLE, USAGE, LEAVINGS)
    city = scenario(settings.city.scenario)
    known = scores(spark, Path(settings.city.truth), city)
    known = known[pd.to_datetime(known["month"]).dt.date == ASKED]
    on = (ASKED + dt.timedelta(32)).replace(day=1) - dt.timedelta(1)
    found = {}
    for target, turn in TARGETS.items():
        given = taught(lake, settings, target, on)
        trained = fitted(given, settings.models, lake)
        asked = asked_of(trained.champion.pipeline, given, settings)
        plain = given.without(CIRCLE)
        alone = fitted(plain, same(trained, settings.models), lake)
        asked_alone = asked_of(alone.champion.pipeline, plain, settings).withColumnRenamed("probability", "without")
        truth = known[["user_id", f"leaves_{turn}", f"score_{turn}", f"hazard_{turn}"]].set_axis(
            ["name", "leaves", "score", "hazard"], axis=1
        )
        beside_truth = spark.createDataFrame(truth.dropna()).withColumn("user_id", lake.key.pseudonym(F.col("name"), "user"))
        rows = asked.join(asked_alone, on="user_id", how="inner").join(beside_truth.drop("name"), on="user_id", how="inner")
        found[target] = {
            **told(rows.orderBy("user_id").toPandas()),
            "train_rows": trained.split.rows,
            "train_months": len(trained.split.train),
        }
    return found


def fitted(given: Given, settings: ModelsSettings, lake: Lake) -> Trained:
    """The learners taught with what is given."""
    frame = labelled(given.features, given.labels, "has_churned", *given.names)
    return train(frame, *given.names, settings, lake.checkpoint)


def same(trained: Trained, settings: ModelsSettings) -> ModelsSettings:
    """Settings by which the champion's learner alone competes, with its parameters, beside the logistic regression that explains it."""
    champion = trained.champion.candidate
    left: dict[str, Any] = {name: [] for name in SIMPLEST} | {"logistic": settings.learners.logistic[:1]}
    learners = settings.learners.model_copy(update={**left, champion.learner: [champion.parameters]})
    return settings.model_copy(update={"learners": learners})


def line(found: Mapping[str, Any]) -> str:
    """What the console says of one city, as soon as it is judged."""
    told = [
        f"{target} PR-AUC {of['pr_auc']:.3f} of {of['observable_ceiling_pr_auc']:.3f} (true hazard {of['true_hazard_pr_auc']:.3f}), "
        f"AUC {of['auc_active']:.3f}, slope {of['calibration_slope']:.2f}, ECE {of['ece']:.3f}"
        for target, of in found.items()
        if target in TARGETS
    ]
    return f"  seed {found['seed']}: {'; '.join(told)}"


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the console says of one scenario: each figure as mean and 95 % interval."""

    def text(one: Mapping[str, Any]) -> str:
        if one["mean"] is None:
            return "not reached"
        spread = f" ({one['low']:.3f} to {one['high']:.3f})" if one["seeds"] > 1 else ""
        return f"{one['mean']:.3f}{spread}" if abs(one["mean"]) < 100 else f"{one['mean']:,.0f}"

    return [(f"{target}, {name.replace('_', ' ')}", text(one)) for target in TARGETS for name, one in found[target].items()]


@dataclass(frozen=True)
class Given:
    """What a target is taught with: features by user and month, labels known by a day, and the names of numbers and of texts."""

    features: DataFrame
    labels: DataFrame
    numeric: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """Numbers and texts."""
        return list(self.numeric), list(self.categories)

    def without(self, tables: Sequence[Any]) -> Given:
        """The same without the features of these tables, and without indicators of peers who left."""
        apart = {name for table in tables for name in features_of(table)[0]} | {"peers_left", "contacts_left_share"}
        return Given(self.features, self.labels, tuple(n for n in self.numeric if n not in apart), self.categories)


def told(rows: pd.DataFrame) -> dict[str, Any]:
    """The figures of one target.

    Args:
        rows: one row per user asked: leaves, probability (ours), without (ours, without circles), score (the filter's), hazard (the truth's).
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    label = rows["leaves"].astype(int).to_numpy()
    area = {way: float(average_precision_score(label, rows[way])) for way in ("probability", "without", "score", "hazard")}
    sure = rows["probability"].clip(1e-9, 1 - 1e-9).to_numpy()
    odds = np.log(sure / (1 - sure))
    return {
        "rows": len(rows), "leavers": int(label.sum()), "base_rate": float(label.mean()), "pr_auc": area["probability"],
        "observable_ceiling_pr_auc": area["score"], "true_hazard_pr_auc": area["hazard"], "of_ceiling": area["probability"] / area["score"],
        "precision_top_2pct_active": top(label, rows["probability"]), "ceiling_precision_top_2pct_active": top(label, rows["score"]),
        "auc_active": float(roc_auc_score(label, rows["probability"])), "ceiling_auc_active": float(roc_auc_score(label, rows["score"])),
        "calibration_slope": slope(label, odds), "ece": calibration_error(label, rows["probability"].to_numpy()),
        "mean_probability": float(rows["probability"].mean()), "gain_of_circle_features": area["probability"] / area["without"] - 1,
    }  # fmt: skip


def taught(lake: Lake, settings: Settings, target: str, on: dt.date) -> Given:
    """What a training on that day is given: features of months that have ended, labels that have closed."""
    features = lake.read(MONTHLY, last=ASKED)
    months = [row["month"] for row in features.select("month").distinct().collect()]
    due = {target: sorted(month for month in months if labels.closes_on(month, settings.churn, target) <= on)}
    told_of = labels.leaving_labels(features, lake.read(USAGE), lake.read(LEAVINGS), None, due, settings.churn)
    known = lake.checkpoint(told_of.where(F.col("known_on") <= F.lit(on)))
    numeric, categories = selected(lake.read(SELECTION), taught_months(features, known, settings.models)[-1], MONTHLY)
    for table in (NEIGHBOURS, MEMBERS, DECLINES):
        names, _ = features_of(table)
        features, numeric = beside(features, lake.read(table, last=ASKED), names), [*numeric, *names]
    return Given(features, known, tuple(numeric), tuple(categories))


def asked_of(pipeline: PipelineModel, given: Given, settings: Settings) -> DataFrame:
    """One row per user active at the end of ASKED: user_id, probability."""
    active = f"last_use_days < {settings.churn.active_within_days} AND coalesce(is_suspended, 0) = 0"
    rows = given.features.where(F.col("month") == F.lit(ASKED)).where(active)
    return pipeline.transform(rows.select("user_id", *raw(*given.names))).select("user_id", probability().alias("probability"))


def top(label: Any, score: pd.Series[float]) -> float:
    """Share of leavers among the likeliest TOP."""
    first = np.argsort(-score.to_numpy(), kind="stable")[: max(1, round(len(score) * TOP))]
    return float(label[first].mean())


def slope(label: Any, odds: Any) -> float:
    """Slope of a logistic regression of the outcome on the log-odds foretold (Cox 1958)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e9, max_iter=1000).fit(odds.reshape(-1, 1), label)
    return float(fitted.coef_[0][0])


def calibration_error(label: Any, probability_of: Any) -> float:
    """Mean distance of probability from frequency over ten groups of equal size."""
    order = np.argsort(probability_of, kind="stable")
    groups = np.array_split(order, 10)
    return float(sum(abs(probability_of[g].mean() - label[g].mean()) * len(g) for g in groups) / len(order))
