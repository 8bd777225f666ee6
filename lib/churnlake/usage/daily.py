"""Clean records become daily partials."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column as SqlColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Column, Table
from churnlake.core.runs import Days
from churnlake.indicators import DAILY
from churnlake.indicators.hours import HOUR_UNIT
from churnlake.indicators.sources import RECORD
from churnlake.tables.clean import MMS, NETWORKS, SMS, VOICE, WAP
from churnlake.tables.daily import CONTACTS, DEVICES, EDGES, PLACES, USAGE
from churnlake.usage.settings import UsageSettings

ONE_DAY = dt.timedelta(days=1)
_NETWORKS = f"array({', '.join(repr(network) for network in sorted(NETWORKS))})"
SERVICES = {VOICE: "voice", SMS: "sms", MMS: "mms", WAP: "wap"}


def events(records: Mapping[str, DataFrame]) -> DataFrame:
    """One row per clean record of any service; every number is a user of its own (see ``held``).

    ``records`` are the clean tables by name, as far as they exist. A WAP session counts as outgoing: the user began it. A value
    beyond its bounds that was let through with a warning counts as none: no sum is moved by it.
    """
    frames = []
    for table, service in SERVICES.items():
        if table.name in records:
            given = {c: F.col(c) for c in records[table.name].columns} | {"service": F.lit(service)}
            given |= {c.name: _believed(c) for c in table.columns if c.severity == "warn" and c.name in given}
            if service == "wap":
                given["direction"] = F.lit("out")
            rows = records[table.name]
            frames.append(rows.select([given.get(c, F.lit(None)).cast(kind).alias(c) for c, kind in RECORD.items()]))
    all_events = reduce(DataFrame.unionByName, frames).withColumns(
        {"weekday": F.expr("weekday(day) + 1"), "hour_unit": F.expr(HOUR_UNIT)}
    )
    return all_events.withColumn("user_id", F.col("number_key"))


def held(all_events: DataFrame, lives: DataFrame, days: Days) -> DataFrame:
    """The events of ``days`` with ``is_user``: whether ``user_id`` is the user that held the number then, or still the number.

    Nearly all numbers stay in one hand throughout, so only those that change hands within these days are told apart record by
    record; any other is summed up first, and ``_of_users`` says once a day whose it is. Records need not be moved to their
    number's lives for that. ``lives`` is reference.lives.
    """
    # a day more on both sides: the city's days begin and end up to a day before or after those of UTC
    first, last = (F.lit(day).cast("timestamp") for day in (days.first - ONE_DAY, days.last + 2 * ONE_DAY))
    moves = [(F.col(end) > first) & (F.col(end) < last) for end in ("valid_from", "valid_to")]
    moving = lives.where(moves[0] | moves[1]).select(
        F.col("number_key").alias("held_key"), "valid_from", "valid_to", F.col("user_id").alias("held_by")
    )
    then = F.expr("number_key = held_key AND started_at >= valid_from AND started_at < valid_to")
    found = all_events.join(F.broadcast(moving), how="left", on=then)
    told = {"user_id": F.coalesce("held_by", "user_id"), "is_user": F.col("held_by").isNotNull()}
    return found.withColumns(told).drop("held_key", "valid_from", "valid_to", "held_by")


def _of_users(counted: DataFrame, lives: DataFrame | None, zone: str) -> DataFrame:
    """The rows, one per user and day or less, of numbers ``held`` left as they are: now of the user that held the number all day."""
    if lives is None:
        return counted
    whose = lives.select(F.col("number_key").alias("held_key"), "valid_from", "valid_to", F.col("user_id").alias("held_by"))
    morning, night = (f"to_utc_timestamp({day}, '{zone}')" for day in ("day", "date_add(day, 1)"))
    all_day = f"NOT is_user AND user_id = held_key AND valid_from <= {morning} AND valid_to >= {night}"
    found = counted.join(whose, how="left", on=F.expr(all_day)).withColumn("user_id", F.coalesce("held_by", "user_id"))
    return found.drop("is_user", "held_key", "valid_from", "valid_to", "held_by")


def _per(lives: DataFrame | None, *keys: str) -> list[str]:
    """The columns to sum up by; an event ``held`` says whether its user is one."""
    return ["day", "user_id", *([] if lives is None else ["is_user"]), *keys]


def _believed(column: Column) -> SqlColumn:
    bounds = [f"{column.name} >= {column.least}"] if column.least is not None else []
    bounds += [f"{column.name} <= {column.most}"] if column.most is not None else []
    return F.expr(f"if({' AND '.join(bounds)}, {column.name}, null)") if bounds else F.col(column.name)


def partials(
    all_events: DataFrame, settings: UsageSettings, lives: DataFrame | None = None, zone: str = "UTC"
) -> dict[Table, DataFrame]:
    """The daily tables made of the events, by table."""
    return {
        USAGE: usage(all_events, lives, zone),
        EDGES: edges(all_events, lives, zone),
        PLACES: places(all_events, settings, lives, zone),
        DEVICES: devices(all_events, lives, zone),
    }


def usage(all_events: DataFrame, lives: DataFrame | None = None, zone: str = "UTC") -> DataFrame:
    """One row per user and day with a record: every daily indicator, in one aggregation."""
    counted = all_events.groupBy(*_per(lives)).agg(*[F.expr(i.daily).alias(i.name) for i in DAILY])
    return _of_users(counted, lives, zone)


def edges(all_events: DataFrame, lives: DataFrame | None = None, zone: str = "UTC") -> DataFrame:
    """One row per user, day and peer: contacts both ways. Service numbers, withheld peers and the user's own number are left out.

    The peer is named by its user when it is one of our numbers in somebody's hands that day, so a recycled number does not
    join two people's circles.
    """
    met = all_events.where("peer_key IS NOT NULL AND peer_service IS NULL AND peer_key <> number_key AND service <> 'wap'")
    answered = "service = 'voice' AND seconds > 0"
    # as numbers: with a text to compare, Spark sorts all records in place of hashing them, four times the work
    counted = met.groupBy(*_per(lives, "peer_key")).agg(
        F.expr(f"min(nullif(array_position({_NETWORKS}, peer_network), 0))").alias("network_place"),
        F.expr("min(try_cast(peer_area as int))").alias("area_number"),
        F.expr(f"count_if({answered} AND direction = 'out')").alias("voice_out_calls"),
        F.expr(f"count_if({answered} AND direction = 'in')").alias("voice_in_calls"),
        F.expr(f"coalesce(sum(if({answered} AND direction = 'out', seconds, null)), 0)").alias("voice_out_seconds"),
        F.expr(f"coalesce(sum(if({answered} AND direction = 'in', seconds, null)), 0)").alias("voice_in_seconds"),
        F.expr("count_if(service IN ('sms', 'mms') AND direction = 'out')").alias("message_out"),
        F.expr("count_if(service IN ('sms', 'mms') AND direction = 'in')").alias("message_in"),
    )
    told = counted.where(f"{CONTACTS} > 0").withColumns(
        {
            "peer_network": F.expr(f"element_at({_NETWORKS}, cast(network_place as int))"),
            "peer_area": F.expr("concat('0', cast(area_number as string))"),
        }
    )
    counted = _of_users(told.drop("network_place", "area_number"), lives, zone)
    if lives is None:
        return counted.withColumnRenamed("peer_key", "peer_id")
    peers = lives.select(
        F.col("number_key").alias("peer_key"),
        F.to_date(F.from_utc_timestamp("valid_from", zone)).alias("from_day"),
        F.expr(f"if(year(valid_to) > 9000, date'9999-12-31', to_date(from_utc_timestamp(valid_to, '{zone}')))").alias("to_day"),
        F.col("user_id").alias("held_by"),
    )
    # half-open days: on the day a number changes hands it is the new holder's
    named = counted.alias("e").join(
        peers.alias("h"), how="left", on=F.expr("e.peer_key = h.peer_key AND day >= from_day AND day < to_day")
    )
    return named.select("e.*", F.expr("coalesce(held_by, e.peer_key)").alias("peer_id")).drop("peer_key")


def places(all_events: DataFrame, settings: UsageSettings, lives: DataFrame | None = None, zone: str = "UTC") -> DataFrame:
    """One row per user, day and cell: calls begun there, and those by night."""
    seen = all_events.where("cell_id IS NOT NULL")
    night = f"count_if(hour >= {settings.night_from_hour} OR hour < {settings.night_to_hour})"
    counted = seen.groupBy(*_per(lives, "cell_id")).agg(F.count("*").alias("voice_calls"), F.expr(night).alias("night_calls"))
    return _of_users(counted, lives, zone)


def devices(all_events: DataFrame, lives: DataFrame | None = None, zone: str = "UTC") -> DataFrame:
    """One row per user, day and handset: calls on it."""
    seen = all_events.where("imei_key IS NOT NULL")
    # its 8 digits as a number, as in ``edges``
    counted = seen.groupBy(*_per(lives, "imei_key")).agg(
        F.expr("min(try_cast(tac as int))").alias("tac_number"), F.count("*").alias("voice_calls")
    )
    told = counted.withColumn("tac", F.expr("lpad(cast(tac_number as string), 8, '0')")).drop("tac_number")
    return _of_users(told, lives, zone)
