"""Copy pages, reports, models' copies and logs off the driver's disk, which goes with the cluster; fail where a job before failed.

keep_work.py WORK KEPT STATE...; a state is how a job of this run ended. This task runs whatever they are, and Databricks takes a
run for what its last task is.
"""

import shutil
import sys
from pathlib import Path

WELL = {"success", "excluded"}


def main(argv: list[str]) -> None:
    """Files are written whole, one after the other: a volume can not be added to."""
    work, kept, states = Path(argv[0]), Path(argv[1]), argv[2:]
    for source in sorted(path for path in work.rglob("*") if path.is_file()) if work.is_dir() else []:
        # each run's log beside those of other runs; of all else the newest
        below = source.relative_to(work)
        target = kept / below if below.parts[0] != "logs" else kept / "logs" / f"{source.stat().st_mtime:.0f}-{source.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if wrong := sorted(set(states) - WELL):
        raise RuntimeError(f"jobs before ended {', '.join(wrong)}; their log is in {kept / 'logs'}")


if __name__ == "__main__":
    main(sys.argv[1:])
