"""Requests to be erased: who is meant, and which broken lines name them."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from churnlake.core.checkpoints import checkpointed
from churnlake.core.contract import DATE, INT, STRING
from churnlake.core.erased import EVER
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.frames import frame_of
from churnlake.core.pseudonyms import Key
from churnlake.landing.clean import with_own
from churnlake.landing.settings import LandingSettings

REQUEST = StructType(
    [StructField("line", INT), StructField("user", STRING), StructField("number", STRING), StructField("held_on", DATE)]
)
SHAPE = "write one a line: 'user ID', or 'number NUMBER' with a day it was held, as 2005-05-01, where it had several holders"
MOBILE_DIGITS = 11


def requests(spark: SparkSession, users: Sequence[str], file: str) -> DataFrame:
    """One row per user asked for: line, user (the operator's id) or number (as written), held_on; those by id have line 0 and below.

    ``file`` is a path, ``-`` for standard input, or empty. Raises SettingsError, naming the line and never what it holds,
    where one is none of the two forms.
    """
    rows: list[dict[str, Any]] = [{"line": -i, "user": user} for i, user in enumerate(users)]
    for count, text in enumerate(_lines(file), start=1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "user" and len(words) == 2:
            rows.append({"line": count, "user": words[1]})
        elif words[0] == "number" and len(words) in (2, 3):
            rows.append({"line": count, "number": words[1], "held_on": _day(words[2], count) if len(words) == 3 else None})
        else:
            raise SettingsError(f"privacy.erase_file, line {count}: {SHAPE}")
    return frame_of(spark, REQUEST, rows)


def _lines(file: str) -> list[str]:
    if not file:
        return []
    if file == "-":
        return sys.stdin.read().splitlines()
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"privacy.erase_file: {file} could not be read; give a file, or - for standard input") from error


def _day(text: str, line: int) -> dt.date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise SettingsError(f"privacy.erase_file, line {line}: {SHAPE}")
    return dt.date.fromisoformat(text)


def meant(
    asked: DataFrame, holders: DataFrame | None, marks: DataFrame | None, key: Key, settings: LandingSettings, zone: str
) -> tuple[DataFrame, int]:
    """The users asked for that are still there, one row each (user_id, number_key, own_from, own_to); and how many were erased before.

    Raises SettingsError where a number had several holders and no day says which, MissingInputError where nobody is meant.

    Args:
        asked: Requests, see ``requests``.
        holders: One row per user of the register: user_id, number_key, own_from, own_to, under the newest key; without it a
            number is one user for good.
        marks: privacy.erased, where somebody was erased before: a number's earlier holders count, so that a request given
            twice does not mean the next one.
        key: The key.
        settings: How numbers are written.
        zone: Where days are counted.
    """
    told = with_own(asked, "number", settings, opaque=False).select(
        "line",
        "held_on",
        key.pseudonym(F.col("user"), "user").alias("user_key"),
        key.pseudonym(F.coalesce("own", "number"), "number").alias("number_key"),
    )
    # cut from the plan of its making: joins would pull the long formula of a number down, several times in itself
    told = checkpointed(told)
    now = told.withColumns({"asked_id": key.renewed(F.col("user_key")), "asked_key": key.renewed(F.col("number_key"))})
    found = checkpointed(_of_register(now.select("line", "held_on", "asked_id", "asked_key"), holders, zone))
    candidates = found.select("line", key.mark(F.col("user_id")).alias("user_hash"))
    if marks is not None:
        candidates = candidates.unionByName(_of_marks(told, marks, key, zone))
    counted = candidates.groupBy("line").agg(F.count_distinct("user_hash").alias("users"))
    there = found.select("line", F.lit(True).alias("is_there")).distinct()
    by_line = asked.select("line").join(counted, on="line", how="left").join(there, on="line", how="left").collect()
    several = sorted(row["line"] for row in by_line if (row["users"] or 0) > 1)
    if several:
        raise SettingsError(
            f"privacy.erase_file, line {several[0]}: the number had several holders, also counting those erased before; add a day it was held"
        )
    nobody = sorted(row["line"] for row in by_line if not row["users"])
    if nobody:
        where = f"privacy.erase_file, line {nobody[-1]}" if nobody[-1] > 0 else f"privacy.erase_users, entry {1 - nobody[-1]}"
        raise MissingInputError(f"{where}: no such user in the register and none erased before; nobody was erased")
    people = found.select("user_id", "number_key", "own_from", "own_to").distinct()
    return people, sum(not row["is_there"] for row in by_line)


def _of_register(asked: DataFrame, holders: DataFrame | None, zone: str) -> DataFrame:
    """One row per request and user of the register it may mean."""
    names = ("line", "user_id", "number_key", "own_from", "own_to")
    if holders is None:
        first, last = (F.lit(text).cast("timestamp") for text in EVER)
        only = F.coalesce("asked_id", "asked_key")
        return asked.select(
            "line", only.alias("user_id"), only.alias("number_key"), first.alias("own_from"), last.alias("own_to")
        )
    by_id = holders.join(F.broadcast(asked.where("asked_id IS NOT NULL")), how="inner", on=F.expr("user_id = asked_id"))
    by_number = holders.join(F.broadcast(asked.where("asked_key IS NOT NULL")), how="inner", on=F.expr("number_key = asked_key"))
    return by_id.select(*names).unionByName(by_number.where(_held(zone)).select(*names))


def _of_marks(told: DataFrame, marks: DataFrame, key: Key, zone: str) -> DataFrame:
    """One row per request and user erased before that it may mean: line, user_hash."""
    parts = [told.select("line", F.lit(None).cast("string").alias("user_hash")).where("false")]
    for place, version in enumerate(key.versions):
        asked = told.select(
            "line",
            "held_on",
            key.mark(key.renewed(F.col("user_key"), until=place + 1), place).alias("asked_user"),
            key.mark(key.renewed(F.col("number_key"), until=place + 1), place).alias("asked_number"),
        )
        of_version = marks.where(F.col("key_version") == version)
        parts.append(of_version.join(asked, how="inner", on=F.expr("user_hash = asked_user")).select("line", "user_hash"))
        by_number = of_version.join(asked, how="inner", on=F.expr("number_hash = asked_number"))
        parts.append(by_number.where(_held(zone)).select("line", "user_hash"))
    return reduce(DataFrame.unionByName, parts)


def _held(zone: str) -> Column:
    """Whether the day a request names lies in a user's own time; a request without a day may mean any holder."""
    begin, end = F.to_utc_timestamp("held_on", zone), F.to_utc_timestamp(F.date_add("held_on", 1), zone)
    return F.col("held_on").isNull() | ((F.col("own_from") < end) & (F.col("own_to") > begin))


def mentioned(texts: DataFrame, key: Key, settings: LandingSettings) -> DataFrame:
    """One row per line and pseudonym, under the oldest key, of a user or number that one of its words may be: raw_text, id.

    ``texts`` has one row per line set aside: raw_text (encrypted) and text. A line too broken to be taken apart is read word by
    word: as an id, as a number, and by the last digits of every run of digits.
    """
    words = F.flatten(
        F.array(
            F.split("text", r"[^0-9A-Za-z+_.:-]+"),
            F.regexp_extract_all("text", F.lit("[0-9]+"), F.lit(0)),
            F.transform(
                F.regexp_extract_all("text", F.lit(f"[0-9]{{{MOBILE_DIGITS},}}"), F.lit(0)),
                lambda run: F.right(run, F.lit(MOBILE_DIGITS)),
            ),
        )
    )
    each = texts.select("raw_text", F.explode(F.array_distinct(words)).alias("word")).where("word <> ''")
    found = with_own(each, "word", settings, opaque=False).select(
        "raw_text",
        F.explode(
            F.array(
                key.pseudonym(F.col("word"), "user"),
                key.pseudonym(F.col("word"), "number"),
                key.pseudonym(F.col("own"), "number"),
            )
        ).alias("id"),
    )
    return found.where("id IS NOT NULL").distinct()
