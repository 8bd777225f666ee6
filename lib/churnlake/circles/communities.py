"""Communities by label propagation, the same whatever the order and partitioning of rows.

After Raghavan, Albert and Kumara (2007): everybody takes the label that most of its neighbours have, again and again. In
GraphFrames' own labelPropagation equal votes fall as rows happen to lie, labels do not weigh by strength, and as all move at once
two sides of a graph may swap labels for ever. Here votes are whole numbers, who moves in a round is told by a hash (half of the
users, as if they moved one after the other), who has one of the winning labels keeps it, and else the smaller label wins.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def communities(ties: DataFrame, rounds: int, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per vertex that has a tie: ``id``, ``label`` (the id of one of its community).

    A round joins each moving vertex's ties with labels and adds them up: linear in ties. Two vertices of one label need not hang
    together in the end; components of the ties between equal labels do.

    Args:
        ties: one row per tie and direction: src, dst, strength (whole numbers). Ids should be hashes: the smaller label wins.
        rounds: half of the vertices may move in each, all of them in the first.
        checkpoint: materialises a frame and cuts its lineage.
    """
    labels = checkpoint(ties.select(F.col("src").alias("id"), F.col("src").alias("label")).distinct())
    for at in range(rounds):
        told = labels.select(F.col("id").alias("dst"), "label")
        votes = ties.where(_moves("src", at)).join(told, on="dst", how="inner").select("src", "label", "strength")
        # a vote of nothing is the vertex's own: who does not move has no other, and among equals it keeps its label
        own = labels.select(F.col("id").alias("src"), "label", F.lit(0).cast("bigint").alias("strength"))
        sums = (F.sum("strength").alias("strength"), (F.min("strength") == 0).alias("is_own"))
        counted = votes.unionByName(own).groupBy("src", "label").agg(*sums)
        best = F.struct("strength", "is_own", F.bitwise_not("label"))
        labels = checkpoint(counted.groupBy(F.col("src").alias("id")).agg(F.max_by("label", best).alias("label")))
    return labels


def _moves(name: str, at: int) -> Column:
    """Whether the vertex may move in this round."""
    return F.lit(True) if at == 0 else F.pmod(F.xxhash64(F.col(name), F.lit(at)), F.lit(2)) == 0
