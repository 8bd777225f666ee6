"""Re-entry's economics beside the truth: counts by cell and whether their intervals hold, second numbers, dealers' own cards, two lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.lake import Lake
from churnlake.reentry import economics, farming, parts, verification
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.daily import DEVICES, PLACES
from churnlake.tables.reference import SUBSCRIBERS

FEW = 20
"""Joiners of a small cell: of brand x plan x dealer a city of 20,000 has none of 200, and hundreds of so many."""
GROUPS = ("cell", "plan", "dealer", "branch", "brand", "channel")
SECOND, OWN = "second_number", "farmed"
"""Kinds of decoys that are told apart as parts of gross adds."""


def judged(
    lake: Lake, due: DataFrame, pairs: DataFrame, likely: DataFrame, matches: DataFrame, learnt: Sequence[Mapping[str, Any]],
    true: DataFrame, decoys: DataFrame, settings: ReentrySettings, on: dt.date,
) -> dict[str, Any]:  # fmt: skip
    """What is to be said of a city's gross adds, all its joiners taken as those of one month, told on its last day.

    Args:
        lake: with reference.subscribers, daily devices and places.
        due: joiners of the final stage: user_id, joined_on, known_on.
        pairs: their pairs, with all evidence.
        likely: the same with ``probability``.
        matches: one row per joiner matched: user_id, old_user_id, probability.
        learnt: rows of reentry.weights.
        true: planted pairs of those asked: user_id, old_user_id.
        decoys: planted decoys: user_id, decoy (its kind).
        settings: of the detector.
        on: the day all is told.
    """
    if not lake.has(SUBSCRIBERS):
        return {}
    subscribers = lake.read(SUBSCRIBERS)
    came = due.select(
        "user_id",
        "joined_on",
        F.lit(on).alias("known_on"),
        F.lit(on.replace(day=1)).alias("month"),
        F.lit("scored").alias("scope"),
    )
    joined = parts.joined_as(came, subscribers)
    idle = due.select("user_id", "joined_on", "known_on", F.lit(settings.control.farm_peers + 1).alias("peers"))
    own = farming.farmed(came, idle, subscribers, lake.read(DEVICES), lake.read(PLACES), settings)
    named = matches.where(F.col("probability") >= settings.least_probability).select("user_id", "old_user_id")
    told = lake.checkpoint(parts.parts(joined, likely, parts.seconds(pairs, settings), named, own, settings))
    olds = economics.old_numbers(
        likely.select("user_id", "old_user_id", "joined_on", "known_on", "old_last_on", "probability"), None, None, settings
    )
    small = settings.model_copy(update={"control": settings.control.model_copy(update={"least_cell_joiners": FEW})})
    gross = economics.gross_adds(told, olds, small).where("part = 'reentry'")
    back = true.select("user_id", F.lit(1).alias("is_true")).distinct()
    beside = told.join(back, on="user_id", how="left").join(decoys, on="user_id", how="left")
    values = {**economics.JOINED, "cell": f"if(dealer_id IS NULL, null, {economics.CELL})"}
    each = ", ".join(f"struct('{name}' as dimension, {value} as value)" for name, value in values.items())
    counts = beside.selectExpr("is_true", f"inline(array({each}))").where("value IS NOT NULL")
    counts = counts.groupBy("dimension", "value").agg(F.count("*").alias("joiners"), F.count("is_true").alias("there"))
    rows = [
        row.asDict() for row in gross.join(counts, on=["dimension", "value"], how="inner").where(f"joiners >= {FEW}").collect()
    ]
    least = settings.control.least_cell_joiners
    return {
        "cell_counts": cells([row for row in rows if row["dimension"] == "cell" and row["joiners"] >= least]),
        "group_counts": cells([row for row in rows if row["dimension"] in GROUPS and row["joiners"] >= least]),
        "small_cell_counts": cells([row for row in rows if row["dimension"] == "cell"]),
        SECOND: part(beside, SECOND), OWN: part(beside, OWN), "two_lists": two_lists(pairs, learnt, named, true, settings),
    }  # fmt: skip


def cells(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many cells there are, the median relative error of their counts, that of their sum, and how often the interval holds the true one.

    ``rows``: one per cell: expected, low, high, and how many are ``there``.
    """
    known = [row for row in rows if row["there"]]
    return {
        "cells": len(rows),
        "median_error": median(abs(row["expected"] - row["there"]) / row["there"] for row in known) if known else None,
        "bias": sum(row["expected"] - row["there"] for row in rows) / max(1, sum(row["there"] for row in rows)) if rows else None,
        "interval_covers": sum(row["low"] <= row["there"] <= row["high"] for row in rows) / len(rows) if rows else None,
    }


def part(beside: DataFrame, kind: str) -> dict[str, Any]:
    """Of the joiners counted as a part and those planted as that kind: precision, recall, and the error of the expected number.

    ``beside``: reentry.parts with ``decoy``, the kind planted.
    """
    share = {SECOND: "is_second", OWN: "is_own"}[kind]
    row = parts.shares(beside).agg(
        F.expr(f"count_if(part = '{kind}')").alias("counted"), F.expr(f"count_if(decoy = '{kind}')").alias("there"),
        F.expr(f"count_if(part = '{kind}' AND decoy = '{kind}')").alias("right"), F.sum(share).alias("expected"),
    ).collect()[0]  # fmt: skip
    return {
        "planted": row["there"],
        "precision": row["right"] / row["counted"] if row["counted"] else None,
        "recall": row["right"] / row["there"] if row["there"] else None,
        "count_error": row["expected"] / row["there"] - 1 if row["there"] else None,
    }


def two_lists(
    pairs: DataFrame, learnt: Sequence[Mapping[str, Any]], matches: DataFrame, true: DataFrame, settings: ReentrySettings
) -> dict[str, Any]:
    """Recall as two lists tell it without truth (Chapman 1951), beside the true one of the same lists.

    Of the matches, those that the circle alone and those that the handset alone names; true: right ones of them over all planted.
    """
    pair = ["user_id", "old_user_id"]
    circle = verification.by_circle(pairs, learnt, settings).select(*pair, F.lit(True).alias("by_circle"))
    handset = verification.by_handset(pairs).select(*pair, F.lit(True).alias("by_handset"))
    right = true.select(*pair, F.lit(True).alias("is_right"))
    rows = matches.join(circle, on=pair, how="left").join(handset, on=pair, how="left").join(right, on=pair, how="left")
    row = rows.agg(
        F.count("by_circle").alias("first"), F.count("by_handset").alias("second"), F.expr("count_if(by_circle AND by_handset)").alias("both"),
        F.expr("count_if(is_right AND (by_circle OR by_handset))").alias("right"),
    ).collect()[0]  # fmt: skip
    total, there = (row["first"] + 1) * (row["second"] + 1) / (row["both"] + 1) - 1, true.count()
    found = row["first"] + row["second"] - row["both"]
    if not row["both"] or not there:
        return {"recall_told": None, "recall_true": row["right"] / there if there else None, "there_are_error": None}
    return {"recall_told": found / total, "recall_true": row["right"] / there, "there_are_error": total / there - 1}
