"""Slices that a check found wrong are hidden, and seen again once they hold, are written again, or a person releases them.

Of a table sliced by batch it is days that are hidden, whichever batch brought their rows: a batch may hold months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.errors import ContractError
from churnlake.core.lake import WHOLE, Lake, Written


def slice_of(table: Table, day: dt.date) -> str:
    """The slice that is hidden for a day. Raises ContractError where the table's rows have no day to be hidden by."""
    if table.slice is None:
        return WHOLE
    if table.slice == "batch" and table.at is None:
        raise ContractError(f"{table.name} is sliced by batch and its rows have no day: it can not be withdrawn by day")
    return str(day.replace(day=1)) if table.slice == "month" else str(day)


def judged(
    lake: Lake, table: Table, wrong: Mapping[dt.date, str], held: Iterable[dt.date], released: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Hide the slices of the days that are wrong, show those withdrawn that hold by now; from the end of this run on. Both lists.

    Args:
        lake: Of the run that judges; it must have declared the table.
        table: The table judged.
        wrong: By day, why it must not be seen.
        held: Days judged that may be seen.
        released: Slices that a person let through as they are: see :func:`released_slices`.
    """
    states = lake.hidden().get(table.name, {})
    reasons = {slice_of(table, day): why for day, why in sorted(wrong.items())}
    hide = {name: why for name, why in reasons.items() if name not in states and name not in released}
    lift = sorted({name for day in held if states.get(name := slice_of(table, day)) == "withdrawn"} - set(reasons))
    version = lake.storage.version(table)
    for name, why in hide.items():
        told = f"{table.name} {name}: {why}"
        lake.withdrawn.append(Written(table, [name], version, 0, days=lake.days_in(table, [name]), withheld=told))
    if lift:
        told = f"{table.name} {', '.join(lift)}: no check that must hold fails any more"
        lake.lifted.append(Written(table, lift, version, 0, days=lake.days_in(table, lift), withheld=told))
    return sorted(hide), lift


def still_withdrawn(lake: Lake) -> dict[str, list[str]]:
    """By table, the slices that a check withdrew and that stay hidden when this run is over."""
    found = {name: {s for s, state in slices.items() if state == "withdrawn"} for name, slices in lake.hidden().items()}
    for one in lake.withdrawn:
        found.setdefault(one.table.name, set()).update(one.slices)
    for one in lake.lifted:
        found[one.table.name] -= set(one.slices)
    return {name: sorted(slices) for name, slices in sorted(found.items()) if slices}


def released_slices(log: DataFrame) -> dict[str, set[str]]:
    """By table, the slices that were released, and neither withdrawn nor written since, nor did rows of that day come."""
    rows = log.where(F.col("state").isin("done", "withdrawn", "released"))
    written = rows.select("state", "at", "touched", F.explode("written").alias("w"))
    days = F.transform(F.coalesce(F.try_element_at("touched", F.col("w.table_name")), F.array()), lambda day: day.cast("string"))
    named = F.when(F.col("state") == "done", F.array_union("w.slices", days)).otherwise(F.col("w.slices"))
    newest = (
        written.select("state", "at", "w.table_name", F.explode(named).alias("slice"))
        .groupBy("table_name", "slice")
        .agg(F.max_by("state", "at").alias("state"))
        .where("state = 'released'")
    )
    found: dict[str, set[str]] = {}
    for row in newest.collect():
        found.setdefault(row["table_name"], set()).add(row["slice"])
    return found
