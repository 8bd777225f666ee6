"""A person's word that slices held back by a gate or a check may be seen after all."""

from __future__ import annotations

import datetime as dt
import getpass
import uuid
from collections.abc import Sequence

from pyspark.sql import SparkSession

from churnlake.core import visibility
from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.job import revision
from churnlake.core.lake import Lake, Scope, Written
from churnlake.core.runs import EVER
from churnlake.core.settings import CoreSettings


def release(spark: SparkSession, settings: CoreSettings, table: Table, slices: Sequence[str], why: str) -> list[str]:
    """Make withheld or withdrawn slices of the table visible, and say in the run log who did so and why; the slices.

    Jobs that take in what changed since their last run then take in the days of these slices. Raises MissingInputError when no
    slice is named, or one is not held back; a slice left half written can only be written again.
    """
    lake = Lake(spark, settings.store, Scope("", EVER, (table,), ()))
    held = lake.hidden().get(table.name, {})
    wrong = [name for name in slices if held.get(name) not in visibility.CAN_BE_RELEASED]
    if wrong or not slices:
        waiting = [name for name, state in sorted(held.items()) if state in visibility.CAN_BE_RELEASED]
        what = f"{', '.join(wrong)} of {table.name} can not be released" if wrong else f"say which slices of {table.name}"
        raise MissingInputError(f"{what}; held back are {', '.join(waiting) or 'none'}")
    days = lake.days_in(table, list(slices))
    today = dt.datetime.now(dt.UTC).date()
    written = Written(table, sorted(slices), lake.storage.version(table), 0, days=days)
    lake.append_log(
        {
            "run_id": uuid.uuid4().hex[:12], "job": "release", "state": "released", "at": dt.datetime.now(dt.UTC),
            "first_day": days[0] if days else today, "last_day": days[-1] if days else today, "written": [written.entry()],
            "versions_read": [], "left_out": [], "revision": revision(), "message": f"{getpass.getuser()}: {why}",
            "touched": [(table.name, days)] if table.ledger else [],
        }
    )  # fmt: skip
    return written.slices
