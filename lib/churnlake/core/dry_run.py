"""What a run would do, told and not done: settings, jobs in order, what each would read and write. Nothing is written, no log either.

Days and slices come from the functions a run itself asks (``Job.foresee``, ``Lake.planned``). Where there is a lake its run log is asked by
Spark, whose own log goes to a folder that is removed. Of a chain without ``--dates`` a job's days follow from what jobs before it
bring: they are told as far as they can be, and marked.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from churnlake.core import pseudonyms
from churnlake.core.contract import Table
from churnlake.core.errors import ChurnlakeError, MissingInputError, SettingsError
from churnlake.core.job import Job
from churnlake.core.lake import WHOLE, Lake, Scope
from churnlake.core.landing import FILES, Landing
from churnlake.core.lineage import Lineage
from churnlake.core.runs import EVER, RUNS, Days
from churnlake.core.session import require_java, session
from churnlake.core.settings import CoreSettings, conf_folder, load
from churnlake.core.shown import differing
from churnlake.core.storage import NO_SPARK, Storage


@dataclass
class Plan:
    """What one job would do. ``waits`` says why it would leave that to another run, ``stops`` why it would fail."""

    job: Job
    days: Days
    is_about: bool = False
    slices: list[tuple[Table, list[str]]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    waits: str = ""
    stops: str = ""

    @property
    def makes(self) -> set[str]:
        """Names of the tables that are there after it."""
        return set() if self.waits or self.stops else {table.name for table, slices in self.slices if slices}

    def __str__(self) -> str:
        """A line on the job, and one for each kind of input and output."""
        days = "" if self.days == EVER else f"{'about ' if self.is_about else ''}{self.days}"
        verdict = [("would wait", self.waits)] if self.waits else [("would stop", self.stops)] if self.stops else []
        told = [f"    {name:<13} {text}" for name, text in (*self.lines, *verdict)]
        return "\n".join([f"{self.job.name:<20} {days}".rstrip(), *told])


def dry_run(settings: CoreSettings, jobs: Sequence[Job], days: Days | None, env: str, restate: bool) -> None:
    """Print what a run of the jobs would do.

    Raises what a run would raise before it starts (SettingsError, ContractError), and MissingInputError where a job would stop for want
    of an input.
    """
    for job in jobs:
        job.check(settings)
    if any(job.lands for job in jobs):
        pseudonyms.checked_here(settings.store.key_file, settings.store.allow_demo_key)
    sys.stdout.write(f"Settings: base.yaml and {env}.yaml of {conf_folder()}, then --set; * differs from base.yaml.\n")
    sys.stdout.write("".join(f"{line}\n" for line in differing(settings, load(type(settings), "base"))))
    sys.stdout.write(f"\nDry run of {len(jobs)} job{'s' if len(jobs) != 1 else ''}, in this order; nothing is written.\n")
    with _asked(settings) as spark:
        for place, plan in enumerate(plans(spark, settings, jobs, days, restate), 1):
            sys.stdout.write(f"{plan}\n")
            if plan.stops:
                after = ", ".join(job.name for job in jobs[place:])
                sys.stdout.write(f"not reached: {after}\n" if after else "")
                raise MissingInputError(f"a run would stop at {plan.job.name}: {plan.stops}")


@contextmanager
def _asked(settings: CoreSettings) -> Iterator[SparkSession]:
    """A session where the lake can not be asked without one; else none."""
    storage = Storage(NO_SPARK, settings.store.lake)
    if storage.is_local and not storage.exists(RUNS) and not storage.exists(FILES):
        yield NO_SPARK
        return
    require_java()
    sys.stderr.write("the run log is asked by Spark, which takes some seconds\n")
    with tempfile.TemporaryDirectory() as folder, session(settings.spark, Path(folder) / "logs") as spark:
        yield spark


def plans(
    spark: SparkSession, settings: CoreSettings, jobs: Sequence[Job], days: Days | None, restate: bool = False
) -> Iterator[Plan]:
    """What each of the jobs would do, one after the other, each on what those before it leave."""
    lineage = Lineage.of_package()
    before: dict[str, Plan] = {}
    looking = Lake(spark, settings.store, Scope("", days or EVER, (), ()))
    with _log_at_hand(looking):
        # once for all jobs: what readers do not see is the same for each
        looking.hidden()
        for job in jobs:
            lake = looking.bound_to(job.scope("", days or EVER, restate, lineage.makers), lambda _: None)
            lake.landing = Landing(settings.store)
            plan = _plan(job, lake, days, restate, lineage, before)
            before[job.name] = plan
            yield plan


@contextmanager
def _log_at_hand(lake: Lake) -> Iterator[None]:
    """Keep the run log in memory: each job asks it several times."""
    log = lake.log().cache() if lake.has_log() else None
    try:
        yield
    finally:
        if log is not None:
            log.unpersist()


def _plan(job: Job, lake: Lake, days: Days | None, restate: bool, lineage: Lineage, before: dict[str, Plan]) -> Plan:
    plan = Plan(job, days or EVER)
    try:
        found = job.foresee(lake, days, restate, lineage.makers)
        if job.streams and not job.lands:
            registered = lake.read(FILES).collect() if lake.has(FILES) else []
            lake.landing.choose(job.feeds, registered, None)
    except SettingsError:
        raise
    except ChurnlakeError as error:
        plan.stops = str(error)
        return plan
    above = [before[name] for name in lineage.upstream(job) if name in before]
    plan.days, plan.is_about = _days(job, lake, found, days, above)
    bound = lake.bound_to(job.scope("", plan.days, restate, lineage.makers), lambda _: None)
    plan.slices = [(table, slices) for table, slices in bound.planned() if not job.feeds or _is_filled(table, job, lake.landing)]
    _tell_inputs(plan, lake, lineage.makers, before)
    if plan.waits:
        # it would not come as far as to tell its days
        plan.days, plan.slices = EVER, []
    else:
        _tell_outputs(plan)
    return plan


def _is_filled(table: Table, job: Job, landing: Landing) -> bool:
    """Whether a job that takes in files has some for the table; what it makes of several feeds it may make where any has."""
    feeds = [feed for feed in job.feeds if feed.name.partition(".")[2] == table.name.partition(".")[2]]
    return any(landing.files(feed) for feed in feeds or job.feeds)


def _days(job: Job, lake: Lake, found: Days, given: Days | None, above: Sequence[Plan]) -> tuple[Days, bool]:
    """The days of a run, and whether they are known only once jobs before it in the chain are done."""
    coming = [plan for plan in above if plan.makes]
    if given or job.lands or not coming:
        return found, False
    first, last = min(plan.days.first for plan in coming), max(plan.days.last for plan in coming)
    if job.is_daily:
        pending = found.each() if lake.has_log() else []
        return Days.of([*pending, *(day for plan in coming for day in plan.days.each())], last), True
    return Days(first, max(last, found.last) if lake.has_log() else last), True


def _tell_inputs(plan: Plan, lake: Lake, makers: dict[str, str], before: dict[str, Plan]) -> None:
    job = plan.job
    made = {name: one.job.name for one in before.values() for name in one.makes}
    if job.feeds:
        _tell_feeds(plan, lake)
    stored = [table for table in job.inputs if table.stored]
    there = [table for table in stored if table.name in made or lake.storage.exists(table)]
    if there:
        plan.lines.append(("reads", ", ".join(table.name for table in there)))
    lacking: dict[str, list[str]] = {}
    for table in (table for table in stored if table not in there):
        maker = makers.get(table.name, "")
        if table not in job.reads:
            lacking.setdefault(maker, []).append(table.name)
        elif maker in before:
            plan.waits = plan.waits or f"no {table.name} yet, and {maker} would make none"
        else:
            plan.stops = plan.stops or f"{table.name} does not exist yet; run job {maker} first"
    if stored and not (there or job.reads or job.feeds):
        plan.stops = f"none of the tables it reads is there; run job {next(iter(lacking), '')} first"
    plan.lines += [("does without", f"{', '.join(names)}, which {maker} makes") for maker, names in lacking.items()]


def _tell_feeds(plan: Plan, lake: Lake) -> None:
    waiting, unmapped = [], []
    for feed in plan.job.feeds:
        files = lake.landing.files(feed)
        if files:
            waiting.append(f"{feed.name} {len(files):,} files ({sum(f.bytes for f in files) / 1e6:,.1f} MB)")
        elif not lake.landing.feed_file(feed).is_file():
            unmapped.append(feed.name)
    before = f"; {lake.landing.seen_before:,} taken in before" if lake.landing.seen_before else ""
    plan.lines.append(("takes in", (", ".join(waiting) or "no new file") + before))
    if unmapped:
        plan.lines.append(("has no feed", ", ".join(unmapped)))
    plan.lines += [("leaves out", line) for line in lake.landing.left_out()]


def _tell_outputs(plan: Plan) -> None:
    job = plan.job
    if job.streams and plan.slices:
        plan.lines.append(("adds to", ", ".join(table.name for table in job.writes)))
        return
    by_slices: dict[str, list[str]] = {}
    for table, slices in plan.slices:
        by_slices.setdefault(_told(slices), []).append(table.name)
    plan.lines += [("may write", f"{', '.join(tables)}: {slices}") for slices, tables in by_slices.items()]
    written = {table.name for table, _ in plan.slices}
    if idle := [table.name for table in job.writes if table.name not in written]:
        plan.lines.append(("will not", f"{', '.join(idle)}: {_why_idle(job, plan.days)}"))
    if not job.writes:
        of_all = job.on_request and not job.inputs
        plan.lines.append(
            ("writes", "tables as it finds them: which slices, only the job itself can tell" if of_all else "no table")
        )


def _why_idle(job: Job, days: Days) -> str:
    if job.feeds:
        return "no file to take in"
    return "no month ends within these days, or what does is frozen" if days.each() else "no day to make"


def _told(slices: Sequence[str]) -> str:
    """Slices in a few words.

    >>> _told(["2005-05-01", "2005-05-02", "2005-05-03"]), _told(["all"])
    ('3 slices, 2005-05-01 to 2005-05-03', 'the whole table')
    """
    if list(slices) == [WHOLE]:
        return "the whole table"
    return slices[0] if len(slices) == 1 else f"{len(slices):,} slices, {slices[0]} to {slices[-1]}"
