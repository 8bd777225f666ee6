"""Rows that come in for a ledger table: each with its state, dealt out and sorted as the table is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core import erased, ledger
from churnlake.core.contract import Table

if TYPE_CHECKING:
    from churnlake.core.lake import Lake

FEW = 1_000_000
"""Keys that every task is given all of; 8 bytes each, some 30 MB as a table to look into."""


def judged(
    lake: Lake, table: Table, rows: DataFrame, there: Callable[[Lake, Table, DataFrame], DataFrame | None] | None = None
) -> DataFrame:
    """One row per row of the batch: judged by the contract's rules, those of erased users made tombstones, repeats set aside.

    ``there`` finds which of the keys the table has already; left out, those of earlier batches.
    """
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
    known = (there or _already_there)(lake, table, rows)
    return ledger.set_repeats_aside(table, dealt, known).withColumn("batch", batch)


def _already_there(lake: Lake, table: Table, rows: DataFrame) -> DataFrame | None:
    """One row per key of these rows that an earlier batch has: the key, its content and file. None when there is none.

    Only rows of a day that an earlier batch has rows of are looked up, and of what is stored first nothing but the keys: nearly
    none is there, and only of batches with one is the rest read.
    """
    at, key = table.at, list(table.key)
    if at is None or lake.landing.delivered_before(table) is None:
        return None
    stored = lake.spark.read.format("delta").load(lake.path(table))
    stored = stored.where(F.col("batch") != lake.landing.batch).where("state = 'good'")
    is_late = F.col(at) <= F.lit(_newest(stored, at, lake.landing.first_day()))
    # a filter would pull the formula of the day down to the lines, several times in itself: half a million characters of plan
    late = lake.checkpoint(rows.select(F.inline(F.when(is_late, F.array(F.struct(*key))))).distinct())
    oldest = lake.landing.first_day() - dt.timedelta(days=lake.store.looks_back_days + 7)
    there = stored.where(F.col(at) >= F.lit(oldest))
    met = lake.checkpoint(there.select("batch", *key).join(_hinted(late, late.count()), on=key, how="left_semi"))
    batches = [row["batch"] for row in met.select("batch").distinct().collect()]
    if not batches:
        return None
    count = met.count()
    again = there.where(F.col("batch").isin(batches)).join(_hinted(met, count), on=["batch", *key], how="left_semi")
    known = again.groupBy(*key).agg(F.min("file_id").alias("known_file"), F.min(ledger.content_key(table)).alias("known_content"))
    return _hinted(known, count)


def _newest(stored: DataFrame, at: str, first_day: dt.date) -> dt.date:
    """The newest day that stored rows are of, or an earlier one, that of them none is of a later: asked only of files near the batch."""
    near = first_day - dt.timedelta(days=2)
    found = stored.where(F.col(at) >= F.lit(near)).agg(F.max(at).alias("day")).first()
    return found["day"] if found and found["day"] else near - dt.timedelta(days=1)


def _hinted(keys: DataFrame, count: int) -> DataFrame:
    """Some ``count`` keys to look up, sent to every task where they are few: a whole day delivered again has tens of millions."""
    return F.broadcast(keys) if count <= FEW else keys
