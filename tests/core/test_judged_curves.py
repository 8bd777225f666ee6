"""What is kept of a ranking for the model cards. No Spark."""

import datetime as dt

import pytest

from churnlake.core.settings import load
from churnlake.models.parts import GAINS_PARTS, WHOLE, judged_rows
from churnlake.settings import Settings
from churnlake.stats.gains import Gains

MAY = dt.date(2005, 5, 1)


def test_the_curves_of_all_tested_are_kept_and_of_no_part() -> None:
    steps = [{"step": i, "rows": 10, "positives": 5 - i if i < 5 else 0, "score": 0.5 - i / 25, "value": 0.0} for i in range(10)]
    gains = Gains.of(steps)
    settings = load(Settings, "local").models.profit
    whole, part = judged_rows(MAY, "leave_t1", "1", MAY, {WHOLE: gains, ("brand", "mzone"): gains}, settings)
    assert "gains_found" not in part
    found = whole["gains_found"]
    assert (len(found), found[0], found[-1]) == (GAINS_PARTS + 1, 0.0, 1.0)
    # 100 rows, 15 positives: the likeliest tenth has 5 of them
    assert found[2] == pytest.approx(5 / 15)
    assert whole["calibration_told"] == pytest.approx([0.14 + i / 25 for i in range(10)])
    assert whole["calibration_seen"] == pytest.approx([0.0] * 5 + [0.1, 0.2, 0.3, 0.4, 0.5])
