"""The run log: what it keeps of each run, of runs that failed before they wrote, and of lakes that kept less."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from churnlake.core.console import Console
from churnlake.core.contract import DATE, INT, Column, Table
from churnlake.core.errors import MissingInputError
from churnlake.core.frames import frame_of
from churnlake.core.job import Run, declare
from churnlake.core.lake import Lake, Scope
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, RUNS, Days, said
from churnlake.core.settings import CoreSettings, load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.site.data import collect
from churnlake.site.runs import runs_of

DAY = dt.date(2005, 5, 1)
DAYS = Days(DAY, DAY)
VISITS = Table(
    "daily.visits", "One row per day.", (Column("day", DATE, "Day."), Column("visits", INT, "Visits.")), key=("day",), slice="day", at="day"
)  # fmt: skip
TOTALS = Table("daily.totals", "One row.", (Column("visits", INT, "Visits."),), key=("visits",))


def count_visits(lake: Lake, run: Run) -> None:
    """Visits."""
    lake.write(VISITS, rows(lake.spark, VISITS, {"day": DAY, "visits": 3}))


def sum_visits(lake: Lake, run: Run) -> None:
    """Totals."""
    lake.write(TOTALS, lake.read(VISITS).select("visits"))


WRITER = declare(CoreSettings, writes=(VISITS,))(count_visits)
READER = declare(CoreSettings, reads=(VISITS,), writes=(TOTALS,))(sum_visits)


@pytest.fixture
def settings(tmp_path: Path) -> CoreSettings:
    return load(Settings, "local", [f"store.lake={tmp_path}/lake", f"store.landing={tmp_path}/landing"])


def test_a_chain_leaves_what_each_run_read_wrote_and_took(spark: SparkSession, settings: CoreSettings) -> None:
    run_chain(spark, settings, (WRITER, READER), DAYS, Console(), makers={})
    lake = Lake(spark, settings.store, Scope("test", EVER, (), ()))
    done = {row["job"]: row for row in lake.log().where("state = 'done'").collect()}
    assert len({row["chain"] for row in done.values()}) == 1
    assert done["count_visits"]["chain"]
    name, version, good, bad, again, slices = done["count_visits"]["written"][0]
    assert (name, good, bad, again, slices) == (VISITS.name, 1, 0, 0, [str(DAY)])
    assert done["sum_visits"]["versions_read"] == {VISITS.name: version}
    assert all(row["seconds"] > 0 and row["peak_megabytes"] > 0 and row["revision"] for row in done.values())
    told = runs_of(page_rows(lake), 1)
    assert [(run.job, run.state, run.rows_out) for run in told] == [("sum_visits", "done", "1"), ("count_visits", "done", "1")]
    assert (told[0].read[0].table, told[0].rows_in) == (VISITS.name, "1")


def test_a_run_that_fails_before_it_writes_is_logged_and_hides_nothing(spark: SparkSession, settings: CoreSettings) -> None:
    with pytest.raises(MissingInputError):
        READER.run(spark, settings, DAYS)
    lake = Lake(spark, settings.store, Scope("test", EVER, (VISITS,), ()))
    assert not lake.has_log(), "of a lake that is not there yet no log is begun"
    WRITER.run(spark, settings, DAYS)
    spoiled = declare(CoreSettings, reads=(VISITS,), writes=(TOTALS,))(fail_visits)
    with pytest.raises(ValueError, match="13812345678"):
        spoiled.run(spark, settings, DAYS, chain="c1")
    failed = lake.log().where("state = 'failed'").collect()
    assert [(row["job"], row["message"], row["chain"], row["written"]) for row in failed] == [
        ("fail_visits", "no such caller: #", "c1", [])
    ]
    assert failed[0]["seconds"] > 0
    assert lake.hidden() == {}


def fail_visits(lake: Lake, run: Run) -> None:
    """Nothing."""
    raise ValueError("no such caller: 13812345678\nmore")


def test_a_log_that_kept_less_is_read_and_added_to(spark: SparkSession, settings: CoreSettings) -> None:
    before = replace(RUNS, columns=tuple(c for c in RUNS.columns if c.name not in ("chain", "peak_megabytes")))
    lake = Lake(spark, settings.store, Scope("test", EVER, (), ()))
    lake.storage.create(before)
    old = frame_of(spark, before.stored_schema, [said("old", "build_daily", "done", [], "")])
    old.write.format("delta").mode("append").save(lake.path(RUNS))
    assert [row["chain"] for row in lake.log().collect()] == [None]
    assert [run.run_id for run in runs_of(page_rows(lake), 1)] == ["old"]
    WRITER.run(spark, settings, DAYS, chain="c2")
    log = Lake(spark, settings.store, Scope("test", EVER, (), ())).log()
    assert {(row["run_id"] == "old", row["chain"]) for row in log.collect()} == {(True, None), (False, "c2")}


def page_rows(lake: Lake) -> list[dict[str, Any]]:
    """The rows of the log as the page takes them."""
    found = collect({RUNS: lake.log()}, DAY).runs
    assert found is not None
    return found.astype(object).where(found.notna(), None).assign(first_day=str(DAY), last_day=str(DAY)).to_dict("records")
