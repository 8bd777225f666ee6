"""Whether features as they are stored are those that the tables give when cut off at the month's end.

What differs was made with something that nobody had then: however little it tells, it is found. So are users who are not in a month
that they were in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, NumericType

from churnlake.churn import declines, stages
from churnlake.circles import neighbours, ties
from churnlake.core.contract import Indicator, Table
from churnlake.core.lake import Lake
from churnlake.core.months import last_day
from churnlake.indicators import INDICATORS
from churnlake.models.leakage import Leak
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import NEIGHBOURS, PEERS, SIGNATURES
from churnlake.tables.daily import USAGE
from churnlake.tables.features import DECLINES, MONTHLY
from churnlake.tables.stages import SIGNS, STAGES, STAGES_AT_END
from churnlake.usage.features import features, first_day_needed
from jobs.build_features import DAILY, LEFT_OUT

TOLERANCE = 1e-9
KEY = ("month", "user_id")
AT_ONCE = 80
"""Columns compared in one aggregation."""
MADE_FROM: dict[Table, tuple[Table, ...]] = {
    MONTHLY: (*DAILY, LEAVINGS, *LEFT_OUT),
    DECLINES: (USAGE,),
    NEIGHBOURS: (SIGNATURES, PEERS, LEAVINGS, USAGE),
    STAGES_AT_END: (STAGES, SIGNS, MONTHLY),
}
"""Tables of features that models take and that can be made again, and what of."""


@dataclass(frozen=True)
class AsOf:
    """A month of a feature table beside the same made again: users and columns compared, users by column that differs.

    ``missing`` users are not stored though they were there, ``unknown`` ones are stored though they were not; ``unmade`` columns can not be made again.
    """

    table: str
    month: dt.date
    users: int
    columns: int
    differing: dict[str, int]
    missing: int
    unknown: int
    unmade: tuple[str, ...]

    def leaks(self) -> list[Leak]:
        """What differs, a leak each: columns, then rows."""
        when = f"tables up to {last_day(self.month)}"
        made = f"make {self.table} of {self.month:%Y-%m} again; what differs then still is made with what came later: see its formula"
        columns = [
            Leak(
                "as of",
                f"column {name} of {self.table}",
                f"of {users:,} of {self.users:,} users it is not what {when} give",
                made,
            )
            for name, users in sorted(self.differing.items(), key=lambda one: (-one[1], one[0]))
        ]
        rows = [
            Leak("as of", f"rows of {self.table}", f"{users:,} users {what}", made)
            for users, what in (
                (self.missing, f"are in {when}, but not among the {self.users:,} compared"),
                (self.unknown, f"are stored, but not in {when}"),
            )
            if users
        ]
        return [*columns, *rows]

    def lines(self) -> list[str]:
        """The result as text, a line each."""
        said = f"{self.table} of {self.month:%Y-%m}: {self.columns:,} columns of {self.users:,} users made again by tables up to {last_day(self.month)}"
        left = [f"can not be made again: {', '.join(self.unmade)}"] if self.unmade else []
        return [said, *left, *(str(leak) for leak in self.leaks())]


def compared(
    table: Table, month: dt.date, stored: DataFrame, made: DataFrame, checkpoint: Callable[[DataFrame], DataFrame]
) -> AsOf:
    """Every value of the month as stored beside the same made again.

    Args:
        table: what they are rows of.
        month: its first day.
        stored: one row per user and month, of the month or more.
        made: the same, of the month.
        checkpoint: materialises a frame and cuts its lineage.
    """
    types = {field.name: field.dataType for field in stored.schema if field.name not in KEY}
    both = [name for name in types if name in made.columns]
    sides = [
        rows.select("user_id", F.struct(F.lit(True).alias("is_there"), *both).alias(side))
        for rows, side in ((stored.where(F.col("month") == F.lit(month)), "a"), (made, "b"))
    ]
    rows = checkpoint(sides[0].join(sides[1], on="user_id", how="full"))
    differing: dict[str, int] = {}
    for at in range(0, len(both), AT_ONCE):
        some = both[at : at + AT_ONCE]
        counts = (
            rows.where("a.is_there AND b.is_there")
            .agg(*(F.expr(f"count_if({_differs(name, types[name])})").alias(name) for name in some))
            .first()
        )
        differing |= {name: counts[name] for name in some if counts is not None and counts[name]}
    users = rows.agg(
        F.count_if(F.expr("a.is_there AND b.is_there")).alias("both"),
        F.count_if(F.expr("a.is_there IS NULL")).alias("missing"),
        F.count_if(F.expr("b.is_there IS NULL")).alias("unknown"),
    ).collect()[0]
    unmade = tuple(name for name in types if name not in made.columns)
    return AsOf(table.name, month, users["both"], len(both), differing, users["missing"], users["unknown"], unmade)


def made_again(
    lake: Lake, settings: Settings, table: Table, month: dt.date, indicators: Sequence[Indicator] = INDICATORS
) -> DataFrame:
    """One row per user: a table of MADE_FROM as of the month's end, by the functions of the job that builds it.

    Args:
        lake: with all that it is made of.
        settings: of the house.
        table: one of MADE_FROM.
        month: its first day.
        indicators: those of MONTHLY to make.
    """
    end = last_day(month)

    def known(source: Table, first: dt.date | None = None) -> DataFrame:
        rows = lake.read(source, first=first)
        return rows.where(F.col(source.at) <= F.lit(end)) if source.at else rows

    if table == DECLINES:
        return declines.declines(known(USAGE, declines.first_day_needed([month])), [month])
    if table == NEIGHBOURS:
        how = settings.circles.groups
        first = neighbours.first_month_needed([month], how)
        circles = lake.checkpoint(ties.close(known(SIGNATURES, first), known(PEERS, first), how))
        used = known(USAGE, neighbours.first_day_needed([month], how))
        return neighbours.neighbours(circles, known(LEAVINGS), used, [month], how, lake.checkpoint)
    if table == STAGES_AT_END:
        return stages.at_ends(known(STAGES), known(SIGNS), known(MONTHLY, month), [month])
    since = first_day_needed([month])
    given = {source: known(source, since if source in DAILY else None) for source in MADE_FROM[MONTHLY] if lake.has(source)}
    return features([month], given, settings.landing.home_area, indicators)


def _differs(name: str, kind: DataType) -> str:
    same = f"a.`{name}` <=> b.`{name}`"
    if isinstance(kind, NumericType):
        one, other = (f"cast({side}.`{name}` as double)" for side in "ab")
        same = f"{same} OR coalesce(abs({one} - {other}) <= {TOLERANCE} * greatest(abs({other}), 1D), false)"
    return f"NOT ({same})"
