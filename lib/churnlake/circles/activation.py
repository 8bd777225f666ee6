"""How much of the energy of those who went reaches a user: spreading activation over the ties of circles."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.circles.settings import GroupSettings

UNIT = 1_000_000_000
"""Energy of one who went, in whole numbers: sums of doubles would depend on their order."""


def with_parts(ties: DataFrame) -> DataFrame:
    """The ties (of, user_id, peer_id, strength and more) with ``part``: their share of the strength of all ties of the peer."""
    given = ties.groupBy("of", "peer_id").agg(F.sum("strength").alias("given"))
    return ties.join(given, on=["of", "peer_id"], how="inner").withColumn("part", F.expr("strength / given")).drop("given")


def activation(ties: DataFrame, settings: GroupSettings, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per month and user reached: of, user_id, ``activation`` (1: all the energy of one who went).

    Who went passes all of its energy to the users whose circle it is in, each by the strength of the tie; they keep a part and pass
    ``activation_passed`` of it on in the same way, for ``activation_rounds`` rounds in all, and what is then under way stays where it
    is. So friends of friends count too, and a leaver's best friend more than one of forty. Method: Dasgupta et al. 2008, "Social ties
    and their relevance to churn in mobile telecom networks" (spread factor 0.72).

    Args:
        ties: one row per of, user_id and peer_id: ``part`` of the peer's ties (``with_parts``), has_gone (the peer); materialised.
        settings: rounds and the part passed on.
        checkpoint: materialises a frame and cuts its lineage.
    """
    parts = ties.select("of", "user_id", "peer_id", "part")
    energy = ties.where("has_gone").select("of", "peer_id").distinct().withColumn("energy", F.lit(UNIT))
    kept = []
    for turn in range(settings.activation_rounds):
        passed = F.expr("cast(energy * part as bigint)")
        came = checkpoint(
            parts.join(energy, on=["of", "peer_id"], how="inner").groupBy("of", "user_id").agg(F.sum(passed).alias("energy"))
        )
        is_last = turn == settings.activation_rounds - 1
        kept.append(
            came.withColumn("energy", F.expr(f"energy - {_moved('energy', 0.0 if is_last else settings.activation_passed)}"))
        )
        energy = came.select(
            "of", F.col("user_id").alias("peer_id"), F.expr(_moved("energy", settings.activation_passed)).alias("energy")
        ).where("energy > 0")
    return reduce(DataFrame.unionByName, kept).groupBy("of", "user_id").agg(F.expr(f"sum(energy) / {UNIT}").alias("activation"))


def _moved(energy: str, part: float) -> str:
    return f"cast({energy} * {part!r}D as bigint)"
