"""Killed hard at random moments and run again, a lake must hold what an undisturbed run leaves."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from churnlake.core.console import Console
from churnlake.core.job import Job
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.evaluate.content import content, lake_of
from churnlake.settings import Settings

JOBS = ("ingest_reference", "ingest_usage", "build_daily")
PAUSE = 1.5
"""Seconds at most between the commit that a kill waits for and the kill: a small commit takes about as long, so that kills fall anywhere."""


@dataclass(frozen=True)
class Kill:
    """One kill: when it came, what it left and whether the lake was whole after another run."""

    lake: str
    seconds: float
    commits: int
    stage: str
    hidden: str
    open_files: int
    is_same: bool = False

    def __str__(self) -> str:
        result = "tables identical after the next run" if self.is_same else "TABLES DIFFER after the next run"
        left = f"hidden: {self.hidden or 'nothing'}; files of an open batch: {self.open_files}"
        return f"{self.seconds:5.1f} s, {self.commits:>2} commits, last of {self.stage}; {left}; {result}"


def kills(
    spark: SparkSession, env: str, overrides: Sequence[str], home: Path, times: int, seed: int, console: Console
) -> list[Kill]:
    """Take in the landing files and build the days undisturbed, then ``times`` more, each killed once at a random moment.

    Each runs in a process of its own, which gets SIGKILL, its JVM with it, a random while after a random commit. The same jobs
    then run to their end, and every table is compared with the undisturbed lake's.
    """
    dice = random.Random(seed)
    plain = settings_at(env, overrides, home / "undisturbed")
    run_jobs(spark, plain)
    wanted, commits = content(spark, plain, EVER), _commits(plain)
    console.say(f"undisturbed: {sum(rows for rows, _ in wanted.values()):,} rows in {len(wanted)} tables, {commits} commits")
    found = []
    for turn in range(times):
        place = home / f"kill-{turn + 1}"
        settings = settings_at(env, overrides, place)
        killed = kill(spark, env, overrides, place, dice.randrange(commits), dice.uniform(0, PAUSE))
        run_jobs(spark, settings)
        now = content(spark, settings, EVER)
        is_whole = now == wanted and not hidden(spark, settings) and not open_files(spark, settings)
        found.append(Kill(**{**killed.__dict__, "is_same": is_whole}))
        console.say(f"kill {turn + 1:>2}: {found[-1]}")
        if is_whole:
            shutil.rmtree(place)
    return found


def kill(spark: SparkSession, env: str, overrides: Sequence[str], place: Path, commits: int, pause: float) -> Kill:
    """Start the jobs on the lake at ``place`` in another process; kill it ``pause`` seconds after it has made more than so many commits."""
    settings = settings_at(env, overrides, place)
    there = _commits(settings)
    given = json.dumps([env, [*overrides], str(place)])
    with (place / "killed.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "churnlake.evaluate.kills", given], start_new_session=True, stdout=log, stderr=log
        )
        began = time.monotonic()
        while _commits(settings) <= there + commits and process.poll() is None:
            time.sleep(0.02)
        time.sleep(pause)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    newest = max(Path(settings.store.lake).glob("*/*/_delta_log/*.json"), key=lambda f: f.stat().st_mtime, default=None)
    stage = ".".join(newest.parts[-4:-2]) if newest else "nothing"
    return Kill(
        place.name, time.monotonic() - began, _commits(settings) - there, stage,
        ", ".join(f"{table} ({len(slices)})" for table, slices in sorted(hidden(spark, settings).items())), open_files(spark, settings),
    )  # fmt: skip


def hidden(spark: SparkSession, settings: Settings) -> dict[str, dict[str, str]]:
    """By table, the slices that readers of the lake do not see."""
    return _lake(spark, settings).hidden()


def open_files(spark: SparkSession, settings: Settings) -> int:
    """Landing files of a batch that is not done."""
    lake = _lake(spark, settings)
    return lake.read(FILES).where("batch_state = 'open'").count() if lake.has(FILES) else 0


def _lake(spark: SparkSession, settings: Settings) -> Lake:
    return lake_of(spark, settings, EVER, FILES)


def settings_at(env: str, overrides: Sequence[str], place: Path) -> Settings:
    """The settings of a lake of its own at ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    return load(Settings, env, [*overrides, f"store.lake={place / 'lake'}", f"store.work={place / 'work'}"])


def _commits(settings: Settings) -> int:
    return sum(1 for _ in Path(settings.store.lake).glob("*/*/_delta_log/*.json"))


def run_jobs(spark: SparkSession, settings: Settings) -> None:
    """Intake and daily building, each over what changed since it last ran."""
    lineage = Lineage.of_package()
    jobs: list[Job] = [job for job in lineage.jobs if job.name in JOBS]
    run_chain(spark, settings, jobs, None, Console(), makers=lineage.makers)


def _child() -> None:
    env, overrides, place = json.loads(sys.argv[1])
    settings = settings_at(env, overrides, Path(place))
    with session(settings.spark, Path(settings.store.work) / "logs") as spark:
        run_jobs(spark, settings)


if __name__ == "__main__":
    _child()
