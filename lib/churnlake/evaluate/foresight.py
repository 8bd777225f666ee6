"""Whether any feature sees ahead: the future is planted, and no feature of a month that ended before may move.

Rows are planted into every table that features are made of, dated after the month's end by the column that says when a fact is
known (``Table.at``) and unlike anything that is there: numbers, texts and flags are changed. A feature that moves has looked at
something that nobody could know when the month ended.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.sql import Column as SqlColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DateType, NumericType, StringType, TimestampType

from churnlake.core.contract import Column, Table
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.lake import Lake
from churnlake.core.months import last_day
from churnlake.core.runs import EVER
from churnlake.evaluate.asof import MADE_FROM, AsOf, compared, made_again
from churnlake.evaluate.content import lake_of
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.features import MONTHLY
from churnlake.usage.features import features, first_day_needed
from jobs.build_features import DAILY

Tables = Mapping[Table, DataFrame]
Build = Callable[[Tables], DataFrame]
TOLERANCE = 1e-9
FEATURES_FROM = MADE_FROM[MONTHLY]


@dataclass(frozen=True)
class Foreseen:
    """What was planted and what moved: rows planted by table, rows and features compared, rows that moved by feature."""

    planted: dict[str, int]
    rows: int
    features: int
    moved: dict[str, int]

    def lines(self) -> list[str]:
        """The result as text, a line each."""
        told = ", ".join(f"{rows:,} in {name}" for name, rows in self.planted.items())
        found = [
            f"MOVED: {name} of {rows:,} users" for name, rows in sorted(self.moved.items(), key=lambda one: (-one[1], one[0]))
        ]
        verdict = f"{len(found)} features see ahead" if found else "none sees ahead"
        return [
            f"planted after the month's end: {told}",
            f"compared {self.features:,} features of {self.rows:,} users",
            *found,
            verdict,
        ]


def foresight(tables: Tables, month: dt.date, build: Build) -> Foreseen:
    """Build the month's features twice, without and with a planted future, and compare every value.

    Args:
        tables: what the features are made of; what is already there after the month's end is cut off first.
        month: its first day.
        build: from tables to features, one row per ``user_id``.

    Raises:
        MissingInputError: the month has no features to compare, or nothing could be planted.
    """
    end = last_day(month)
    past = {table: rows.where(F.col(table.at) <= F.lit(end)) if table.at else rows for table, rows in tables.items()}
    future = {table: _future(table, rows, end) for table, rows in past.items() if table.at}
    planted = {table.name: rows.count() for table, rows in future.items()}
    before = _by_user(build(past))
    after = _by_user(build({table: rows.unionByName(future[table]) if table in future else rows for table, rows in past.items()}))
    if before.empty or not any(planted.values()):
        raise MissingInputError(
            f"nothing to compare in {month}: {len(before)} users have features, {sum(planted.values())} rows were planted"
        )
    moved = {str(name): n for name in before.columns if (n := _differ(before[name], after[name].reindex(before.index)))}
    if newcomers := len(after.index.difference(before.index)):
        moved["user_id"] = newcomers
    return Foreseen(planted, len(before), len(before.columns), moved)


def of_lake(spark: SparkSession, settings: Settings, month: str, users: int) -> Foreseen:
    """The check on some users of a lake: all features and items of the month, or of the newest that has features.

    Raises SettingsError for a month not written as YYYY-MM, MissingInputError where there are no features of it.
    """
    lake = lake_of(spark, settings, EVER, MONTHLY, *FEATURES_FROM)
    first = month_asked(lake, month)
    there = lake.read(MONTHLY).where(F.col("month") == F.lit(first))
    # about so many, the same every time
    kept = there.select("user_id").orderBy(F.xxhash64("user_id")).limit(users).localCheckpoint()
    tables = {}
    for table in FEATURES_FROM:
        if lake.has(table):
            rows = lake.read(table, first=first_day_needed([first]) if table in DAILY else None)
            # of leavings those of peers count, not the users' own
            if "user_id" in table.names and table != LEAVINGS:
                rows = rows.join(F.broadcast(kept), on="user_id", how="left_semi")
            tables[table] = rows.localCheckpoint()
    home = settings.landing.home_area
    return foresight(tables, first, lambda of: features([first], of, home, (*INDICATORS, *ALL_ITEMS)))


def stored_of_lake(spark: SparkSession, settings: Settings, month: str) -> list[AsOf]:
    """What models take of a month, as it is stored, beside the same made again as of the month's end: one for each such table there is."""
    lake = lake_of(spark, settings, EVER, *MADE_FROM, *dict.fromkeys(table for tables in MADE_FROM.values() for table in tables))
    first = month_asked(lake, month)
    return [
        compared(table, first, lake.read(table), made_again(lake, settings, table, first), lake.checkpoint)
        for table in MADE_FROM
        if lake.has(table)
    ]


def month_asked(lake: Lake, month: str) -> dt.date:
    """First day of the month named, or of the newest that has features, where none is.

    Raises SettingsError for a month not written as YYYY-MM, MissingInputError where there are no features of it.
    """
    if month and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise SettingsError(f"--month {month}: write a month as 2005-05")
    made = lake.read(MONTHLY).where(F.lit(True) if not month else F.col("month") == F.lit(f"{month}-01").cast("date"))
    newest = made.agg(F.max("month").alias("month")).first()
    if newest is None or newest["month"] is None:
        raise MissingInputError(f"features.monthly has no month {month or 'yet'}; run job build_features over its days first")
    found: dt.date = newest["month"]
    return found


def _by_user(features: DataFrame) -> pd.DataFrame:
    return features.drop("month").toPandas().set_index("user_id").sort_index()


def _differ(one: Any, other: Any) -> int:
    if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
        apart = (one - other).abs() > TOLERANCE * one.abs().clip(lower=1)
        return int((apart | (one.isna() != other.isna())).sum())
    return int(((one != other) & ~(one.isna() & other.isna())).sum())


def _future(table: Table, rows: DataFrame, end: dt.date) -> DataFrame:
    """The rows again, each 1 to 28 days after the month's end, with everything but who and what they are of changed."""
    later = F.date_add(F.lit(end), F.pmod(F.xxhash64(*table.key), F.lit(28)).cast("int") + 1)
    told: dict[str, SqlColumn] = {c.name: _changed(c) for c in table.columns if not (c.name in table.key or c.pseudonym)}
    told[str(table.at)] = later
    if "delivered_on" in rows.columns:
        told["delivered_on"] = later
    return rows.withColumns({name: column for name, column in told.items() if name in rows.columns})


def _changed(column: Column) -> SqlColumn:
    """Another value of the same type that the contract allows."""
    here = F.col(column.name)
    if column.one_of:
        codes = [F.when(here == code, F.lit(column.one_of[(i + 1) % len(column.one_of)])) for i, code in enumerate(column.one_of)]
        return F.coalesce(*codes, F.lit(column.one_of[0]))
    if isinstance(column.type, StringType):
        return F.lit("ahead")
    if isinstance(column.type, BooleanType):
        return F.coalesce(~here, F.lit(True))
    if isinstance(column.type, DateType):
        return F.date_add(here, 3)
    if isinstance(column.type, TimestampType):
        return here + F.expr("interval 3 days")
    if isinstance(column.type, NumericType):
        return (F.coalesce(here, F.lit(0)) * 3 + 7).cast(column.type)
    return here
