"""Which keys the pseudonyms of a table were made with: kept as a table property, so that two kinds are never joined."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from churnlake.core.contract import Table
from churnlake.core.errors import ContractError
from churnlake.core.storage import properties

PROPERTY = "churnlake.key"
UNDER_WAY = ">"
"""Stands between the old and the new version while a table is being rewritten by rotate_key."""
REMEDY = "run job rotate_key, with store.key_file naming every key so far, oldest first"


class KeyVersions:
    """The key version that a run works with: that of the first table read, or of the key; another one is refused."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self.version = ""
        self._from = ""
        self._seen: set[str] = set()

    def use(self, version: str, what: str) -> None:
        """Work with this version. Raises ContractError where the run already works with another."""
        if self.version and version != self.version:
            raise ContractError(f"{what} and {self._from} have pseudonyms of different keys; {REMEDY}")
        if not self.version:
            self.version, self._from = version, what

    def check(self, table: Table, path: str, told: Mapping[str, str] | None = None) -> None:
        """Raise ContractError where the table is being rewritten for a new key, or was made with another key than this run's.

        A table that has no version yet is given this run's. ``told`` are its properties, where they are known.
        """
        if not table.pseudonyms or path in self._seen:
            return
        found = (properties(self._spark, path) if told is None else told).get(PROPERTY, "")
        if UNDER_WAY in found:
            raise ContractError(f"{table.name} is half way to a new key; {REMEDY}, to finish it")
        if found:
            self.use(found, table.name)
        elif self.version:
            self._spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('{PROPERTY}' = '{self.version}')")
        self._seen.add(path)
