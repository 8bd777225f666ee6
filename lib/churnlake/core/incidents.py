"""What a data engineer asks of a failed check: since when, whose file, what it touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

Step = tuple[Sequence[str], Sequence[str]]
"""Names of the tables a job reads and of those it writes."""
CHECK_KEY = ("table_name", "check_name", "column_name")


def failing_since(checks: DataFrame) -> DataFrame:
    """One row per check that failed when it was last asked: since, the first day of the present unbroken run of failures.

    Days on which a check was not asked do not end a run. ``checks`` has a row per day and check: day, has_passed.
    """
    runs = checks.groupBy(*CHECK_KEY).agg(
        F.expr("max(day) filter (where has_passed) as held_on"),
        F.expr("collect_set(day) filter (where not has_passed) as failed_on"),
    )
    since = F.expr("array_min(filter(failed_on, day -> held_on is null or day > held_on)) as since")
    return runs.select(*CHECK_KEY, since).where("since is not null")


def files_of_days(ledgers: Mapping[str, DataFrame], files: DataFrame, most: int) -> DataFrame:
    """One row per feed, day and file among the ``most`` that explain the day best: path, note, rows, bad_rows, files of the day.

    First come files delivered that day that could not be read, which explain more than those that could; then those with most
    rows set aside, then with most rows. ``ledgers`` are by feed, with ``day``; ``files`` is the register of landing files.
    """
    parts = [
        rows.groupBy(F.lit(feed).alias("feed"), "day", "file_id").agg(
            F.count(F.lit(1)).alias("rows"), F.expr("count_if(state = 'bad') as bad_rows")
        )
        for feed, rows in ledgers.items()
    ]
    nothing = F.lit(0).cast("long")
    unread = files.where(F.col("note").isNotNull() & F.col("feed").isin(list(ledgers)))
    unread = unread.select(
        "feed", F.col("delivered_on").alias("day"), "file_id", nothing.alias("rows"), nothing.alias("bad_rows")
    )
    named = reduce(DataFrame.unionByName, [*parts, unread]).join(
        files.select("feed", "file_id", "path", "note"), on=["feed", "file_id"], how="inner"
    )
    of_day = Window.partitionBy("feed", "day")
    best = of_day.orderBy(F.col("note").isNull(), F.desc("bad_rows"), F.desc("rows"), "path")
    ranked = named.withColumns({"place": F.row_number().over(best), "files": F.count(F.lit(1)).over(of_day)})
    return ranked.where(F.col("place") <= most).select("feed", "day", "place", "path", "note", "rows", "bad_rows", "files")


def downstream(steps: Iterable[Step], table: str) -> list[str]:
    """Every table made from this one, directly or by way of others, in the order they are made; not what judges it.

    Args:
        steps: Of each job, in the order they run, names of the tables it reads and of those it writes.
        table: Name of the table.
    """
    reached, found = {table}, []
    for reads, writes in steps:
        if reached & set(reads):
            for made in writes:
                if made not in reached and not made.startswith("quality."):
                    found.append(made)
                    reached.add(made)
    return found
