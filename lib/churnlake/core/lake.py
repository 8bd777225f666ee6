"""The lake: the only reader and writer of tables.

A write replaces exactly its slices in one commit; the slices are hidden from readers from before the write until the run
that wrote them is done and they passed their gate. Reads never go beyond the run's last day.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import rules, visibility
from churnlake.core.checkpoints import checkpointed
from churnlake.core.contract import STATES, Table
from churnlake.core.errors import LineageError, MissingInputError
from churnlake.core.frames import conform, frame_of, padded
from churnlake.core.judging import judged
from churnlake.core.key_versions import KeyVersions
from churnlake.core.landing import Landing
from churnlake.core.merging import merged
from churnlake.core.pseudonyms import Key
from churnlake.core.runs import RUNS, Days
from churnlake.core.settings import StoreSettings
from churnlake.core.storage import Storage
from churnlake.core.written import Written as Written

logger = logging.getLogger(__name__)
WHOLE = "all"
TABLE_WRITTEN = "churnlake.table"
"""Local property of a Spark job that names the table it writes."""


@dataclass(frozen=True)
class Scope:
    """What a lake is bound to: the tables a job declared and its days."""

    run_id: str
    days: Days
    reads: tuple[Table, ...]
    writes: tuple[Table, ...]
    may_read: tuple[Table, ...] = ()
    restate: bool = False
    makers: dict[str, str] = field(default_factory=dict)


class Lake:
    """The tables a job may touch, bound to the days of its run."""

    def __init__(
        self,
        spark: SparkSession,
        store: StoreSettings,
        scope: Scope,
        on_first_write: Callable[[list[tuple[Table, list[str]]]], None] | None = None,
    ) -> None:
        self.spark, self.store, self._scope, self.run_id = spark, store, scope, scope.run_id
        self._on_first_write = on_first_write
        self.announced = False
        self.begun: list[tuple[Table, list[str]]] = []
        self._hidden: dict[str, dict[str, str]] | None = None
        self.skipped: dict[str, dict[str, str]] = {}
        self.storage = Storage(spark, store.lake, {"vault": store.vault_folder})
        self._key: Key | None = None
        self.keys = KeyVersions(spark)
        self.landing = Landing(store)
        self.written: list[Written] = []
        self.withdrawn: list[Written] = []
        self.lifted: list[Written] = []
        self.versions_read: dict[str, int] = {}

    def bound_to(self, scope: Scope, on_first_write: Callable[[list[tuple[Table, list[str]]]], None]) -> Lake:
        """The same lake for another scope, with what was found out of it: files chosen, slices hidden, contracts and keys."""
        other = Lake(self.spark, self.store, scope, on_first_write)
        other.landing, other.storage, other.keys, other._hidden = self.landing, self.storage, self.keys, self._hidden
        other._key = self._key
        return other

    # ---- reading

    def has(self, table: Table) -> bool:
        """Whether the table has been written, or for a landing feed, whether this run takes in files of it."""
        self._declared(table, reading=True)
        if not table.stored:
            return bool(self.landing.files(table))
        return self.storage.exists(table)

    def read(
        self,
        table: Table,
        first: dt.date | None = None,
        last: dt.date | None = None,
        as_of_run: bool = True,
        withdrawn: bool = False,
    ) -> DataFrame:
        """The table's declared columns: one row per what the table says, visible slices and good rows only.

        A table dated by ``at`` is cut at the run's last day (or ``last``, if earlier) and, when given, from ``first``.
        ``as_of_run=False`` lifts that cut for a table that is made anew as a whole, so that running an earlier day again does
        not take back what later days added. ``withdrawn=True`` gives withdrawn slices too, for who judges them.
        A landing feed gives the canonical columns of this run's files, with their trace.
        Raises LineageError for a table the job did not declare, MissingInputError when it does not exist yet.
        """
        self._declared(table, reading=True)
        if not table.stored:
            return self.landing.read(self.spark, table)
        rows = self._stored(table, withdrawn)
        if table.ledger:
            rows = rows.where("state = 'good'")
        if table.at and as_of_run:
            until = min(last, self._scope.days.last) if last else self._scope.days.last
            rows = rows.where(F.col(table.at) <= F.lit(until))
            if first:
                rows = rows.where(F.col(table.at) >= F.lit(first))
        return rows.select(table.names)

    def ledger(self, table: Table) -> DataFrame:
        """Every row that came in for a ledger table, with state and reasons: one row per row delivered.

        Visible batches only, but days withdrawn too: they are accounted for like others.
        """
        self._declared(table, reading=True)
        return self._stored(table, withdrawn=True)

    def log(self) -> DataFrame:
        """The run log: one row per run and state it reached."""
        self.storage.check(RUNS)
        # one that no run was added to since its contract gained columns lacks them
        return padded(RUNS, self.spark.read.format("delta").load(self.path(RUNS)))

    def has_log(self) -> bool:
        """Whether any run has been logged yet."""
        return self.storage.exists(RUNS)

    def _stored(self, table: Table, withdrawn: bool = False) -> DataFrame:
        if not self.storage.exists(table):
            what = f"; run job {maker} first" if (maker := self._scope.makers.get(table.name)) else ""
            raise MissingInputError(f"{table.name} does not exist yet{what} (nothing at {self.path(table)})")
        self.keys.check(table, self.path(table), self.storage.check(table))
        rows = padded(table, self.spark.read.format("delta").load(self.path(table)))
        if table.name not in self.versions_read:
            self.versions_read[table.name] = self.storage.version(table)
        # what this run itself has written it may read, once past its gate
        mine = {s: w.withheld for w in self.written if w.table == table for s in w.slices}
        hidden = {s: state for s, state in self.hidden().get(table.name, {}).items() if s not in mine}
        hidden |= {s: "withheld" for s, why in mine.items() if why}
        if withdrawn:
            hidden = {s: state for s, state in hidden.items() if state != "withdrawn"}
        if hidden:
            self.skipped[table.name] = hidden
        if WHOLE in hidden:
            raise MissingInputError(f"{table.name} can not be read: {self.why_skipped(table.name)}")
        if hidden and table.slice:
            for by in {table.slice, table.at} if table.ledger and table.at else {table.slice}:
                # a ledger's days may be hidden on their own; rows set aside have none
                rows = rows.where(~F.coalesce(F.col(by).cast("string").isin(sorted(hidden)), F.lit(False)))
        return rows

    def hidden(self) -> dict[str, dict[str, str]]:
        """By table, the slices that readers must not see, each with the state of the run log that hides it.

        Raises MissingInputError while the lake is going back to an earlier run: then nothing is to be read or written.
        """
        if self._hidden is None:
            # whatever contract the log lies under: migrate_lake asks as well
            self._hidden = visibility.hidden(self.spark.read.format("delta").load(self.path(RUNS))) if self.has_log() else {}
        return self._hidden

    def why_skipped(self, table_name: str) -> str:
        """Which slices of the table this run did not see, and what to do about it."""
        return visibility.told(table_name, self.skipped[table_name], self._scope.makers.get(table_name, "that makes it"))

    def days_in(self, table: Table, slices: list[str]) -> list[dt.date]:
        """The days that good rows of these slices are of, whether readers see them or not; sorted."""
        if table.slice == "day" or (table.ledger and all(visibility.is_day(name) for name in slices)):
            return sorted(dt.date.fromisoformat(name) for name in slices)
        if table.at is None or not self.storage.exists(table):
            return []
        rows = self.spark.read.format("delta").load(self.path(table))
        if table.slice:
            rows = rows.where(F.col(table.slice).cast("string").isin(slices))
        rows = rows.where("state = 'good'") if table.ledger else rows
        return sorted(row["day"] for row in rows.select(F.col(table.at).alias("day")).distinct().collect() if row["day"])

    # ---- writing

    def write(self, table: Table, rows: DataFrame) -> Written | None:
        """Replace the run's slices of the table by these rows, in one commit; None when the run has no slice of it to write.

        Rows outside the run's slices are left out, so a function may work on a longer stretch than the run writes. On a
        ledger table each row is first judged by the contract's rules and looked up among those already there.
        A ledger slice with too few good rows is withheld: committed, but not seen by readers until released.
        Raises ContractError when the columns are not the contract's.
        """
        return next(iter(self.write_all({table: rows})), None)

    def write_all(self, made: Mapping[Table, DataFrame]) -> list[Written]:
        """Write several tables as ``write`` does, side by side: while one is planned or committed, another has the cores.

        None of the frames may read what another of them writes. Where one fails, the others are written to their end first.
        """
        due = [(table, rows, slices) for table, rows in made.items() if (slices := self._due(table))]
        with ThreadPoolExecutor(max(len(due), 1)) as pool:
            # a table under another contract stops the run before anything is hidden
            made_now = [pool.submit(self._apart(partial(self.create, table))) for table, _, _ in due]
            if [one.result() for one in made_now]:
                self.announce()
            self.begun += [(table, slices) for table, _, slices in due]
            _ = any(table.ledger for table, _, _ in due) and self.key  # loaded once, not by each of them
            writing = [pool.submit(self._apart(partial(self._committed, *one))) for one in due]
        self.written += (done := [one.result() for one in writing if not one.exception()])
        for one in writing:
            one.result()
        return done

    def _apart(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """To run in a thread, with a copy of Spark's local properties that no other thread has: they tell queries apart."""
        return cast("Callable[..., Any]", inheritable_thread_target(self.spark)(work))

    def _due(self, table: Table) -> list[str]:
        """The slices of the table that the run is to write."""
        self._declared(table, reading=False)
        if not (slices := self._slices_to_write(table)):
            logger.info("%s: nothing to write in %s", table.name, self._scope.days)
        return slices

    def _committed(self, table: Table, rows: DataFrame, slices: list[str]) -> Written:
        began = time.time()
        # of this thread: tells in Spark's event log what each of its jobs is for
        self.spark.sparkContext.setLocalProperty(TABLE_WRITTEN, table.name)
        if table.ledger:
            rows = judged(self, table, rows)
        rows = conform(table, rows)
        condition = rules.slices_sql(table, slices)
        if table.slice:
            rows = rows.where(condition)
        if table.slice and len(slices) > 1:
            # by slice, but a slice of millions of rows to several tasks and files, small ones to one task
            rows = rows.hint("rebalance", F.col(table.slice))
        # of one slice the slice is no order, and rows sorted by a number alone are sorted by its bits
        sort = [*(rules.partition_columns(table) if len(slices) > 1 else []), *table.sort]
        if sort and not table.ledger:
            rows = rows.sortWithinPartitions(*sort)
        (
            rows.write.format("delta").mode("overwrite").option("replaceWhere", condition)
            .option("userMetadata", json.dumps({"run_id": self._scope.run_id})).save(self.path(table))
        )  # fmt: skip
        report = self.counted(table, slices, condition)
        report.ended = time.time()
        report.seconds = report.ended - began
        logger.info("%s in %s slices", report.states(), len(slices), extra={"fields": report.told()})
        if table.ledger and report.came - report.bad < table.least_good * report.came:
            report.withheld = (
                f"{table.name}: only {report.rows:,} of {report.came:,} rows are good (gate: {table.least_good:.0%}); see the reasons in its rows with "
                f"state 'bad', mend the feed file and run the job with --restate, which takes the batch in again, or let readers see "
                f"the slice as it is: python -m churnlake release --table {table.name} --slice {slices[0]} --why TEXT"
            )
            logger.warning(report.withheld, extra={"fields": report.told()})
        return report

    def merge(self, table: Table, rows: DataFrame) -> Written:
        """Add the rows whose key the table has not, in one commit that readers see at once; nothing is replaced (see core.merging)."""
        self._declared(table, reading=False)
        self.create(table)
        return merged(self, table, rows)

    def look_anew(self) -> None:
        """Forget which slices are hidden: a run that goes on for days sees what became visible meanwhile."""
        self._hidden = None

    def planned(self) -> list[tuple[Table, list[str]]]:
        """The slices this run will write, by declared table."""
        return [(table, slices) for table in self._scope.writes if (slices := self._slices_to_write(table))]

    def append_log(self, row: dict[str, Any]) -> None:
        """Add one row to the run log."""
        self.create(RUNS)
        frame = frame_of(self.spark, RUNS.stored_schema, [row]).coalesce(1)
        told = json.dumps({"run_id": row["run_id"], "state": row["state"]})
        frame.write.format("delta").mode("append").option("userMetadata", told).save(self.path(RUNS))

    def record_files(self, rows: list[dict[str, Any]], table: Table, batch: str = "") -> None:
        """Replace one batch's rows of the register of landing files, and those of files that an earlier run could not read.

        Without a batch, the rows of these very files, whichever batches they name.
        """
        self.create(table)
        mended = ", ".join(rules.literal(path) for path in self.landing.mended)
        condition = f"batch = '{batch}'" if batch else rules.among("batch", rows) + " AND " + rules.among("path", rows)
        condition += f" OR (note IS NOT NULL AND path IN ({mended}))" if mended else ""
        frame = frame_of(self.spark, table.stored_schema, rows).coalesce(1)
        (
            frame.write.format("delta").mode("overwrite").option("replaceWhere", condition)
            .option("userMetadata", json.dumps({"run_id": self._scope.run_id})).save(self.path(table))
        )  # fmt: skip

    def create(self, table: Table) -> None:
        """Create the table from its contract if it is not there. Raises ContractError when it is there under another, or another key."""
        self.keys.check(table, self.path(table), self.storage.create(table, self.keys.version))

    def _slices_to_write(self, table: Table) -> list[str]:
        days = self._scope.days
        if table.slice is None:
            return [WHOLE]
        if table.slice == "batch":
            return [self.landing.batch] if self.landing.batch else []
        slices = [str(day) for day in (days.months() if table.slice == "month" else days.each())]
        if table.frozen and not self._scope.restate:
            done = self._frozen_slices(table)
            slices = [s for s in slices if s not in done]
        return slices

    def _frozen_slices(self, table: Table) -> set[str]:
        # a table that somebody removed is made again, whatever the log says of it
        if not (self.storage.exists(RUNS) and self.storage.exists(table)):
            return set()
        done = (
            self.log().where("state = 'done'").select(F.explode("written").alias("w")).where(F.col("w.table_name") == table.name)
        )
        listed = {row["slice"] for row in done.select(F.explode("w.slices").alias("slice")).distinct().collect()}
        return listed - set(self.hidden().get(table.name, {}))

    def announce(self) -> None:
        """Log, before the first write, what the run will write: hidden from readers until it is done."""
        if not self.announced and self._on_first_write:
            self._on_first_write(self.planned())
        self.announced = True

    def counted(self, table: Table, slices: list[str], condition: str) -> Written:
        """What these slices hold, as committed."""
        stored = self.spark.read.format("delta").load(self.path(table)).where(condition)
        state = F.col("state") if table.ledger else F.lit("good")
        # of each state a row a day: no more than the calendar holds
        at = F.when(state == "good", F.col(table.at)) if table.at and table.ledger else F.lit(None).cast("date")
        found = stored.groupBy(state.alias("state"), at.alias("day")).agg(F.count("*").alias("rows")).collect()
        good, bad, again, gone = (sum(row["rows"] for row in found if row["state"] == name) for name in STATES)
        days = sorted({row["day"] for row in found if row["state"] == "good" and row["day"]})
        return Written(table, slices, self.storage.version(table), good, bad, again, gone, days)

    # ---- the rest

    def no_room(self) -> str:
        """What to say where a write found no room: what is full, and how much the run brings."""
        brings = self.landing.bytes_in()
        needs = f"; the landing files of this run hold {brings / 1e6:,.1f} MB, and the lake needs about as much" if brings else ""
        return f"no room left to write: {self.storage.room()}{needs}. Readers see nothing of this run; make room, then run the job again"

    @property
    def key(self) -> Key:
        """The key that pseudonyms and quarantined lines are made with."""
        if self._key is None:
            self._key = Key.load(self.spark, self.store.key_file, self.store.allow_demo_key)
            self.keys.use(self._key.version, "store.key_file")
        return self._key

    def checkpoint(self, rows: DataFrame) -> DataFrame:
        """The same rows, computed once and cut from the plan that made them."""
        return checkpointed(rows)

    def path(self, table: Table) -> str:
        """Where the table lies."""
        return self.storage.path(table)

    def _declared(self, table: Table, *, reading: bool) -> None:
        allowed = (*self._scope.reads, *self._scope.may_read, *self._scope.writes) if reading else self._scope.writes
        if table not in allowed:
            raise LineageError(
                f"the job {'reads' if reading else 'writes'} {table.name} but does not declare it; add it to its @job({'reads' if reading else 'writes'}=...)"
            )
