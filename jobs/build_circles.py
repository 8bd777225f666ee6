"""Weigh each user's contacts into a decayed signature at each month's end."""

from churnlake.circles import signatures
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import EDGES
from jobs import job


@job(reads=(EDGES,), writes=(SIGNATURES, PEERS))
def build_circles(lake: Lake, run: Run) -> None:
    """One row per user active in the month and strongest peer; one row per peer."""
    months = run.months("circles")
    if not months:
        return
    edges = lake.read(EDGES, first=signatures.first_day_needed(months, run.settings.circles))
    kept = lake.checkpoint(signatures.signatures(edges, months, run.settings.circles))
    lake.write(SIGNATURES, kept)
    lake.write(PEERS, signatures.peers(kept))


if __name__ == "__main__":
    build_circles.main()
