"""Where tables lie, and how they are made and kept to their contract. Rows are written by the lake alone."""

from __future__ import annotations

import datetime as dt
import logging
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pyspark.sql import DataFrame, SparkSession

from churnlake.core import rules
from churnlake.core.contract import Table, sql_type
from churnlake.core.errors import ContractError

logger = logging.getLogger(__name__)
HALF = "half"
"""Begins what a table says of its contract while migrate_lake rewrites it: then come the version to rewrite and the contract's hash."""
NO_SPARK = cast("SparkSession", None)
"""In place of a session, to ask where tables of a lake on this machine lie and whether they are there: that takes none."""
REPLACED = "churnlake_replaced"
"""Name under which a table is replaced: Delta replaces no table that is named by its path."""


def properties(spark: SparkSession, path: str) -> dict[str, str]:
    """The properties of the Delta table at ``path``."""
    return {row["key"]: row["value"] for row in spark.sql(f"SHOW TBLPROPERTIES delta.`{path}`").collect()}


def contract_before(table: Table, there: Sequence[str], found: str) -> Table | None:
    """The contract of a table whose columns on disk are ``there`` and whose hash is ``found``, where it is this one less some optional columns."""
    # columns are added at the end: a run killed between adding them and saying so leaves some there under the old contract
    for known in (set(there[:count]) for count in range(len(there), 0, -1)):
        lacking = [column for column in table.columns if column.name not in known]
        if any(not column.optional for column in lacking):
            return None
        kept = tuple(column for column in table.columns if column.name in known)
        before = replace(table, columns=kept, sort=(), key=table.key)
        if lacking and before.fingerprint == found:
            return before
    return None


def contract_differs(table: Table, path: str, found: str) -> ContractError:
    """What to say of a table on disk that lies under another contract, of the hash ``found``."""
    if found.startswith(HALF):
        return ContractError(f"{table.name} is half way to another contract; run job migrate_lake, to finish it")
    return ContractError(
        f"{table.name} at {path} was made under another contract, and they differ in more than added optional columns; "
        "run job migrate_lake, which brings stored rows to this one, or run code that has the contract it was made under"
    )


def _forget_uncommitted(log: Path) -> None:
    """Take away the folder of a log that a killed run left before its first commit: Delta would take it for a table and create none.

    A commit is never taken away: where one has come meanwhile, the folder is not empty and stays.
    """
    for left in (*sorted(log.rglob("*"), reverse=True), log):
        if left.is_dir():
            with suppress(OSError):
                left.rmdir()
        elif left.name.startswith("."):
            left.unlink(missing_ok=True)


def place(table: Table, root: str, apart: Mapping[str, str]) -> str:
    """Where a table lies in a lake at ``root`` but for layers that lie ``apart``."""
    layer, _, noun = table.name.partition(".")
    return under(apart[layer], noun) if layer in apart else under(root, f"{layer}/{noun}")


def under(root: str, below: str) -> str:
    """A place below a root, which is a folder of this machine or a URI."""
    return f"{root.rstrip('/')}/{below}" if "://" in root else str(Path(root).resolve() / below)


def reached(spark: SparkSession, where: str) -> tuple[Any, Any]:
    """A place as Hadoop names it, and the file system to reach it by."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(where)
    return path, path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())


class Storage:
    """The folder or URI that holds the tables of a lake, but for layers that lie ``apart``, each in a place of its own."""

    def __init__(self, spark: SparkSession, root: str, apart: Mapping[str, str] | None = None) -> None:
        self.spark = spark
        self.root = root
        self.apart = dict(apart or {})
        self._kept: dict[str, dict[str, str]] = {}

    @property
    def is_local(self) -> bool:
        """Whether the lake lies on this machine's file system."""
        return "://" not in self.root

    def path(self, table: Table) -> str:
        """Where the table lies."""
        return place(table, self.root, self.apart)

    def exists(self, table: Table) -> bool:
        """Whether the table was ever committed. A folder that a killed run left without a commit is no table."""
        from delta.tables import DeltaTable

        if "://" not in self.path(table):
            return self.version(table) >= 0
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))

    def version(self, table: Table) -> int:
        """The newest commit of the table; -1 when there is none."""
        if "://" not in self.path(table):
            log = Path(self.path(table)) / "_delta_log"
            return max((int(f.stem) for f in log.glob("*.json") if f.stem.isdigit()), default=-1)
        from delta.tables import DeltaTable

        newest = DeltaTable.forPath(self.spark, self.path(table)).history(1).select("version").first()
        return int(newest["version"]) if newest else -1

    def room(self) -> str:
        """Room left where the lake and Spark's temporary files lie, in words."""
        places = {"Spark's temporary files": tempfile.gettempdir(), **({"the lake": self.root} if self.is_local else {})}
        free = {name: shutil.disk_usage(place).free / 1e6 for name, place in places.items() if Path(place).exists()}
        return ", ".join(f"{mb:,.1f} MB free for {name} at {places[name]}" for name, mb in free.items()) or f"at {self.root}"

    def renew_check(self, table: Table, name: str) -> None:
        """Bring one CHECK of the table on disk to what its contract says now, where it was made under an older one."""
        condition, stored = rules.checks(table)[name], f"delta.constraints.{name}".lower()
        known = {key.lower(): value for key, value in properties(self.spark, self.path(table)).items()}
        if known.get(stored) != condition:
            self._sql(f"ALTER TABLE {self._name(table)} DROP CONSTRAINT IF EXISTS {name}")
            self._sql(f"ALTER TABLE {self._name(table)} ADD CONSTRAINT {name} CHECK ({condition})")

    def files(self, table: Table) -> DataFrame:
        """One row per file of the table's newest version: partitionValues and size. Read from its log alone."""
        jvm: Any = self.spark._jvm
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table))
        snapshot = log.update(*[getattr(log, f"update$default${n}")() for n in (1, 2, 3)])
        return DataFrame(snapshot.allFiles().toDF(), self.spark).select("partitionValues", "size")

    def bytes_held(self, table: Table) -> int:
        """Bytes of the files of every version of the table, its log left out."""
        (whole, files), (log, _) = self._folder(self.path(table)), self._folder(f"{self.path(table)}/_delta_log")
        return int(files.getContentSummary(whole).getLength() - files.getContentSummary(log).getLength())

    def vacuum(self, table: Table, hours: int) -> None:
        """Delete the files that only versions older than so many hours need; another writer at work may lose its files when they are few."""
        # neither a refusal of few hours, nor two entries in the table's log for each vacuum
        names = ("spark.databricks.delta.retentionDurationCheck.enabled", "spark.databricks.delta.vacuum.logging.enabled")
        before = {name: self.spark.conf.get(name, "true") for name in names}
        try:
            for name in names:
                self.spark.conf.set(name, "false")
            self._sql(f"VACUUM {self._name(table)} RETAIN {hours} HOURS")
        finally:
            for name, value in before.items():
                self.spark.conf.set(name, str(value))

    def _folder(self, path: str) -> tuple[Any, Any]:
        return reached(self.spark, path)

    def _forget_uncommitted(self, log: str) -> None:
        """The same where only Spark reaches the log: on HDFS a folder is left, on S3 an object that stands for one."""
        folder, files = self._folder(log)
        if files.exists(folder) and all(str(entry.getPath().getName())[:1] in "._" for entry in files.listStatus(folder)):
            files.delete(folder, True)

    def forget(self, table: Table) -> None:
        """Delete every file and every entry of the log that only older versions of the table need; nobody reads those any more.

        Entries of the log tell the least and most of the columns a table is sorted by, and so may hold what was erased. The
        newest version is first written out whole. Running it again, after a kill too, does no harm; another writer at work would lose its files.
        """
        self.vacuum(table, 0)
        # one entry more, so that the one that erased is old as well: it lists the files it removed
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._sql(f"ALTER TABLE {self._name(table)} SET TBLPROPERTIES ('churnlake.forgotten' = '{now}')")
        jvm: Any = self.spark._jvm
        jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table)).checkpoint()
        folder, files = self._folder(f"{self.path(table)}/_delta_log")
        entries = {str(entry.getPath().getName()): entry.getPath() for entry in files.listStatus(folder)}
        versions = {name: int(told[0]) for name in entries if (told := re.match(r"\d{20}", name))}
        whole = max(version for name, version in versions.items() if ".checkpoint." in name)
        # the oldest first: what tells that something was erased is there as long as there is something left to delete
        for name in sorted(name for name, version in versions.items() if version < whole):
            files.delete(entries[name], False)

    def contract(self, table: Table) -> str:
        """The hash of the contract that the table on disk was made under; empty where it says none."""
        return properties(self.spark, self.path(table)).get("churnlake.contract", "")

    def check(self, table: Table) -> dict[str, str]:
        """The properties of the table on disk, asked for once.

        Raises ContractError where it lies under another contract, but for optional columns that this one gained.
        """
        if table.name not in self._kept:
            told = properties(self.spark, self.path(table))
            found = told.get("churnlake.contract", "")
            if found != table.fingerprint and self._before(table, found) is None:
                raise contract_differs(table, self.path(table), found)
            self._kept[table.name] = told
        return self._kept[table.name]

    def replace(self, table: Table, before: int) -> None:
        """Replace the table on disk by an empty one under its contract, which says of itself that version ``before`` is yet to be rewritten."""
        key_version = properties(self.spark, self.path(table)).get("churnlake.key", "")
        try:
            self._sql(f"DROP TABLE IF EXISTS {REPLACED}")
            self._sql(f"CREATE TABLE {REPLACED} USING delta LOCATION {rules.literal(self.path(table))}")
            contract = f"{HALF} {before} {table.fingerprint}"
            self._sql(rules.ddl(table, REPLACED, key_version, contract=contract, location=self.path(table)))
        finally:
            self._sql(f"DROP TABLE IF EXISTS {REPLACED}")

    def tell_contract(self, table: Table) -> None:
        """Write down that the rows on disk are all under the table's contract."""
        self._sql(f"ALTER TABLE {self._name(table)} SET TBLPROPERTIES ('churnlake.contract' = '{table.fingerprint}')")

    def commits(self, table: Table) -> DataFrame:
        """One row per commit that the table's log still tells: version, at (milliseconds since 1970) and userMetadata."""
        told: DataFrame = self._sql(f"DESCRIBE HISTORY {self._name(table)}")
        return told.selectExpr("version", "unix_millis(timestamp) as at", "userMetadata")

    def lacking(self, table: Table, version: int) -> int:
        """How many files of an older version are gone, of those the newest does not need too."""
        newest = self.spark.read.format("delta").load(self.path(table)).inputFiles()
        older = self.spark.read.format("delta").option("versionAsOf", version).load(self.path(table)).inputFiles()
        jvm: Any = self.spark._jvm
        _, files = self._folder(self.path(table))
        return sum(not files.exists(jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(name))) for name in set(older) - set(newest))

    def restore(self, table: Table, version: int) -> None:
        """Bring back an older version of the table, as a new commit."""
        self._sql(f"RESTORE TABLE {self._name(table)} TO VERSION AS OF {version}")

    def create(self, table: Table, key_version: str = "") -> dict[str, str]:
        """Create the table from its contract if it is not there; optional columns that its contract gained are added. Its properties.

        ``key_version`` tells the keys its pseudonyms are made with. Raises ContractError when it is there under a contract that differs in anything else.
        """
        if not self.exists(table):
            if "://" in self.path(table):
                self._forget_uncommitted(f"{self.path(table)}/_delta_log")
            else:
                Path(self.path(table)).parent.mkdir(parents=True, exist_ok=True)
                _forget_uncommitted(Path(self.path(table)) / "_delta_log")
            self._sql(rules.ddl(table, self._name(table), key_version))
        told = properties(self.spark, self.path(table))
        found = told.get("churnlake.contract", "")
        if found != table.fingerprint:
            before = self._before(table, found)
            if before is None:
                raise contract_differs(table, self.path(table), found)
            self._add(table, before)
        return told

    def _before(self, table: Table, found: str) -> Table | None:
        """The contract on disk, where it is this one less some optional columns."""
        return contract_before(table, self.spark.read.format("delta").load(self.path(table)).columns, found)

    def _add(self, table: Table, before: Table) -> None:
        there = set(self.spark.read.format("delta").load(self.path(table)).columns)
        new = [c for c in table.columns if c.name not in there]
        if new:
            columns = ", ".join(f"{c.name} {sql_type(c.type)} COMMENT {rules.literal(c.meaning)}" for c in new)
            self._sql(f"ALTER TABLE {self._name(table)} ADD COLUMNS ({columns})")
        known = properties(self.spark, self.path(table))
        for name, condition in rules.checks(table).items():
            if name not in rules.checks(before) and f"delta.constraints.{name}" not in known:
                self._sql(f"ALTER TABLE {self._name(table)} ADD CONSTRAINT {name} CHECK ({condition})")
        self.tell_contract(table)
        logger.info("%s: its contract gained optional columns: %s", table.name, ", ".join(c.name for c in new))

    def _name(self, table: Table) -> str:
        return f"delta.`{self.path(table)}`"

    def _sql(self, text: str) -> Any:
        return self.spark.sql(text)
