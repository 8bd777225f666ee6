"""How hard a scenario makes it to know people again: how alike the circles of true pairs, decoys and chance pairs are."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.evaluate.baselines import CIRCLE_DAYS, SILENT_DAYS
from churnlake.reentry import joiners
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.daily import CONTACTS

TRUE, CHANCE = "re-entry", "chance"
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
BINS = 20
FEW_EVENTS = 5
DRAWS = 40
"""Gone users drawn for each joiner as chance pairs; those whose gap fits are kept, at most ``KEPT_DRAWS``."""
KEPT_DRAWS = 10


def pairs(asked: DataFrame, planted: DataFrame, decoys: DataFrame, usage: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per joiner and old user to compare: kind, user_id, joined_on, known_on, old_user_id.

    Kinds are ``re-entry``, each kind of decoy, and ``chance``: a joiner and a gone user whose gap fits but who have nothing
    to do with each other.

    Args:
        asked: one row per joiner of the final stage (user_id, joined_on, known_on).
        planted: one row per true pair (user_id, old_user_id).
        decoys: one row per joiner made to look like another user (user_id, kind, old_user_id).
        usage: daily.usage.
        settings: the gap that fits.
    """
    told = planted.select(F.lit(TRUE).alias("kind"), "user_id", "old_user_id").unionByName(
        decoys.where("old_user_id IS NOT NULL AND old_user_id <> user_id").select("kind", "user_id", "old_user_id")
    )
    known = asked.join(told, on="user_id", how="inner")
    last = joiners.own_days(usage).groupBy(F.col("user_id").alias("old_user_id")).agg(F.max("day").alias("last_on"))
    ends = last.agg(F.max("last_on").alias("ends"))
    gone = last.join(F.broadcast(ends), how="cross").where(f"last_on <= date_sub(ends, {SILENT_DAYS})")
    places = gone.agg(F.count("*").alias("places"))
    # the n-th draw of a joiner falls on those gone users whose hash has that place: about one
    placed = gone.join(F.broadcast(places), how="cross").selectExpr(
        "old_user_id", "last_on", "pmod(xxhash64(old_user_id), places) as place"
    )
    drawn = (
        asked.join(F.broadcast(places), how="cross")
        .where("places > 0")
        .selectExpr("*", f"explode(sequence(1, {DRAWS})) as draw")
        .selectExpr("user_id", "joined_on", "known_on", "draw", "pmod(xxhash64(user_id, draw), places) as place")
    )
    gap = "datediff(joined_on, last_on)"
    fits = drawn.join(placed, on="place", how="inner").where(
        f"user_id <> old_user_id AND {gap} BETWEEN {settings.gap_least_days} AND {settings.gap_most_days}"
    )
    fits = fits.join(told.select("user_id", "old_user_id"), on=["user_id", "old_user_id"], how="left_anti")
    chance = fits.groupBy("user_id", "joined_on", "known_on", "old_user_id").agg(F.min("draw").alias("draw"))
    turn = F.row_number().over(Window.partitionBy("user_id").orderBy("draw", "old_user_id"))
    chance = chance.withColumn("turn", turn).where(f"turn <= {KEPT_DRAWS}").withColumn("kind", F.lit(CHANCE))
    columns = ("kind", "user_id", "joined_on", "known_on", "old_user_id")
    return known.select(*columns).unionByName(chance.select(*columns))


def overlaps(compared: DataFrame, usage: DataFrame, edges: DataFrame) -> DataFrame:
    """One row per pair of ``pairs``: kind, user_id, old_user_id, peers, old_peers, shared, jaccard, found_share.

    The new circle is what the joiner met by the final stage; the old one what the other met in the CIRCLE_DAYS up to its last
    own event or the day before the join, whichever came first. ``found_share`` is the part of the new circle found in the old
    one. Both measures are null where either circle is empty.
    """
    contacts = edges.where(f"{CONTACTS} > 0").select("user_id", "day", "peer_id")
    last = joiners.own_days(usage).groupBy(F.col("user_id").alias("old_user_id")).agg(F.max("day").alias("last_on"))
    ended = compared.join(last, on="old_user_id", how="left").withColumn(
        "until", F.expr("least(last_on, date_sub(joined_on, 1))")
    )
    old = (
        ended.select("old_user_id", "until")
        .distinct()
        .join(contacts.withColumnRenamed("user_id", "old_user_id"), on="old_user_id", how="inner")
        .where(f"day <= until AND day > date_sub(until, {CIRCLE_DAYS})")
        .select("old_user_id", "until", "peer_id")
        .distinct()
    )
    new = (
        compared.select("user_id", "joined_on", "known_on")
        .distinct()
        .join(contacts, on="user_id", how="inner")
        .where("day >= joined_on AND day <= known_on")
        .select("user_id", "peer_id")
        .distinct()
    )
    sizes = new.groupBy("user_id").agg(F.count("*").alias("peers"))
    met = ended.join(old, on=["old_user_id", "until"], how="inner").join(
        new.withColumn("is_shared", F.lit(True)), on=["user_id", "peer_id"], how="left"
    )
    shared = met.groupBy("kind", "user_id", "old_user_id").agg(
        F.count("*").alias("old_peers"), F.expr("count_if(is_shared)").alias("shared")
    )
    found = compared.join(shared, on=["kind", "user_id", "old_user_id"], how="left").join(sizes, on="user_id", how="left")
    both = "peers > 0 AND old_peers > 0"
    return found.select(
        "kind",
        "user_id",
        "old_user_id",
        F.expr("coalesce(peers, 0L)").alias("peers"),
        F.expr("coalesce(old_peers, 0L)").alias("old_peers"),
        F.expr("coalesce(shared, 0L)").alias("shared"),
        F.expr(f"if({both}, shared / (peers + old_peers - shared), null)").alias("jaccard"),
        F.expr(f"if({both}, shared / peers, null)").alias("found_share"),
    )


def summary(compared: DataFrame) -> list[dict[str, Any]]:
    """By kind, re-entry first and chance last: pairs, those with an empty circle, quantiles and shares by class of both measures."""
    levels = ", ".join(map(str, LEVELS))
    measures = ("jaccard", "found_share")
    columns = [F.count("*").alias("pairs"), F.expr("count_if(jaccard IS NULL)").alias("without_circle")]
    for name in measures:
        # least() passes over a null
        place = f"if({name} IS NULL, null, least({BINS - 1}, floor({name} * {BINS})))"
        columns.append(F.expr(f"percentile({name}, array({levels}))").alias(f"{name}_quantiles"))
        columns += [F.expr(f"count_if({place} = {bin})").alias(f"{name}_{bin}") for bin in range(BINS)]
    found = []
    for row in compared.groupBy("kind").agg(*columns).collect():
        counted = row["pairs"] - row["without_circle"]
        one: dict[str, Any] = {"kind": row["kind"], "pairs": row["pairs"], "without_circle": row["without_circle"]}
        for name in measures:
            values = row[f"{name}_quantiles"]
            one[name] = {
                "quantiles": dict(zip((f"{level:g}" for level in LEVELS), values, strict=True)) if values else {},
                "shares": [row[f"{name}_{bin}"] / counted for bin in range(BINS)] if counted else [],
            }
        found.append(one)
    return sorted(found, key=lambda one: (one["kind"] != TRUE, one["kind"] == CHANCE, one["kind"]))


def few_events_share(planted: DataFrame, asked: DataFrame, usage: DataFrame) -> float | None:
    """The share of planted re-entrants with fewer than FEW_EVENTS own events by the final stage; None where none is planted."""
    own = joiners.own_days(usage)
    due = asked.join(planted.select("user_id").distinct(), on="user_id", how="inner")
    counted = (
        due.join(own, on="user_id", how="left")
        .groupBy("user_id")
        .agg(F.expr("coalesce(sum(if(day >= joined_on AND day <= known_on, own_events, 0)), 0)").alias("events"))
    )
    row = counted.agg(F.avg(F.expr(f"if(events < {FEW_EVENTS}, 1D, 0D)")).alias("share")).first()
    return None if row is None else row["share"]
