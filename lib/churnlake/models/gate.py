"""The gate before a training: what is about to be taught is looked through for leaks, and refused where there are any."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError
from churnlake.models.leakage import Leak, answers, grouped, identity
from churnlake.models.leaking_rows import Timeline, Told, copies, doubled, survivors, untimely
from churnlake.models.learners import LABEL
from churnlake.models.settings import LeakageSettings


@dataclass(frozen=True)
class Brought:
    """What a training is about to be taught.

    ``rows``: one row per user and month whose outcome is known: month, user_id, label, columns, from ``frame.labelled``; of the months taught
    and asked. ``labels``: those that the rows were labelled by: month, user_id, label, and known_on where it is told. ``waiting``: month, user_id
    and columns of all who would be asked about now, of later months.
    """

    rows: DataFrame
    labels: DataFrame
    waiting: DataFrame | None
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    timeline: Timeline

    @property
    def columns(self) -> tuple[str, ...]:
        """Numbers and texts."""
        return *self.numeric, *self.categories


def leaks(given: Brought, how: LeakageSettings, seed: int) -> list[Leak]:
    """All that leaks, nothing where all is well. What is collected is a sample of ``how.most_rows`` rows and a row per month and outcome."""
    told, twice = counted(given)
    count = sum(one.with_features for one in told)
    found = [*untimely(given.timeline, told), *survivors(told, how), *doubled(twice, count)]
    return [*found, *of_sample(sampled(given, count, how, seed), given, how)]


def refuse(found: Sequence[Leak], target: str) -> None:
    """Raise ContractError where there is a leak: all of them, each with why and what to do."""
    if found:
        told = "; ".join(f"({n}) {leak}" for n, leak in enumerate(found, 1))
        raise ContractError(f"{target}: what was to be taught tells what nobody knows when asked; nothing was taught: {told}")


def counted(given: Brought) -> tuple[list[Told], int]:
    """What labels of each month and outcome say, and how many user-months stand more than once among the rows."""
    months = [*given.timeline.taught, given.timeline.asked]
    known_on = F.col("known_on") if "known_on" in given.labels.columns else F.lit(None).cast("date")
    labels = given.labels.where(F.col("month").isin(months)).groupBy("month", (F.col(LABEL) > 0).alias("positive"))
    of_labels = labels.agg(
        F.count_distinct("user_id").alias("labels"), F.min(known_on).alias("first"), F.max(known_on).alias("last")
    )
    by_user = given.rows.groupBy("month", "user_id").agg(F.count("*").alias("times"), F.max(LABEL).alias(LABEL))
    of_rows = by_user.groupBy("month", (F.col(LABEL) > 0).alias("positive")).agg(
        F.count("*").alias("users"), F.count_if(F.col("times") > 1).alias("twice")
    )
    there = {(row["month"], row["positive"]): (row["users"], row["twice"]) for row in of_rows.collect()}
    told = [
        Told(
            row["month"],
            row["positive"],
            row["labels"],
            row["first"],
            row["last"],
            there.get((row["month"], row["positive"]), (0, 0))[0],
        )
        for row in of_labels.collect()
    ]
    return told, sum(twice for _, twice in there.values())


def sampled(given: Brought, count: int, how: LeakageSettings, seed: int) -> pd.DataFrame:
    """Of ``count`` rows about ``most_rows``, users drawn by a hash: month, user_id, columns, and label: NaN in the newest month, not known yet."""
    rows = given.rows.select("month", "user_id", LABEL, *given.columns)
    newest = given.timeline.newest_features
    if given.waiting is not None and newest is not None and newest > given.timeline.asked:
        later = given.waiting.where(F.col("month") == F.lit(newest))
        rows = rows.unionByName(later.select("month", "user_id", F.lit(None).cast("double").alias(LABEL), *given.columns))
    months = len(given.timeline.taught) + 1
    # those waiting are as many as of a month
    share = how.most_rows / max(count * (months + 1) / months, 1)
    if share < 1:
        rows = rows.where(F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(1_000_000)) < int(1_000_000 * share))
    found: pd.DataFrame = rows.toArrow().to_pandas()
    return found


def of_sample(rows: pd.DataFrame, given: Brought, how: LeakageSettings) -> list[Leak]:
    """What the columns and rows of a sample leak."""
    asked = [name for name in given.columns if name not in how.known_then]
    label, user = rows[LABEL].to_numpy(dtype=np.float64), rows["user_id"]
    known = ~np.isnan(label)
    if not 0 < (label[known] > 0).sum() < known.sum():
        return []
    columns = {name: grouped(rows[name]) for name in asked}
    half = halves(user)
    month, _ = pd.factorize(rows["month"], sort=True)
    numbers = {name: rows[name][known] for name in given.numeric if name in asked}
    return [
        *answers(columns, label, half, how, month.astype(np.int64)),
        *identity(numbers, user[known], label[known], how),
        *copies(rows, given.columns, given.timeline.taught, given.timeline.asked, how),
    ]


def halves(user: pd.Series[int]) -> npt.NDArray[np.int64]:
    """Of each row 0 or 1, the same for all rows of a user."""
    return (pd.util.hash_array(user.to_numpy()) % 2).astype(np.int64)


def newest_month(features: DataFrame) -> dt.date | None:
    """The newest month that there are features of."""
    found = features.agg(F.max("month").alias("month")).first()
    return found["month"] if found else None
