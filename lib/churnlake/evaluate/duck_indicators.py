"""Daily partials and monthly features by DuckDB, from the lake's own clean tables; and the tables of both sides compared.

Written for DuckDB as its users would: Parquet in and out, one scan for each daily table, sorted like ours.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from churnlake.core.contract import DOUBLE, LONG, MONEY, STRING, TIMESTAMP, Table
from churnlake.core.errors import ContractError
from churnlake.core.runs import Days
from churnlake.evaluate.duck import DAILY_OF, events
from churnlake.evaluate.duck_features import MADE_OF, Month, features, view
from churnlake.evaluate.duck_formulas import MACROS, typed
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.features import ITEMS, MONTHLY
from churnlake.tables.reference import LIVES
from churnlake.usage.settings import UsageSettings

DAILY_TABLES, FEATURES = (USAGE, EDGES, PLACES, DEVICES), {MONTHLY: INDICATORS, ITEMS: ALL_ITEMS}
IN_FOLDERS = {LEAVINGS.name: str(LEAVINGS.slice)}
"""By name of a table that is read by its slice, the slice's column: Delta keeps it in the names of folders alone."""
AGREES = 1e-6
COLUMNS_AT_ONCE = 60
Files = Mapping[str, Sequence[str]]
"""By name of a table, its Parquet files."""


@dataclass(frozen=True)
class Task:
    """What DuckDB is asked: the files of clean and reference tables, where its own go, of which days and month, with how much of the machine."""

    files: Files
    out: Path
    days: Days
    month: dt.date
    home_area: str
    threads: int
    memory: str
    usage_settings: UsageSettings


def current_files(table: Path) -> list[str]:
    """The Parquet files of a Delta table's newest version, of good rows where it has states, by its log.

    Raises ContractError where the log does not begin at its first entry, or rows are struck out of files.
    """
    entries = sorted(path for path in (table / "_delta_log").glob("*.json") if path.stem.isdigit())
    if not entries or int(entries[0].stem):
        raise ContractError(f"the log of {table} does not begin at version 0")
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        for line in entry.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                found[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                found.pop(action["remove"]["path"], None)
    if any(file.get("deletionVector") for file in found.values()):
        raise ContractError(f"{table} has files with rows struck out")
    good = [path for path, file in found.items() if file.get("partitionValues", {}).get("state", "good") == "good"]
    return sorted(str(table / unquote(path)) for path in good)


def read(files: Sequence[str], day: str = "") -> str:
    """SQL of the rows of these files; ``day`` names a date that only their folders tell."""
    folders = f"hive_partitioning=true, hive_types={{'{day}': DATE}}" if day else "hive_partitioning=false"
    return f"read_parquet([{', '.join(repr(file) for file in files)}], {folders}, union_by_name=true)"


def connected(task: Task) -> Any:
    """A connection with the clean records as ``events`` and every other table as a view."""
    import duckdb

    con = duckdb.connect()
    spill = task.out / "spill"
    con.execute(f"SET threads={task.threads}; SET memory_limit='{task.memory}'; SET temp_directory='{spill}'")
    con.execute("SET TimeZone='UTC'; SET preserve_insertion_order=false")
    for macro in MACROS:
        con.execute(macro)
    for name, files in task.files.items():
        if files and not name.startswith("clean."):
            con.execute(f"CREATE VIEW {name.replace('.', '_')} AS SELECT * FROM {read(files, IN_FOLDERS.get(name, ''))}")
    none = "SELECT 0::BIGINT AS number_key, 0::BIGINT AS user_id, NULL::TIMESTAMPTZ AS valid_from, NULL::TIMESTAMPTZ AS valid_to LIMIT 0"
    con.execute(f"CREATE VIEW lives AS {f'SELECT * FROM {view(LIVES)}' if task.files.get(LIVES.name) else none}")
    clean = {}
    for table in RECORDS:
        rows = (
            f"SELECT * FROM {read(task.files[table.name])} WHERE day BETWEEN DATE '{task.days.first}' AND DATE '{task.days.last}'"
        )
        if task.files.get(table.name):
            clean[table.name.partition(".")[2]] = f"({rows})"
    con.execute(f"CREATE VIEW events AS {events(clean)}")
    return con


def measure(task: Task) -> dict[str, Any]:
    """Run every step: ``steps`` (name -> seconds) and ``peak_memory_mb``; the tables lie in ``task.out``."""
    con = connected(task)
    steps = {}
    for table, query in queries(task):
        began = time.monotonic()
        write(con, task, table, query)
        steps[table.name] = time.monotonic() - began
    # what comes after has a connection of its own, with as much memory
    con.close()
    return {"steps": steps, "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def queries(task: Task) -> Iterator[tuple[Table, str]]:
    """The tables in the order they are made, each with its SQL."""
    for table in DAILY_TABLES:
        made = DAILY_OF[table.name.partition(".")[2]](task.usage_settings)
        # as the contract has them: sums are wider, and count_if of nothing but nulls is one
        told = (f"coalesce({typed(c.name, c.type)}, 0) AS {c.name}" if c.type in (LONG, MONEY) else c.name for c in table.columns)
        yield table, f"SELECT {', '.join(told)} FROM ({made}) m ORDER BY day, user_id"
    known = [table for table in MADE_OF if table in DAILY_TABLES or task.files.get(table.name)]
    for table, indicators in FEATURES.items():
        yield table, features(Month(task.month, task.home_area, known), indicators)


def write(con: Any, task: Task, table: Table, query: str) -> None:
    """Make one table; a view of it is there afterwards."""
    task.out.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({query}) TO '{_place(task, table)}' (FORMAT parquet, COMPRESSION snappy)")
    see(con, task, table)


def see(con: Any, task: Task, table: Table) -> None:
    """Let a connection see a table that was made."""
    con.execute(f"CREATE OR REPLACE VIEW {view(table)} AS SELECT * FROM {read([_place(task, table)])}")


def _place(task: Task, table: Table) -> str:
    return str(task.out / f"{view(table)}.parquet")


def differing(con: Any, ours: Files) -> list[str]:
    """In words, what the lakehouse's files hold otherwise than DuckDB's views: sums of daily tables, every value of features."""
    found: list[str] = []
    for table in DAILY_TABLES:
        columns = [c for c in table.columns if c.name not in table.key]
        numbers = [c.name for c in columns if c.type not in (STRING, TIMESTAMP)]
        told = [
            "count(*)",
            "count(DISTINCT user_id)",
            *(f"sum({name})" for name in numbers),
            *(f"count({c.name})" for c in columns),
        ]
        names = ["rows", "users", *numbers, *(f"non-null {c.name}" for c in columns)]
        one, other = (
            con.execute(f"SELECT {', '.join(told)} FROM {of}").fetchone() for of in (read(ours[table.name]), view(table))
        )
        found += [f"{table.name} {name}: {a} here, {b} there" for name, a, b in zip(names, one, other, strict=True) if a != b]
    for table in FEATURES:
        found += _of_users(con, table, read(ours[table.name]))
    return found


def _of_users(con: Any, table: Table, ours: str) -> list[str]:
    """The columns of which some user has another value on either side, with how many and one of them."""
    rows = [con.execute(f"SELECT count(*) FROM {of}").fetchone()[0] for of in (ours, view(table))]
    found = [f"{table.name} rows: {rows[0]} here, {rows[1]} there"] if rows[0] != rows[1] else []
    columns = [c for c in table.columns if c.name not in table.key]
    for at in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[at : at + COLUMNS_AT_ONCE]
        told = []
        for c in some:
            a, b = f"o.{c.name}", f"d.{c.name}"
            near = f"abs({a} - {b}) <= {AGREES} * greatest(abs({a}), abs({b}), 1)" if c.type == DOUBLE else f"{a} = {b}"
            apart = f"NOT coalesce({near}, {a} IS NULL AND {b} IS NULL)"
            told += [
                f"count_if({apart})",
                f"any_value(CASE WHEN {apart} THEN concat(user_id, ': ', {a}, ' here, ', {b}, ' there') END)",
            ]
        join = f"FROM {ours} o FULL JOIN {view(table)} d USING (user_id)"
        row = con.execute(f"SELECT {', '.join(told)} {join}").fetchone()
        found += [
            f"{table.name} {c.name}: {row[2 * n]} users differ, as {row[2 * n + 1]}" for n, c in enumerate(some) if row[2 * n]
        ]
    return found
