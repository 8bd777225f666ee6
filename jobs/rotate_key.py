"""Bring every table to the newest pseudonym key of store.key_file; run it again after a kill. No other job may run meanwhile."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.rotation import rotate
from jobs import job


@job(on_request=True)
def rotate_key(lake: Lake, run: Run) -> None:
    """One slice after the other of every table that holds pseudonyms or encrypted text."""
    from churnlake.core.lineage import Lineage

    run.facts.update(rotate(lake, Lineage.of_package().tables))


if __name__ == "__main__":
    rotate_key.main()
