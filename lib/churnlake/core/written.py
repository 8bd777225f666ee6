"""What a write of a table committed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from churnlake.core.contract import STATES, Table


@dataclass
class Written:
    """What one write committed. ``days`` are those its good rows are of; ``withheld`` says which gate it did not pass."""

    table: Table
    slices: list[str]
    version: int
    rows: int
    bad: int = 0
    duplicates: int = 0
    suppressed: int = 0
    days: list[dt.date] = field(default_factory=list)
    withheld: str = ""
    seconds: float = 0.0
    ended: float = 0.0  # seconds since 1970

    @property
    def came(self) -> int:
        """Rows of every state: what came in, where it is a ledger."""
        return self.rows + self.bad + self.duplicates + self.suppressed

    def states(self) -> str:
        """In words, rows by state of what came in."""
        counts = zip(STATES, (self.rows, self.bad, self.duplicates, self.suppressed), strict=True)
        return f"{self.table.name}: " + ", ".join(f"{rows:,} {state}" for state, rows in counts)

    def entry(self) -> dict[str, Any]:
        """What the run log keeps of it."""
        counts = {"rows": self.rows, "bad": self.bad, "duplicates": self.duplicates}
        return {"table_name": self.table.name, "version": self.version, **counts, "slices": self.slices}

    def told(self) -> dict[str, Any]:
        """What the house's log tells of it beside its words."""
        entry = self.entry()
        return {"table": entry.pop("table_name"), **entry, "suppressed": self.suppressed, "seconds": round(self.seconds, 1)}


def aside(written: list[Written]) -> list[str]:
    """Of each table that took in rows which are not good, how many are of which state."""
    return [one.states() for one in written if one.came > one.rows]


def planned_rows(planned: list[tuple[Table, list[str]]]) -> list[Written]:
    """Entries for slices about to be written: no version and no rows yet."""
    return [Written(table, slices, -1, 0) for table, slices in planned]
