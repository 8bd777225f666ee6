"""Slices of a stored table written again, some at once, each commit telling which: what jobs that go over all tables share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core import rules
from churnlake.core.contract import Table
from churnlake.core.lake import WHOLE, Lake

SLICES_AT_ONCE = 31
"""Slices rewritten in one commit: a kill costs at most so many."""


def slices_of(table: Table, rows: DataFrame) -> list[str]:
    """The slices that hold some of the rows, sorted: no more than the calendar and the deliveries hold."""
    text = F.col(table.slice).cast("string") if table.slice else F.lit(WHOLE)
    return sorted(row["slice"] for row in rows.select(text.alias("slice")).distinct().collect())


def rewrite(lake: Lake, table: Table, rows: DataFrame, slices: Sequence[str], note: Mapping[str, Any]) -> None:
    """Replace the slices by those of the rows that lie in them, in the table's order, in one commit with that ``note`` and their names."""
    condition = rules.slices_sql(table, list(slices))
    again = rows.where(condition)
    order = [*rules.partition_columns(table), *table.sort]
    if order:
        again = again.repartitionByRange(*order).sortWithinPartitions(*order)
    (
        again.write.format("delta").mode("overwrite").option("replaceWhere", condition)
        .option("userMetadata", json.dumps({**note, "slices": list(slices)})).save(lake.path(table))
    )  # fmt: skip


def done_before(lake: Lake, table: Table, note: Mapping[str, Any], since: int = -1) -> set[str]:
    """The slices that commits after version ``since`` with that ``note`` tell to be rewritten."""
    text = json.dumps(note)[1:-1]
    noted = lake.storage.commits(table).where(F.col("userMetadata").contains(text) & (F.col("version") > since))
    return {name for row in noted.collect() for name in json.loads(row["userMetadata"])["slices"]}
