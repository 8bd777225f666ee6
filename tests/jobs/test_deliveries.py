"""Delivery after delivery: what an earlier batch has is found again, and plans stay small enough to be read, kept and compiled."""

import threading
from pathlib import Path

import pytest
from hamlet import Hamlet, key_files, sms
from pyspark.sql import SparkSession

from churnlake.core import judging
from churnlake.core.contract import Table
from churnlake.core.lake import TABLE_WRITTEN, Lake
from churnlake.core.landing import FILES
from churnlake.core.ledger import OTHER_CONTENT
from churnlake.tables.clean import SMS
from churnlake.tables.daily import EDGES, USAGE

LONGEST_PLAN = 200_000
"""Characters. A filter pulled down through the reading of lines once made one of ten million, and half a minute of planning."""


def plans(spark: SparkSession) -> dict[int, int]:
    """By execution that Spark still tells of, characters of its plan."""
    told = spark._jsparkSession.sharedState().statusStore().executionsList()
    found = (told.apply(place) for place in range(told.size()))
    return {one.executionId(): len(one.physicalPlanDescription() or "") for one in found}


@pytest.mark.heavy
@pytest.mark.parametrize("few", [judging.FEW, 0], ids=["few", "many"])
def test_what_an_earlier_batch_has_is_a_repeat_however_much_of_it_there_is(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(judging, "FEW", few)
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    # delivered the day after they were made, as operators do
    hamlet.deliver("sms", 2, "one.csv", sms(("a", 1, 0, "1"), ("b", 1, 1, "0"), ("c", 1, 2, "0")))
    hamlet.run("ingest_usage")
    hamlet.deliver(
        "sms", 3, "two.csv", sms(("d", 2, 0, "1"), ("e", 2, 1, "0"), ("b", 1, 1, "0"), ("c", 1, 2, "4"), ("f", 1, 3, "0"))
    )
    hamlet.run("ingest_usage")
    # nothing of a day that was there before, and then everything again in another order
    hamlet.deliver("sms", 4, "three.csv", sms(("g", 3, 0, "1")))
    report = hamlet.run("ingest_usage")["ingest_usage"]
    assert (report.rows_in, report.rows_out) == (1, 1)
    hamlet.deliver(
        "sms", 4, "four.csv", sms(("e", 2, 1, "0"), ("d", 2, 0, "1"), ("f", 1, 3, "0"), ("a", 1, 0, "1"), ("g", 3, 0, "1"))
    )
    hamlet.run("ingest_usage")
    rows = hamlet.lake().ledger(SMS).select("delivered_on", "day", "state", "reasons", "kept_in").collect()
    told = sorted((r["delivered_on"].day, r["day"].day, r["state"], *r["reasons"]) for r in rows)
    assert told == sorted(
        [(2, 1, "good")] * 3
        + [(3, 2, "good")] * 2
        + [(3, 1, "duplicate"), (3, 1, "bad", OTHER_CONTENT), (3, 1, "good"), (4, 3, "good")]
        + [(4, 2, "duplicate")] * 2
        + [(4, 1, "duplicate")] * 2
        + [(4, 3, "duplicate")]
    )
    assert all((r["kept_in"] is not None) == (r["state"] == "duplicate") for r in rows)


def test_files_not_taken_in_are_told_and_one_mended_leaves_no_trace_of_its_fault(spark: SparkSession, tmp_path: Path) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    whole = sms(("a", 1, 0, "1"), ("b", 1, 1, "0"))
    hamlet.deliver("sms", 1, "one.csv", whole)
    hamlet.deliver("sms", 1, "two.csv", "")
    hamlet.deliver("sms", 1, "twice.csv", whole)
    (tmp_path / "landing" / "smss").mkdir()
    report = hamlet.run("ingest_usage")["ingest_usage"]
    assert report.facts["told"] == ["clean.sms: 2 good, 0 bad, 0 duplicate, 0 suppressed"]
    assert [line.split(":")[0] for line in report.left_out if not line.startswith("raw.")] == [
        "sms/date=2005-05-01/two.csv",
        "sms/date=2005-05-01/twice.csv",
        "folder smss",
    ]
    assert hamlet.run("ingest_usage")["ingest_usage"].facts["told"] == ["no new file; 2 taken in before"]
    hamlet.deliver("sms", 1, "two.csv", sms(("c", 1, 2, "0")))
    assert hamlet.run("ingest_usage")["ingest_usage"].rows_in == 1
    rows = hamlet.lake().read(FILES).select("path", "lines", "note", "same_as").collect()
    assert sorted((r["path"][-8:], r["lines"], r["note"], r["same_as"]) for r in rows) == [
        ("/one.csv", 2, None, None),
        ("/two.csv", 1, None, None),
        ("wice.csv", 0, None, "sms/date=2005-05-01/one.csv"),
    ]


@pytest.mark.heavy
def test_plans_of_an_intake_stay_small(spark: SparkSession, tmp_path: Path) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    before = max(plans(spark), default=-1)
    hamlet.deliver_subscribers(1)
    hamlet.deliver("sms", 1, "one.csv", sms(("a", 1, 0, "1")))
    hamlet.run("ingest_reference", "ingest_usage")
    hamlet.deliver_subscribers(2, leave_out=("user-4",))
    hamlet.deliver("sms", 2, "two.csv", sms(("a", 1, 0, "1"), ("b", 2, 0, "1")))
    hamlet.run("ingest_reference", "ingest_usage", "build_daily")
    later = [length for execution, length in plans(spark).items() if execution > before]
    assert later
    assert max(later) < LONGEST_PLAN


def test_tables_written_side_by_side_do_not_share_local_properties(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, gate, seen = Hamlet(spark, tmp_path, key_files(tmp_path, 1)).lake(), threading.Barrier(2), {}

    def named(lake: Lake, table: Table, *_: object) -> None:
        lake.spark.sparkContext.setLocalProperty(TABLE_WRITTEN, table.name)
        gate.wait(60)
        seen[table.name] = lake.spark.sparkContext.getLocalProperty(TABLE_WRITTEN)

    for name, instead in (("create", named), ("_committed", named), ("_due", lambda *_: ["2005-05-01"])):
        monkeypatch.setattr(Lake, name, instead)
    lake.write_all(dict.fromkeys((USAGE, EDGES), spark.range(1)))
    assert seen == {USAGE.name: USAGE.name, EDGES.name: EDGES.name}
