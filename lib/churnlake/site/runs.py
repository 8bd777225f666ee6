"""The page of runs: the run log, newest first, by chain: state, seconds, what was read and written at which version, by which code."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.logs import without_numbers
from churnlake.core.runs import RUNS
from churnlake.site import wording
from churnlake.site.disclosure import is_small, told

if TYPE_CHECKING:
    from churnlake.site.data import SiteData

Context = dict[str, Any]
RUNS_SHOWN = 200
ROWS_TAKEN = 1_000
"""Rows of the log that the page is made from: a run has two or three."""
BEFORE = 12
"""Runs of a job that its newest is held against."""
TAGS = {"done": "yes", "failed": "no", "withheld": "warn", "open": "warn", "released": "yes", "restoring": "warn"}
WORDS = {"open": "not ended", "released": "released", "restoring": "going back"}
NOT_DONE = ("failed", "withheld", "open")
PUBLISHER = "publish_site"
BY_PERSONS = ("release", "restore")
"""Decisions that the log keeps as runs; who took them is told by the log alone."""


@dataclass(frozen=True)
class Told:
    """A table read or written by a run, as the page tells it."""

    table: str
    version: int | None = None
    rows: str = ""
    aside: str = ""
    slices: str = ""
    is_withheld: bool = False


@dataclass(frozen=True)
class RunTold:
    """One run: how it ended and what it touched."""

    run_id: str
    job: str
    chain: str
    state: str
    began: dt.datetime
    days: str
    seconds: float | None
    rows_in: str
    revision: str
    megabytes: int | None
    message: str
    left_out: tuple[str, ...] = ()
    read: tuple[Told, ...] = ()
    written: tuple[Told, ...] = ()
    rows_out: str = ""

    @property
    def tag(self) -> str:
        """The class of its state's mark."""
        return TAGS[self.state]

    @property
    def word(self) -> str:
        """Its state in a word."""
        return WORDS.get(self.state, self.state)

    @property
    def ended(self) -> dt.datetime:
        """When it ended, or was last heard of."""
        return self.began + dt.timedelta(seconds=self.seconds or 0)


@dataclass(frozen=True)
class ChainTold:
    """The runs of one chain or workflow, newest first; or a run by itself."""

    chain: str
    runs: list[RunTold] = field(default_factory=list)

    @property
    def began(self) -> dt.datetime:
        """When its first run began."""
        return min(run.began for run in self.runs)

    @property
    def ended(self) -> dt.datetime:
        """When its last run ended."""
        return max(run.ended for run in self.runs)

    @property
    def seconds(self) -> float:
        """What its runs took, waiting between them left out."""
        return sum(run.seconds or 0 for run in self.runs)

    @property
    def is_one_run(self) -> bool:
        """Whether there is but one run to it, which then says all."""
        return len(self.runs) == 1

    @property
    def wrong(self) -> list[RunTold]:
        """Its runs that failed, were withheld or came to no end."""
        return [run for run in self.runs if run.state in NOT_DONE]


def newest(log: DataFrame) -> DataFrame:
    """One row per state that one of the newest runs reached; nested columns as JSON."""
    # on disk the fields of a struct have the letters of its DDL
    types = {column.name: column.type for column in RUNS.columns}
    nested = {name: F.to_json(F.col(name).cast(types[name])) for name in ("written", "versions_read", "suppressed", "left_out")}
    plain = (
        "run_id",
        "job",
        "state",
        "first_day",
        "last_day",
        "rows_read",
        "seconds",
        "revision",
        "message",
        "chain",
        "peak_megabytes",
    )
    told = log.orderBy(F.desc("at"), "run_id", "state").limit(ROWS_TAKEN)
    return told.select(*plain, F.unix_millis("at").alias("at_ms"), *[text.alias(name) for name, text in nested.items()])


def runs(data: SiteData) -> Context:
    """Runs by chain, newest first; each job's newest run beside those before it; key figures."""
    rows = [] if data.runs is None else json.loads(data.runs.to_json(orient="records", date_format="iso"))
    found = runs_of(rows, data.least)[:RUNS_SHOWN]
    chains = chains_of(found)
    longest = max((run.seconds or 0 for run in found), default=0) or 1
    return {
        "chains": chains, "jobs": _jobs(found), "longest": longest, "count_of_runs": len(found), "names": sorted({run.job for run in found}),
        "states": sorted({run.word for run in found}), "cards": _cards(found, chains), "headline": _headline(chains), "last_error": _last_error(found),
    }  # fmt: skip


def link(data: SiteData) -> str:
    """What the overview says of runs."""
    return str(runs(data)["headline"]) if data.runs is not None else ""


def runs_of(rows: Sequence[Mapping[str, Any]], least: int) -> list[RunTold]:
    """One entry per run from the rows of the log, newest first. Rows of a table fewer than ``least`` are told as few: they may be persons."""
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["at_ms"]):
        by_run.setdefault(row["run_id"], []).append(row)
    found = [_run(reached, least) for reached in by_run.values()]
    return sorted(found, key=lambda run: (run.began, run.run_id), reverse=True)


def chains_of(found: Iterable[RunTold]) -> list[ChainTold]:
    """The runs by chain, the chain begun last first; a run that is part of none is one by itself."""
    keyed = sorted(found, key=lambda run: (run.chain or run.run_id, run.began, run.run_id))
    groups = [list(group)[::-1] for _, group in groupby(keyed, key=lambda run: run.chain or run.run_id)]
    made = [ChainTold(group[0].chain, group) for group in groups]
    return sorted(made, key=lambda chain: (chain.began, chain.runs[0].run_id), reverse=True)


def _run(reached: Sequence[Mapping[str, Any]], least: int) -> RunTold:
    """A run from its rows of the log, the earliest first."""
    by_state = {row["state"]: row for row in reached}
    # a check withdraws slices of others: the run itself is done
    state = next(one for one in ("failed", "withheld", "done", "released", "restoring", "open", "withdrawn") if one in by_state)
    state = "done" if state == "withdrawn" else state
    end = by_state.get("failed") or by_state.get("done") or reached[-1]
    seconds = end["seconds"]
    at = dt.datetime.fromtimestamp(end["at_ms"] / 1000, dt.UTC)
    began = (
        at - dt.timedelta(seconds=seconds)
        if seconds is not None
        else dt.datetime.fromtimestamp(reached[0]["at_ms"] / 1000, dt.UTC)
    )
    suppressed = _json(end, "suppressed", {})
    written = [(one, False) for one in _json(end, "written", [])]
    written += [(one, True) for row in reached if row["state"] == "withheld" for one in _json(row, "written", [])]
    versions = _json(end, "versions_read", {})
    told_written = tuple(_written(one, suppressed, least, is_withheld) for one, is_withheld in written)
    if end["job"] in BY_PERSONS:
        told_written = tuple(Told(one.table, one.version, slices=one.slices) for one in told_written)
    # those too few to be told can not be had from the sum
    counts = [_key(one, "rows") for one, _ in written]
    good = sum(rows for rows in counts if not is_small(rows, least))
    days = end["first_day"][:10] if end["first_day"] else ""
    last = end["last_day"][:10] if end["last_day"] else ""
    message = (by_state.get("failed") or by_state.get("withheld") or {}).get("message") or ""
    return RunTold(
        run_id=end["run_id"], job=end["job"], chain=end.get("chain") or "", state=state, began=began,
        days=days if last == days else f"{days} to {last}", seconds=seconds,
        rows_in="" if end["rows_read"] is None else told(end["rows_read"], least), revision=end["revision"] or "",
        megabytes=None if end.get("peak_megabytes") is None else int(end["peak_megabytes"]),
        message="" if end["job"] in BY_PERSONS else without_numbers(message), left_out=tuple(_json(end, "left_out", [])),
        read=tuple(Told(name, version) for name, version in sorted(versions.items())), written=told_written,
        rows_out=wording.count(good) if state == "done" and told_written and (good or not any(counts)) else "",
    )  # fmt: skip


def _written(one: Mapping[str, Any], suppressed: Mapping[str, int], least: int, is_withheld: bool) -> Told:
    slices = one.get("slices") or []
    name, version = one["table_name"], _key(one, "version")
    span = slices[0] if len(slices) == 1 else f"{min(slices)} to {max(slices)} ({len(slices)})" if slices else ""
    counts = {"quarantined": _key(one, "bad"), "duplicates": _key(one, "duplicates"), "suppressed": suppressed.get(name, 0)}
    aside = ", ".join(f"{wording.count(rows)} {what}" for what, rows in counts.items() if rows)
    if version < 0:
        return Told(name, slices=span)
    return Told(name, version, told(_key(one, "rows"), least), aside, span, is_withheld)


def _key(one: Mapping[str, Any], name: str) -> int:
    return int(one.get(name) or 0)


def _json(row: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    return json.loads(row[name]) if row.get(name) else otherwise


def _jobs(found: Sequence[RunTold]) -> list[Context]:
    """By job, the slowest first: seconds of its newest run done, of those before it, and how often it failed."""
    made = []
    for name in sorted({run.job for run in found if run.job not in BY_PERSONS}):
        own = [run for run in found if run.job == name]
        took = [run.seconds for run in own if run.state == "done" and run.seconds is not None][: BEFORE + 1]
        before = median(took[1:]) if len(took) > 1 else None
        made.append({
            "job": name, "runs": len(own), "wrong": sum(run.state in NOT_DONE for run in own),
            "newest": took[0] if took else None, "before": before,
            "times": took[0] / before if before and took[0] > 1 else None, "took": took[::-1],
            "megabytes": max((run.megabytes for run in own if run.megabytes), default=None),
        })  # fmt: skip
    return sorted(made, key=lambda one: -(one["newest"] or 0))


def _last(chains: Sequence[ChainTold]) -> ChainTold | None:
    """The chain begun last, or run by itself; not what a person decided."""
    return next((chain for chain in chains if chain.runs[0].job not in BY_PERSONS), None)


def _cards(found: Sequence[RunTold], chains: Sequence[ChainTold]) -> list[tuple[str, str, str, str]]:
    if (last := _last(chains)) is None:
        return []
    wrong = [run for run in found if run.state in NOT_DONE]
    slowest = max(found, key=lambda run: run.seconds or 0)
    megabytes = max((run.megabytes for run in found if run.megabytes), default=None)
    cards = [
        ("Last run" if last.is_one_run else "Last chain", f"{last.seconds:,.0f} s", last.runs[0].job if last.is_one_run else f"{len(last.runs)} runs", ""),
        ("Runs shown", wording.count(len(found)), f"since {min(run.began for run in found):%Y-%m-%d}", ""),
        ("Failed, withheld or not ended", wording.count(len(wrong)), "of these", "bad" if wrong else "good"),
        ("Longest", f"{slowest.seconds or 0:,.0f} s", slowest.job, ""),
    ]  # fmt: skip
    return [*cards, ("Most memory", f"{megabytes:,} MB", "the driver and what it started", "")] if megabytes else cards


def _headline(chains: Sequence[ChainTold]) -> str:
    if (last := _last(chains)) is None:
        return "No run was logged yet"
    what = f"run, {last.runs[0].job}," if last.is_one_run else "chain"
    if not last.wrong:
        return f"The last {what} of {last.began:%Y-%m-%d} is done: {last.seconds:,.0f} s"
    first = last.wrong[-1]
    how = {"failed": "failed", "withheld": "was withheld by its gate", "open": "came to no end"}[first.state]
    return f"The last {what} of {last.began:%Y-%m-%d} did not go through: {first.job} {how}"


def _last_error(found: Sequence[RunTold]) -> RunTold | None:
    """The newest run that failed, where no later one of its job is done; not of the job that makes the page, which is proof that it is."""
    done = {run.job: run.began for run in reversed(found) if run.state == "done"}
    return next(
        (run for run in found if run.state == "failed" and run.job != PUBLISHER and run.began >= done.get(run.job, run.began)),
        None,
    )
