"""Two lakes compared table by table: what is no double exactly, doubles within 1e-6."""

import math

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.evaluate.content import compared_rows

ROWS = [(1, "a", 0.1 + 0.2, [1.0]), (1, "a", 7.0, None), (2, None, None, []), (3, "c", 1e9, [2.0, 3.0])]


def rows(spark: SparkSession, *held: tuple[object, ...]) -> DataFrame:
    return spark.createDataFrame(list(held), "id long, word string, share double, parts array<double>")


def test_rows_in_another_order_and_doubles_summed_in_another_are_equal(spark: SparkSession) -> None:
    there = [(3, "c", 1e9 + 100, [2.0, 3.0 - 1e-9]), (2, None, None, []), (1, "a", 7.0, None), (1, "a", 0.3, [1.0])]
    found = compared_rows("x.y", rows(spark, *ROWS), rows(spark, *there))
    assert found.is_equal, str(found)
    assert found.farthest == pytest.approx(1e-7)
    assert str(found) == "x.y: 4 rows, doubles at most 1.0e-07 apart"


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([*ROWS[:3], (3, "c", 1e9, [2.0, 3.1])], "x.y: 4 rows, parts apart in 1, doubles at most 3.2e-02 apart"),
        ([*ROWS[:3], (3, "c", 1e9, [2.0])], "x.y: 4 rows, parts apart in 1, doubles at most inf apart"),
        ([*ROWS[:3], (3, "c", None, [2.0, 3.0])], "x.y: 4 rows, share apart in 1, doubles at most inf apart"),
        ([*ROWS[:3], (3, "c", math.nan, [2.0, 3.0])], "x.y: 4 rows, share apart in 1, doubles at most inf apart"),
        ([*ROWS[:3], (4, "c", 1e9, [2.0, 3.0])], "x.y: 4 rows, 1 only here, 1 only there"),
        ([*ROWS, ROWS[3]], "x.y: 4 rows here, 5 there, 1 only there"),
        (ROWS[:3], "x.y: 4 rows here, 3 there, 1 only here"),
    ],
)
def test_what_differs_is_told(spark: SparkSession, there: list[tuple[object, ...]], told: str) -> None:
    assert str(compared_rows("x.y", rows(spark, *ROWS), rows(spark, *there))) == told


def test_a_table_that_one_lake_lacks_differs(spark: SparkSession) -> None:
    assert str(compared_rows("x.y", rows(spark, *ROWS), None)) == "x.y: 4 rows here, 0 there, 4 only here"
    assert str(compared_rows("x.y", None, rows(spark, *ROWS))) == "x.y: 0 rows here, 4 there, 4 only there"
