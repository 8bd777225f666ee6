"""Old users that a joiner could be: by contact circle, by handset, by document."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.frames import only
from churnlake.reentry import renumbered
from churnlake.reentry.settings import ReentrySettings

UNIT = ["user_id", "stage_days", "joined_on", "known_on"]
"""What names one question: this joiner, asked at this stage."""
PAIR = [*UNIT, "old_user_id"]
"""What names one pair: this joiner at this stage, and this old user."""
AS_OF = "cast(if(known_on = last_day(known_on), trunc(known_on, 'MM'), add_months(trunc(known_on, 'MM'), -1)) as date)"
"""SQL of the newest month complete by ``known_on``: its circles are those known then."""


def telling(met: DataFrame, peers: DataFrame, settings: ReentrySettings, linked: DataFrame | None = None) -> DataFrame:
    """One row per joiner, stage and peer that tells something: the joiner's circle without hubs, with ``as_of`` and what the city knows of the peer.

    ``as_of`` is the newest month complete by ``known_on``; ``peer_users`` and ``city`` (its share of all contacts) are of the newest month
    by then that anything is known of, and null for a peer not in any circle of it. Peers in more than ``hub_users`` circles are left out. Of what is left
    ``new_place`` is each one's place, and of the whole ``reach`` (length of its weights), ``peers`` and ``all_contacts``. Peers who are
    ``linked`` (renumbered.links) to a number of before count as that.
    """
    asked = met.withColumn("as_of", F.expr(AS_OF))
    known = asked.select("as_of").distinct().join(peers.select("month").distinct(), on=F.expr("month <= as_of"), how="inner")
    newest_known = F.broadcast(known.groupBy("as_of").agg(F.max("month").alias("month")))
    common = peers.join(newest_known, on="month", how="inner")
    whole_city = F.broadcast(common.groupBy("as_of").agg(F.sum("strength").alias("whole")))
    share = F.expr("cast(strength as double) / whole").alias("city")
    common = only(common, renumbered.asked_for(asked, linked))
    common = common.join(whole_city, on="as_of", how="inner").select(
        "as_of", "peer_id", F.col("users").alias("peer_users"), share
    )
    if linked is not None:
        of_asked = [*UNIT, "as_of", "peer_id"]
        asked = (
            renumbered.as_one(asked, linked)
            .groupBy(*of_asked)
            .agg(F.sum("contacts").alias("contacts"), F.max("is_told").alias("is_told"))
        )
        asked = asked.where("peer_id <> user_id")
        merged = renumbered.as_one(common, linked).groupBy("as_of", "peer_id")
        common = merged.agg(F.max("peer_users").alias("peer_users"), F.sum("city").alias("city"))
    told = asked.join(common, on=["as_of", "peer_id"], how="left")
    whole = Window.partitionBy(*UNIT)
    return told.where(f"peer_users IS NULL OR peer_users <= {settings.hub_users}").withColumns(
        {
            "reach": F.sqrt(F.sum(F.sqrt("contacts")).over(whole)),
            "peers": F.count("*").over(whole),
            "all_contacts": F.sum("contacts").over(whole),
            "new_place": F.row_number().over(whole.orderBy(F.desc("contacts"), "peer_id")),
        }
    )


def by_circle(told: DataFrame, old: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner, stage and old user with a shared peer, the best ``candidates_kept`` by ``circle_score``.

    Who is less than ``candidates_least`` times as like as the most like is not among them.

    Args:
        told: the joiners' peers (``telling``).
        old: the old users' circles (``newest``).
        settings: limits and the smoothing.
    """
    shared = told.join(only(old, told.select("peer_id")), on=["as_of", "peer_id"], how="inner")
    shared = shared.where("old_user_id <> user_id AND peer_id <> old_user_id")
    scored = shared.groupBy(*PAIR).agg(F.expr(circle_score(settings)).alias("circle_score"))
    best = Window.partitionBy(*UNIT).orderBy(F.desc("circle_score"), "old_user_id")
    ranked = scored.withColumns({"turn": F.row_number().over(best), "most": F.first("circle_score").over(best)})
    near = f"turn <= {settings.candidates_kept} AND circle_score >= {settings.candidates_least!r} * most"
    return ranked.where(near).drop("turn", "most")


def circle_score(settings: ReentrySettings) -> str:
    """SQL of the likeness of two circles, summed over the peers in both.

    The query likelihood of the joiner's contacts under the old circle, smoothed by the city's (Zhai and Lafferty 2001), as a log
    ratio over the city alone: sum of w ln(1 + k/(1-k) p_old / p_city), with w the fourth root of the contacts (of raw counts one
    tie decides), over the length of w of the joiner's whole circle: so that who has met many is not surer for that.
    """
    kept = settings.kept_mass / (1 - settings.kept_mass)
    # a peer too rare to have a share in this month's city is as rare as the old user's own tie makes it
    return f"round(sum(pow(contacts, 0.25D) * ln(1 + {kept!r} * share / coalesce(city, share)) / reach), 6)"


def newest(
    signatures: DataFrame,
    told: DataFrame,
    settings: ReentrySettings,
    linked: DataFrame | None = None,
    also: DataFrame | None = None,
) -> DataFrame:
    """One row per month-end (``as_of``) that is asked for, user (``old_user_id``) and peer of its newest circle by then: share, strength, place.

    A circle is repeated for every month-end at which it is its user's newest, as long as the user can still matter. Peers ``linked`` to a
    number of before count as that; then only circles that can share a peer with those of ``told`` are there, and those of
    users (``user_id``) who are asked for ``also``.
    """
    reach = (settings.gap_most_days + max(settings.stages)) // 30
    if linked is not None:
        some = only(signatures, renumbered.asked_for(told, linked)).select("user_id")
        signatures = only(signatures, some if also is None else some.union(also.select("user_id")))
    # a circle has one strongest peer
    months = signatures.where("place = 1").select("user_id", "month")
    in_reach = F.expr(f"month <= as_of AND as_of <= add_months(month, {reach})")
    asked = months.join(F.broadcast(told.select("as_of").distinct()), on=in_reach, how="inner")
    valid = asked.groupBy("user_id", "as_of").agg(F.max("month").alias("month"))
    circles = signatures.select("user_id", "month", "peer_id", "share", "strength", "place")
    found = circles.join(valid, on=["user_id", "month"], how="inner").drop("month").withColumnRenamed("user_id", "old_user_id")
    if linked is None:
        return found
    merged = renumbered.as_one(found, linked).groupBy("as_of", "old_user_id", "peer_id")
    sums = merged.agg(F.sum("share").alias("share"), F.sum("strength").alias("strength")).where("peer_id <> old_user_id")
    order = Window.partitionBy("as_of", "old_user_id").orderBy(F.desc("strength"), "peer_id")
    return sums.withColumn("place", F.row_number().over(order))


def by_handset(due: DataFrame, devices: DataFrame, places: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner, stage and old user that ran on one of the joiner's handsets before: imei_users.

    Handsets that more than ``imei_users_most`` users were seen on are left out: clones, all-zero series, shop phones; and those that two
    users are seen on at one time in different places (``_in_two_places``): two handsets of one identity.
    """
    seen = due.join(devices.select("user_id", "day", "imei_key"), on="user_id", how="inner").where(
        "day >= joined_on AND day <= known_on"
    )
    new = seen.groupBy(*UNIT, "imei_key").agg(F.min("day").alias("new_from"))
    old = devices.select(F.col("user_id").alias("old_user_id"), "imei_key", "day").distinct()
    met = (
        new.join(old, on="imei_key", how="inner")
        .where("day <= known_on")
        .withColumn("is_before", F.expr("old_user_id <> user_id AND day <= new_from"))
    )
    per_user = met.groupBy(*PAIR, "imei_key").agg(F.max("is_before").alias("was_before"))
    counted = per_user.withColumn("imei_users", F.count("*").over(Window.partitionBy(*UNIT, "imei_key")))
    fit = counted.where(f"was_before AND imei_users <= {settings.imei_users_most}")
    mine = seen.select(*UNIT, "imei_key", "day").distinct()
    fit = fit.join(_in_two_places(fit, mine, old, places, settings), on=[*PAIR, "imei_key"], how="left_anti")
    return fit.groupBy(*PAIR).agg(F.min("imei_users").alias("imei_users"))


def _in_two_places(fit: DataFrame, mine: DataFrame, old: DataFrame, places: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner, stage, handset and old user who were both on it on ``imei_conflict_days`` or more, and on none of them in a cell of the other's.

    One person who changes SIM cards in one handset is in one place; a day is too long to tell by one, or two, of them.

    Args:
        fit: joiner, stage, handset and old user.
        mine: days on which the joiner was on the handset.
        old: days on which others were.
        places: daily places; without any nobody is in two.
        settings: limits.
    """
    both = fit.select(*PAIR, "imei_key").join(mine, on=[*UNIT, "imei_key"], how="inner")
    both = both.join(old, on=["imei_key", "old_user_id", "day"], how="inner")
    asked = both.select("user_id", "day").union(both.select("old_user_id", "day"))
    cells = only(places, asked).groupBy("user_id", "day")
    new_cells = cells.agg(F.collect_set("cell_id").alias("new_cells"))
    old_cells = new_cells.withColumnsRenamed({"user_id": "old_user_id", "new_cells": "old_cells"})
    placed = both.join(new_cells, on=["user_id", "day"], how="inner").join(old_cells, on=["old_user_id", "day"], how="inner")
    met = placed.groupBy(*PAIR, "imei_key").agg(
        F.count("*").alias("days"), F.expr("max(arrays_overlap(new_cells, old_cells))").alias("is_together")
    )
    return met.where(f"days >= {settings.imei_conflict_days} AND NOT is_together").select(*PAIR, "imei_key")


def by_document(due: DataFrame, subscribers: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner, stage and older user with the same identity document. Documents of many users (firms, dealers) are left out."""
    papers = (
        subscribers.where("document_key IS NOT NULL")
        .groupBy("user_id", "document_key")
        .agg(F.min("delivered_on").alias("told_on"), F.min("joined_on").alias("paper_on"))
    )
    new = due.join(papers.drop("paper_on"), on="user_id", how="inner").where("told_on <= known_on").drop("told_on")
    old = papers.select(
        F.col("user_id").alias("old_user_id"), "document_key", "told_on", F.col("paper_on").alias("old_joined_on")
    )
    met = new.join(old, on="document_key", how="inner").where("told_on <= known_on")
    counted = met.withColumn("holders", F.count("*").over(Window.partitionBy(*UNIT, "document_key")))
    fit = counted.where(f"holders <= {settings.document_users_most} AND old_user_id <> user_id AND old_joined_on <= joined_on")
    return fit.select(*PAIR).distinct().withColumn("has_same_document", F.lit(True))
