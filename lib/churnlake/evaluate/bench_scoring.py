"""A month's scores of a city as large as asked for: ``score_model`` timed, with champions taught on the demonstration city.

Features of the demonstration city's last month are copied over and over, each time of other people; numbers that are no counts are moved by a
thousandth at most, each copy by its own, so that they lie as widely spread in the files as those of so many people.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.city.generate import scenario
from churnlake.core.console import Console
from churnlake.core.contract import DOUBLE, Table
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Job, Run, declare, log_to
from churnlake.core.lake import Lake
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import peak_memory_mb, session
from churnlake.core.tracking import Tracker
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.sides import apart, logged, pin
from churnlake.models.frame import BESIDE
from churnlake.models.train import REGISTERED
from churnlake.models.winback import WINBACK
from churnlake.settings import Settings
from churnlake.tables.churn import SCORES
from churnlake.tables.features import MONTHLY
from churnlake.tables.judged import DRIFT, HAZARDS

WHOLE = 2_870_000
COPIED = (MONTHLY, *BESIDE)
LAST = "train_model"
AT_ONCE = 50_000
"""Users a task makes: their indicators are sorted in memory."""


def bench(settings: Settings, scale: float, cores: int, work: Path, console: Console, anew: bool) -> dict[str, Any]:
    """Make the small city and its copies once, time the job, print and leave the figures."""
    home, small = work / f"scoring-{scale:g}", work / "scoring-small"
    if anew:
        shutil.rmtree(home, ignore_errors=True)
    pin(cores)
    asked = {"small": str(small), "home": str(home), "cores": cores, "users": round(WHOLE * min(scale, 1.0))}
    if not (small / "ready").is_file():
        console.say("the demonstration city through the chain up to its champions, once and not timed")
        shutil.rmtree(small, ignore_errors=True)
        apart(__name__, "small", asked, settings)
        (small / "ready").touch()
    if not (home / "ready").is_file():
        console.say(f"its last month's features for {asked['users']:,} users, once and not timed")
        shutil.rmtree(home, ignore_errors=True)
        apart(__name__, "copies", asked, settings)
        (home / "ready").touch()
    found = {"scale": scale, "cores": cores, **apart(__name__, "ours", asked, settings)}
    (work / "scoring.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    console.summary(
        f"Scores of {found['users']:,} active users, {cores} cores",
        [
            *((target, f"{told['learner']}, {told['inputs']} inputs") for target, told in found["champions"].items()),
            ("scores", f"{found['scores']:,} rows, {found['with_reasons']:,} with reasons; {found['hazards']:,} hazards"),
            ("in all", f"{found['seconds']:.0f} s; {found['users'] / found['seconds']:,.0f} users a second"),
            ("peak memory", f"{found['peak_memory_mb']:,} MB"),
        ],
    )
    return found


# ---- each in a process of its own


def run_small(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The demonstration city, through the jobs up to its champions."""
    settings, days = _of_small(asked, settings)
    log_to(Path(settings.store.work) / "logs", settings.store.log_format)
    lineage = Lineage.of_package()
    jobs: list[Job] = []
    wanted: set[Table] = set()
    for job in reversed(lineage.chain()):
        if job.name == LAST or wanted & set(job.writes):
            jobs, wanted = [job, *jobs], wanted | set(job.inputs)
    jobs = [*lineage.chain(only="generate_city"), *jobs]
    with session(settings.spark, Path(settings.store.work) / "logs") as spark:
        run_chain(spark, settings, jobs, days, Console(), makers=lineage.makers)
    return {}


def run_copies(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The last month's features again and again."""
    of_small, days = _of_small(asked, settings)
    settings, _ = logged(settings, Path(asked["home"]), asked["cores"])
    logs = Path(settings.store.work) / "logs"
    log_to(logs, settings.store.log_format)
    month = Days(days.months()[-1], days.last)

    def copied(lake: Lake, run: Run) -> None:
        source = lake_of(lake.spark, of_small, month, *COPIED)
        active = source.read(MONTHLY, first=month.first).where(is_active(run.settings.churn)).count()
        if not active:
            raise MissingInputError(f"nobody was active in {month.first:%Y-%m}; nothing to copy")
        copies = -(-asked["users"] // active)
        for table in COPIED:
            lake.write(table, _copies(source.read(table, first=month.first), table, copies, max(2, asked["users"] // AT_ONCE)))

    many = declare(Settings, writes=COPIED)(copied)
    with session(settings.spark, logs) as spark:
        many.run(spark, settings, month, makers={table.name: "copied" for table in COPIED})
    return {}


def _copies(rows: DataFrame, table: Table, copies: int, tasks: int) -> DataFrame:
    """The table's rows so many times, each time of other people, made in so many tasks."""
    again = rows.sparkSession.range(0, copies, 1, min(copies, tasks)).withColumnRenamed("id", "copy")
    again = again.crossJoin(F.broadcast(rows))
    moved = 1 + F.pmod(F.xxhash64("user_id", "copy"), F.lit(1000)) / 1e6
    doubles = {c.name: F.col(c.name) * moved for c in table.columns if c.type == DOUBLE and c.most is None}
    other = F.when(F.col("copy") == 0, F.col("user_id")).otherwise(F.xxhash64("user_id", "copy"))
    return again.withColumns({**doubles, "user_id": other}).select(table.names)


def run_ours(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The month's scores, hazards and drift, timed."""
    of_small, days = _of_small(asked, settings)
    month = Days(days.months()[-1], days.last)
    settings, _ = logged(settings, Path(asked["home"]), asked["cores"])
    # who left a month ago is asked about by a model of its own, and is of no number
    targets = tuple(target for target in settings.models.targets if target != WINBACK)
    update = {"tracking": of_small.tracking, "models": settings.models.model_copy(update={"targets": targets})}
    settings = settings.model_copy(update=update)
    logs = Path(settings.store.work) / "logs"
    log_to(logs, settings.store.log_format)
    job = next(job for job in Lineage.of_package().jobs if job.name == "score_model")
    with session(settings.spark, logs) as spark:
        report = job.run(spark, settings, month, makers=Lineage.of_package().makers, restate=True)
        peak = peak_memory_mb()
        lake = lake_of(spark, settings, month, SCORES, HAZARDS, DRIFT)
        scores = lake.read(SCORES)
        told = scores.agg(F.count("*").alias("rows"), F.count_if(F.size("reasons") > 0).alias("reasons")).first()
        users = scores.groupBy("target").count().agg(F.max("count")).first()
        hazards = lake.read(HAZARDS).count() if lake.has(HAZARDS) else 0
    if told is None or users is None:
        raise MissingInputError("nothing was scored")
    return {
        "users": users[0], "scores": told["rows"], "with_reasons": told["reasons"], "hazards": hazards, "left_out": report.left_out,
        "champions": _champions(settings, targets), "seconds": round(report.seconds, 1), "peak_memory_mb": peak,
    }  # fmt: skip


def _champions(settings: Settings, targets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By target that has one, its champion's learner and how many inputs it takes."""
    found = {}
    for target in targets:
        tracker = Tracker(settings.tracking, REGISTERED[target])
        champion = tracker.champion()
        if champion is not None:
            notes = tracker.notes(champion.version)
            inputs = len(notes["numeric"]) + len(notes["categories"])
            found[target] = {"learner": champion.tags.get("learner", "multinomial logistic"), "inputs": inputs}
    return found


def _of_small(asked: dict[str, Any], settings: Settings) -> tuple[Settings, Days]:
    """Settings of the small city, its registry among them, and its days."""
    small = Path(asked["small"])
    city = scenario(settings.city.scenario)
    settings, _ = logged(settings, small, asked["cores"])
    registry = {"uri": f"sqlite:///{(small / 'mlflow.db').resolve()}", "artifacts": str((small / "mlruns").resolve())}
    update = {
        "tracking": settings.tracking.model_copy(update=registry),
        "city": settings.city.model_copy(update={"truth": str(small / "truth")}),
    }
    return settings.model_copy(update=update), Days(city.first_day, city.last_day)


SIDES = {"small": run_small, "copies": run_copies, "ours": run_ours}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(SIDES[sys.argv[1]](json.loads(sys.argv[2]), Settings.model_validate_json(sys.argv[3]))) + "\n")
