"""Killed hard in the middle of intake and daily building, and run twice at a time: one result."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import City
from pyspark.sql import SparkSession

from churnlake.core import leases
from churnlake.core.errors import BusyError
from churnlake.core.runs import EVER
from churnlake.core.storage import Storage
from churnlake.evaluate.content import content
from churnlake.evaluate.kills import hidden, kill, open_files, run_jobs, settings_at
from churnlake.tables.clean import SMS

KEPT = ("subscribers", "voice", "sms")


@pytest.fixture
def few(city: City, tmp_path: Path) -> list[str]:
    """Settings of a landing folder with the first deliveries of three feeds of the city."""
    for feed in KEPT:
        for folder in sorted((Path(city.settings.store.landing) / feed).iterdir())[:2]:
            shutil.copytree(folder, tmp_path / "landing" / feed / folder.name)
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    for feed in KEPT:
        shutil.copy(Path("conf/feeds/city") / f"{feed}.yaml", feeds)
    return [f"store.landing={tmp_path}/landing", f"store.feeds={feeds}", "spark.master=local[2]", "spark.shuffle_partitions=2"]


@pytest.mark.heavy
def test_a_lake_killed_three_times_ends_as_one_undisturbed(spark: SparkSession, few: list[str], tmp_path: Path) -> None:
    plain, place = settings_at("local", few, tmp_path / "plain"), tmp_path / "killed"
    run_jobs(spark, plain)
    wanted = content(spark, plain, EVER)
    settings = settings_at("local", few, place)
    told = [kill(spark, "local", few, place, commits, pause) for commits, pause in ((5, 0.4), (9, 0.9), (2, 0.1))]
    assert any(k.hidden for k in told), "at least one kill came while something was being written"
    run_jobs(spark, settings)
    assert content(spark, settings, EVER) == wanted
    assert hidden(spark, settings) == {}
    assert open_files(spark, settings) == 0


@pytest.mark.parametrize("left", ["", "_delta_log/_staged_commits", "_delta_log/.00000000000000000000.json.0.tmp"])
def test_a_table_is_made_where_a_run_was_killed_before_its_first_commit(spark: SparkSession, tmp_path: Path, left: str) -> None:
    storage = Storage(spark, str(tmp_path))
    place = Path(storage.path(SMS))
    (place / "_delta_log").mkdir(parents=True)
    if left.endswith(".tmp"):
        (place / left).write_text("{")
    else:
        (place / left).mkdir(exist_ok=True)
    assert storage.create(SMS)["churnlake.contract"] == SMS.fingerprint
    assert storage.version(SMS) == 0
    assert storage.create(SMS)["churnlake.contract"] == SMS.fingerprint


def test_of_two_runs_of_a_job_the_second_says_who_is_at_work(spark: SparkSession, tmp_path: Path) -> None:
    root, outcomes, gate = str(tmp_path / "lake"), [], threading.Barrier(6)

    def start(name: str) -> None:
        gate.wait()
        try:
            with leases.lease(spark, root, "build_daily", name):
                time.sleep(1)
            outcomes.append("ran")
        except BusyError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=start, args=(f"run{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("ran") == 1
    assert all(f"process {os.getpid()}" in text for text in outcomes if text != "ran")
    with leases.lease(spark, root, "build_daily", "later"), leases.lease(spark, root, "ingest_usage", "other"):
        pass


def test_the_lease_of_a_process_that_was_killed_is_taken_over(spark: SparkSession, tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom churnlake.core import leases\n"
        f"with leases.lease(None, {str(tmp_path)!r}, 'build_daily', 'first'):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(BusyError, match=f"run first on .*, process {process.pid}"),
        leases.lease(spark, str(tmp_path), "build_daily", "x"),
    ):
        pass
    process.kill()
    process.wait()
    with leases.lease(spark, str(tmp_path), "build_daily", "second"):
        assert json.loads((tmp_path / "_leases" / "build_daily").read_text())["run_id"] == "second"
    assert list((tmp_path / "_leases").iterdir()) == []


def test_a_lease_not_renewed_in_time_is_taken_over_from_another_machine(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with leases.lease(spark, str(tmp_path), "build_daily", "far"):
        path = tmp_path / "_leases" / "build_daily"
        held = json.loads(path.read_text()) | {"host": "elsewhere"}
        path.write_text(json.dumps(held))
        with pytest.raises(BusyError, match="run far on elsewhere"), leases.lease(spark, str(tmp_path), "build_daily", "near"):
            pass
        path.write_text(json.dumps(held | {"until": time.time() - 1}))
        with leases.lease(spark, str(tmp_path), "build_daily", "near"):
            pass
