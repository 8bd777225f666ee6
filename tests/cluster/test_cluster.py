"""The chain on a Spark cluster, and with its lake in an object store, leaves the tables that it leaves in one process on one disk."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import JVM, LINEAGE, SMALL_LEARNERS, TINY
from on_loopback import ROOT, Cluster, s3_server
from pyspark.sql import SparkSession

from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, Days
from churnlake.core.settings import load
from churnlake.evaluate.content import compared
from churnlake.settings import Settings

pytestmark = pytest.mark.cluster
HERE = Path(__file__).parent
VILLAGE = """
like: tiny
name: village
users: 60
last_day: 2005-02-14
"""
UNTIL = "follow_joining"


@dataclass(frozen=True)
class Local:
    """A lake made in this process, and what other lakes are made of."""

    home: Path
    days: Days

    def places(self, home: Path, lake: str = "") -> list[str]:
        """Settings of a lake of its own, from the same landing files."""
        return [
            f"store.landing={self.home}/landing", f"store.lake={lake or home / 'lake'}", f"store.work={home}/work", f"store.exports={home}/exports",
            f"tracking.uri=sqlite:///{home}/mlflow.db", f"tracking.artifacts={home}/mlruns", "models.least_leavers=3", *SMALL_LEARNERS,
            f"store.key_file={ROOT}/conf/demo.key", "store.allow_demo_key=true", "spark.shuffle_partitions=2", f"spark.conf={json.dumps(TINY)}",
            f"spark.java_options={JVM}",
        ]  # fmt: skip

    def run(self, settings: list[str], until: str | None = UNTIL) -> list[str]:
        """The arguments of a run, all of it or until a job."""
        part = ["--until", until] if until else []
        return ["run", *part, "--env", "cluster", "--dates", str(self.days).replace(" ", ""), *given(settings)]


def given(settings: list[str]) -> list[str]:
    return [part for one in settings for part in ("--set", one)]


@pytest.fixture(scope="module")
def local(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Local:
    home = tmp_path_factory.mktemp("local")
    file = home / "village.yaml"
    file.write_text(VILLAGE, encoding="utf-8")
    return made_here(spark, home, str(file), UNTIL)


def made_here(spark: SparkSession, home: Path, city: str, until: str | None) -> Local:
    described = scenario(city)
    generate(spark, described, 7, home / "landing", home / "truth")
    made = Local(home, Days(described.first_day, described.last_day))
    settings = load(Settings, "cluster", made.places(home))
    run_chain(spark, settings, LINEAGE.chain(until=until), made.days, Console(), makers=LINEAGE.makers)
    return made


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster")
    yield made
    made.stop()


def assert_equal(spark: SparkSession, here: list[str], there: list[str]) -> None:
    found = compared(spark, load(Settings, "cluster", here), load(Settings, "cluster", there).store, EVER)
    assert [str(one) for one in found if not one.is_equal] == []
    assert len(found) >= 20


def events(cluster: Cluster) -> str:
    """What the event logs say."""
    files = [file for file in sorted((cluster.folder / "events").rglob("events_*")) if file.is_file()]
    assert files, "event logs are on"
    return "".join(pa.input_stream(str(file), compression="zstd").read().decode() for file in files)


def test_the_chain_leaves_on_a_cluster_what_it_leaves_in_one_process(
    spark: SparkSession, cluster: Cluster, local: Local, tmp_path: Path
) -> None:
    there = local.places(tmp_path)
    cluster.submit(*local.run(there))
    cluster.ended()
    assert_equal(spark, local.places(local.home), there)
    ran = events(cluster)
    assert all(f'"Executor ID":"{number}"' in ran for number in (0, 1)), "both workers had tasks"
    assert list((tmp_path / "lake" / "_kept").iterdir()) == [], "rows kept between two steps are gone when the job is done"


def test_a_worker_killed_half_way_changes_nothing(spark: SparkSession, cluster: Cluster, local: Local, tmp_path: Path) -> None:
    there, lake = local.places(tmp_path), tmp_path / "lake"
    submitted = cluster.submit(*local.run(there))
    # rows that detect_reentry keeps for its next steps lie there, and it goes on
    while submitted.poll() is None and not (
        (lake / "_leases" / "detect_reentry").is_file() and len(list((lake / "_kept").rglob("part-*"))) > 4
    ):
        time.sleep(0.2)
    cluster.kill(1)
    cluster.ended()
    assert '"Event":"SparkListenerExecutorRemoved"' in events(cluster), "it came while the job was at work"
    assert_equal(spark, local.places(local.home), there)


def test_the_chain_leaves_in_an_object_store_what_it_leaves_on_disk_and_does_so_again(local: Local, tmp_path: Path) -> None:
    with s3_server("churnlake") as reached:
        settings = [*local.places(tmp_path, "s3a://churnlake/lake"), "spark.jar_groups=[s3]", *reached]
        python("-m", "churnlake", *local.run(settings))
        told = json.loads(python(HERE / "again.py", local.home / "lake", *local.run(settings)).rpartition("told ")[2])
    assert told["unlike"] == []
    assert told["tables"] >= 20
    assert told["leases"] == {"1": 10}, "of three that make a lease at once one gets it"
    assert told["half_made"] == 0


def python(*arguments: object) -> str:
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.heavy
def test_executors_run_the_packed_environment(cluster: Cluster) -> None:
    cluster.submit(str(HERE / "where.py"), packed=True)
    told = cluster.ended()
    found = [line.split()[1:] for line in told.splitlines() if line.startswith("found ")]
    assert found, told[-3000:]
    for prefix, code, packages in found:
        assert prefix.endswith("/environment")
        assert not prefix.startswith(sys.prefix)
        assert "churnlake.zip/churnlake/" in code
        assert packages.startswith(prefix)


@pytest.mark.heavy
def test_the_whole_chain_leaves_on_a_cluster_what_it_leaves_in_one_process(
    spark: SparkSession, cluster: Cluster, tmp_path: Path
) -> None:
    city = made_here(spark, tmp_path / "local", "tiny", None)
    there = city.places(tmp_path)
    cluster.submit(*city.run(there, None))
    cluster.ended()
    assert_equal(spark, city.places(city.home), there)
