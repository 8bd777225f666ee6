"""Submitted by a test: which Python the executors run, and whether it has the library's code and its packages."""

import sys
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession


def told(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Of each task one row."""
    import matplotlib

    import churnlake

    for _ in frames:
        yield pd.DataFrame({"python": [sys.prefix], "code": [churnlake.__file__], "packages": [matplotlib.__file__]})


if __name__ == "__main__":
    spark = SparkSession.builder.getOrCreate()
    for row in (
        spark.range(4).repartition(4).mapInPandas(told, "python string, code string, packages string").distinct().collect()
    ):
        sys.stdout.write(f"found {row['python']} {row['code']} {row['packages']}\n")
    spark.stop()
