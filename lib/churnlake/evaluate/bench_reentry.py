"""Re-entry of a city as large as asked for: the last month's circles and its joiners at their final stage, timed.

The city is one of 20,000 people over and over, each time other people: their circles and lives are those of the small one, only numbers of other
networks that are in many circles stay one, so that a contact may be shared by a million. Contacts are weekly (weekly.py).
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.contract import Table
from churnlake.core.job import Run, declare, log_to
from churnlake.core.lake import Lake
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import peak_memory_mb, session
from churnlake.evaluate import reentry
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.sides import apart, logged, pin
from churnlake.evaluate.weekly import WEEKLY
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import LIVES

WHOLE, PEOPLE = 2_870_000, 20_000
COPIED = (USAGE, EDGES, FORWARDS, PLACES, DEVICES, LIVES)
OF_PEOPLE = ("user_id", "peer_id", "imei_key", "number_key")


def bench(settings: Settings, scale: float, cores: int, work: Path, console: Console, anew: bool) -> dict[str, Any]:
    """Make the city once, time the two jobs, print and leave the figures."""
    home = work / f"reentry-{scale:g}"
    if anew:
        shutil.rmtree(home, ignore_errors=True)
    copies = max(1, round(WHOLE * scale / PEOPLE))
    pin(cores)
    asked = {"small": str(work / "reentry-small"), "home": str(home), "cores": cores, "copies": copies}
    if not (home / "ready").is_file():
        console.say(f"making {PEOPLE:,} people {copies} times, and their circles up to the month before, once and not timed")
        shutil.rmtree(home, ignore_errors=True)
        apart(__name__, "small", asked, settings)
        apart(__name__, "copies", asked, settings)
        (home / "ready").touch()
    found = {"scale": scale, "people": copies * PEOPLE, "cores": cores, **apart(__name__, "ours", asked, settings)}
    (work / "reentry.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    console.summary(
        f"Re-entry of {found['people']:,} people, {cores} cores",
        [
            ("edges", f"{found['edges']:,} rows of {found['days']}; {found['month_edges']:,} of the last month"),
            (
                "joiners",
                f"{found['joiners']:,} at their final stage; {found['pairs']:,} pairs weighed, {found['matches']:,} matches",
            ),
            *((name, f"{seconds:.0f} s") for name, seconds in found["seconds"].items()),
            ("in all", f"{sum(found['seconds'].values()):.0f} s; {found['seconds_per_million_edges']:.2f} s a million edges"),
            ("peak memory", f"{found['peak_memory_mb']:,} MB"),
        ],
    )
    return found


# ---- each in a process of its own


def run_small(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The daily tables of the city that is copied, made where it is not there yet."""
    small = Path(asked["small"])
    if (small / "ready").is_file():
        return {}
    small.mkdir(parents=True, exist_ok=True)
    city = scenario(reentry.weekly_city("standard", PEOPLE, small))
    settings, _ = logged(settings, small, asked["cores"])
    log_to(Path(settings.store.work) / "logs", settings.store.log_format)
    jobs = [next(job for job in Lineage.of_package().jobs if job.name == "ingest_reference"), WEEKLY]
    with session(settings.spark, Path(settings.store.work) / "logs") as spark:
        generate(spark, city, settings.city.seed, small / "landing", small / "truth")
        days = Days(city.first_day, city.last_day)
        run_chain(spark, settings, jobs, days, Console(), makers={table.name: job.name for job in jobs for table in job.writes})
    (small / "ready").touch()
    return {"days": str(days)}


def run_copies(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The same people again and again, and what a month's run finds of the months before: their circles, and who left."""
    home = Path(asked["home"])
    city = scenario(str(Path(asked["small"]) / "by_week.yaml"))
    days = Days(city.first_day, city.last_day)
    of_small, _ = logged(settings, Path(asked["small"]), asked["cores"])
    settings, _ = logged(settings, home, asked["cores"])
    logs = Path(settings.store.work) / "logs"
    log_to(logs, settings.store.log_format)

    def copied(lake: Lake, run: Run) -> None:
        source = lake_of(lake.spark, of_small, run.days, *COPIED)
        kept = lake.checkpoint(_everywhere(source.read(EDGES), settings.reentry.hub_users))
        lake.write_all({table: _copies(source.read(table), table, asked["copies"], kept) for table in COPIED})

    many = declare(Settings, writes=COPIED)(copied)
    by_name = {job.name: job for job in Lineage.of_package().jobs}
    makers = {table.name: "copied" for table in COPIED} | Lineage.of_package().makers
    with session(settings.spark, logs) as spark:
        many.run(spark, settings, days, makers=makers)
        before = Days(days.first, days.months()[-1] - dt.timedelta(days=1))
        for name in ("build_circles", "label_leaving"):
            by_name[name].run(spark, settings, before if name == "build_circles" else days, makers=makers)
    return {}


def _everywhere(edges: DataFrame, hub_users: int) -> DataFrame:
    """One row per number of another network that is in many circles: peer_id."""
    known = edges.where("peer_network <> 'own'").groupBy("peer_id").agg(F.count_distinct("user_id").alias("users"))
    return known.where(f"users > {hub_users}").select("peer_id")


def _copies(rows: DataFrame, table: Table, copies: int, everywhere: DataFrame) -> DataFrame:
    """The table's rows so many times, each time of other people; numbers that are ``everywhere`` stay."""
    again = rows.withColumn("copy", F.explode(F.sequence(F.lit(0), F.lit(copies - 1))))
    stays: Column = F.lit(False)
    if "peer_id" in table.names:
        again = again.join(F.broadcast(everywhere.withColumn("is_everywhere", F.lit(True))), on="peer_id", how="left")
        stays = F.col("is_everywhere").isNotNull()
    for name in OF_PEOPLE:
        if name in table.names:
            other = F.when(F.col("copy") == 0, F.col(name)).otherwise(F.xxhash64(name, "copy"))
            again = again.withColumn(name, F.when(stays, F.col(name)).otherwise(other) if name == "peer_id" else other)
    return again.select(table.names)


def run_ours(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The last month's circles, and its joiners at their final stage, timed by job."""
    city = scenario(str(Path(asked["small"]) / "by_week.yaml"))
    days = Days(city.first_day, city.last_day)
    month = Days(days.months()[-1], days.last)
    settings, _ = logged(settings, Path(asked["home"]), asked["cores"])
    how = settings.reentry
    settings = settings.model_copy(update={"reentry": how.model_copy(update={"stages": [max(how.stages)]})})
    logs = Path(settings.store.work) / "logs"
    log_to(logs, settings.store.log_format)
    by_name = {job.name: job for job in Lineage.of_package().jobs}
    makers = {table.name: "copied" for table in COPIED} | Lineage.of_package().makers
    seconds = {}
    with session(settings.spark, logs) as spark:
        for name in ("build_circles", "detect_reentry"):
            report = by_name[name].run(spark, settings, month, makers=makers, restate=True)
            seconds[name] = round(report.seconds, 1)
        peak = peak_memory_mb()
        lake = lake_of(spark, settings, days, EDGES, JOINERS, PAIRS, MATCHES)
        edges = lake.read(EDGES)
        counts = {table.name: lake.read(table).count() for table in (JOINERS, PAIRS, MATCHES)}
        rows, of_month = edges.count(), edges.where(F.col("day") >= F.lit(month.first)).count()
    return {
        "days": str(days), "edges": rows, "month_edges": of_month, "joiners": counts[JOINERS.name], "pairs": counts[PAIRS.name],
        "matches": counts[MATCHES.name], "seconds": seconds, "seconds_per_million_edges": round(sum(seconds.values()) / rows * 1e6, 3),
        "peak_memory_mb": peak,
    }  # fmt: skip


SIDES = {"small": run_small, "copies": run_copies, "ours": run_ours}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(SIDES[sys.argv[1]](json.loads(sys.argv[2]), Settings.model_validate_json(sys.argv[3]))) + "\n")
