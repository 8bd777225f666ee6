"""One shared Spark session for all tests of a worker: 2 shuffle partitions, no UI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from market_town import make_joiners, make_town
from pyspark.sql import DataFrame, SparkSession
from xdist.scheduler import LoadScopeScheduling

from churnlake.city.generate import generate, scenario
from churnlake.city.settings import CityScenario
from churnlake.core.console import Console
from churnlake.core.job import Report, log_to
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import get_session
from churnlake.core.settings import load
from churnlake.evaluate.content import content
from churnlake.settings import Settings

DATA = Path(os.environ.get("CHURNLAKE_DATA", Path(__file__).parents[2] / "shared" / "data"))


class ByFile(LoadScopeScheduling):
    """Two workers, a session each: a file is for one of them, and so are all that share a made city."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared(nodeid.partition("::")[0])


@cache
def _shared(file: str) -> str:
    """The made city that tests of the file use, else the file itself."""
    text = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
    return next((made for made in ("city: City", "noisy: NoisyCity") if made in text), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How tests are dealt out, where there are workers."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def data() -> Path:
    """The public data sets; tests that need them are skipped, saying so, where they are absent."""
    if not DATA.is_dir():
        pytest.skip(f"public data sets not found at {DATA}; set CHURNLAKE_DATA to their folder")
    return DATA


INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
"""For tables so small code costs more to write and to compile than it saves: a quarter of the processor time."""

TINY = {**INTERPRETED, "spark.sql.optimizer.runtime.bloomFilter.enabled": "false"}
"""Nor a filter of a million bits, filled, merged and read by each task of a handful of rows: a quarter of what detect_reentry takes here."""

JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
"""One compiler alone gets a fifth of the usual cache, which the chain fills: code thrown away and compiled again was a seventh of the time."""


@pytest.fixture(scope="module")
def generated(spark: SparkSession) -> Iterator[None]:
    """Plans are written as code for the tests of this file, as on real data."""
    spark.conf.set("spark.sql.codegen.wholeStage", "true")
    spark.conf.set("spark.sql.codegen.factoryMode", "FALLBACK")
    yield
    for key, value in INTERPRETED.items():
        spark.conf.set(key, value)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the test run."""
    settings = load(Settings, "local").spark
    quick = {"master": "local[2]", "shuffle_partitions": 2, "driver_memory": "3g", "java_options": JVM}
    settings = settings.model_copy(update={**quick, "conf": {**settings.conf, **TINY}})
    session, _ = get_session(settings, tmp_path_factory.mktemp("logs"))
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Delta remembers every table for an hour, with the plans of its snapshot, 2.5 MB each: the lakes of all tests are more than a heap holds."""
    yield
    session = SparkSession.getActiveSession()
    if session is not None and session._jvm is not None:
        session._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


LINEAGE = Lineage.of_package()
TABLES = tuple(t for t in (FILES, *LINEAGE.tables) if t.stored)


@dataclass
class City:
    """A tiny city that went through the chain."""

    settings: Settings
    overrides: list[str]
    days: Days
    reports: dict[str, Report]
    before: dict[str, tuple[int, int]]

    def lake(self, spark: SparkSession) -> Lake:
        return Lake(spark, self.settings.store, Scope("test", self.days, TABLES, ()))


@pytest.fixture(scope="session")
def city(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> City:
    """Generated, its truth locked away, and run through every job."""
    home = tmp_path_factory.mktemp("city")
    overrides = [
        f"store.landing={home}/landing", f"store.lake={home}/lake", f"store.work={home}/work", f"city.truth={home}/truth", "city.scenario=tiny",
        f"tracking.uri=sqlite:///{home}/mlflow.db", f"tracking.artifacts={home}/mlruns", "models.least_leavers=3",
        *SMALL_LEARNERS,
        # beyond 120 days all is weighed once more: test_wider_windows_change_nothing_but_who_came_back_later does that
        "reentry.control.windows_days=[60, 120]",
    ]  # fmt: skip
    settings = load(Settings, "local", overrides)
    log_to(home / "work" / "logs", settings.store.log_format)
    tiny = scenario("tiny")
    days = Days(tiny.first_day, tiny.last_day)
    console = Console()
    made = run_chain(spark, settings, LINEAGE.chain(only="generate_city"), days, console, makers=LINEAGE.makers)
    # no job may read the truth: for them it is not there
    (home / "truth").rename(home / "locked")
    reports = run_chain(spark, settings, LINEAGE.chain(), days, console, makers=LINEAGE.makers)
    (home / "locked").rename(home / "truth")
    return City(settings, overrides, days, {r.job: r for r in (*made, *reports)}, content(spark, settings, days))


SMALL_LEARNERS = [
    "models.learners.logistic=[{max_iter: 20, reg_param: 0.02, elastic_net: 0.2}]",
    "models.learners.tree=[{depth: 3, least_rows: 5, least_gain: 0.0, bins: 16}]",
    "models.learners.forest=[{trees: 5, depth: 4, least_rows: 5, bins: 16, columns_share: 0.3}]",
    "models.learners.boosted=[{trees: 5, depth: 3, step: 0.3, least_rows: 5, bins: 16, rows_share: 0.8}]",
    "models.learners.perceptron=[{hidden: 3, max_iter: 20}]",
]
"""One candidate of each: what is chosen among more is asked on frames of hundreds of rows (test_models)."""

NOISY = """
like: noisy
name: noisy_village
users: 50
cells: 12
last_day: 2005-02-12
incidents_from: 12
fault_share: 0.1
faults: {negative_bytes: 5, absurd_bytes: 5}
"""


@dataclass
class NoisyCity:
    """A village whose files are broken in every way there is: where it lies and what its making told."""

    folder: Path
    path: Path
    scenario: CityScenario
    seed: int
    counts: dict[str, int]


@pytest.fixture(scope="session")
def noisy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> NoisyCity:
    """Generated once; no job has seen it."""
    folder = tmp_path_factory.mktemp("noisy")
    path = folder / "noisy_village.yaml"
    path.write_text(NOISY, encoding="utf-8")
    village = scenario(str(path))
    return NoisyCity(folder, path, village, 7, generate(spark, village, 7, folder / "landing", folder / "truth"))


@pytest.fixture(scope="session")
def town() -> CityScenario:
    """The town of the market tests; never generated, only asked in parts."""
    return make_town()


@pytest.fixture(scope="session")
def joiners(spark: SparkSession) -> DataFrame:
    """People of the town for a survey."""
    return make_joiners(spark)
