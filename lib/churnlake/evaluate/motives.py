"""Motives by rule and by survey beside those planted: a confusion, and how much was truly preventable."""

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
from churnlake.tables.motives import MOTIVE_SHARES, MOTIVES


@dataclass(frozen=True)
class MotivesFound:
    """Motives of right matches beside the planted ones.

    ``confusion`` counts by planted motive and motive by rule. ``preventable`` is the share of all matches that the survey tells,
    with its interval, at the newest month; none without one. ``unaware`` is the share, among the right matches, of those planted as not
    knowing that no new number was needed.
    """

    confusion: Mapping[str, Mapping[str, int]]
    preventable: tuple[float, float, float] | None
    unaware: float | None

    @property
    def matches(self) -> int:
        """Right matches with a planted motive."""
        return sum(sum(row.values()) for row in self.confusion.values())

    def share(self, *ruled: str) -> float:
        """Part of the right matches that got one of these motives by rule; without any, their planted one."""
        hits = [row.get(name, 0) for planted, row in self.confusion.items() for name in (ruled or (planted,))]
        return sum(hits) / max(self.matches, 1)

    def __str__(self) -> str:
        if not self.matches:
            return "no right match with a planted motive"
        each = ", ".join(
            f"{planted} {row.get(planted, 0)} of {sum(row.values())}" for planted, row in sorted(self.confusion.items())
        )
        wrong = 1 - self.share() - self.share("unknown")
        text = f"{self.share():.2f} of {self.matches} right matches by rule as planted, {self.share('unknown'):.2f} unknown, {wrong:.2f} another ({each})"
        if self.preventable is not None and self.unaware is not None:
            share, low, high = self.preventable
            text += f"; preventable by the survey {share:.2f} ({low:.2f} to {high:.2f}), planted {self.unaware:.2f}"
        return text


def judged(spark: SparkSession, settings: Settings, days: Days) -> MotivesFound:
    """The motives of a lake beside those planted in its city."""
    lake = lake_of(spark, settings, days, MOTIVES, MOTIVE_SHARES)
    shares = lake.read(MOTIVE_SHARES) if lake.has(MOTIVE_SHARES) else None
    return motives_found(lake.read(MOTIVES), shares, planted_motives(spark, Path(settings.city.truth), lake.key))


def motives_found(motives: DataFrame, shares: DataFrame | None, planted: DataFrame) -> MotivesFound:
    """Motives beside planted ones (``planted_motives``), of the matches that are right."""
    right = motives.join(planted, on=["user_id", "old_user_id"], how="inner")
    # motives times motives, and one row
    counted = right.groupBy("planted", "motive").count().orderBy("planted", "motive").collect()
    confusion: dict[str, dict[str, int]] = {}
    for row in counted:
        confusion.setdefault(row["planted"], {})[row["motive"]] = int(row["count"])
    every = None if shares is None else shares.where("motive = 'all'").orderBy(F.desc("month")).first()
    told = None if every is None or every["preventable_share"] is None else every
    unaware = right.agg(F.avg(F.col("is_unaware").cast("double")).alias("share")).first()
    return MotivesFound(
        confusion,
        (told["preventable_share"], told["preventable_low"], told["preventable_high"]) if told else None,
        unaware["share"] if unaware else None,
    )


def planted_motives(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per planted re-entry with a motive: user_id, old_user_id, planted, is_unaware. Raises MissingInputError without a truth."""
    if not (truth / "reentries").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    rows = spark.read.parquet(str(truth / "reentries")).where("motive IS NOT NULL")
    return rows.select(
        key.pseudonym(F.col("new_user_id"), "user").alias("user_id"),
        key.pseudonym(F.col("old_user_id"), "user").alias("old_user_id"),
        F.col("motive").alias("planted"),
        F.coalesce("is_unaware", F.lit(False)).alias("is_unaware"),
    )
