"""A month and a day again, a job on its own, a job too early: none of them changes what the chain made."""

import datetime as dt
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import City
from pyspark.sql import SparkSession

from churnlake.core.console import Console
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.evaluate.content import content
from churnlake.tables.churn import MODELS
from churnlake.tables.daily import USAGE
from churnlake.tables.judged import JUDGED

LINEAGE = Lineage.of_package()


@pytest.mark.heavy
def test_a_month_and_a_day_again_change_nothing(spark: SparkSession, city: City) -> None:
    chain, console = LINEAGE.chain(), Console()
    lake, taught = city.lake(spark), (MODELS, JUDGED)
    before = {table.name: lake.read(table).collect() for table in taught}
    quiet = [job for job in chain if job.name not in ("check_quality", "publish_site")]
    again = run_chain(
        spark, city.settings, quiet, Days(dt.date(2005, 5, 1), dt.date(2005, 5, 31)), console, makers=LINEAGE.makers
    )
    taken = {r.job: r.rows_in for r in again}
    assert taken["ingest_usage"] == taken["ingest_reference"] == 0, "no file is taken in twice"
    day = Days(dt.date(2005, 4, 30), dt.date(2005, 4, 30))
    run_chain(spark, city.settings, [job for job in quiet if not job.lands], day, console, makers=LINEAGE.makers)
    after = content(spark, city.settings, city.days)
    # what was taught at the ends of May and April, and how that was judged, comes beside what was there
    assert {t: v for t, v in after.items() if t not in before} == {t: v for t, v in city.before.items() if t not in before}
    for table in taught:
        now = lake.read(table).collect()
        assert len(now) > len(before[table.name]) > 0
        assert all(row in now for row in before[table.name])


def test_a_job_on_its_own_does_what_the_chain_does(spark: SparkSession, city: City) -> None:
    sets = [argument for override in city.overrides for argument in ("--set", override)]
    command = [sys.executable, "-m", "jobs.build_daily", "--dates", "2005-05-10..2005-05-12", *sets]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr[-800:]
    assert "build_daily 2005-05-10..2005-05-12" in done.stderr
    assert content(spark, city.settings, city.days)[USAGE.name] == city.before[USAGE.name]


@pytest.mark.parametrize(
    ("program", "sets", "told"),
    [
        ("ingest_usage", [], "landing folder .* is not there; put files under"),
        ("ingest_usage", ["store.feeds=nobody"], "no feed files in .*nobody; write one"),
        ("build_daily", [], "no clean records yet; run job ingest_usage first"),
        ("build_circles", [], r"daily\.edges does not exist yet; run job build_daily first"),
        ("detect_reentry", [], "does not exist yet; run job"),
    ],
)
def test_a_job_run_too_early_says_what_to_run_first(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], program: str, sets: list[str], told: str
) -> None:
    if sets:
        (tmp_path / "landing").mkdir()
    where = [f"store.landing={tmp_path}/landing", f"store.lake={tmp_path}/lake", f"store.work={tmp_path}/work", *sets]
    job = next(job for job in LINEAGE.jobs if job.name == program)
    code = job.command(["--dates", "2005-05-31", *[a for s in where for a in ("--set", s)]])
    err = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert re.search(told, err), err
    assert "Traceback" in (tmp_path / "work" / "logs" / "churnlake.log").read_text(), "the full trace is in the log"
