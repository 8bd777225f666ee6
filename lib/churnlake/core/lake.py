"""The lake: the only reader and writer of tables.

A write replaces exactly its slices in one commit; the slices are hidden from readers from before the write until the run
that wrote them is done. Reads never go beyond the run's last day.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import ledger, rules
from churnlake.core.contract import Table
from churnlake.core.errors import ContractError, LineageError, MissingInputError
from churnlake.core.frames import conform, frame_of
from churnlake.core.key_versions import KeyVersions, properties
from churnlake.core.landing import Landing
from churnlake.core.pseudonyms import Key
from churnlake.core.runs import RUNS, Days
from churnlake.core.settings import StoreSettings

logger = logging.getLogger(__name__)
WHOLE = "all"


@dataclass
class Written:
    """What one write committed."""

    table: Table
    slices: list[str]
    version: int
    rows: int
    bad: int = 0
    duplicates: int = 0
    span: Days | None = None

    def entry(self) -> dict[str, Any]:
        """What the run log keeps of it."""
        counts = {"rows": self.rows, "bad": self.bad, "duplicates": self.duplicates}
        return {"table_name": self.table.name, "version": self.version, **counts, "slices": self.slices}


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
        self.spark = spark
        self._store = store
        self._scope = scope
        self._on_first_write = on_first_write
        self.announced = False
        self._hidden: dict[str, set[str]] | None = None
        self._key: Key | None = None
        self.keys = KeyVersions(spark)
        self.landing = Landing(store)
        self.written: list[Written] = []
        self.versions_read: dict[str, int] = {}

    # ---- reading

    def has(self, table: Table) -> bool:
        """Whether the table has been written, or for a landing feed, whether this run takes in files of it."""
        self._declared(table, reading=True)
        if not table.stored:
            return bool(self.landing.files(table))
        return self._exists(table)

    def read(self, table: Table, first: dt.date | None = None, last: dt.date | None = None, as_of_run: bool = True) -> DataFrame:
        """The table's declared columns: one row per what the table says, visible slices and good rows only.

        A table dated by ``at`` is cut at the run's last day (or ``last``, if earlier) and, when given, from ``first``.
        ``as_of_run=False`` lifts that cut for a table that is made anew as a whole, so that running an earlier day again does
        not take back what later days added. A landing feed gives the canonical columns of this run's files, with their trace.
        Raises LineageError for a table the job did not declare, MissingInputError when it does not exist yet.
        """
        self._declared(table, reading=True)
        if not table.stored:
            return self.landing.read(self.spark, table)
        rows = self.ledger(table) if table.ledger else self._stored(table)
        if table.ledger:
            rows = rows.where("state = 'good'")
        if table.at and as_of_run:
            until = min(last, self._scope.days.last) if last else self._scope.days.last
            rows = rows.where(F.col(table.at) <= F.lit(until))
            if first:
                rows = rows.where(F.col(table.at) >= F.lit(first))
        return rows.select(table.names)

    def ledger(self, table: Table) -> DataFrame:
        """Every row that came in for a ledger table, with state and reasons: one row per row delivered; visible slices only."""
        self._declared(table, reading=True)
        return self._stored(table)

    def log(self) -> DataFrame:
        """The run log: one row per run and state it reached."""
        return self.spark.read.format("delta").load(self.path(RUNS))

    def rows_last_written(self, tables: list[str]) -> int:
        """Rows committed by the newest done write of each of these tables, summed."""
        if not tables or not self.has_log():
            return 0
        done = (
            self.log()
            .where("state = 'done'")
            .select("at", F.explode("written").alias("w"))
            .where(F.col("w.table_name").isin(tables))
        )
        total = done.groupBy("w.table_name").agg(F.max_by("w.rows", "at").alias("rows")).agg(F.sum("rows").alias("rows")).first()
        return int(total["rows"] or 0) if total else 0

    def has_log(self) -> bool:
        """Whether any run has been logged yet."""
        return self._exists(RUNS)

    def _stored(self, table: Table) -> DataFrame:
        if not self._exists(table):
            maker = self._scope.makers.get(table.name)
            raise MissingInputError(f"{table.name} does not exist yet" + (f"; run job {maker} first" if maker else ""))
        self.keys.check(table, self.path(table))
        rows = self.spark.read.format("delta").load(self.path(table))
        if table.name not in self.versions_read:
            self.versions_read[table.name] = self._version(table)
        # what this run itself has written it may read
        mine = {s for written in self.written if written.table == table for s in written.slices}
        hidden = self.hidden().get(table.name, set()) - mine
        if WHOLE in hidden:
            raise MissingInputError(
                f"{table.name} was left half written; run job {self._scope.makers.get(table.name, 'that makes it')} again"
            )
        if hidden and table.slice:
            rows = rows.where(~F.col(table.slice).cast("string").isin(sorted(hidden)))
        return rows

    def hidden(self) -> dict[str, set[str]]:
        """Slices that readers must not see, by table: their newest run is not done."""
        if self._hidden is None:
            self._hidden = {}
            if self._exists(RUNS):
                newest = (
                    self.log()
                    .select("state", "at", F.explode("written").alias("w"))
                    .select("state", "at", "w.table_name", F.explode("w.slices").alias("slice"))
                )
                newest = (
                    newest.groupBy("table_name", "slice")
                    .agg(F.max_by("state", F.struct("at", F.expr("state <> 'open'"))).alias("state"))
                    .where("state <> 'done'")
                )
                for row in newest.collect():
                    self._hidden.setdefault(row.table_name, set()).add(row.slice)
        return self._hidden

    # ---- writing

    def write(self, table: Table, rows: DataFrame) -> Written | None:
        """Replace the run's slices of the table by these rows, in one commit; None when the run has no slice of it to write.

        Rows outside the run's slices are left out, so a function may work on a longer stretch than the run writes. On a
        ledger table each row is first judged by the contract's rules and looked up among those already there.
        Raises ContractError when the columns are not the contract's, or a ledger slice has too few good rows.
        """
        self._declared(table, reading=False)
        slices = self._slices_to_write(table)
        if not slices:
            logger.info("%s: nothing to write in %s", table.name, self._scope.days)
            return None
        self._announce()
        self.create(table)
        if table.ledger:
            rows = self._judged(table, rows)
        rows = conform(table, rows)
        condition = _where(table, slices)
        if table.slice:
            rows = rows.where(condition)
        if table.slice and len(slices) > 1:
            rows = rows.repartition(F.col(table.slice))
        sort = [*rules.partition_columns(table), *table.sort]
        if sort and not table.ledger:
            rows = rows.sortWithinPartitions(*sort)
        (
            rows.write.format("delta").mode("overwrite").option("replaceWhere", condition)
            .option("userMetadata", json.dumps({"run_id": self._scope.run_id})).save(self.path(table))
        )  # fmt: skip
        report = self._count(table, slices, condition)
        self.written.append(report)
        logger.info(
            "%s: %s rows, %s bad, %s duplicates in %s slices", table.name, report.rows, report.bad, report.duplicates, len(slices)
        )
        if table.ledger and report.rows < table.least_good * (report.rows + report.bad + report.duplicates):
            raise ContractError(
                f"{table.name}: only {report.rows} of {report.rows + report.bad + report.duplicates} rows are good (gate: {table.least_good:.0%}); "
                f"see the reasons in its rows with state 'bad', mend the feed file or the files, and run again"
            )
        return report

    def planned(self) -> list[tuple[Table, list[str]]]:
        """The slices this run will write, by declared table."""
        return [(table, slices) for table in self._scope.writes if (slices := self._slices_to_write(table))]

    def append_log(self, row: dict[str, Any]) -> None:
        """Add one row to the run log."""
        self.create(RUNS)
        frame = frame_of(self.spark, RUNS.stored_schema, [row]).coalesce(1)
        frame.write.format("delta").mode("append").save(self.path(RUNS))

    def record_files(self, rows: list[dict[str, Any]], table: Table, batch: str) -> None:
        """Replace one batch's rows of the register of landing files."""
        self.create(table)
        frame = frame_of(self.spark, table.stored_schema, rows).coalesce(1)
        frame.write.format("delta").mode("overwrite").option("replaceWhere", f"batch = '{batch}'").save(self.path(table))

    def create(self, table: Table) -> None:
        """Create the table from its contract if it is not there.

        Raises ContractError when it is there under another contract.
        """
        if not self._exists(table):
            if "://" not in self.path(table):
                Path(self.path(table)).parent.mkdir(parents=True, exist_ok=True)
            self.spark.sql(rules.ddl(table, f"delta.`{self.path(table)}`", self.keys.version))
            return
        found = properties(self.spark, self.path(table))
        if found.get("churnlake.contract") == table.fingerprint:
            self.keys.check(table, self.path(table), found)
        else:
            raise ContractError(
                f"{table.name} on disk was made under another contract; "
                f"move {self.path(table)} away and run the jobs that fill it again, or restore the contract"
            )

    def _judged(self, table: Table, rows: DataFrame) -> DataFrame:
        """Every row with its state, dealt out and sorted as the table is: see ``ledger.set_repeats_aside``."""
        batch = F.lit(self.landing.batch)
        if len(self.key.ring) > 1:
            made = [c.name for c in table.columns if c.pseudonym]
            rows = rows.withColumns({name: self.key.renewed(F.col(name)) for name in made})
        # a constant need not be dealt out: it is given back at the end
        marked = ledger.mark(table, rows.withColumn("batch", batch)).drop("batch")
        dealt = ledger.dealt(table, marked, self.landing.rows_in(table))
        raw = F.when(F.col("state") == "bad", self.key.encrypt(F.col("raw_text")))
        return ledger.set_repeats_aside(table, dealt, self._already_there(table, rows)).withColumns(
            {"batch": batch, "raw_text": raw}
        )

    def _already_there(self, table: Table, rows: DataFrame) -> DataFrame | None:
        """One row per key of these rows that an earlier batch has: the key, its content and file. None when no row is late enough to matter."""
        at, newest = table.at, self.landing.delivered_before(table)
        if at is None or newest is None:
            return None
        stored = (
            self.spark.read.format("delta")
            .load(self.path(table))
            .where(F.col("batch") != self.landing.batch)
            .where("state = 'good'")
        )
        late = rows.where(F.col(at) <= F.lit(newest)).select(*table.key).distinct()
        oldest = self.landing.first_day() - dt.timedelta(days=self._store.looks_back_days + 7)
        there = stored.where(F.col(at) >= F.lit(oldest)).join(F.broadcast(late), on=list(table.key), how="left_semi")
        return there.groupBy(*table.key).agg(
            F.min("file_id").alias("known_file"), F.min(ledger.content_key(table)).alias("known_content")
        )

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
        if not self._exists(RUNS):
            return set()
        done = (
            self.log().where("state = 'done'").select(F.explode("written").alias("w")).where(F.col("w.table_name") == table.name)
        )
        listed = {row["slice"] for row in done.select(F.explode("w.slices").alias("slice")).distinct().collect()}
        return listed - self.hidden().get(table.name, set())

    def _announce(self) -> None:
        if not self.announced and self._on_first_write:
            self._on_first_write(self.planned())
        self.announced = True

    def _count(self, table: Table, slices: list[str], condition: str) -> Written:
        stored = self.spark.read.format("delta").load(self.path(table)).where(condition)
        state = F.col("state") if table.ledger else F.lit("good")
        at = F.col(table.at) if table.at else F.lit(None).cast("date")
        found = (
            stored.groupBy(state.alias("state"))
            .agg(F.count("*").alias("rows"), F.min(at).alias("first"), F.max(at).alias("last"))
            .collect()
        )
        counts = {row["state"]: row["rows"] for row in found}
        span = next((Days(row["first"], row["last"]) for row in found if row["state"] == "good" and row["first"]), None)
        return Written(
            table, slices, self._version(table), counts.get("good", 0), counts.get("bad", 0), counts.get("duplicate", 0), span
        )

    # ---- the rest

    @property
    def key(self) -> Key:
        """The key that pseudonyms and quarantined lines are made with."""
        if self._key is None:
            self._key = Key.load(self.spark, self._store.key_file, self._store.allow_demo_key)
            self.keys.use(self._key.version, "store.key_file")
        return self._key

    def checkpoint(self, rows: DataFrame) -> DataFrame:
        """The same rows, computed once and cut from the plan that made them."""
        return rows.localCheckpoint(eager=True)

    def path(self, table: Table) -> str:
        """Where the table lies."""
        root = self._store.lake
        return (
            f"{root.rstrip('/')}/{table.name.replace('.', '/')}"
            if "://" in root
            else str(Path(root).resolve() / table.name.replace(".", "/"))
        )

    def is_there(self, table: Table) -> bool:
        """Whether the table has been created, whoever may read it."""
        return self._exists(table)

    def _exists(self, table: Table) -> bool:
        from delta.tables import DeltaTable

        if "://" not in self.path(table):
            return (Path(self.path(table)) / "_delta_log").is_dir()
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))

    def _version(self, table: Table) -> int:
        log = Path(self.path(table)) / "_delta_log"
        if "://" not in self.path(table):
            return max((int(f.stem) for f in log.glob("*.json") if f.stem.isdigit()), default=-1)
        from delta.tables import DeltaTable

        newest = DeltaTable.forPath(self.spark, self.path(table)).history(1).select("version").first()
        return int(newest["version"]) if newest else -1

    def _declared(self, table: Table, *, reading: bool) -> None:
        allowed = (*self._scope.reads, *self._scope.may_read, *self._scope.writes) if reading else self._scope.writes
        if table not in allowed:
            raise LineageError(
                f"the job {'reads' if reading else 'writes'} {table.name} but does not declare it; add it to its @job({'reads' if reading else 'writes'}=...)"
            )


def _where(table: Table, slices: list[str]) -> str:
    if table.slice is None:
        return "true"
    if table.slice == "batch":
        return f"batch = '{slices[0]}'"
    dates = [dt.date.fromisoformat(s) for s in slices]
    if table.slice != "month" and (dates[-1] - dates[0]).days + 1 == len(dates):
        return f"{table.slice} >= date'{dates[0]}' AND {table.slice} <= date'{dates[-1]}'"
    return f"{table.slice} IN ({', '.join(f'date{day.isoformat()!r}' for day in dates)})"
