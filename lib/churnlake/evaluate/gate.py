"""The gate before a training, judged: what it says of honest material, and whether it finds each leak planted into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn import labels
from churnlake.churn.leaving import is_active
from churnlake.core.console import Console
from churnlake.core.contract import Table
from churnlake.core.lake import Lake
from churnlake.evaluate.asof import compared, made_again
from churnlake.evaluate.planted_leaks import PLANTS, ColumnPlant, Ground, RowsPlant, StoredPlant
from churnlake.indicators import INDICATORS
from churnlake.models.frame import labelled, raw
from churnlake.models.gate import Brought, halves, leaks, newest_month, of_sample, sampled
from churnlake.models.leakage import Groups, Leak, answers, grouped
from churnlake.models.leaking_rows import Timeline
from churnlake.settings import Settings

LABEL = "label"
Checkpoint = Callable[[DataFrame], DataFrame]
MARKED = (1.0, 0.6, 0.3, 0.1, 0.05)
"""Shares of the leavers marked by a flag, of which it is told whether the gate finds it, beside each of ``OTHERS`` of the rest marked too."""
OTHERS = (0.0, 0.001, 0.003, 0.01, 0.03)


@dataclass(frozen=True)
class Material:
    """What a training is given: the ground it stands on, the features it takes, of which month their selection is, and the target."""

    ground: Ground
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    selected_in: dt.date | None
    target: str


@dataclass(frozen=True)
class Found:
    """By plant what was found that is of it, and what was said all the same of what is honest."""

    leaks: Mapping[str, Sequence[Leak]]
    alarms: Sequence[Leak]

    def beside(self, other: Found) -> Found:
        """Both together."""
        return Found({**self.leaks, **other.leaks}, [*self.alarms, *other.alarms])


def figures(given: Material, of_stored: Found, settings: Settings, checkpoint: Checkpoint, console: Console) -> dict[str, Any]:
    """``leaks_planted``, ``leaks_caught`` (each by a check meant for it), ``false_alarms`` (on what is honest), and how weak a mark is found.

    What is not caught and what is falsely said is named on the console. ``found_marks`` is 1 where a flag of so many leavers and so many
    others is found, else 0.

    Args:
        given: the honest material.
        of_stored: what was found of stored features, which are the same for every target (``of_tables``).
        settings: of the house.
        checkpoint: materialises a frame and cuts its lineage.
        console: to say it on.
    """
    honest = brought(given, settings, checkpoint)
    alarms = leaks(honest, settings.models.leakage, settings.models.seed)
    found = of_stored.beside(Found({}, alarms))
    found = found.beside(of_columns(given, settings, checkpoint)).beside(of_rows(given, settings, checkpoint))
    missed = [plant.name for plant in PLANTS if not any(leak.check in plant.checks for leak in found.leaks[plant.name])]
    told = sorted({str(leak) for leak in found.alarms})
    for line in (*(f"leak not caught: {name}" for name in missed), *(f"false alarm: {alarm}" for alarm in told)):
        console.say(f"  {given.target}, {line}")
    return {
        "leaks_planted": len(PLANTS),
        "leaks_caught": len(PLANTS) - len(missed),
        "false_alarms": len(told),
        "found_marks": strengths(honest, settings),
    }


def of_tables(given: Material, again: Mapping[Table, DataFrame], checkpoint: Checkpoint) -> Found:
    """What is found of the month asked as it is stored, honest and with what came later.

    Args:
        given: the material.
        again: by table of features its rows as of the end of the month asked.
        checkpoint: materialises a frame and cuts its lineage.
    """
    asked, alarms, found = given.ground.asked, [], {}
    for table, made in again.items():
        alarms += compared(table, asked, given.ground.stored[table], made, checkpoint).leaks()
    for plant in PLANTS:
        if isinstance(plant, StoredPlant):
            told = compared(plant.table, asked, plant.make(given.ground), again[plant.table], checkpoint)
            found[plant.name] = [leak for leak in told.leaks() if plant.column in leak.what]
    return Found(found, alarms)


def of_columns(given: Material, settings: Settings, checkpoint: Checkpoint) -> Found:
    """What is found of each column planted, and of those it stands beside."""
    plants = [plant for plant in PLANTS if isinstance(plant, ColumnPlant)]
    features = given.ground.features
    for plant in plants:
        features = features.join(plant.make(given.ground), on=["month", "user_id"], how="left")
    numbers, texts = (tuple(plant.name for plant in plants if plant.is_text == is_text) for is_text in (False, True))
    ground = replace(given.ground, features=checkpoint(features))
    every = replace(given, ground=ground, numeric=(*given.numeric, *numbers), categories=(*given.categories, *texts))
    one = brought(every, settings, checkpoint)
    sample = sampled(one, one.rows.count(), settings.models.leakage, settings.models.seed)
    found, alarms = {}, []
    for plant in plants:
        numeric, categories = (
            [name for name in names if name not in (*numbers, *texts) or name == plant.name]
            for names in (every.numeric, every.categories)
        )
        said = of_sample(sample, replace(one, numeric=tuple(numeric), categories=tuple(categories)), settings.models.leakage)
        found[plant.name] = [leak for leak in said if leak.what == f"column {plant.name}"]
        alarms += [leak for leak in said if leak not in found[plant.name]]
    return Found(found, alarms)


def of_rows(given: Material, settings: Settings, checkpoint: Checkpoint) -> Found:
    """What is found of rows, labels and dates that are not what they say."""
    found = {}
    for plant in PLANTS:
        if isinstance(plant, RowsPlant):
            material = replace(given, ground=plant.make(given.ground))
            found[plant.name] = leaks(brought(material, settings, checkpoint), settings.models.leakage, settings.models.seed)
    return Found(found, [])


def brought(given: Material, settings: Settings, checkpoint: Checkpoint) -> Brought:
    """The material as its gate sees it."""
    ground, numeric, categories = given.ground, list(given.numeric), list(given.categories)
    known = labelled(ground.features, ground.labels, LABEL, numeric, categories).where(F.col("month").isin(list(ground.months)))
    waiting = ground.features.where(is_active(settings.churn)).select("month", "user_id", *raw(numeric, categories))
    newest = newest_month(ground.features)
    closes: Callable[[dt.date], dt.date] = lambda month: labels.closes_on(month, settings.churn, given.target)  # noqa: E731
    line = Timeline(ground.on, ground.months[:-1], ground.asked, settings.models.gap_months, given.selected_in, newest, closes)
    return Brought(checkpoint(known), ground.labels, waiting, given.numeric, given.categories, line)


def made(lake: Lake, settings: Settings, given: Material) -> dict[Table, DataFrame]:
    """By table of features what it is as of the end of the month asked: of features.monthly what the training takes, and what is planted."""
    asked = {*given.numeric, *given.categories, *(plant.column for plant in PLANTS if isinstance(plant, StoredPlant))}
    indicators = [indicator for indicator in INDICATORS if indicator.name in asked]
    again = {table: made_again(lake, settings, table, given.ground.asked, indicators) for table in given.ground.stored}
    return {table: lake.checkpoint(found) for table, found in again.items()}


def strengths(given: Brought, settings: Settings) -> dict[str, float]:
    """Whether a flag is found that marks so many of the leavers and so many of the others, but nobody's outcome that is not known: 1 or 0."""
    how = settings.models.leakage
    sample = sampled(given, given.rows.count(), how, settings.models.seed)
    label, month = sample[LABEL].to_numpy(dtype=np.float64), pd.factorize(sample["month"], sort=True)[0].astype(np.int64)
    half = halves(sample["user_id"])
    honest: dict[str, Groups] = {name: grouped(sample[name]) for name in given.columns}
    drawn = pd.util.hash_pandas_object(sample[["user_id", "month"]], index=False).to_numpy() / 2.0**64
    found: dict[str, float] = {}
    for marked in MARKED:
        flags = {
            f"{marked:.0%} of leavers, {others:.1%} of others": (drawn < np.where(label > 0, marked, others)).astype(np.float64)
            for others in OTHERS
        }
        said = answers({**honest, **{name: grouped(pd.Series(flag)) for name, flag in flags.items()}}, label, half, how, month)
        found |= {name: float(any(leak.what == f"column {name}" for leak in said)) for name in flags}
    return found
