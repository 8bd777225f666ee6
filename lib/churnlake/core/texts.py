"""Texts to times and days, without the slow general parser wherever a pattern has fixed places."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

FIELDS = re.compile(r"yyyy|MM|dd|HH|mm|ss")
MOST_SECONDS = 100_000_000_000
"""Seconds from an origin beyond this (some 3,000 years) are no time at all, and would overflow."""


def is_format(pattern: str) -> bool:
    """Whether a date pattern can be read: it has a year, a month and a day, and only letters that Spark knows."""
    letters = re.sub(r"'[^']*'", "", pattern)
    return all(f in letters for f in "yMd") and re.fullmatch(r"[yMdHhmsSaEXxVzZ\[\]\W\d_]*", letters) is not None


def to_time(text: Column, pattern: str | None, zone: str) -> Column:
    """The moment (UTC) that a text means in a zone; null where it is none."""
    if pattern is None:
        local = text.try_cast("timestamp")
    elif _is_fixed(pattern):
        local = F.when(_fits(text, pattern), _iso(text, pattern).try_cast("timestamp"))
    else:
        local = F.try_to_timestamp(text, F.lit(pattern))
    return local if zone == "UTC" else F.to_utc_timestamp(local, zone)


def to_day(text: Column, pattern: str | None) -> Column:
    """The day that a text means; null where it is none."""
    pattern = pattern or "yyyy-MM-dd"
    if _is_fixed(pattern):
        return F.when(_fits(text, pattern), _iso(text, pattern).try_cast("date"))
    return F.try_to_date(text, pattern)


def seconds_from(text: Column, origin: str, zone: str) -> Column:
    """The moment so many whole seconds after a local time in a zone; null where the text is no such number."""
    start = int(dt.datetime.fromisoformat(origin).replace(tzinfo=ZoneInfo(zone)).timestamp())
    seconds = text.try_cast("bigint")
    return F.when(seconds.between(-MOST_SECONDS, MOST_SECONDS), F.timestamp_seconds(seconds + F.lit(start)))


def _is_fixed(pattern: str) -> bool:
    """Whether every field of the pattern stands at a fixed place and is there once."""
    found = FIELDS.findall(pattern)
    rest = FIELDS.sub("", pattern)
    return {"yyyy", "MM", "dd"} <= set(found) and len(found) == len(set(found)) and not re.search(r"[A-Za-z'\[\]]", rest)


def _fits(text: Column, pattern: str) -> Column:
    """Whether a text has the pattern's length, its separators in their places, and ends as it should.

    A cast from ISO text checks the rest, but takes a zone at the end: the last field must be a number.
    """
    fits = F.length(text) == len(pattern)
    literal = FIELDS.sub(lambda found: "\0" * len(found.group()), pattern)
    for separator in re.finditer(r"[^\0]+", literal):
        fits = fits & (F.substring(text, separator.start() + 1, len(separator.group())) == separator.group())
    last = [found for found in FIELDS.finditer(pattern) if found.group() in ("dd", "HH", "mm", "ss")]
    for found in last[-1:] if "ss" not in pattern else [f for f in last if f.group() == "ss"]:
        fits = fits & F.substring(text, found.start() + 1, 2).try_cast("int").isNotNull()
    return fits


def _iso(text: Column, pattern: str) -> Column:
    """The text re-written as yyyy-MM-dd HH:mm:ss, as far as the pattern goes."""
    if pattern in ("yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd"):
        return text
    at = {found.group(): F.substring(text, found.start() + 1, len(found.group())) for found in FIELDS.finditer(pattern)}
    day = [at["yyyy"], F.lit("-"), at["MM"], F.lit("-"), at["dd"]]
    if "HH" not in at:
        return F.concat(*day)
    return F.concat(*day, F.lit(" "), at["HH"], F.lit(":"), at.get("mm", F.lit("00")), F.lit(":"), at.get("ss", F.lit("00")))
