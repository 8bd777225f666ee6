"""Bringing stored tables to the newest pseudonym key, slice by slice; to be run again after a kill."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import CIPHER, Table
from churnlake.core.errors import ContractError
from churnlake.core.key_versions import PROPERTY, UNDER_WAY
from churnlake.core.lake import Lake
from churnlake.core.pseudonyms import Key
from churnlake.core.rewriting import SLICES_AT_ONCE, done_before, rewrite, slices_of
from churnlake.core.storage import properties

logger = logging.getLogger(__name__)


def renewed(table: Table, rows: DataFrame, key: Key, since: int) -> DataFrame:
    """The rows of a table whose pseudonyms went through ``since`` keys, taken on to the newest; texts encrypted anew."""
    made: dict[str, SparkColumn] = {}
    for column in table.pseudonyms:
        old = F.col(column.name)
        # a text that no key of the ring opens stays as it is: there is nothing to make it anew from
        made[column.name] = (
            F.coalesce(key.encrypt(key.decrypt(old)), old) if column.pseudonym == CIPHER else key.renewed(old, since)
        )
    return rows.withColumns(made)


def rotate(lake: Lake, tables: Iterable[Table]) -> dict[str, int]:
    """Bring the tables to the newest key of the ring; the number of slices rewritten, by table.

    A table is closed to readers and writers from before its first slice is rewritten until all tables are done, so that nobody
    joins old pseudonyms with new ones. Which slices are done is told by the commits. Raises ContractError where a table was
    made with a key that the ring does not name, or is half way to another key than the newest.
    """
    key = lake.key
    found: dict[str, tuple[Table, str]] = {}
    for table in tables:
        if table.pseudonyms and lake.storage.exists(table):
            told = properties(lake.spark, lake.path(table)).get(PROPERTY, "")
            old, under_way, new = told.partition(UNDER_WAY)
            if old not in key.versions:
                raise ContractError(
                    f"{table.name} was made with a key that store.key_file does not name; name every key, oldest first"
                )
            if under_way and new != key.version:
                raise ContractError(f"{table.name} is half way to another key; finish that with the keys it was begun with first")
            if told != key.version:
                found[table.name] = table, old
    for table, old in found.values():
        _tell(lake, table, f"{old}{UNDER_WAY}{key.version}")
    counts = {name: _rewrite(lake, table, key, key.versions.index(old) + 1) for name, (table, old) in found.items()}
    for table, _ in found.values():
        _tell(lake, table, key.version)
    return counts


def _tell(lake: Lake, table: Table, told: str) -> None:
    lake.spark.sql(f"ALTER TABLE delta.`{lake.path(table)}` SET TBLPROPERTIES ('{PROPERTY}' = '{told}')")


def _rewrite(lake: Lake, table: Table, key: Key, since: int) -> int:
    """Rewrite the slices that no commit tells to be done, some at once; how many those were."""
    count, note = 0, {"key": key.version}
    while True:
        # read at a version not newer than what is told to be done: no slice is renewed twice, even by two runs at once
        version = lake.storage.version(table)
        rows = lake.spark.read.format("delta").option("versionAsOf", version).load(lake.path(table))
        done = done_before(lake, table, note)
        slices = [name for name in slices_of(table, rows) if name not in done][:SLICES_AT_ONCE]
        if not slices:
            return count
        rewrite(lake, table, renewed(table, rows, key, since), slices, note)
        logger.info("%s: %s slices brought to the newest key", table.name, len(slices))
        count += len(slices)
