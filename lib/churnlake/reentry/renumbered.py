"""Peers who have a new number themselves: a second look at joiners whose friends came back under another number, too."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.frames import only
from churnlake.reentry import odds
from churnlake.reentry.settings import ReentrySettings

TURNS = 2
"""A number's owner is followed back so many times: A -> B -> C."""
WITHIN, LEAST_DAYS = 30, 7
"""Days before and after one that it is compared with, and how many of those before there must be."""
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


def papers(new: DataFrame, subscribers: DataFrame | None) -> DataFrame:
    """One row per joiner: ``paper_on``, the day it joined on paper, or of its first use where no register tells, and ``told_on``, since when that is known."""
    own = new.select("user_id", F.col("joined_on").alias("paper_on"), F.col("joined_on").alias("told_on"))
    if subscribers is None:
        return own
    first = only(subscribers.where("joined_on IS NOT NULL").select("user_id", "joined_on", "delivered_on"), new.select("user_id"))
    told = first.groupBy("user_id").agg(
        F.min_by("joined_on", "delivered_on").alias("paper"), F.min("delivered_on").alias("delivered")
    )
    known = own.join(told, on="user_id", how="left")
    return known.select(
        "user_id", F.coalesce("paper", "paper_on").alias("paper_on"), F.coalesce("delivered", "told_on").alias("told_on")
    )


def at_once(links: DataFrame, linked: DataFrame, joined: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner and stage whose number was changed with many others on one day, as where a firm's numbers are all changed: user_id, stage_days.

    Of those who are an old user beyond doubt, so many more joined that day than on the days around it that hardly one of them can have come
    of its own will: ``at_once_least`` at least, and ``at_once_times`` as many as on the others of the days, up to WITHIN before and after it,
    on which anybody did, LEAST_DAYS of them before it: when data begin, everybody seems to have joined at once. What counts is what is known by
    each joiner's day. In a city so large that as many come back every day a firm does not stand out; its people are told by each other then
    (evidence.moved_together).

    Args:
        links: of the joiners asked (``links``).
        linked: all that are known, these among them.
        joined: days of joining (``papers``).
        settings: limits.
    """
    mine = links.join(joined, on="user_id", how="inner").where("told_on <= known_on")
    since = linked.groupBy("user_id").agg(F.min("known_on").alias("since"))
    others = since.join(joined, on="user_id", how="inner").select("paper_on", F.greatest("since", "told_on").alias("since"))
    daily = others.groupBy("paper_on", "since").agg(F.count("*").alias("users"))
    asked = F.broadcast(mine.select("known_on").distinct())
    by_day = (
        daily.join(asked, on=F.expr("since <= known_on"), how="inner")
        .groupBy("known_on", "paper_on")
        .agg(F.sum("users").alias("users"))
    )
    number = F.datediff("paper_on", F.lit("1970-01-01"))
    by_number = Window.partitionBy("known_on").orderBy(number)
    around = by_number.rangeBetween(-WITHIN, WITHIN)
    usual = (F.sum("users").over(around) - F.col("users")) / (F.count("*").over(around) - 1)
    before = F.count("*").over(by_number.rangeBetween(-WITHIN, -1))
    many = by_day.withColumn("usual", F.when(before >= LEAST_DAYS, usual)).where(
        f"users >= {settings.at_once_least} AND users >= {settings.at_once_times!r} * usual"
    )
    return mine.join(many, on=["known_on", "paper_on"], how="left_semi").select("user_id", "stage_days").distinct()


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
