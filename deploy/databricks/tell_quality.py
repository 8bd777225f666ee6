"""Tell the workflow how the last day judged is: good, warn or error. With --fail, name what failed and fail.

tell_quality.py REPORT [--fail]; the report is the summary.json that check_quality leaves in <store.work>/quality.
"""

import json
import sys
from pathlib import Path

from databricks.sdk.runtime import dbutils

from churnlake.quality.scores import told


def main(argv: list[str]) -> None:
    """Hand the state to the gate. Without a report nothing was ever judged: that is an error, too."""
    path, fail = Path(argv[0]), "--fail" in argv[1:]
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"state": "error", "failed": [], "day": "no day"}
    lines = [told(one) for one in report["failed"]]
    print("\n".join([*lines, f"{report['day']}: {report['state']}"]))
    dbutils.jobs.taskValues.set("state", report["state"])
    if fail:
        raise RuntimeError(f"the gate is shut: {report['day']} is {report['state']}; {lines[0] if lines else f'no report at {path}'}")


if __name__ == "__main__":
    main(sys.argv[1:])
