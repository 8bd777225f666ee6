"""Tables, columns and indicators as frozen values; everything said of data is derived from them.

Types are pyspark ``DataType`` objects and formulas are SQL text, so nothing in this module needs a JVM.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from churnlake.core.errors import ContractError

LONG: DataType = LongType()
INT: DataType = IntegerType()
STRING: DataType = StringType()
BOOLEAN: DataType = BooleanType()
DATE: DataType = DateType()
TIMESTAMP: DataType = TimestampType()
DOUBLE: DataType = DoubleType()
MONEY: DataType = DecimalType(12, 2)
TEXTS: DataType = ArrayType(StringType())
NUMBERS: DataType = ArrayType(DoubleType())
COUNTS: DataType = ArrayType(LongType())
COUNT: DataType = LongType()
SHARE: DataType = DoubleType()

CIPHER = "cipher"

NAME = re.compile(r"^[a-z][a-z0-9_]*$")
OR_NONE = re.compile(r"coalesce\((.+), 0\)", re.DOTALL)
Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Column:
    """One column of a table: its type, meaning and the values it may hold.

    ``optional`` columns may be null. ``least``/``most`` are inclusive bounds, ``one_of`` the codes allowed and ``rule``
    any further SQL condition on this row. A broken rule of severity ``error`` sets the row aside; ``warn`` only marks it.
    ``made_of`` names the column it is worked out from: where that one is missing, only that one is called missing.
    ``pseudonym`` says whom a keyed value stands for: ``user`` or ``number`` the row is about, ``other`` party it names, else
    what else it hides (imei, document ...); a text encrypted with the key is ``cipher``. All of them change when the key does.
    """

    name: str
    type: DataType
    meaning: str
    optional: bool = False
    one_of: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    rule: str = ""
    severity: Severity = "error"
    made_of: str = ""
    pseudonym: str = ""

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ContractError(f"column name '{self.name}' is not snake_case")
        if not self.meaning:
            raise ContractError(f"column '{self.name}' says nothing of its meaning")


@dataclass(frozen=True)
class Table:
    """All that is known of a table.

    ``slice`` names the partition column that every write replaces whole (None: the whole table is one slice).
    ``at`` names the date column that says when a row's fact is known; reads never go beyond the run's last day by it.
    ``ledger`` tables keep every row that came in, with its state (see ``STATES``), reasons and origin.
    ``frozen`` slices are written once; only ``--restate`` rewrites them. ``stored=False`` marks landing feeds.
    ``least_good`` is the gate: the least share of good rows a slice may have before readers see it.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    slice: str | None = None
    at: str | None = None
    sort: tuple[str, ...] = ()
    ledger: bool = False
    frozen: bool = False
    stored: bool = True
    least_good: float = 0.5

    def __post_init__(self) -> None:
        layer, _, noun = self.name.partition(".")
        if not (NAME.match(layer) and NAME.match(noun)):
            raise ContractError(f"table name '{self.name}' is not layer.noun")
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ContractError(f"{self.name} declares {', '.join(twice)} twice")
        made_of = [column.made_of for column in self.columns if column.made_of]
        named = (*self.key, *self.sort, *made_of, *([self.slice] if self.slice else []), *([self.at] if self.at else []))
        missing = sorted(set(named) - set(names))
        if missing:
            raise ContractError(f"{self.name} names {', '.join(missing)}, which it does not declare")

    @property
    def names(self) -> list[str]:
        """The declared column names, in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """The declared column of that name. Raises ContractError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name} has no column '{name}'; it has {', '.join(self.names)}")

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """The declared columns and, for a ledger, those that account for every row."""
        return (*self.columns, *LEDGER) if self.ledger else self.columns

    @property
    def pseudonyms(self) -> tuple[Column, ...]:
        """The columns on disk whose values are made with the pseudonym key."""
        return tuple(column for column in self.stored_columns if column.pseudonym)

    @property
    def schema(self) -> StructType:
        """The declared columns as a StructType; optional ones are nullable."""
        return StructType([StructField(c.name, c.type, c.optional) for c in self.columns])

    @property
    def stored_schema(self) -> StructType:
        """The schema on disk."""
        return StructType([StructField(c.name, c.type, c.optional or self.ledger) for c in self.stored_columns])

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides what may stand in the table; kept as a table property."""
        text = repr(
            [
                (c.name, c.type.simpleString(), c.optional, c.one_of, c.least, c.most, c.rule, c.severity)
                for c in self.stored_columns
            ]
        )
        return hashlib.sha256(f"{self.name}{self.key}{self.slice}{text}".encode()).hexdigest()[:16]


STATES = ("good", "bad", "duplicate", "suppressed")
"""What a row that came in may be; every line counted is exactly one of them."""
LEDGER: tuple[Column, ...] = (
    Column(
        "state",
        STRING,
        "good: seen by readers; bad: set aside with reasons; duplicate: dropped, kept_in says where the kept row is; "
        "suppressed: of an erased user, nothing left but where it came from.",
    ),
    Column("reasons", TEXTS, "The rules this row broke: errors on a bad row, warnings on a good one.", optional=True),
    Column("file_id", STRING, "The landing file the row came from (content hash, see raw.files).", optional=True),
    Column("kept_in", STRING, "On a duplicate: the file_id of the kept row.", optional=True),
    Column(
        "raw_text",
        STRING,
        "On a bad row: the line as delivered, encrypted (base64). Null where only another row with its key sets it aside: "
        "all it says stands in its columns.",
        optional=True,
        pseudonym=CIPHER,
    ),
)
TRACE = ("file_id", "raw_text", "unreadable")
"""Columns that a feed reader adds to each row and a ledger write consumes: origin, the line, the fields that could not be read."""


@dataclass(frozen=True)
class Unit:
    """What a number counts or measures, and the type that holds it."""

    name: str
    type: DataType


@dataclass(frozen=True)
class Source:
    """Rows that formulas are written over: one row per what, the columns there are, and the tables they are made of."""

    name: str
    meaning: str
    columns: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Indicator:
    """One measure of a user: its name, unit, meaning and SQL formula.

    ``daily`` is an aggregate over one day's clean records, from which a month's value is had by ``merge``: the sum, least or
    greatest of its days. ``monthly`` is a formula of the month: an aggregate over the rows of the source named by ``over``, or
    without ``over`` a formula over the other indicators of the same user and month. ``view`` is the business view it belongs to.
    """

    name: str
    unit: Unit
    meaning: str
    daily: str = ""
    monthly: str = ""
    over: str = ""
    view: str = ""
    merge: Literal["sum", "min", "max"] = "sum"

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ContractError(f"indicator name '{self.name}' is not snake_case")
        if bool(self.daily) == bool(self.monthly):
            raise ContractError(f"indicator '{self.name}' needs exactly one of daily= and monthly=")

    @property
    def type(self) -> DataType:
        """The type of its unit."""
        return self.unit.type

    @property
    def formula(self) -> str:
        """The formula, on one line."""
        return " ".join((self.daily or self.monthly).split())

    @property
    def counts(self) -> bool:
        """Whether it counts or adds up a source's rows: where there are none it is 0 and not null."""
        found = OR_NONE.fullmatch(self.monthly)
        return self.monthly.startswith(("count", "size(")) or bool(found and is_whole(found[1]))

    @property
    def column(self) -> Column:
        """The column this indicator fills; only a daily sum is never null: others may have nothing to divide by or to look at."""
        adds_up = bool(self.daily) and self.merge == "sum"
        return Column(self.name, self.type, self.meaning, optional=not adds_up, least=0 if adds_up else None)


def is_whole(sql: str) -> bool:
    """Whether no parenthesis is closed that is opened before the SQL begins.

    >>> is_whole("sum(a), 0"), is_whole("sum(a), 0) / nullif(b")
    (True, False)
    """
    depth = 0
    for character in sql:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return True


def sql_type(data_type: DataType) -> str:
    """The SQL name of a type, as DDL writes it."""
    return data_type.simpleString().upper()


def columns_of(indicators: Iterable[Indicator]) -> tuple[Column, ...]:
    """The columns that a sequence of indicators fills, in order."""
    return tuple(indicator.column for indicator in indicators)
