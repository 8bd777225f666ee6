"""Plain ways to find re-entrants, to measure the detector against: likeness of circles, handset alone, document alone.

Each names at most one old user for each joiner, and how sure it is. They see the same tables as the detector, as they stand at
the end of the data, which is more than it had at the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.reentry import joiners
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.daily import CONTACTS

CIRCLE_DAYS = 90
"""The old circle is what was met in so many days before the last own event."""
SILENT_DAYS = 15
"""An old user without an own event for so long at the end of the data counts as gone."""
LIKENESS = {
    "Jaccard": "shared / (peers + old_peers - shared)",
    "Dice": "2 * shared / (peers + old_peers)",
    "Hellinger": "affinity",
    "tf-idf cosine": "product / (length * old_length)",
}
HANDSET = "handset alone"
SPLINK = "Splink"
COMBINED = {
    "circle OR handset": "coalesce(cosine, 0D) + if(handset IS NULL, 0, 1)",
    "circle AND handset": "if(handset IS NULL, null, cosine)",
}
"""Of the tf-idf cosine and the handset; where either is enough the handset counts more than any likeness."""


@dataclass(frozen=True)
class Curve:
    """How well a way of naming old users does: at its best F1, at 80 % of those planted, and with everything it names.

    ``precision_at_80`` is None where it never finds as many. ``all_precision`` and ``all_recall`` take whatever it names,
    however unsure.
    """

    name: str
    named: int
    precision: float
    recall: float
    precision_at_80: float | None
    all_precision: float = 0.0
    all_recall: float = 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


def curve(name: str, named: pd.DataFrame, planted: int) -> Curve:
    """The curve of one way: ``named`` has one row per joiner named (score, is_right), cut at every score from the highest down.

    Rows of one score stand or fall together.
    """
    if named.empty or not planted:
        return Curve(name, len(named), 0.0, 0.0, None)
    cuts = steps(named)
    precision, recall = cuts["precision"], cuts["right"] / planted
    f1 = 2 * precision * recall / (precision + recall).clip(lower=1e-12)
    best = int(f1.to_numpy().argmax())
    enough = precision[recall >= 0.8]
    return Curve(
        name,
        int(cuts["named"].iloc[best]),
        float(precision.iloc[best]),
        float(recall.iloc[best]),
        float(enough.max()) if len(enough) else None,
        float(precision.iloc[-1]),
        float(recall.iloc[-1]),
    )


def steps(named: pd.DataFrame) -> pd.DataFrame:
    """One row per score from the highest down: score, right and named so far, precision."""
    counted = named.groupby("score", sort=True)["is_right"].agg(["sum", "count"]).iloc[::-1].cumsum().reset_index()
    counted = counted.rename(columns={"sum": "right", "count": "named"}).astype({"right": float})
    return counted.assign(precision=counted["right"] / counted["named"])


def sides(asked: DataFrame, usage: DataFrame, edges: DataFrame) -> tuple[DataFrame, DataFrame, DataFrame]:
    """One row per joiner and peer, one per user who is gone and peer of its last CIRCLE_DAYS, and one per user, day and peer.

    ``n`` and ``old_n``: calls and messages; ``tf`` and ``old_tf``: 1 + ln of it.
    """
    own = joiners.own_days(usage)
    ends = own.agg(F.max("day").alias("ends"))
    last = own.groupBy("user_id").agg(F.max("day").alias("last_on")).join(F.broadcast(ends), how="cross")
    gone = last.where(f"last_on <= date_sub(ends, {SILENT_DAYS})").select(F.col("user_id").alias("old_user_id"), "last_on")
    contacts = edges.select("user_id", "day", "peer_id", F.expr(CONTACTS).alias("n")).where("n > 0")
    old = (
        gone.join(contacts.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner")
        .where(f"day <= last_on AND day > date_sub(last_on, {CIRCLE_DAYS})")
        .groupBy("old_user_id", "last_on", "peer_id")
        .agg(F.expr("1 + ln(sum(n))").alias("old_tf"), F.sum("n").alias("old_n"))
    )
    new = (
        asked.join(contacts, on="user_id", how="inner")
        .where("day >= joined_on AND day <= known_on")
        .groupBy("user_id", "joined_on", "peer_id")
        .agg(F.expr("1 + ln(sum(n))").alias("tf"), F.sum("n").alias("n"))
    )
    return new, old, contacts


def by_likeness(asked: DataFrame, usage: DataFrame, edges: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner, old user with a shared peer and likeness: user_id, old_user_id, name, score.

    ``asked`` has one row per joiner of the final stage (user_id, joined_on, known_on). Old users are those whose last own
    event fits the gap. tf is 1 + ln of the number of calls and messages (Manning et al. 2008, 6.4.1: of raw counts one tie decides,
    and they do worse), idf as in Salton and Buckley 1988, smoothed.
    """
    new, old, contacts = sides(asked, usage, edges)
    circles = contacts.select("user_id", "peer_id").distinct()
    users = circles.agg(F.count_distinct("user_id").alias("users"))
    rarity = circles.groupBy("peer_id").agg(F.count("*").alias("known")).join(F.broadcast(users), how="cross")
    rarity = rarity.select("peer_id", "known", F.expr("ln((1 + users) / (1 + known)) + 1").alias("idf"))
    old, new = old.join(rarity, on="peer_id", how="inner"), new.join(rarity, on="peer_id", how="inner")
    whole = Window.partitionBy("old_user_id")
    old = old.withColumns(
        {
            "old_peers": F.count("*").over(whole),
            "old_n": F.col("old_n") / F.sum("old_n").over(whole),
            "old_length": F.sqrt(F.sum(F.expr("old_tf * idf * old_tf * idf")).over(whole)),
        }
    )
    mine = Window.partitionBy("user_id")
    new = new.withColumns(
        {
            "peers": F.count("*").over(mine),
            "n": F.col("n") / F.sum("n").over(mine),
            "length": F.sqrt(F.sum(F.expr("tf * idf * tf * idf")).over(mine)),
        }
    )
    # hubs are in every circle: their idf is near nothing, and the join would grow with the square of their users
    new, old = new.where(f"known <= {settings.hub_users}"), old.drop("idf").where(f"known <= {settings.hub_users}").drop("known")
    gap = "datediff(joined_on, last_on)"
    pairs = new.join(old, on="peer_id", how="inner").where(
        f"user_id <> old_user_id AND {gap} BETWEEN {settings.gap_least_days} AND {settings.gap_most_days}"
    )
    scored = pairs.groupBy("user_id", "old_user_id", "peers", "old_peers", "length", "old_length").agg(
        F.count("*").alias("shared"),
        F.sum(F.expr("tf * idf * old_tf * idf")).alias("product"),
        F.sum(F.expr("sqrt(n * old_n)")).alias("affinity"),
    )
    ways = ", ".join(f"struct('{name}' as name, round(cast({sql} as double), 9) as score)" for name, sql in LIKENESS.items())
    return scored.select("user_id", "old_user_id", F.expr(f"inline(array({ways}))"))


def by_handset(asked: DataFrame, devices: DataFrame) -> DataFrame:
    """One row per joiner and user seen on one of its handsets before, as ``by_likeness``; surer the later it was."""
    new = asked.join(devices.select("user_id", "day", "imei_key"), on="user_id", how="inner").where("day <= known_on")
    new = new.groupBy("user_id", "imei_key").agg(F.min("day").alias("new_from"))
    old = devices.select(F.col("user_id").alias("old_user_id"), "day", "imei_key")
    met = new.join(old, on="imei_key", how="inner").where("old_user_id <> user_id AND day <= new_from")
    near = met.groupBy("user_id", "old_user_id").agg(F.max(F.expr("-datediff(new_from, day)")).cast("double").alias("score"))
    return near.select("user_id", "old_user_id", F.lit(HANDSET).alias("name"), "score")


def combined(named: DataFrame) -> DataFrame:
    """One row per joiner, old user and way to take tf-idf cosine and handset together, as ``by_likeness``; ``named`` has rows of both."""
    score = F.col("score")
    both = named.groupBy("user_id", "old_user_id").agg(
        F.max(F.when(F.col("name") == "tf-idf cosine", score)).alias("cosine"),
        F.max(F.when(F.col("name") == HANDSET, score)).alias("handset"),
    )
    ways = ", ".join(f"struct('{name}' as name, cast({sql} as double) as score)" for name, sql in COMBINED.items())
    return both.select("user_id", "old_user_id", F.expr(f"inline(array({ways}))")).where("score IS NOT NULL")


def by_document(asked: DataFrame, subscribers: DataFrame) -> DataFrame:
    """One row per joiner and earlier user with the same document, as ``by_likeness``; surer the fewer have it."""
    papers = (
        subscribers.where("document_key IS NOT NULL").groupBy("user_id", "document_key").agg(F.min("joined_on").alias("on_paper"))
    )
    papers = papers.withColumn("holders", F.count("*").over(Window.partitionBy("document_key")))
    old = papers.select(F.col("user_id").alias("old_user_id"), "document_key", F.col("on_paper").alias("old_on_paper"))
    new = asked.select("user_id").join(papers, on="user_id", how="inner")
    met = new.join(old, on="document_key", how="inner").where("old_user_id <> user_id AND old_on_paper <= on_paper")
    score = F.max(F.expr("1 / holders")).cast("double").alias("score")
    return (
        met.groupBy("user_id", "old_user_id")
        .agg(score)
        .select("user_id", "old_user_id", F.lit("document alone").alias("name"), "score")
    )


def best(named: DataFrame, planted: DataFrame) -> pd.DataFrame:
    """One row per way and joiner, under the old user most like it: name, score, is_right.

    ``named`` are rows as ``by_likeness`` gives them; ``planted`` has one row per true pair (user_id, old_user_id) among those asked.
    """
    likest = Window.partitionBy("name", "user_id").orderBy(F.desc("score"), "old_user_id")
    first = named.withColumn("turn", F.row_number().over(likest)).where("turn = 1").drop("turn")
    true = planted.select("user_id", "old_user_id", F.lit(True).alias("is_true"))
    judged = first.join(true, on=["user_id", "old_user_id"], how="left").select(
        "name", "score", F.expr("coalesce(is_true, false)").alias("is_right")
    )
    return judged.toPandas()


def curves(named: DataFrame, planted: DataFrame, total: int) -> list[Curve]:
    """The curve of each way in ``named``, by ``best``, of ``total`` planted pairs."""
    rows = best(named, planted)
    order: Callable[[str], int] = [*LIKENESS, HANDSET, *COMBINED, SPLINK, "document alone", "detector"].index
    return [curve(name, rows[rows["name"] == name], total) for name in sorted(set(rows["name"]), key=order)]
