"""Runs of jobs: their dates and their log, which also says which slices readers may see."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from pyspark.sql.types import ArrayType, MapType, StructField, StructType

from churnlake.core.contract import DATE, DOUBLE, LONG, STRING, TEXTS, TIMESTAMP, Column, Table
from churnlake.core.errors import SettingsError

WRITTEN = ArrayType(
    StructType(
        [
            StructField("table_name", STRING),
            StructField("version", LONG),
            StructField("rows", LONG),
            StructField("bad", LONG),
            StructField("duplicates", LONG),
            StructField("slices", TEXTS),
        ]
    )
)

RUNS = Table(
    "quality.runs",
    "One row per run of a job and state it reached: open before its first write, then done or failed. "
    "The newest row of a slice says whether readers see it.",
    key=("run_id", "state"),
    columns=(
        Column("run_id", STRING, "Run."),
        Column("job", STRING, "Job."),
        Column(
            "state",
            STRING,
            "open: writing, its slices hidden; done: visible; failed: hidden until run again.",
            one_of=("open", "done", "failed"),
        ),
        Column("at", TIMESTAMP, "When, UTC."),
        Column("first_day", DATE, "First day of the run's range."),
        Column("last_day", DATE, "Last day of the run's range."),
        Column("rows_read", LONG, "Landing lines taken in, for a job that reads landing files.", optional=True),
        Column("written", WRITTEN, "What was (open: will be) written: table, version, rows as committed, slices."),
        Column("versions_read", MapType(STRING, LONG), "Delta version of each table read."),
        Column("left_out", TEXTS, "What the job left out, and for want of which feed."),
        Column("seconds", DOUBLE, "Wall time.", optional=True),
        Column("revision", STRING, "git revision of the code, where known.", optional=True),
        Column("message", STRING, "On failed: what went wrong.", optional=True),
    ),
)


@dataclass(frozen=True)
class Days:
    """An inclusive range of days."""

    first: dt.date
    last: dt.date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"

    def each(self) -> list[dt.date]:
        """Every day of the range."""
        return [self.first + dt.timedelta(days=i) for i in range((self.last - self.first).days + 1)]

    def months(self) -> list[dt.date]:
        """First days of the months that end within the range: those a run over it completes."""
        return [day.replace(day=1) for day in self.each() if (day + dt.timedelta(days=1)).day == 1]


EVER = Days(dt.date(1900, 1, 1), dt.date(9999, 12, 30))
"""Every day there is: to look at all that has been written."""


def parse_days(text: str) -> Days:
    """``2005-05-01`` or ``2005-05-01..2005-05-31``. Raises SettingsError on anything else."""
    parts = text.split("..")
    if len(parts) > 2 or not all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", part) for part in parts):
        raise SettingsError(f"--dates {text}: write a day as 2005-05-01 or a range as 2005-05-01..2005-05-31")
    try:
        days = [dt.date.fromisoformat(part) for part in parts]
    except ValueError as error:
        raise SettingsError(f"--dates {text}: {error}") from error
    if days[0] > days[-1]:
        raise SettingsError(f"--dates {text}: the range ends before it begins")
    return Days(days[0], days[-1])
