"""A site's data of the size and shape of the demonstration's, made up."""

from __future__ import annotations

import datetime as dt

import pandas as pd
from made_up_runs import log

from churnlake.indicators import VIEWS
from churnlake.site.data import SiteData, Step
from churnlake.tables import churn, clean, daily, quality, reentry

MONTHS = [dt.date(2005, month, 1) for month in range(1, 7)]
DAYS = [dt.date(2005, 1, 1) + dt.timedelta(day) for day in range(181)]
CHECKED = ("clean.voice", "clean.sms", "daily.usage", "features.monthly", "churn.scores", "reentry.matches")
STEPS = (
    Step("generate_city", (), (), "Make the city."),
    Step(
        "ingest_usage",
        ("raw.voice", "raw.sms", "raw.mms", "raw.wap"),
        ("clean.voice", "clean.sms", "clean.mms", "clean.wap"),
        "Clean records.",
    ),
    Step(
        "ingest_reference",
        ("raw.subscribers", "raw.bills"),
        ("reference.subscribers", "reference.bills", "reference.lives"),
        "Clean reference data.",
    ),
    Step(
        "build_daily",
        ("clean.voice", "clean.sms", "clean.mms", "clean.wap", "reference.lives"),
        ("daily.usage", "daily.edges", "daily.devices"),
        "Sum up days.",
    ),
    Step("build_features", ("daily.usage", "daily.edges", "reference.subscribers"), ("features.monthly",), "Indicators."),
    Step("select_indicators", ("features.monthly",), ("features.selection", "features.outliers", "features.abnormal"), "Select."),
    Step("build_circles", ("daily.edges",), ("circles.signatures", "circles.peers"), "Circles."),
    Step("label_leaving", ("daily.usage", "reference.subscribers"), ("churn.leavings",), "Who left."),
    Step(
        "detect_reentry",
        ("circles.signatures", "circles.peers", "daily.devices", "churn.leavings"),
        ("reentry.joiners", "reentry.matches", "reentry.persons"),
    ),
    Step("label_churn", ("churn.leavings", "reentry.matches", "daily.usage"), ("churn.labels",), "Labels."),
    Step("train_model", ("features.monthly", "features.selection", "churn.labels"), ("churn.models",), "Fit."),
    Step("score_model", ("features.monthly", "churn.models"), ("churn.scores",), "Score."),
    Step("plan_campaigns", ("churn.scores", "features.monthly"), ("campaigns.lists",), "Lists."),
    Step(
        "check_quality",
        ("clean.voice", "daily.usage", "churn.scores", "reentry.matches"),
        ("quality.checks", "quality.scores"),
        "Judge.",
    ),
    Step(
        "publish_site",
        ("reentry.matches", "churn.scores", "campaigns.lists", "quality.checks", "quality.scores"),
        (),
        "This site.",
    ),
)


MEASURES = {
    "base_rate": 0.031, "pr_auc": 0.287, "roc_auc": 0.84, "precision_top_1": 0.5, "precision_top_2": 0.44, "precision_top_5": 0.3, "precision_top_10": 0.16,
    "lift_top_decile": 5.1, "calibration_slope": 0.97, "calibration_error": 0.008,
}  # fmt: skip
LEARNERS = [
    {
        "known_on": DAYS[-1], "target": target, "learner": learner, "parameters": f"{learner} trees=40 depth=3", "merit": 0.27, "train_months": ["2005-01-01", "2005-02-01"],
        "test_month": MONTHS[3], "train_rows": 3100, "test_rows": 1490, **MEASURES, "pr_auc": value, "is_champion": learner == "boosted" and target == "leave_t1",
        "verdict": "finds more on the newest month than version 2" if learner == "boosted" else None, "model_version": "3",
    }
    for target in ("leave_t1", "revenue") for learner, value in (("logistic", 0.241), ("boosted", 0.287))
]  # fmt: skip
JUDGED = [
    {
        "known_on": DAYS[-1], "target": target, "part": part, "value": value, "test_month": MONTHS[3], "rows": rows, "positives": positives, **MEASURES, "profit_yuan": 1840.0,
        "profit_share": 0.08, "model_version": "3", "gains_found": [1 - (1 - i / 20) ** 3 for i in range(21)] if part == "all" else None,
        "calibration_told": [0.004 * 1.6**i for i in range(10)] if part == "all" else None, "calibration_seen": [0.0038 * 1.62**i for i in range(10)] if part == "all" else None,
    }
    for target in ("leave_t1", "revenue")
    for part, value, rows, positives in (("all", "all", 1490, 46), ("brand", "gotone", 400, 6), ("brand", "easyown", 800, 30), ("tier", "high", 149, 10))
]  # fmt: skip


def made_up() -> SiteData:
    """A site's data of the size and shape of the demonstration's."""
    feeds = {"voice": 6900, "sms": 5100, "mms": 610, "wap": 100}
    records = [
        {"feed": feed, "day": day, "state": state, "rows": int(rows * (1 + 0.25 * (day.weekday() >= 5)) * part)}
        for feed, rows in feeds.items()
        for day in DAYS
        for state, part in (("good", 1.0), ("bad", 0.003), ("duplicate", 0.002))
    ]
    frame = pd.DataFrame(records)
    taken = frame.groupby("feed")["rows"].sum()
    files = [
        {
            "feed": f,
            "files": 26,
            "lines": int(taken[f]),
            "rows_due": int(taken[f]) + 12 * (f == "mms"),
            "unreadable_files": int(f == "mms"),
        }
        for f in feeds
    ]
    matches = [
        {"month": m, "kind": k, "found_by": w, "has_same_imei": w != "circle", "rows": n}
        for m in MONTHS
        for k, w, n in (("full", "both", 5), ("full", "circle", 4), ("partial", "circle", 2), ("open", "imei", 1 + m.month // 2))
    ]
    cases = [
        {
            "new_user": f"{9 * i + 0xA1B2C3:08x}",
            "old_user": f"{7 * i + 0xD4E5F6:08x}",
            "joined_on": DAYS[100 - i],
            "old_last_on": DAYS[90 - i],
            "gap_days": 10 - i,
            "shared_peers": 14 - i // 2,
            "old_peers": 24,
            "new_found": 0.7,
            "place_overlap": 0.62,
            "has_same_imei": i % 2 == 0,
            "has_same_document": i % 3 == 0,
            "found_by": ("both", "circle")[i % 2],
            "kind": "full",
            "probability": 0.999 - i / 50,
        }
        for i in range(20)
    ]
    checks = [
        {
            "day": DAYS[-1],
            "table_name": table,
            "column_name": "rows",
            "check_name": name,
            "dimension": dimension,
            "severity": severity,
            "has_passed": not (table == "clean.sms" and name.startswith("volume"))
            and not (table == "churn.scores" and "late" in name),
            "observed": "2 of 181 slices outside" if table == "clean.sms" and name.startswith("volume") else "all 181 slices",
            "expected": "0.5 to 2",
        }
        for table in CHECKED
        for name, dimension, severity in (
            ("every slice has rows", "completeness", "error"),
            ("volume as usual on that weekday", "consistency", "warn"),
            ("few late records", "timeliness", "error"),
        )
    ]
    grades = {
        "completeness": 1.0,
        "validity": 0.9991,
        "uniqueness": 1.0,
        "consistency": 0.93,
        "timeliness": 0.75,
        "accuracy": 1.0,
    }
    return SiteData(
        last=DAYS[-1],
        tables=(
            *clean.RECORDS,
            daily.USAGE,
            daily.EDGES,
            reentry.JOINERS,
            reentry.MATCHES,
            churn.LEAVINGS,
            churn.SCORES,
            quality.CHECKS,
        ),
        views=VIEWS,
        steps=STEPS,
        files=pd.DataFrame(files),
        records=frame,
        reasons=pd.DataFrame(
            [{"feed": "voice", "reason": f"field_{i} unreadable", "state": "bad", "rows": 900 - 60 * i} for i in range(9)]
        ),
        users=pd.DataFrame([{"month": m, "users": 1500 + 4 * m.month} for m in MONTHS]),
        joiners=pd.DataFrame(
            [
                {"month": m, "stage_days": 60, "scope": s, "users": n + m.month}
                for m in MONTHS
                for s, n in (("scored", 38), ("too_little", 6), ("excluded", 3))
            ]
        ),
        matches=pd.DataFrame(matches),
        probabilities=pd.DataFrame(
            [{"bin": i / 20, "found_by": w, "rows": max(1, (i - 8) ** 2 // 6)} for i in range(8, 20) for w in ("both", "circle")]
        ),
        gaps=pd.DataFrame(
            [{"bin": b, "kind": k, "rows": max(1, 14 - abs(b) // 9)} for b in range(-40, 100, 10) for k in ("full", "partial")]
        ),
        cases=pd.DataFrame(cases),
        joining_verdicts=pd.DataFrame(
            [
                {"month": m, "verdict": v, "named_by": w, "users": n + m.month}
                for m in MONTHS
                for v, w, n in (
                    ("known", "document", 21),
                    ("known", "number", 12),
                    ("several", None, 11),
                    ("new", None, 40),
                    ("untold", None, 160),
                    ("contradicted", None, 1),
                )
            ]
        ),
        joining_outcomes=pd.DataFrame(
            [
                {"stage_days": s, "verdict": v, "named_by": w, "outcome": o, "users": n + s // 10}
                for s in (0, 3, 7, 30, 60)
                for v, w, o, n in (
                    ("known", "document", "same", 60),
                    ("known", "document", "nobody", 30),
                    ("known", "number", "same", 41),
                    ("known", "number", "other", 9),
                    ("known", "both", "same", 20),
                    ("known", "both", "nobody", 3),
                    ("known", "document", "too_little", 14),
                    ("new", None, "found", 33),
                )
            ]
        ),
        joining_reminders=pd.DataFrame(
            [
                {"reminder": r, "users": n}
                for r, n in (("brand_change", 31), ("number_choice", 88), ("sim_replacement", 4), ("none", 800))
            ]
        ),
        joining_bonuses=pd.DataFrame(
            [{"state": s, "users": n, "yuan": 75.0 * n} for s, n in (("to_review", 70), ("withheld", 22), ("paid", 15))]
        ),
        joining_delays=pd.DataFrame([{"seconds": [4.2, 9.8], "files": 26}]),
        leavings=pd.DataFrame(
            [
                {"month": m, "kind": k, "brand": b, "users": 9 + m.month, "returned": 4}
                for m in MONTHS
                for k, b in (("cancelled", "gotone"), ("silent", "easyown"), ("silent", "mzone"))
            ]
        ),
        fits=pd.DataFrame(
            [
                {
                    "known_on": DAYS[-1],
                    "learner": learner,
                    "train_months": ["2005-01-01"],
                    "test_month": MONTHS[3],
                    "train_rows": 3100,
                    "test_rows": 1490,
                    "base_rate": 0.031,
                    "pr_auc": value,
                    "roc_auc": 0.84,
                    "lift_top_decile": 5.1,
                    "is_champion": learner == "boosted",
                    "model_version": "3",
                }
                for learner, value in (("logistic", 0.241), ("boosted", 0.287))
            ]
        ),
        learners=pd.DataFrame(LEARNERS),
        judged=pd.DataFrame(JUDGED),
        moved=pd.DataFrame(
            [
                {
                    "month": MONTHS[5],
                    "target": "leave_t1",
                    "column": f"indicator_{i}",
                    "psi": 0.02 * i,
                    "rows": 1490,
                    "advice": advice,
                }
                for i, advice in enumerate(["none"] * 9 + ["watch"] * 4 + ["retrain"] * 2)
            ]
        ),
        scores=pd.DataFrame([{"month": MONTHS[5], "bin": i / 50, "users": int(900 / (i + 1) ** 1.6) + 1} for i in range(40)]),
        ranked=pd.DataFrame(
            [
                {
                    "month": MONTHS[5],
                    "place": i + 1,
                    "user": f"{i * 77 + 0xBEEF00:08x}",
                    "probability": 0.91 - i / 30,
                    "reasons": [
                        "Calls made and answered: less than most",
                        "Days in a warning or alarm stage: far more than most",
                    ],
                    "cell": "care_and_retain" if i % 3 else None,
                    "priority": ("high", "medium", "low")[i % 3] if i % 3 else None,
                    "value_yuan": 88.5 + i,
                }
                for i in range(20)
            ]
        ),
        cells=pd.DataFrame(
            [
                {"month": MONTHS[5], "cell": c, "priority": p, "arm": a, "users": n, "at_stake_yuan": 40.0 * n}
                for c, p, n in (("care_and_retain", "high", 60), ("retain", "medium", 40), ("care", "low", 30))
                for a, n in (("target", n), ("control", n // 9))
            ]
        ),
        checks=pd.DataFrame(checks),
        quality=pd.DataFrame(
            [
                {"day": DAYS[-1], "table_name": t, "dimension": d, "score": g}
                for t in CHECKED
                for d, g in grades.items()
                if (t, d) != ("churn.scores", "accuracy")
            ]
        ),
        states=pd.DataFrame(
            [
                {
                    "day": d,
                    "table_name": t,
                    "errors": int(t == "churn.scores" and i > 30),
                    "warnings": int(t == "clean.sms" and i > 32),
                }
                for i, d in enumerate(DAYS[-35:])
                for t in CHECKED
            ]
        ),
        failing=pd.DataFrame(
            [
                {"table_name": "churn.scores", "check_name": "few late records", "column_name": "rows", "since": DAYS[-60]},
            ]
        ),
        trend=pd.DataFrame([{"day": d, "dimension": n, "score": g} for d in DAYS[-35:] for n, g in grades.items()]),
        carriers=pd.DataFrame(
            [
                {
                    "feed": "sms",
                    "place": i + 1,
                    "path": f"sms/date=2005-06-30/part{i}.csv.gz",
                    "note": note,
                    "rows": 5100 - i,
                    "bad_rows": 17 - i,
                    "files": 4,
                }
                for i, note in enumerate(("not whole as gzip", None, None))
            ]
        ),
        by_file=pd.DataFrame(
            [
                {
                    "feed": "sms",
                    "path": "sms/date=2005-06-29/a.csv",
                    "column": "hour",
                    "reason": "hour above 23",
                    "rows": 41,
                    "shapes": ["9" * 11 + ",99 99:99,x"],
                }
            ]
        ),
        runs=log(),
        evaluation={"planted": 118, "found": 104, "precision": 0.952, "recall": 0.839, "pr_auc": 0.287, "base_rate": 0.031},
        held_back={"clean.sms": ["2005-06-29"]},
        docs_link="data-docs/2005-06-30/index.html",
    )
