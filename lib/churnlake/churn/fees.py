"""What each user paid and used in a month, and what that is beside the others of its brand and plan."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.churn.settings import ChurnSettings

SERVICES = "monthly_fee_yuan + new_service_yuan"
BILLED = f"{SERVICES} + local_yuan + long_distance_yuan + roaming_yuan + message_yuan"
USE = "voice_out_seconds + 60 * sms_out_messages"
"""Own use in seconds; a message sent counts as a minute called: their prices were alike."""


def monthly(features: DataFrame, bills: DataFrame | None, settings: ChurnSettings) -> DataFrame:
    """One row per user with a record in the month: month, user_id, brand, plan_id, is_active, ``used_yuan`` by its records,
    ``billed_yuan`` and ``services_yuan`` by its bill as delivered when revenue is told (null without one), ``use``, ``forwarded``.

    Args:
        features: features.monthly of the months asked.
        bills: reference.bills, where they are delivered.
        settings: who is active, and when a month's revenue is told.
    """
    rows = features.select(
        "month",
        "user_id",
        F.expr("coalesce(brand, 'unknown')").alias("brand"),
        F.expr("coalesce(plan_id, 'unknown')").alias("plan_id"),
        F.expr(is_active(settings)).alias("is_active"),
        F.col("usage_fee_yuan").alias("used_yuan"),
        F.expr(USE).alias("use"),
        F.expr("coalesce(voice_forwarded_calls_to_competitor, 0)").alias("forwarded"),
    )
    if bills is None:
        absent = F.lit(None).cast("decimal(18,2)")
        return rows.withColumns({"billed_yuan": absent, "services_yuan": absent})
    in_time = bills.where(f"delivered_on <= date_add(last_day(month), {settings.revenue.closes_days})")
    told = in_time.select("month", "user_id", F.expr(BILLED).alias("billed_yuan"), F.expr(SERVICES).alias("services_yuan"))
    return rows.join(told, on=["month", "user_id"], how="left")


def indexed(rows: DataFrame, by: str, measures: list[str], least: int) -> DataFrame:
    """The rows, each measure divided by the index of its brand and plan in that month: what prices and seasons do to all is no one's own.

    The index of a month is the mean of the active users of the cell in it over the mean of those means over the months of ``by``.
    A cell of fewer than ``least`` users in one of these months, or absent in one, has the index of its brand. Where nobody of
    the cell has any of a measure in a month there is no index, and the measure is null.

    Args:
        rows: one row per ``by``, user and month: brand, plan_id, is_active, the measures.
        by: column that names a stretch of months.
        measures: columns to divide.
        least: users of a cell in each month.
    """
    cells = _index(rows, by, ["brand", "plan_id"], measures, "cell")
    brands = _index(rows, by, ["brand"], measures, "brand")
    found = rows.join(F.broadcast(brands), on=[by, "month", "brand"], how="left")
    found = found.join(F.broadcast(cells), on=[by, "month", "brand", "plan_id"], how="left")
    enough = f"coalesce(cell_users >= {least} AND cell_months = brand_months, false)"
    told = {
        name: F.expr(f"CAST({name} AS DOUBLE) / nullif(if({enough}, cell_index_{name}, brand_index_{name}), 0D)")
        for name in measures
    }
    return found.withColumns(told).select(*rows.columns)


def _index(rows: DataFrame, by: str, cell: list[str], measures: list[str], name: str) -> DataFrame:
    """One row per ``by``, month and cell: index of each measure, least ``users`` of its months, and how many ``months`` it has."""
    means = [F.expr(f"CAST(sum({m}) AS DOUBLE) / count({m})").alias(f"mean_{m}") for m in measures]
    by_month = rows.where("is_active").groupBy(by, "month", *cell).agg(F.count("*").alias("users"), *means)
    whole = Window.partitionBy(by, *cell)
    return by_month.select(
        by,
        "month",
        *cell,
        F.min("users").over(whole).alias(f"{name}_users"),
        F.count("*").over(whole).alias(f"{name}_months"),
        *(
            (F.col(f"mean_{m}") / F.nullif(F.round(F.avg(f"mean_{m}").over(whole), 9), F.lit(0.0))).alias(f"{name}_index_{m}")
            for m in measures
        ),
    )
