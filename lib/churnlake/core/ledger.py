"""Accounting for every row: what is wrong with it, and whether it came before."""

from __future__ import annotations

import math

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.rules import NO_REASONS, reasons_sql, row_rules, sound_sql

UNTOLD = ("batch", "delivered_on", "line_key")
"""Columns that say how a row arrived, not what it says: two rows that differ in these alone are one record."""
OTHER_CONTENT = "same key, other content"
"""The reason of a row set aside for another that has its key."""
TOO_LATE = "too_late"
"""The reason of a row that arrived so long after its day that repeats of it are no longer looked for."""
ROWS_A_FILE = 500_000
"""Rows that one task sorts in memory and writes to one file: some 20 MB."""


def content_key(table: Table) -> SparkColumn:
    """64-bit hash of what a row says, however it arrived."""
    return F.xxhash64(*[F.col(name) for name in table.names if name not in UNTOLD])


def mark(table: Table, rows: DataFrame) -> DataFrame:
    """One row per row that came in, with ``state`` good or bad and ``reasons``.

    ``rows`` hold the table's columns, ``file_id``, ``raw_text`` and ``unreadable``: fields whose text was no value, or a whole
    reason ('line: ...', ``TOO_LATE``).
    """
    rules = row_rules(table)
    fields = f"coalesce(unreadable, {NO_REASONS})"
    is_sound = f"size({fields}) = 0 AND {sound_sql(rules, 'error')}"
    unreadable = (
        f"transform({fields}, field -> if(field LIKE '%:%' OR field = '{TOO_LATE}', field, concat(field, ' unreadable')))"
    )
    # a field that could not be read is null, as is its pseudonym, and would be called missing as well: say the truer of the two
    said = f"flatten(transform({fields}, field -> array(concat(field, ' missing'), concat(field, '_key missing'))))"
    # nor is there anything to say of fields where a line has not so many
    is_line = f"not exists({fields}, field -> field LIKE 'line:%')"
    errors = f"if({is_line}, concat({unreadable}, array_except({reasons_sql(rules, 'error')}, {said})), {unreadable})"
    warnings = f"if({sound_sql(rules, 'warn')}, {NO_REASONS}, {reasons_sql(rules, 'warn')})"
    marked = rows.withColumn("reasons", F.expr(f"if({is_sound}, null, {errors})")).withColumns(
        {"state": F.expr("if(reasons is null, 'good', 'bad')"), "reasons": F.expr(f"coalesce(reasons, {warnings})")}
    )
    # where fields are shifted, a number may stand where a code should: it stays in the encrypted line only
    codes = [c for c in table.columns if c.one_of]
    known = [(F.col("state") == "good") | F.col(c.name).isin(*c.one_of) for c in codes]
    return marked.withColumns({c.name: F.when(is_known, F.col(c.name)) for c, is_known in zip(codes, known, strict=True)})


def dealt(table: Table, rows: DataFrame, count: int) -> DataFrame:
    """The rows, some ``count``, dealt out so that those with one key meet, and those that lie together in the table's order."""
    by = [name for name in table.sort if name != table.at] or list(table.key)
    return rows.repartition(max(1, math.ceil(count / ROWS_A_FILE)), *by)


def set_repeats_aside(table: Table, marked: DataFrame, known: DataFrame | None) -> DataFrame:
    """One row per row that came in; of good rows with one key the first stays good.

    The others are ``duplicate`` when they say the same (``kept_in`` names the file of the kept row), else ``bad``: two
    records with one id. ``known`` has one row per key already in the table among those late enough to matter:
    the key, ``known_content`` and ``known_file``. Rows with one key agree in what the table is sorted by, so that one sort
    serves both; a result partitioned by some of these columns is sorted by them within each partition.
    """
    rows = marked.withColumn("content", content_key(table))
    # good rows first, then the earliest delivery: the row that is kept does not depend on partitioning
    within = list(dict.fromkeys([*table.sort, *table.key, "state"]))
    order = Window.partitionBy(*within).orderBy("delivered_on", "file_id", "content")
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    rows = rows.withColumn("turn", F.row_number().over(order))
    # of plain columns: Spark then takes the first row's without evaluating anything row by row
    rows = rows.withColumns({f"first_{name}": F.first(name).over(so_far) for name in ("content", "file_id")})
    if known is not None:
        rows = rows.join(known, on=list(table.key), how="left")
        rows = rows.withColumn("first_content", F.expr("coalesce(known_content, first_content)"))
        rows = rows.withColumn("first_file_id", F.expr("coalesce(known_file, first_file_id)"))
        rows = rows.withColumn("turn", F.expr("if(known_content is not null, turn + 1, turn)"))
    again = F.expr("state = 'good' and turn > 1")
    same = F.expr("content = first_content")
    return (
        rows.withColumn("kept_in", F.when(again & same, F.col("first_file_id")))
        .withColumn("reasons", F.when(again & ~same, F.array(F.lit(OTHER_CONTENT))).otherwise(F.col("reasons")))
        .withColumn("state", F.when(again & same, F.lit("duplicate")).when(again, F.lit("bad")).otherwise(F.col("state")))
    )
