"""Rows kept half way through a run, cut from the plan that made them.

In one process they are kept by its session. On a cluster each executor would keep its part, and a run would fail with the first
executor that is lost: there they go to files beside the tables, which every node reaches, for as long as a job runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark.sql import DataFrame, SparkSession

from churnlake.core.storage import reached, under

FOLDER = "_kept"
"""Below the lake: a folder of files for each run of a job on a cluster, deleted when it ends; those of runs that were killed stay."""


def checkpointed(rows: DataFrame) -> DataFrame:
    """The same rows, computed once and cut from the plan that made them."""
    spark = rows.sparkSession
    if _is_on_cluster(spark) and spark.sparkContext.getCheckpointDir():
        return rows.checkpoint(eager=True)
    return rows.localCheckpoint(eager=True)


@contextmanager
def kept_in_lake(spark: SparkSession, root: str) -> Iterator[None]:
    """While this lasts, rows are kept in a folder of the lake at ``root``, if on a cluster; then it is deleted. Who sets spark.checkpoint.dir has it there."""
    if not _is_on_cluster(spark) or _is_told(spark):
        yield
        return
    context = spark.sparkContext
    context.setCheckpointDir(under(root, FOLDER))
    try:
        yield
    finally:
        # what stays is deleted by maintain_lake
        with suppress(Exception):
            path, files = reached(spark, str(context.getCheckpointDir()))
            files.delete(path, True)


def clear_kept(spark: SparkSession, root: str) -> int:
    """Delete what runs that were killed kept in the lake at ``root``; how many there were. No other job may be at work: hold the leases of all."""
    folder, files = reached(spark, under(root, FOLDER))
    left = [entry.getPath() for entry in files.listStatus(folder)] if files.exists(folder) else []
    mine = str(spark.sparkContext.getCheckpointDir())
    gone = [path for path in left if not mine.endswith(f"/{path.getName()}")]
    for path in gone:
        files.delete(path, True)
    return len(gone)


def _is_told(spark: SparkSession) -> bool:
    return bool(spark.conf.get("spark.checkpoint.dir", None))


def _is_on_cluster(spark: SparkSession) -> bool:
    return not str(spark.conf.get("spark.master", "local")).startswith("local")
