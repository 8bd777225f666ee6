"""A run over days in which no month ends, or over a month without records, says so; so does a selection without features."""

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.contract import Table
from churnlake.core.job import Job, Run
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.circles import SIGNATURES, WEEKS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import MONTHLY, SELECTION

JOBS = {job.name: job for job in Lineage.of_package().jobs}
JUNE, JULY = dt.date(2005, 6, 1), dt.date(2005, 7, 31)


class Shelf:
    """A lake of given rows, which remembers what is written and is asked for nothing else."""

    def __init__(self, spark: SparkSession, **given: DataFrame) -> None:
        self.spark, self.given, self.written = spark, given, {}

    def has(self, table: Table) -> bool:
        return table.name in self.given

    def read(self, table: Table, **_: Any) -> DataFrame:
        return self.given.get(table.name, rows(self.spark, table))

    def write(self, table: Table, frame: DataFrame) -> None:
        self.written[table] = frame

    def write_all(self, frames: dict[Table, DataFrame]) -> None:
        self.written = frames


def over(job: Job, first: dt.date, last: dt.date, shelf: Any) -> Run:
    run = Run("r", job.name, Days(first, last), load(Settings, "local"))
    job.body(shelf, run)
    return run


@pytest.mark.parametrize(
    ("name", "what"),
    [("build_features", "features"), ("select_indicators", "selection"), ("build_groups", "groups"), ("score_model", "scoring"), ("plan_campaigns", "retention lists")],
)  # fmt: skip
def test_a_run_in_which_no_month_ends_says_so(name: str, what: str) -> None:
    run = over(JOBS[name], JUNE, dt.date(2005, 6, 15), None)
    assert run.left_out == [f"{what}: no month ends within 2005-06-01..2005-06-15; nothing to build"]


def test_weeks_are_summed_up_in_a_run_in_which_no_month_ends(spark: SparkSession) -> None:
    edge = {"user_id": 1, "peer_id": 2, "day": dt.date(2005, 6, 9), "voice_out_calls": 3}
    shelf = Shelf(spark, **{EDGES.name: rows(spark, EDGES, edge)})
    run = over(JOBS["build_circles"], JUNE, dt.date(2005, 6, 15), shelf)
    assert run.left_out == ["circles: no month ends within 2005-06-01..2005-06-15; nothing to build"]
    assert [(row["week_to"], row["contacts"]) for row in shelf.written.pop(WEEKS).collect()] == [(dt.date(2005, 6, 9), 3)]
    assert not shelf.written


def test_weeks_never_summed_up_are_made_of_the_days(spark: SparkSession) -> None:
    """A lake whose daily tables are older than the table of weeks: of June's first weeks one is there and must not be counted twice."""
    met = {dt.date(2005, 5, 20): 1, dt.date(2005, 6, 2): 1, dt.date(2005, 6, 9): 1, dt.date(2005, 6, 20): 1}
    edges = rows(spark, EDGES, *[{"user_id": 1, "peer_id": 2, "day": day, "voice_out_calls": n} for day, n in met.items()])
    june_9, june_23 = dt.date(2005, 6, 9), dt.date(2005, 6, 23)
    stored = rows(spark, WEEKS, *[{"week_to": day, "user_id": 1, "peer_id": 2, "contacts": 1} for day in (june_9, june_23)])
    shelf = Shelf(spark, **{EDGES.name: edges, WEEKS.name: stored})
    shelf.checkpoint = lambda frame: frame
    over(JOBS["build_circles"], dt.date(2005, 6, 15), dt.date(2005, 6, 30), shelf)
    decay = load(Settings, "local").circles.weekly_decay
    of_weeks = {5: 1, 4: 1, 3: 1, 1: 1}
    assert shelf.written[SIGNATURES].collect()[0]["strength"] == sum(round(1000 * decay**age) * n for age, n in of_weeks.items())


def test_a_month_without_records_is_named(spark: SparkSession) -> None:
    shelf = Shelf(spark, **{USAGE.name: rows(spark, USAGE, {"user_id": 1, "day": dt.date(2005, 6, 9)})})
    run = over(JOBS["build_features"], JUNE, JULY, shelf)
    assert "features of 2005-07: no records in it; nothing to build" in run.left_out
    assert not any("2005-06" in line for line in run.left_out)
    assert MONTHLY in shelf.written, "what stood there before goes: a write replaces its months"


def test_a_selection_of_a_month_without_features_says_what_to_run(spark: SparkSession) -> None:
    shelf = Shelf(spark)
    run = over(JOBS["select_indicators"], dt.date(2005, 7, 1), JULY, shelf)
    assert run.left_out == ["selection of 2005-07: no features of it; run job build_features over it first"]
    assert shelf.written[SELECTION].count() == 0
