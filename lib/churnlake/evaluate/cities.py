"""The same questions on cities never seen: a scenario under several seeds, each through the chain, beside plain baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import scenario
from churnlake.city.settings import CityScenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate import baselines, difficulty, motives, probe
from churnlake.evaluate.ceilings import TARGETS, ceilings
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.shape import Shape, shape, span_to
from churnlake.evaluate.truth import planted_decoys, planted_pairs, reentry_found
from churnlake.settings import Settings
from churnlake.tables.churn import MODELS, NEXT_MONTH
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import DEVICES, EDGES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import SUBSCRIBERS
from churnlake.usage import daily

JUDGED = ("describe_reentry", "train_model")
"""What is judged; jobs that neither of these needs are left out."""
FIGURES = "evaluation.json"


def overrides(city: str, seed: int, work: Path) -> list[str]:
    """Settings that give one city and seed a folder of its own below ``work``; documents do not count as evidence.

    Who comes back often shows another's document or none: what finds them by a document alone would be judged by how tidy a city is.
    """
    home = work / f"{Path(city).stem}-{seed}"
    return [
        f"city.scenario={city}", f"city.seed={seed}", f"city.truth={home / 'truth'}", f"store.landing={home / 'landing'}",
        f"store.lake={home / 'lake'}", f"store.work={home / 'work'}", f"tracking.uri=sqlite:///{(home / 'mlflow.db').resolve()}",
        f"tracking.artifacts={home / 'mlruns'}", "reentry.document_users_most=0",
    ]  # fmt: skip


def judge(settings: Settings, console: Console) -> dict[str, Any]:
    """Make one city, run the jobs that find re-entrants and teach the model, and print and return what they reached.

    The figures are left in ``evaluation.json`` in the work folder.
    """
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
    with session(settings.spark, work / "logs") as spark:
        lineage = Lineage.of_package()
        needed = lineage.needed_by("generate_city", *JUDGED)
        jobs = [job for job in lineage.jobs if job.name in needed]
        run_chain(spark, settings, jobs, days, console, makers=lineage.makers)
        found = {
            "city": city.name,
            "seed": settings.city.seed,
            **_reentry(spark, settings, days),
            **_motives(spark, settings, days),
            **_churn(spark, settings, days),
            "shape": _shape(spark, settings, days),
            "ceilings": _ceilings(spark, settings, city, days),
        }
    _keep(work, found)
    console.summary(f"City {city.name}, seed {settings.city.seed}", _lines(found))
    return found


def over_seeds(cities: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """One line per way and per ceiling over the cities ``judge`` found of one scenario: means, with the least and the most.

    One city of some thousand people has too few who come back, and far too few who leave, to tell ways apart by it.
    """

    def means(rows: Sequence[dict[str, Any]], told: dict[str, str]) -> str:
        parts = []
        for name, words in told.items():
            values = [row[name] for row in rows if row.get(name) is not None]
            some = f" on {len(values)} of {len(cities)}" if len(values) < len(cities) else ""
            spread = f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f}){some}" if values else "none"
            parts.append(f"{words} {spread}")
        return "; ".join(parts)

    ways = {way["name"]: [w for city in cities for w in city["ways"] if w["name"] == way["name"]] for way in cities[0]["ways"]}
    told = {"f1": "best F1", "precision_at_80": "precision at 80 % recall", "all_precision": "all it names: precision",
            "all_recall": "recall"}  # fmt: skip
    lines = [(name, means(rows, told)) for name, rows in ways.items()]
    seen = {"true_hazard_pr_auc": "PR-AUC true hazard", "observable_pr_auc": "filter", "learner_pr_auc": "learner",
            "beside_pr_auc": "filter about the same months",
            "observable_roc_auc": "ROC-AUC filter", "kept": "PR-AUC filter over true hazard"}  # fmt: skip
    for target, words in TARGETS.items():
        rows = [one for city in cities for one in city["ceilings"] if one["target"].endswith(target)]
        if rows:
            lines.append((f"ceiling, {words}", means(rows, seen)))
    return lines


def find_again(settings: Settings, console: Console) -> dict[str, Any]:
    """Make one city and ask the plain probe of its last four weeks; the city's shape and the probe's result.

    The figures are left in ``evaluation.json`` in the work folder.
    """
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    with session(settings.spark, work / "logs") as spark:
        lineage = Lineage.of_package()
        needed = {"generate_city", "ingest_usage"}
        run_chain(spark, settings, [job for job in lineage.jobs if job.name in needed], days, console, makers=lineage.makers)
        lake = lake_of(spark, settings, days, *RECORDS)
        first, last = span_to(days.last)
        events = lake.checkpoint(daily.events({t.name: lake.read(t, first, last) for t in RECORDS if lake.has(t)}))
        found = {
            "city": city.name,
            "seed": settings.city.seed,
            "shape": shape(events, daily.usage(events), daily.edges(events), first),
            "probe": probe.found_again(events, lake.checkpoint(probe.halves(events))),
        }
    _keep(work, found)
    return found


def _keep(work: Path, found: dict[str, Any]) -> None:
    work.mkdir(parents=True, exist_ok=True)
    (work / FIGURES).write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")


def _shape(spark: SparkSession, settings: Settings, days: Days) -> Shape:
    lake = lake_of(spark, settings, days, USAGE, EDGES, *RECORDS)
    first, last = span_to(days.last)
    events = daily.events({t.name: lake.read(t, first, last) for t in RECORDS if lake.has(t)})
    return shape(events, lake.read(USAGE, first, last), lake.read(EDGES, first, last), first)


def _reentry(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    lake = lake_of(spark, settings, days, JOINERS, MATCHES, USAGE, EDGES, DEVICES, SUBSCRIBERS)
    final = max(settings.reentry.stages)
    planted = planted_pairs(spark, Path(settings.city.truth), lake.key)
    found = reentry_found(lake.read(JOINERS), lake.read(MATCHES), planted, final)
    asked = lake.checkpoint(lake.read(JOINERS).where(F.col("stage_days") == final).select("user_id", "joined_on", "known_on"))
    due = lake.checkpoint(planted.join(asked.select("user_id"), on="user_id", how="inner"))
    named = [baselines.by_likeness(asked, lake.read(USAGE), lake.read(EDGES), settings.reentry)]
    if lake.has(DEVICES):
        named.append(baselines.by_handset(asked, lake.read(DEVICES)))
    if lake.has(SUBSCRIBERS):
        named.append(baselines.by_document(asked, lake.read(SUBSCRIBERS)))
    given = lake.read(MATCHES).where(F.col("stage_days") == final)
    named.append(given.select("user_id", "old_user_id", F.lit("detector").alias("name"), F.col("probability").alias("score")))
    rows = named[0]
    for more in named[1:]:
        rows = rows.unionByName(more)
    decoys = planted_decoys(spark, Path(settings.city.truth), lake.key)
    compared = lake.checkpoint(difficulty.pairs(asked, due, decoys, lake.read(USAGE), settings.reentry))
    total = found.planted
    ways = [asdict(one) | {"f1": one.f1} for one in baselines.curves(rows, due, total)]
    return {
        "reentry": str(found), "joiners": found.candidates, "planted": total, "matches": found.found, "right": found.right,
        "precision": found.precision, "recall": found.recall, "ways": ways,
        "difficulty": difficulty.summary(difficulty.overlaps(compared, lake.read(USAGE), lake.read(EDGES))),
        "few_events_share": difficulty.few_events_share(due, asked, lake.read(USAGE)),
        "same_handset_share": _share_of(due, "same_handset"), "same_document_share": _share_of(due, "same_document"),
    }  # fmt: skip


def _motives(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    found = motives.judged(spark, settings, days)
    return {
        "motives": str(found),
        "motive_confusion": found.confusion,
        "preventable": found.preventable,
        "unaware_planted": found.unaware,
    }


def _share_of(planted: Any, column: str) -> float | None:
    row = planted.agg(F.avg(F.col(column).cast("double")).alias("share")).first()
    return None if row is None else row["share"]


def _churn(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    lake = lake_of(spark, settings, days, MODELS)
    rows = (
        [row.asDict() for row in lake.read(MODELS).where(F.col("target") == NEXT_MONTH).orderBy("learner").collect()]
        if lake.has(MODELS)
        else []
    )
    kept = ("learner", "test_month", "test_rows", "base_rate", "pr_auc", "roc_auc", "lift_top_decile", "is_champion")
    return {"models": [{name: row[name] for name in kept} for row in rows]}


def _ceilings(spark: SparkSession, settings: Settings, city: CityScenario, days: Days) -> list[dict[str, Any]]:
    if not (Path(settings.city.truth) / "visible").is_dir():
        return []
    lake = lake_of(spark, settings, days, MONTHLY)
    features = lake.read(MONTHLY) if lake.has(MONTHLY) else None
    return ceilings(spark, Path(settings.city.truth), city, features, lake.key)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("re-entry", found["reentry"]), ("motives", found["motives"])]
    for way in found["ways"]:
        lines.append(
            (
                way["name"],
                f"best F1 {way['f1']:.2f} (precision {way['precision']:.2f}, recall {way['recall']:.2f}); "
                f"precision at 80 % recall {_text(way['precision_at_80'])}; all it names: precision {way['all_precision']:.2f}, "
                f"recall {way['all_recall']:.2f}",
            )
        )
    for model in found["models"]:
        lines.append(
            (
                f"churn, {model['learner']}",
                f"PR-AUC {model['pr_auc']:.3f} beside a base rate of {model['base_rate']:.3f}; {model['test_rows']:,} users of "
                f"{model['test_month']:%Y-%m}",
            )
        )
    for ceiling in found["ceilings"]:
        text = (
            f"PR-AUC true hazard {ceiling['true_hazard_pr_auc']:.3f} (ROC-AUC {ceiling['true_hazard_roc_auc']:.2f}), "
            f"filter {ceiling['observable_pr_auc']:.3f} (ROC-AUC {ceiling['observable_roc_auc']:.2f}); "
            f"{ceiling['leavers']:,} of {ceiling['rows']:,} left"
        )
        if "learner_pr_auc" in ceiling:
            text += (
                f"; learner {ceiling['learner_pr_auc']:.3f} where the filter has {ceiling['beside_pr_auc']:.3f} "
                f"({ceiling['asked_leavers']:,} leavers of the later months)"
            )
        lines.append((f"ceiling, {TARGETS[ceiling['target'][-2:]]}", text))
    return lines


def _text(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.2f}"
