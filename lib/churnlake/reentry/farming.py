"""A dealer's own cards (养卡): activated for the commission, on a few handsets of the dealer's or from one cell, and left to run out."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.settings import ReentrySettings


def farmed(
    asked: DataFrame,
    joiners: DataFrame,
    subscribers: DataFrame,
    devices: DataFrame,
    places: DataFrame,
    settings: ReentrySettings,
) -> DataFrame:
    """One row per user asked about whose card is one of a lot of its dealer's: user_id.

    A lot: at least ``farm_cards`` cards of one dealer, joined within ``farm_days`` of each other, that ran on one handset of whose users they are
    at least ``farm_share``; or that called from one and the same cell alone and met no more than ``farm_peers`` peers by their final stage. Where
    one user swaps cards in a handset for its peers, they come from several dealers or are two; a clone's users come from everywhere.

    Args:
        asked: user_id and known_on, up to which sightings count.
        joiners: rows of reentry.joiners of the final stage, of the months around.
        subscribers: reference.subscribers.
        devices: daily.devices.
        places: daily.places.
        settings: what makes a lot.
    """
    how = settings.control
    cards = subscribers.groupBy("user_id").agg(
        F.min_by("dealer_id", "delivered_on").alias("dealer_id"),
        F.min("joined_on").alias("began_on"),
        F.min("delivered_on").alias("told_on"),
    )
    cards = cards.where("dealer_id IS NOT NULL")
    on_handset = devices.groupBy("user_id", F.col("imei_key").alias("spot")).agg(F.min("day").alias("seen_on"))
    idle = joiners.where(f"peers <= {how.farm_peers}").select("user_id", F.col("known_on").alias("seen_on"), "joined_on")
    cells = places.join(idle, on="user_id", how="inner").where("day BETWEEN joined_on AND seen_on")
    from_cell = cells.groupBy("user_id", "seen_on").agg(F.min("cell_id").alias("spot"), F.max("cell_id").alias("other"))
    from_cell = from_cell.where("spot = other").drop("other")
    lots = [_lots(asked, cards, on_handset, how.farm_share, settings), _lots(asked, cards, from_cell, 0.0, settings)]
    return lots[0].unionByName(lots[1]).distinct()


def _lots(asked: DataFrame, cards: DataFrame, seen: DataFrame, least_share: float, settings: ReentrySettings) -> DataFrame:
    """One row per user asked about that is one of a lot by where cards were seen (user_id, spot, seen_on)."""
    how = settings.control
    mine = asked.select("user_id", "known_on").join(cards, on="user_id", how="inner").join(seen, on="user_id", how="inner")
    mine = mine.where("seen_on <= known_on").select(
        "user_id", "known_on", "dealer_id", F.col("began_on").alias("mine_on"), "spot"
    )
    users = mine.select("spot", "known_on").distinct().join(seen, on="spot", how="inner").where("seen_on <= known_on")
    # a clone of thousands is no dealer's, and would meet itself in every pair
    few = users.groupBy("spot", "known_on").agg(F.count("*").alias("users")).where(f"users <= {how.farm_users_most}")
    mine = mine.join(few, on=["spot", "known_on"], how="inner")
    others = seen.join(cards, on="user_id", how="inner").withColumnRenamed("dealer_id", "other_dealer").drop("user_id")
    met = mine.join(others, on="spot", how="inner").where(
        "other_dealer = dealer_id AND seen_on <= known_on AND told_on <= known_on"
    )
    lots = met.where(f"abs(datediff(began_on, mine_on)) <= {how.farm_days}").groupBy("user_id", "spot", "users").count()
    return lots.where(f"count >= {how.farm_cards} AND count >= {least_share} * users").select("user_id")
