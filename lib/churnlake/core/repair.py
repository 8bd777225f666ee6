"""Quarantine taken in again: lines set aside that are good under today's feed files, contract and rules.

A line that is good now moves: one commit takes its row out of the batch that set it aside and writes it, good or a duplicate, into
a new batch. So every line stays exactly one row. The file it came from, and by raw.files the batch that took it in, stand in the row.
A line that is not good now stays as it is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core import erased, ledger
from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.feed_rows import read_lines
from churnlake.core.frames import conform
from churnlake.core.lake import Lake, Written
from churnlake.core.rules import literal
from churnlake.core.runs import Days

logger = logging.getLogger(__name__)
LINE = ["file_id", "line"]
"""What tells a line set aside: its file and its text, encrypted; lines of one text in a file fare alike."""
Cleaned = Callable[[DataFrame], DataFrame]


def new_batch(lake: Lake, tables: list[Table]) -> str:
    """An id for the rows repaired now: made of the tables as they are before, so that no two repairs share one."""
    told = " ".join(f"{table.name} {lake.storage.version(table)}" for table in tables)
    return hashlib.sha256(f"repair {told}".encode()).hexdigest()[:16]


def finish(lake: Lake, job: str, tables: list[Table]) -> None:
    """Make what a killed run of the job committed part of this run; what it announced and did not commit is nothing to hide."""
    if not lake.has_log():
        return
    opened = lake.log().where((F.col("job") == job) & (F.col("state") == "open")).select(F.explode("written").alias("w"))
    announced = {row["slice"] for row in opened.select(F.explode("w.slices").alias("slice")).distinct().collect()}
    for table in tables:
        half = sorted(
            s for s, state in lake.hidden().get(table.name, {}).items() if state in ("open", "failed") and s in announced
        )
        if half:
            is_there = lake.storage.exists(table)
            lake.written.append(lake.counted(table, half, _in("batch", half)) if is_there else Written(table, half, -1, 0))


def repair(lake: Lake, raw: Table, table: Table, files: list[Any], cleaned: Cleaned, zone: str, looks_back_days: int) -> str:
    """Move the lines of these files that are good now from quarantine to the batch ``lake.landing.batch``.

    Args:
        lake: Of a job that may write the table.
        raw: The feed.
        table: The ledger that it fills.
        files: Rows of raw.files of the feed, taken in by done batches.
        cleaned: From rows as a feed reader gives them to the table's columns and the trace.
        zone: The city's.
        looks_back_days: How long before its delivery a record may have been.

    Returns:
        What was left out and why; empty when nothing was.
    """
    feed = lake.landing.feed(raw)
    if feed.format != "csv" or len(feed.rows) > 1:
        return f"{table.name}: lines of feed {feed.feed} can not be taken again one by one (Parquet, or several rows a line); deliver them in a new file"
    held = lake.hidden().get(table.name, {})
    files = [row for row in files if held.get(row["batch"]) in (None, "withheld", "released")]
    if not files:
        return ""
    lake.keys.check(table, lake.path(table))
    stored = lake.spark.read.format("delta").load(lake.path(table))
    of_files = [row["file_id"] for row in files]
    batches = sorted({row["batch"] for row in files})
    home = F.broadcast(lake.spark.createDataFrame([(r["file_id"], r["batch"]) for r in files], "file_id string, home string"))
    aside = stored.where(_in("batch", batches)).where("state = 'bad' AND raw_text IS NOT NULL").join(home, "file_id", "left_semi")
    lines = aside.select("file_id", "delivered_on", lake.key.decrypt(F.col("raw_text")).alias("raw_text")).where(
        "raw_text IS NOT NULL"
    )
    if lines.isEmpty():
        return ""
    headers = lake.landing.headers(raw, {row["path"] for row in files})
    gone = sorted(row["path"] for row in files if row["file_id"] not in headers)
    groups: dict[tuple[str, ...], list[str]] = {}
    for file_id in of_files:
        if file_id in headers:
            groups.setdefault(headers[file_id], []).append(file_id)
    said = (
        f"{table.name}: {', '.join(gone[:3])} not in the landing folder or not readable: its columns are not known"
        if gone
        else ""
    )
    if not groups:
        return said
    apart = len(groups) > 1 or bool(gone)
    read = reduce(
        DataFrame.unionByName,
        (
            read_lines(feed, raw, lines.where(F.col("file_id").isin(ids)) if apart else lines, header)
            for header, ids in groups.items()
        ),
    )
    first = min(row["delivered_on"] for row in files) - dt.timedelta(days=looks_back_days)
    moved = lake.checkpoint(_good_now(lake, table, cleaned(read), stored, first, zone).join(home, "file_id", "inner"))
    moved, too_few = _passing(table, moved, stored, [b for b in batches if held.get(b) == "withheld"])
    if moved.isEmpty():
        return "; ".join(filter(None, [said, too_few]))
    batch = lake.landing.batch
    old = sorted(row["home"] for row in moved.select("home").distinct().collect())
    keys = moved.select("file_id", F.col("line").alias("raw_text")).distinct()
    rest = stored.where(_in("batch", old)).where("state = 'bad'").join(keys, ["file_id", "raw_text"], "left_anti")
    new = moved.withColumns({"batch": F.lit(batch), "raw_text": F.lit(None).cast("string")})
    rows = conform(table, new).unionByName(conform(table, rest)).hint("rebalance", F.col("batch"), F.col("state"))
    rows = rows.sortWithinPartitions("batch", "state", *table.sort)
    lake.announce()
    lake.begun.append((table, [batch]))
    condition = f"batch = {literal(batch)} OR ({_in('batch', old)} AND state = 'bad')"
    rows.write.format("delta").mode("overwrite").option("replaceWhere", condition).save(lake.path(table))
    report = lake.counted(table, [batch], f"batch = {literal(batch)}")
    lake.written.append(report)
    logger.info(
        "%s: %s rows good now, %s duplicates, in batch %s", table.name, f"{report.rows:,}", f"{report.duplicates:,}", batch
    )
    return "; ".join(filter(None, [said, too_few]))


def lift(lake: Lake, table: Table, files: list[Any]) -> None:
    """Show readers the batches that a gate withheld, where enough of their rows are sound by now."""
    withheld = sorted(s for s, state in lake.hidden().get(table.name, {}).items() if state == "withheld")
    mine = [(row["file_id"], row["batch"]) for row in files if row["batch"] in withheld]
    if not mine:
        return
    home = F.broadcast(lake.spark.createDataFrame(mine, "file_id string, home string"))
    stored = lake.spark.read.format("delta").load(lake.path(table)).join(home, "file_id", "inner")
    share = stored.groupBy("home").agg(F.avg(F.expr("if(state = 'bad', 0D, 1D)")).alias("sound")).collect()
    passed = sorted(row["home"] for row in share if row["sound"] >= table.least_good)
    if passed:
        lake.written.append(lake.counted(table, passed, _in("batch", passed)))


def files_of(days: Days, registered: list[Any], feed: str) -> list[Any]:
    """The files of a feed delivered on these days that a done batch took in, of their rows of raw.files."""
    wanted = set(days.each())
    return [
        row for row in registered
        if row["feed"] == feed and row["delivered_on"] in wanted and row["batch_state"] == "done" and row["note"] is None
    ]  # fmt: skip


def _good_now(lake: Lake, table: Table, rows: DataFrame, stored: DataFrame, first: dt.date, zone: str) -> DataFrame:
    """One row per line that need not be set aside any more: the table's columns, state, reasons, kept_in and ``line``."""
    rows = rows.withColumn("line", lake.key.encrypt(F.col("raw_text")))
    rows = erased.told(lake, table, rows, zone)
    if len(lake.key.ring) > 1:
        rows = rows.withColumns({c.name: lake.key.renewed(F.col(c.name)) for c in table.columns if c.pseudonym})
    marked = erased.suppressed(table, ledger.mark(table, rows.withColumn("batch", F.lit(lake.landing.batch)))).drop("raw_text")
    marked = lake.checkpoint(marked)
    good = stored.where("state = 'good'").where(F.col(table.at or table.key[0]) >= F.lit(first))
    keys = marked.where("state = 'good'").select(*table.key).distinct()
    known = (
        good.join(keys, on=list(table.key), how="left_semi")
        .groupBy(*table.key)
        .agg(F.min("file_id").alias("known_file"), F.min(ledger.content_key(table)).alias("known_content"))
    )
    judged = ledger.set_repeats_aside(table, marked, known)
    # lines of one text in a file move all or none: nothing else tells them apart
    return judged.where("state <> 'bad'").join(judged.where("state = 'bad'").select(*LINE).distinct(), on=LINE, how="left_anti")


def _passing(table: Table, moved: DataFrame, stored: DataFrame, withheld: list[str]) -> tuple[DataFrame, str]:
    """The rows without those of withheld batches that would still fail their gate, and what to say of these.

    Such a batch stays whole, so that taking it in again with --restate replaces all its rows.
    """
    if not withheld:
        return moved, ""
    now = {row["home"]: row["count"] for row in moved.groupBy("home").count().collect()}
    held = (
        stored.where(_in("batch", withheld))
        .groupBy("batch")
        .agg(F.count("*").alias("came"), F.expr("count_if(state = 'bad') as bad"))
    )
    failing = sorted(
        r["batch"] for r in held.collect() if r["came"] - r["bad"] + now.get(r["batch"], 0) < table.least_good * r["came"]
    )
    if not failing:
        return moved, ""
    told = f"{table.name}: {', '.join(failing)} stays withheld: too few of its rows are good even now"
    return moved.where(~F.col("home").isin(failing)), told


def _in(column: str, values: list[str]) -> str:
    return f"{column} IN ({', '.join(map(literal, values))})"


def known_feeds(asked: list[str], feeds: list[str]) -> list[str]:
    """The feeds asked for; all when none is. Raises MissingInputError for one that there is not."""
    wrong = sorted(set(asked) - set(feeds))
    if wrong:
        raise MissingInputError(
            f"landing.reprocess_feeds: no feed {', '.join(wrong)} of usage records; there are {', '.join(feeds)}"
        )
    return asked or feeds
