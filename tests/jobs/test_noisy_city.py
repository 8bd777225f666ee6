"""A village whose files are broken in every known way, through the jobs that take them in."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import LINEAGE, TABLES, NoisyCity
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.kinds import FAULTS, INCIDENTS
from churnlake.core.console import Console
from churnlake.core.job import Report
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.ledger import OTHER_CONTENT
from churnlake.core.pseudonyms import Key
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.evaluate.faults import fault_table
from churnlake.settings import Settings
from churnlake.tables.clean import RECORDS, VOICE
from churnlake.tables.quality import CHECKS

WRONG_FIELDS = "line: wrong number of fields"
REASONS = {
    **dict.fromkeys(("bad_time", "impossible_date", "time_without_seconds", "other_time_format"), "started_at unreadable"),
    "missing_time": "started_at missing",
    **dict.fromkeys(("future_date", "ancient_date"), "day breaks"),
    "missing_number": "number_key missing",
    **dict.fromkeys(("letters_in_number", "number_too_short", "nul_byte", "bad_encoding"), "number unreadable"),
    "missing_id": "record_key missing",
    **dict.fromkeys(("few_fields", "many_fields", "embedded_delimiter", "unclosed_quote", "seconds_decimal_comma"), WRONG_FIELDS),
    "missing_seconds": "seconds missing",
    "negative_seconds": "seconds below 0",
    "absurd_seconds": "seconds above 86400",
    **dict.fromkeys(("seconds_not_a_number", "seconds_decimal"), "seconds unreadable"),
    "unknown_direction": "direction not one of",
    "missing_direction": "direction missing",
    "unknown_class": "call_class not one of",
    "unknown_release": "release_cause not one of",
    "negative_bytes": "bytes below 0",
    "absurd_bytes": "bytes above",
    "fee_not_a_number": "fee_yuan unreadable",
    "unknown_code_burst": "direction not one of",
    "swapped_columns": "started_at unreadable",
    "missing_column": "started_at missing",
    "wrong_feed": "record_key missing",
    "cut_last_line": WRONG_FIELDS,
    "negative_fee": "fee_yuan below 0",
    "absurd_fee": "fee_yuan above 10000",
}
"""By kind: how one of the reasons begins that the ledger gives."""
MARKED = {"fee_yuan below": "negative_fee", "fee_yuan above": "absurd_fee", "imei_form not one of": "imei"}
"""How the reason of a row begins that is taken in with a warning, and what was done to its line."""
UNSEEN = ("volume_surge",)
"""Kinds that the village does not show: twice as many records are too few beyond chance there, or befall a public holiday."""
ADVICE = {
    "empty_file": "have it sent again",
    "truncated_gzip": "have it sent again",
    "corrupt_gzip": "have it sent again",
    "not_gzip": "drop the ending .gz",
    "gzip_without_ending": "without the ending .gz",
    "other_packing": "deliver it plain or as .gz",
    "utf16": "set encoding: in the feed file",
    "missing_header": "look whether it is there",
    "wrong_delimiter": "its names stand between ','",
}
"""By kind: what the note in raw.files tells to do."""


@dataclass
class Taken:
    """The village after the jobs that take files in: the lake, what the jobs told, and every row of the ledgers by the file it came in."""

    lake: Lake
    reports: list[Report]
    rows: dict[str, list[Any]]
    registered: dict[str, Any]
    settings: Settings
    days: Days


@pytest.fixture(scope="module")
def taken(spark: SparkSession, noisy: NoisyCity, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    home = tmp_path_factory.mktemp("noisy_lake")
    settings = load(
        Settings,
        "local",
        [
            f"store.landing={noisy.folder}/landing",
            f"store.lake={home}/lake",
            f"store.work={home}/work",
            f"city.truth={home}/none",
            # a village: some hundred records a day, and incidents from its second week on
            "quality.least_rows=50",
            "quality.band_least_days=8",
            "quality.travel_slack=1.5",
        ],
    )
    days = Days(noisy.scenario.first_day, noisy.scenario.last_day)
    jobs = [job for name in ("ingest_usage", "ingest_reference", "check_joining") for job in LINEAGE.chain(only=name)]
    reports = run_chain(spark, settings, jobs, days, Console(), makers=LINEAGE.makers)
    lake = Lake(spark, settings.store, Scope("test", days, TABLES, ()))
    key = Key.load(spark, settings.store.key_file, True)
    registered = {row["path"]: row for row in lake.read(FILES).collect()}
    path_of = {(row["feed"], row["file_id"]): path for path, row in registered.items() if not row["same_as"]}
    rows: dict[str, list[Any]] = {path: [] for path in registered}
    for table in RECORDS:
        told = lake.ledger(table).select("state", "reasons", "file_id", "day", key.decrypt(F.col("raw_text")).alias("text"))
        for row in told.collect():
            rows[path_of[table.name.split(".")[1], row["file_id"]]].append(row)
    return Taken(lake, list(reports), rows, registered, settings, days)


def _truth(spark: SparkSession, noisy: NoisyCity, name: str) -> list[Any]:
    return spark.read.parquet(str(noisy.folder / "truth" / name)).collect()


def test_no_file_stops_another_and_those_not_read_are_noted(spark: SparkSession, noisy: NoisyCity, taken: Taken) -> None:
    landing = noisy.folder / "landing"
    incidents = {row["kind"]: row for row in _truth(spark, noisy, "incidents")}
    on_disk = {str(path.relative_to(landing)) for path in landing.glob("*/date=*/*")}
    assert set(taken.registered) == on_disk - {incidents["unfinished_file"]["file"]}
    copies = {path: row["same_as"] for path, row in taken.registered.items() if row["same_as"]}
    assert set(copies) == {incidents["duplicate_delivery"]["file"]}
    assert all((landing / path).read_bytes() == (landing / first).read_bytes() for path, first in copies.items())
    noted = {path: row["note"] for path, row in taken.registered.items() if row["note"]}
    unreadable = {incidents[kind.name]["file"]: kind.name for kind in INCIDENTS.values() if kind.outcome == "unreadable"}
    assert set(noted) == set(unreadable)
    for path, note in noted.items():
        assert ADVICE[unreadable[path]] in note, (unreadable[path], note)
        assert taken.rows[path] == []
    again = {report.job: report.rows_in for report in taken.reports}
    assert again["ingest_usage"] > 0
    assert again["ingest_reference"] > 0


def test_lines_counted_are_good_bad_or_duplicates_file_by_file(noisy: NoisyCity, taken: Taken) -> None:
    for path, row in taken.registered.items():
        if row["note"] or row["same_as"] or row["feed"] not in ("voice", "sms", "mms", "wap"):
            continue
        packed = (noisy.folder / "landing" / path).read_bytes()
        text = gzip.decompress(packed) if path.endswith(".gz") else packed
        header, *lines = text.removeprefix(b"\xef\xbb\xbf").splitlines()
        assert len(taken.rows[path]) == row["lines"] == sum(line not in (b"", header) for line in lines), path
        assert {r["state"] for r in taken.rows[path]} <= {"good", "bad", "duplicate"}


def test_each_broken_line_meets_the_outcome_of_its_kind_and_no_other_line_does(
    spark: SparkSession, noisy: NoisyCity, taken: Taken
) -> None:
    faults, incidents = _truth(spark, noisy, "faults"), _truth(spark, noisy, "incidents")
    spoiled = {row["file"] for row in incidents}
    coded = next(row for row in incidents if row["kind"] == "unknown_code_burst")
    kind_of = {(row["feed"], row["record_no"]): row["kind"] for row in faults}
    seen: Counter[tuple[str, str]] = Counter()
    duplicates = 0
    for path, rows in taken.rows.items():
        feed = path.split("/")[0]
        for row in rows if path not in spoiled else []:
            if row["state"] == "duplicate":
                duplicates += 1
            elif row["state"] == "bad":
                if row["reasons"] == [OTHER_CONTENT]:
                    assert row["text"] is None
                    seen["quarantined", "id_conflict"] += 1
                    continue
                record_no = Path(row["text"]).name.split(",")[0]
                burst = feed == coded["feed"] and row["day"] == coded["day"] and "direction not one of" in row["reasons"][0]
                kind = (
                    "missing_id" if record_no == "" else kind_of.get((feed, record_no), "unknown_code_burst" if burst else "none")
                )
                assert any(reason.startswith(REASONS.get(kind, "?")) for reason in row["reasons"]), (kind, row)
                seen["quarantined", kind] += 1
            else:
                seen.update(
                    ("marked", next(kind for said, kind in MARKED.items() if reason.startswith(said)))
                    for reason in row["reasons"]
                )
    planted = Counter((FAULTS[row["kind"]].outcome, row["kind"]) for row in faults)
    # an IMEI that can not be read is not kept, so the ledger does not tell why
    planted["marked", "imei"] = sum(planted.pop(("marked", kind)) for kind in ("imei_letters", "imei_short"))
    assert planted["marked", "imei"]
    planted["quarantined", "unknown_code_burst"] = coded["lines"]
    assert dict(seen) == {key: n for key, n in planted.items() if key[0] in ("quarantined", "marked")}
    assert duplicates == sum(n for (outcome, _), n in planted.items() if outcome == "duplicate") > 0


def test_each_spoiled_file_meets_the_outcome_of_its_kind(spark: SparkSession, noisy: NoisyCity, taken: Taken) -> None:
    for incident in _truth(spark, noisy, "incidents"):
        kind = INCIDENTS[incident["kind"]]
        if incident["file"] not in taken.registered:
            assert kind.family == "day" or kind.name in ("missing_delivery", "unfinished_file")
            continue
        rows = taken.rows[incident["file"]]
        if taken.registered[incident["file"]]["same_as"]:
            assert (kind.name, rows) == ("duplicate_delivery", [])
            continue
        states = Counter(row["state"] for row in rows)
        if kind.name == "cut_last_line":
            assert states["bad"] == 1
            assert next(row["reasons"][0] for row in rows if row["state"] == "bad") == WRONG_FIELDS
        elif kind.outcome == "quarantined":
            assert states == {"bad": incident["lines"]}, kind.name
            assert all(any(r.startswith(REASONS[kind.name]) for r in row["reasons"]) for row in rows), (kind.name, rows[0])
        elif kind.outcome == "duplicate":
            assert states == {"duplicate": incident["lines"]}, kind.name
        elif kind.outcome == "harmless" or kind.name in ("late_delivery", "missing_imei_column"):
            assert states == {"good": incident["lines"]}, kind.name
        elif kind.name == "swapped_parties":
            assert states["good"] > states["bad"], "only other parties that can be no user of ours are set aside"
        else:
            assert not rows, kind.name


def test_what_only_figures_show_is_taken_in_as_it_came(spark: SparkSession, noisy: NoisyCity, taken: Taken) -> None:
    incidents = {row["kind"]: row for row in _truth(spark, noisy, "incidents")}
    voice = taken.lake.ledger(VOICE).where("state = 'good'")
    by_day = {
        row["day"]: row
        for row in voice.groupBy("day")
        .agg(
            F.expr("avg(if(imei_key is null, 1, 0)) as no_imei"),
            F.expr("count(distinct imei_key) as handsets"),
            F.expr("avg(if(cell_id is null, 1, 0)) as no_cell"),
            F.expr("avg(seconds) as seconds"),
        )
        .collect()
    }
    for kind in ("null_burst_imei", "imei_zeros"):
        assert by_day[incidents[kind]["day"]]["no_imei"] > 0.9, kind
    assert by_day[incidents["missing_imei_column"]["delivered_on"]]["no_imei"] > 0.9
    assert by_day[incidents["null_burst_cell"]["day"]]["no_cell"] > 0.9
    handsets = sorted(row["handsets"] for row in by_day.values())[len(by_day) // 2]
    # a slow clock may have put a few records of another day there
    assert by_day[incidents["one_imei_everywhere"]["day"]]["handsets"] < 0.5 * handsets
    usual = sorted(row["seconds"] for row in by_day.values())[len(by_day) // 2]
    assert by_day[incidents["drift_seconds"]["day"]]["seconds"] > 1.3 * usual
    assert by_day[incidents["seconds_as_minutes"]["day"]]["seconds"] < 0.2 * usual


def test_the_report_of_each_day_catches_what_was_planted(spark: SparkSession, noisy: NoisyCity, taken: Taken) -> None:
    run_chain(spark, taken.settings, LINEAGE.chain(only="check_quality"), taken.days, Console(), makers=LINEAGE.makers)
    # the jobs are done: from here on the truth may be known
    city = taken.settings.city.model_copy(update={"truth": str(noisy.folder / "truth")})
    found = fault_table(spark, taken.settings.model_copy(update={"city": city}), taken.days, noisy.scenario.incidents_from)
    kinds = {one["kind"]: one["by"] for one in found["incidents"] if not one["right"]}
    assert set(kinds) <= set(UNSEEN), kinds
    assert {one["kind"] for one in found["lines"] if not one["right"]} == set()
    report = json.loads((Path(taken.settings.store.work) / "quality" / "summary.json").read_text(encoding="utf-8"))
    assert {one["day"] for one in report["failed"]} <= {str(day) for day in taken.days.each()}
    assert found["alarms"]["judged"] == 0, "a fortnight's days teach, and are not judged"
    last = Days(taken.days.last, taken.days.last)
    before = _verdicts(taken)
    run_chain(spark, taken.settings, LINEAGE.chain(only="check_quality"), last, Console(), makers=LINEAGE.makers)
    assert _verdicts(taken) == before, "a day judged alone is judged as with the days before it"


def _verdicts(taken: Taken) -> set[tuple[Any, ...]]:
    names = ("day", "table_name", "check_name", "column_name", "severity", "has_passed", "observed", "expected")
    return {tuple(row[name] for name in names) for row in taken.lake.read(CHECKS).collect()}
