"""Who leaves next, judged on cities of weekly contacts: beside the true hazard, and beside the best that an operator could see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.churn import labels
from churnlake.churn.leaving import ACTIVE_BY, is_active
from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lake import Lake
from churnlake.core.lineage import Lineage
from churnlake.core.months import last_day, month_after, month_before
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate import gate, reentry
from churnlake.evaluate.asof import MADE_FROM
from churnlake.evaluate.ceilings import scores
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.planted_leaks import Ground
from churnlake.evaluate.weekly import SEEN
from churnlake.models.fit import probability
from churnlake.models.frame import BESIDE, Split, features_of, labelled, raw, selected, selected_in, taught_months, with_beside
from churnlake.models.learners import SIMPLEST
from churnlake.models.settings import ModelsSettings
from churnlake.models.train import Trained, train
from churnlake.settings import Settings
from churnlake.stats.gains import Gains
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import MEMBERS, NEIGHBOURS, SIGNATURES
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY, SELECTION

SEEDS, TWO_SEEDS = "2006,2007,2008,2009,2010", "2006,2007"
SCENARIOS = {"standard": SEEDS, "contagion": TWO_SEEDS, "homophily": TWO_SEEDS, "unrelated": TWO_SEEDS}
"""Cities judged where none is named, and their seeds: the last three tell what circle features are good for."""
FIRST_DAY, ASKED = dt.date(2004, 4, 1), dt.date(2005, 4, 1)
"""A city's first day, and the month at whose end forecasts are made: with the two months after it in the city's time, and as many months
before it as models are taught with at most, whose labels have closed and that have a quarter of a year of history."""
TARGETS = {"leave_t1": "t1", "leave_t2": "t2"}
TOP = 0.02
WITHOUT_RULES: dict[str, Any] = {"abnormal": {"flea": 0}, "coming": {"decoys": {"farmed": 0}, "renumbered": 0}}
"""Fleas, farmed cards and firms that change their numbers leave by a rule, not by chance: no hazard says when, so no ceiling knows of them."""
DAILY_JOBS, MONTHLY_JOBS = ("build_circles", "label_leaving"), ("build_groups", "build_features", "select_indicators")
CIRCLE = (NEIGHBOURS, MEMBERS)


def weekly_city(city: str, users: int, home: Path) -> str:
    """Path of a scenario file: that city with so many people by weekly contacts, from FIRST_DAY on, without those who live by a rule."""
    return reentry.weekly_city(city, users, home, first_day=FIRST_DAY, **WITHOUT_RULES)


def judge(settings: Settings, console: Console) -> dict[str, Any]:
    """Make the city the settings name, unless it is there, run the chain up to its features, and return what is to be said of one seed."""
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    by_name = {job.name: job for job in Lineage.of_package().jobs}
    daily = [by_name["ingest_reference"], SEEN, *(by_name[name] for name in DAILY_JOBS)]
    monthly = [by_name[name] for name in MONTHLY_JOBS]
    makers = {table.name: job.name for job in (*daily, *monthly) for table in job.writes}
    with session(settings.spark, work / "logs") as spark:
        if not (Path(settings.store.landing) / "_manifest.json").is_file():
            console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
            generate(spark, city, settings.city.seed, Path(settings.store.landing), Path(settings.city.truth))
        run_chain(spark, settings, daily, days, console, makers=makers)
        for months in months_needed(settings):
            run_chain(spark, settings, monthly, months, console, makers=makers)
        return {"city": city.name, "seed": settings.city.seed, **figures(spark, settings, days, console)}


def months_needed(settings: Settings) -> list[Days]:
    """The stretches of months whose features are taught or asked: those before whose labels have closed by ASKED's end, and ASKED.

    A month more, as there would be: one of the leaks planted is of the month after.
    """
    newest = []
    for target in TARGETS:
        month = month_before(ASKED)
        while labels.closes_on(month, settings.churn, target) > last_day(ASKED):
            month = month_before(month)
        newest.append(month)
    first = min(newest)
    # the newest is tested on; those gap_months before it and earlier teach
    for _ in range(settings.models.gap_months + settings.models.train_months - 1):
        first = month_before(first)
    return [Days(first, last_day(month_after(max(newest)))), Days(ASKED, last_day(ASKED))]


def figures(spark: SparkSession, settings: Settings, days: Days, console: Console) -> dict[str, Any]:
    """What is to be said of one lake beside its truth, by target: taught and asked by the house's own functions, as of ASKED's end.

    Labels are those known that day. Asked are users active then, by the house's definition and the truth's; what became of them is the
    truth's. ``gain_of_circle_features`` is the PR-AUC over that of the same learner taught without what circles tell, less one. The gate
    before a training is judged by leaks planted into the same material (``gate.figures``).
    """
    tables = dict.fromkeys((MONTHLY, SELECTION, *BESIDE, USAGE, LEAVINGS, *(t for made in MADE_FROM.values() for t in made)))
    lake = lake_of(spark, settings, days, *tables)
    city = scenario(settings.city.scenario)
    known = scores(spark, Path(settings.city.truth), city, ASKED)
    found, of_stored = {}, None
    for target, turn in TARGETS.items():
        given = taught(lake, settings, target, last_day(ASKED))
        trained = fitted(given, settings.models, lake)
        asked = asked_of(trained.serving, given, settings)
        plain = given.without(CIRCLE)
        alone = fitted(plain, same(trained, settings.models), lake)
        asked_alone = asked_of(alone.serving, plain, settings).withColumnRenamed("probability", "without")
        truth = known[["user_id", f"leaves_{turn}", f"score_{turn}", f"hazard_{turn}"]].set_axis(
            ["name", "leaves", "score", "hazard"], axis=1
        )
        beside_truth = spark.createDataFrame(truth.dropna()).withColumn("user_id", lake.key.pseudonym(F.col("name"), "user"))
        rows = asked.join(asked_alone, on="user_id", how="inner").join(beside_truth.drop("name"), on="user_id", how="inner")
        of_gate = material(lake, settings, target, given, trained.split)
        if of_stored is None:
            of_stored = gate.of_tables(of_gate, gate.made(lake, settings, of_gate), lake.checkpoint)
        found[target] = {
            **told(rows.orderBy("user_id").toPandas()),
            "train_rows": trained.split.rows,
            "train_months": len(trained.split.train),
            **gate.figures(of_gate, of_stored, settings, lake.checkpoint, console),
        }
    return found


def material(lake: Lake, settings: Settings, target: str, given: Given, split: Split) -> gate.Material:
    """What the gate before the training of a target is judged on: what was taught, and the tables as they were that day."""
    on, months = last_day(ASKED), tuple(month.month for month in (*split.train, split.test))
    known = given.labels.where(F.col("month").isin(list(months)))
    # what is taken, and what says who is active; once, for every leak looks at them again
    columns = dict.fromkeys(("month", "user_id", *given.numeric, *given.categories, *ACTIVE_BY))
    ground = Ground(
        lake.checkpoint(given.features.select(*columns)), known.select("month", "user_id", F.col("has_churned").cast("double").alias("label"), "known_on"),
        lake.read(USAGE).where(F.col("day") <= F.lit(on)), lake.read(LEAVINGS).where(F.col("known_on") <= F.lit(on)),
        lake.read(SIGNATURES, last=ASKED), {table: lake.read(table, last=ASKED) for table in MADE_FROM if lake.has(table)},
        months, on, labels.AHEAD[target], settings.city.seed,
    )  # fmt: skip
    return gate.Material(ground, given.numeric, given.categories, selected_in(lake.read(SELECTION), months[-2]), target)


def fitted(given: Given, settings: ModelsSettings, lake: Lake) -> Trained:
    """The learners taught with what is given."""
    frame = labelled(given.features, given.labels, "has_churned", *given.names)
    return train(frame, *given.names, settings, lake.checkpoint)


def same(trained: Trained, settings: ModelsSettings) -> ModelsSettings:
    """Settings by which the champion's learner alone competes, with its parameters, beside the logistic regression that explains it.

    One fold is enough to calibrate what is only ranked.
    """
    champion = trained.champion.candidate
    left: dict[str, Any] = {name: [] for name in SIMPLEST} | {"logistic": settings.learners.logistic[:1]}
    learners = settings.learners.model_copy(update={**left, champion.learner: [champion.parameters]})
    return settings.model_copy(update={"learners": learners, "most_folds": 1})


def line(found: Mapping[str, Any]) -> str:
    """What the console says of one city, as soon as it is judged."""
    told = [
        f"{target} PR-AUC {of['pr_auc']:.3f} of {of['observable_ceiling_pr_auc']:.3f} (true hazard {of['true_hazard_pr_auc']:.3f}), "
        f"AUC {of['auc_active']:.3f}, slope {of['calibration_slope']:.2f}, ECE {of['ece']:.3f}, "
        f"leaks caught {of['leaks_caught']} of {of['leaks_planted']}, {of['false_alarms']} false alarms"
        for target, of in found.items()
        if target in TARGETS
    ]
    return f"  seed {found['seed']}: {'; '.join(told)}"


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the console says of one scenario: each figure as mean and 95 % interval."""
    told = [
        (f"{target}, {name}", reentry.text(one))
        for target in TARGETS
        for name, one in found[target].items()
        if name != "found_marks"
    ]
    for target in TARGETS:
        marks: dict[str, list[str]] = {}
        for name, one in found[target]["found_marks"].items():
            leavers, others = name.split(", ")
            marks.setdefault(leavers, []).append(f"{one['mean']:.2g} beside {others.removesuffix(' of others')}")
        told += [(f"{target}, a flag of {leavers} is found", ", ".join(each)) for leavers, each in marks.items()]
    return [(name.replace("_", " "), words) for name, words in told]


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
    leaves = rows["leaves"].to_numpy(float)
    ways = {way: Gains.ranked(rows[way].to_numpy(float), leaves) for way in ("probability", "without", "score", "hazard")}
    ours, seen = ways["probability"], ways["score"]
    area = {way: gains.average_precision() or 0.0 for way, gains in ways.items()}
    return {
        "rows": len(rows), "leavers": int(ours.positives.sum()), "base_rate": ours.base_rate, "pr_auc": area["probability"],
        "observable_ceiling_pr_auc": area["score"], "true_hazard_pr_auc": area["hazard"], "of_ceiling": area["probability"] / area["score"],
        "precision_top_2pct_active": ours.precision(TOP), "ceiling_precision_top_2pct_active": seen.precision(TOP),
        "auc_active": ours.roc_auc(), "ceiling_auc_active": seen.roc_auc(),
        "calibration_slope": ours.calibration_slope(), "ece": ours.calibration_error(),
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
    features, more = with_beside(features, {table: lake.read(table, last=ASKED) for table in BESIDE if lake.has(table)})
    return Given(features, known, (*numeric, *more), tuple(categories))


def asked_of(pipeline: PipelineModel, given: Given, settings: Settings) -> DataFrame:
    """One row per user active at the end of ASKED: user_id, probability."""
    rows = given.features.where(F.col("month") == F.lit(ASKED)).where(is_active(settings.churn))
    return pipeline.transform(rows.select("user_id", *raw(*given.names))).select("user_id", probability().alias("probability"))
