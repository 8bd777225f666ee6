"""The lake read as analysts read it on Databricks: by the views of a catalog, which core.catalog makes."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from churnlake.core import visibility
from churnlake.core.catalog import VIEWS, ledger_view_name, view_name
from churnlake.core.contract import CIPHER, Table
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.frames import padded
from churnlake.core.runs import RUNS


class CatalogViews:
    """Reads as ``Lake`` does; which slices are hidden, and what else is not for analysts, the views know themselves."""

    def __init__(self, spark: SparkSession, catalog: str) -> None:
        """Raises MissingInputError where the catalog has no views, SettingsError where its ids are masked to who asks."""
        self.spark, self.catalog = spark, catalog
        if not self.has(RUNS):
            raise MissingInputError(
                f"no view {self._named(view_name(RUNS))}: refresh_views of the daily workflow makes the views, and lets analysts in"
            )
        seen = spark.sql(f"SELECT {self._named('masked')}(1) AS seen").first()
        if seen is None or seen["seen"] is None:
            # persons are counted by their ids: of masked ones a count would be wrong, and silently
            raise SettingsError(
                f"{catalog}: pseudonymous ids are masked to you, so persons can not be counted; ask to be of the group that reads them"
            )

    def has(self, table: Table) -> bool:
        """Whether the table has a view."""
        return bool(self.spark.catalog.tableExists(self._named(view_name(table))))

    def read(self, table: Table) -> DataFrame:
        """The table's declared columns but for encrypted ones: visible slices and good rows only."""
        # one made before the contract gained columns lacks them until refresh_views has run
        rows = padded(table, self._view(table, view_name(table)))
        return rows.select([c.name for c in table.columns if c.pseudonym != CIPHER])

    def ledger(self, table: Table) -> DataFrame:
        """Every row that came in for a ledger table: dates, state, reasons and file, nothing of what it says."""
        return self._view(table, ledger_view_name(table))

    def hidden(self) -> dict[str, dict[str, str]]:
        """By table, the slices that readers must not see, each with the state that hides it."""
        return visibility.hidden(self.read(RUNS))

    def _view(self, table: Table, name: str) -> DataFrame:
        if not self.spark.catalog.tableExists(self._named(name)):
            raise MissingInputError(
                f"no view {self._named(name)} of {table.name}: no such table yet, or refresh_views has not run since"
            )
        return self.spark.table(self._named(name))

    def _named(self, name: str) -> str:
        return f"{self.catalog}.{VIEWS}.{name}"
