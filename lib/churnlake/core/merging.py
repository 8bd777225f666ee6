"""Adding rows by MERGE: the way of a stream, whose rows are seen one micro-batch after the other, and of nothing else.

A commit adds what is not there yet and changes nothing that is: a micro-batch that comes again, after a kill or from a checkpoint
that was lost, adds nothing. No slice is hidden meanwhile: a commit is whole, and so is what readers see. Rows of a ledger are known
by their line, so that every line is accounted for once; those of other tables by the table's key. One run at a time holds the
lease of the job, so that none adds what another is adding.
"""

from __future__ import annotations

import datetime as dt
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import ledger
from churnlake.core.contract import STATES, Table
from churnlake.core.errors import ContractError
from churnlake.core.frames import conform
from churnlake.core.judging import judged
from churnlake.core.written import Written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnlake.core.lake import Lake

LINE = ("file_id", "line_key")
"""What a row of a ledger is known by: its file, and its line there."""
TOLD = "spark.databricks.delta.commitInfo.userMetadata"


def merged(lake: Lake, table: Table, rows: DataFrame) -> Written:
    """Add the rows that are not there yet; what the table now holds of these rows, and of a ledger of the files of the micro-batch.

    Raises ContractError when the columns are not the contract's, or two rows have one key.
    """
    from delta.tables import DeltaTable

    if table.slice is None:
        raise ContractError(
            f"{table.name} has no slice; a table that rows are added to needs one, or all of it is read each time"
        )
    key = LINE if table.ledger else table.key
    # computed once: the rows judged are the rows added
    new = lake.checkpoint(conform(table, judged(lake, table, rows, _already_there) if table.ledger else rows))
    found = new.groupBy(table.slice).agg(F.count("*").alias("rows"), F.count_distinct(F.struct(*key)).alias("keys")).collect()
    if any(row["rows"] != row["keys"] for row in found):
        raise ContractError(f"{table.name}: two rows to add have one {', '.join(key)}")
    slices = sorted(str(row[table.slice]) for row in found)
    if slices:
        within = f"cast(there.{table.slice} AS string) IN ({', '.join(repr(name) for name in slices)})"
        same = [f"there.{name} = new.{name}" for name in (table.slice, *key)]
        with _told(lake.spark, lake.run_id):
            target = DeltaTable.forPath(lake.spark, lake.path(table)).alias("there")
            target.merge(new.alias("new"), " AND ".join([within, *same])).whenNotMatchedInsertAll().execute()
    report = _now_there(lake, table, slices) if table.ledger else Written(table, slices, lake.storage.version(table), new.count())
    _added(lake, report)
    return report


def _already_there(lake: Lake, table: Table, rows: DataFrame) -> DataFrame | None:
    """One row per key of these rows that a good row of another file has: the key, its content and file.

    A row may come ``store.looks_back_days`` late, and again as late as that: farther back nothing is looked for.
    """
    oldest = lake.landing.first_day() - dt.timedelta(days=2 * lake.store.looks_back_days)
    there = (
        lake.spark.read.format("delta")
        .load(lake.path(table))
        .where("state = 'good'")
        .where(F.col(str(table.slice)) >= F.lit(oldest))
    )
    others = there.where(~F.col("file_id").isin(lake.landing.file_ids()))
    # of a micro-batch there are few
    asked = F.broadcast(lake.checkpoint(rows.select(*table.key).distinct()))
    met = others.join(asked, on=list(table.key), how="left_semi")
    return met.groupBy(*table.key).agg(
        F.min("file_id").alias("known_file"), F.min(ledger.content_key(table)).alias("known_content")
    )


def _now_there(lake: Lake, table: Table, slices: list[str]) -> Written:
    """What the ledger holds of the files of the micro-batch, as committed."""
    stored = lake.spark.read.format("delta").load(lake.path(table))
    stored = stored.where(F.col(str(table.slice)).cast("string").isin(slices)).where(
        F.col("file_id").isin(lake.landing.file_ids())
    )
    at = F.when(F.col("state") == "good", F.col(table.at)) if table.at else F.lit(None).cast("date")
    rows = stored.groupBy("state", at.alias("day")).agg(F.count("*").alias("rows")).collect()
    good, bad, again, gone = (sum(row["rows"] for row in rows if row["state"] == name) for name in STATES)
    days = sorted({row["day"] for row in rows if row["day"]})
    return Written(table, slices, lake.storage.version(table), good, bad, again, gone, days)


def _added(lake: Lake, report: Written) -> None:
    """Put it to what the run wrote before: a run that goes on for days has one entry a table."""
    before = next((written for written in lake.written if written.table == report.table), None)
    if before is None:
        lake.written.append(report)
        return
    before.slices = sorted({*before.slices, *report.slices})
    before.days = sorted({*before.days, *report.days})
    before.version = report.version
    before.rows += report.rows
    before.bad += report.bad
    before.duplicates += report.duplicates
    before.suppressed += report.suppressed


@contextmanager
def _told(spark: SparkSession, run_id: str) -> Iterator[None]:
    """Commits of the session tell which run made them, for a while: MERGE takes it from nowhere else."""
    spark.conf.set(TOLD, json.dumps({"run_id": run_id}))
    try:
        yield
    finally:
        spark.conf.unset(TOLD)
