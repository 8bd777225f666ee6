"""Rows of landing files: lines are read as text and then parsed.

So every row keeps the line it came from, word for word, and one broken line or file never stops the others.
"""

from __future__ import annotations

import re
from functools import reduce
from urllib.parse import unquote

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
from churnlake.core.feeds import Feed, Source
from churnlake.core.landing_files import LandingFile, for_spark

WRONG_FIELDS = "line: wrong number of fields"


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
    paths = [for_spark(file.path) for file in files]
    if feed.is_utf8:
        lines = spark.read.text(paths, lineSep="\n").select("value", _file_name())
    else:
        # Only the CSV reader decodes other encodings: it is given a field delimiter that no text holds, so a line is one field.
        # All of Java's encodings are meant, not only the Unicode ones that Spark 4 allows by default.
        spark.conf.set("spark.sql.legacy.javaCharsets", "true")
        one_field = {
            "sep": "\u0001\u0002\u0001",
            "quote": "",
            "escape": "",
            "lineSep": "\n",
            "encoding": feed.encoding,
            "header": "false",
        }
        lines = spark.read.schema("value string").options(**one_field).csv(paths).select("value", _file_name())
    # The filter compares the text as it is: Spark pushes it below the projection, and would trim every line twice.
    heads = sorted({file.header_line for file in files})
    not_data = [f"{mark}{text}{end}" for text in heads for mark in ("", "\ufeff") for end in ("", "\r")]
    # a line that does not begin with a sign to be seen may hold none: few do, so that the pattern is seldom asked
    is_blank = F.expr(r"(ascii(value) <= 32 OR ascii(value) = 65279) AND value RLIKE '^\\uFEFF?[\\x00-\\x20]*$'")
    is_bare = ~F.col("value").endswith("\r") & ~F.col("value").startswith("\ufeff")
    bare = F.when(is_bare, F.col("value")).otherwise(F.ltrim(F.rtrim("value", F.lit("\r")), F.lit("\ufeff")))
    lines = lines.where(~F.col("value").isin(not_data) & ~is_blank).select(bare.alias("raw_text"), "file")
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
    # raw_text is kept byte for byte, so that a line in another encoding than was thought can be read once the feed file says which
    line = F.make_valid_utf8("raw_text")
    if not feed.is_utf8:
        # of what is no character a sign is made, as above, and no error
        spark = lines.sparkSession
        spark.conf.set("spark.sql.legacy.javaCharsets", "true")
        spark.conf.set("spark.sql.legacy.codingErrorAction", "true")
        decoded = F.decode(F.col("raw_text").cast("binary"), feed.encoding)
        line = F.when(F.is_valid_utf8("raw_text"), F.col("raw_text")).otherwise(decoded)
    lines = lines.withColumn("line", line)
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
    has_quote = F.col("line").contains('"')
    # in columns of their own, so that a line is taken apart once however many of its fields are read
    apart = lines.withColumns(
        {
            "split": F.when(~has_quote, F.split("line", re.escape(delimiter), -1)),
            "parsed": F.when(has_quote, F.from_csv("line", F.lit(schema), options)),
        }
    )
    is_parsed = F.col("parsed").isNotNull() & F.col("parsed.broken").isNull()
    parsed = F.array(*(F.col(f"parsed.{name}") for name in names))
    return apart.withColumn("fields", F.when(F.size("split") == count, F.col("split")).when(is_parsed, parsed))


def _parquet_texts(spark: SparkSession, feed: Feed, header: list[str], files: list[LandingFile]) -> DataFrame:
    """One row per row of the files, with the same columns as a CSV line; values as Spark writes them, times in UTC."""
    rows = spark.read.parquet(*(for_spark(file.path) for file in files))
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
