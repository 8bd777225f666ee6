"""What the truth calls broken is broken in the files as it says, and nothing else is."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NoisyCity
from pyspark.sql import SparkSession

from churnlake.city.dice import Dice
from churnlake.city.faults import HEADERS
from churnlake.city.generate import configured, generate, scenario
from churnlake.city.incidents import planned
from churnlake.city.kinds import FAULTS, INCIDENTS, KINDS
from churnlake.city.settings import CityScenario
from churnlake.core.errors import SettingsError

Fields = dict[str, str]
NUMBER = r"(86)?1[3-9]\d{9}"
TIME = r"20\d{12}"
SOUND = {
    "voice": rf"[0-9A-F]{{16}},{NUMBER},[+\d]*,{TIME},[012],\d+,[DLRI],(41\d{{3}}-\d{{5}})?,(\d{{15,16}})?,[+\d]*,[0-4],\d+",
    "sms": rf"[0-9A-F]{{16}},{NUMBER},[+\d]*,{TIME},[01],\d+",
    "mms": rf"[0-9A-F]{{16}},{NUMBER},[+\d]*,{TIME},[01],\d+,\d+",
    "wap": rf"[0-9A-F]{{16}},{NUMBER},{TIME},\d+,\d+,[a-z_]+,\d+",
}
BROKEN_LINES: dict[str, Callable[[Fields], bool]] = {
    "bad_time": lambda f: f["time"].endswith("99xx"),
    "impossible_date": lambda f: f["time"][4:8] == "0231" and len(f["time"]) == 14,
    "missing_time": lambda f: f["time"] == "",
    "time_without_seconds": lambda f: len(f["time"]) == 12,
    "other_time_format": lambda f: bool(re.fullmatch(r"2005-\d\d-\d\d \d\d:\d\d:\d\d", f["time"])),
    "future_date": lambda f: f["time"].startswith("2036"),
    "ancient_date": lambda f: f["time"].startswith("1904"),
    "missing_number": lambda f: f["MSISDN"] == "",
    "letters_in_number": lambda f: "XO" in f["MSISDN"],
    "number_too_short": lambda f: bool(re.fullmatch(r"1\d{7}", f["MSISDN"])),
    "number_with_spaces": lambda f: bool(re.fullmatch(r"1\d\d \d{4} \d{4}", f["MSISDN"])),
    "nul_byte": lambda f: "\0" in f["MSISDN"],
    "bad_encoding": lambda f: "\udca1" in f["MSISDN"],
    "missing_id": lambda f: f["id"] == "",
    "unclosed_quote": lambda f: f["MSISDN"].startswith('"'),
    "missing_seconds": lambda f: f["DURATION"] == "",
    "negative_seconds": lambda f: int(f["DURATION"]) < 0,
    "absurd_seconds": lambda f: int(f["DURATION"]) > 86400,
    "seconds_not_a_number": lambda f: f["DURATION"] == "long",
    "seconds_decimal": lambda f: f["DURATION"].endswith(".5"),
    "unknown_direction": lambda f: f["CALL_TYPE" if "CALL_TYPE" in f else "MT_FLAG"] == "9",
    "missing_direction": lambda f: f["CALL_TYPE" if "CALL_TYPE" in f else "MT_FLAG"] == "",
    "unknown_class": lambda f: f["CALL_CLASS"] == "X",
    "unknown_release": lambda f: f["RELEASE"] == "77",
    "negative_bytes": lambda f: int(f["SIZE_BYTES" if "SIZE_BYTES" in f else "FLOW_BYTES"]) < 0,
    "absurd_bytes": lambda f: int(f["SIZE_BYTES" if "SIZE_BYTES" in f else "FLOW_BYTES"]) > 10**14,
    "fee_not_a_number": lambda f: f["FEE_FEN"] == "free",
    "negative_fee": lambda f: int(f["FEE_FEN"]) < 0,
    "absurd_fee": lambda f: int(f["FEE_FEN"]) > 10**10,
    "imei_letters": lambda f: f["IMEI"].endswith("ABCDEFGH"),
    "imei_short": lambda f: len(f["IMEI"]) == 10,
}
"""By kind, what shows in the fields of a line that has as many as the header."""
FIELDS_MORE = {"many_fields": 1, "embedded_delimiter": 1, "seconds_decimal_comma": 1}


def _lines(path: Path) -> list[str]:
    """The data lines of a file; bytes that are not UTF-8 become lone surrogates."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n")[1:]


def _path(city: NoisyCity, feed: str, day: dt.date) -> Path:
    return city.folder / "landing" / feed / f"date={day}" / f"{feed}_{day:%Y%m%d}.csv.gz"


def _of(city: NoisyCity, feed: str, day: dt.date) -> list[str]:
    return _lines(_path(city, feed, day))


def _truth(spark: SparkSession, city: NoisyCity, name: str) -> list[Any]:
    return spark.read.parquet(str(city.folder / "truth" / name)).collect()


@pytest.fixture(scope="module")
def incidents(spark: SparkSession, noisy: NoisyCity) -> dict[str, Any]:
    return {row["kind"]: row for row in _truth(spark, noisy, "incidents")}


def test_kinds_are_many_and_each_says_what_it_is() -> None:
    assert len(KINDS) == len(FAULTS) + len(INCIDENTS) >= 40
    assert len(INCIDENTS) >= 18
    assert all(kind.meaning.endswith(".") and kind.feeds for kind in KINDS)


def test_the_scenarios_hold_all_kinds_and_the_standard_city_no_incident() -> None:
    standard, noisy = scenario("standard"), scenario("noisy")
    assert set(standard.faults) == set(noisy.faults) == set(FAULTS)
    assert standard.incidents == {}
    assert set(noisy.incidents) == set(INCIDENTS)
    assert noisy.first_day <= noisy.festival < noisy.first_day + dt.timedelta(noisy.incidents_from)
    assert noisy.incidents_from >= 60
    assert len(noisy.deliveries) == noisy.days
    assert noisy.deliveries[0] == noisy.first_day


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("faults: {bad_tyme: 1}", "faults: knows no kind bad_tyme; there are bad_time,"),
        ("incidents: {bad_time: 1}", "incidents: knows no kind bad_time; there are volume_drop,"),
        ("incidents: {volume_drop: -1}", "incidents.volume_drop"),
        ("delivery_days: 0", "delivery_days"),
        ("fault_share: 2", "fault_share"),
    ],
)
def test_a_scenario_that_asks_for_what_there_is_not_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(f"like: noisy\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        scenario(str(path))


def test_incidents_are_planned_late_enough_and_apart(spark: SparkSession) -> None:
    noisy = scenario("noisy")
    plan = planned(spark, noisy, Dice(1))
    assert Counter(i.kind for i in plan) == noisy.incidents
    assert len({(i.feed, i.delivery) for i in plan}) == len(plan)
    assert all(noisy.incidents_from <= i.delivery <= i.arrives < noisy.days for i in plan)
    assert all(i.feed in INCIDENTS[i.kind].feeds and (i.day is not None) == (INCIDENTS[i.kind].family == "day") for i in plan)
    assert plan == planned(spark, noisy, Dice(1)) != planned(spark, noisy, Dice(2))
    of_days = {kind.name: 1 for kind in KINDS if kind.family == "day"}
    weekly = noisy.model_copy(update={"delivery_days": 7, "incidents": of_days})
    assert all(i.day is not None and i.day // 7 == i.delivery for i in planned(spark, weekly, Dice(1)))
    written = noisy.records.model_copy(
        update={"first_day": noisy.first_day + dt.timedelta(66), "last_day": noisy.last_day - dt.timedelta(9)}
    )
    for every in (1, 7):
        few = noisy.model_copy(update={"records": written, "delivery_days": every, "incidents": {"volume_drop": 4}})
        first, last = few.written
        found = [planned(spark, few, Dice(seed)) for seed in range(4)]
        assert all(i.day is not None and first <= i.day <= last and i.day // every == i.delivery for plan in found for i in plan)
    with pytest.raises(SettingsError, match="ask for fewer incidents"):
        planned(spark, noisy.model_copy(update={"incidents": {"null_burst_cell": 200}}), Dice(1))


def test_every_broken_line_is_found_as_labelled_and_no_other_line_is_broken(
    spark: SparkSession, noisy: NoisyCity, incidents: dict[str, Any]
) -> None:
    truth = _truth(spark, noisy, "faults")
    assert len(truth) == noisy.counts["faults"] == sum(n for name, n in noisy.counts.items() if name.startswith("faults."))
    assert {row["kind"] for row in truth} == set(FAULTS)
    labelled = {(row["feed"], str(row["delivered_on"]), row["record_no"]): row["kind"] for row in truth}
    assert len(labelled) == len(truth)
    assert all(row["feed"] in FAULTS[row["kind"]].feeds for row in truth)
    changed = {(row["feed"], str(row["day"])) for row in incidents.values()}
    spoiled = {noisy.folder / "landing" / row["file"] for row in incidents.values() if row["file"]}
    found: Counter[str] = Counter()
    times: Counter[tuple[str, str]] = Counter()
    without_id: Counter[str] = Counter()
    for feed, header in HEADERS.items():
        names = [{"RECORD_NO": "id", "SEQ_NO": "id", "MMS_ID": "id", "SESSION_ID": "id"}.get(n, n) for n in header.split(",")]
        names = ["time" if name in ("START_TIME", "SEND_TIME", "BEGIN_TIME") else name for name in names]
        for day in noisy.scenario.deliveries:
            path = _path(noisy, feed, day)
            for line in _lines(path) if path.exists() and path not in spoiled else []:
                parts = line.split(",")
                kind = labelled.get((feed, str(day), parts[0]))
                times[feed, parts[0]] += 1
                if parts[0] == "":
                    without_id[feed] += 1
                elif kind in BROKEN_LINES:
                    assert len(parts) == len(names), (kind, line)
                    assert BROKEN_LINES[kind](dict(zip(names, parts, strict=True))), (kind, line)
                    found[kind] += 1
                elif kind in FIELDS_MORE:
                    assert len(parts) == len(names) + FIELDS_MORE[kind], (kind, line)
                    found[kind] += 1
                elif kind == "few_fields":
                    assert len(parts) == 3
                    found[kind] += 1
                elif kind is not None or (feed, str(day)) not in changed:
                    assert re.fullmatch(SOUND[feed], line), (kind, line)
                    time = dt.datetime.strptime(parts[names.index("time")], "%Y%m%d%H%M%S").date()
                    assert time == day or (kind == "duplicate_across_files" and (day - time).days == 1) or (
                        kind == "late_record" and 14 <= (day - time).days <= 28
                    ), (kind, line)  # fmt: skip
                    if kind == "late_record":
                        found[kind] += 1
    planted = Counter(row["kind"] for row in truth)
    found["missing_id"] = sum(without_id.values())
    copies = ("duplicate_in_file", "duplicate_across_files", "id_conflict")
    assert {k: n for k, n in found.items() if n} == {k: n for k, n in planted.items() if k not in copies}
    again = {key for key, n in times.items() if n > 1 and key[1]}
    assert again == {(row["feed"], row["record_no"]) for row in truth if row["kind"] in copies}
    assert all(times[key] == 2 for key in again)


DAYS: dict[str, Callable[[Fields], bool]] = {
    "null_burst_cell": lambda f: f["LAC_CI"] == "",
    "null_burst_imei": lambda f: f["IMEI"] == "",
    "null_burst_peer": lambda f: f["OPP_NUMBER"] == "",
    "frozen_clock": lambda f: f["time"].endswith("120000"),
    "imei_zeros": lambda f: f["IMEI"] in ("", "0" * 15),
    "one_imei_everywhere": lambda f: f["IMEI"] == "350000000000000",
    "unknown_cells": lambda f: f["LAC_CI"] == "" or f["LAC_CI"].startswith("99"),
    "fee_in_yuan": lambda f: f["FEE_FEN"] == "0" or bool(re.fullmatch(r"\d+\.\d\d", f["FEE_FEN"])),
    "unknown_code_burst": lambda f: f["type"] == "7",
    "country_code_burst": lambda f: f["MSISDN"].startswith("+86"),
    "drift_class": lambda f: f["CALL_CLASS"] in "DLR",
    "drift_seconds": lambda f: int(f["DURATION"]) % 2 == 0,
    "seconds_as_minutes": lambda f: int(f["DURATION"]) <= 120,
    "flipped_direction": lambda f: f["type"] in "01" or "CALL_CLASS" in f,
    "clock_skew": lambda f: True,
    "volume_drop": lambda f: True,
    "volume_surge": lambda f: True,
}


def test_every_incident_of_a_day_shows_in_its_lines(noisy: NoisyCity, incidents: dict[str, Any]) -> None:
    days = {kind: row for kind, row in incidents.items() if INCIDENTS[kind].family == "day"}
    assert set(days) == set(DAYS) == {kind.name for kind in KINDS if kind.family == "day"}
    for kind, row in days.items():
        assert row["day"] == row["delivered_on"]
        assert (row["day"] - noisy.scenario.first_day).days >= noisy.scenario.incidents_from
        assert row["lines"] > 20, kind
        names = [
            "time" if n.endswith("_TIME") else "type" if n in ("CALL_TYPE", "MT_FLAG") else n
            for n in HEADERS[row["feed"]].split(",")
        ]
        parsed = [dict(zip(names, line.split(","), strict=False)) for line in _of(noisy, row["feed"], row["delivered_on"])]
        # lines that a fault of their own was planted in, where the incident made no difference, came late or come again, are a few
        shown = sum(len(f) == len(names) and _shows(kind, f) for f in parsed)
        assert shown >= max(0.85 * len(parsed), 1), (kind, shown, len(parsed))
    before = [line.split(",")[1:] for line in _of(noisy, days["volume_surge"]["feed"], days["volume_surge"]["day"])]
    assert sum(n == 2 for n in Counter(map(tuple, before)).values()) == days["volume_surge"]["lines"]
    drop = days["volume_drop"]
    assert 0.3 < drop["lines"] / (drop["lines"] + len(_of(noisy, drop["feed"], drop["day"]))) < 0.7
    skew = days["clock_skew"]
    column = 3
    hours = Counter(line.split(",")[column][:10] for line in _of(noisy, skew["feed"], skew["day"]))
    assert any(hour.startswith(f"{skew['day'] - dt.timedelta(1):%Y%m%d}") for hour in hours), (
        "those of the small hours are of the day before"
    )


def _shows(kind: str, fields: Fields) -> bool:
    try:
        return DAYS[kind](fields)
    except ValueError:
        return False


def _packed(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_every_spoiled_file_is_as_labelled(noisy: NoisyCity, incidents: dict[str, Any]) -> None:
    landing = noisy.folder / "landing"
    files = {kind: row for kind, row in incidents.items() if INCIDENTS[kind].family == "file"}
    assert set(files) == {kind.name for kind in KINDS if kind.family == "file"}
    at = {kind: landing / row["file"] for kind, row in files.items()}
    header = {kind: HEADERS[row["feed"]].encode() for kind, row in files.items()}
    assert all(row["lines"] > 0 and str(row["delivered_on"]) in row["file"] and row["day"] is None for row in files.values())
    assert {kind for kind, path in at.items() if not path.exists()} == {"missing_delivery"}
    data = {kind: path.read_bytes() for kind, path in at.items() if path.exists()}
    for kind in ("truncated_gzip", "corrupt_gzip", "not_gzip"):
        with pytest.raises((EOFError, OSError, gzip.zlib.error)):  # type: ignore[attr-defined]
            gzip.decompress(data[kind])
    assert data["empty_file"] == b""
    assert data["not_gzip"].startswith(header["not_gzip"])
    assert gzip.decompress(data["gzip_without_ending"]).startswith(header["gzip_without_ending"])
    assert at["gzip_without_ending"].suffix == ".csv"
    assert bz2.decompress(data["other_packing"]).startswith(header["other_packing"])
    assert gzip.decompress(data["unfinished_file"]).count(b"\n") == files["unfinished_file"]["lines"] + 1
    assert at["unfinished_file"].name.endswith(".csv.gz.part")
    for kind in ("duplicate_delivery", "repacked_delivery", "late_delivery"):
        row, name = files[kind], at[kind].name.replace("_again", "").split(".")[0]
        due = dt.datetime.strptime(name.split("_")[1], "%Y%m%d").date()
        assert 1 <= (row["delivered_on"] - due).days <= 4
        first = landing / row["feed"] / f"date={due}" / f"{name}.csv.gz"
        assert first.exists() == (kind != "late_delivery")
        if kind == "duplicate_delivery":
            assert first.read_bytes() == data[kind]
        if kind == "repacked_delivery":
            assert _packed(first) == data[kind]
    text = {
        kind: _packed(path) for kind, path in at.items() if kind in data and path.suffix == ".gz" and kind not in BYTES_SPOILED
    }
    assert text["header_only"] == header["header_only"] + b"\n"
    assert text["utf16"].decode("utf-16").encode().startswith(header["utf16"])
    assert re.match(rb"[0-9A-F]{16},", text["missing_header"])
    assert text["wrong_delimiter"].startswith(header["wrong_delimiter"].replace(b",", b";"))
    for kind, column in (("missing_column", "_TIME"), ("missing_imei_column", "IMEI")):
        assert column.encode() not in text[kind].split(b"\n")[0]
        assert {line.count(b",") for line in text[kind].splitlines()} == {header[kind].count(b",") - 1}
    swapped = text["swapped_columns"].split(b"\n")[0].split(b",")
    assert (swapped[1][-4:], swapped[3]) == (b"TIME", b"MSISDN")
    assert text["swapped_parties"].split(b",")[1:3] == [b"OPP_NUMBER", b"MSISDN"]
    assert text["wrong_feed"].startswith(HEADERS["sms"].encode())
    assert text["cut_last_line"].splitlines()[-1].count(b",") == 2
    assert text["repeated_header"].count(header["repeated_header"] + b"\n") == 2
    assert text["reordered_columns"].split(b"\n")[0] == b",".join(header["reordered_columns"].split(b",")[::-1])
    assert b"SWITCH_NO" in text["new_column"]
    assert text["byte_order_mark"].startswith(b"\xef\xbb\xbf" + header["byte_order_mark"])
    assert text["crlf"].count(b"\r\n") == text["crlf"].count(b"\n") == files["crlf"]["lines"] + 1
    assert text["blank_lines"].count(b"\n\n") == files["blank_lines"]["lines"]
    assert all(
        path.read_bytes()[4:8] == b"\0\0\0\0"
        for path in landing.rglob("*.gz")
        if path.name not in {at[k].name for k in BYTES_SPOILED}
    )


BYTES_SPOILED = ("empty_file", "truncated_gzip", "corrupt_gzip", "not_gzip")


def _digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_breaks_the_same_bytes_whatever_the_partitioning(
    spark: SparkSession, noisy: NoisyCity, tmp_path: Path
) -> None:
    with configured(spark, {"spark.sql.shuffle.partitions": "5"}):
        counts = generate(spark, noisy.scenario, noisy.seed, tmp_path / "landing", tmp_path / "truth")
    assert counts == noisy.counts
    assert _digest(tmp_path / "landing") == _digest(noisy.folder / "landing")
    for name in ("faults", "incidents"):
        again = spark.read.parquet(str(tmp_path / "truth" / name)).collect()
        assert sorted(map(str, again)) == sorted(map(str, _truth(spark, noisy, name)))


def test_faults_are_dealt_by_weight_and_only_to_feeds_that_can_have_them(spark: SparkSession, noisy: NoisyCity) -> None:
    planted = Counter(row["kind"] for row in _truth(spark, noisy, "faults"))
    assert planted["duplicate_in_file"] > planted["bad_time"] > planted["absurd_bytes"]
    lines = sum(noisy.counts[feed] for feed in HEADERS)
    assert 0.04 < noisy.counts["faults"] / lines < 0.1, "a share, less those of the days and files that incidents befell"


def test_a_feed_that_can_have_none_of_the_kinds_stays_sound(spark: SparkSession, noisy: NoisyCity) -> None:
    from churnlake.city.faults import planted

    alone: CityScenario = noisy.scenario.model_copy(update={"faults": {"imei_short": 1.0}, "fault_share": 1.0})
    dealt = spark.sql(
        "select * from values (0, 'A', 20, 2, null), (1, 'B', 20, 2, null), (0, 'C', 20, 2, 'imei_zeros'), (0, 'D', 20, 3, null) "
        "as t(service, record_no, day, delivery, incident)"
    )
    made = {row["record_no"]: row["fault"] for row in planted(dealt, alone, Dice(1), {("voice", 3)}).collect()}
    assert made == {"A": "imei_short", "B": None, "C": None, "D": None}
