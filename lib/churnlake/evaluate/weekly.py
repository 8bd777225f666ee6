"""A city written as weekly contacts in place of records: its daily tables, a day standing for a week.

Records of twenty thousand people over half a year are some thirty million; their weekly contacts are a tenth of that, and the
people, their circles and their lives are the same. Registers and the jobs after the daily tables are those of every city.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.job import Job, Run, declare
from churnlake.core.lake import Lake
from churnlake.indicators import DAILY
from churnlake.landing import clean, numbers
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reference import LIVES
from churnlake.usage import daily


def weekly_daily(lake: Lake, run: Run) -> None:
    """Daily tables of a city of weekly contacts: a week's contacts stand on its first day on which the user was there.

    First and last own event are those the operator tells of each number; cells are not told, handsets on these two days only.
    """
    landing, key = Path(run.settings.store.landing), lake.key
    told = lake.spark.read.parquet(str(landing / "lifecycle"))
    # of those who began before the data, the first day there is
    begun = F.greatest("FIRST_USE", F.lit(run.days.first)).alias("FIRST_USE")
    used = told.select(key.pseudonym(F.col("USER_ID"), "user").alias("user_id"), begun, "LAST_USE", "FIRST_IMEI", "LAST_IMEI")
    holders = daily.Holders(lake.read(LIVES), run.days, run.settings.store.city_zone)
    weeks = lake.spark.read.parquet(str(landing / "edges")).withColumn("user_id", key.pseudonym(F.col("USER_ID"), "user"))
    # who was never seen to begin has contacts all the same
    weeks = weeks.join(used.select("user_id", "FIRST_USE"), on="user_id", how="left")
    weeks = lake.checkpoint(weeks.withColumn("day", F.greatest("FIRST_DAY", "FIRST_USE")).drop("FIRST_USE", "FIRST_DAY"))
    frames = {
        USAGE: _usage(weeks, used),
        EDGES: daily.with_peer_ids(_edges(weeks, lake, run.settings), holders),
        DEVICES: _devices(lake, used, run),
    }
    frames[FORWARDS] = frames[EDGES].where("false").selectExpr("day", "user_id", "peer_id", "0L as calls")
    frames[PLACES] = frames[DEVICES].where("false").selectExpr(
        "day", "user_id", "'' as cell_id", "0L as voice_calls", "0L as night_calls"
    )  # fmt: skip
    lake.write_all(frames)


WEEKLY: Job = declare(Settings, reads=(LIVES,), writes=(USAGE, EDGES, FORWARDS, PLACES, DEVICES))(weekly_daily)
"""Stands in for ingest_usage and build_daily."""


def _usage(weeks: DataFrame, used: DataFrame) -> DataFrame:
    """One row per user and day with contacts, or of first or last use: own_events; what else is counted of records is 0."""
    met = weeks.select("user_id", "day", F.expr("cast(OUT_CALLS + OUT_MESSAGES as bigint)").alias("own_events"))
    ends = used.selectExpr("user_id", "explode(array(FIRST_USE, LAST_USE)) as day", "1L as own_events").where("day is not null")
    own = met.unionByName(ends).groupBy("user_id", "day").agg(F.sum("own_events").alias("own_events"))
    others = {i.name: F.lit(0 if i.merge == "sum" else None).cast(i.type) for i in DAILY if i.name != "own_events"}
    return own.withColumns(others)


def _edges(weeks: DataFrame, lake: Lake, settings: Settings) -> DataFrame:
    """One row per user, day and peer's number."""
    named = numbers.with_parties(weeks, ["OPP_NUMBER"], settings.landing)
    met = named.where("OPP_NUMBER_number is not null and OPP_NUMBER_service is null")
    counts = {
        "voice_out_calls": "OUT_CALLS",
        "voice_in_calls": "IN_CALLS",
        "message_out": "OUT_MESSAGES",
        "message_in": "IN_MESSAGES",
    }
    return (
        met.withColumn("peer_key", lake.key.pseudonym(F.col("OPP_NUMBER_number"), "number"))
        .groupBy("user_id", "day", "peer_key")
        .agg(
            F.min("OPP_NUMBER_network").alias("peer_network"),
            F.min("OPP_NUMBER_area").alias("peer_area"),
            *(F.expr(f"cast(sum({column}) as bigint)").alias(name) for name, column in counts.items()),
            *(F.lit(0).cast("bigint").alias(name) for name in ("voice_out_seconds", "voice_in_seconds")),
        )
    )


def _devices(lake: Lake, used: DataFrame, run: Run) -> DataFrame:
    """One row per user, day of first or last use, and handset."""
    last = f"coalesce(LAST_USE, date'{run.days.last}')"
    each = used.selectExpr(
        "user_id", f"inline(array(struct(FIRST_USE as day, FIRST_IMEI as imei), struct({last} as day, LAST_IMEI as imei)))"
    )
    seen = each.withColumn("handset", clean.handset("imei")).where("handset is not null").distinct()
    return seen.select(
        "day",
        "user_id",
        lake.key.pseudonym(F.col("handset"), "imei").alias("imei_key"),
        F.substring("handset", 1, 8).alias("tac"),
        F.lit(1).cast("bigint").alias("voice_calls"),
    )
