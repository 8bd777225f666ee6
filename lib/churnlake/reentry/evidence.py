"""What speaks for and against each candidate, and the probability it adds up to."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.frames import only
from churnlake.reentry import candidates, renumbered
from churnlake.reentry.candidates import PAIR, UNIT
from churnlake.reentry.settings import ReentrySettings

ASKED = ["user_id", "stage_days"]
TOP = 3
"""Strongest peers of a circle."""


def gather(circle: DataFrame, handset: DataFrame, document: DataFrame | None) -> DataFrame:
    """One row per joiner, stage and candidate found by any of the three, with what handset and document say."""
    frames = [circle.select(*PAIR), handset] if document is None else [circle.select(*PAIR), handset, document]
    pairs = reduce(lambda left, right: left.join(right, on=PAIR, how="full"), frames)
    if document is None:
        pairs = pairs.withColumn("has_same_document", F.lit(False))
    return pairs.select(
        *PAIR,
        F.expr("imei_users IS NOT NULL").alias("has_same_imei"),
        "imei_users",
        F.expr("coalesce(has_same_document, false)").alias("has_same_document"),
    )


def with_likeness(pairs: DataFrame, told: DataFrame, old: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs with how like their circles are: circle_score, hellinger, new_found, old_found, top_found, ties_apart, shared_peers, announced, old_peers.

    ``told`` are the joiners' peers (candidates.telling), ``old`` the old circles (candidates.newest). ``hellinger`` is the sum of
    sqrt(p_new p_old) over the peers in both (Hill et al. 2006), ``new_found`` the share of the joiner's peers in the old circle,
    ``old_found`` the share of the old circle, by strength, found again, ``top_found`` that of the three strongest of either circle found in
    the other. ``ties_apart``: the sum of squares by which the ties to those
    in both differ in log strength beyond a common factor, each by how surely it is told from counts: friends of two people are not
    as close to the one as to the other.
    """
    asked = pairs.select(*PAIR).withColumn("as_of", F.expr(candidates.AS_OF))
    theirs = old.join(asked.select("as_of", "old_user_id").distinct(), on=["as_of", "old_user_id"], how="left_semi")
    sizes = theirs.groupBy("as_of", "old_user_id").agg(F.count("*").alias("old_peers"))
    mine = told.join(asked.drop("as_of"), on=UNIT, how="inner").where("peer_id <> old_user_id")
    shared = mine.join(theirs, on=["as_of", "old_user_id", "peer_id"], how="inner").withColumns(
        {
            "apart": F.expr("ln(contacts + 0.5D) - ln(strength / 1000D + 0.5D)"),
            # of a count n the log is told to about 1 / (n + 1/2); 0.1: nobody meets a friend at the same rate for ever
            "sure": F.expr("1 / (1 / (contacts + 0.5D) + 1 / (strength / 1000D + 0.5D) + 0.1D)"),
        }
    )
    likeness = shared.groupBy(*PAIR).agg(
        F.expr(candidates.circle_score(settings)).alias("circle_score"),
        F.expr("round(sum(sqrt(share * contacts / all_contacts)), 6)").alias("hellinger"),
        F.expr("round(count(*) / any_value(peers), 6)").alias("new_found"),
        F.expr("round(least(sum(share), 1D), 6)").alias("old_found"),
        F.expr("round(greatest(sum(sure * apart * apart) - pow(sum(sure * apart), 2) / sum(sure), 0D), 6)").alias("ties_apart"),
        F.count("*").alias("shared_peers"),
        F.expr("count_if(is_told)").alias("announced"),
        F.expr(f"count_if(new_place <= {TOP}) + count_if(place <= {TOP})").alias("tops"),
        F.expr(f"least(any_value(peers), {TOP})").alias("most_tops"),
    )
    known = asked.join(sizes, on=["as_of", "old_user_id"], how="left").select(*PAIR, "old_peers")
    joined = pairs.join(known, on=PAIR, how="left").join(likeness, on=PAIR, how="left")
    filled = joined.na.fill(0, subset=[*[c for c in likeness.columns if c not in PAIR], "old_peers"])
    found = f"round(tops / greatest(most_tops + least(old_peers, {TOP}), 1), 6)"
    return filled.withColumn("top_found", F.expr(found)).drop("tops", "most_tops")


def with_old_use(pairs: DataFrame, own: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs whose old user began before the joiner, in the gap of a re-entry, with old_last_on, gap_days, level_share and kind.

    Level: own events a day of the old user in the last 30 days up to ``known_on`` after the join (at the final stage days
    31-60), over its normal: own events a day in the 60 days up to the join or its last use, whichever is earlier. ``kept``: the old
    number is used on as before; a second number then, or somebody else. That is said only of a level above ``partial_level`` by more than
    ``level_deviations`` of what chance makes of so many events: a number of three events a month is not told apart by them.
    """
    final = max(settings.stages)
    use = own.select(F.col("user_id").alias("old_user_id"), "day", "own_events")
    use = only(use, pairs.select("old_user_id"))
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
    # the log of a count is told to about 1 / sqrt(count + 1/2)
    by_chance = f"{settings.level_deviations!r} * sqrt(1 / (after_events + 0.5D) + 1 / (normal_events + 0.5D))"
    is_partial = f"level_share <= {settings.partial_level} OR ln(level_share / {settings.partial_level}) <= {by_chance}"
    replaced = f"WHEN level_share <= {settings.full_level} THEN 'full' WHEN {is_partial} THEN 'partial'"
    fit = rates.withColumn("kind", F.expr(f"CASE WHEN stage_days < {final} THEN 'open' {replaced} ELSE 'kept' END"))
    return pairs.join(fit.select(*PAIR, "old_last_on", "gap_days", "level_share", "kind"), on=PAIR, how="inner")


def likely(pairs: DataFrame, settings: ReentrySettings) -> DataFrame:
    """The pairs (``with_likeness`` of those that fit) without those of a joiner that has one far more like it.

    Left out is who is less than ``likely_least`` times as like as the most like that it could be, unless handset or document point to it.
    Old numbers that are ``kept`` stay: they show how like each other the circles of two people are.
    """
    most = F.max(F.expr("if(kind = 'kept', null, circle_score)")).over(Window.partitionBy(*UNIT))
    stays = f"kind = 'kept' OR has_same_imei OR has_same_document OR circle_score >= {settings.likely_least!r} * most"
    return pairs.withColumn("most", most).where(stays).drop("most")


def moved_together(pairs: DataFrame, met: DataFrame, old: DataFrame, new: DataFrame, own: DataFrame) -> DataFrame:
    """One row per joiner and stage that was moved to another number together with its circle, as where a firm's numbers are all changed: user_id, stage_days.

    Somebody it meets began on the day it did itself, and somebody in the circle of a number that it could have had fell silent on that
    number's own last day, both known by then. Person, circle and handset are the same, and yet nobody left. Two alone may have gone over
    together of their own will: three at least make a firm.

    Args:
        pairs: candidates that fit (``with_old_use``).
        met: the joiners' circles (joiners.circles).
        old: the old circles (candidates.newest).
        new: all joiners (joiners.began).
        own: one row per user and day with an own event.
    """
    began = new.select(F.col("user_id").alias("peer_id"), "joined_on")
    with_others = met.join(began, on=["peer_id", "joined_on"], how="left_semi").select(*UNIT).distinct()
    ended = pairs.where("kind <> 'kept' AND gap_days >= 0").join(with_others, on=UNIT, how="left_semi")
    ended = ended.select(*PAIR, "old_last_on").withColumn("as_of", F.expr(candidates.AS_OF))
    beside = ended.join(old.select("as_of", "old_user_id", "peer_id"), on=["as_of", "old_user_id"], how="inner")
    use = own.select(F.col("user_id").alias("peer_id"), "day")
    used = beside.join(use, on="peer_id", how="inner").where("day >= old_last_on AND day <= known_on")
    last = used.groupBy(*PAIR, "old_last_on", "peer_id").agg(F.max("day").alias("last_on")).where("last_on = old_last_on")
    moved = last.select("user_id", "stage_days").distinct()
    theirs = moved.withColumnRenamed("user_id", "peer_id")
    ties = met.join(moved, on=ASKED, how="left_semi").join(theirs, on=["peer_id", "stage_days"], how="left_semi")
    between = ties.groupBy(*ASKED).agg(F.collect_set("peer_id").alias("others")).where("size(others) >= 2")
    return between.select("stage_days", F.explode(F.array_union("others", F.array("user_id"))).alias("user_id")).distinct()


def with_talk(pairs: DataFrame, told: DataFrame, edges: DataFrame, linked: DataFrame | None = None) -> DataFrame:
    """The pairs with ``talked`` and ``still_met``, of what was known by then.

    ``talked``: the two numbers were in touch with each other, as one person's hardly are (patent CN103841550B). ``still_met``:
    the share of the peers in both circles who were in touch with the old number after the join: friends of one person go over
    to its new number, friends of two meet both. ``told`` are the joiners' peers (candidates.telling), those ``linked`` to a number
    of before under that.
    """
    spoke = only(edges, pairs.select("user_id")).select("user_id", F.col("peer_id").alias("old_user_id"), "day")
    met = pairs.select(*PAIR).join(spoke, on=["user_id", "old_user_id"], how="inner").where("day <= known_on")
    talked = met.select(*PAIR).distinct().withColumn("talked", F.lit(True))
    # days, old users and peers asked for: a fraction of a city's edges is moved
    days = pairs.select("joined_on", "known_on").distinct().selectExpr("explode(sequence(joined_on, known_on)) as day")
    theirs = only(edges.select(F.col("user_id").alias("old_user_id"), "peer_id", "day"), days)
    theirs = only(only(theirs, pairs.select("old_user_id")), renumbered.asked_for(told, linked))
    after = pairs.select(*PAIR).join(theirs, on="old_user_id", how="inner").where("day > joined_on AND day <= known_on")
    if linked is not None:
        after = renumbered.as_one(after.withColumn("as_of", F.expr(candidates.AS_OF)), linked)
    still = after.join(told.select(*UNIT, "peer_id"), on=[*UNIT, "peer_id"], how="left_semi")
    counted = still.groupBy(*PAIR).agg(F.count_distinct("peer_id").alias("met_after"))
    joined = pairs.join(talked, on=PAIR, how="left").join(counted, on=PAIR, how="left")
    return joined.withColumns(
        {
            "talked": F.expr("coalesce(talked, false)"),
            "still_met": F.expr("round(least(coalesce(met_after, 0) / greatest(shared_peers, 1), 1D), 6)"),
        }
    ).drop("met_after")
