"""Clean records become daily partials."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column as SqlColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Column, Table
from churnlake.core.runs import Days
from churnlake.indicators import DAILY
from churnlake.indicators.formulas import total
from churnlake.indicators.hours import HOUR_UNIT
from churnlake.indicators.sources import RECORD
from churnlake.tables.clean import MMS, SMS, VOICE, WAP
from churnlake.tables.daily import CONTACTS, DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.usage.settings import UsageSettings
from churnlake.usage.sql import by_kind, count_where, counted, least_peer_codes, with_peer_texts

ONE_DAY = dt.timedelta(days=1)
SERVICES = {VOICE: "voice", SMS: "sms", MMS: "mms", WAP: "wap"}


@dataclass(frozen=True)
class Holders:
    """Who holds which number: reference.lives, in the days of a run, that begin and end in the city's time zone."""

    lives: DataFrame
    days: Days
    zone: str


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


def held(all_events: DataFrame, holders: Holders) -> DataFrame:
    """The events with ``is_user``: whether ``user_id`` is the user that held the number then, or still the number.

    Nearly all numbers stay in one hand throughout, so only those that change hands within the run's days are told apart record by
    record; any other is summed up first, and ``_of_users`` says once a day whose it is. Records need not be moved to their
    number's lives for that.
    """
    # a day more on both sides: the city's days begin and end up to a day before or after those of UTC
    days = holders.days
    first, last = (F.lit(day).cast("timestamp") for day in (days.first - ONE_DAY, days.last + 2 * ONE_DAY))
    moves = [(F.col(end) > first) & (F.col(end) < last) for end in ("valid_from", "valid_to")]
    moving = holders.lives.where(moves[0] | moves[1]).select(
        F.col("number_key").alias("held_key"), "valid_from", "valid_to", F.col("user_id").alias("held_by")
    )
    then = F.expr("number_key = held_key AND started_at >= valid_from AND started_at < valid_to")
    found = all_events.join(F.broadcast(moving), how="left", on=then)
    told = {"user_id": F.coalesce("held_by", "user_id"), "is_user": F.col("held_by").isNotNull()}
    return found.withColumns(told).drop("held_key", "valid_from", "valid_to", "held_by")


def _of_users(summed: DataFrame, holders: Holders | None) -> DataFrame:
    """The rows, one per user and day or less, of numbers ``held`` left as they are: now of the user that held the number all day.

    Lives are told day by day, so that the join asks for the columns the rows were summed up by: they lie together already, and
    wide rows are not moved once more.
    """
    if holders is None:
        return summed
    days = F.explode(F.sequence(F.lit(holders.days.first), F.lit(holders.days.last)))
    morning, night = (f"to_utc_timestamp({day}, '{holders.zone}')" for day in ("day", "date_add(day, 1)"))
    whose = holders.lives.withColumn("day", days).where(f"valid_from <= {morning} AND valid_to >= {night}")
    # a false that Spark does not see through: else it takes the column out of the join, which then moves the rows
    told = whose.select(
        "day",
        F.col("number_key").alias("user_id"),
        F.expr(f"valid_from > {morning}").alias("is_user"),
        F.col("user_id").alias("held_by"),
    )
    found = summed.join(told, how="left", on=["day", "user_id", "is_user"])
    return found.withColumn("user_id", F.coalesce("held_by", "user_id")).drop("is_user", "held_by")


def _per(holders: Holders | None, *keys: str) -> list[str]:
    """The columns to sum up by; an event ``held`` says whether its user is one."""
    return ["day", "user_id", *([] if holders is None else ["is_user"]), *keys]


def _believed(column: Column) -> SqlColumn:
    bounds = [f"{column.name} >= {column.least}"] if column.least is not None else []
    bounds += [f"{column.name} <= {column.most}"] if column.most is not None else []
    return F.expr(f"if({' AND '.join(bounds)}, {column.name}, null)") if bounds else F.col(column.name)


def partials(all_events: DataFrame, settings: UsageSettings, holders: Holders | None = None) -> dict[Table, DataFrame]:
    """The daily tables made of the events, by table."""
    return {
        USAGE: usage(all_events, holders),
        EDGES: edges(all_events, holders),
        FORWARDS: forwards(all_events, holders),
        PLACES: places(all_events, settings, holders),
        DEVICES: devices(all_events, holders),
    }


def usage(all_events: DataFrame, holders: Holders | None = None) -> DataFrame:
    """One row per user and day with a record: every daily indicator, in one aggregation."""
    kinds, formulas = by_kind({i.name: counted(i.daily) for i in DAILY})
    told = all_events.withColumns({name: F.expr(condition) for name, condition in kinds.items()})
    summed = told.groupBy(*_per(holders)).agg(*(F.expr(formula).alias(name) for name, formula in formulas.items()))
    return _of_users(summed, holders)


def edges(all_events: DataFrame, holders: Holders | None = None) -> DataFrame:
    """One row per user, day and peer: contacts both ways. Service numbers, withheld peers and the user's own number are left out.

    The peer is named by its user when it is one of our numbers in somebody's hands that day, so a recycled number does not
    join two people's circles.
    """
    met = all_events.where("peer_key IS NOT NULL AND peer_service IS NULL AND peer_key <> number_key AND service <> 'wap'")
    answered = "service = 'voice' AND seconds > 0"
    summed = met.groupBy(*_per(holders, "peer_key")).agg(
        *least_peer_codes(),
        F.expr(count_where(f"{answered} AND direction = 'out'")).alias("voice_out_calls"),
        F.expr(count_where(f"{answered} AND direction = 'in'")).alias("voice_in_calls"),
        F.expr(total(f"{answered} AND direction = 'out'", "seconds")).alias("voice_out_seconds"),
        F.expr(total(f"{answered} AND direction = 'in'", "seconds")).alias("voice_in_seconds"),
        F.expr(count_where("service IN ('sms', 'mms') AND direction = 'out'")).alias("message_out"),
        F.expr(count_where("service IN ('sms', 'mms') AND direction = 'in'")).alias("message_in"),
    )
    found = _of_users(with_peer_texts(summed.where(f"{CONTACTS} > 0")), holders)
    return with_peer_ids(found, holders)


def forwards(all_events: DataFrame, holders: Holders | None = None) -> DataFrame:
    """One row per user, day and number that its calls were sent on to, its own left out; named as peers are."""
    sent = all_events.where(
        "service = 'voice' AND direction = 'forwarded' AND forwarded_key IS NOT NULL AND forwarded_key <> number_key"
    )
    summed = (
        sent.withColumn("peer_key", F.col("forwarded_key")).groupBy(*_per(holders, "peer_key")).agg(F.count("*").alias("calls"))
    )
    return with_peer_ids(_of_users(summed, holders), holders)


def with_peer_ids(met: DataFrame, holders: Holders | None) -> DataFrame:
    """The rows with ``peer_id`` in place of ``peer_key``: the user in whose hands the number is on that ``day``, else the number."""
    if holders is None:
        return met.withColumnRenamed("peer_key", "peer_id")
    zone = holders.zone
    peers = holders.lives.select(
        F.col("number_key").alias("peer_key"),
        F.to_date(F.from_utc_timestamp("valid_from", zone)).alias("from_day"),
        F.expr(f"if(year(valid_to) > 9000, date'9999-12-31', to_date(from_utc_timestamp(valid_to, '{zone}')))").alias("to_day"),
        F.col("user_id").alias("held_by"),
    )
    # half-open days: on the day a number changes hands it is the new holder's
    named = met.alias("e").join(
        peers.alias("h"), how="left", on=F.expr("e.peer_key = h.peer_key AND day >= from_day AND day < to_day")
    )
    return named.select("e.*", F.expr("coalesce(held_by, e.peer_key)").alias("peer_id")).drop("peer_key")


def places(all_events: DataFrame, settings: UsageSettings, holders: Holders | None = None) -> DataFrame:
    """One row per user, day and cell: calls begun there, and those by night."""
    seen = all_events.where("cell_id IS NOT NULL")
    night = count_where(f"hour >= {settings.night_from_hour} OR hour < {settings.night_to_hour}")
    summed = seen.groupBy(*_per(holders, "cell_id")).agg(F.count("*").alias("voice_calls"), F.expr(night).alias("night_calls"))
    return _of_users(summed, holders)


def devices(all_events: DataFrame, holders: Holders | None = None) -> DataFrame:
    """One row per user, day and handset: calls on it."""
    seen = all_events.where("imei_key IS NOT NULL")
    # its 8 digits as a number, as what is known of peers
    summed = seen.groupBy(*_per(holders, "imei_key")).agg(
        F.expr("min(try_cast(tac as int))").alias("tac_number"), F.count("*").alias("voice_calls")
    )
    told = summed.withColumn("tac", F.expr("lpad(cast(tac_number as string), 8, '0')")).drop("tac_number")
    return _of_users(told, holders)
