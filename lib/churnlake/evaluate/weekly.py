"""A city written as weekly contacts in place of records: its daily tables, a day standing for a week.

Records of twenty thousand people over half a year are some thirty million; their weekly contacts are a tenth of that, and the
people, their circles and their lives are the same. Registers and the jobs after the daily tables are those of every city.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pyspark.sql import Column, DataFrame
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
    frames[PLACES] = _nowhere(frames[DEVICES])
    lake.write_all(frames)


WEEKLY: Job = declare(Settings, reads=(LIVES,), writes=(USAGE, EDGES, FORWARDS, PLACES, DEVICES))(weekly_daily)
"""Stands in for ingest_usage and build_daily."""


def weekly_as_seen(lake: Lake, run: Run) -> None:
    """Daily usage, peers and handsets of such a city as a switch would have told them at each week's end: nobody's last use is told."""
    landing, key = Path(run.settings.store.landing), lake.key
    began = lake.spark.read.parquet(str(landing / "lifecycle")).select("USER_ID", "FIRST_USE", "FIRST_IMEI")
    used = began.withColumn("user_id", key.pseudonym(F.col("USER_ID"), "user")).withColumns(
        {
            "FIRST_USE": F.greatest("FIRST_USE", F.lit(run.days.first)),
            "LAST_USE": F.lit(None).cast("date"),
            "LAST_IMEI": F.lit("0"),
        }
    )
    holders = daily.Holders(lake.read(LIVES), run.days, run.settings.store.city_zone)
    told = (lake.spark.read.parquet(str(landing / name)) for name in ("edges", "forwards"))
    met, sent_on = (
        rows.withColumn("user_id", key.pseudonym(F.col("USER_ID"), "user")).withColumn("day", F.col("FIRST_DAY")) for rows in told
    )
    met = lake.checkpoint(met.drop("FIRST_DAY"))
    devices = _devices(lake, used, run).where(F.col("day") < F.lit(run.days.last))
    lake.write_all(
        {
            USAGE: _seen(met, sent_on, run.settings),
            EDGES: daily.with_peer_ids(_edges(met, lake, run.settings), holders),
            DEVICES: devices,
            PLACES: _nowhere(devices),
        }
    )


SEEN: Job = declare(Settings, reads=(LIVES,), writes=(USAGE, EDGES, DEVICES, PLACES))(weekly_as_seen)
"""Stands in for ingest_usage and build_daily where nothing may be known before its time: who never comes again is not told by a last day."""


def _nowhere(devices: DataFrame) -> DataFrame:
    """No row of daily.places."""
    return devices.where("false").selectExpr("day", "user_id", "'' as cell_id", "0L as voice_calls", "0L as night_calls")


def _usage(weeks: DataFrame, used: DataFrame) -> DataFrame:
    """One row per user and day with contacts, or of first or last use: own_events; what else is counted of records is 0."""
    met = weeks.select("user_id", "day", F.expr("cast(OUT_CALLS + OUT_MESSAGES as bigint)").alias("own_events"))
    ends = used.selectExpr("user_id", "explode(array(FIRST_USE, LAST_USE)) as day", "1L as own_events").where("day is not null")
    own = met.unionByName(ends).groupBy("user_id", "day").agg(F.sum("own_events").alias("own_events"))
    return own.withColumns(_uncounted({"own_events"}))


def _uncounted(counted: Collection[str]) -> dict[str, Column]:
    """What weekly contacts do not tell: 0, or null where it is no sum."""
    return {i.name: F.lit(0 if i.merge == "sum" else None).cast(i.type) for i in DAILY if i.name not in counted}


def _seen(met: DataFrame, sent_on: DataFrame, settings: Settings) -> DataFrame:
    """One row per user and week with contacts, on the week's first day: calls and messages (as SMS) both ways, calls to hotlines, calls sent on."""
    named = numbers.with_parties(met, ["OPP_NUMBER"], settings.landing)
    ours, theirs = (f"OPP_NUMBER_service in ({codes})" for codes in ("'1860', '1861', '10086'", "'1001', '10010'"))
    counts = {
        "own_events": "OUT_CALLS + OUT_MESSAGES",
        "voice_out_calls": "OUT_CALLS",
        "voice_in_calls": "IN_CALLS",
        "sms_out_messages": "OUT_MESSAGES",
        "sms_in_messages": "IN_MESSAGES",
        "voice_out_calls_to_hotline": f"if({ours}, OUT_CALLS, 0)",
        "voice_out_calls_to_competitor_hotline": f"if({theirs}, OUT_CALLS, 0)",
    }
    sums = [F.expr(f"cast(sum({sql}) as bigint)").alias(name) for name, sql in counts.items()]
    used = named.groupBy("user_id", "day").agg(*sums)
    networks = {f"voice_forwarded_calls_to_{name}": name for name in ("own", "unicom_gsm", "unicom_cdma", "fixed", "phs")}
    to = numbers.with_parties(sent_on, ["FORWARDED_TO"], settings.landing).groupBy("user_id", "day").agg(
        F.expr("cast(sum(CALLS) as bigint)").alias("voice_forwarded_calls"),
        *(F.expr(f"cast(sum(if(FORWARDED_TO_network = '{of}', CALLS, 0)) as bigint)").alias(name) for name, of in networks.items()),
    )  # fmt: skip
    both = used.join(to, on=["user_id", "day"], how="full").na.fill(0)
    # a call that is sent on is none that was taken
    taken = both.withColumn("voice_in_calls", F.greatest(F.col("voice_in_calls") - F.col("voice_forwarded_calls"), F.lit(0)))
    return taken.withColumns(_uncounted(both.columns))


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
