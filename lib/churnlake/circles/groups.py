"""Groups of linked users: the only place that uses GraphFrames."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def persons(pairs: DataFrame, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per user that is linked to another: ``user_id``, ``person_id`` (smallest user of the group), ``numbers``.

    ``pairs`` holds one row per link, ``user_id`` and ``old_user_id``. Connected components by GraphFrames on the linked
    users only; both frames are materialised first (wrong components are on record when they are not).
    """
    from graphframes import GraphFrame

    links = checkpoint(pairs.select(F.col("user_id").alias("src"), F.col("old_user_id").alias("dst")).distinct())
    users = checkpoint(links.select(F.col("src").alias("id")).union(links.select("dst")).distinct())
    if users.isEmpty():
        return users.select(
            F.col("id").alias("user_id"), F.col("id").alias("person_id"), F.lit(0).cast("bigint").alias("numbers")
        )
    components = GraphFrame(users, links).connectedComponents(algorithm="graphx")
    # the component's own id is any of its vertices: name the person by the smallest
    named = components.groupBy("component").agg(
        F.min("id").alias("person_id"), F.count("*").alias("numbers"), F.collect_list("id").alias("ids")
    )
    found = checkpoint(named.select(F.explode("ids").alias("user_id"), "person_id", "numbers"))
    components.unpersist()
    return found
