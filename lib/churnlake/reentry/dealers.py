"""What becomes of the joiners of each dealer and branch, who stands out, and what to ask back."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry import economics
from churnlake.reentry.settings import ReentrySettings
from churnlake.stats import proportions

REASONS = {"bonus_twice": "reentry", "farmed": "farmed"}
"""By reason to ask for money back, the measure that a dealer stands out by."""


def with_stay(joined: DataFrame, own: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The joiners with ``gone_N`` for each of ``kept_days``: no own event in the ``kept_within_days`` days up to day N.

    ``joined``: rows of reentry.parts; ``own``: one row per user and day with an own event.
    """
    how = settings.control
    days = joined.select("user_id", "joined_on").join(own.select("user_id", "day"), on="user_id", how="inner")
    age = "datediff(day, joined_on)"
    there = days.groupBy("user_id").agg(
        *(F.expr(f"max({age} BETWEEN {n - how.kept_within_days + 1} AND {n})").alias(f"there_{n}") for n in how.kept_days)
    )
    rows = joined.join(there, on="user_id", how="left")
    return rows.withColumns({f"gone_{n}": F.expr(f"NOT coalesce(there_{n}, false)") for n in how.kept_days})


def funnels(joined: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per month, dealer or branch, and measure (reentry.funnels). ``joined``: rows of reentry.parts ``with_stay``.

    Each is held against the rest of its branch, or of the city where it is all of its branch or a branch itself, by Fisher's exact test.
    False discoveries are held down among all of one kind and measure in the month.
    """
    how = settings.control
    measures = {"reentry": "part = 'reentry'", "farmed": "part = 'farmed'", **{f"gone_{n}": f"gone_{n}" for n in how.kept_days}}
    each = ", ".join(f"struct('{name}' as measure, cast({sql} as int) as found)" for name, sql in measures.items())
    rows = joined.selectExpr("known_on", "month", "dealer_id", "branch", f"inline(array({each}))")
    by = ["known_on", "month", "measure"]
    counts = [F.count("*").alias("joiners"), F.sum("found").alias("found")]
    city = rows.groupBy(*by).agg(F.count("*").alias("city_of"), F.sum("found").alias("city_found"))
    branches = rows.where("branch IS NOT NULL").groupBy(*by, "branch").agg(*counts)
    sold = rows.where("dealer_id IS NOT NULL").groupBy(*by, F.col("dealer_id").alias("value"))
    dealers = sold.agg(*counts, F.expr("mode(branch, true)").alias("branch")).withColumn("level", F.lit("dealer"))
    around = branches.select(*by, "branch", F.col("joiners").alias("branch_of"), F.col("found").alias("branch_found"))
    dealers = dealers.join(F.broadcast(around), on=[*by, "branch"], how="left")
    alone = {"level": F.lit("branch"), "value": F.col("branch")}
    alone |= {name: F.lit(None).cast("long") for name in ("branch_of", "branch_found")}
    both = dealers.unionByName(branches.withColumns(alone)).join(F.broadcast(city), on=by, how="inner")
    # not all that a dealer sells need be of its branch
    within = "coalesce(branch_of > joiners AND branch_found >= found AND branch_of - branch_found >= joiners - found, false)"
    both = both.withColumn("beside", F.expr(f"if({within}, 'branch', 'city')"))
    for name in ("of", "found"):
        both = both.withColumn(f"all_{name}", F.expr(f"if(beside = 'branch', branch_{name}, city_{name})"))
    low, high = proportions.wilson("found", "joiners", how.deviations)
    tail = proportions.upper_tail("found", "joiners", "all_found", "all_of")
    told = both.withColumns(
        {
            "share": F.expr("round(found / joiners, 6)"),
            "low": F.expr(f"round({low}, 6)"),
            "high": F.expr(f"round({high}, 6)"),
            "rest_share": F.expr("round((all_found - found) / nullif(all_of - joiners, 0), 6)"),
            "p_value": F.expr(f"if(all_of > joiners, {tail}, null)"),
        }
    )
    told = proportions.with_false_discovery(told, "p_value", [*by, "level"], ["value"])
    return told.withColumn("is_flagged", F.expr(f"coalesce(q_value <= {how.most_false_discoveries}, false)"))


def clawbacks(joined: DataFrame, olds: DataFrame, funnel: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner and reason (reentry.clawbacks): bonuses paid twice to customers come back, and dealers' own cards.

    ``joined``: rows of reentry.parts; ``olds``: what is told of the old numbers (economics.old_numbers); ``funnel``: reentry.funnels.
    """
    keys = ["known_on", "month", "user_id", "old_user_id", "dealer_id", "reason", "yuan", "probability"]
    matched = joined.where("part = 'reentry'").join(
        olds.select("user_id", "old_user_id", "old_bonus_until", "probability"), on=["user_id", "old_user_id"], how="inner"
    )
    again = matched.where(economics.twice(settings)).withColumns({"reason": F.lit("bonus_twice"), "yuan": F.col("bonus_yuan")})
    own = joined.where("part = 'farmed'").withColumns(
        {
            "reason": F.lit("farmed"),
            "yuan": F.col("bonus_yuan"),
            "probability": F.lit(None).cast("double"),
            "old_user_id": F.lit(None).cast("long"),
        }
    )
    measure = " ".join(f"WHEN '{reason}' THEN '{name}'" for reason, name in REASONS.items())
    rows = again.select(keys).unionByName(own.select(keys)).withColumn("measure", F.expr(f"CASE reason {measure} END"))
    out = funnel.where("level = 'dealer' AND is_flagged").select("month", F.col("value").alias("dealer_id"), "measure")
    out = F.broadcast(out.distinct().withColumn("is_out", F.lit(True)))
    flagged = rows.join(out, on=["month", "dealer_id", "measure"], how="left")
    return flagged.withColumn("is_dealer_flagged", F.expr("coalesce(is_out, false)")).drop("is_out", "measure")
