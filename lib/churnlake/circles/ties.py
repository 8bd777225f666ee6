"""Ties between users: the contact graph that groups are found in. Nobody in it has more than a set number of them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.circles.settings import GroupSettings


def close(signatures: DataFrame, peers: DataFrame, settings: GroupSettings) -> DataFrame:
    """The signatures without hubs: one row per month, user and peer that is in at most ``hub_users`` circles.

    A hub's own rows stay: nobody's circle holds the hub, so that no tie comes of them.
    ``peers`` is circles.peers of the same months. Hubs are few (at most all rows over ``hub_users``), and broadcast: a peer of
    millions of circles is never a key that rows are shuffled by.
    """
    hubs = peers.where(F.col("users") > settings.hub_users).select("month", "peer_id")
    return signatures.join(F.broadcast(hubs), on=["month", "peer_id"], how="left_anti")


def ties(circles: DataFrame, settings: GroupSettings) -> DataFrame:
    """One row per month and pair of users each among the other's ``ties_kept`` strongest: user_id < other_id, strength (the lesser).

    Both must be active users of the month, for only they have a signature: off-net peers and silent users have no ties.
    """
    near = circles.where(F.col("place") <= settings.ties_kept)
    pair = (F.least("user_id", "peer_id").alias("user_id"), F.greatest("user_id", "peer_id").alias("other_id"))
    # the pair is the key, so that rows spread evenly whoever is in it
    met = near.groupBy("month", *pair).agg(F.count("*").alias("sides"), F.min("strength").alias("strength"))
    return met.where("sides = 2").drop("sides")


def reach(circles: DataFrame) -> DataFrame:
    """One row per month and user: reach (peers in its circle) and reach_off_net (those of them who are no active users of ours)."""
    own = circles.select("month", F.col("user_id").alias("peer_id"), F.lit(True).alias("is_own")).distinct()
    known = circles.join(own, on=["month", "peer_id"], how="left")
    return known.groupBy("month", "user_id").agg(
        F.count("*").alias("reach"), F.expr("count_if(is_own is null)").alias("reach_off_net")
    )
