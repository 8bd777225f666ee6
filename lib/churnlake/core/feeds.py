"""Landing feeds: the feed file that maps an operator's files to a contract, and the reading of those files.

Lines are read as text and then parsed, so that every row keeps the line it came from, word for word, and one broken line or
file never stops the others. Files are listed, hashed and counted in :mod:`churnlake.core.landing_files`.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from churnlake.core import texts
from churnlake.core.contract import Table
from churnlake.core.errors import SettingsError
from churnlake.core.landing_files import LandingFile, landing_files
from churnlake.core.settings import Model, read_yaml

__all__ = ["Feed", "LandingFile", "Source", "landing_files", "load_feed", "read_feed", "read_lines", "read_schema"]

WRONG_FIELDS = "line: wrong number of fields"


class Source(Model):
    """Where one canonical column comes from: a column of the file, or a constant ``value``.

    ``codes`` map texts to ours; a text not listed becomes ``otherwise``, or stays as it is where that is not given. ``scale``
    multiplies a number. Times are read by ``format`` in ``zone``, or counted in seconds from ``epoch_from``, a local time there.
    """

    column: str | None = None
    value: str | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    scale: float | None = None
    format: str | None = None
    zone: str | None = None
    epoch_from: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Source:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either column: or value:")
        if self.otherwise is not None and not self.codes:
            raise ValueError("otherwise: needs codes:")
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f"there is no time zone '{self.zone}'") from error
        if self.epoch_from is not None and (self.format or not self.zone):
            raise ValueError("epoch_from: needs zone: and no format:")
        if self.epoch_from is not None:
            dt.datetime.fromisoformat(self.epoch_from)
        return self


def _source(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class Feed(Model):
    """What a feed file says: how the files are written and which of their columns fill the contract.

    Every line yields one row per entry of ``rows``. ``numbers`` tells the domain whether identifiers are written out or are
    opaque ids.
    """

    feed: str
    format: Literal["csv", "parquet"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "UTF-8"
    header: bool | list[str] = True
    missing: list[str] = Field(default_factory=lambda: [""])
    numbers: Literal["dialled", "opaque"]
    rows: list[dict[str, Annotated[Source, BeforeValidator(_source)]]] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Feed:
        try:
            codec = codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(f"there is no encoding '{self.encoding}'") from error
        if codec.encode("\n,")[0] != b"\n,":
            raise ValueError(f"encoding '{self.encoding}' does not write line ends as one byte; deliver UTF-8")
        if self.format == "csv" and self.header is False:
            raise ValueError("header: must be true or the list of names of the columns")
        if self.delimiter in '"\n\r':
            raise ValueError("delimiter: can not be a quote or a line end")
        return self

    @property
    def is_opaque(self) -> bool:
        """Whether its identifiers are ids that stand for themselves."""
        return self.numbers == "opaque"

    @property
    def has_record_id(self) -> bool:
        """Whether the operator's own record ids are delivered."""
        return any("record_id" in entry for entry in self.rows)

    @property
    def columns(self) -> list[str]:
        """The columns of the file that the mapping names, each once, in order."""
        return list(dict.fromkeys(s.column for entry in self.rows for s in entry.values() if s.column is not None))


def load_feed(path: Path, table: Table) -> Feed:
    """The feed file at ``path``, checked against the contract it fills.

    Raises SettingsError naming the file and the culprit: unknown keys, formats or zones, a column the contract does not
    have, a required one that is not mapped, a mapping that does not fit the type.
    """

    def wrong(what: str) -> SettingsError:
        return SettingsError(f"feed file {path}: {what}")

    if not path.is_file():
        raise wrong(f"does not exist; write it to map an operator's files to {table.name}")
    try:
        feed = Feed.model_validate(read_yaml(path))
    except SettingsError as error:
        raise wrong(str(error)) from error
    except ValidationError as error:
        raise wrong("; ".join(_explain(e["loc"], e["type"], e["msg"]) for e in error.errors())) from error
    noun = table.name.partition(".")[2]
    if feed.feed != noun:
        raise wrong(f"feed: is '{feed.feed}', but {path.name} maps {noun}; write feed: {noun}, or rename the file")
    given = feed.header if isinstance(feed.header, list) else None
    for place, entry in enumerate(feed.rows, start=1):
        unknown = sorted(set(entry) - set(table.names))
        if unknown:
            raise wrong(f"{table.name} has no column {', '.join(unknown)}; it has {', '.join(table.names)}")
        unmapped = [c.name for c in table.columns if not c.optional and c.name not in entry]
        if unmapped:
            raise wrong(f"rows entry {place} does not map {', '.join(unmapped)}, which {table.name} requires")
        if ("record_id" in entry) != feed.has_record_id:
            raise wrong("record_id must be mapped in every entry of rows or in none")
        for name, source in entry.items():
            why = _misfit(source, table.column(name).type, feed.format)
            if why:
                raise wrong(f"{name}: {why}")
            if given is not None and source.column is not None and source.column not in given:
                raise wrong(f"{name}: column {source.column} is not in header: {', '.join(given)}")
    return feed


def _explain(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc if part not in ("bool", "list[str]"))
    if kind == "extra_forbidden":
        known = sorted(Source.model_fields if len(loc) > 1 else Feed.model_fields)
        return f"unknown key '{key}'; there are {', '.join(known)}"
    if kind == "missing":
        return f"key '{key}' is missing"
    message = message.removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}" if key else message


def _misfit(source: Source, kind: DataType, file_format: str) -> str:
    """Why a source can not fill a column of this type; empty when it can."""
    is_time, is_day = isinstance(kind, TimestampType), isinstance(kind, DateType)
    if is_time and file_format == "csv" and source.value is None and source.zone is None:
        return "a time needs zone:, the zone it is written in"
    if not is_time and (source.zone or source.epoch_from):
        return "zone: and epoch_from: are for times only"
    if not (is_time or is_day) and source.format:
        return "format: is for times and dates only"
    if (is_time or is_day) and source.format and not texts.is_format(source.format):
        return f"format '{source.format}' is not a date pattern such as yyyyMMddHHmmss"
    if source.scale is not None and (is_time or is_day or isinstance(kind, StringType)):
        return "scale: is for numbers only"
    return ""


def read_schema(table: Table) -> StructType:
    """The columns of :func:`read_feed`: the contract's, all nullable, then those that trace a row to its file and line."""
    return StructType(
        [
            *(StructField(c.name, c.type, True) for c in table.columns),
            StructField("delivered_on", DateType(), True),
            StructField("file_id", StringType(), True),
            StructField("raw_text", StringType(), True),
            StructField("unreadable", ArrayType(StringType()), True),
            StructField("line_key", LongType(), True),
        ]
    )


def read_feed(spark: SparkSession, feed: Feed, table: Table, files: list[LandingFile]) -> DataFrame:
    """One row per line of the files and entry of the feed's ``rows``: the contract's columns as far as they could be read.

    Added are ``delivered_on``, ``file_id``, ``raw_text`` (the line as delivered), ``unreadable`` (columns whose text was
    there but did not convert, or 'line: wrong number of fields') and ``line_key`` (64-bit key of the line and its occurrence
    within the file; null where the feed maps a record id). Files with a note are left out: their note says why.
    """
    readable = [file for file in files if file.note is None and file.lines > 0]
    if not readable:
        return spark.createDataFrame([], read_schema(table))
    by_header: dict[tuple[str, ...], list[LandingFile]] = {}
    for file in sorted(readable, key=lambda f: f.name):
        by_header.setdefault(file.header, []).append(file)
    read = _parquet_texts if feed.format == "parquet" else _csv_texts
    lines = reduce(DataFrame.unionByName, (read(spark, feed, list(header), group) for header, group in by_header.items()))
    # Spark writes some characters of a path as %XX; only it knows which.
    written = {unquote(name): name for name in ("/".join(path.split("/")[-3:]) for path in lines.inputFiles())}
    origin = spark.createDataFrame(
        [(written[f.name], f.file_id, f.delivered_on) for f in readable], "file string, file_id string, delivered_on date"
    )
    lines = lines.join(F.broadcast(origin), "file", how="inner")
    return _rows(lines, feed, table)


def read_lines(feed: Feed, table: Table, lines: DataFrame, header: tuple[str, ...]) -> DataFrame:
    """One row per line of a CSV file that is given as text, as ``read_feed`` gives it: ``lines`` hold file_id, delivered_on and raw_text."""
    return _rows(_fields(lines, feed, list(header), "file_id", "delivered_on"), feed, table)


def _file_name() -> Column:
    """feed/date=.../name, the part of a path that is the same on every file system."""
    return F.substring_index(F.col("_metadata.file_path"), "/", -3).alias("file")


def _text(place: int) -> str:
    return f"text_{place}"


def _csv_texts(spark: SparkSession, feed: Feed, header: list[str], files: list[LandingFile]) -> DataFrame:
    """One row per data line: file, raw_text, line_key, is_line (it has the right number of fields) and the mapped texts."""
    paths = [str(file.path) for file in files]
    if codecs.lookup(feed.encoding).name == "utf-8":
        lines = spark.read.text(paths, lineSep="\n").select("value", _file_name())
    else:
        # Only the CSV reader decodes other encodings: it is given a field delimiter that no text holds, so a line is one field.
        # All of Java's encodings are meant, not only the Unicode ones that Spark 4 allows by default.
        spark.conf.set("spark.sql.legacy.javaCharsets", "true")
        one_field = {"sep": "\u0001", "quote": "", "escape": "", "lineSep": "\n", "encoding": feed.encoding, "header": "false"}
        lines = spark.read.schema("value string").options(**one_field).csv(paths).select("value", _file_name())
    # The filter compares the text as it is: Spark pushes it below the projection, and would trim every line twice.
    heads = sorted({file.header_line for file in files})
    not_data = [f"{mark}{text}{end}" for text in heads for mark in ("", "\ufeff") for end in ("", "\r")]
    # a line that does not begin with a sign to be seen may hold none: few do, so that the pattern is seldom asked
    is_blank = F.expr(r"(ascii(value) <= 32 OR ascii(value) = 65279) AND value RLIKE '^\\uFEFF?[\\x00-\\x20]*$'")
    is_bare = ~F.col("value").endswith("\r") & ~F.col("value").startswith("\ufeff")
    bare = F.when(is_bare, F.col("value")).otherwise(F.ltrim(F.rtrim("value", F.lit("\r")), F.lit("\ufeff")))
    line = F.make_valid_utf8(bare)
    lines = lines.where(~F.col("value").isin(not_data) & ~is_blank).select(line.alias("raw_text"), "file")
    return _fields(lines, feed, header, "file")


def _fields(lines: DataFrame, feed: Feed, header: list[str], *origin: str) -> DataFrame:
    """One row per line (``raw_text`` and the columns of its ``origin``, the file's first): line_key, is_line and the mapped texts."""
    if feed.has_record_id:
        lines = lines.withColumn("line_key", F.lit(None).cast("bigint"))
    else:
        same_line = Window.partitionBy(origin[0], "raw_text").orderBy("raw_text")
        lines = lines.withColumn("line_key", F.xxhash64("raw_text", F.row_number().over(same_line)))
    places = {name: place for place, name in enumerate(header)}
    nothing = F.lit(None).cast("string")
    return _taken_apart(lines, feed.delimiter, len(header)).select(
        *origin,
        "raw_text",
        "line_key",
        F.col("fields").isNotNull().alias("is_line"),
        *(
            (F.trim(F.get("fields", F.lit(places[name]))) if name in places else nothing).alias(_text(place))
            for place, name in enumerate(feed.columns)
        ),
    )


def _taken_apart(lines: DataFrame, delimiter: str, count: int) -> DataFrame:
    """The lines with their ``fields``, null where a line has not so many. Only one with a quote needs the CSV parser (RFC 4180)."""
    names = [f"field_{place}" for place in range(count)]
    schema = ", ".join(f"{name} string" for name in [*names, "broken"])
    options = {"sep": delimiter, "quote": '"', "escape": '"', "mode": "PERMISSIVE", "columnNameOfCorruptRecord": "broken"}
    has_quote = F.col("raw_text").contains('"')
    # in columns of their own, so that a line is taken apart once however many of its fields are read
    apart = lines.withColumns(
        {
            "split": F.when(~has_quote, F.split("raw_text", re.escape(delimiter), -1)),
            "parsed": F.when(has_quote, F.from_csv("raw_text", F.lit(schema), options)),
        }
    )
    is_parsed = F.col("parsed").isNotNull() & F.col("parsed.broken").isNull()
    parsed = F.array(*(F.col(f"parsed.{name}") for name in names))
    return apart.withColumn("fields", F.when(F.size("split") == count, F.col("split")).when(is_parsed, parsed))


def _parquet_texts(spark: SparkSession, feed: Feed, header: list[str], files: list[LandingFile]) -> DataFrame:
    """One row per row of the files, with the same columns as a CSV line; values as Spark writes them, times in UTC."""
    rows = spark.read.parquet(*(str(file.path) for file in files))
    line = F.to_json(F.struct(*(F.col(f"`{name}`") for name in rows.columns)))
    lines = rows.withColumn("file", _file_name()).withColumn("raw_text", line)
    if feed.has_record_id:
        lines = lines.withColumn("line_key", F.lit(None).cast("bigint"))
    else:
        same_line = Window.partitionBy("file", "raw_text").orderBy("raw_text")
        lines = lines.withColumn("line_key", F.xxhash64("raw_text", F.row_number().over(same_line)))
    return lines.select(
        "file",
        "raw_text",
        "line_key",
        F.lit(True).alias("is_line"),
        *(
            (F.trim(F.col(f"`{name}`").cast("string")) if name in header else F.lit(None).cast("string")).alias(_text(place))
            for place, name in enumerate(feed.columns)
        ),
    )


def _rows(lines: DataFrame, feed: Feed, table: Table) -> DataFrame:
    """One row per line and entry of the feed's ``rows``, typed as the contract says."""
    trace = ["delivered_on", "file_id", "raw_text", "line_key"]
    place = {name: _text(i) for i, name in enumerate(feed.columns)}
    missing = sorted({"", *feed.missing})
    held = [F.when(~F.col(name).isin(missing), F.col(name)).alias(name) for name in place.values()]
    lines = lines.select(*trace, "is_line", *held)
    # The stages are separate projections on purpose: a value used twice is computed once.
    typed: list[Column] = []
    for number, entry in enumerate(feed.rows):
        for column in table.columns:
            source = entry.get(column.name)
            text = F.col(place[source.column]) if source is not None and source.column is not None else None
            typed.append(_value(source, text, column.type).alias(f"value_{number}_{column.name}"))
    values = lines.select(*trace, "is_line", *place.values(), *typed)
    entries = [_entry(number, entry, table, place) for number, entry in enumerate(feed.rows)]
    made = (
        values.select(*trace, *entries[0])
        if len(entries) == 1
        else values.select(*trace, F.inline(F.array(*(F.struct(*entry) for entry in entries))))
    )
    return made.select(*table.names, "delivered_on", "file_id", "raw_text", "unreadable", "line_key")


def _entry(number: int, entry: dict[str, Source], table: Table, place: dict[str, str]) -> list[Column]:
    """The contract's columns and ``unreadable`` of one entry of ``rows``."""
    lost: list[tuple[str, Column]] = []
    for name, source in entry.items():
        if source.column is not None and not isinstance(table.column(name).type, StringType):
            lost.append((name, F.col(place[source.column]).isNotNull() & F.col(f"value_{number}_{name}").isNull()))
    none = F.array().cast("array<string>")
    unreadable = none
    if lost:
        some = reduce(Column.__or__, (is_lost for _, is_lost in lost))
        names = F.array(*(F.when(is_lost, F.lit(name)) for name, is_lost in lost))
        unreadable = F.when(some, F.array_compact(names)).otherwise(none)
    return [
        *(F.col(f"value_{number}_{c.name}").alias(c.name) for c in table.columns),
        F.when(~F.col("is_line"), F.array(F.lit(WRONG_FIELDS))).otherwise(unreadable).alias("unreadable"),
    ]


def _value(source: Source | None, text: Column | None, kind: DataType) -> Column:
    """One value in the contract's type; null where the text is missing or does not convert."""
    if source is None:
        return F.lit(None).cast(kind)
    if text is None:
        return F.lit(source.value).try_cast(kind)
    if source.codes:
        other = text if source.otherwise is None else F.when(text.isNotNull(), F.lit(source.otherwise))
        coded = other
        for code, meaning in reversed(list(source.codes.items())):
            coded = F.when(text == F.lit(code), F.lit(meaning)).otherwise(coded)
        text = coded
    if isinstance(kind, TimestampType):
        if source.epoch_from is not None and source.zone is not None:
            return texts.seconds_from(text, source.epoch_from, source.zone)
        return texts.to_time(text, source.format, source.zone or "UTC")
    if isinstance(kind, DateType):
        return texts.to_day(text, source.format)
    if source.scale is not None:
        scaled = text.try_cast(DecimalType(24, 6)) * F.lit(source.scale).cast(DecimalType(13, 6))
        return scaled.try_cast(kind)
    return text if isinstance(kind, StringType) else text.try_cast(kind)
