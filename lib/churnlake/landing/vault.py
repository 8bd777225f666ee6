"""What the vault keeps: the numbers of good subscribers, each once."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.pseudonyms import Key
from churnlake.landing.clean import with_own
from churnlake.landing.settings import LandingSettings


def told(raw: DataFrame, key: Key, settings: LandingSettings, opaque: bool) -> DataFrame:
    """One row per row of raw.subscribers: number encrypted, its pseudonym under the oldest key, valid_from; null where it has none."""
    return with_own(raw, "number", settings, opaque).select(
        key.encrypt(F.col("own")).alias("number"), key.pseudonym(F.col("own"), "number").alias("number_key"), "valid_from"
    )


def of_good(rows: DataFrame, good: DataFrame, key: Key) -> DataFrame:
    """Those rows of ``told`` that are a good subscriber's; ``good`` are rows of reference.subscribers, under the newest key."""
    known = good.select(F.col("number_key").alias("renewed_key"), "valid_from").distinct()
    renewed = rows.withColumn("renewed_key", key.renewed(F.col("number_key")))
    return renewed.join(known, on=["renewed_key", "valid_from"], how="left_semi")


def numbers(good: DataFrame, known: DataFrame | None, batch: str) -> DataFrame:
    """One row per number that no other batch brought, as vault.numbers keeps it; ``good`` is what ``of_good`` gives, ``known`` the vault."""
    new = good.groupBy(F.col("renewed_key").alias("number_key")).agg(F.min("number").alias("number"))
    if known is not None:
        before = known.where(F.col("batch") != batch).select("number_key")
        new = new.join(before, on="number_key", how="left_anti")
    return new.select(F.lit(batch).alias("batch"), "number_key", "number")
