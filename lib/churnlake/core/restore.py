"""Going back to an earlier run: every table, the register of files and the run log as they stood when it was done.

The moment is that of the run's last commit; each table goes back to its newest version of then, as a new commit. While they do,
the run log hides them all and stops every job; it goes back last, and with it that entry: killed at any moment, the lake is either
shut or whole, and restoring again finishes.
"""

from __future__ import annotations

import getpass
import json
import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import erased, visibility
from churnlake.core.contract import Table
from churnlake.core.erased import ERASED, ERASURES
from churnlake.core.errors import ContractError, MissingInputError
from churnlake.core.lake import WHOLE, Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.leases import leases
from churnlake.core.runs import EVER, RUNS, said
from churnlake.core.settings import CoreSettings
from churnlake.core.written import planned_rows

logger = logging.getLogger(__name__)
NAME = "restore"
NO_WAY_BACK = ("erase_user", "rotate_key", "migrate_lake")
"""Jobs that what came before must not be brought back from behind: people erased, an old key, an old contract."""
STAYS = (ERASED, ERASURES, RUNS)
"""Who was erased stays erased; the run log goes back by itself, last."""


def newest(spark: SparkSession, settings: CoreSettings, most: int) -> list[Any]:
    """Rows run_id, job, done_at (UTC, as text), first_day, last_day of the newest runs that were done, the newest first."""
    lake = _lake(spark, settings, ())
    if not lake.has_log():
        return []
    done = lake.log().where((F.col("state") == "done") & (F.col("job") != NAME))
    told = F.date_format("at", "yyyy-MM-dd HH:mm:ss").alias("done_at")
    return done.orderBy(F.desc("at")).select("run_id", "job", told, "first_day", "last_day").limit(most).collect()


def is_under_way(spark: SparkSession, settings: CoreSettings) -> bool:
    """Whether the lake was left on its way back."""
    lake = _lake(spark, settings, ())
    return lake.has_log() and not lake.log().where(F.col("state") == visibility.GOING_BACK).isEmpty()


def restore(
    spark: SparkSession, settings: CoreSettings, tables: Sequence[Table], jobs: Iterable[str], run_id: str | None
) -> dict[str, tuple[int, int]]:
    """Take the lake back to where it stood when a run was done; by table that went back, the version it had and the one it has again.

    A table made later is left empty. Runs later than this are gone from the run log, the files they took in are new again.

    Args:
        spark: The session.
        settings: Where the lake lies.
        tables: Every table there may be.
        jobs: Every job there is; none may be at work.
        run_id: The run; None to finish what was begun.

    Raises MissingInputError when there is no such run, or files of its versions are gone, ContractError when somebody was erased, the
    key was changed or a contract was, since; the lake is then as it was.
    """
    lake = _lake(spark, settings, tables)
    with leases(spark, settings.store.lake, jobs, lake.run_id):
        run = _run(lake, run_id)
        there = [table for table in (*tables, FILES) if table not in STAYS and lake.storage.exists(table)]
        _require_way(lake, run, there)
        moment = _moment(lake, run["run_id"])
        back = _versions(lake, run, list(dict.fromkeys([*there, RUNS])), moment)
        _log(lake, visibility.GOING_BACK, run["run_id"], [table for table in back if table != RUNS])
        done = {}
        for table, (now, version) in back.items():
            # the log is the last of them
            lake.storage.restore(table, version)
            done[table.name] = (now, version)
            logger.info("%s: went back from version %s to what it was at %s", table.name, now, version)
        _log(lake, "done", f"{getpass.getuser()}: back to run {run['run_id']}", [])
    return done


def _lake(spark: SparkSession, settings: CoreSettings, tables: Sequence[Table]) -> Lake:
    return Lake(spark, settings.store, Scope(uuid.uuid4().hex[:12], EVER, tuple(tables), ()))


def _log(lake: Lake, state: str, message: str, tables: Sequence[Table]) -> None:
    written = [w.entry() for w in planned_rows([(table, [WHOLE]) for table in tables])]
    lake.append_log(said(lake.run_id, NAME, state, written, message))


def _run(lake: Lake, run_id: str | None) -> Any:
    """The row of the run log that says the run was done."""
    log = lake.log() if lake.has_log() else None
    if log is None:
        raise MissingInputError("no run was logged in this lake yet")
    if run_id is None:
        begun = log.where(F.col("state") == visibility.GOING_BACK).orderBy(F.desc("at")).first()
        if begun is None:
            raise MissingInputError("the lake is not on its way back; say to which run: --run RUN")
        run_id = begun["message"]
    done = log.where((F.col("state") == "done") & (F.col("run_id") == run_id)).first()
    if done is None:
        raise MissingInputError(
            f"no run {run_id} was done in this lake, or it was gone back behind; python -m churnlake restore lists those that were"
        )
    return done


def _require_way(lake: Lake, run: Any, there: Sequence[Table]) -> None:
    later = lake.log().where((F.col("state") == "done") & F.col("job").isin(*NO_WAY_BACK) & (F.col("at") > F.lit(run["at"])))
    behind = later.orderBy("at").first()
    if behind is not None:
        raise ContractError(
            f"run {run['run_id']} was done before {behind['job']} ({behind['run_id']}), which nothing may bring back from behind; "
            "choose a later run"
        )
    if erased.is_under_way(lake):
        raise ContractError("an erasure is under way; run job erase_user to finish it, then choose a run after it")
    for table in there:
        lake.keys.check(table, lake.path(table))


def _moment(lake: Lake, run_id: str) -> int:
    """When the run's last commit was made, in milliseconds since 1970: the one that says that it, and its batch, were done."""

    def of(table: Table, told: dict[str, str]) -> DataFrame:
        return lake.storage.commits(table).where(F.col("userMetadata") == json.dumps(told))

    made = of(RUNS, {"run_id": run_id, "state": "done"})
    if made.isEmpty():
        raise MissingInputError(f"the run log no longer tells which commit ended run {run_id}; choose a later run")
    if lake.storage.exists(FILES):
        made = made.union(of(FILES, {"run_id": run_id}))
    (found,) = made.agg(F.max("at").alias("at")).collect()
    return int(found["at"])


def _versions(lake: Lake, run: Any, tables: Sequence[Table], moment: int) -> dict[Table, tuple[int, int]]:
    """The tables that changed since, each with its version now and then. Raises MissingInputError where one of then can not be had."""
    logged = lake.log().where(F.col("at") <= F.lit(run["at"])).select(F.explode("written").alias("w"))
    rows = logged.groupBy("w.table_name").agg(F.max("w.version").alias("version")).collect()
    written = {row["table_name"]: row["version"] for row in rows}
    back = {}
    for table in tables:
        commits = lake.storage.commits(table).where(F.col("at") <= moment)
        (found,) = commits.agg(F.max("version").alias("version")).collect()
        now, version = lake.storage.version(table), found["version"] if found["version"] is not None else 0
        if version < written.get(table.name, -1):
            raise MissingInputError(
                f"{table.name}: by the times of its commits it was at version {version} when run {run['run_id']} was done, by the run log "
                f"at {written[table.name]}; the times are not its own, as in a lake that was copied: it can not go back"
            )
        if version == now:
            continue
        try:
            lacking = lake.storage.lacking(table, version)
        except Exception as error:  # Delta tells in many ways that it no longer knows a version
            raise MissingInputError(f"{table.name}: version {version} is no longer known; choose a later run") from error
        if lacking:
            raise MissingInputError(
                f"{table.name}: {lacking} files of version {version} are gone, maintain_lake keeps them for maintenance.restore_days; "
                "choose a later run"
            )
        back[table] = (now, version)
    return back
