"""What a lake holds, as one line a table: to see whether two lakes, or one before and after a run, are equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, StructField

from churnlake.core.contract import Table
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days
from churnlake.core.settings import StoreSettings
from churnlake.settings import Settings
from churnlake.tables.joining import JOINING_CHECKS

WHEN = {FILES: {"done_at", "modified_at"}, JOINING_CHECKS: {"arrived_at", "checked_at"}}
"""Columns that tell when a file was written or a row made: no content."""
NEAR = 1e-6
"""Two doubles so far apart are equal; of those above 1, by so much of the larger."""


def lake_of(spark: SparkSession, settings: Settings, days: Days, *tables: Table) -> Lake:
    """A lake to look at tables with, as of the last day."""
    return Lake(spark, settings.store, Scope("evaluation", days, tables, (), makers=Lineage.of_package().makers))


def content(spark: SparkSession, settings: Settings, days: Days) -> dict[str, tuple[int, int]]:
    """By table name, the number of rows and a hash of their content; rows of every state of a ledger.

    Equal hashes mean equal content: keys, counts and money exactly, doubles once rounded to 1e-6. Doubles summed in another order may be
    rounded to either side: ``apart`` compares them as they are. When a file was written and taken in is no content.
    """
    return {table.name: fingerprint(rows) for table, rows in _held(spark, settings, days)}


def _held(spark: SparkSession, settings: Settings, days: Days) -> Iterator[tuple[Table, DataFrame]]:
    """The tables there are, with all rows that are content."""
    tables = [table for table in Lineage.of_package().tables if table.stored]
    lake = lake_of(spark, settings, days, *tables)
    for table in tables:
        if lake.has(table):
            rows = lake.ledger(table) if table.ledger else lake.read(table)
            yield table, rows.drop(*({"raw_text"} if table.ledger else WHEN.get(table, set())))


def fingerprint(rows: DataFrame) -> tuple[int, int]:
    """Number of rows and a hash of them that does not depend on their order."""
    whole = rows.select(F.xxhash64(*[_settled(field) for field in rows.schema.fields]).alias("h"))
    # a sum of hashes, unlike their xor, also sees a row that stands there twice
    total = whole.agg(F.count("*").alias("n"), F.coalesce(F.sum(F.col("h").cast("decimal(38,0)")), F.lit(0)).alias("h")).first()
    return (int(total["n"]), int(total["h"])) if total else (0, 0)


def _settled(field: StructField) -> Column:
    column = F.col(field.name)
    if isinstance(field.dataType, DoubleType):
        # -0.0 and 0.0 are one value
        return F.round(column, 6) + F.lit(0.0)
    return F.to_json(F.struct(column)) if isinstance(field.dataType, ArrayType) else column


@dataclass(frozen=True)
class Compared:
    """A table in two lakes: rows in one of them alone, and columns of doubles that are too far apart, with the number of rows where they are."""

    table: str
    here: int
    there: int
    only_here: int
    only_there: int
    columns: dict[str, int]
    farthest: float

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same."""
        return not (self.only_here or self.only_there or self.columns)

    def __str__(self) -> str:
        """One line for people."""
        told = [f"{self.here:,} rows" if self.here == self.there else f"{self.here:,} rows here, {self.there:,} there"]
        told += [f"{count:,} only {side}" for side, count in (("here", self.only_here), ("there", self.only_there)) if count]
        told += [f"{name} apart in {count:,}" for name, count in self.columns.items()]
        told += [f"doubles at most {self.farthest:.1e} apart"] if self.farthest else []
        return f"{self.table}: {', '.join(told)}"


def compared(spark: SparkSession, settings: Settings, other: StoreSettings, days: Days) -> list[Compared]:
    """Every table of the lake of the settings beside that of ``other``; one that is in one of them alone has no row in the other."""
    here = dict(_held(spark, settings, days))
    there = dict(_held(spark, settings.model_copy(update={"store": other}), days))
    return [
        compared_rows(table.name, here.get(table, there[table].limit(0) if table in there else None), there.get(table))
        for table in {**here, **there}
    ]


def compared_rows(name: str, here: DataFrame | None, there: DataFrame | None) -> Compared:
    """Rows compared: what is no double exactly, doubles within ``NEAR``. Of rows that are the same but for doubles, the smaller meet the smaller."""
    known = here if here is not None else there
    if known is None:
        raise ValueError(f"{name} is in neither lake")
    doubles = [f.name for f in known.schema.fields if f.dataType.simpleString() in ("double", "array<double>")]
    exact = [_settled(f) for f in known.schema.fields if f.name not in doubles]
    values = [F.coalesce(F.col(c), F.array()) if known.schema[c].dataType != DoubleType() else F.array(F.col(c)) for c in doubles]
    twins = Window.partitionBy("h").orderBy(*[F.col(f"d{n}") for n in range(len(doubles))], "h")

    def settled(rows: DataFrame | None, side: str) -> DataFrame:
        asked = known.limit(0) if rows is None else rows
        held = asked.select(F.xxhash64(*exact).alias("h"), *[value.alias(f"d{n}") for n, value in enumerate(values)])
        placed = held.withColumn("n", F.row_number().over(twins))
        return placed.select("h", "n", F.struct(F.lit(True), *[f"d{n}" for n in range(len(doubles))]).alias(side))

    both = settled(here, "a").join(settled(there, "b"), on=["h", "n"], how="full_outer")
    met = F.col("a").isNotNull() & F.col("b").isNotNull()
    gaps = [
        F.when(met, F.array_max(F.zip_with(F.col(f"a.d{n}"), F.col(f"b.d{n}"), _gap))).alias(f"g{n}") for n in range(len(doubles))
    ]
    told = both.select("a", "b", *gaps).agg(
        F.count("a").alias("here"),
        F.count("b").alias("there"),
        F.count_if(F.col("b").isNull()).alias("only_here"),
        F.count_if(F.col("a").isNull()).alias("only_there"),
        *[F.count_if(F.col(f"g{n}") > NEAR).alias(f"g{n}") for n in range(len(doubles))],
        F.greatest(F.lit(0.0), F.lit(0.0), *[F.max(f"g{n}") for n in range(len(doubles))]).alias("farthest"),
    )
    row = told.head()
    if row is None:
        raise ValueError(f"{name} could not be counted")
    far = {column: int(row[f"g{n}"]) for n, column in enumerate(doubles) if row[f"g{n}"]}
    return Compared(name, row["here"], row["there"], row["only_here"], row["only_there"], far, float(row["farthest"] or 0.0))


def _gap(a: Column, b: Column) -> Column:
    """How far two doubles are apart, of those above 1 as a share of the larger; infinitely where one is null or no number alone."""
    is_same = a.eqNullSafe(b)
    gap = F.abs(a - b) / F.greatest(F.lit(1.0), F.abs(a), F.abs(b))
    return F.when(is_same, F.lit(0.0)).otherwise(F.coalesce(F.nanvl(gap, F.lit(float("inf"))), F.lit(float("inf"))))
