"""A person's word that slices held back by a gate or a check may be seen after all."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Sequence

from pyspark.sql import SparkSession

from churnlake.core import visibility
from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.lake import Lake, Scope, Written
from churnlake.core.runs import EVER, said
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
    written = Written(table, sorted(slices), lake.storage.version(table), 0, days=days)
    of_days = {"first_day": days[0], "last_day": days[-1]} if days else {}
    touched = [(table.name, days)] if table.ledger else []
    message = f"{getpass.getuser()}: {why}"
    lake.append_log(said(uuid.uuid4().hex[:12], "release", "released", [written.entry()], message, touched=touched, **of_days))
    return written.slices
