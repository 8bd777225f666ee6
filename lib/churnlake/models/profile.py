"""What the training months say of each feature: how to fill it, scale it and fold its rare levels.

All of it goes as numbers into one SQL statement, the first stage of every pipeline, so that scoring repeats it exactly.
Medians are exact, which Spark's Imputer is not: the same rows give the same statement whatever their partitioning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.models.settings import ModelsSettings

OTHER = "other"
UNKNOWN = "unknown"
NUMBER = r"\((-?[\d.e+-]+)D\)"
SCALED = rf", {NUMBER}\) - {NUMBER}\) / {NUMBER} AS `z_([^`]+)`"
FLAG = r"CAST\(`level_([^`]+)` = '((?:[^'\\]|\\.)*)' AS DOUBLE\)"
"""What a statement says of a number and of a level."""


@dataclass(frozen=True)
class Numeric:
    """A usable number: its median, mean and standard deviation on the signed logarithmic scale."""

    name: str
    median: float
    mean: float
    deviation: float

    @property
    def scaled(self) -> str:
        """The pipeline's column: filled, on the logarithmic scale, in standard deviations from the mean."""
        return f"z_{self.name}"


@dataclass(frozen=True)
class Category:
    """A usable category: its frequent levels, then other and unknown, each with its share of the training rows."""

    name: str
    levels: tuple[str, ...]
    shares: tuple[float, ...]

    @property
    def level(self) -> str:
        """The pipeline's column: the level, rare ones folded."""
        return f"level_{self.name}"

    @property
    def flags(self) -> tuple[str, ...]:
        """The pipeline's columns: 1 where the row is of the level, else 0; one a level, in their order."""
        return tuple(f"is_{self.name}_{at}" for at in range(len(self.levels)))


@dataclass(frozen=True)
class Profile:
    """The usable features; what the training months do not fill or do not vary is left out."""

    numeric: tuple[Numeric, ...]
    categories: tuple[Category, ...]

    def statement(self) -> str:
        """The SQL of the first pipeline stage: every column it got, the scaled numbers, the folded levels and their flags."""
        scaled = [f"{_scale(n)} AS `{n.scaled}`" for n in self.numeric]
        folded = [f"{_fold(c)} AS `{c.level}`" for c in self.categories]
        flags = [
            f"CAST(`{c.level}` = {_text(level)} AS DOUBLE) AS `{flag}`"
            for c in self.categories
            for flag, level in zip(c.flags, c.levels, strict=True)
        ]
        return f"SELECT {', '.join(['*', *scaled, *folded, *flags])} FROM __THIS__"

    @classmethod
    def of_statement(cls, statement: str) -> Profile:
        """The profile that wrote a ``statement``, but for the shares of levels, of which it tells none.

        Raises ValueError where none did.
        """
        numeric = tuple(
            Numeric(name, float(median), float(mean), float(deviation))
            for median, mean, deviation, name in re.findall(SCALED, statement)
        )
        levels: dict[str, list[str]] = {}
        for name, level in re.findall(FLAG, statement):
            levels.setdefault(name, []).append(re.sub(r"\\(.)", r"\1", level))
        found = cls(numeric, tuple(Category(name, tuple(of), ()) for name, of in levels.items()))
        if found.statement() != statement:
            raise ValueError("its first stage is not what a profile writes")
        return found

    @property
    def columns(self) -> list[str]:
        """The columns a learner takes: numbers in their order, then the flags of each category."""
        return [*(n.scaled for n in self.numeric), *(flag for c in self.categories for flag in c.flags)]


def profile(train: DataFrame, numeric: list[str], categories: list[str], settings: ModelsSettings) -> Profile:
    """What the training rows say of each feature. Two aggregations; what is collected has the size of the feature list."""
    return Profile(_numbers(train, numeric, settings), _levels(train, categories, settings))


def _numbers(train: DataFrame, numeric: list[str], settings: ModelsSettings) -> tuple[Numeric, ...]:
    if not numeric:
        return ()
    # One long table instead of four wide aggregates a feature: generated code stays small however many features there are.
    logs = train.select(*(F.expr(_log(_value(name))).alias(name) for name in numeric))
    long = logs.unpivot([], [F.col(name) for name in numeric], "name", "x")
    found = long.groupBy("name").agg(
        F.expr("min(x) < max(x) AND stddev_pop(x) > 0").alias("varies"),
        F.expr("count(x) / count(*)").alias("filled"),
        F.expr("median(x)").alias("median"),
        F.expr("avg(x)").alias("mean"),
        F.expr("stddev_pop(x)").alias("deviation"),
    )
    kept = found.where("varies").where(F.col("filled") >= settings.least_filled).select("name", "median", "mean", "deviation")
    usable = {row["name"]: Numeric(*row) for row in kept.collect()}
    return tuple(usable[name] for name in numeric if name in usable)


def _levels(train: DataFrame, categories: list[str], settings: ModelsSettings) -> tuple[Category, ...]:
    if not categories:
        return ()
    filled = train.select(*(F.coalesce(name, F.lit(UNKNOWN)).alias(name) for name in categories))
    long = filled.unpivot([], [F.col(name) for name in categories], "name", "level")
    counted = long.groupBy("name", "level").agg(F.count("*").alias("rows"))
    share = counted.select("name", "level", F.expr("rows / sum(rows) OVER (PARTITION BY name)").alias("share"))
    kept = share.where(F.col("share") >= settings.least_level_share)
    found = sorted(kept.collect(), key=lambda row: (row["name"], -row["share"], row["level"]))
    result = []
    for name in categories:
        rows = [row for row in found if row["name"] == name and row["level"] not in (OTHER, UNKNOWN)][: settings.most_levels]
        unknown = sum(row["share"] for row in found if row["name"] == name and row["level"] == UNKNOWN)
        shares = [float(row["share"]) for row in rows]
        if rows and shares[0] < 1.0:
            rest = max(0.0, 1.0 - sum(shares) - unknown)
            result.append(Category(name, (*(row["level"] for row in rows), OTHER, UNKNOWN), (*shares, rest, float(unknown))))
    return tuple(result)


def _value(name: str) -> str:
    return f"nanvl(CAST(`{name}` AS DOUBLE), CAST(NULL AS DOUBLE))"


def _log(value: str) -> str:
    # Counts, seconds and fees have long tails; slopes may be negative.
    return f"signum({value}) * ln(1D + abs({value}))"


def _scale(n: Numeric) -> str:
    return f"(coalesce({_log(_value(n.name))}, {_double(n.median)}) - {_double(n.mean)}) / {_double(n.deviation)}"


def _double(number: float) -> str:
    return f"({number!r}D)"


def _fold(category: Category) -> str:
    name = f"CAST(`{category.name}` AS STRING)"
    known = ", ".join(map(_text, category.levels[:-2]))
    return f"CASE WHEN {name} IS NULL THEN '{UNKNOWN}' WHEN {name} IN ({known}) THEN {name} ELSE '{OTHER}' END"


def _text(level: str) -> str:
    return "'" + level.replace("\\", "\\\\").replace("'", "\\'") + "'"
