"""A month's indicators beside DuckDB and beside one grouping for each: daily partials and monthly features from the same clean records."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from churnlake.city.generate import scenario
from churnlake.core.console import Console
from churnlake.core.errors import SettingsError
from churnlake.core.job import log_to
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days, parse_days
from churnlake.core.session import peak_memory_mb, session
from churnlake.evaluate import duck_indicators as duck
from churnlake.evaluate import jit, one_by_one
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.made import make_city
from churnlake.evaluate.sides import apart, logged, pin, steps, tasks
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.clean import RECORDS
from churnlake.tables.reference import LIVES, REFERENCE
from churnlake.usage.daily import events

WHOLE, LAST_DAY = "full_day", dt.date(2005, 5, 31)
MADE = ("daily", "features", "churn")
"""Layers of the lake that the timed jobs make."""
AT_ONCE = 7
"""Days taken in by one run of intake before anything is timed."""


def bench(
    settings: Settings, scale: float, days: int, cores: int, times: int, work: Path, console: Console, anew: bool
) -> dict[str, Any]:
    """Make the city and its clean tables once, run both sides ``times`` in turn and indicators one by one once; print and leave the figures.

    Raises SettingsError where the days do not hold a month's end with time enough before it.
    """
    if not 1 <= days <= 60:
        raise SettingsError(f"--days {days}: from 1 to 60; the city has lived two months when its last day comes")
    home = work / f"month-{scale:g}-{days}"
    span = Days(LAST_DAY - dt.timedelta(days - 1), LAST_DAY)
    if anew:
        shutil.rmtree(home, ignore_errors=True)
    _city(settings, scale, span, home, console)
    pin(cores)
    asked = {"home": str(home), "cores": cores, "days": str(span), "compare": False}
    if not (home / "ready").is_file():
        console.say("taking the city's records in, once and not timed")
        for part in ("lake", "lake-vault"):
            shutil.rmtree(home / part, ignore_errors=True)
        apart(__name__, "intake", asked, settings)
        (home / "ready").touch()
    runs, others = [], []
    for turn in range(times):
        console.say(f"run {turn + 1} of {times}: the lakehouse, then DuckDB")
        runs.append(apart(__name__, "ours", asked, settings))
        others.append(apart(__name__, "theirs", {**asked, "compare": turn == times - 1}, settings))
        shutil.rmtree(home / "duckdb", ignore_errors=True)
    console.say(f"one grouping for each of {len(one_by_one.subset())} indicators, alone")
    found = _told(runs, others, apart(__name__, "one_by_one", asked, settings))
    found = {"scale": scale, "days": days, "cores": cores, "runs": times, **found}
    (work / "indicators.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _show(found, console)
    return found


def _city(settings: Settings, scale: float, days: Days, home: Path, console: Console) -> None:
    """A part of the city's people, with usage records of these days. Made where it is not there yet."""
    if (home / "landing" / "_manifest.json").is_file():
        return
    whole = scenario(WHOLE)
    part = {
        "like": WHOLE, "name": f"bench_month_{scale:g}", "users": round(whole.users * scale), "cells": max(50, round(whole.cells * scale)),
        "last_day": days.last, "files_per_delivery": max(1, round(whole.files_per_delivery * scale)),
        "records": {"first_day": days.first, "last_day": days.last},
    }  # fmt: skip
    home.mkdir(parents=True, exist_ok=True)
    (home / "city.yaml").write_text(yaml.safe_dump(part), encoding="utf-8")
    update = {
        "city": settings.city.model_copy(update={"scenario": str(home / "city.yaml"), "truth": str(home / "truth")}),
        "store": settings.store.model_copy(update={"landing": str(home / "landing"), "work": str(home / "work")}),
    }
    make_city(settings.model_copy(update=update), console, True)


# ---- each in a process of its own


def run_intake(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Registers and records into the lake, some days a run."""
    settings, _ = logged(settings, Path(asked["home"]), asked["cores"])
    logs, days = Path(settings.store.work) / "logs", parse_days(asked["days"]).each()
    log_to(logs, settings.store.log_format)
    lineage = Lineage.of_package()
    jobs = {job.name: job for job in lineage.jobs}
    with session(settings.spark, logs) as spark:
        jobs["ingest_reference"].run(spark, settings, Days(days[0], days[-1]), makers=lineage.makers)
        for some in (days[at : at + AT_ONCE] for at in range(0, len(days), AT_ONCE)):
            jobs["ingest_usage"].run(spark, settings, Days(some[0], some[-1]), makers=lineage.makers)
    return {}


def run_ours(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """build_daily and build_features, timed by table; between them, not timed, who left, which is a feature of their peers."""
    home = Path(asked["home"])
    settings, log = logged(settings, home, asked["cores"])
    for layer in MADE:
        shutil.rmtree(home / "lake" / layer, ignore_errors=True)
    logs, days = Path(settings.store.work) / "logs", parse_days(asked["days"])
    (logs / "spark.log").unlink(missing_ok=True)
    log_to(logs, settings.store.log_format)
    lineage = Lineage.of_package()
    jobs = {job.name: job for job in lineage.jobs}
    with session(settings.spark, logs) as spark:
        jit.watch(spark)
        reports = [
            jobs[name].run(spark, settings, days, makers=lineage.makers, restate=name == "label_leaving")
            for name in ("build_daily", "label_leaving", "build_features")
        ]
        peak, largest = peak_memory_mb(), jit.largest_method(spark)
    of_tables = tasks(next(iter(sorted(log.iterdir()))))
    found = [step for report in reports if report.job != "label_leaving" for step in steps(report, of_tables)]
    return {
        "steps": found,
        "peak_memory_mb": peak,
        "largest_method_bytes": largest,
        "too_long": jit.too_long(logs / "spark.log"),
        "fallbacks": jit.fallbacks(logs / "spark.log"),
    }


def run_theirs(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """DuckDB's tables of the same clean records, timed by table; with ``compare``, also how many records and users, and what differs."""
    home, days = Path(asked["home"]), parse_days(asked["days"])
    lake = home / "lake"

    def files(name: str) -> list[str]:
        place = lake / name.replace(".", "/")
        return duck.current_files(place) if place.is_dir() else []

    task = duck.Task(
        {table.name: files(table.name) for table in (*RECORDS, *REFERENCE, LIVES, LEAVINGS)}, home / "duckdb", days, days.months()[-1],
        settings.landing.home_area, asked["cores"], settings.spark.driver_memory.upper() + "B", settings.usage,
    )  # fmt: skip
    found = duck.measure(task)
    if asked["compare"]:
        con = duck.connected(task)
        for table in (*duck.DAILY_TABLES, *duck.FEATURES):
            duck.see(con, task, table)
        told = (
            con.execute("SELECT count(*) FROM events").fetchone(),
            con.execute("SELECT count(*) FROM features_monthly").fetchone(),
        )
        ours = {table.name: files(table.name) for table in (*duck.DAILY_TABLES, *duck.FEATURES)}
        found |= {"records": told[0][0], "users": told[1][0], "differing": duck.differing(con, ours)}
    return found


def run_one_by_one(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Seconds of each of the indicators measured."""
    settings, _ = logged(settings, Path(asked["home"]), asked["cores"])
    logs, days = Path(settings.store.work) / "logs", parse_days(asked["days"])
    log_to(logs, settings.store.log_format)
    with session(settings.spark, logs) as spark:
        lake = lake_of(spark, settings, days, *RECORDS, *REFERENCE)
        records = events({table.name: lake.read(table, first=days.first) for table in RECORDS})
        tables = {table: lake.read(table) for table in REFERENCE if lake.has(table)}
        found = one_by_one.seconds(records, tables, days.months()[-1], settings.landing.home_area, settings.usage)
    return {"seconds": found}


# ---- what comes out


def _told(runs: list[dict[str, Any]], others: list[dict[str, Any]], alone: dict[str, Any]) -> dict[str, Any]:
    """Medians of both sides by step; and of the indicators measured alone, what all of the ten views would take."""
    told = []
    for name in (step["name"] for step in runs[0]["steps"]):
        mine = [next(s for s in run["steps"] if s["name"] == name) for run in runs]
        seconds = statistics.median(step["seconds"] for step in mine)
        other = statistics.median(run["steps"].get(name, 0.0) for run in others)
        told.append(
            {
                "name": name, "spark_seconds": round(seconds, 2), "duckdb_seconds": round(other, 2),
                "ratio": round(seconds / other, 2) if other else None, "shuffle_bytes": mine[-1]["shuffle_bytes"],
            }
        )  # fmt: skip
    total = statistics.median(sum(s["seconds"] for s in run["steps"]) for run in runs)
    other_total = statistics.median(sum(run["steps"].values()) for run in others)
    measured = {name: round(seconds, 2) for name, seconds in alone["seconds"].items()}
    extrapolated = statistics.mean(alone["seconds"].values()) * len(INDICATORS)
    return {
        "users": others[-1]["users"], "records": others[-1]["records"], "indicators": len(INDICATORS) + len(ALL_ITEMS),
        "spark_seconds": round(total, 2), "duckdb_seconds": round(other_total, 2), "total_ratio": round(total / other_total, 2),
        "one_by_one_seconds": round(extrapolated, 1), "one_by_one_ratio": round(extrapolated / total, 1),
        "one_by_one": {
            "how": f"extrapolated: the mean of {len(measured)} indicators, each grouped alone from the records, times the {len(INDICATORS)} of the "
            f"ten views; the {len(ALL_ITEMS)} items, which the lakehouse makes as well, and the joining of results are left out",
            "measured_seconds": measured,
        },
        "results_agree": not others[-1]["differing"], "differing": others[-1]["differing"],
        "peak_memory_mb": max(run["peak_memory_mb"] or 0 for run in runs),
        "duckdb_peak_memory_mb": max(run["peak_memory_mb"] or 0 for run in others),
        "largest_method_bytes": max(run["largest_method_bytes"] for run in runs),
        "method_limit_bytes": jit.HUGE_METHOD, "methods_beyond": runs[-1]["too_long"],
        "plans_without_whole_stage_code": max(run["fallbacks"] for run in runs),
        "steps": told,
    }  # fmt: skip


def _show(found: dict[str, Any], console: Console) -> None:
    lines = [("step", "lakehouse s   DuckDB s   ratio   shuffle MB")]
    for step in found["steps"]:
        ratio = f"{step['ratio']:.2f}" if step["ratio"] is not None else "-"
        figures = f"{step['spark_seconds']:11.1f} {step['duckdb_seconds']:10.1f} {ratio:>7} {step['shuffle_bytes'] / 1e6:12.0f}"
        lines.append((step["name"], figures))
    apart_ones = "; ".join(found["differing"][:5]) + (
        f" and {len(found['differing']) - 5} more" if len(found["differing"]) > 5 else ""
    )
    lines += [
        ("all", f"{found['spark_seconds']:11.1f} {found['duckdb_seconds']:10.1f} {found['total_ratio']:7.2f}"),
        (
            "one by one",
            f"{found['one_by_one_seconds']:11.1f} s, {found['one_by_one_ratio']:.1f} times ours; {found['one_by_one']['how']}",
        ),
        ("made of", f"{found['records']:,} records, {found['users']:,} users, {found['indicators']:,} indicators and items"),
        ("peak memory", f"{found['peak_memory_mb']:,} MB; DuckDB {found['duckdb_peak_memory_mb']:,} MB"),
        (
            "generated code",
            f"largest method {found['largest_method_bytes']:,} bytes of {found['method_limit_bytes']:,} that a JVM compiles; "
            f"beyond it {', '.join(f'{name} ({size:,})' for name, size in found['methods_beyond'].items()) or 'none'}; "
            f"{found['plans_without_whole_stage_code']} plans without whole-stage code",
        ),
        ("results", "agree, user by user" if found["results_agree"] else "DIFFER: " + apart_ones),
    ]
    title = (
        f"A month's indicators, scale {found['scale']:g}, {found['days']} days, {found['cores']} cores, median of {found['runs']}"
    )
    console.summary(title, lines)


SIDES = {"intake": run_intake, "ours": run_ours, "theirs": run_theirs, "one_by_one": run_one_by_one}


def _side(arguments: Sequence[str]) -> None:
    side, asked, settings = arguments[0], json.loads(arguments[1]), Settings.model_validate_json(arguments[2])
    sys.stdout.write(json.dumps(SIDES[side](asked, settings)) + "\n")


if __name__ == "__main__":
    _side(sys.argv[1:])
