"""Lineage: which job makes which table, and the order in which jobs must run. Derived from their declarations."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from churnlake.core.contract import Table
from churnlake.core.errors import LineageError, SettingsError
from churnlake.core.job import Job
from churnlake.core.settings import StoreSettings
from churnlake.core.storage import place


@dataclass(frozen=True)
class Lineage:
    """The jobs in an order in which each runs after those whose tables it reads."""

    jobs: tuple[Job, ...]

    @staticmethod
    def of(jobs: Sequence[Job]) -> Lineage:
        """Order the jobs. Raises LineageError when two make one table, or jobs wait for each other."""
        makers: dict[str, str] = {}
        for job in jobs:
            for table in () if job.on_request else job.writes:
                if table.name in makers:
                    raise LineageError(
                        f"{table.name} is written by {makers[table.name]} and by {job.name}; one job makes a table"
                    )
                makers[table.name] = job.name
        by_name = {job.name: job for job in jobs}
        waits = {
            job.name: sorted({makers[t.name] for t in job.inputs if t.name in makers} - {job.name})
            for job in sorted(jobs, key=lambda j: j.name)
        }
        try:
            order = list(TopologicalSorter(waits).static_order())
        except CycleError as error:
            raise LineageError(f"jobs wait for each other: {' -> '.join(error.args[1])}") from error
        # makers of landing files come first: they feed every job though no table says so; what is asked for by name comes last
        order.sort(key=lambda name: 2 if by_name[name].on_request else 1 if by_name[name].inputs or by_name[name].writes else 0)
        return Lineage(tuple(by_name[name] for name in order))

    @staticmethod
    def of_package(package: str = "jobs") -> Lineage:
        """The lineage of every program in a package: one job a module, of its name."""
        found = []
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            program = getattr(importlib.import_module(f"{package}.{module.name}"), module.name, None)
            if not isinstance(program, Job):
                raise LineageError(f"{package}/{module.name}.py defines no job named {module.name}")
            found.append(program)
        return Lineage.of(found)

    @property
    def makers(self) -> dict[str, str]:
        """Table name -> the job that writes it."""
        return {table.name: job.name for job in self.jobs if not job.on_request for table in job.writes}

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table that some job reads or writes, landing feeds first, then in the order they are made."""
        seen: dict[str, Table] = {}
        for job in self.jobs:
            for table in (*job.reads, *job.may_read):
                if not table.stored:
                    seen.setdefault(table.name, table)
        for job in self.jobs:
            for table in (*job.writes, *job.looks_back, *job.inputs):
                seen.setdefault(table.name, table)
        return tuple(seen.values())

    def places(self, store: StoreSettings) -> dict[str, str]:
        """By the path that it lies at, without a scheme and what follows that, the name of every table and landing feed."""
        apart = {"vault": store.vault_folder}
        found = {place(table, store.lake, apart): table.name for table in self.tables if table.stored}
        # links and all, as Spark is told of it (core.landing_files)
        landing = Path(store.landing).expanduser().absolute()
        found |= {str(landing / table.name.partition(".")[2]): table.name for table in self.tables if not table.stored}
        return {re.sub(r"^\w+://[^/]*", "", path): name for path, name in found.items()}

    def upstream(self, job: Job) -> list[str]:
        """Names of the jobs that this one waits for."""
        makers = self.makers
        return sorted({makers[t.name] for t in job.inputs if t.name in makers} - {job.name})

    def needed_by(self, *names: str) -> set[str]:
        """The named jobs and all that must have run before them."""
        by_name = {job.name: job for job in self.jobs}
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.upstream(by_name[name])
        return found

    def chain(self, first: str | None = None, only: str | None = None, until: str | None = None) -> tuple[Job, ...]:
        """The jobs to run: all, all from ``first`` on in this order, ``only`` one, or one with all that it waits for.

        A maker of landing files and a job on request run only when named. Raises SettingsError for an unknown name.
        """
        names = [job.name for job in self.jobs]
        for name in (first, only, until):
            if name is not None and name not in names:
                raise SettingsError(f"no job '{name}'; there are {', '.join(names)}")
        if only:
            return tuple(job for job in self.jobs if job.name == only)
        if until:
            return tuple(job for job in self.jobs if job.name in self.needed_by(until))
        if first:
            return tuple(job for job in self.jobs[names.index(first) :] if not job.on_request)
        return tuple(job for job in self.jobs if (job.inputs or job.writes) and not job.on_request)
