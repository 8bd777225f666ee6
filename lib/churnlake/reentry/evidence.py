"""What speaks for and against each candidate, and the probability it adds up to."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.candidates import UNIT
from churnlake.reentry.settings import ReentrySettings

PAIR = [*UNIT, "old_user_id"]


def gather(
    told: DataFrame, circle: DataFrame, handset: DataFrame, document: DataFrame | None, settings: ReentrySettings
) -> DataFrame:
    """One row per joiner, stage and candidate found by any of the three, with what each says.

    ``circle_llr`` is the gain of the shared peers less ln(1-k) for each of the joiner's peers: a peer not shared speaks
    against, also for a candidate that a handset or document alone points to.
    """
    frames = [circle, handset] if document is None else [circle, handset, document]
    pairs = reduce(lambda left, right: left.join(right, on=PAIR, how="full"), frames)
    if document is None:
        pairs = pairs.withColumn("has_same_document", F.lit(False))
    sizes = told.groupBy("user_id", "stage_days").agg(F.count("*").alias("telling_peers"))
    pairs = pairs.join(sizes, on=["user_id", "stage_days"], how="left")
    return pairs.select(
        *PAIR,
        F.expr("coalesce(circle_score, 0D)").alias("circle_score"),
        F.expr(f"coalesce(circle_gain, 0D) + coalesce(telling_peers, 0) * ln({1 - settings.kept_mass!r})").alias("circle_llr"),
        F.expr("coalesce(shared_peers, 0L)").alias("shared_peers"),
        F.expr("imei_users IS NOT NULL").alias("has_same_imei"),
        "imei_users",
        F.expr("coalesce(has_same_document, false)").alias("has_same_document"),
    )


def with_old_use(pairs: DataFrame, own: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs whose old user began before the joiner and fits the re-entry definition, with old_last_on, gap_days, level_share and kind.

    Level: own events a day of the old user in the last 30 days up to ``known_on`` after the join (at the final stage days
    31-60), over its normal: own events a day in the 60 days up to the join or its last use, whichever is earlier.
    """
    final = max(settings.stages)
    use = own.select(F.col("user_id").alias("old_user_id"), "day", "own_events")
    lived = pairs.select(*PAIR).join(use, on="old_user_id", how="inner").where("day <= known_on")
    ends = lived.groupBy(*PAIR).agg(F.min("day").alias("old_first_on"), F.max("day").alias("old_last_on"))
    ends = ends.withColumn("gap_days", F.datediff("joined_on", "old_last_on")).where("old_first_on < joined_on")
    ends = ends.where(F.col("gap_days").between(settings.gap_least_days, settings.gap_most_days))
    # the normal ends where the old number began to fall silent or its successor began
    ends = ends.withColumn("normal_to", F.least(F.date_sub("joined_on", 1), "old_last_on")).withColumn(
        "normal_from", F.greatest(F.date_sub("normal_to", 59), "old_first_on")
    )
    ends = ends.withColumn("after_from", F.greatest(F.date_add("joined_on", 1), F.date_sub("known_on", 29)))
    spent = ends.join(use, on="old_user_id", how="inner").where("day <= known_on").groupBy(*ends.columns).agg(
        F.expr("sum(if(day BETWEEN normal_from AND normal_to, own_events, 0))").alias("normal_events"),
        F.expr("sum(if(day BETWEEN after_from AND known_on, own_events, 0))").alias("after_events"),
    )  # fmt: skip
    rates = spent.withColumn("normal", F.expr("normal_events / (datediff(normal_to, normal_from) + 1)")).where("normal > 0")
    rates = rates.withColumn(
        "level_share", F.expr("if(known_on > joined_on, after_events / (datediff(known_on, after_from) + 1) / normal, null)")
    )
    replaced = (
        f"WHEN level_share <= {settings.full_level} THEN 'full' WHEN level_share <= {settings.partial_level} THEN 'partial'"
    )
    kind = f"CASE WHEN stage_days < {final} THEN 'open' {replaced} END"
    fit = rates.withColumn("kind", F.expr(kind)).where("kind IS NOT NULL")
    return pairs.join(fit.select(*PAIR, "old_last_on", "gap_days", "level_share", "kind"), on=PAIR, how="inner")


def with_places(pairs: DataFrame, places: DataFrame) -> DataFrame:
    """The pairs with place_overlap: the share of the joiner's calls so far that began in cells the old user used before the join; null without cells."""
    calls = places.select("user_id", "day", "cell_id", F.col("voice_calls").alias("n"))
    new = (
        pairs.select(*PAIR)
        .join(calls, on="user_id", how="inner")
        .where("day BETWEEN joined_on AND known_on")
        .groupBy(*PAIR, "cell_id")
        .agg(F.sum("n").alias("n"))
    )
    theirs = (
        pairs.select("old_user_id", "joined_on")
        .distinct()
        .join(calls.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner")
    )
    theirs = (
        theirs.where("day < joined_on")
        .select("old_user_id", "joined_on", "cell_id")
        .distinct()
        .withColumn("was_there", F.lit(True))
    )
    known = theirs.select("old_user_id", "joined_on").distinct().withColumn("has_places", F.lit(True))
    met = new.join(theirs, on=["old_user_id", "joined_on", "cell_id"], how="left").join(
        known, on=["old_user_id", "joined_on"], how="inner"
    )
    overlap = met.groupBy(*PAIR).agg(F.expr("sum(if(was_there, n, 0)) / sum(n)").alias("place_overlap"))
    return pairs.join(overlap, on=PAIR, how="left")


def with_talk(pairs: DataFrame, edges: DataFrame) -> DataFrame:
    """The pairs with ``talked``: whether the two numbers were in touch with each other by then, as one person's hardly are (patent CN103841550B)."""
    spoke = edges.select("user_id", F.col("peer_id").alias("old_user_id"), "day")
    met = pairs.select(*PAIR).join(spoke, on=["user_id", "old_user_id"], how="inner").where("day <= known_on")
    return pairs.join(met.select(*PAIR).distinct().withColumn("talked", F.lit(True)), on=PAIR, how="left")


def with_probability(pairs: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs with ``probability``: log-odds of a chance pair plus what each evidence adds, weights in conf with their sources.

    The prior is that of one candidate among all those weighed for the joiner. Handset evidence is worth less the more users
    the handset had. A level that did not fall speaks against.
    """
    prior = f"ln({settings.prior_share}) - ln(greatest(count(*) over (partition by user_id, stage_days), 2))"
    terms = [
        prior,
        f"{settings.circle_temper} * coalesce(circle_llr, 0)",
        f"if(has_same_imei, {settings.imei_weight} - ln(imei_users), 0)",
        f"if(has_same_document, {settings.document_weight}, 0)",
        f"{settings.place_weight} * coalesce(place_overlap - {settings.place_level}, 0)",
        f"coalesce({settings.quiet_weight} * ({settings.quiet_level} - least(level_share, 1.5)), 0)",
        f"if(talked, -{settings.talk_weight}, 0)",
    ]
    scored = pairs.withColumn("log_odds", F.expr(" + ".join(f"({term})" for term in terms)))
    # what decides a rank is rounded once, so that the order of summation cannot
    return scored.withColumn("probability", F.expr("round(1 / (1 + exp(-greatest(least(log_odds, 30), -30))), 6)")).drop(
        "log_odds"
    )
