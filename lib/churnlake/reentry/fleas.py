"""Customers who hop from bonus to bonus (跳蚤): back again and again, each number left when its bonus ends, little paid."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.settings import ReentrySettings


def fleas(
    joined: DataFrame, matches: DataFrame, subscribers: DataFrame, recharges: DataFrame, settings: ReentrySettings
) -> DataFrame:
    """One row per joiner who is a flea (reentry.fleas).

    Two re-entries within ``flea_days``; each of the two numbers left ended within ``bonus_grace_days`` of its bonus's term; what both
    recharged in the mean of 30 days is below the median of their brand. A dealer's own card is nobody who hops.

    Args:
        joined: rows of reentry.parts of whole months.
        matches: of the final stage (reentry.matches), of the months before too.
        subscribers: reference.subscribers.
        recharges: reference.recharges.
        settings: limits.
    """
    how = settings.control
    now = joined.where("part = 'reentry'").select(
        "known_on", "month", "user_id", "old_user_id", "joined_on", "dealer_id", "bonus_yuan"
    )
    newest = matches.select("user_id", "old_user_id", F.col("old_last_on").alias("ended_on"))
    before = matches.select(
        F.col("user_id").alias("old_user_id"), F.col("old_user_id").alias("first_user_id"), F.col("joined_on").alias("old_joined_on"),
        F.col("old_last_on").alias("first_ended_on"), F.col("known_on").alias("before_known_on"),
    )  # fmt: skip
    chains = now.join(newest, on=["user_id", "old_user_id"], how="inner").join(before, on="old_user_id", how="inner")
    chains = chains.where("before_known_on <= known_on").withColumn("hop_days", F.expr("datediff(joined_on, old_joined_on)"))
    chains = chains.where(f"hop_days BETWEEN 0 AND {how.flea_days}")
    # as first delivered: what later deliveries say must not change a month told
    told = subscribers.groupBy("user_id").agg(
        F.min_by("bonus_until", "delivered_on").alias("until"), F.min_by("bonus_yuan", "delivered_on").alias("bonus"),
        F.min_by("brand", "delivered_on").alias("brand"), F.min("joined_on").alias("began_on"),
    )  # fmt: skip
    for name, ends in (("old", "ended_on"), ("first", "first_ended_on")):
        life = told.select(*(F.col(c).alias(c if c == "user_id" else f"{name}_{c}") for c in told.columns))
        life = life.withColumnRenamed("user_id", f"{name}_user_id")
        chains = chains.join(life, on=f"{name}_user_id", how="inner")
        chains = chains.where(f"abs(datediff({ends}, {name}_until)) <= {how.bonus_grace_days}")
    paid = _paid(chains, recharges)
    usual = medians(chains.select("month", "known_on", F.col("old_brand").alias("brand")).distinct(), told, recharges, settings)
    rows = (
        chains.withColumnRenamed("old_brand", "brand")
        .join(paid, on="user_id", how="left")
        .join(F.broadcast(usual), on=["month", "brand"], how="inner")
    )
    rows = rows.withColumn("recharge_yuan", F.expr("round(coalesce(paid, 0) * 30 / greatest(days, 1), 2)"))
    bonuses = "coalesce(bonus_yuan, 0) + coalesce(old_bonus, 0) + coalesce(first_bonus, 0)"
    return rows.where("recharge_yuan < brand_median_yuan").withColumn("bonus_yuan", F.expr(bonuses))


def _paid(chains: DataFrame, recharges: DataFrame) -> DataFrame:
    """One row per chain: what both numbers left recharged while they were held (``paid``), and the ``days`` that was."""
    lives = chains.selectExpr(
        "user_id", "known_on", "inline(array(struct(old_user_id as life_id, old_began_on as began_on, ended_on as ended), "
        "struct(first_user_id as life_id, first_began_on as began_on, first_ended_on as ended)))",
    )  # fmt: skip
    each = lives.join(recharges.select(F.col("user_id").alias("life_id"), "day", "amount_yuan"), on="life_id", how="left")
    inside = "if(day BETWEEN began_on AND ended, amount_yuan, 0)"
    by_life = each.groupBy("user_id", "life_id", "began_on", "ended").agg(F.expr(f"sum(coalesce({inside}, 0))").alias("amount"))
    return by_life.groupBy("user_id").agg(
        F.sum("amount").alias("paid"), F.expr("sum(greatest(datediff(ended, began_on) + 1, 1))").alias("days")
    )


def medians(months: DataFrame, told: DataFrame, recharges: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per month and brand asked for: ``brand_median_yuan``, recharged in 30 days by the middle one of the brand's users who recharge.

    Of the ``flea_days`` before the month is told, or since the user joined. ``told``: one row per user: brand, began_on. Whole yuan, so
    that the median is exact and takes little room.
    """
    how = settings.control
    users = recharges.join(told.select("user_id", "brand", "began_on"), on="user_id", how="inner")
    near = users.join(F.broadcast(months), on="brand", how="inner").where(
        f"day > date_sub(known_on, {how.flea_days}) AND day <= known_on"
    )
    days = f"greatest(datediff(known_on, greatest(began_on, date_sub(known_on, {how.flea_days}))), 30)"
    rates = near.groupBy("month", "brand", "user_id").agg(
        F.expr(f"round(sum(amount_yuan) * 30 / any_value({days}))").alias("rate")
    )
    return rates.groupBy("month", "brand").agg(F.expr("percentile(rate, 0.5)").cast("decimal(12,2)").alias("brand_median_yuan"))
