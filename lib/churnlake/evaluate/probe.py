"""The plain probe: every person split at its median event, the second half hidden behind another id, and looked for again.

It needs no truth, so it can be asked of any records: those of real people and those of a made-up city. The closer its result
on a city cut to the shape of real data is to that on the data, the more the city's circles are like real ones.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

LEAST_EVENTS = 5
MOST_PEOPLE = 5000
"""More people than this are thinned by the order of their pseudonyms: the likeness of all pairs is worked out in memory."""


def halves(events: DataFrame) -> DataFrame:
    """One row per person with at least five events on each side of its median: number_key, median_at, second_id."""
    medians = events.groupBy("number_key").agg(
        F.expr("cast(percentile_disc(0.5) within group (order by unix_micros(started_at)) as bigint)").alias("median")
    )
    sides = (
        events.join(medians, on="number_key", how="inner")
        .groupBy("number_key", "median")
        .agg(
            F.expr("count_if(unix_micros(started_at) <= median)").alias("first"),
            F.expr("count_if(unix_micros(started_at) > median)").alias("second"),
        )
    )
    split = sides.where(f"first >= {LEAST_EVENTS} AND second >= {LEAST_EVENTS}")
    return split.select(
        "number_key",
        F.timestamp_micros("median").alias("median_at"),
        F.xxhash64("number_key", F.lit("second half")).alias("second_id"),
    )


def split_events(events: DataFrame, people: DataFrame) -> DataFrame:
    """The events with the second half of each of the people (``halves``) under a user of its own; peers stay as they are."""
    split = events.join(F.broadcast(people), on="number_key", how="left")
    return split.withColumn("user_id", F.expr("if(started_at > median_at, second_id, user_id)")).drop("median_at", "second_id")


def found_again(events: DataFrame, people: DataFrame) -> dict[str, float]:
    """How often a second half's own first half is the one most like it (top1) or among the five (top5), of ``egos`` people.

    Likeness is the cosine of tf-idf weighted contacts (missed calls and service numbers left out, as in daily.edges). tf is the
    number of contacts, or 1 + ln of it where named ``damped``; idf as in Salton and Buckley 1988, smoothed, over the first
    halves, which are the only candidates.

    Args:
        events: one row per record, users being numbers (usage.daily.events without lives).
        people: the rows of ``halves`` of these events.
    """
    chosen = people.orderBy("number_key").limit(MOST_PEOPLE).select("number_key", "second_id").collect()
    met = (
        split_events(events, people)
        .where(
            "peer_key IS NOT NULL AND peer_key <> number_key AND peer_service IS NULL AND service <> 'wap' "
            "AND (service <> 'voice' OR seconds > 0)"
        )
        .groupBy("user_id", "peer_key")
        .count()
    )
    firsts, seconds = [row["number_key"] for row in chosen], [row["second_id"] for row in chosen]
    rows = {user: at for at, user in enumerate([*firsts, *seconds])}
    counts = [(rows[r["user_id"]], r["peer_key"], r["count"]) for r in met.collect() if r["user_id"] in rows]
    peers = {peer: at for at, peer in enumerate(sorted({peer for _, peer, _ in counts}))}
    matrix = np.zeros((len(rows), len(peers)))
    for row, peer, count in counts:
        matrix[row, peers[peer]] = count
    damped = np.where(matrix > 0, 1 + np.log(np.maximum(matrix, 1)), 0)
    raw_ranks, damped_ranks = _ranks(matrix, len(firsts)), _ranks(damped, len(firsts))
    return {
        "egos": len(firsts),
        "top1": _within(raw_ranks, 1),
        "top5": _within(raw_ranks, 5),
        "damped_top1": _within(damped_ranks, 1),
        "damped_top5": _within(damped_ranks, 5),
    }


def _ranks(matrix: np.ndarray, firsts: int) -> np.ndarray:
    """The place of each second half's own first half among all, 1 where no other is more like it."""
    known = (matrix[:firsts] > 0).sum(axis=0)
    weighted = matrix * (np.log((1 + firsts) / (1 + known)) + 1)
    weighted /= np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-12)
    alike = weighted[firsts:] @ weighted[:firsts].T
    found: np.ndarray = (alike > np.diag(alike)[:, None] + 1e-12).sum(axis=1) + 1
    return found


def _within(ranks: np.ndarray, places: int) -> float:
    return float((ranks <= places).mean()) if len(ranks) else 0.0
