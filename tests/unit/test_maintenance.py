"""The lake kept in shape: small files put together, old text dropped, nothing that readers see changed."""

import datetime as dt
import os
import time
from pathlib import Path

import pytest
from hamlet import DAYS, LINEAGE, Hamlet, key_files, sms
from pyspark.sql import SparkSession

from churnlake.core import visibility
from churnlake.core.contract import Table
from churnlake.core.errors import BusyError
from churnlake.core.job import Report
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import lease
from churnlake.core.maintenance import _drop_text, clear_logs
from churnlake.core.runs import Days
from churnlake.evaluate.content import content
from churnlake.tables.clean import SMS

FIRST = sms(("a", 1, 0, "1"), ("b", 1, 1, "0"), ("c", 2, 2, "3"), ("d", 2, 3, "4")) + "e,139,12,2005-05-02 10:00:00,out\n"


def scatter(lake: Lake, table: Table) -> None:
    """Write a table again, nearly a row a file, as many small deliveries would leave it."""
    rows = lake.spark.read.format("delta").load(lake.path(table))
    rows.repartitionByRange(9, "record_key").write.format("delta").mode("overwrite").save(lake.path(table))


def maintain(hamlet: Hamlet, day: dt.date = DAYS.last, **settings: int) -> Report:
    extra, hamlet.extra = hamlet.extra, [f"maintenance.{name}={value}" for name, value in settings.items()]
    try:
        job = next(job for job in LINEAGE.jobs if job.name == "maintain_lake")
        return job.run(hamlet.spark, hamlet.settings, Days(day, day), makers=LINEAGE.makers)
    finally:
        hamlet.extra = extra


def test_small_files_are_put_together_and_old_text_is_dropped(spark: SparkSession, tmp_path: Path) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    hamlet.deliver("sms", 2, "first.csv", FIRST)
    hamlet.run("ingest_usage")
    lake = hamlet.lake()
    scatter(lake, SMS)
    before, pending = content(spark, hamlet.settings, DAYS), visibility.pending_days(lake.log(), "build_daily", [SMS.name])

    with (
        lease(spark, hamlet.settings.store.lake, "ingest_usage", "other"),
        pytest.raises(BusyError, match="job ingest_usage is running"),
    ):
        maintain(hamlet)
    kept, today = hamlet.settings.maintenance, dt.datetime.now(dt.UTC).date()
    assert _drop_text(lake, SMS, kept, today + dt.timedelta(days=kept.raw_text_days - 1)) == 0, "not old yet"
    assert lake.ledger(SMS).where("raw_text IS NOT NULL").count() == 1
    later = today + dt.timedelta(days=kept.raw_text_days + 1)
    told = maintain(hamlet, later, restore_days=0).facts["tables"]
    assert (told[SMS.name]["files_before"], told[SMS.name]["files_after"]) == (5, 2), "a file for good and one for bad rows"
    assert told[SMS.name]["bytes_freed"] > 0
    assert told[FILES.name]["files_before"] == told[FILES.name]["files_after"] == 1
    assert {name for name, one in told.items() if one["texts_dropped"]} == {SMS.name}
    bad = hamlet.lake().ledger(SMS).where("state = 'bad'").collect()
    assert [(row.raw_text, bool(row.reasons)) for row in bad] == [(None, True)], "its reasons stay"
    assert content(spark, hamlet.settings, DAYS) == before
    after = hamlet.lake()
    assert visibility.pending_days(after.log(), "build_daily", [SMS.name]) == pending != []
    assert len(list(Path(after.path(SMS)).glob("batch=*/**/*.parquet"))) == 2, "what only older versions need is gone"

    versions = {table: after.storage.version(table) for table in (SMS, FILES)}
    again = maintain(hamlet, later, restore_days=0).facts["tables"]
    assert {table: after.storage.version(table) for table in versions} == versions, "a second time there is nothing to do"
    # the run log grows with every run, also of this job
    of_data = [again[table.name] for table in versions]
    assert all(one["texts_dropped"] == 0 and one["files_before"] == one["files_after"] for one in of_data)


def test_logs_nobody_writes_to_go(tmp_path: Path) -> None:
    for name, age in (("old.log", 91), ("new.log", 89)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age * 86_400,) * 2)
    assert clear_logs(tmp_path, 90) == 1
    assert [f.name for f in tmp_path.iterdir()] == ["new.log"]
