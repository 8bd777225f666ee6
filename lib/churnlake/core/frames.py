"""Small frames from Python rows, by way of Arrow: no Python worker is started for a handful of rows."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType


def frame_of(spark: SparkSession, schema: StructType, rows: list[dict[str, Any]]) -> DataFrame:
    """One row per dict, typed by the schema; a key left out is null. Structs are dicts, maps lists of pairs."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    table = pa.Table.from_pylist(rows, schema=to_arrow_schema(schema))
    return spark.createDataFrame(table, schema)
