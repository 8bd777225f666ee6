"""Abnormal users apart from normal ones: they are split off before anything is segmented (mission, A7)."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def kinds(conditions: Mapping[str, str]) -> Column:
    """The kinds of abnormal that a row is, in the order of the conditions: an array of names, empty for a normal one.

    A condition over something that is not known does not hold.
    """
    if not conditions:
        return F.array().cast("array<string>")
    return F.array_compact(F.array(*(F.when(F.expr(condition), F.lit(name)) for name, condition in conditions.items())))


def normal(rows: DataFrame, conditions: Mapping[str, str]) -> DataFrame:
    """The rows that are of no abnormal kind, as they came."""
    return rows.where(F.size(kinds(conditions)) == 0)


def abnormal(rows: DataFrame, conditions: Mapping[str, str]) -> DataFrame:
    """The other rows, each with ``kinds``, those it is of."""
    return rows.withColumn("kinds", kinds(conditions)).where(F.size("kinds") > 0)


def abnormal_by_kind(rows: DataFrame, conditions: Mapping[str, str]) -> DataFrame:
    """One row per month and kind, also those of nobody: users, their share of the month's, and the condition. A user may be of several."""
    counted = rows.groupBy("month").agg(
        F.count(F.lit(1)).alias("all_users"),
        *(F.expr(f"count_if({condition})").alias(f"kind_{place}") for place, condition in enumerate(conditions.values())),
    )
    told = [
        F.struct(F.lit(name).alias("kind"), F.col(f"kind_{place}").alias("users"), F.lit(condition).alias("rule"))
        for place, (name, condition) in enumerate(conditions.items())
    ]
    by_kind = counted.select("month", "all_users", F.inline(F.array(*told)))
    return by_kind.select("month", "kind", "users", (F.col("users") / F.col("all_users")).alias("share"), "rule")
