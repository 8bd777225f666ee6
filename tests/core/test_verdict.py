"""What a workflow asks of the last quality report, and how false alarms are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from churnlake.__main__ import main
from churnlake.evaluate.faults import false_alarms


@pytest.mark.parametrize(("state", "code"), [("good", 0), ("warn", 0), ("error", 3)])
def test_a_workflow_stops_at_an_error_of_the_last_day_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    earlier = {
        "day": "2005-05-01", "table": "clean.sms", "check": "few rows set aside", "column": "bad_share",
        "severity": "error", "observed": "0.4", "expected": "at most 0.1", "since": "2005-04-30",
    }  # fmt: skip
    report = {"day": "2005-05-02", "state": state, "checks": 9, "passed": 8, "failed": [earlier]}
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "summary.json").write_text(json.dumps(report), encoding="utf-8")
    assert main(["verdict", "--set", f"store.work={tmp_path}"]) == code
    assert capsys.readouterr().out.splitlines() == [
        "error 2005-05-01 clean.sms: few rows set aside (bad_share 0.4, expected at most 0.1, since 2005-04-30)",
        f"2005-05-02: {state}; 8 of 9 checks hold",
    ]


def test_without_a_report_the_workflow_is_told_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdict", "--set", f"store.work={tmp_path}"]) == 2
    assert "run job check_quality first" in capsys.readouterr().err


def test_alarms_are_counted_per_check_and_day() -> None:
    def verdicts(column: str, passed: list[bool]) -> list[dict[str, object]]:
        return [{"table_name": "clean.sms", "check_name": "c", "column_name": column, "has_passed": one} for one in passed]

    found = false_alarms([*verdicts("rows", [True] * 30 + [False] * 2), *verdicts("users", [True] * 32)])
    assert (found["checks"], found["judged"], found["alarms"]) == (2, 64, 2)
    assert found["above_one_percent"] == {"clean.sms rows": 2 / 32}
    assert false_alarms([])["rate"] is None
