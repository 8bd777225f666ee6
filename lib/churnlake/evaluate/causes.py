"""Likely causes of leaving beside those planted: how often right, against the commonest cause and rules asked in turn; a confusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.pseudonyms import Key
from churnlake.core.runs import Days
from churnlake.evaluate.content import lake_of
from churnlake.settings import Settings
from churnlake.tables.causes import EVIDENCE_CAUSES, LEAVER_CAUSES, UNKNOWN

PLANTED_AS = {
    "fraud": "arrears",
    "arrears": "arrears",
    "lost_sim": "lost_sim",
    "move": "moved",
    "circle": "friends",
    "service": "quality",
    "coverage": "quality",
    "bonus": "bonus",
    "handset": "handset",
    "price": "price",
    # the city has no cause of its own for a competitor's offer: what makes it one is its price
    "competitor": "price",
}
"""By declared cause, the cause that the city plants under its name."""


@dataclass(frozen=True)
class CausesFound:
    """Likely causes beside planted ones.

    ``confusion`` counts leavers by planted cause and by the likeliest cause, named as the city names it, or unknown. ``majority`` is how
    often the commonest planted cause is right; ``by_rule`` how often the first piece of evidence that holds is, in the order declared.
    """

    confusion: Mapping[str, Mapping[str, int]]
    by_rule: float

    @property
    def leavers(self) -> int:
        """Leavers with a planted cause."""
        return sum(sum(row.values()) for row in self.confusion.values())

    @property
    def accuracy(self) -> float:
        """Share of them whose likeliest cause is the planted one."""
        return sum(row.get(planted, 0) for planted, row in self.confusion.items()) / max(self.leavers, 1)

    @property
    def majority(self) -> float:
        """Share of the commonest planted cause."""
        return max((sum(row.values()) for row in self.confusion.values()), default=0) / max(self.leavers, 1)

    @property
    def unknown(self) -> float:
        """Share of them for which nothing speaks."""
        return sum(row.get(UNKNOWN, 0) for row in self.confusion.values()) / max(self.leavers, 1)

    def __str__(self) -> str:
        if not self.leavers:
            return "no leaver with a planted cause"
        each = ", ".join(
            f"{planted} {row.get(planted, 0)} of {sum(row.values())}" for planted, row in sorted(self.confusion.items())
        )
        return (
            f"{self.accuracy:.2f} of {self.leavers} leavers as planted, {self.unknown:.2f} unknown; the commonest cause {self.majority:.2f}, "
            f"rules in turn {self.by_rule:.2f} ({each})"
        )


def causes_found(causes: DataFrame, planted: DataFrame) -> CausesFound:
    """Rows of churn.causes beside planted ones (``planted_causes``): of each leaver the first confirmation."""
    first = causes.groupBy("user_id").agg(F.min_by(F.struct("cause", "evidence"), "known_on").alias("found"))
    beside = first.select("user_id", "found.*").join(planted, on="user_id", how="inner")
    named = F.create_map(*[F.lit(x) for pair in PLANTED_AS.items() for x in pair])
    ruled = ", ".join(
        f"if(array_contains(evidence, '{name}'), '{PLANTED_AS[cause]}', null)" for name, cause in EVIDENCE_CAUSES.items()
    )
    told = beside.select(
        "planted", F.coalesce(named[F.col("cause")], F.lit(UNKNOWN)).alias("cause"), F.expr(f"coalesce({ruled})").alias("ruled")
    )
    # causes times causes
    counted = (
        told.groupBy("planted", "cause")
        .agg(F.count("*").alias("n"), F.count_if(F.expr("planted = ruled")).alias("ruled"))
        .collect()
    )
    confusion: dict[str, dict[str, int]] = {}
    for row in counted:
        confusion.setdefault(row["planted"], {})[row["cause"]] = int(row["n"])
    total = sum(row["n"] for row in counted)
    return CausesFound(confusion, sum(row["ruled"] for row in counted) / max(total, 1))


def planted_causes(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per user who left for a planted cause: user_id, planted. Raises MissingInputError without a truth."""
    if not (truth / "users").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    rows = spark.read.parquet(str(truth / "users")).where("cause IS NOT NULL AND destination IS NOT NULL")
    return rows.select(key.pseudonym(F.col("user_id"), "user").alias("user_id"), F.col("cause").alias("planted"))


def judged(spark: SparkSession, settings: Settings, days: Days) -> CausesFound:
    """The likely causes of a lake beside those planted in its city."""
    lake = lake_of(spark, settings, days, LEAVER_CAUSES)
    return causes_found(lake.read(LEAVER_CAUSES), planted_causes(spark, Path(settings.city.truth), lake.key))
