"""What was found beside what was planted. The only reader of a city's truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.pseudonyms import Key


@dataclass(frozen=True)
class Found:
    """Re-entrants found at the final stage against those planted.

    ``planted`` counts the re-entries whose final stage fell within the days run; ``candidates`` the joiners looked at.
    """

    candidates: int
    planted: int
    found: int
    right: int

    @property
    def precision(self) -> float | None:
        """Right pairs among those found."""
        return self.right / self.found if self.found else None

    def __str__(self) -> str:
        shares = [f"{share:.2f}" if share is not None else "none" for share in (self.precision, self.recall)]
        return f"{self.found} found, {self.planted} planted among {self.candidates} joiners; precision {shares[0]}, recall {shares[1]}"

    @property
    def recall(self) -> float | None:
        """Planted pairs found."""
        return self.right / self.planted if self.planted else None


def planted_pairs(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per planted re-entry: user_id and old_user_id as the lake knows them, same_handset, kind, gap_days.

    Raises MissingInputError when the truth is not there.
    """
    if not (truth / "reentries").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    rows = spark.read.parquet(str(truth / "reentries"))
    return rows.select(
        key.pseudonym(F.col("new_user_id"), "user").alias("user_id"), key.pseudonym(F.col("old_user_id"), "user").alias("old_user_id"),
        "same_handset", "same_document", "kind", "gap_days",
    )  # fmt: skip


def planted_decoys(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per joiner made to look like another user without being that person: user_id, kind, old_user_id (the other; may be null)."""
    rows = spark.read.parquet(str(truth / "decoys"))
    return rows.select(
        key.pseudonym(F.col("user_id"), "user").alias("user_id"), "kind", key.pseudonym(F.col("like_user_id"), "user").alias("old_user_id")
    )  # fmt: skip


def planted_destinations(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per user: user_id and ``destination``, where the person went; null for who stayed."""
    rows = spark.read.parquet(str(truth / "users"))
    return rows.select(key.pseudonym(F.col("user_id"), "user").alias("user_id"), "destination")


def planted_discontent(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per user that was ever discontented within the city's time: user_id and ``discontented_on``, since when it was last."""
    rows = spark.read.parquet(str(truth / "users")).where("discontented_on IS NOT NULL")
    return rows.select(key.pseudonym(F.col("user_id"), "user").alias("user_id"), "discontented_on")


def reentry_found(joiners: DataFrame, matches: DataFrame, planted: DataFrame, stage_days: int) -> Found:
    """Matches of one stage against the planted pairs of the joiners that were asked at that stage."""
    asked = joiners.where(F.col("stage_days") == stage_days)
    due = planted.join(asked.select("user_id"), on="user_id", how="inner")
    given = matches.where(F.col("stage_days") == stage_days)
    right = given.join(planted.select("user_id", "old_user_id"), on=["user_id", "old_user_id"], how="inner")
    return Found(asked.count(), due.count(), given.count(), right.count())


def planted_incidents(spark: SparkSession, truth: Path) -> DataFrame:
    """One row per incident planted: kind, feed, delivered_on, day, file, lines. Raises MissingInputError when there is no truth."""
    return _planted(spark, truth, "incidents")


def planted_faults(spark: SparkSession, truth: Path) -> DataFrame:
    """One row per line planted broken: feed, record_no, kind, delivered_on. Raises MissingInputError when there is no truth."""
    return _planted(spark, truth, "faults")


def _planted(spark: SparkSession, truth: Path, what: str) -> DataFrame:
    if not (truth / what).is_dir():
        raise MissingInputError(f"no {what} in {truth}; set city.truth to the folder that generate_city wrote")
    return spark.read.parquet(str(truth / what))
