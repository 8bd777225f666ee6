"""What the run log says: which slices readers see, and which days a job has yet to take in.

A slice is seen when its newest row in the log is done or released. It is open while a run writes it, failed when that run came to
no end, restoring while all tables go back to an earlier run, withheld when its write did not pass a gate, withdrawn when a check found it
wrong afterwards; of a table sliced by batch it is days that are withdrawn.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError

VISIBLE = ("done", "released")
CAN_BE_RELEASED = ("withheld", "withdrawn")
GOING_BACK = "restoring"
GO_ON_BACK = "it is going back to an earlier run; python -m churnlake restore finishes that"


def to_release(hidden: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """By table, by name, the hidden slices that somebody may let be seen."""
    held = {name: sorted(s for s, state in slices.items() if state in CAN_BE_RELEASED) for name, slices in sorted(hidden.items())}
    return {name: slices for name, slices in held.items() if slices}


def hidden(log: DataFrame) -> dict[str, dict[str, str]]:
    """By table, the slices that readers must not see, each with the state that hides it.

    Raises MissingInputError while the lake is going back to an earlier run: then nothing is to be read or written.
    """
    newest = (
        log.select("run_id", "state", "at", F.explode("written").alias("w"))
        .select("run_id", "state", "at", "w.table_name", F.explode("w.slices").alias("slice"))
        .groupBy("table_name", "slice")
        .agg(
            F.expr("max(at) filter (where state = 'open')").alias("opened_at"),
            F.expr("max_by(run_id, at) filter (where state = 'open')").alias("opened_by"),
            F.expr("max(at) filter (where state <> 'open')").alias("judged_at"),
            F.expr("max_by(state, at) filter (where state <> 'open')").alias("judged"),
        )
        .withColumn("is_open", F.expr("opened_at is not null and (judged_at is null or judged_at < opened_at)"))
        .where(F.col("is_open") | ~F.col("judged").isin(*VISIBLE))
        .collect()
    )
    # A run announces all it might write. Once it has come to an end, what it did not write is as it was before.
    opened = {row["opened_by"] for row in newest if row["is_open"]}
    over = set()
    if opened:
        ended = log.where(F.col("run_id").isin(*opened) & (F.col("state") != "open")).select("run_id").distinct()
        over = {row["run_id"] for row in ended.collect()}
    found: dict[str, dict[str, str]] = {}
    for row in newest:
        state = "open" if row["is_open"] and row["opened_by"] not in over else row["judged"]
        if state == GOING_BACK:
            raise MissingInputError(f"the lake can not be used: {GO_ON_BACK}")
        if state is not None and state not in VISIBLE:
            found.setdefault(row["table_name"], {})[row["slice"]] = state
    return found


def withheld_batch(hidden: Mapping[str, Mapping[str, str]], tables: Iterable[str], registered: Sequence[Any]) -> str | None:
    """The batch, delivered first of those a gate withholds from readers of these tables; None when there is none.

    Raises MissingInputError where a repair was cut short: what it moved would come in again.
    """
    # a batch has its slice in several tables, and may be withheld in one of them alone
    found = {(name, state) for table in tables for name, state in hidden.get(table, {}).items()}
    known = {row["batch"] for row in registered}
    if any(state in ("open", "failed") and name not in known for name, state in found):
        raise MissingInputError("reprocess_quarantine was cut short; run it again first, then this with --restate")
    held = {name for name, state in found if state == "withheld"}
    return min(((row["delivered_on"], row["batch"]) for row in registered if row["batch"] in held), default=(None, None))[1]


def is_day(name: str) -> bool:
    """Whether a slice is a day, written as 2005-05-01."""
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", name) is not None


def told(table: str, slices: dict[str, str], job: str) -> str:
    """Why a reader skips these slices of a table and what to do about it, in one line."""
    by_state: dict[str, list[str]] = {}
    for name, state in sorted(slices.items()):
        by_state.setdefault(state, []).append(name)
    parts = []
    for state, names in sorted(by_state.items()):
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        release = f"python -m churnlake release --table {table} --slice {names[0]} --why TEXT"
        remedy = f"mend it or let it be seen: {release}" if state in CAN_BE_RELEASED else f"run job {job} again"
        parts.append(f"{listed} {'half written' if state in ('open', 'failed') else state}, {remedy}")
    return "; ".join(parts)


def pending_days(log: DataFrame, job: str, inputs: list[str]) -> list[dt.date]:
    """The days of which the job's inputs changed after it last took them in, sorted.

    A day changes when a run that brought rows of it is done, and when a slice that holds rows of it is withdrawn or released.
    The job has taken a day in when a run of it over that day began after that. Both are bounded by the calendar.
    """
    every = F.sequence("first_day", "last_day")
    slices = F.transform("w.slices", lambda name: name.try_cast("date"))
    is_daily = ~F.exists(slices, lambda day: day.isNull())
    of_days = F.coalesce(F.try_element_at("touched", F.col("w.table_name")), F.when(is_daily, slices), every)
    changed = (
        log.where(F.col("state").isin("done", "withdrawn", "released"))
        .select("at", "touched", "first_day", "last_day", F.explode("written").alias("w"))
        .where(F.col("w.table_name").isin(inputs))
        .select("at", F.explode(of_days).alias("day"))
        .groupBy("day")
        .agg(F.max("at").alias("changed_at"))
    )
    taken = (
        log.where((F.col("state") == "done") & (F.col("job") == job))
        .withColumn("began", F.expr("timestamp_micros(unix_micros(at) - cast(coalesce(seconds, 0) * 1e6 as bigint))"))
        .select("began", F.explode(F.coalesce("days", every)).alias("day"))
        .groupBy("day")
        .agg(F.max("began").alias("taken_at"))
    )
    waiting = changed.join(taken, on="day", how="left").where("taken_at IS NULL OR taken_at < changed_at")
    return sorted(row["day"] for row in waiting.select("day").collect())


def rows_last_written(log: DataFrame, tables: list[str]) -> int:
    """Rows committed by the newest done write of each of these tables, summed."""
    done = (
        log.where("state = 'done'")
        .select("at", F.explode("written").alias("w"))
        .where(F.col("w.table_name").isin(tables))
        .groupBy("w.table_name")
        .agg(F.max_by("w.rows", "at").alias("rows"))
    )
    total = done.agg(F.sum("rows").alias("rows")).first()
    return int(total["rows"] or 0) if total else 0
