"""Runs of jobs: their dates and their log, which also says which slices readers may see."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql.types import ArrayType, MapType, StructField, StructType

from churnlake.core.contract import DATE, DOUBLE, LONG, STRING, TEXTS, TIMESTAMP, Column, Table
from churnlake.core.errors import SettingsError
from churnlake.core.logs import revision

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
    "One row per run of a job and state it reached: open before its first write, then done or failed; and per decision on "
    "slices: withheld by a gate, withdrawn by a check, released by a person. The newest row of a slice says whether readers see it.",
    key=("run_id", "state"),
    columns=(
        Column("run_id", STRING, "Run."),
        Column("job", STRING, "Job."),
        Column(
            "state",
            STRING,
            "open: writing, its slices hidden; done: visible; failed: hidden until run again; "
            "withheld, withdrawn: hidden until released or written again; released: visible; restoring: all hidden until back.",
            one_of=("open", "done", "failed", "withheld", "withdrawn", "released", "restoring"),
        ),
        Column("at", TIMESTAMP, "When, UTC."),
        Column("first_day", DATE, "First day of the run's range."),
        Column("last_day", DATE, "Last day of the run's range."),
        Column(
            "rows_read",
            LONG,
            "Landing lines taken in, of a job that lands files; else good rows last written of what it read.",
            optional=True,
        ),
        Column("written", WRITTEN, "What was (open: will be) written: table, version, rows as committed, slices."),
        Column("versions_read", MapType(STRING, LONG), "Delta version of each table read."),
        Column("left_out", TEXTS, "What the job left out, and for want of which feed."),
        Column("seconds", DOUBLE, "Wall time.", optional=True),
        Column("revision", STRING, "git revision of the code, where known.", optional=True),
        Column(
            "message",
            STRING,
            "On failed, withheld and withdrawn: what is wrong; on released: by whom and why; on restoring: to which run.",
            optional=True,
        ),
        Column("days", ArrayType(DATE), "The days of the run, where they are not all from first to last.", optional=True),
        Column(
            "touched",
            MapType(STRING, ArrayType(DATE)),
            "By table: the days its rows are of, where its slices are not days themselves.",
            optional=True,
        ),
        Column(
            "suppressed", MapType(STRING, LONG), "By table: rows set aside as an erased user's, where any were.", optional=True
        ),
        Column("chain", STRING, "The chain or workflow run that the run is part of; a run by itself has none.", optional=True),
        Column(
            "peak_megabytes",
            LONG,
            "Most memory that its process and those it started had taken by then: a chain's, of all jobs before.",
            optional=True,
        ),
    ),
)


def said(run_id: str, what: str, state: str, written: Sequence[Mapping[str, Any]], message: str, **more: Any) -> dict[str, Any]:
    """A row of the log for what a person decided, of today unless ``more`` of its columns say otherwise."""
    now = dt.datetime.now(dt.UTC)
    return {
        "run_id": run_id, "job": what, "state": state, "at": now, "first_day": now.date(), "last_day": now.date(),
        "written": list(written), "versions_read": [], "left_out": [], "revision": revision(), "message": message, **more,
    }  # fmt: skip


@dataclass(frozen=True)
class Days:
    """Days to run over: every day from ``first`` to ``last``, or ``only`` those named, which may be none."""

    first: dt.date
    last: dt.date
    only: tuple[dt.date, ...] | None = None

    @classmethod
    def of(cls, days: Iterable[dt.date], otherwise: dt.date) -> Days:
        """Exactly these days; where there are none, no day, as of ``otherwise``."""
        found = tuple(sorted(set(days)))
        if not found:
            return cls(otherwise, otherwise, ())
        is_whole = (found[-1] - found[0]).days + 1 == len(found)
        return cls(found[0], found[-1], None if is_whole else found)

    def __str__(self) -> str:
        if self.only is not None and not self.only:
            return "no day"
        span = f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"
        return span if self.only is None else f"{len(self.only)} days in {span}"

    def each(self) -> list[dt.date]:
        """Every day to run over."""
        if self.only is not None:
            return list(self.only)
        return [self.first + dt.timedelta(days=i) for i in range((self.last - self.first).days + 1)]

    def months(self) -> list[dt.date]:
        """First days of the months whose last day is among the days: those a run over them completes."""
        return [day.replace(day=1) for day in self.each() if (day + dt.timedelta(days=1)).day == 1]


EVER = Days(dt.date(1900, 1, 1), dt.date(9999, 12, 30))
"""Every day there is: to look at all that has been written."""


def parse_days(text: str) -> Days:
    """``2005-05-01`` or ``2005-05-01..2005-05-31``. Raises SettingsError on anything else."""
    parts, how = text.split(".."), "write a day as 2005-05-01 or a range as 2005-05-01..2005-05-31"
    if len(parts) > 2 or not all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", part) for part in parts):
        raise SettingsError(f"--dates {text}: {how}")
    try:
        days = [dt.date.fromisoformat(part) for part in parts]
    except ValueError as error:
        raise SettingsError(f"--dates {text}: {error}; {how}") from error
    if days[0] > days[-1]:
        raise SettingsError(f"--dates {text}: the range ends before it begins")
    return Days(days[0], days[-1])
