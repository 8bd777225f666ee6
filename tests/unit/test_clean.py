from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import ledger
from churnlake.core.contract import TRACE, Table
from churnlake.core.feed_rows import read_feed, read_schema
from churnlake.core.feeds import load_feed
from churnlake.core.landing_files import landing_files
from churnlake.core.pseudonyms import Key
from churnlake.core.settings import conf_folder
from churnlake.core.testing import rows
from churnlake.landing import clean, reference
from churnlake.landing.lives import lives
from churnlake.landing.settings import LandingSettings
from churnlake.tables.clean import MMS, SMS, VOICE, WAP
from churnlake.tables.raw import (
    RAW_ANSWERS,
    RAW_BILLS,
    RAW_CELLS,
    RAW_HANDSETS,
    RAW_MMS,
    RAW_PLANS,
    RAW_RECHARGES,
    RAW_SMS,
    RAW_SUBSCRIBERS,
    RAW_SUBSCRIPTIONS,
    RAW_TOUCHES,
    RAW_VOICE,
    RAW_WAP,
)
from churnlake.tables.reference import (
    ANSWERS,
    BILLS,
    CELLS,
    HANDSETS,
    LIVES,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)

ZONE = "Asia/Shanghai"
OWN, PEER = "13901234567", "13001234567"


@pytest.fixture(scope="module")
def settings() -> LandingSettings:
    return LandingSettings.model_validate(yaml.safe_load((conf_folder() / "base.yaml").read_text(encoding="utf-8"))["landing"])


@pytest.fixture(scope="module")
def key(spark: SparkSession) -> Key:
    return Key.load(spark, str(conf_folder() / "demo.key"), allow_demo=True)


def raw(spark: SparkSession, table: Table, *values: dict[str, Any]) -> DataFrame:
    """Rows as a feed reader gives them: the contract's columns and the trace."""
    trace = {"delivered_on": dt.date(2005, 5, 7), "file_id": "f", "raw_text": "line", "unreadable": [], "line_key": None}
    told = [{n: v for n, v in row.items() if n in table.names} for row in values]
    filled = [row.asDict() for row in rows(spark, table, *told).collect()]
    data = [tuple({**trace, **base, **row}[f.name] for f in read_schema(table)) for base, row in zip(filled, values, strict=True)]
    return spark.createDataFrame(data, read_schema(table))


def one(frame: DataFrame) -> Any:
    (row,) = frame.collect()
    return row


@pytest.mark.parametrize(
    ("table", "made", "cleaned"),
    [
        (RAW_VOICE, VOICE, clean.voice),
        (RAW_SMS, SMS, clean.sms),
        (RAW_MMS, MMS, clean.mms),
        (RAW_WAP, WAP, clean.wap),
        (RAW_SUBSCRIBERS, SUBSCRIBERS, reference.subscribers),
        (RAW_PLANS, PLANS, reference.plans),
        (RAW_BILLS, BILLS, reference.bills),
        (RAW_RECHARGES, RECHARGES, reference.recharges),
        (RAW_SUBSCRIPTIONS, SUBSCRIPTIONS, reference.subscriptions),
        (RAW_TOUCHES, TOUCHES, reference.touches),
        (RAW_ANSWERS, ANSWERS, reference.answers),
        (RAW_HANDSETS, HANDSETS, reference.handsets),
        (RAW_CELLS, CELLS, reference.cells),
    ],
    ids=lambda v: v.name if isinstance(v, Table) else "",
)
def test_the_columns_are_the_contracts(
    spark: SparkSession, key: Key, settings: LandingSettings, table: Table, made: Table, cleaned: Any
) -> None:
    for opaque in (False, True):
        frame = cleaned(raw(spark, table), key, settings, ZONE, opaque)
        wanted = [(c.name, c.type) for c in made.columns if c.name != "batch"]
        assert [(f.name, f.dataType) for f in frame.schema][: len(wanted)] == wanted
        assert tuple(frame.columns[len(wanted) :]) == TRACE


def test_a_call_is_cleaned(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    call = {
        "record_id": "r1",
        "number": f"+86{OWN}",
        "peer_number": f"17951{PEER}",
        "started_at": dt.datetime(2005, 5, 1, 16, 30),
        "direction": "forwarded",
        "forwarded_to": f"0{PEER}",
        "seconds": 60,
        "imei": "350123451234560",
        "fee_yuan": Decimal("1.20"),
    }
    row = one(clean.voice(raw(spark, RAW_VOICE, call), key, settings, ZONE, False))
    keys = one(
        spark.range(1).select(
            key.pseudonym(F.lit(OWN), "number").alias("own"),
            key.pseudonym(F.lit(PEER), "number").alias("peer"),
            key.pseudonym(F.lit("35012345123456"), "imei").alias("imei"),
        )
    )
    assert (row.number_key, row.peer_key, row.forwarded_key, row.imei_key) == (keys.own, keys.peer, keys.peer, keys.imei)
    assert (row.day, row.hour) == (dt.date(2005, 5, 2), 0)
    assert (row.peer_network, row.forwarded_network, row.dialled_form, row.is_ip, row.tac) == (
        "unicom_gsm",
        "unicom_gsm",
        "ip",
        True,
        "35012345",
    )
    assert (row.seconds, row.fee_yuan, row.delivered_on, row.file_id) == (60, Decimal("1.20"), dt.date(2005, 5, 7), "f")
    assert (row.peer_service, row.peer_area, row.unreadable) == (None, None, [])


def test_a_withheld_peer_and_a_service_number(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    calls = [{"number": OWN, "peer_number": None, "record_id": "a"}, {"number": OWN, "peer_number": "1860", "record_id": "b"}]
    withheld, hotline = clean.voice(raw(spark, RAW_VOICE, *calls), key, settings, ZONE, False).collect()
    assert (withheld.peer_key, withheld.peer_network, withheld.dialled_form, withheld.is_ip) == (None, None, None, False)
    assert (hotline.peer_network, hotline.peer_service, hotline.dialled_form) == ("service", "1860", "short")


def test_a_handset_that_gives_no_identity_has_none(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    zeros = ["0" * digits for digits in (14, 15, 16)]
    unreadable = ["0", "3501234512", "3501234512345", "35012345123x560", "+3501234512345", "              0"]
    wanted = {
        None: None,
        "": None,
        **dict.fromkeys(zeros, "zeros"),
        **dict.fromkeys(unreadable, "unreadable"),
        "350123451234560": "whole",
    }
    calls = [{"number": OWN, "imei": imei} for imei in wanted]
    cleaned = clean.voice(raw(spark, RAW_VOICE, *calls), key, settings, ZONE, False)
    found = cleaned.select("imei_key", "tac", "imei_form").collect()
    assert [row.imei_form for row in found] == list(wanted.values())
    assert all((row.imei_key is None, row.tac is None) == (row.imei_form != "whole",) * 2 for row in found)


def test_the_last_places_of_an_imei_do_not_count(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    written = ("010123451234560", "010123451234567", "0101234512345607", "0101234512345699", "01012345123456")
    same = [{"number": OWN, "imei": imei} for imei in written]
    found = clean.voice(raw(spark, RAW_VOICE, *same), key, settings, ZONE, False).select("imei_key", "tac").distinct().collect()
    assert [row.tac for row in found] == ["01012345"]


def test_a_number_abroad_is_one_peer_however_it_was_dialled(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    dialled = ("0085291234567", "+85291234567", "1795100" + "85291234567", "1259300" + "85291234567")
    calls = [{"number": OWN, "peer_number": number, "record_id": number} for number in dialled]
    found = clean.voice(raw(spark, RAW_VOICE, *calls), key, settings, ZONE, False).collect()
    assert len({row.peer_key for row in found}) == 1
    assert {(row.peer_network, row.peer_area, row.peer_service) for row in found} == {("international", None, None)}
    assert [(row.is_ip, row.dialled_form) for row in found] == [(False, "international")] * 2 + [(True, "ip")] * 2


def test_a_record_is_known_by_its_id_number_and_day_or_its_line(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    told = [
        {"record_id": "r1", "number": OWN},
        {"record_id": "r1", "number": f"0{OWN}", "seconds": 7},
        {"record_id": "r1", "number": PEER},
        {"number": OWN, "line_key": 1, "direction": "out"},
        {"number": OWN, "line_key": 1, "direction": "in"},
        {"number": OWN, "line_key": 2, "direction": "out"},
        {"number": OWN},
        {"record_id": "r1", "number": "x"},
        {"record_id": "r1", "number": OWN, "started_at": dt.datetime(2005, 5, 20, 12, tzinfo=dt.UTC)},
    ]
    keys = [r.record_key for r in clean.voice(raw(spark, RAW_VOICE, *told), key, settings, ZONE, False).collect()]
    assert keys[0] == keys[1]
    assert len(set(keys[1:6])) == 5
    assert keys[6] is None
    assert keys[7] is not None
    # switches count anew: the same id on another day is another record
    assert keys[8] not in keys[:8]
    others = [
        one(c(raw(spark, t, {"record_id": "r1", "number": OWN}), key, settings, ZONE, False)).record_key
        for t, c in ((RAW_SMS, clean.sms), (RAW_MMS, clean.mms), (RAW_WAP, clean.wap))
    ]
    assert len({keys[0], *others}) == 4


def test_a_record_of_what_is_no_user_is_told(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    told = [{"number": number, "unreadable": ["fee_yuan"]} for number in ("1860", "x", "00442071234567")]
    found = clean.sms(raw(spark, RAW_SMS, *told), key, settings, ZONE, False).select("number_key", "unreadable").collect()
    assert [tuple(row) for row in found] == [(None, ["fee_yuan", "number"])] * 3


def test_opaque_ids_are_not_normalised(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    row = one(clean.sms(raw(spark, RAW_SMS, {"number": "7", "peer_number": "1860"}), key, settings, ZONE, True))
    assert (row.peer_network, row.peer_service, row.unreadable) == ("own", None, [])
    assert row.number_key is not None


def test_a_record_may_come_so_many_days_late_and_no_later(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    delivered, midnight = dt.datetime(2005, 5, 7), dt.timedelta(hours=16)  # UTC, the day before
    times = [delivered - dt.timedelta(days=days) - dt.timedelta(days=1) + midnight for days in (0, 35, 36)]
    times += [times[1] - dt.timedelta(seconds=1), dt.datetime(1987, 1, 1), None]
    told = [{"record_id": str(i), "number": OWN, "started_at": time, "direction": "out"} for i, time in enumerate(times)]
    late = clean.in_time(clean.sms(raw(spark, RAW_SMS, *told), key, settings, ZONE, False), 35)
    found = ledger.mark(SMS, late.withColumn("batch", F.lit("b")))
    reasons = {row.started_at: row.reasons for row in found.collect()}
    (wrong_day,) = reasons[times[4]]
    assert wrong_day.startswith("day breaks"), "a time that is none is not called late"
    assert [reasons[time] for time in times[:4]] == [[], [], ["too_late"], ["too_late"]]
    assert "too_late" not in reasons[None]


def test_a_subscriber_is_cleaned(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    person = {
        "user_id": "U1",
        "number": "13901238888",
        "imsi": "460001",
        "customer_id": "U1",
        "account_id": "U1",
        "document": "11010x",
        "is_rural": "yes",
        "delivered_on": dt.date(2005, 5, 7),
    }
    other = person | {"document": "11010X", "is_rural": "maybe", "number": "x"}
    first, second = reference.subscribers(raw(spark, RAW_SUBSCRIBERS, person, other), key, settings, ZONE, False).collect()
    assert len({first.user_id, first.customer_key, first.account_key, first.imsi_key, first.number_key}) == 5
    assert (first.number_beauty, first.is_rural, first.unreadable) == ("repeated", True, [])
    assert first.document_key == second.document_key
    assert (second.number_key, second.number_beauty, second.is_rural, second.unreadable) == (
        None,
        None,
        None,
        ["number", "is_rural"],
    )


def test_other_reference_data_is_cleaned(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    cells = [
        {"cell_id": "c1", "latitude": "39.9", "longitude": "116.4"},
        {"cell_id": "c2", "latitude": "north", "longitude": "0"},
    ]
    first, second = reference.cells(raw(spark, RAW_CELLS, *cells), key, settings, ZONE, False).collect()
    assert (first.latitude, first.longitude, first.unreadable) == (39.9, 116.4, [])
    assert (second.latitude, second.unreadable) == (None, ["latitude"])
    handset = one(reference.handsets(raw(spark, RAW_HANDSETS, {"tac": "35012345", "has_gprs": "No"}), key, settings, ZONE, False))
    assert (handset.has_gprs, handset.has_mms, handset.unreadable) == (False, None, [])
    paid = {"recharge_id": "p1", "user_id": "U1", "recharged_at": dt.datetime(2005, 5, 1, 20, 0), "amount_yuan": Decimal(50)}
    recharge = one(reference.recharges(raw(spark, RAW_RECHARGES, paid), key, settings, ZONE, False))
    user = one(reference.subscribers(raw(spark, RAW_SUBSCRIBERS, {"user_id": "U1", "number": OWN}), key, settings, ZONE, False))
    assert recharge.day == dt.date(2005, 5, 2)
    assert recharge.user_id == user.user_id


def test_what_services_campaigns_and_surveys_tell_is_cleaned(spark: SparkSession, key: Key, settings: LandingSettings) -> None:
    user = one(reference.subscribers(raw(spark, RAW_SUBSCRIBERS, {"user_id": "U1", "number": OWN}), key, settings, ZONE, False))
    taken = {"user_id": "U1", "service": "mailbox", "started_on": dt.date(2005, 5, 1), "monthly_fee_yuan": Decimal("5.00")}
    service = one(reference.subscriptions(raw(spark, RAW_SUBSCRIPTIONS, taken), key, settings, ZONE, False))
    assert (service.user_id, service.service, service.monthly_fee_yuan) == (user.user_id, "mailbox", Decimal("5.00"))
    assert (service.ended_on, service.channel, service.unreadable) == (None, None, [])
    touched = [
        {"touch_id": "t1", "user_id": "U1", "arm": "target", "is_reached": "yes"},
        {"touch_id": "t2", "user_id": "U1", "arm": "target", "is_reached": "No"},
        {"touch_id": "t3", "user_id": "U1", "arm": "control"},
        {"touch_id": None, "user_id": None, "is_reached": "busy"},
    ]
    touches = reference.touches(raw(spark, RAW_TOUCHES, *touched), key, settings, ZONE, False).collect()
    assert [row.is_reached for row in touches] == [True, False, None, None]
    assert [row.unreadable for row in touches] == [[], [], [], ["is_reached"]]
    assert [row.user_id for row in touches] == [*[user.user_id] * 3, None]
    assert touches[3].touch_key is None
    said = [OWN, f"17951{OWN}", "1860", "00442071234567", "none", None]
    told = [{"answer_id": "t1", "user_id": "U1", "old_number": number} for number in said]
    answers = reference.answers(raw(spark, RAW_ANSWERS, *told), key, settings, ZONE, False).collect()
    assert [row.old_number_key for row in answers] == [*[user.number_key] * 2, *[None] * 4]
    assert [row.unreadable for row in answers] == [[]] * 6
    assert {row.user_id for row in answers} == {user.user_id}
    assert {row.answer for row in answers} == {None}
    assert len({row.touch_key for row in touches[:3]} | {row.answer_key for row in answers}) == 4, "one id in two feeds"


def test_lives_follow_the_newest_delivery_and_do_not_overlap(spark: SparkSession) -> None:
    def life(user: int, number: int, start: int, end: int | None, delivered: int = 1) -> dict[str, Any]:
        return {
            "user_id": user,
            "number_key": number,
            "valid_from": dt.datetime(2005, 1, start),
            "joined_on": dt.date(2005, 1, start),
            "valid_to": dt.datetime(2005, 1, end) if end else None,
            "delivered_on": dt.date(2005, 2, delivered),
        }

    told = rows(
        spark,
        SUBSCRIBERS,
        life(1, 7, 1, None),
        life(1, 7, 1, 20, delivered=8),
        life(2, 7, 10, None),
        life(3, 7, 25, 28),
        life(4, 8, 1, None),
        life(5, 9, 3, None),
        life(6, 9, 3, None),
    )

    def lived(user: int, number: int, start: int, end: dt.datetime) -> dict[str, Any]:
        return {
            "user_id": user,
            "number_key": number,
            "valid_from": dt.datetime(2005, 1, start),
            "valid_to": end,
            "joined_on": dt.date(2005, 1, start),
        }

    held = dt.datetime(9999, 12, 31)
    wanted = rows(
        spark,
        LIVES,
        lived(1, 7, 1, dt.datetime(2005, 1, 10)),
        lived(2, 7, 10, dt.datetime(2005, 1, 25)),
        lived(3, 7, 25, dt.datetime(2005, 1, 28)),
        lived(4, 8, 1, held),
        lived(5, 9, 3, dt.datetime(2005, 1, 3)),
        lived(6, 9, 3, held),
    )
    assert_df_equality(lives(told), wanted, ignore_row_order=True, ignore_nullable=True)


def test_the_public_network_study_is_read(
    spark: SparkSession, key: Key, settings: LandingSettings, data: Path, tmp_path: Path
) -> None:
    for feed_name, source, table, cleaned in (
        ("voice", "calls.csv", RAW_VOICE, clean.voice),
        ("sms", "sms.csv", RAW_SMS, clean.sms),
    ):
        feed = load_feed(conf_folder() / "feeds" / "cns" / f"{feed_name}.yaml", table)
        folder = tmp_path / feed_name / "date=2005-01-31"
        folder.mkdir(parents=True)
        (folder / source).symlink_to(data / "cns" / source)
        files = landing_files(tmp_path / feed_name, feed)
        frame = cleaned(read_feed(spark, feed, table, files), key, settings, ZONE, True)
        seen = one(
            frame.agg(
                F.count("*").alias("n"),
                F.countDistinct("record_key").alias("keys"),
                F.sum(F.size("unreadable")).alias("lost"),
                F.count("number_key").alias("numbers"),
                F.min("day").alias("first"),
                F.max("day").alias("last"),
            )
        )
        assert seen.n == seen.keys == seen.numbers == 2 * files[0].lines > 0
        assert seen.lost == 0
        assert (seen.first, seen.last) == (dt.date(2005, 1, 1), dt.date(2005, 1, 28))
