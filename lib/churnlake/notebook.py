"""What readers' notebooks begin with: the published tables, seen as every reader sees them, and what the pages make of them, drawn."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.catalog import shown
from churnlake.core.catalog_views import CatalogViews
from churnlake.core.contract import Table
from churnlake.core.errors import SettingsError
from churnlake.core.lake import Lake, Scope
from churnlake.core.lineage import Lineage
from churnlake.core.runs import EVER, RUNS
from churnlake.core.session import get_session, require_java
from churnlake.core.settings import StoreSettings, conf_folder, load
from churnlake.core.visibility import to_release
from churnlake.explain import Readable, stages_of_match
from churnlake.reentry.explain import Stage
from churnlake.settings import Settings
from churnlake.site import closed, people
from churnlake.site import data as pages
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import USAGE

CATALOG = "CHURNLAKE_CATALOG"
"""Environment variable that names the catalog whose views are read; the bundle for Databricks sets it on its clusters."""
Format = Callable[[Any], str]
_asked: ContextVar[tuple[str | None, tuple[str, ...]]] = ContextVar("_asked", default=(None, ()))


class Reader(Readable, Protocol):
    """How tables are read: by their path (Lake) or by the views of a catalog (CatalogViews)."""

    def ledger(self, table: Table) -> DataFrame: ...  # noqa: D102
    def hidden(self) -> dict[str, dict[str, str]]: ...  # noqa: D102


@contextmanager
def asked_for(env: str, overrides: Sequence[str]) -> Iterator[None]:
    """Meanwhile ``open_lake`` opens this lake where a notebook names none: notebooks are executed on another without a change."""
    before = _asked.set((env, tuple(overrides)))
    try:
        yield
    finally:
        _asked.reset(before)


def open_lake(env: str | None = None, overrides: Sequence[str] = (), catalog: str | None = None) -> PublishedLake:
    """The lake to read: of a running session if there is one, else of one started for it.

    Args:
        env: Environment of conf/, as of every job; left out: local, a laptop after ``make demo``, or databricks where a catalog is named.
        overrides: Settings as after ``--set``, for example ``["store.lake=/data/lake"]``.
        catalog: Catalog of Databricks whose views (schema analysis) are read; left out: what CHURNLAKE_CATALOG names. Without one,
            tables are read by their path, ``store.lake``.

    Raises SettingsError for settings unknown or a session that can not be had, MissingInputError where the catalog has no views.
    """
    named, (asked_env, asked_overrides) = catalog or os.environ.get(CATALOG, ""), _asked.get()
    settings = load(Settings, env or asked_env or ("databricks" if named else "local"), [*asked_overrides, *overrides])
    # a notebook is run from its own folder, a command from where its paths are meant
    root = Path.cwd() if asked_env else conf_folder().parent
    settings = settings.model_copy(update={"store": from_root(settings.store, root)})
    lineage = Lineage.of_package()
    tables = tuple(shown((*lineage.tables, RUNS)))
    if named:
        # the cluster's session as it is: analysts' compute takes few settings
        running = SparkSession.getActiveSession()
        if running is None:
            raise SettingsError(
                f"catalog {named} is read in a running session, as Databricks has one; without {CATALOG} a lake is read by its path"
            )
        return PublishedLake(CatalogViews(running, named), settings, tables, f"the views of catalog {named}")
    require_java()
    spark, _ = get_session(settings.spark, Path(settings.store.work) / "logs")
    lake = Lake(spark, settings.store, Scope("", EVER, tables, ()))
    if not lake.has_log():
        raise SettingsError(
            f"there is no lake at {settings.store.lake}; make demo makes one, or name yours: open_lake(overrides=['store.lake=...'])"
        )
    return PublishedLake(lake, settings, tables, f"the lake at {settings.store.lake}")


def from_root(store: StoreSettings, root: Path) -> StoreSettings:
    """The settings with local paths taken below a folder."""
    names = ("lake", "vault", "work", "landing")
    paths = {name: value for name in names if (value := getattr(store, name)) and "://" not in value}
    return store.model_copy(update={name: str(root / value) for name, value in paths.items()})


class PublishedLake:
    """The published tables: slices that are pending, failed, withheld or withdrawn are not seen, as by every reader."""

    def __init__(self, reader: Reader, settings: Settings, tables: Sequence[Table], where: str) -> None:
        self._reader, self.settings, self._where = reader, settings, where
        self._tables = {table.name: table for table in tables}
        self.least = settings.privacy.least_shown

    def __repr__(self) -> str:
        """Where it lies, its tables, its days, and what readers do not see of it."""
        there = [table for table in self._tables.values() if self._reader.has(table)]
        days = (
            self.read(USAGE.name).agg(F.min("day").alias("first"), F.max("day").alias("last")).first() if USAGE in there else None
        )
        told = f"{self._where}: {len(there)} tables" + (
            f", days {days['first']} to {days['last']}" if days and days["first"] else ""
        )
        hidden = {name: slices for name, slices in self._reader.hidden().items() if name in self._tables}
        if not hidden:
            return f"{told}; nothing is hidden from readers"
        listed = "; ".join(
            f"{name} ({', '.join(sorted(set(states.values())))}: {len(states)})" for name, states in sorted(hidden.items())
        )
        return f"{told}; slices hidden from readers: {listed}"

    def read(self, table: str) -> DataFrame:
        """A table by its name, as ``churn.labels``: visible slices and good rows. Columns: ``python -m churnlake tables NAME``.

        Raises SettingsError where no table is called so, MissingInputError where it does not exist yet.
        """
        if table not in self._tables:
            raise SettingsError(f"no table '{table}'; python -m churnlake tables lists them")
        return self._reader.read(self._tables[table])

    def frames(self, *tables: Table) -> dict[Table, DataFrame]:
        """By table, its rows, as the pages take them: of clean records every row that came in, with its state. Those tables that are there."""
        there = [table for table in tables if self._reader.has(table)]
        frames = {table: self._reader.ledger(table) if table in RECORDS else self._reader.read(table) for table in there}
        for table in there:
            if table.ledger and table not in RECORDS:
                frames[table] = frames[table].withColumn("state", F.lit("good"))
        return frames

    def site(self, *tables: Table) -> pages.SiteData:
        """What the pages show of these tables: aggregates of fixed size, small cells to be hidden by who shows them."""
        return pages.collect(
            self.frames(*tables),
            dt.date.max,
            steps=pages.Step.of(Lineage.of_package()),
            least=self.least,
            held_back=to_release(self._reader.hidden()),
        )

    def people(self, *tables: Table) -> dict[str, pd.DataFrame]:
        """What the users are, as site.people counts them."""
        return {name: frame.toPandas() for name, frame in people.aggregates(self._good(tables)).items()}

    def closed(self, *tables: Table) -> dict[str, pd.DataFrame]:
        """How forecasts fared, as site.closed counts it."""
        return {name: frame.toPandas() for name, frame in closed.aggregates(self._good(tables)).items()}

    def stages_of_match(self, new_user: str) -> list[Stage]:
        """Why a joiner, by its name on the pages, is taken for the user it is matched to: what each evidence adds, stage by stage."""
        return stages_of_match(self._reader, self.settings.reentry, new_user)

    def draw(self, figure: Mapping[str, Any] | None) -> Any:
        """The figure as plotly draws it; where there is none, the words why."""
        if not figure or not figure["data"]:
            return Said(f"Nothing to draw: there are no such figures yet, or they are of fewer than {self.least} persons.")
        import plotly.graph_objects as go

        drawn = go.Figure(figure)
        # of a single kind it is told, too, which one that is
        has_names = any(trace.name for trace in drawn.data)
        return drawn.update_layout(showlegend=has_names) if drawn.layout.showlegend is None else drawn

    def table(
        self,
        rows: Sequence[Mapping[str, Any]] | pd.DataFrame,
        columns: Mapping[str, str | tuple[str, Format]],
        nothing: str = "",
    ) -> Shown | Said:
        """The rows as a table to read.

        Args:
            rows: one entry per row.
            columns: by key of the rows, the column's title, or title and how its values are written. None is written as a dash: not known, or
                of too few persons.
            nothing: what it means that there are no rows, where that says something.
        """
        found = [dict(row) for row in (rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows)]
        if not found:
            return Said(
                nothing or f"Nothing to list: there is nothing of the kind yet, or it is of fewer than {self.least} persons."
            )
        titles = {name: as_told if isinstance(as_told, str) else as_told[0] for name, as_told in columns.items()}
        write = {name: str if isinstance(as_told, str) else as_told[1] for name, as_told in columns.items()}
        cells = [[_written(row[name], write[name]) for name in columns] for row in found]
        return Shown(pd.DataFrame(cells, columns=list(titles.values())))

    def _good(self, tables: Sequence[Table]) -> dict[Table, DataFrame]:
        return {table: self._reader.read(table) for table in tables if self._reader.has(table)}


class Said:
    """A sentence in place of what can not be shown."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<p><em>{escape(self.text)}</em></p>"


class Shown:
    """A table of words, in ``frame``; no row numbers."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def __repr__(self) -> str:
        return self.frame.to_string(index=False)

    def _repr_html_(self) -> str:
        # with no index every head is that of a column
        return self.frame.to_html(index=False, border=0, justify="left").replace("<th>", '<th scope="col">')


def yes(value: Any) -> str:
    """A truth in a table."""
    return "yes" if value else "–"


def named(name: str, value: str = "") -> Format:
    """How a list of entries is written in a table: each by what stands under ``name``, with what stands under ``value`` where that is asked for.

    >>> named("path")([{"path": "a.csv"}, {"path": "b.csv"}]), named("name", "value")([{"name": "joiners", "value": "120"}])
    ('a.csv; b.csv', 'joiners: 120')
    """
    return lambda entries: "; ".join(f"{one[name]}: {one[value]}" if value else str(one[name]) for one in entries) or "–"


def _written(value: Any, write: Format) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) if write is str else str(write(value))
    return "–" if value is None or pd.isna(value) else str(write(value))
