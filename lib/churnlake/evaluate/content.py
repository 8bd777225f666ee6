"""What a lake holds, as one line a table: to see whether two lakes, or one before and after a run, are equal."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, StructField

from churnlake.core.contract import Table
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days
from churnlake.settings import Settings
from churnlake.tables.joining import JOINING_CHECKS

WHEN = {FILES: {"done_at", "modified_at"}, JOINING_CHECKS: {"arrived_at", "checked_at"}}
"""Columns that tell when a file was written or a row made: no content."""


def lake_of(spark: SparkSession, settings: Settings, days: Days, *tables: Table) -> Lake:
    """A lake to look at tables with, as of the last day."""
    return Lake(spark, settings.store, Scope("evaluation", days, tables, (), makers=Lineage.of_package().makers))


def content(spark: SparkSession, settings: Settings, days: Days) -> dict[str, tuple[int, int]]:
    """By table name, the number of rows and a hash of their content; rows of every state of a ledger.

    Equal means: keys, counts and money exactly, doubles within 1e-6. When a file was written and taken in is no content.
    """
    tables = [table for table in (FILES, *Lineage.of_package().tables) if table.stored]
    lake = lake_of(spark, settings, days, *tables)
    found = {}
    for table in tables:
        if lake.has(table):
            rows = lake.ledger(table) if table.ledger else lake.read(table)
            left_out = {"raw_text"} if table.ledger else WHEN.get(table, set())
            found[table.name] = fingerprint(rows.drop(*left_out))
    return found


def fingerprint(rows: DataFrame) -> tuple[int, int]:
    """Number of rows and a hash of them that does not depend on their order."""
    whole = rows.select(F.xxhash64(*[_settled(field) for field in rows.schema.fields]).alias("h"))
    # a sum of hashes, unlike their xor, also sees a row that stands there twice
    total = whole.agg(F.count("*").alias("n"), F.coalesce(F.sum(F.col("h").cast("decimal(38,0)")), F.lit(0)).alias("h")).first()
    return (int(total["n"]), int(total["h"])) if total else (0, 0)


def _settled(field: StructField) -> Column:
    column = F.col(field.name)
    if isinstance(field.dataType, DoubleType):
        # -0.0 and 0.0 are one value
        return F.round(column, 6) + F.lit(0.0)
    return F.to_json(F.struct(column)) if isinstance(field.dataType, ArrayType) else column
