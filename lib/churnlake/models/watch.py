"""Whether what a champion sees is still what it was taught: inputs and scores of a month against those of its training months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.checkpoints import checkpointed
from churnlake.models.fit import probability
from churnlake.models.frame import raw
from churnlake.models.profile import OTHER, UNKNOWN, Profile
from churnlake.models.settings import DriftSettings
from churnlake.stats.drift import by_chance, drift_of
from churnlake.tables.judged import DRIFT

SCORE = "score"
DECILES = ", ".join(f"{part / 10}D" for part in range(1, 10))
Row = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """From which index on a change is moderate and great, and above what chance reaches by so many standard deviations."""

    moderate: float
    great: float
    deviations: float


def is_drawn(count: int, settings: DriftSettings, seed: int) -> Column:
    """Whether a row, of ``count`` in all, is of the sample that is watched: by a hash of the user."""
    kept = int(1_000_000 * min(1.0, settings.most_rows / max(count, 1)))
    return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(1_000_000)) < kept


def reference(rows: DataFrame, count: int, model: PipelineModel, known: Profile, settings: DriftSettings, seed: int) -> Row:
    """What a sample of the months taught held, by column, as plain values: classes and how many fell into each.

    Classes of a number lie between its deciles, of a category are its levels; a last one is of no value. The score is one more number.

    Args:
        rows: one row per user and month taught: user_id and the raw columns.
        count: how many those are.
        model: what will serve, from raw columns to probability.
        known: what the months taught say of each feature.
        settings: how large a sample.
        seed: of the sample.
    """
    numbers, categories = [n.name for n in known.numeric], {c.name: list(c.levels[:-2]) for c in known.categories}
    sample = rows.where(is_drawn(count, settings, seed)).select(*raw(numbers, list(categories)))
    sample = model.transform(sample).withColumn(SCORE, probability())
    seen = checkpointed(_seen(sample, [*numbers, SCORE], list(categories)))
    of_numbers = seen.where(~F.col("name").isin(list(categories)))
    deciles = of_numbers.groupBy("name").agg(F.expr(f"percentile(x, array({DECILES}))").alias("edges")).collect()
    # equal deciles are one: a value that most have is a class of its own
    edges = {row["name"]: sorted(set(row["edges"] or ())) for row in deciles}
    counts = _counts(seen, edges, categories)
    return {
        "numbers": {name: {"edges": edges[name], "counts": counts[name]} for name in edges},
        "categories": {name: {"levels": levels, "counts": counts[name]} for name, levels in categories.items()},
    }


def drift(sample: DataFrame, before: Mapping[str, Any], limits: Limits) -> list[Row]:
    """One row per column of the reference: index and advice.

    Args:
        sample: one row per user drawn: its raw columns, and SCORE, how likely it was said to be.
        before: the reference.
        limits: of the index.
    """
    numbers, categories = before["numbers"], before["categories"]
    seen = _seen(sample, list(numbers), list(categories))
    levels = {name: told["levels"] for name, told in categories.items()}
    now = _counts(seen, {name: told["edges"] for name, told in numbers.items()}, levels)
    found = []
    for name, told in {**numbers, **categories}.items():
        rows_now, rows_before = np.array(now[name], dtype=float), np.array(told["counts"], dtype=float)
        if not rows_now.sum() or not rows_before.sum():
            continue
        index = max(drift_of(rows_now, rows_before), 0.0)
        filled = int(((rows_now + rows_before) > 0).sum())
        chance = by_chance(filled, int(rows_now.sum()), int(rows_before.sum()), limits.deviations)
        advice = "none"
        if index > chance:
            advice = "retrain" if index >= limits.great else "watch" if index >= limits.moderate else "none"
        found.append({"column": name, "psi": index, "rows": int(rows_now.sum()), "advice": advice})
    return found


def advised(found: Sequence[Row], settings: DriftSettings) -> str | None:
    """Why the model should be taught again, or None: the scores have changed greatly, or too many inputs have."""
    moved = [row["column"] for row in found if row["advice"] == "retrain"]
    inputs = [name for name in moved if name != SCORE]
    if SCORE in moved:
        return "retraining advised: its scores are spread otherwise than in the months it was taught"
    if len(inputs) > settings.most_inputs * max(len(found) - 1, 1):
        named = ", ".join(sorted(inputs, key=lambda name: -next(row["psi"] for row in found if row["column"] == name))[:3])
        return (
            f"retraining advised: {len(inputs)} of {len(found) - 1} inputs have changed greatly since it was taught, {named} most"
        )
    return None


def drift_frame(rows: Sequence[Mapping[str, Any]], frame: DataFrame) -> DataFrame:
    """The rows as a frame of churn.drift, in the session of the other one."""
    return frame.sparkSession.createDataFrame([tuple(row[name] for name in DRIFT.names) for row in rows], DRIFT.schema)


def _seen(sample: DataFrame, numbers: list[str], categories: list[str]) -> DataFrame:
    """One row per row of a sample and column asked: name, x (a number's value), level (a text's)."""
    no_number, no_text = F.lit(None).cast("double"), F.lit(None).cast("string")
    # one long table in one pass: the plan of hundreds of columns is gone through once
    cells = [
        F.struct(F.lit(name).alias("name"), F.nanvl(F.col(name).cast("double"), no_number).alias("x"), no_text.alias("level"))
        for name in numbers
    ]
    cells += [F.struct(F.lit(name).alias("name"), no_number.alias("x"), F.col(name).alias("level")) for name in categories]
    return sample.select(F.inline(F.array(*cells)))


def _counts(seen: DataFrame, edges: Mapping[str, Sequence[float]], levels: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """By column, how many rows fall into each class, the last those without a value. One job; what is collected is of fixed size."""
    told = [(name, list(of), None) for name, of in edges.items()] + [(name, None, list(of)) for name, of in levels.items()]
    classed = seen.sparkSession.createDataFrame(told, "name string, edges array<double>, levels array<string>")
    place = F.size(F.filter("edges", lambda edge: edge < F.col("x"))).cast("string")
    known = F.when(F.array_contains("levels", F.col("level")), F.col("level")).otherwise(OTHER)
    of_row = F.when(F.col("x").isNotNull(), place).when(F.col("level").isNotNull(), known).otherwise(UNKNOWN)
    found = seen.join(F.broadcast(classed), on="name", how="inner").groupBy("name", of_row.alias("class")).count()
    counted: dict[str, dict[str, int]] = {}
    for row in found.collect():
        counted.setdefault(row["name"], {})[row["class"]] = row["count"]
    classes = {name: [*map(str, range(len(of) + 1)), UNKNOWN] for name, of in edges.items()}
    classes |= {name: [*of, OTHER, UNKNOWN] for name, of in levels.items()}
    return {name: [counted.get(name, {}).get(one, 0) for one in of] for name, of in classes.items()}
