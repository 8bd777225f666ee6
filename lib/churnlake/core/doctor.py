"""Whether a run may start: this machine, these settings and the lake, looked at one after the other. Nothing is changed.

Spark is started only where that is asked for; its logs then go to a folder that is removed with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from churnlake.core import examined, machine
from churnlake.core.errors import SettingsError
from churnlake.core.finding import FAIL, WARN, Finding, asked, ok, wrong
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.pseudonyms import Key
from churnlake.core.runs import RUNS
from churnlake.core.session import session
from churnlake.core.settings import CoreSettings, conf_folder, load


@dataclass(frozen=True)
class Case:
    """What is looked at: settings as a run would be given them, and whether Spark may be started."""

    settings_model: type[CoreSettings]
    env: str
    overrides: list[str]
    with_spark: bool = False


def findings(case: Case, lineage: Lineage) -> Iterator[Finding]:
    """One finding per check, as they are made. Without settings only what can be asked without them."""
    yield from machine.alone()
    try:
        settings = load(case.settings_model, case.env, case.overrides)
    except SettingsError as error:
        yield wrong("settings", error)
        return
    given = f", {len(case.overrides)} by --set" if case.overrides else ""
    yield ok("settings", f"{conf_folder()}: base.yaml, {case.env}.yaml{given}")
    feeds = [table for table in lineage.tables if not table.stored]
    yield from machine.around(settings, feeds)
    tables = [FILES, *(table for table in lineage.tables if table.stored and table != FILES), RUNS]
    takes = {feed.name.partition(".")[2]: job.name for job in lineage.jobs for feed in job.feeds}
    yield from examined.lake(settings.store, tables, takes)
    if case.with_spark:
        with tempfile.TemporaryDirectory() as folder, session(settings.spark, Path(folder) / "logs") as spark:
            yield asked("key", lambda: _key(Key.load(spark, settings.store.key_file, settings.store.allow_demo_key)))
            yield from examined.by_spark(spark, settings.store, tables)


def _key(key: Key) -> Finding:
    return ok("key", f"version {key.version}, as Spark reads it")


def summed(found: list[Finding]) -> tuple[str, int]:
    """How many checks hold, in words; and how many fail."""
    states = [finding.state for finding in found]
    failed = states.count(FAIL)
    return f"{len(found)} checks: {len(found) - failed - states.count(WARN)} ok, {states.count(WARN)} warn, {failed} fail", failed
