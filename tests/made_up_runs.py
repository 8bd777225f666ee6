"""A run log of many chains, made up, as the page of runs takes it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd

JOBS = (
    ("ingest_reference", {}, ("reference.lives", "reference.subscribers"), 41.0),
    ("ingest_usage", {}, ("clean.voice", "clean.sms", "clean.mms", "clean.wap"), 172.4),
    ("build_daily", {"clean.voice": 31, "clean.sms": 31}, ("daily.usage", "daily.edges"), 96.0),
    ("build_features", {"daily.usage": 30, "daily.edges": 30}, ("features.monthly",), 140.2),
    ("detect_reentry", {"daily.edges": 30, "churn.leavings": 6}, ("reentry.joiners", "reentry.matches"), 88.8),
    ("score_model", {"features.monthly": 12}, ("churn.scores",), 20.1),
    ("publish_site", {"churn.scores": 9, "reentry.matches": 7}, (), 31.5),
)
FIRST = dt.datetime(2005, 6, 1, 5, tzinfo=dt.UTC)
ERROR = '[CAST_INVALID_INPUT] The value \'13812345678\' of the type "STRING" cannot be cast to "INT"'


def row(run_id: str, job: str, state: str, at: dt.datetime, **more: Any) -> dict[str, Any]:
    """A row of the run log."""
    nested = {name: json.dumps(more.pop(name, [])) for name in ("written", "left_out")}
    nested |= {name: json.dumps(more.pop(name, {})) for name in ("versions_read", "suppressed")}
    plain = {
        "first_day": at.date(), "last_day": at.date(), "rows_read": None, "seconds": None, "revision": "04838ee", "message": None, "chain": None,
        "peak_megabytes": None,
    }  # fmt: skip
    return {"run_id": run_id, "job": job, "state": state, "at_ms": round(at.timestamp() * 1000), **plain, **nested, **more}


def written(name: str, rows: int = 0, version: int = -1, **more: Any) -> dict[str, Any]:
    """What a run wrote of a table; of one only begun, without a version."""
    counts = {"rows": rows, "bad": 0, "duplicates": 0}
    return {"table_name": name, "version": version, **counts, "slices": ["2005-06-01", "2005-06-02"], **more}


def log(chains: int = 28) -> pd.DataFrame:
    """A chain a day: one of them failed half way, one withheld, one was cut short; and runs by themselves."""
    rows = []
    for number in range(chains):
        at = FIRST + dt.timedelta(days=number)
        for place, (job, read, tables, seconds) in enumerate(JOBS):
            run_id, chain = f"{number:06x}{place:06x}", f"c{number:011x}"
            took = round(seconds * (1 + 0.02 * number + 0.7 * (number == chains - 1 and job == "build_features")), 1)
            begun = [written(name) for name in tables]
            if tables:
                rows.append(row(run_id, job, "open", at, written=begun, chain=chain))
            at += dt.timedelta(seconds=took)
            if number == 3 and job == "detect_reentry":
                rows.append(row(run_id, job, "failed", at, written=begun, seconds=took, chain=chain, message=ERROR))
                break
            if number == 5 and job == "build_features":
                break
            done = [written(name, 7_000 * (place + 1), 30 + number) for name in tables]
            if job == "ingest_usage":
                done[0] |= {"bad": 21, "duplicates": 14}
                done[3] |= {"rows": 4}
            if number == 7 and job == "ingest_usage":
                gate = "clean.wap: only 4 of 100 rows are good (gate: 50%)"
                rows.append(row(run_id, job, "withheld", at, written=[done.pop()], message=gate, chain=chain))
            read = {name: version + number for name, version in read.items()}
            facts = {"seconds": took, "chain": chain, "rows_read": 21_000, "peak_megabytes": 1_500 + 40 * place}
            rows.append(row(run_id, job, "done", at, written=done, versions_read=read, **facts))
    # by a job run alone, under code that kept less, and by a person
    alone = FIRST + dt.timedelta(days=2, hours=8)
    rows.append(row("a" * 12, "maintain_lake", "done", alone, seconds=12.5, left_out=["clean.voice: skipped 2005-05-01"]))
    slices = [written("clean.wap", 0, 40)]
    rows.append(
        row(
            "b" * 12,
            "release",
            "released",
            alone + dt.timedelta(days=6),
            written=slices,
            message="somebody: it is as it should be",
        )
    )
    return pd.DataFrame(rows)
