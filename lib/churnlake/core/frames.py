"""Frames from Python rows, by way of Arrow: no Python worker is started for a handful of rows; and frames made to fit a table."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from churnlake.core.contract import Table
from churnlake.core.errors import ContractError


def frame_of(spark: SparkSession, schema: StructType, rows: list[dict[str, Any]]) -> DataFrame:
    """One row per dict, typed by the schema; a key left out is null. Structs are dicts, maps lists of pairs."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    table = pa.Table.from_pylist(rows, schema=to_arrow_schema(schema))
    return spark.createDataFrame(table, schema)


def only(rows: DataFrame, asked: DataFrame) -> DataFrame:
    """The rows of who is asked for, by all columns of ``asked``, which is small enough to be sent everywhere: found before any row is moved."""
    return rows.join(F.broadcast(asked.distinct()), on=asked.columns, how="left_semi")


def padded(table: Table, rows: DataFrame) -> DataFrame:
    """The rows of a table on disk, with nulls for optional columns that its contract gained since."""
    there = set(rows.columns)
    return rows.withColumns(
        {c.name: F.lit(None).cast(c.type) for c in table.stored_columns if c.optional and c.name not in there}
    )


def conform(table: Table, rows: DataFrame) -> DataFrame:
    """The rows with the table's columns on disk, in its types. Raises ContractError where one lacks or is of another kind."""
    found = {f.name: f.dataType for f in rows.schema.fields}
    missing = [c.name for c in table.stored_columns if c.name not in found]
    if missing:
        raise ContractError(f"{table.name}: the rows to write lack {', '.join(missing)}")
    # numbers may be widened by the engine (sum of int is bigint, of decimal a longer decimal); text is never made a number
    wrong = [
        c
        for c in table.stored_columns
        if (found[c.name].simpleString() == "string") != (c.type.simpleString() == "string")
        and found[c.name].simpleString() != "void"
    ]
    if wrong:
        raise ContractError(
            f"{table.name}: "
            + "; ".join(f"{c.name} is {found[c.name].simpleString()}, not {c.type.simpleString()}" for c in wrong)
        )
    return rows.select([F.col(c.name).cast(c.type).alias(c.name) for c in table.stored_columns])
