"""The command that tells how even the work of finding re-entrants' candidates is: totals by kind of block, and the worst blocks."""

from __future__ import annotations

import argparse
from typing import Any

from churnlake.core.console import Console
from churnlake.core.errors import MissingInputError
from churnlake.core.lake import Lake
from churnlake.core.runs import parse_days
from churnlake.reentry import blocks, joiners
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, USAGE
from churnlake.tables.reference import LIVES, SUBSCRIBERS

READS = (USAGE, EDGES, DEVICES, SIGNATURES, PEERS)
MAY_READ = (LIVES, SUBSCRIBERS)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command is asked by."""
    parser.add_argument("--dates", required=True, metavar="A..B", help="joiners whose final stage falls due on these days")


def skew(lake: Lake, settings: ReentrySettings, asked: argparse.Namespace, console: Console) -> None:
    """Print totals by kind of block and the worst blocks, of joiners at their final stage. Raises MissingInputError where there is no joiner."""
    days = parse_days(asked.dates)
    since = joiners.first_day_needed(days, settings)
    tables = {table: lake.read(table, first=since) for table in (EDGES, DEVICES)}
    tables |= {table: lake.read(table) for table in (SIGNATURES, PEERS)}
    if lake.has(SUBSCRIBERS):
        tables[SUBSCRIBERS] = lake.read(SUBSCRIBERS)
    final = settings.model_copy(update={"stages": [max(settings.stages)]})
    due = joiners.asked(lake, days, final).due
    if due.isEmpty():
        raise MissingInputError(
            f"no joiner's final stage falls due in {days}: it comes {max(settings.stages)} days after the join"
        )
    found = lake.checkpoint(blocks.blocks(due, tables, settings))
    totals = [
        (_kind(row), *(f"{row[name]:,}" for name in ("blocks", "comparisons", "median", "most")), f"{row['most_share']:.2%}")
        for row in blocks.summary(found).collect()
    ]
    console.table(
        f"Blocks of {due.count():,} joiners, {days}",
        ("kind", "blocks", "pairs", "median", "most of one", "its share"),
        totals,
        5,
    )
    largest = blocks.worst(found).collect()
    for title, is_left_out in (("The largest compared", False), ("The largest left out", True)):
        rows = [
            (
                row["kind"],
                str(row["block"]),
                f"{row['as_of']:%Y-%m}",
                *(f"{row[name]:,}" for name in ("joiners", "old_users", "comparisons")),
            )
            for row in largest
            if row["is_left_out"] == is_left_out
        ]
        console.table(title, ("kind", "pseudonym", "month", "joiners", "old users", "pairs"), rows, 3)


def _kind(row: Any) -> str:
    return f"{row['kind']}, left out" if row["is_left_out"] else str(row["kind"])
