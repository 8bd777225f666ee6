"""Peers who have a new number themselves: a second look at joiners whose friends came back under another number, too."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.reentry import odds
from churnlake.reentry.settings import ReentrySettings

TURNS = 2
"""A number's owner is followed back so many times: A -> B -> C."""
LINK = ["user_id", "stage_days", "old_user_id", "known_on"]


def links(pairs: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner and stage that is an old user beyond doubt (reentry.links), by the evidence of the first look alone.

    Weighed by the weights of ``start`` among the joiner's own candidates: so a link hangs on nothing that is learnt or found later, and is
    the same whether days are run one by one or as a range.
    """
    weighed = odds.with_odds(pairs, {}, settings)
    others = F.sum("odds").over(Window.partitionBy("user_id", "stage_days"))
    sure = weighed.withColumn("sure", F.expr("odds") / (1 + others)).where(f"sure >= {settings.link_least!r}")
    best = Window.partitionBy("user_id", "stage_days").orderBy(F.desc("sure"), "old_user_id")
    return sure.withColumn("turn", F.row_number().over(best)).where("turn = 1").select(*LINK)


def as_one(rows: DataFrame, linked: DataFrame) -> DataFrame:
    """The rows, each ``peer_id`` that is known to be somebody's new number under the old one; what was two peers and is one stays two rows.

    ``rows`` have ``as_of``: links known by the end of that month count, a joiner's newest.
    """
    newest = Window.partitionBy("user_id").orderBy("known_on", "stage_days")
    spans = linked.select(
        F.col("user_id").alias("peer_id"),
        F.col("old_user_id").alias("held_before"),
        F.col("known_on").alias("since"),
        F.lead("known_on").over(newest).alias("until"),
    )
    known = rows.select("as_of").distinct().join(spans, how="cross").where("since <= last_day(as_of)")
    known = known.where("until IS NULL OR until > last_day(as_of)").select("as_of", "peer_id", "held_before")
    for _ in range(TURNS):
        named = rows.join(known, on=["as_of", "peer_id"], how="left")
        rows = named.withColumn("peer_id", F.coalesce("held_before", "peer_id")).drop("held_before").select(rows.columns)
    return rows


def asked_for(rows: DataFrame, linked: DataFrame | None) -> DataFrame:
    """One row per peer_id of the rows, or that may count as one of them, once and again: to look for these alone."""
    peers = rows.select("peer_id")
    if linked is not None:
        peers = peers.union(linked.select("user_id")).union(linked.select("old_user_id"))
    return peers


def affected(met: DataFrame, linked: DataFrame) -> DataFrame:
    """One row per joiner and stage of ``met`` (with ``as_of``) that meets somebody's new number: user_id, stage_days."""
    since = linked.groupBy(F.col("user_id").alias("peer_id")).agg(F.min("known_on").alias("since"))
    meets = met.join(since, on="peer_id", how="inner").where("since <= last_day(as_of)")
    return meets.select("user_id", "stage_days").distinct()
