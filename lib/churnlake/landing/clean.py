"""Records of the landing contract -> clean records: one form for each number, pseudonyms, the city's day and hour."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import TRACE, Table
from churnlake.core.ledger import TOO_LATE
from churnlake.core.pseudonyms import Key
from churnlake.core.rules import NO_REASONS
from churnlake.landing import numbers
from churnlake.landing.settings import LandingSettings
from churnlake.tables.clean import EARLIEST, MMS, SMS, VOICE, WAP
from churnlake.tables.raw import RAW_MMS, RAW_SMS, RAW_VOICE, RAW_WAP

IMEI_DIGITS = 14
"""What identifies a handset: the digits before the check digit or software version (3GPP 23.003)."""


def voice(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.voice: the columns of clean.voice without ``batch``, and the trace.

    ``zone`` is the city's: ``day`` and ``hour`` are counted there. ``opaque`` numbers are ids and taken as they are.
    """
    parties = _with_parties(raw, settings, opaque, "number", "peer_number", "forwarded_to")
    told = parties.withColumn("handset", handset("imei"))
    zeros = F.substring("imei", 1, IMEI_DIGITS) == "0" * IMEI_DIGITS
    form = F.when(F.col("handset").isNotNull(), "whole").when(zeros, "zeros")
    found = {
        **_peer(key),
        **_time(zone),
        "dialled_form": F.col("peer_number_dialled_form"),
        "is_ip": F.coalesce("peer_number_is_ip", F.lit(False)),
        "imei_key": key.pseudonym(F.col("handset"), "imei"),
        "tac": F.substring("handset", 1, 8),
        "imei_form": form.when(F.trim("imei") != "", "unreadable"),
        "forwarded_key": key.pseudonym(F.col("forwarded_to_number"), "number"),
        "forwarded_network": F.col("forwarded_to_network"),
    }
    return _clean(told, VOICE, key, found)


def sms(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.sms: the columns of clean.sms without ``batch``, and the trace."""
    return _clean(_with_parties(raw, settings, opaque, "number", "peer_number"), SMS, key, {**_peer(key), **_time(zone)})


def mms(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.mms: the columns of clean.mms without ``batch``, and the trace."""
    return _clean(_with_parties(raw, settings, opaque, "number", "peer_number"), MMS, key, {**_peer(key), **_time(zone)})


def wap(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.wap: the columns of clean.wap without ``batch``, and the trace."""
    return _clean(_with_parties(raw, settings, opaque, "number"), WAP, key, _time(zone))


def in_time(cleaned: DataFrame, days: int, at: str = "day") -> DataFrame:
    """One row per row: clean records, those whose day (column ``at``) is more than ``days`` before their delivery told as too late in ``unreadable``."""
    # an absurd time has a reason of its own
    is_late = (F.col(at) < F.date_sub("delivered_on", days)) & (F.col(at) >= F.lit(EARLIEST).cast("date"))
    unreadable = F.coalesce("unreadable", F.expr(NO_REASONS))
    return cleaned.withColumn("unreadable", F.when(is_late, F.array_append(unreadable, F.lit(TOO_LATE))).otherwise(unreadable))


def handset(text: str) -> Column:
    """What identifies the handset in a column of IMEIs as switches send them; null where it is none."""
    first = F.substring(text, 1, IMEI_DIGITS)
    # A cast there and back proves that the text is digits only; all zeros means that the handset gave none.
    digits = first.try_cast("bigint")
    return F.when((digits > 0) & (F.lpad(digits.cast("string"), IMEI_DIGITS, "0") == first), first)


def own_number(text: str) -> Column:
    """The number of one of our users that a column of texts means; null where it can not be one: a service number, one abroad, no number."""
    return F.when(~F.col(f"{text}_network").isin(list(numbers.NO_USER)), F.col(f"{text}_number"))


def with_own(raw: DataFrame, text: str, settings: LandingSettings, opaque: bool) -> DataFrame:
    """The rows with ``own``, the number of one of our users that a column of texts means (see ``own_number``)."""
    return numbers.with_parties(raw, [text], settings, opaque).withColumn("own", own_number(text))


def _with_parties(raw: DataFrame, settings: LandingSettings, opaque: bool, *columns: str) -> DataFrame:
    """The rows with ``own``, the record's own number, and the party that each column of numbers means.

    A number that is there but can not be a user of ours is told in ``unreadable``.
    """
    told = numbers.with_parties(raw, columns, settings, opaque).withColumn("own", own_number("number"))
    lost = F.col("number").isNotNull() & F.col("own").isNull()
    unreadable = F.when(lost, F.array_append("unreadable", F.lit("number"))).otherwise(F.col("unreadable"))
    return told.withColumn("unreadable", unreadable)


def _peer(key: Key) -> dict[str, Column]:
    return {
        "peer_key": key.pseudonym(F.col("peer_number_number"), "number"),
        "peer_network": F.col("peer_number_network"),
        "peer_area": F.col("peer_number_area"),
        "peer_service": F.col("peer_number_service"),
    }


def _time(zone: str) -> dict[str, Column]:
    # by whole seconds: asked of a calendar, day and hour cost as much as reading the time from its text
    second = "pmod(unix_seconds(local), 86400)"
    return {
        "day": F.date_from_unix_date(F.expr(f"cast((unix_seconds(local) - {second}) div 86400 as int)")),
        "hour": F.expr(f"cast({second} div 3600 as int)"),
        "local": F.from_utc_timestamp("started_at", zone),
    }


def _clean(rows: DataFrame, table: Table, key: Key, found: dict[str, Column]) -> DataFrame:
    """One row per row, with the table's columns except batch and record_key's making, and the trace.

    A record is known by the operator's id, which is unique within a feed, number and day: switches count anew. Without one it is
    known by its line; since a line's plain hash would let anyone test guesses of the numbers in it, that hash goes through the key.
    """
    feed, day = F.lit(table.name), found["day"]
    by_id = F.when(F.col("record_id").isNotNull(), F.xxhash64(feed, F.col("record_id"), F.col("number_key"), day))
    way = [F.col("direction")] if "direction" in table.names else []
    by_line = F.when(
        F.col("line_key").isNotNull(), F.xxhash64(feed, key.pseudonym(F.col("line_key"), "line"), F.col("number_key"), *way)
    )
    staged = rows.withColumn("number_key", key.pseudonym(F.col("own"), "number"))
    if "local" in found:
        staged = staged.withColumn("local", found["local"])
    made = {**found, "record_key": F.coalesce(by_id, by_line)}
    names = [name for name in table.names if name != "batch"]
    return staged.select(*(made.get(name, F.col(name)).alias(name) for name in names), *TRACE)


FEEDS = ((RAW_VOICE, VOICE, voice), (RAW_SMS, SMS, sms), (RAW_MMS, MMS, mms), (RAW_WAP, WAP, wap))
"""Each feed of usage records, the table it fills, and how."""
