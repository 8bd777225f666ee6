"""Jobs: which tables a program reads and writes, and one call. Everything else about running it is here."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core import settings as layered
from churnlake.core import visibility
from churnlake.core.checkpoints import kept_in_lake
from churnlake.core.command_line import argument_parser, guarded, one_line
from churnlake.core.contract import Table
from churnlake.core.errors import ContractError, DiskFullError
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES, Landing
from churnlake.core.leases import lease
from churnlake.core.logs import log_to as log_to
from churnlake.core.logs import of_run
from churnlake.core.logs import revision as revision
from churnlake.core.runs import EVER, Days, parse_days
from churnlake.core.session import peak_memory_mb, session
from churnlake.core.settings import CoreSettings
from churnlake.core.storage import Storage
from churnlake.core.written import Written, aside, planned_rows

logger = logging.getLogger("churnlake")
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|File too large")
Body = Callable[[Lake, "Run"], None]


@dataclass
class Run:
    """One run of a job: its days, its settings, what it had to leave out and what it wants to tell."""

    run_id: str
    job: str
    days: Days
    settings: Any
    chain: str | None = None
    began: float = field(default_factory=time.monotonic)
    left_out: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.began

    def leaves_out(self, what: str, feed: Table) -> None:
        """Say what this run leaves out for want of a feed or table."""
        self.left_out.append(f"{what}: no {feed.name}")
        logger.info("%s leaves out %s for want of %s", self.job, what, feed.name)

    def months(self, what: str) -> list[dt.date]:
        """First days of the months that end within the run; where none does, the run says so of ``what``."""
        months = self.days.months()
        if not months:
            self.left_out.append(f"{what}: no month ends within {self.days}; nothing to build")
        return months


@dataclass(frozen=True)
class Report:
    """What a run did."""

    job: str
    days: Days
    rows_in: int
    written: list[Written]
    left_out: list[str]
    facts: dict[str, Any]
    seconds: float

    @property
    def rows_out(self) -> int:
        """Good rows committed."""
        return sum(w.rows for w in self.written)


@dataclass(frozen=True)
class Job:
    """A program of the house: what it reads and writes, and its body."""

    name: str
    meaning: str
    reads: tuple[Table, ...]
    writes: tuple[Table, ...]
    may_read: tuple[Table, ...]
    looks_back: tuple[Table, ...]
    body: Body
    settings_model: type[CoreSettings]
    on_request: bool = False
    declared: Callable[[], None] | None = None
    streams: bool = False

    @property
    def feeds(self) -> tuple[Table, ...]:
        """The landing feeds it takes in."""
        return tuple(t for t in self.inputs if not t.stored)

    @property
    def lands(self) -> tuple[Table, ...]:
        """Those it takes in as one batch a run: all, but of a job that follows one as a stream."""
        return () if self.streams else self.feeds

    @property
    def is_daily(self) -> bool:
        """Whether it makes days out of batches: without ``--dates`` it then takes exactly the days that changed."""
        sliced = {t.slice for t in self.inputs if t.stored}
        return "batch" in sliced and sliced <= {"batch", None} and all(t.slice == "day" for t in self.writes)

    @property
    def inputs(self) -> tuple[Table, ...]:
        """Tables whose makers must run before: what it reads or may read, without what it only looks back at."""
        return (*self.reads, *self.may_read)

    def check(self, settings: CoreSettings) -> None:
        """Raise what is wrong with what it is declared by, or with the feed files of what it lands, before anything is started."""
        if self.declared:
            self.declared()
        if self.feeds:
            Landing(settings.store).mapped(self.feeds)

    def run(
        self,
        spark: SparkSession,
        settings: CoreSettings,
        days: Days | None,
        *,
        makers: dict[str, str] | None = None,
        restate: bool = False,
        chain: str | None = None,
    ) -> Report:
        """Run the job over the days (None: the days its inputs changed since it last ran), as part of a ``chain`` where one is named.

        Raises ChurnlakeError when inputs are missing, a contract or gate is broken, the job touches an undeclared table, or
        another run of it is at work.
        """
        run = Run(uuid.uuid4().hex[:12], self.name, days or EVER, settings, chain)
        of_run(run_id=run.run_id, job=self.name, chain=chain)
        try:
            with lease(spark, settings.store.lake, self.name, run.run_id), kept_in_lake(spark, settings.store.lake):
                report = self._run(spark, settings, days, run, makers or {}, restate)
            # of one that fails the lines that tell so, with the trace, are still to come
            of_run()
            return report
        except OSError as error:
            if NO_ROOM.search(str(error)):
                raise DiskFullError(f"no room left to write: {Storage(spark, settings.store.lake).room()}; make room") from error
            raise

    def _run(
        self, spark: SparkSession, settings: CoreSettings, days: Days | None, run: Run, makers: dict[str, str], restate: bool
    ) -> Report:
        looking = Lake(spark, settings.store, self.scope(run.run_id, run.days, restate, makers))
        # every job, whatever it touches, stops where the lake is on its way back
        looking.hidden()
        if self.lands:
            # a key that is missing or wrong stops the run even where there is nothing to take in
            _ = looking.key
        run.days = days = self.foresee(looking, days, restate, makers)
        of_run(run_id=run.run_id, job=self.name, chain=run.chain, days=str(days))
        logger.info("%s begins over %s", self.name, days)
        scope = self.scope(run.run_id, days, restate, makers)
        lake = looking.bound_to(scope, lambda planned: lake.append_log(self._entry(run, "open", planned_rows(planned))))
        try:
            self._body(lake, run)
            if self.feeds:
                run.days = self._days_touched(lake) or days
            if self.lands:
                not_taken = lake.landing.left_out()
                run.left_out += not_taken
                run.facts.setdefault("told", []).extend(w.states() for w in lake.written if w.table.ledger)
                for line in not_taken:
                    logger.warning("%s: left out: %s", self.name, line)
            for name in lake.skipped:
                run.left_out.append(f"{name}: {lake.why_skipped(name)}")
            passed = [w for w in lake.written if not w.withheld]
            report = Report(self.name, run.days, self._rows_in(lake), passed, run.left_out, run.facts, run.seconds)
            for found, state in ((lake.written, "withheld"), (lake.withdrawn, "withdrawn"), (lake.lifted, "released")):
                for w in (w for w in found if w.withheld):
                    lake.append_log(self._entry(run, state, [w], message=w.withheld))
            lake.append_log(self._entry(run, "done", passed, lake.versions_read, report.rows_in))
            if self.lands and lake.landing.batch:
                # last: a run killed before it leaves an open batch, which is taken in again; killed after it, nothing is left to do
                lake.record_files(lake.landing.register(self.lands, "done"), FILES, lake.landing.batch)
        except BaseException as error:
            ended = {"state": "failed", "seconds": round(run.seconds, 1)}
            logger.error("%s failed after %.1f s: %s", self.name, run.seconds, one_line(error), extra={"fields": ended})
            # what can not be logged stays open in the log, which hides it as well
            with contextlib.suppress(Exception):
                if lake.written or lake.announced or lake.has_log():
                    entry = self._entry(run, "failed", planned_rows(lake.begun), lake.versions_read, message=one_line(error))
                    lake.append_log(entry)
            if NO_ROOM.search(f"{error} {error.__cause__}"):
                raise DiskFullError(lake.no_room()) from error
            raise
        withheld = [w.withheld for w in lake.written if w.withheld]
        facts = {"rows_in": report.rows_in, "rows_out": report.rows_out, "seconds": round(report.seconds, 1)}
        state = "withheld" if withheld else "done"
        logger.info("%s is %s in %.1f s", self.name, state, report.seconds, extra={"fields": {"state": state, **facts}})
        if withheld:
            raise ContractError("; ".join(withheld))
        return report

    def scope(self, run_id: str, days: Days, restate: bool, makers: dict[str, str]) -> Scope:
        """What a run over these days may touch."""
        files = (FILES,) if self.feeds else ()
        return Scope(run_id, days, (*self.reads, *self.looks_back, *files), self.writes, self.may_read, restate, makers)

    def foresee(self, lake: Lake, days: Days | None, restate: bool, makers: dict[str, str]) -> Days:
        """Choose the landing files that a run takes in, and tell its days where none are given. Nothing is written.

        Raises MissingInputError where the lake is on its way back, or there is no landing folder.
        """
        hidden = lake.hidden()
        if self.lands:
            registered = lake.read(FILES).collect() if lake.has(FILES) else []
            again = visibility.withheld_batch(hidden, [t.name for t in self.writes], registered) if restate else None
            lake.landing.choose(self.lands, registered, days.last if days else None, again)
        return days or self._days_by_default(lake, makers)

    def _body(self, lake: Lake, run: Run) -> None:
        if not self.lands:
            self.body(lake, run)
            return
        for feed in self.lands:
            if not lake.landing.feed_file(feed).is_file():
                run.leaves_out(f"{feed.name} records", feed)
        if not lake.landing.batch:
            run.facts["told"] = [f"no new file; {lake.landing.seen_before:,} taken in before"]
            return
        batch = lake.landing.batch
        lake.record_files(lake.landing.register(self.lands, "open"), FILES, batch)
        self.body(lake, run)
        # every row is accounted for: what Spark committed against lines counted without it
        expected, found = lake.landing.rows_in(), sum(w.came for w in lake.written if w.table.ledger)
        if expected != found:
            raise ContractError(
                f"the files hold {expected:,} rows by line count, but {found:,} were committed; they differ in {self._unaccounted(lake)}; "
                "mend or remove those files, then run again"
            )

    def _unaccounted(self, lake: Lake) -> str:
        """The files whose rows committed are not those counted, the first few by name."""
        found: dict[str, int] = {}
        for written in lake.written:
            if written.table.ledger:
                rows = lake.ledger(written.table).where(F.col("batch") == lake.landing.batch)
                found |= {row["file_id"]: int(row["count"]) for row in rows.groupBy("file_id").count().collect()}
        listed = [row for row in lake.landing.register(self.lands, "open") if not (row["note"] or row["same_as"])]
        wrong = [
            f"{row['path']} ({row['lines'] * row['rows_per_line']:,} counted, {found.get(row['file_id'], 0):,} committed)"
            for row in listed
            if row["lines"] * row["rows_per_line"] != found.get(row["file_id"], 0)
        ]
        return ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")

    def _days_by_default(self, lake: Lake, makers: dict[str, str]) -> Days:
        today = dt.datetime.now(dt.UTC).date()
        if self.lands:
            delivered = [f.delivered_on for feed in self.lands for f in lake.landing.files(feed)]
            return Days(min(delivered), max(delivered)) if delivered else Days(today, today)
        above = sorted({makers[t.name] for t in self.inputs if t.name in makers and makers[t.name] != self.name})
        if not lake.has_log() or not above:
            return Days(today, today)
        done = lake.log().where("state = 'done'").select("job", "at", "first_day", "last_day")
        runs = done.where(F.col("job").isin(above))
        if self.is_daily:
            newest = runs.agg(F.max("last_day").alias("last")).first()
            pending = visibility.pending_days(lake.log(), self.name, [t.name for t in self.inputs])
            return Days.of(pending, newest["last"] if newest and newest["last"] else today)
        mine = done.where(F.col("job") == self.name).agg(F.max("at").alias("at")).first()
        since = mine["at"] if mine else None
        newer = runs.where(F.col("at") > F.lit(since)) if since else runs
        # up to the newest day there is, also where what is newer is of earlier days only: a month, or what looks back, ends later
        newest = runs.agg(F.max("last_day").alias("last")).first()
        for candidates in (newer, runs):
            span = candidates.agg(F.min("first_day").alias("first")).first()
            if newest and span and span["first"]:
                return Days(span["first"], newest["last"])
        return Days(today, today)

    def _days_touched(self, lake: Lake) -> Days | None:
        days = [day for w in lake.written if w.table.ledger for day in w.days]
        return Days(min(days), max(days)) if days else None

    def _rows_in(self, lake: Lake) -> int:
        if self.lands:
            return lake.landing.rows_in() if lake.landing.batch else 0
        if self.streams:
            return sum(w.came for w in lake.written if w.table.ledger)
        read = [t.name for t in self.inputs if t.name in lake.versions_read]
        return visibility.rows_last_written(lake.log(), read) if read and lake.has_log() else 0

    def _entry(
        self,
        run: Run,
        state: str,
        written: list[Written],
        versions: dict[str, int] | None = None,
        rows_in: int | None = None,
        message: str | None = None,
    ) -> dict[str, Any]:
        has_ended = state in ("done", "failed")
        return {
            "run_id": run.run_id, "job": run.job, "state": state, "at": dt.datetime.now(dt.UTC), "first_day": run.days.first, "last_day": run.days.last,
            "rows_read": rows_in,
            "written": [w.entry() for w in written],
            "versions_read": list((versions or {}).items()), "left_out": run.left_out, 
            "seconds": run.seconds if has_ended else None, "revision": revision(), "message": message,
            "chain": run.chain, "peak_megabytes": peak_memory_mb() if has_ended else None,
            "days": list(run.days.only) if run.days.only is not None else None,
            "suppressed": [(w.table.name, w.suppressed) for w in written if w.suppressed],
            "touched": [(w.table.name, w.days) for w in written if w.days or w.table.ledger],
        }  # fmt: skip

    # ---- the command line of every job

    def command(self, argv: list[str]) -> int:
        """Run from the command line; the exit code: 0 done, 2 bad arguments, settings or missing input, 3 contract or gate broken, 1 anything else."""

        def body(arguments: argparse.Namespace) -> None:
            days = parse_days(arguments.dates) if arguments.dates else None
            settings = layered.load(self.settings_model, arguments.env, arguments.set)
            if arguments.dry_run:
                from churnlake.core.dry_run import dry_run

                dry_run(settings, (self,), days, arguments.env, arguments.restate)
                return
            logs = Path(settings.store.work).resolve() / "logs"
            log_to(logs, settings.store.log_format)
            self.check(settings)
            with session(settings.spark, logs) as spark:
                from churnlake.core.lineage import Lineage

                report = self.run(
                    spark, settings, days, makers=Lineage.of_package().makers, restate=arguments.restate, chain=arguments.chain
                )
                sys.stderr.write(
                    f"{self.name} {report.days}: {report.rows_in:,} rows in, {report.rows_out:,} out, {report.seconds:.1f} s\n"
                )
                for line in (
                    *aside(report.written),
                    *[f"left out: {one}" for one in report.left_out],
                    *report.facts.get("failed", ()),
                    *report.facts.get("told", ()),
                ):
                    sys.stderr.write(f"  {line}\n")

        return guarded(self.name, argument_parser(self.name, self.meaning), argv, body)

    def main(self) -> None:
        """Entry point of ``spark-submit jobs/<name>.py`` and of workflow tasks: returns when done, exits with the code when not."""
        code = self.command(sys.argv[1:])
        if code:
            sys.exit(code)


def declare(
    settings_model: type[CoreSettings],
    *,
    reads: Iterable[Table] = (),
    writes: Iterable[Table] = (),
    may_read: Iterable[Table] = (),
    looks_back: Iterable[Table] = (),
    on_request: bool = False,
    declared: Callable[[], None] | None = None,
    streams: bool = False,
) -> Callable[[Body], Job]:
    """Decorator that makes a job of its body: ``reads`` must be there, ``may_read`` may; ``looks_back`` gives no lineage edge.

    A job ``on_request`` runs when somebody asks for it by name: it is no part of the chain and may write tables that others make.
    ``declared`` raises what is wrong with its declarations, before Spark starts. A job that ``streams`` follows its feed (core.streaming).
    """

    def wrap(body: Body) -> Job:
        meaning = sys.modules[body.__module__].__doc__ or body.__doc__ or ""
        return Job(
            body.__name__, meaning.strip().split("\n")[0], tuple(reads), tuple(writes), tuple(may_read), tuple(looks_back), body, settings_model,
            on_request, declared, streams,
        )  # fmt: skip

    return wrap
