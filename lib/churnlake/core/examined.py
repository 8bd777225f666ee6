"""How a lake on this machine is, by its files alone: contracts and keys of its tables, leases, batches and runs left half way. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from churnlake.core import delta_log, leases
from churnlake.core.contract import Table
from churnlake.core.errors import SettingsError
from churnlake.core.finding import FAIL, WARN, Finding, asked, ok
from churnlake.core.key_versions import PROPERTY, REMEDY, UNDER_WAY
from churnlake.core.landing import FILES
from churnlake.core.runs import RUNS
from churnlake.core.settings import StoreSettings
from churnlake.core.storage import NO_SPARK, Storage, contract_before, contract_differs
from churnlake.core.visibility import CAN_BE_RELEASED, GO_ON_BACK, GOING_BACK

Described = dict[Table, tuple[dict[str, str], list[str]]]


def lake(store: StoreSettings, tables: Sequence[Table], feeds: Mapping[str, str]) -> Iterator[Finding]:
    """Findings on the lake of the settings; ``feeds`` names the job that takes in each feed. One line where there is no lake to look at."""
    storage = Storage(NO_SPARK, store.lake, {"vault": store.vault_folder})
    if not storage.is_local:
        yield ok("contracts", f"{store.lake} is reached by Spark alone; doctor --spark looks at it")
        return
    there = [table for table in tables if "://" not in storage.path(table) and storage.exists(table)]
    if not there:
        yield ok("contracts", f"no lake at {Path(store.lake).resolve()} yet; the first run makes it")
        return
    told: Described = {table: delta_log.described(Path(storage.path(table))) for table in there}
    yield asked("contracts", lambda: contracts(told, storage))
    yield asked("pseudonyms", lambda: keys(told))
    held = leases.held(store.lake)
    yield asked("leases", lambda: left(held))
    alive = {holder.get("run_id", "") for holder, is_dead in held.values() if not is_dead}
    yield asked("batches", lambda: batches(store, storage, feeds, bool(alive)))
    yield asked("runs", lambda: runs(storage, alive))
    yield asked("slices", lambda: held_back(storage))


def contracts(told: Described, storage: Storage) -> Finding:
    """The contract each table lies under is that of this code, or this one less optional columns, which the next write adds."""
    wrong, grown = [], []
    for table, (properties, columns) in told.items():
        found = properties.get("churnlake.contract", "")
        if found == table.fingerprint:
            continue
        if contract_before(table, columns, found) is None:
            wrong.append(str(contract_differs(table, storage.path(table), found)))
        else:
            grown.append(table.name)
    if wrong:
        found, _, todo = wrong[0].partition("; ")
        return Finding("contracts", FAIL, found + (f", and {len(wrong) - 1} tables more" if len(wrong) > 1 else ""), todo)
    more = f"; optional columns are added to {', '.join(grown)} by the next write" if grown else ""
    return ok("contracts", f"{len(told)} tables lie under those of this code{more}")


def keys(told: Described) -> Finding:
    """All pseudonyms were made with the same keys."""
    versions = {table.name: properties.get(PROPERTY, "") for table, (properties, _) in told.items() if table.pseudonyms}
    if half := [name for name, version in versions.items() if UNDER_WAY in version]:
        return Finding("pseudonyms", FAIL, f"{', '.join(half[:3])} half way to a new key", REMEDY)
    kinds = {version for version in versions.values() if version}
    if len(kinds) > 1:
        return Finding("pseudonyms", FAIL, f"tables hold those of {len(kinds)} different keys", REMEDY)
    return ok("pseudonyms", f"{len(versions)} tables, of one key" if kinds else "none yet")


def left(held: Mapping[str, tuple[Mapping[str, Any], bool]]) -> Finding:
    """No lease was left by a run that is dead."""
    dead = {job: holder for job, (holder, is_dead) in held.items() if is_dead}
    if dead:
        told = ", ".join(
            f"{job} (run {holder.get('run_id')} on {holder.get('host')}, process {holder.get('pid')})"
            for job, holder in dead.items()
        )
        return Finding("leases", WARN, f"left by runs that are dead: {told}", "the next run of the job takes it over")
    working = [f"{job} is at work, run {holder.get('run_id')}" for job, (holder, _) in held.items()]
    return ok("leases", ", ".join(working) or "none held")


def batches(store: StoreSettings, storage: Storage, feeds: Mapping[str, str], is_at_work: bool) -> Finding:
    """No batch of landing files is half taken in."""
    if not storage.exists(FILES):
        return ok("batches", "no file was taken in yet")
    rows = delta_log.rows(Path(storage.path(FILES)), ["path", "feed", "batch", "batch_state"])
    begun = [row for row in rows if row["batch_state"] == "open"]
    if not begun:
        return ok("batches", f"{len({row['batch'] for row in rows}):,} of {len(rows):,} files, all done")
    jobs = ", ".join(sorted({feeds.get(row["feed"], row["feed"]) for row in begun}))
    told = f"{', '.join(sorted({row['batch'][:12] for row in begun}))} of {len(begun):,} files is open"
    if is_at_work:
        return ok("batches", f"{told}, and being taken in")
    if lost := sorted(row["path"] for row in begun if not (Path(store.landing) / row["path"]).is_file()):
        gone = f"{told}, and {len(lost)} of them are gone from {store.landing}: {', '.join(lost[:3])}"
        return Finding("batches", FAIL, gone, f"put them back, then run {jobs}")
    return Finding("batches", WARN, told, f"run {jobs}, which finishes it first")


def runs(storage: Storage, alive: set[str]) -> Finding:
    """Every run came to an end, and the lake is not on its way back to an earlier one."""
    if not storage.exists(RUNS):
        return ok("runs", "none was logged yet")
    rows = sorted(delta_log.rows(Path(storage.path(RUNS)), ["run_id", "job", "state", "at"]), key=lambda row: row["at"])
    if any(row["state"] == GOING_BACK for row in rows):
        return Finding("runs", FAIL, *f"the lake can not be used: {GO_ON_BACK}".split("; "))
    ended = {row["run_id"] for row in rows if row["state"] != "open"}
    done = {row["job"]: row["at"] for row in rows if row["state"] == "done"}
    # what a later run of the job has done is no longer half written
    lost = [row for row in rows if row["run_id"] not in ended | alive and done.get(row["job"], row["at"]) <= row["at"]]
    if lost:
        told = ", ".join(f"{row['job']} ({row['run_id']}, begun {row['at']:%Y-%m-%d %H:%M})" for row in lost)
        return Finding("runs", WARN, f"came to no end: {told}", "what they wrote is hidden; run the job again over the same days")
    newest = f", the newest {rows[-1]['job']} at {rows[-1]['at']:%Y-%m-%d %H:%M}" if rows else ""
    return ok("runs", f"{len(ended):,} logged{newest}")


def held_back(storage: Storage) -> Finding:
    """No slice is kept from readers by a gate or a check: by the newest word of the run log on each."""
    if not storage.exists(RUNS):
        return ok("slices", "none written yet")
    rows = delta_log.rows(Path(storage.path(RUNS)), ["state", "at", "written"])
    newest: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda row: row["at"]):
        for written in row["written"] if row["state"] != "open" else ():
            newest |= {(written["table_name"], name): row["state"] for name in written["slices"]}
    kept = {told: state for told, state in newest.items() if state in CAN_BE_RELEASED}
    if kept:
        told = ", ".join(f"{table} {name} ({state})" for (table, name), state in list(kept.items())[:3])
        more = f" and {len(kept) - 3} more" if len(kept) > 3 else ""
        return Finding("slices", WARN, f"held back from readers: {told}{more}", "mend them, or python -m churnlake release")
    return ok("slices", f"{len(newest):,} written, none held back from readers")


def by_spark(spark: SparkSession, store: StoreSettings, tables: Sequence[Table]) -> Iterator[Finding]:
    """What only a session tells: that a small Delta table can be written, read and removed in the work folder, and of a remote lake its contracts."""
    yield asked("spark", lambda: _trial(spark, store))
    if any("://" in place for place in (store.lake, store.vault_folder)):
        yield asked("contracts", lambda: _contracts_there(spark, store, tables))


def _trial(spark: SparkSession, store: StoreSettings) -> Finding:
    import shutil
    import uuid

    began, rows = time.monotonic(), 100
    folder = Path(store.work).resolve() / f"doctor-{uuid.uuid4().hex[:8]}"
    try:
        spark.range(rows).write.format("delta").save(str(folder))
        found = spark.read.format("delta").load(str(folder)).count()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found != rows:
        raise SettingsError(f"a Delta table of {rows} rows reads as {found}; is the work folder shared with all executors?")
    return ok("spark", f"{spark.version} wrote and read a Delta table below {folder.parent} in {time.monotonic() - began:.1f} s")


def _contracts_there(spark: SparkSession, store: StoreSettings, tables: Sequence[Table]) -> Finding:
    storage = Storage(spark, store.lake, {"vault": store.vault_folder})
    there = [table for table in tables if storage.exists(table)]
    for table in there:
        storage.check(table)
    return ok("contracts", f"{len(there)} tables at {store.lake} lie under those of this code")
