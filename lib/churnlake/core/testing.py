"""Test rows built from the contract: name the columns that matter, the rest is filled with values the contract allows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StructField,
    StructType,
    TimestampType,
)

from churnlake.core.contract import Column, Table
from churnlake.core.frames import frame_of


def rows(spark: SparkSession, table: Table, *values: dict[str, Any]) -> DataFrame:
    """One row per dict, with the table's declared columns; unnamed ones are null if optional, else a value allowed."""
    for row in values:
        for name in row:
            table.column(name)
    schema = StructType([StructField(c.name, c.type, True) for c in table.columns])
    data = [
        {c.name: row.get(c.name, None if c.optional else _allowed(c, i)) for c in table.columns} for i, row in enumerate(values)
    ]
    return frame_of(spark, schema, data)


def _allowed(column: Column, i: int) -> Any:
    kind = column.type
    if column.one_of:
        return column.one_of[0]
    least = column.least if column.least is not None else 0
    if isinstance(kind, LongType | IntegerType):
        return i + 1 if column.least is None else int(least)
    if isinstance(kind, DecimalType):
        return Decimal(str(least)).quantize(Decimal(1).scaleb(-kind.scale))
    if isinstance(kind, DoubleType):
        return float(least)
    if isinstance(kind, BooleanType):
        return False
    if isinstance(kind, DateType):
        return dt.date(2005, 5, 1)
    if isinstance(kind, TimestampType):
        return dt.datetime(2005, 5, 1, 4, 0, tzinfo=dt.UTC)
    if isinstance(kind, ArrayType):
        return []
    return f"{column.name}{i}"
