"""Keeping the lake in shape: small files of a slice put together, old versions and old text gone. Rows stay what they are."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import functions as F

from churnlake.core import erased, rules
from churnlake.core.contract import Table
from churnlake.core.errors import ContractError
from churnlake.core.lake import WHOLE, Lake
from churnlake.core.landing import FILES
from churnlake.core.rewriting import SLICES_AT_ONCE
from churnlake.core.settings import MaintenanceSettings
from churnlake.core.storage import properties

logger = logging.getLogger(__name__)
NOTE = "maintained"
"""Stands in the commits made here, which change no row that readers see."""


def maintain(lake: Lake, tables: Sequence[Table], settings: MaintenanceSettings, today: dt.date) -> dict[str, dict[str, int]]:
    """By table: files before and after, bytes freed, rows whose text was dropped. A second time there is nothing to do.

    Nothing else may write the tables meanwhile: hold the leases of all jobs. Killed at any moment, it is run again. Raises
    ContractError while an erasure or a change of key is under way, or a contract changed: their way back lies in what is deleted here.
    """
    there = [table for table in tables if lake.storage.exists(table)]
    for table in there:
        lake.keys.check(table, lake.path(table))
        if lake.storage.contract(table) != table.fingerprint:
            raise ContractError(f"{table.name} was made under another contract; run job migrate_lake, then maintain_lake again")
    if erased.is_under_way(lake):
        raise ContractError("an erasure is under way; run job erase_user to finish it, then maintain_lake again")
    done = {}
    for table in there:
        held = lake.storage.bytes_held(table)
        dropped = _drop_text(lake, table, settings, today) if table.ledger else 0
        _keep(lake, table, settings)
        before, after = _compact(lake, table, settings)
        lake.storage.vacuum(table, settings.restore_days * 24)
        left = lake.storage.bytes_held(table)
        done[table.name] = {"files_before": before, "files_after": after, "bytes_freed": held - left, "texts_dropped": dropped}
        logger.info(
            "%s: %s files, now %s; %.1f MB freed; %s rows lost their text",
            table.name,
            before,
            after,
            (held - left) / 1e6,
            f"{dropped:,}",
        )
    return done


def _scattered(lake: Lake, table: Table, settings: MaintenanceSettings) -> tuple[int, dict[str, int]]:
    """The number of files of the newest version, and the bytes of each slice in more files than it should lie in."""
    name = F.col("partitionValues")[table.slice] if table.slice else F.lit(WHOLE)
    most = settings.file_megabytes * 1_000_000
    of_part = (
        lake.storage.files(table)
        .groupBy(name.alias("slice"), F.to_json("partitionValues").alias("part"))
        .agg(F.count("*").alias("files"), F.sum("size").alias("bytes"), F.ceil(F.sum("size") / most).alias("asked"))
    )
    of_slice = of_part.groupBy("slice").agg(*[F.sum(column).alias(column) for column in ("files", "bytes", "asked")])
    is_due = F.col("files") > settings.most_files * F.greatest("asked", F.lit(1))
    # an entry per slice with too many files: no more than the calendar and the deliveries hold
    found = of_slice.agg(
        F.sum("files").alias("files"), F.collect_list(F.when(is_due, F.struct("slice", "bytes"))).alias("due")
    ).first()
    return (int(found["files"] or 0), {row["slice"]: int(row["bytes"]) for row in found["due"]}) if found else (0, {})


def _compact(lake: Lake, table: Table, settings: MaintenanceSettings) -> tuple[int, int]:
    """Rewrite the slices that lie in many more files than their bytes ask for, in the table's order; files before and after."""
    files, due = _scattered(lake, table, settings)
    most = settings.file_megabytes * 1_000_000
    slices = sorted(due)
    order = [*rules.partition_columns(table), *table.sort]
    for some in (slices[i : i + SLICES_AT_ONCE] for i in range(0, len(slices), SLICES_AT_ONCE)):
        condition = rules.slices_sql(table, some)
        rows = lake.spark.read.format("delta").load(lake.path(table)).where(condition)
        tasks = math.ceil(sum(due[name] for name in some) / most)
        rows = rows.repartitionByRange(tasks, *order).sortWithinPartitions(*order) if order else rows.repartition(tasks)
        writer = rows.write.format("delta").mode("overwrite").option("dataChange", "false")
        if table.slice:
            writer = writer.option("replaceWhere", condition)
        writer.option("userMetadata", json.dumps({NOTE: len(some)})).save(lake.path(table))
    return files, _scattered(lake, table, settings)[0] if due else files


def _drop_text(lake: Lake, table: Table, settings: MaintenanceSettings, today: dt.date) -> int:
    """Null the text of lines set aside that were taken in too long ago; how many rows had one."""
    if not lake.storage.exists(FILES):
        return 0
    until = dt.datetime.combine(today - dt.timedelta(days=settings.raw_text_days), dt.time(), dt.UTC)
    files = lake.spark.read.format("delta").load(lake.path(FILES))
    # of a table that a stream adds to it is files that come, not batches
    by = "batch" if table.slice == "batch" else "file_id"
    old = files.groupBy(by).agg(F.max("done_at").alias("done_at")).where(F.col("done_at") < F.lit(until)).select(by)
    held = lake.spark.read.format("delta").load(lake.path(table)).where("state = 'bad' AND raw_text IS NOT NULL")
    named = held.join(F.broadcast(old), on=by, how="left_semi").select(by).distinct().collect()
    if not named:
        return 0
    found = lake.spark.sql(
        f"UPDATE delta.`{lake.path(table)}` SET raw_text = NULL WHERE state = 'bad' AND raw_text IS NOT NULL AND {rules.among(by, named)}"
    ).first()
    return int(found["num_affected_rows"]) if found else 0


def _keep(lake: Lake, table: Table, settings: MaintenanceSettings) -> None:
    """Tell Delta how long the log and files of old versions are kept, where it was told otherwise."""
    wanted = {
        "delta.logRetentionDuration": f"interval {max(settings.log_days, settings.restore_days)} days",
        "delta.deletedFileRetentionDuration": f"interval {settings.restore_days} days",
    }
    known = properties(lake.spark, lake.path(table))
    if any(known.get(name) != text for name, text in wanted.items()):
        listed = ", ".join(f"'{name}' = '{text}'" for name, text in wanted.items())
        lake.spark.sql(f"ALTER TABLE delta.`{lake.path(table)}` SET TBLPROPERTIES ({listed})")


def clear_logs(folder: Path, days: int) -> int:
    """Delete log files below the folder that nobody wrote to for so many days; how many."""
    old = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime < time.time() - days * 86_400]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
