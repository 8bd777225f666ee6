"""Whether every planted kind of broken data is caught, by what, and how often sound days raise an alarm."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import scenario
from churnlake.city.kinds import FAULTS, INCIDENTS
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.ledger import OTHER_CONTENT
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.truth import planted_faults, planted_incidents
from churnlake.settings import Settings
from churnlake.tables.clean import RECORDS
from churnlake.tables.quality import CHECKS

JOBS = ("ingest_reference", "ingest_usage", "check_quality")
FIGURES = "faults.json"
SOUND_FROM = 28
"""Days from the city's first on which bands have learnt what they need: from the 29th, alarms are judged."""
MOST_SHOWN = 3


@dataclass(frozen=True)
class Caught:
    """One incident, or all broken lines of one kind and feed: what it is, whether it was dealt with as it should be, and how.

    ``right`` of a harmless kind: taken in whole and no alarm raised.
    """

    kind: str
    feed: str
    day: str
    lines: int
    outcome: str
    right: bool
    by: str


def judge_faults(settings: Settings, console: Console) -> dict[str, Any]:
    """Make the city unless it is there, take it in, judge all its days, and print and return what was caught.

    The figures are left in ``faults.json`` in the work folder.
    """
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
    with session(settings.spark, work / "logs") as spark:
        lineage = Lineage.of_package()
        made = ["generate_city"] if not (Path(settings.city.truth) / "incidents").is_dir() else []
        for name in (*made, *JOBS):
            run_chain(spark, settings, lineage.chain(only=name), days, console, makers=lineage.makers)
        found = fault_table(spark, settings, days, city.incidents_from)
    found = {"city": city.name, "seed": settings.city.seed, "people": city.users, **found}
    (work / FIGURES).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for line in told(found):
        console.say(line)
    return found


def fault_table(spark: SparkSession, settings: Settings, days: Days, incidents_from: int) -> dict[str, Any]:
    """What was caught of a city that went through the jobs: incidents, lines, and alarms on days before the first incident."""
    lake = lake_of(spark, settings, days, *RECORDS, FILES, CHECKS)
    truth, landing = Path(settings.city.truth), Path(settings.store.landing)
    checks = [row.asDict() for row in lake.read(CHECKS).collect()]
    first, last = days.first + dt.timedelta(SOUND_FROM), days.first + dt.timedelta(incidents_from - 1)
    return {
        "incidents": [asdict(one) for one in _incidents(spark, lake, truth, landing, checks)],
        "lines": [asdict(one) for one in _lines(spark, lake, truth)],
        "alarms": false_alarms([row for row in checks if first <= row["day"] <= last]),
        "sound_days": [str(first), str(last)] if first <= last else [],
    }


def false_alarms(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of checks of sound days: how many were asked, how many raised an alarm, and which more than one in a hundred days."""
    asked: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for row in checks:
        asked[row["table_name"], row["check_name"], row["column_name"]].append(bool(row["has_passed"]))
    worst = {" ".join((table, column)): passed.count(False) / len(passed) for (table, _, column), passed in asked.items()}
    alarms = sum(passed.count(False) for passed in asked.values())
    total = sum(len(passed) for passed in asked.values())
    return {
        "checks": len(asked),
        "judged": total,
        "alarms": alarms,
        "rate": alarms / total if total else None,
        "above_one_percent": {name: share for name, share in sorted(worst.items()) if share > 0.01},
    }


def told(found: Mapping[str, Any]) -> list[str]:
    """The table as lines of text."""
    lines = [f"{'kind':<22} {'feed':<6} {'day':<11} {'lines':>6}  {'should be':<12} {'':<7} by"]
    for one in (*found["incidents"], *found["lines"]):
        right = "caught" if one["right"] else "MISSED"
        if one["outcome"] == "harmless":
            right = "whole" if one["right"] else "WRONG"
        lines.append(
            f"{one['kind']:<22} {one['feed']:<6} {one['day']:<11} {one['lines']:>6,}  {one['outcome']:<12} {right:<7} {one['by']}"
        )
    for what in ("incidents", "lines"):
        wrong = [one for one in found[what] if one["outcome"] != "harmless"]
        sound = [one for one in found[what] if one["outcome"] == "harmless"]
        kinds = {one["kind"] for one in wrong}
        missed = {one["kind"] for one in wrong if not one["right"]}
        lines.append(
            f"{what}: {len(kinds) - len(missed)} of {len(kinds)} kinds caught; "
            f"{sum(one['right'] for one in sound)} of {len(sound)} harmless ones taken in whole"
        )
    alarms = found["alarms"]
    if alarms["judged"]:
        lines.append(
            f"false alarms {found['sound_days'][0]}..{found['sound_days'][1]}: {alarms['alarms']} of {alarms['judged']:,} "
            f"verdicts of {alarms['checks']} checks ({alarms['rate']:.2%}); checks above 1 % of days: {len(alarms['above_one_percent'])}"
        )
        lines += [f"  {name}: {share:.1%}" for name, share in alarms["above_one_percent"].items()]
    return lines


def _incidents(spark: SparkSession, lake: Lake, truth: Path, landing: Path, checks: Sequence[Mapping[str, Any]]) -> list[Caught]:
    failed: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for check in checks:
        if not check["has_passed"]:
            failed[check["table_name"], str(check["day"])].append(check)
    files = {row["path"]: row for row in lake.read(FILES).collect()}
    found = []
    for row in planted_incidents(spark, truth).orderBy("kind", "delivered_on").collect():
        kind, feed, path = INCIDENTS[row["kind"]], row["feed"], row["file"]
        # a file sent again or late holds the day that its name tells
        named = re.search(r"_(\d{4})(\d\d)(\d\d)", Path(path).name) if path else None
        day = str(row["day"]) if row["day"] else "-".join(named.groups()) if named else str(row["delivered_on"])
        entry = files.get(path)
        alarms = sorted(failed[f"clean.{feed}", day], key=lambda one: (one["severity"] != "error", one["column_name"]))
        said = [f"{one['severity']}: {one['column_name']} {one['observed']} ({one['expected']})" for one in alarms]
        by = list(dict.fromkeys(said))[:MOST_SHOWN]
        right = bool(by)
        on_disk = landing / path if path else None
        if entry is not None and entry["note"]:
            by, right = [f"file note: {entry['note'].split(';')[0]}", *by[:1]], True
        elif entry is not None and entry["same_as"]:
            by, right = [f"same content as {entry['same_as']}: not taken in again"], kind.outcome == "duplicate"
        elif kind.name == "cut_last_line" and entry is not None and on_disk is not None:
            right = _is_aside(lake, feed, entry["file_id"], _last_line(on_disk))
            by = ["row rule: that line is set aside, wrong number of fields" if right else "that line is not set aside", *by]
        if kind.outcome == "harmless":
            whole = entry is None or _good_rows(lake, feed, entry["file_id"]) == entry["lines"] * entry["rows_per_line"]
            right = not said and whole
            by = ["taken in whole, no alarm"] if right else [*said[:MOST_SHOWN], *([] if whole else ["rows were set aside"])]
        found.append(Caught(kind.name, feed, day, int(row["lines"]), kind.outcome, right, "; ".join(by) or "nothing"))
    return found


def _lines(spark: SparkSession, lake: Lake, truth: Path) -> list[Caught]:
    """Broken lines by kind: found in the ledger by their record id, which a line set aside still shows."""
    planted = planted_faults(spark, truth)
    count = Counter({row["kind"]: int(row["count"]) for row in planted.groupBy("kind").count().collect()})
    spoiled = {row["file"] for row in planted_incidents(spark, truth).collect() if row["file"]}
    files = [row["file_id"] for row in lake.read(FILES).collect() if row["path"] in spoiled and not row["same_as"]]
    aside: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    states: Counter[str] = Counter()
    for table in (table for table in RECORDS if lake.has(table)):
        feed = table.name.partition(".")[2]
        rows = lake.ledger(table).where(~F.col("file_id").isin(files))
        text = lake.key.decrypt(F.col("raw_text"))
        bad = rows.where("state = 'bad'").select(F.split(text, ",")[0].alias("record_no"), "reasons").alias("b")
        of_feed = planted.where(F.col("feed") == feed).select("record_no", "kind").distinct()
        matched = bad.join(of_feed, on="record_no", how="inner").groupBy("kind", F.col("reasons")[0].alias("reason")).count()
        for row in matched.collect():
            aside[row["kind"]] += int(row["count"])
            reasons[row["kind"]][row["reason"]] += int(row["count"])
        for name, condition in _SEEN.items():
            states[name] += rows.where(condition).count()
    found = []
    for name, kind in FAULTS.items():
        if not count[name]:
            continue
        by, right = "nothing", False
        if name in _SEEN:
            # kinds that look alike in the ledger are caught when all of them are there
            planted_alike = sum(count[other] for other, seen in _SEEN.items() if seen == _SEEN[name])
            right = states[name] >= planted_alike if name != "late_record" else states[name] > 0
            by = f"{states[name]:,} rows: {_SEEN[name]}"
        elif aside[name]:
            right = aside[name] >= count[name]
            by = f"{aside[name]:,} set aside: {reasons[name].most_common(1)[0][0]}"
        elif kind.outcome == "harmless":
            right, by = True, "none set aside"
        found.append(Caught(name, "all", "", count[name], kind.outcome, right, by))
    return found


_SEEN = {
    "id_conflict": f"state = 'bad' and reasons = array('{OTHER_CONTENT}')",
    "missing_id": "state = 'bad' and reasons = array('record_key missing')",
    "negative_fee": "state = 'good' and exists(reasons, r -> r like 'fee_yuan below%')",
    "absurd_fee": "state = 'good' and exists(reasons, r -> r like 'fee_yuan above%')",
    **dict.fromkeys(("imei_letters", "imei_short"), "state = 'good' and exists(reasons, r -> r like 'imei_form %')"),
    "duplicate_in_file": "state = 'duplicate' and kept_in = file_id",
    "duplicate_across_files": "state = 'duplicate' and kept_in <> file_id",
    "late_record": "state = 'good' and datediff(delivered_on, day) > 8",
}
"""Kinds that the record id does not find in the quarantine: what shows them in the ledger."""


def _good_rows(lake: Lake, feed: str, file_id: str) -> int:
    table = next(table for table in RECORDS if table.name == f"clean.{feed}")
    return lake.ledger(table).where(F.col("file_id") == file_id).where("state = 'good'").count()


def _is_aside(lake: Lake, feed: str, file_id: str, line: str) -> bool:
    table = next(table for table in RECORDS if table.name == f"clean.{feed}")
    bad = lake.ledger(table).where(F.col("file_id") == file_id).where("state = 'bad'")
    return bad.where(lake.key.decrypt(F.col("raw_text")) == line).count() > 0


def _last_line(path: Path) -> str:
    packed = path.read_bytes()
    text = gzip.decompress(packed) if path.name.endswith(".gz") else packed
    return text.decode("utf-8", errors="replace").splitlines()[-1]
