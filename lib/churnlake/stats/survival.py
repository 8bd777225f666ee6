"""How long something lasts where not all of it is over yet: the product-limit estimate and its variance."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.stats.proportions import wilson


def product_limit(spells: DataFrame, by: Sequence[str], time: str, is_over: str) -> DataFrame:
    """One row per ``by`` and time from 1 to the longest of the group: ``at_risk``, ``events``, ``lasting``, ``variance_sum``.

    ``lasting`` is the estimate of Kaplan and Meier 1958 of the share that lasts longer than the time; ``variance_sum`` the sum of
    Greenwood 1926, d / (n (n - d)), by which lasting^2 is multiplied for its variance: null from where the last at risk was over.
    A spell that is not over was at risk at its time too, and then went out of sight. Times below 1 are left out.

    Args:
        spells: one row per spell: ``by``, whole ``time``, ``is_over`` (boolean).
        by: columns of the groups.
        time: how long it lasted, or was seen to last.
        is_over: whether it was over then, or went on unseen.
    """
    seen = spells.where(f"{time} >= 1").groupBy(*by, time)
    counted = seen.agg(F.count("*").alias("spells"), F.expr(f"count_if({is_over})").alias("events"))
    times = counted.groupBy(*by).agg(F.expr(f"explode(sequence(1, max(cast({time} as int))))").alias(time))
    whole = times.join(counted, on=[*by, time], how="left").na.fill(0, ["spells", "events"])
    later = Window.partitionBy(*by).orderBy(F.desc(time)).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    risk = whole.withColumn("at_risk", F.sum("spells").over(later))
    so_far = Window.partitionBy(*by).orderBy(time).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    is_none = F.max(F.expr("events = at_risk")).over(so_far)
    stays = F.exp(F.sum(F.expr("if(events < at_risk, ln(1 - events / at_risk), 0D)")).over(so_far))
    spread = F.sum(F.expr("if(events < at_risk, events / (at_risk * (at_risk - events)), 0D)")).over(so_far)
    return risk.select(
        *by,
        F.col(time).cast("int").alias(time),
        F.col("at_risk").cast("bigint").alias("at_risk"),
        F.col("events").cast("bigint").alias("events"),
        F.when(is_none, F.lit(0.0)).otherwise(stays).alias("lasting"),
        F.when(~is_none, spread).alias("variance_sum"),
    )


def interval(share: str, variance_sum: str, at_risk: str, deviations: float) -> tuple[str, str]:
    """SQL of both ends of an interval of a product-limit share, on the scale of log(-log) so that they lie within 0 and 1.

    After Kalbfleisch and Prentice 1980, section 1.3. At 0 and 1, where that scale ends, and where nothing was left to be over, it is the
    score interval of as many of ``at_risk``.
    """
    log = f"ln({share})"
    half = f"({deviations!r} * sqrt({variance_sum}) / abs({log}))"
    low, high = f"pow({share}, exp({half}))", f"pow({share}, exp(-{half}))"
    inside = f"{share} > 0 AND {share} < 1 AND {variance_sum} IS NOT NULL"
    few = wilson(f"({share} * {at_risk})", at_risk, deviations)
    # a score interval ends at 1 but for the last digits
    return f"if({inside}, {low}, least({few[0]}, {share}))", f"if({inside}, {high}, greatest({few[1]}, {share}))"
