"""Erasing users from every table, with proof; to be run again after a kill.

First the user's keyed hashes are written down, so that nothing of it comes in any more. Then each table is looked through once,
by one broadcast join, and the slices that hold rows of it are rewritten, some at once. What ties a user to its number goes
last: until then a killed erasure finds its users again. Last of all the old files and the old log of every table rewritten
are deleted, where the rows still lay.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core import rules
from churnlake.core.contract import Table
from churnlake.core.erased import (
    ERASED,
    ERASURES,
    EVER,
    SUPPRESSED,
    bucket,
    interval,
    overlaps,
    places,
    rewrite,
    roles,
    tombstones,
)
from churnlake.core.errors import ContractError
from churnlake.core.frames import frame_of
from churnlake.core.lake import WHOLE, Lake
from churnlake.core.rewriting import SLICES_AT_ONCE

logger = logging.getLogger(__name__)
PERSON = ("user_id", "number_key", "own_from", "own_to")
OWN, WHO = "is_own", "erased_hashes"
Mentioned = Callable[[DataFrame], DataFrame]


def own_times(register: DataFrame) -> DataFrame:
    """One row per user of a register: user_id, number_key and from when to when records of the number are the user's.

    Times when nobody is known to have held the number are of the holder before, and those before the first of the first.
    """
    of_number = Window.partitionBy("number_key").orderBy("valid_from", "user_id")
    first, last = (F.lit(text).cast("timestamp") for text in EVER)
    return register.select(
        "user_id",
        "number_key",
        F.when(F.row_number().over(of_number) == 1, first).otherwise(F.col("valid_from")).alias("own_from"),
        F.coalesce(F.lead("valid_from").over(of_number), last).alias("own_to"),
    )


def erase(
    lake: Lake, named: DataFrame, tables: Sequence[Table], register: Table, mentioned: Mentioned, zone: str
) -> dict[str, int]:
    """Erase these users, and those an earlier run was killed over, from the tables; rows changed, by table.

    Broken lines are looked through for everybody who was ever erased. Nothing else may write the tables meanwhile: hold the leases
    of all jobs. Running it again is safe.

    Args:
        lake: A lake whose key made the pseudonyms.
        named: One row per user: user_id, number_key, own_from, own_to, under the newest key; perhaps none.
        tables: Every table there may be.
        register: The table that says who held which number; it is rewritten last.
        mentioned: From the texts of broken lines (raw_text encrypted, text) to one row per text and pseudonym, under the
            oldest key, of a user or number that it may name (raw_text, id).
        zone: Where days are counted.
    """
    _mark(lake, named)
    persons = _persons(lake, named, register)
    holding = [t for t in tables if t.name not in (ERASED.name, ERASURES.name) and t.pseudonyms and lake.storage.exists(t)]
    for table in sorted(holding, key=lambda t: (t == register, bool(roles(t, "user") and roles(t, "number")))):
        _strike(lake, table, persons, mentioned, zone)
    counts, to_forget = _prove(lake, holding)
    for table in to_forget:
        lake.storage.forget(table)
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    rewrite(lake, marks.withColumn("done_at", F.coalesce("done_at", F.current_timestamp())))
    return counts


def _hashed(lake: Lake, persons: DataFrame) -> DataFrame:
    return persons.withColumn("user_hash", lake.key.mark(F.col("user_id")))


def _mark(lake: Lake, named: DataFrame) -> None:
    """Write down the hashes of users not yet known as erased."""
    lake.create(ERASED)
    if (
        lake.spark.read.format("delta")
        .load(lake.path(ERASED))
        .where("done_at IS NULL")
        .where(F.col("key_version") != lake.key.version)
        .head()
    ):
        raise ContractError(
            "an erasure was killed before the key was changed; run erase_user with the keys it was begun with first"
        )
    known = lake.spark.read.format("delta").load(lake.path(ERASED))
    new = (
        _hashed(lake, named.groupBy("user_id").agg(*[F.max(name).alias(name) for name in PERSON[1:]]))
        .join(F.broadcast(known.select("user_hash")), on="user_hash", how="left_anti")
        .withColumns(
            {
                "user_bucket": bucket(F.col("user_id")),
                "number_hash": lake.key.mark(F.col("number_key")),
                "number_bucket": F.when(F.col("number_key").isNotNull(), bucket(F.col("number_key"))),
                "key_version": F.lit(lake.key.version),
                "asked_at": F.current_timestamp(),
                "done_at": F.lit(None).cast("timestamp"),
            }
        )
        .select(ERASED.names)
    )
    rewrite(lake, known.select(ERASED.names).unionByName(new))


def _persons(lake: Lake, named: DataFrame, register: Table) -> DataFrame:
    """One row per user under erasure, once each; computed once: user_id, number_key, own times, user_hash, is_shared.

    ``is_shared`` says that somebody else held the number too.
    """
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    due = F.broadcast(marks.where("done_at IS NULL").select("user_hash"))
    found = _hashed(lake, named.select(*PERSON)).join(due, on="user_hash", how="left_semi")
    others = None
    if lake.storage.exists(register):
        lives = lake.spark.read.format("delta").load(lake.path(register))
        near = own_times(lives).withColumn("user_bucket", bucket(F.col("user_id")))
        buckets = F.broadcast(marks.where("done_at IS NULL").select("user_bucket").distinct())
        open_ones = _hashed(lake, near.join(buckets, on="user_bucket", how="left_semi").drop("user_bucket"))
        found = found.unionByName(open_ones.join(due, on="user_hash", how="left_semi"))
        others = lives.select("user_id", "number_key")
    found = found.groupBy("user_id", "user_hash").agg(*[F.max(name).alias(name) for name in PERSON[1:]])
    found = lake.checkpoint(found.coalesce(1))
    if others is None:
        return found.withColumn("is_shared", F.lit(False))
    shared = (
        others.join(F.broadcast(found.select("number_key").distinct()), on="number_key", how="left_semi")
        .join(F.broadcast(found.select("user_id")), on="user_id", how="left_anti")
        .select("number_key", F.lit(True).alias("is_shared")).distinct()
    )  # fmt: skip
    found = found.join(F.broadcast(shared), on="number_key", how="left").fillna({"is_shared": False})
    return lake.checkpoint(found.coalesce(1))


def _names(persons: DataFrame, with_shared: bool) -> DataFrame:
    """One row per id that stands for a user: its user_id at any time, its number's pseudonym within the user's own time."""
    first, last = (F.lit(text).cast("timestamp") for text in EVER)
    users = persons.select(F.col("user_id").alias("id"), first.alias("own_from"), last.alias("own_to"), "user_hash")
    numbers = persons.where("number_key IS NOT NULL" + ("" if with_shared else " AND NOT is_shared"))
    named = numbers.select(F.col("number_key").alias("id"), "own_from", "own_to", "user_hash")
    return users.unionByName(named)


def _grouped(names: DataFrame) -> DataFrame:
    """One row per id, so that a join with it repeats no row."""
    return names.groupBy("id").agg(F.collect_list(F.struct("own_from", "own_to", "user_hash")).alias("marks"))


def _looked_up(
    rows: DataFrame, name: str, grouped: DataFrame, begin: SparkColumn, end: SparkColumn
) -> tuple[DataFrame, SparkColumn]:
    """The rows, and the hash of the erased user that a column stands for at that time; null for anybody else."""
    found, key = f"marks_{name}", f"id_{name}"
    looked = F.broadcast(grouped.select(F.col("id").alias(key), F.col("marks").alias(found)))
    rows = rows.join(looked, how="left", on=F.col(name) == F.col(key))
    mine = F.filter(found, lambda mark: overlaps(mark, begin, end))
    return rows.withColumn(f"hash_{name}", F.get(mine, F.lit(0))["user_hash"]).drop(found, key), F.col(f"hash_{name}")


def _looked_through(table: Table, rows: DataFrame, persons: DataFrame, texts: DataFrame | None, zone: str) -> DataFrame:
    """The rows with what they hold of the users: ``is_own``, ``erased_hashes``, and a column ``hash_x`` for each key x looked up."""
    own, others = roles(table, "user") or roles(table, "number"), roles(table, "other")
    begin, end = interval(table, zone)
    # without a time a number that had several holders can not be told to be this one's
    grouped = _grouped(_names(persons, with_shared=table.at is not None))
    for name in (*own, *others):
        rows, _ = _looked_up(rows, name, grouped, begin, end)
    hashes = [F.col(f"hash_{name}") for name in (*own, *others)]
    if texts is not None:
        rows, told = _looked_up(rows, "raw_text", texts, begin, end)
        hashes.append(told)
    is_own = F.coalesce(*[F.col(f"hash_{name}") for name in own], F.lit(None).cast("string")).isNotNull()
    return rows.withColumns({OWN: is_own, WHO: F.array_distinct(F.array_compact(F.array(*hashes)))})


def _kept(table: Table, looked: DataFrame) -> DataFrame:
    """The rows as they are to stand: deleted or tombstones where they are a user's own, other people's without its keys."""
    others = roles(table, "other")
    if not table.ledger:
        # a partial that says how two people met is about both
        return looked.where(F.size(WHO) == 0).select(table.names)
    named = F.size(WHO) > 0
    cleared = {name: F.when(F.col(f"hash_{name}").isNull(), F.col(name)) for name in others}
    rows = looked.withColumns({**cleared, "raw_text": F.when(~named, F.col("raw_text"))})
    rows = tombstones(table, rows, F.col(OWN))
    return rows.select([c.name for c in table.stored_columns])


def _texts(lake: Lake, rows: DataFrame, mentioned: Mentioned) -> DataFrame | None:
    """One row per encrypted text of a broken line that names somebody erased: id (the text) and marks; None without any."""
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    bad = rows.where("state = 'bad' AND raw_text IS NOT NULL").select("raw_text").distinct()
    held = mentioned(bad.withColumn("text", lake.key.decrypt(F.col("raw_text"))).where("text IS NOT NULL"))
    first, last = (F.lit(text).cast("timestamp") for text in EVER)
    hits = []
    for version, place in places(lake, marks).items():
        of_version = marks.where(F.col("key_version") == version)
        users = of_version.select(F.col("user_hash").alias("hash"), first.alias("own_from"), last.alias("own_to"), "user_hash")
        numbers = of_version.where("number_hash IS NOT NULL").select(
            F.col("number_hash").alias("hash"), "own_from", "own_to", "user_hash"
        )
        hashed = held.withColumn("hash", lake.key.mark(lake.key.renewed(F.col("id"), until=place + 1), place)).drop("id")
        hits.append(hashed.join(F.broadcast(users.unionByName(numbers)), on="hash", how="inner").drop("hash"))
    if not hits:
        return None
    found = reduce(DataFrame.unionByName, hits).withColumnRenamed("raw_text", "id").distinct()
    kept = lake.checkpoint(_grouped(found).coalesce(1))
    return None if kept.isEmpty() else kept


def _strike(lake: Lake, table: Table, persons: DataFrame, mentioned: Mentioned, zone: str) -> None:
    """Rewrite the slices of a table that hold rows of the users, some at once; each commit tells how many rows of whom."""
    lake.keys.check(table, lake.path(table))
    rows = lake.spark.read.format("delta").load(lake.path(table))
    texts = None
    if table.ledger:
        lake.storage.renew_check(table, rules.STATE_KNOWN)
        rows = rows.where(F.col("state") != SUPPRESSED)
        texts = _texts(lake, rows, mentioned)
    if texts is None and (persons.isEmpty() or not roles(table, "user", "number", "other")):
        return
    text = F.col(table.slice).cast("string") if table.slice else F.lit(WHOLE)
    looked = _looked_through(table, rows, persons, texts, zone).where(F.size(WHO) > 0)
    found = looked.select(text.alias("slice"), F.explode(WHO).alias("who")).groupBy("slice", "who").count().collect()
    counts: dict[str, dict[str, int]] = {}
    for row in found:
        counts.setdefault(row["slice"], {})[row["who"]] = int(row["count"])
    slices = sorted(counts)
    for some in (slices[i : i + SLICES_AT_ONCE] for i in range(0, len(slices), SLICES_AT_ONCE)):
        of_whom: dict[str, int] = {}
        for name in some:
            for who, count in counts[name].items():
                of_whom[who] = of_whom.get(who, 0) + count
        condition = rules.slices_sql(table, some)
        there = lake.spark.read.format("delta").load(lake.path(table)).where(condition)
        left = _kept(table, _looked_through(table, there, persons, texts, zone))
        parts = rules.partition_columns(table)
        if parts:
            left = left.hint("rebalance", *[F.col(name) for name in parts])
        if parts or table.sort:
            left = left.sortWithinPartitions(*parts, *table.sort)
        (
            left.write.format("delta").mode("overwrite").option("replaceWhere", condition)
            .option("userMetadata", json.dumps({"erased": of_whom})).save(lake.path(table))
        )  # fmt: skip
    logger.info("%s: %s slices held rows of users to erase", table.name, len(slices))


def _prove(lake: Lake, tables: Sequence[Table]) -> tuple[dict[str, int], list[Table]]:
    """Write down, from what the commits tell, what was changed where and for whom.

    Rows by table for the users under erasure, and the tables that have such a commit in their log: those not forgotten yet.
    """
    from delta.tables import DeltaTable

    lake.create(ERASURES)
    marks = lake.spark.read.format("delta").load(lake.path(ERASED))
    due = {row["user_hash"] for row in marks.where("done_at IS NULL").select("user_hash").collect()}
    # a row per user erased and table: few, and asked for by hand
    stored = lake.spark.read.format("delta").load(lake.path(ERASURES)).collect()
    known: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    for row in stored:
        told = (row["user_hash"], row["table_name"])
        known[told] = max(known.get(told, -1), int(row["version_after"]))
        if row["user_hash"] in due:
            counts[row["table_name"]] = counts.get(row["table_name"], 0) + int(row["rows"])
    proofs: dict[tuple[str, str], dict[str, Any]] = {}
    to_forget = []
    for table in tables:
        history = DeltaTable.forPath(lake.spark, lake.path(table)).history()
        commits = (
            history.where(F.col("userMetadata").contains('"erased"'))
            .select("version", "userMetadata", F.unix_seconds("timestamp").alias("at"))
            .collect()
        )
        to_forget += [table] if commits else []
        for row in sorted(commits, key=lambda row: int(row["version"])):
            version, at = int(row["version"]), dt.datetime.fromtimestamp(row["at"], dt.UTC)
            for who, count in json.loads(row["userMetadata"])["erased"].items():
                if version > known.get((who, table.name), -1):
                    first = {"user_hash": who, "table_name": table.name, "rows": 0, "version_before": version - 1}
                    proof = proofs.setdefault((who, table.name), first)
                    proof |= {"rows": proof["rows"] + count, "version_after": version, "erased_at": at}
    if proofs:
        frame = frame_of(lake.spark, ERASURES.schema, list(proofs.values())).coalesce(1)
        frame.write.format("delta").mode("append").save(lake.path(ERASURES))
    for (_, name), proof in proofs.items():
        counts[name] = counts.get(name, 0) + int(proof["rows"])
    return counts, to_forget
