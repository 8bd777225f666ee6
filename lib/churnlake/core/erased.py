"""Users who were erased: what is left to know them by, and their rows set aside on the way in.

Nothing of a user stays but keyed hashes of its pseudonyms, in ``privacy.erased``. A row that comes in is hashed only where a
coarse bucket of its pseudonym is one of theirs: a day has some tens of millions of rows, and nearly none is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.checkpoints import checkpointed
from churnlake.core.contract import COUNT, INT, LONG, STRING, TIMESTAMP, Column, Table
from churnlake.core.errors import ContractError
from churnlake.core.frames import conform

if TYPE_CHECKING:
    from churnlake.core.lake import Lake

USER_HASH = Column("user_hash", STRING, "Keyed hash of the user's pseudonym: 32 hex digits that lead back to nobody.")
ERASED = Table(
    "privacy.erased",
    "One row per user erased: keyed hashes that rows delivered again are known by, so that they are set aside. Nothing else of the user is left.",
    key=("user_hash",),
    columns=(
        USER_HASH,
        Column("user_bucket", INT, "One of 65,536 that the pseudonym falls into: tells which rows are worth hashing.", least=0),
        Column("number_hash", STRING, "Keyed hash of the number's pseudonym.", optional=True),
        Column("number_bucket", INT, "Bucket of the number's pseudonym.", optional=True, least=0),
        Column("own_from", TIMESTAMP, "From when records of the number are the user's, UTC."),
        Column("own_to", TIMESTAMP, "Until when, UTC: 9999-12-31, or when the number's next holder took it."),
        Column("key_version", STRING, "Version of the key whose pseudonyms were hashed."),
        Column("asked_at", TIMESTAMP, "When the erasure began, UTC."),
        Column(
            "done_at", TIMESTAMP, "When no table held a trace any more, UTC; null while the erasure is under way.", optional=True
        ),
    ),
)
ERASURES = Table(
    "privacy.erasures",
    "One row per user erased and table that held rows of it: the proof of the erasure. A line found later in quarantine adds one.",
    key=("user_hash", "table_name", "version_after"),
    columns=(
        USER_HASH,
        Column("table_name", STRING, "Table."),
        Column("rows", COUNT, "Rows deleted, made tombstones, or with the user's key taken out of another's record.", least=0),
        Column("version_before", LONG, "Newest version of the table that held them; its files are gone.", least=0),
        Column("version_after", LONG, "Version that holds none of them.", least=0),
        Column("erased_at", TIMESTAMP, "When that version was committed, UTC."),
    ),
)
BUCKETS = 65_536
SUPPRESSED = "suppressed"
KEPT = ("batch", "file_id", "line_key", "delivered_on", "state")
"""Columns of a tombstone: enough to account for the line it came from."""
FLAG = "is_erased"
EVER = ("1900-01-01", "9999-12-31")


def roles(table: Table, *asked: str) -> list[str]:
    """The columns of a table that stand for a user, a number or another party."""
    return [column.name for column in table.columns if column.pseudonym in asked]


def bucket(pseudonym: SparkColumn) -> SparkColumn:
    """Which of the buckets a pseudonym falls into."""
    return F.pmod(F.xxhash64(pseudonym), F.lit(BUCKETS)).cast("int")


def interval(table: Table, zone: str) -> tuple[SparkColumn, SparkColumn]:
    """From when to when a row may speak of a number, as timestamps: the moment of a record, the day of a daily partial.

    Months, verdicts and hearsay may speak of any time before their date, and a row without a date of any time.
    """
    first, last = (F.lit(text).cast("timestamp") for text in EVER)
    if table.at is None:
        return first, last
    at = table.column(table.at)
    # what has no date that could be read is of about the day it came
    dated = F.coalesce(table.at, "delivered_on") if "delivered_on" in table.names else F.col(table.at)
    begin = F.to_utc_timestamp(dated, zone)
    if at.made_of:
        moment = F.coalesce(F.col(at.made_of), begin)
        return moment, moment
    if table.slice == "day":
        return begin, begin + F.expr("interval 1 day")
    return first, begin + F.expr("interval 31 day" if table.slice == "month" else "interval 1 day")


def overlaps(mark: SparkColumn, begin: SparkColumn, end: SparkColumn) -> SparkColumn:
    """Whether a mark (a struct with own_from and own_to) holds some of the time."""
    return (mark["own_from"] <= end) & (mark["own_to"] > begin)


def told(lake: Lake, table: Table, rows: DataFrame, zone: str) -> DataFrame:
    """The rows that came in for a ledger table, their pseudonyms under the oldest key; where some user was erased, with a flag.

    ``is_erased`` says of a row that it is an erased user's. In other rows the keys that stand for one are nulled, and the
    text of the line, which would name it, goes with them.
    """
    own, others = roles(table, "user") or roles(table, "number"), roles(table, "other")
    if not (own or others) or not lake.storage.exists(ERASED):
        return rows
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    begin, end = interval(table, zone)
    names = rows.columns
    flags: dict[str, SparkColumn] = {name: F.lit(False) for name in (*own, *others)}
    for version, place in places(lake, marks).items():
        of_version = marks.where(F.col("key_version") == version)
        for name in (*own, *others):
            kind = "user" if table.column(name).pseudonym == "user" else "number"
            pseudonym = lake.key.renewed(F.col(name), until=place + 1)
            found, hashed = f"marks_{name}_{place}", f"hash_{name}_{place}"
            looked = _grouped(of_version, kind).select(F.col("bucket").alias(f"bucket_{found}"), F.col("marks").alias(found))
            rows = rows.join(F.broadcast(looked), how="left", on=bucket(pseudonym) == F.col(f"bucket_{found}"))
            rows = rows.withColumn(hashed, F.when(F.col(found).isNotNull(), lake.key.mark(pseudonym, place)))
            hit = F.exists(found, _matches(hashed, begin, end, timed=kind == "number"))
            flags[name] = flags[name] | F.coalesce(hit, F.lit(False))
    is_own = F.lit(False)
    for name in own:
        is_own = is_own | flags[name]
    named = F.lit(False)
    for name in others:
        named = named | flags[name]
    cleared = {name: F.when(~flags[name], F.col(name)) for name in others}
    if others:
        cleared["raw_text"] = F.when(~named, F.col("raw_text"))
    return rows.select(*(cleared.get(name, F.col(name)).alias(name) for name in names), is_own.alias(FLAG))


def suppressed(table: Table, marked: DataFrame) -> DataFrame:
    """The rows with their state, those of erased users as tombstones: state suppressed, and nothing said but how they came."""
    if FLAG not in marked.columns:
        return marked
    return tombstones(table, marked, F.col(FLAG)).drop(FLAG)


def tombstones(table: Table, rows: DataFrame, which: SparkColumn) -> DataFrame:
    """The rows of a ledger table, those of them made tombstones."""
    nulled = {
        name: F.when(~which, F.col(name)) for name in (*(c.name for c in table.stored_columns), "unreadable")
        if name in rows.columns and name not in KEPT
    }  # fmt: skip
    return rows.withColumns({**nulled, "state": F.when(which, F.lit(SUPPRESSED)).otherwise(F.col("state"))})


def _matches(hashed: str, begin: SparkColumn, end: SparkColumn, timed: bool) -> Callable[[SparkColumn], SparkColumn]:
    def matches(mark: SparkColumn) -> SparkColumn:
        is_same = mark["hash"] == F.col(hashed)
        return is_same & overlaps(mark, begin, end) if timed else is_same

    return matches


def _grouped(marks: DataFrame, kind: str) -> DataFrame:
    """One row per bucket: the marks in it, so that a join with it repeats no row."""
    one = F.struct(F.col(f"{kind}_hash").alias("hash"), "own_from", "own_to")
    return (
        marks.where(f"{kind}_hash IS NOT NULL")
        .groupBy(F.col(f"{kind}_bucket").alias("bucket"))
        .agg(F.collect_list(one).alias("marks"))
    )


def known(lake: Lake, users: DataFrame) -> list[int]:
    """Those of some users (user_id, under the newest key) who were erased or are being erased. ``users`` must be few."""
    if not lake.storage.exists(ERASED):
        return []
    marks = F.broadcast(lake.spark.read.format("delta").load(lake.path(ERASED)).select("user_hash"))
    hashed = users.withColumn("user_hash", lake.key.mark(F.col("user_id")))
    return [int(row["user_id"]) for row in hashed.join(marks, on="user_hash", how="left_semi").select("user_id").collect()]


def hand_on(lake: Lake, begun: DataFrame) -> int:
    """End the marks of numbers that somebody else took since: from then on their records are not the erased user's; how many.

    ``begun`` has one row per user that a register brings, erased ones left out: ``number_key`` under the oldest key and ``valid_from``.
    """
    if not lake.storage.exists(ERASED):
        return 0
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    ends = []
    for version, place in places(lake, marks).items():
        pseudonym = lake.key.renewed(F.col("number_key"), until=place + 1)
        near = begun.select("valid_from", pseudonym.alias("taken"), bucket(pseudonym).alias("number_bucket")).join(
            F.broadcast(marks.where(F.col("key_version") == version)), on="number_bucket", how="inner"
        )
        later = near.where("valid_from > own_from AND valid_from < own_to").where(
            F.col("number_hash") == lake.key.mark(F.col("taken"), place)
        )
        ends.append(later.groupBy("user_hash").agg(F.min("valid_from").alias("handed_on")))
    if not ends:
        return 0
    ended = checkpointed(reduce(DataFrame.unionByName, ends))
    count = ended.count()
    if count:
        cut = F.coalesce("handed_on", "own_to")
        rewrite(lake, marks.join(F.broadcast(ended), on="user_hash", how="left").withColumn("own_to", cut).drop("handed_on"))
    return count


def is_under_way(lake: Lake) -> bool:
    """Whether an erasure was begun and has not come to its end."""
    if not lake.storage.exists(ERASED):
        return False
    return not lake.spark.read.format("delta").load(lake.path(ERASED)).where("done_at IS NULL").isEmpty()


def rewrite(lake: Lake, marks: DataFrame) -> None:
    """Replace privacy.erased, which is small, by these rows in one commit."""
    lake.create(ERASED)
    rows = conform(ERASED, marks).coalesce(1).sortWithinPartitions("user_hash")
    rows.write.format("delta").mode("overwrite").option("replaceWhere", "true").save(lake.path(ERASED))


def places(lake: Lake, marks: DataFrame) -> dict[str, int]:
    """The key versions the marks were made under, each with its place in the ring. Raises ContractError where one is not in it."""
    versions = sorted(row["key_version"] for row in marks.select("key_version").distinct().collect())
    if set(versions) - set(lake.key.versions):
        raise ContractError("users were erased under a key that store.key_file does not name; name every key, oldest first")
    return {version: lake.key.versions.index(version) for version in versions}
