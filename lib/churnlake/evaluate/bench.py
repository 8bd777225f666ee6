"""The city's day through the lakehouse and through DuckDB, step by step, on the same files, cores and memory."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import scenario
from churnlake.core.console import Console
from churnlake.core.contract import STATES
from churnlake.core.job import log_to
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days, parse_days
from churnlake.core.session import peak_memory_mb, session
from churnlake.evaluate import duck
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.made import make_city
from churnlake.evaluate.sides import apart, logged, pin, steps, tasks
from churnlake.settings import Settings
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE

WHOLE = "full_day"
SUMS = {table: duck.SUMS[table.name.partition(".")[2]] for table in (USAGE, EDGES, FORWARDS, PLACES, DEVICES)}
AGREES = 1e-9


def bench(settings: Settings, scale: float, cores: int, times: int, work: Path, console: Console) -> dict[str, Any]:
    """Make the city once, run both sides ``times`` in turn, print the table and leave it in ``ingest.json``; what stands there."""
    home = work / f"city-{scale:g}"
    days = _city(settings, scale, home, console)
    pin(cores)
    runs, others = [], []
    for turn in range(times):
        console.say(f"run {turn + 1} of {times}: the lakehouse, then DuckDB")
        runs.append(_ours(settings, cores, home, days))
        others.append(_theirs(settings, cores, home))
    found = _told(runs, others, scale, cores, home)
    work.mkdir(parents=True, exist_ok=True)
    (work / "ingest.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _show(found, console)
    return found


def _city(settings: Settings, scale: float, home: Path, console: Console) -> Days:
    """The city's last day: a part of its people, or, above 1, so many of its days. Made where it is not there yet."""
    whole = scenario(WHOLE)
    days = max(1, round(scale))
    last = whole.last_day
    first = last.fromordinal(last.toordinal() - days + 1)
    if not (home / "landing" / "_manifest.json").is_file():
        part = {
            "like": WHOLE, "name": f"bench_{scale:g}", "users": round(whole.users * min(1.0, scale)),
            "cells": max(50, round(whole.cells * min(1.0, scale))), "records": {"first_day": first},
        }  # fmt: skip
        home.mkdir(parents=True, exist_ok=True)
        (home / "city.yaml").write_text(yaml.safe_dump(part), encoding="utf-8")
        update = {
            "city": settings.city.model_copy(update={"scenario": str(home / "city.yaml"), "truth": str(home / "truth")}),
            "store": settings.store.model_copy(update={"landing": str(home / "landing"), "work": str(home / "work")}),
        }
        make_city(settings.model_copy(update=update), console, False)
    return Days(first, last)


def _ours(settings: Settings, cores: int, home: Path, days: Days) -> dict[str, Any]:
    shutil.rmtree(home / "lake", ignore_errors=True)
    return apart(__name__, "ours", {"home": str(home), "cores": cores, "days": str(days)}, settings)


def _theirs(settings: Settings, cores: int, home: Path) -> dict[str, Any]:
    out = home / "duckdb"
    shutil.rmtree(out, ignore_errors=True)
    found = apart(__name__, "theirs", {"out": str(out), "landing": str(home / "landing"), "cores": cores}, settings)
    shutil.rmtree(out / "spill", ignore_errors=True)
    return found


def run_ours(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Reference data first, not timed; then ingest and the daily tables, timed by table."""
    settings, events = logged(settings, Path(asked["home"]), asked["cores"])
    logs = Path(settings.store.work) / "logs"
    log_to(logs, settings.store.log_format)
    days = parse_days(asked["days"])
    with session(settings.spark, logs) as spark:
        lineage = Lineage.of_package()
        jobs = {job.name: job for job in lineage.jobs}
        jobs["ingest_reference"].run(spark, settings, days, makers=lineage.makers)
        reports = [jobs[name].run(spark, settings, days, makers=lineage.makers) for name in ("ingest_usage", "build_daily")]
        peak = peak_memory_mb()
        held = results(spark, settings, days)
    of_tables = tasks(next(iter(sorted(events.iterdir()))))
    found = [step for report in reports for step in steps(report, of_tables)]
    return {"steps": found, "results": held, "peak_memory_mb": peak}


def results(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    """The same counts and sums as ``duck.results``, of the lake's tables."""
    lake = lake_of(spark, settings, days, *RECORDS, *SUMS)
    found: dict[str, Any] = {}
    for table in RECORDS:
        states = {row["state"]: row["count"] for row in lake.ledger(table).groupBy("state").count().collect()}
        names = set(table.names)
        told = lake.read(table).agg(
            F.countDistinct("number_key"),
            F.countDistinct("peer_key") if "peer_key" in names else F.lit(0),
            F.sum("seconds") if "seconds" in names else F.lit(0),
            F.sum("fee_yuan"),
        )
        found[table.name] = dict(sorted(states.items())) | _named(("numbers", "peers", "seconds", "fee"), told.first())
    for table, columns in SUMS.items():
        told = lake.read(table).agg(F.count(F.lit(1)), F.countDistinct("user_id"), *(F.sum(c) for c in columns))
        found[table.name] = _named(("rows", "users", *columns), told.first())
    return found


def _named(names: Sequence[str], row: Any) -> dict[str, float]:
    return {name: round(float(value or 0), 2) for name, value in zip(names, row, strict=True)}


def _told(runs: list[dict[str, Any]], others: list[dict[str, Any]], scale: float, cores: int, home: Path) -> dict[str, Any]:
    """Medians of both sides by step, in the house's order."""
    names = [step["name"] for step in runs[0]["steps"]]
    beside = {
        "ingest_usage": "files",
        **{f"clean.{feed}": feed for feed in duck.FEEDS},
        **{f"daily.{day}": day for day in duck.SUMS},
    }
    told = []
    for name in names:
        mine = [next(s for s in run["steps"] if s["name"] == name) for run in runs]
        spark_seconds = statistics.median(step["seconds"] for step in mine)
        other = statistics.median(run["steps"].get(beside.get(name, ""), 0.0) for run in others)
        told.append(
            {
                "name": name, "spark_seconds": round(spark_seconds, 2), "duckdb_seconds": round(other, 2),
                "ratio": round(spark_seconds / other, 2) if other else None, "shuffle_bytes": mine[-1]["shuffle_bytes"],
            }
        )  # fmt: skip
    apart = differing(runs[-1]["results"], others[-1]["results"])
    total = statistics.median(sum(s["seconds"] for s in run["steps"]) for run in runs)
    other_total = statistics.median(sum(run["steps"].values()) for run in others)
    records = sum(sum(runs[-1]["results"][table.name].get(state, 0) for state in STATES) for table in RECORDS)
    landed = sum(path.stat().st_size for feed in duck.FEEDS for path in (home / "landing" / feed).rglob("*.gz"))
    return {
        "scale": scale, "cores": cores, "runs": len(runs), "records": records, "landed_bytes": landed,
        "spark_seconds": round(total, 2), "duckdb_seconds": round(other_total, 2), "total_ratio": round(total / other_total, 2),
        "records_per_second": round(records / total), "results_agree": not apart, "differing": apart,
        "peak_memory_mb": max(run["peak_memory_mb"] or 0 for run in runs),
        "duckdb_peak_memory_mb": max(run["peak_memory_mb"] or 0 for run in others),
        "shuffle_bytes_per_record": round(sum(step["shuffle_bytes"] for step in told) / max(records, 1), 1),
        "steps": told,
    }  # fmt: skip


def differing(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What the two sides do not have the same of, in words."""
    return [
        f"{table} {name}: {value:,} here, {theirs[table].get(name, 0):,} there"
        for table, values in ours.items()
        for name, value in values.items()
        if abs(value - theirs[table].get(name, 0)) > AGREES * max(abs(value), 1)
    ]


def _show(found: dict[str, Any], console: Console) -> None:
    records = found["records"]
    lines = [("step", "lakehouse s   DuckDB s   ratio   shuffle MB")]
    for step in found["steps"]:
        ratio = f"{step['ratio']:.2f}" if step["ratio"] is not None else "-"
        lines.append(
            (
                step["name"],
                f"{step['spark_seconds']:11.1f} {step['duckdb_seconds']:10.1f} {ratio:>7} {step['shuffle_bytes'] / 1e6:12.0f}",
            )
        )
    lines += [
        ("all", f"{found['spark_seconds']:11.1f} {found['duckdb_seconds']:10.1f} {found['total_ratio']:7.2f}"),
        (
            "records",
            f"{records:,}, {found['records_per_second']:,} a second; {found['landed_bytes'] / 1e6 / found['spark_seconds']:.1f} MB of .gz a second",
        ),
        ("shuffle", f"{found['shuffle_bytes_per_record']:.0f} bytes a record"),
        ("peak memory", f"{found['peak_memory_mb']:,} MB; DuckDB {found['duckdb_peak_memory_mb']:,} MB"),
        ("results", "agree" if found["results_agree"] else "DIFFER: " + "; ".join(found["differing"])),
    ]
    console.summary(f"A day's ingest, scale {found['scale']:g}, {found['cores']} cores, median of {found['runs']}", lines)


def _side(arguments: Sequence[str]) -> None:
    side, asked, settings = arguments[0], json.loads(arguments[1]), Settings.model_validate_json(arguments[2])
    if side == "ours":
        found = run_ours(asked, settings)
    else:
        key = Path(str(settings.store.key_file)).expanduser().read_bytes()
        task = duck.Task(
            Path(asked["landing"]), Path(asked["out"]), key, asked["cores"], settings.spark.driver_memory.upper() + "B",
            settings.landing, settings.usage, settings.store.looks_back_days,
        )  # fmt: skip
        found = duck.measure(task)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    _side(sys.argv[1:])
