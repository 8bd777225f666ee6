"""The whole chain on a tiny city, once: every line accounted for, sums of days, groups, privacy, pages."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

from conftest import City
from page_checks import faults
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.kinds import FAULTS
from churnlake.core.landing import FILES
from churnlake.core.ledger import OTHER_CONTENT
from churnlake.core.pseudonyms import Key
from churnlake.evaluate.leaks import leaks, personal_values
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import LABELS, LEAVINGS, SCORES
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS, SIGNATURES
from churnlake.tables.clean import MMS, RECORDS, SMS, VOICE, WAP
from churnlake.tables.control import CALLBACKS, GROSS_ADDS, NET_ADDS, PARTS, PLAN_MOVES, STEPS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import ABNORMAL, MONTHLY, OUTLIERS, SELECTION
from churnlake.tables.joining import BONUS_REVIEWS, COUNTER_REMINDERS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.judged import DRIFT, HAZARDS, JUDGED
from churnlake.tables.reentry import JOINERS, MATCHES, PERSONS
from churnlake.tables.reference import ACTIVATIONS, LIVES, REFERENCE
from churnlake.tables.staying import BUCKET, COHORTS, DESTINATIONS, SILENCES, SURVIVAL


def test_every_line_of_every_file_is_good_bad_or_a_duplicate(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    landing = Path(city.settings.store.landing)
    lines = {}
    for path in landing.glob("*/date=*/*.csv.gz"):
        with gzip.open(path, "rb") as stream:
            lines[str(path.relative_to(landing))] = sum(1 for _ in stream) - 1
    registered = lake.read(FILES).collect()
    assert sorted(r.path for r in registered) == sorted(lines)
    # files without a line may be the same byte for byte
    files = {r.file_id: r.path for r in registered if r.lines}
    found: Counter[str] = Counter()
    for table in (table for table in (*RECORDS, *REFERENCE, ACTIVATIONS) if lake.has(table)):
        for row in lake.ledger(table).groupBy("file_id").count().collect():
            found[files[row["file_id"]]] += row["count"]
    assert dict(found) == {path: n for path, n in lines.items() if n}


def test_planted_faults_are_set_aside_or_dropped_and_nothing_else(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    planted = Counter(
        {r.kind: r["count"] for r in spark.read.parquet(f"{city.settings.city.truth}/faults").groupBy("kind").count().collect()}
    )
    states: Counter[str] = Counter()
    for table in RECORDS:
        for row in lake.ledger(table).groupBy("state").count().collect():
            states[row["state"]] += row["count"]
    outcomes: Counter[str] = Counter()
    for kind, n in planted.items():
        outcomes[FAULTS[kind].outcome] += n
    assert states["duplicate"] == outcomes["duplicate"] > 0
    assert states["bad"] == outcomes["quarantined"] > 0
    bad = lake.ledger(VOICE).where("state = 'bad'")
    assert bad.where("size(reasons) = 0").isEmpty()
    # what another row's key sets aside was read in full, and needs no text
    assert bad.where((F.col("reasons") == F.array(F.lit(OTHER_CONTENT))) != F.col("raw_text").isNull()).isEmpty()
    key = Key.load(spark, city.settings.store.key_file, True)
    text = bad.select(key.decrypt(F.col("raw_text")).alias("t")).first()
    assert text is not None
    assert "," in text["t"]


def test_duplicates_say_where_the_kept_row_is(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    rows = lake.ledger(VOICE)
    kept = rows.where("state = 'good'").select("record_key", F.col("file_id").alias("kept_in"))
    again = rows.where("state = 'duplicate'")
    assert again.join(kept, on=["record_key", "kept_in"], how="left_anti").isEmpty()


def test_daily_sums_equal_clean_records_counted_apart(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    daily = (
        lake.read(USAGE)
        .agg(
            *[
                F.sum(n).alias(n)
                for n in (
                    "sms_out_messages",
                    "sms_in_messages",
                    "mms_out_messages",
                    "wap_sessions",
                    "wap_bytes",
                    "voice_out_seconds",
                )
            ]
        )
        .first()
    )
    assert daily is not None
    sms = {r.direction: r["count"] for r in lake.read(SMS).groupBy("direction").count().collect()}
    assert (daily["sms_out_messages"], daily["sms_in_messages"]) == (sms["out"], sms["in"])
    assert daily["mms_out_messages"] == lake.read(MMS).where("direction = 'out'").count()
    wap = lake.read(WAP).agg(F.count("*").alias("n"), F.sum("bytes").alias("b")).first()
    assert wap is not None
    assert (daily["wap_sessions"], daily["wap_bytes"]) == (wap["n"], wap["b"])
    seconds = lake.read(VOICE).where("direction = 'out'").agg(F.sum("seconds").alias("s")).first()
    assert seconds is not None
    assert daily["voice_out_seconds"] == seconds["s"]


def test_every_user_of_daily_tables_is_a_life_and_keys_are_unique(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    # a record before its number's life is on paper belongs to nobody known; there are few
    strangers = lake.read(USAGE).join(lake.read(LIVES), on="user_id", how="left_anti").count()
    assert strangers <= 0.005 * lake.read(USAGE).count()
    for table in (
        USAGE,
        EDGES,
        MONTHLY,
        SELECTION,
        OUTLIERS,
        ABNORMAL,
        LEAVINGS,
        LABELS,
        MATCHES,
        JOINERS,
        PERSONS,
        PARTS,
        GROSS_ADDS,
        NET_ADDS,
        PLAN_MOVES,
        CALLBACKS,
        STEPS,
        SCORES,
        JUDGED,
        DRIFT,
        HAZARDS,
        LISTS,
        JOINING_CHECKS,
        COUNTER_REMINDERS,
        JOINING_FOLLOW_UPS,
        BONUS_REVIEWS,
        DESTINATIONS,
        BUCKET,
        COHORTS,
        SURVIVAL,
        SILENCES,
    ):
        assert lake.read(table).groupBy(*table.key).count().where("count > 1").isEmpty(), table.name


def test_an_on_net_call_is_one_contact_for_each_party(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    edges = lake.read(EDGES)
    mirrored = edges.select(
        "day", F.col("peer_id").alias("user_id"), F.col("user_id").alias("peer_id"), F.col("voice_in_calls").alias("mirrored")
    )
    users = edges.select("user_id").distinct()
    own = edges.join(users.withColumnRenamed("user_id", "peer_id"), on="peer_id", how="left_semi").where("voice_out_calls > 0")
    # a call sent on is no call received: who forwards on a day is left out
    forwarding = lake.read(USAGE).where("voice_forwarded_calls > 0").select("day", F.col("user_id").alias("peer_id"))
    own = own.join(forwarding, on=["day", "peer_id"], how="left_anti")
    met = (
        own.join(mirrored, on=["day", "user_id", "peer_id"], how="left")
        .agg(F.expr("count_if(mirrored > 0) / count(*)").alias("share"))
        .first()
    )
    # broken lines leave a few without their other half
    assert met is not None
    assert met["share"] > 0.95


def test_members_add_up_to_their_groups_and_are_active_users(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    groups, members = lake.read(GROUPS), lake.read(MEMBERS)
    by_group = members.groupBy("month", "group_id").agg(
        F.count("*").alias("users"),
        F.expr("sum(degree) div 2").alias("ties"),
        F.expr("sum(triangles) div 3").alias("triangles"),
        F.sum("ties_out").alias("ties_out"),
        F.count_if("is_seed").alias("seeds"),
    )
    told = groups.select(by_group.columns)
    assert told.exceptAll(by_group).isEmpty()
    assert by_group.exceptAll(told).isEmpty()
    assert groups.select("month").distinct().count() == 6
    for table in (members, lake.read(NEIGHBOURS)):
        assert table.join(lake.read(SIGNATURES), on=["month", "user_id"], how="left_anti").isEmpty()
    left = lake.read(NEIGHBOURS).where("neighbours_left_3m > 0")
    assert not left.isEmpty()
    first = lake.read(LEAVINGS).agg(F.min(F.trunc("known_on", "MM")).alias("month")).first()
    assert first is not None
    assert left.where(F.col("month") < first["month"]).isEmpty(), "nobody was known to have left before"


def test_no_number_of_a_person_is_in_any_output(city: City) -> None:
    found = leaks(city.settings)
    assert found.hits == [], found.lines()
    assert min(found.values[kind] for kind in ("numbers", "IMSI", "IMEI")) > 100, found.values
    assert {"of the lake", "of the vault", "of logs and pages", "of MLflow's artifacts", "of MLflow's database"} == set(
        found.files
    )
    assert min(found.files.values()) > 0
    # and it would be found: one of them written to a log
    values = personal_values(city.settings.store, city.settings.landing)
    planted = Path(city.settings.store.work) / "logs" / "planted.log"
    planted.write_text(f"no user {min(values['numbers'])} in reference.lives", encoding="utf-8")
    try:
        assert leaks(city.settings).hits == [(str(planted), "numbers", 1)]
    finally:
        planted.unlink()


def test_pages_open_from_disk_with_no_network(city: City) -> None:
    site = Path(city.settings.store.work) / "site"
    docs = f"../quality/docs/{city.days.last}/index.html"
    assert (site / docs).is_file()
    assert faults({file.name: file.read_text(encoding="utf-8") for file in site.iterdir()}, others=(docs,)) == []
    for name in (
        "index",
        "reentry",
        "control",
        "joining",
        "circles",
        "stages",
        "churn",
        "models",
        "indicators",
        "quality",
        "runs",
        "dictionary",
        "lineage",
        "glossary",
    ):
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text), name
        assert "Nothing to show yet" not in text, name
    summary = json.loads((site.parent / "quality" / "summary.json").read_text())
    assert summary["checks"] >= 40
