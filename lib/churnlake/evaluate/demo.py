"""The demonstration: a small city through the whole chain, and a summary a newcomer can read."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import scenario
from churnlake.core.console import Console
from churnlake.core.contract import STATES
from churnlake.core.job import Report, log_to
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import peak_memory_mb, session
from churnlake.evaluate import motives
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.truth import Found, planted_pairs, reentry_found
from churnlake.settings import Settings
from churnlake.tables.churn import MODELS, NEXT_MONTH
from churnlake.tables.reentry import JOINERS, MATCHES

FIRST, LAST = "generate_city", "publish_site"
EVALUATION = "evaluation.json"


def demo(settings: Settings, console: Console) -> None:
    """Make the city the settings choose, run every job over its days, compare with its truth and say where the pages are."""
    began = time.monotonic()
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    lineage = Lineage.of_package()
    console.say(
        f"churnlake demo: a city of {city.users:,} people, {days}, on this machine; Spark's own log is in {work / 'logs'}"
    )
    with session(settings.spark, work / "logs") as spark:
        budgets, makers = settings.runner.budgets, lineage.makers
        jobs = [job for job in (*lineage.chain(only=FIRST), *lineage.chain()) if job.name != LAST]
        reports = run_chain(spark, settings, jobs, days, console, makers=makers, budgets=budgets)
        found, models = _evaluate(spark, settings, days)
        why = motives.judged(spark, settings, days)
        work.mkdir(parents=True, exist_ok=True)
        (work / EVALUATION).write_text(json.dumps(_figures(found, models), indent=2) + "\n", encoding="utf-8")
        reports += run_chain(spark, settings, lineage.chain(only=LAST), days, console, makers=makers, budgets=budgets)
        console.summary(
            "Summary",
            _summary(settings, reports, found, why, models, _accounting(spark, settings, days), time.monotonic() - began),
        )


def _evaluate(spark: SparkSession, settings: Settings, days: Days) -> tuple[Found, list[dict[str, object]]]:
    lake = lake_of(spark, settings, days, JOINERS, MATCHES, MODELS)
    planted = planted_pairs(spark, Path(settings.city.truth), lake.key)
    found = reentry_found(lake.read(JOINERS), lake.read(MATCHES), planted, max(settings.reentry.stages))
    models = (
        [
            row.asDict()
            for row in lake.read(MODELS)
            .where(F.col("target") == NEXT_MONTH)
            .orderBy(F.desc("known_on"), F.desc("is_champion"))
            .limit(2)
            .collect()
        ]
        if lake.has(MODELS)
        else []
    )
    return found, models


def _figures(found: Found, models: list[dict[str, object]]) -> dict[str, object]:
    best = models[0] if models else {}
    return {
        "joiners": found.candidates, "planted": found.planted, "found": found.found, "right": found.right, "precision": found.precision, "recall": found.recall,
        "learner": best.get("learner"), "pr_auc": best.get("pr_auc"), "base_rate": best.get("base_rate"),
    }  # fmt: skip


def _accounting(spark: SparkSession, settings: Settings, days: Days) -> tuple[int, dict[str, int]]:
    """Rows the landing files hold by line count, and rows committed by state, over all ledger tables."""
    ledgers = [table for table in Lineage.of_package().tables if table.ledger]
    lake = lake_of(spark, settings, days, FILES, *ledgers)
    lines = lake.read(FILES).agg(F.sum(F.expr("lines * rows_per_line")).alias("n")).first()
    states: dict[str, int] = {}
    for table in ledgers:
        if lake.has(table):
            for row in lake.ledger(table).groupBy("state").count().collect():
                states[row["state"]] = states.get(row["state"], 0) + row["count"]
    return int(lines["n"] or 0) if lines else 0, states


def _summary(
    settings: Settings,
    reports: list[Report],
    found: Found,
    why: motives.MotivesFound,
    models: list[dict[str, object]],
    accounting: tuple[int, dict[str, int]],
    seconds: float,
) -> list[tuple[str, str]]:
    rows, states = accounting
    good, bad, repeats, gone = (states.get(state, 0) for state in STATES)
    holds = "=" if rows == good + bad + repeats + gone else "≠"
    late = [r.job for r in reports if r.seconds > settings.runner.budgets.get(r.job, float("inf"))]
    lines = [
        ("rows", f"{rows:,} in {holds} {good:,} good + {bad:,} quarantined + {repeats:,} duplicates + {gone:,} suppressed"),
        ("re-entry", str(found)),
        ("motives", str(why)),
    ]
    for model in models:
        serves = " (champion)" if model["is_champion"] else ""
        lines.append(
            (
                "churn" if model["is_champion"] else "",
                f"{model['learner']}{serves}: PR-AUC {model['pr_auc']:.3f} beside a base rate of {model['base_rate']:.3f}, "
                f"tested on {model['test_month']:%Y-%m}, {model['test_rows']:,} users",
            )
        )
    lines.append(("seconds", f"{seconds:.0f} in all" + (f"; over budget: {', '.join(late)}" if late else "")))
    peak = peak_memory_mb()
    if peak:
        lines.append(("peak memory", f"{peak:,} MB"))
    lines.append(("pages", str(Path(settings.store.work).resolve() / "site" / "index.html")))
    return lines
