"""Groups of linked users: the only place that uses GraphFrames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.circles.communities import communities
from churnlake.circles.settings import GroupSettings

if TYPE_CHECKING:
    from graphframes import GraphFrame

Checkpoint = Callable[[DataFrame], DataFrame]
PLACES = 9
"""Decimals of a PageRank that decide a place: sums of doubles may differ beyond them."""

VOTES = "strength * (1 + size(array_intersect(src_friends, dst_friends)))"
"""Votes of a tie: its strength for the tie itself and for each shared friend. Ties within a circle overlap, those between circles do
not (Onnela et al. 2007); with strength alone a label may run through the bridges and take in most of a city."""


def persons(pairs: DataFrame, checkpoint: Checkpoint) -> DataFrame:
    """One row per user that is linked to another: ``user_id``, ``person_id`` (smallest user of the group), ``numbers``.

    ``pairs`` holds one row per link, ``user_id`` and ``old_user_id``. Connected components by GraphFrames on the linked
    users only; both frames are materialised first (wrong components are on record when they are not).
    """
    links = checkpoint(pairs.select(F.col("user_id").alias("src"), F.col("old_user_id").alias("dst")).distinct())
    users = checkpoint(links.select(F.col("src").alias("id")).union(links.select("dst")).distinct())
    if users.isEmpty():
        return users.select(
            F.col("id").alias("user_id"), F.col("id").alias("person_id"), F.lit(0).cast("bigint").alias("numbers")
        )
    named = _components(_graph(users, links), checkpoint)
    return named.select(F.col("id").alias("user_id"), F.col("first").alias("person_id"), F.col("size").alias("numbers"))


@dataclass(frozen=True)
class Groups:
    """``groups``: one row per month and group. ``members``: one row per month and user in a group."""

    groups: DataFrame
    members: DataFrame


def groups(ties: DataFrame, reach: DataFrame, settings: GroupSettings, checkpoint: Checkpoint) -> Groups:
    """The communities of each month's graph of ties, measured, their members ranked.

    Label propagation (``communities``) by strength and shared friends of ties, then the connected components of ties between
    equal labels: propagation may leave a label on two parts that do not hang together. PageRank, triangles and degree are of the
    ties within a group. All months are one graph: a vertex is a hash of month and user.

    Args:
        ties: one row per month and pair: user_id, other_id, strength (``ties.ties``).
        reach: one row per month and user: reach, reach_off_net (``ties.reach``).
        settings: rounds, sizes, seeds.
        checkpoint: materialises a frame and cuts its lineage.
    """
    ends = (F.xxhash64("month", "user_id").alias("src"), F.xxhash64("month", "other_id").alias("dst"))
    pairs = checkpoint(ties.select("month", "user_id", "other_id", *ends, "strength"))
    around = _both_ways(pairs.select("src", "dst")).groupBy(F.col("src").alias("id")).agg(F.collect_list("dst").alias("friends"))
    around = checkpoint(around)
    votes = _named(pairs, around, "friends").withColumn("strength", F.expr(VOTES)).select("src", "dst", "strength")
    labels = communities(checkpoint(_both_ways(votes)), settings.rounds, checkpoint)
    inside = checkpoint(_named(pairs, labels, "label").where("src_label = dst_label").select("src", "dst", "strength"))
    vertices = checkpoint(_both_ways(inside).select(F.col("src").alias("id")).distinct())
    measured = _measured(vertices, inside, settings, checkpoint)
    users = pairs.select("month", "user_id", F.col("src").alias("id")).union(pairs.select("month", "other_id", "dst")).distinct()
    tied = around.select("id", F.size("friends").alias("ties"))
    known = (
        users.join(measured.where(F.col("users") >= settings.least_users), on="id", how="inner")
        .join(tied, on="id", how="inner")
        .join(reach, on=["month", "user_id"], how="inner")
    )
    return _placed(checkpoint(known), settings)


def _graph(vertices: DataFrame, edges: DataFrame) -> GraphFrame:
    from graphframes import GraphFrame

    return GraphFrame(vertices, edges)


def _components(graph: GraphFrame, checkpoint: Checkpoint) -> DataFrame:
    """One row per vertex: id, first (smallest id of its component), size."""
    components = graph.connectedComponents(algorithm="graphx")
    # the component's own id is any of its vertices: name it by the smallest
    named = components.groupBy("component").agg(F.min("id").alias("first"), F.count("*").alias("size"))
    found = checkpoint(components.select("id", "component").join(named, on="component", how="inner").drop("component"))
    components.unpersist()
    return found


def _both_ways(edges: DataFrame) -> DataFrame:
    """One row per edge and direction; from one reading of the edges, so that both lie side by side and tasks are alike."""
    others = [name for name in edges.columns if name not in ("src", "dst")]
    there = F.struct("src", "dst", *others)
    back = F.struct(F.col("dst").alias("src"), F.col("src").alias("dst"), *others)
    return edges.select(F.inline(F.array(there, back)))


def _named(pairs: DataFrame, labels: DataFrame, name: str) -> DataFrame:
    """The pairs with what is known of both of their ends: src_name, dst_name."""
    for end in ("src", "dst"):
        pairs = pairs.join(labels.select(F.col("id").alias(end), F.col(name).alias(f"{end}_{name}")), on=end, how="inner")
    return pairs


def _measured(vertices: DataFrame, inside: DataFrame, settings: GroupSettings, checkpoint: Checkpoint) -> DataFrame:
    """One row per vertex with a tie inside its group: id, first, users, degree, triangles, strength, pagerank."""
    if vertices.isEmpty():
        zeros = ("users", "degree", "triangles", "strength")
        return vertices.select(
            "id", F.col("id").alias("first"), *[F.lit(0).alias(name) for name in zeros], F.lit(0.0).alias("pagerank")
        )
    graph = _graph(vertices, inside)
    named = _components(graph, checkpoint).withColumnRenamed("size", "users")
    met = (
        _both_ways(inside)
        .groupBy(F.col("src").alias("id"))
        .agg(F.count("*").alias("degree"), F.sum("strength").alias("strength"))
    )
    threes = graph.triangleCount()
    ranks = _graph(vertices, checkpoint(_both_ways(inside.select("src", "dst")))).pageRank(
        resetProbability=settings.rank_reset, maxIter=settings.rank_rounds
    )
    found = checkpoint(
        named.join(met, on="id", how="inner")
        .join(threes.select("id", F.col("count").alias("triangles")), on="id", how="inner")
        .join(ranks.vertices.select("id", "pagerank"), on="id", how="inner")
        # ranks of a part that nothing leaves sum up to its vertices
        .withColumn("pagerank", F.col("pagerank") / F.col("users"))
    )
    threes.unpersist()
    ranks.unpersist()
    return found


def _placed(known: DataFrame, settings: GroupSettings) -> Groups:
    group = Window.partitionBy("month", "first")
    order = group.orderBy(F.desc(F.round("pagerank", PLACES)), F.desc("degree"), "user_id")
    placed = known.withColumn("place", F.row_number().over(order)).withColumn("ties_out", F.col("ties") - F.col("degree"))
    placed = placed.withColumn("is_seed", F.expr(f"place <= ceil(users / {settings.users_per_seed})"))
    whole = placed.groupBy("month", "first").agg(
        F.count("*").alias("users"),
        F.expr("sum(degree) div 2").alias("ties"),
        F.expr("sum(triangles) div 3").alias("triangles"),
        F.expr("sum(strength) div 2").alias("strength"),
        F.sum("ties_out").alias("ties_out"),
        F.count_if("is_seed").alias("seeds"),
        F.min("user_id").alias("smallest"),
    )
    number = F.row_number().over(Window.partitionBy("month").orderBy(F.desc("users"), "smallest"))
    numbered = whole.withColumn("group_id", number.cast("bigint")).withColumn(
        "density", F.expr("2D * ties / (users * (users - 1))")
    )
    return Groups(
        numbered.drop("first", "smallest"),
        placed.join(numbered.select("month", "first", "group_id"), on=["month", "first"], how="inner"),
    )
