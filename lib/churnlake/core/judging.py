"""Rows that come in for a ledger table: each with its state, dealt out and sorted as the table is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core import erased, ledger
from churnlake.core.contract import Table

if TYPE_CHECKING:
    from churnlake.core.lake import Lake


def judged(lake: Lake, table: Table, rows: DataFrame) -> DataFrame:
    """One row per row of the batch: judged by the contract's rules, those of erased users made tombstones, repeats set aside."""
    batch = F.lit(lake.landing.batch)
    rows = erased.told(lake, table, rows, lake.store.city_zone)
    if len(lake.key.ring) > 1:
        made = [c.name for c in table.columns if c.pseudonym]
        rows = rows.withColumns({name: lake.key.renewed(F.col(name)) for name in made})
    # a constant need not be dealt out: it is given back at the end
    marked = erased.suppressed(table, ledger.mark(table, rows.withColumn("batch", batch)).drop("batch"))
    # before rows are moved: a line is as long as all that was read from it, and no text in clear leaves the task
    marked = marked.withColumn("raw_text", F.when(F.col("state") == "bad", lake.key.encrypt(F.col("raw_text"))))
    dealt = ledger.dealt(table, marked, lake.landing.rows_in(table))
    return ledger.set_repeats_aside(table, dealt, _already_there(lake, table, rows)).withColumn("batch", batch)


def _already_there(lake: Lake, table: Table, rows: DataFrame) -> DataFrame | None:
    """One row per key of these rows that an earlier batch has: the key, its content and file. None when no row is late enough to matter."""
    at, newest = table.at, lake.landing.delivered_before(table)
    if at is None or newest is None:
        return None
    stored = lake.spark.read.format("delta").load(lake.path(table))
    stored = stored.where(F.col("batch") != lake.landing.batch).where("state = 'good'")
    late = rows.where(F.col(at) <= F.lit(newest)).select(*table.key).distinct()
    oldest = lake.landing.first_day() - dt.timedelta(days=lake.store.looks_back_days + 7)
    there = stored.where(F.col(at) >= F.lit(oldest)).join(F.broadcast(late), on=list(table.key), how="left_semi")
    return there.groupBy(*table.key).agg(
        F.min("file_id").alias("known_file"), F.min(ledger.content_key(table)).alias("known_content")
    )
