"""How even the work of finding candidates is: who is compared with whom for a peer, a handset or a document in common.

A block is what two share; a joiner in it is compared with each old user in it. One block that is in everybody's circle would be most of the work
and no evidence: such blocks are left out (settings.hub_users and so on). What is left can be seen here, the worst first.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.reentry import candidates, joiners
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES
from churnlake.tables.reference import SUBSCRIBERS

EVERYBODY = 2**31 - 1
TOLD = 5
"""Blocks told of each kind, of those used and of those left out."""


def blocks(due: DataFrame, tables: Mapping[Table, DataFrame], settings: ReentrySettings) -> DataFrame:
    """One row per kind of block (peer, handset, document), block and month-end asked at: joiners, old_users, comparisons, ``is_left_out``.

    Args:
        due: joiners of one stage (joiners.at_stages).
        tables: as for weighing.weigh, without places.
        settings: limits.
    """
    met = joiners.circles(due, tables[EDGES])
    unlimited = settings.model_copy(update={"hub_users": EVERYBODY})
    told = candidates.telling(met, tables[PEERS], unlimited)
    olds = candidates.newest(tables[SIGNATURES], told, settings).groupBy("as_of", "peer_id").agg(F.count("*").alias("old_users"))
    by_peer = told.groupBy("as_of", "peer_id").agg(F.count("*").alias("joiners"), F.max("peer_users").alias("users"))
    peers = by_peer.join(olds, on=["as_of", "peer_id"], how="inner").selectExpr(
        "'peer' as kind",
        "as_of",
        "peer_id as block",
        "joiners",
        "old_users",
        f"coalesce(users > {settings.hub_users}, false) as is_left_out",
    )
    asked = due.withColumn("as_of", F.expr(candidates.AS_OF)).select("user_id", "as_of")
    seen = tables[DEVICES].select("user_id", F.col("imei_key").alias("block")).distinct()
    found = peers.unionByName(_held(asked, seen, "handset", settings.imei_users_most))
    if SUBSCRIBERS in tables:
        papers = (
            tables[SUBSCRIBERS]
            .where("document_key IS NOT NULL")
            .select("user_id", F.col("document_key").alias("block"))
            .distinct()
        )
        found = found.unionByName(_held(asked, papers, "document", settings.document_users_most))
    return found.withColumn("comparisons", F.expr("joiners * old_users"))


def _held(asked: DataFrame, held: DataFrame, kind: str, most: int) -> DataFrame:
    """The blocks of what users are seen with: each joiner of it beside all its other users."""
    users = held.groupBy("block").agg(F.count("*").alias("users"))
    new = asked.join(held, on="user_id", how="inner").groupBy("as_of", "block").agg(F.count("*").alias("joiners"))
    return (
        new.join(users, on="block", how="inner")
        .where("users > 1")
        .selectExpr(f"'{kind}' as kind", "as_of", "block", "joiners", "users - 1 as old_users", f"users > {most} as is_left_out")
    )


def summary(found: DataFrame) -> DataFrame:
    """One row per kind, used or left out: blocks, comparisons, median and most of one block, and the share of the most."""
    return (
        found.groupBy("kind", "is_left_out")
        .agg(
            F.count("*").alias("blocks"),
            F.sum("comparisons").alias("comparisons"),
            F.expr("percentile_approx(comparisons, 0.5)").alias("median"),
            F.max("comparisons").alias("most"),
        )
        .withColumn("most_share", F.expr("most / comparisons"))
        .orderBy("is_left_out", "kind")
    )


def worst(found: DataFrame) -> DataFrame:
    """The TOLD largest blocks of each kind, used and left out."""
    order = Window.partitionBy("kind", "is_left_out").orderBy(F.desc("comparisons"), "block", "as_of")
    ranked = found.withColumn("place", F.row_number().over(order)).where(f"place <= {TOLD}")
    return ranked.orderBy("is_left_out", F.desc("comparisons"), "kind", "place")
