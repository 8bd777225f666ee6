"""Counts by cell beside the truth, by hand."""

import pytest

from churnlake.evaluate.control import cells


def test_cells_by_hand() -> None:
    rows = [
        {"expected": 9.0, "low": 7.0, "high": 11.0, "there": 10},
        {"expected": 12.0, "low": 10.5, "high": 13.5, "there": 10},
        {"expected": 5.0, "low": 4.0, "high": 6.0, "there": 5},
        {"expected": 0.5, "low": 0.0, "high": 2.0, "there": 0},
    ]
    found = cells(rows)
    assert (found["cells"], found["interval_covers"]) == (4, 0.75)
    # of nothing there is no relative error
    assert found["median_error"] == pytest.approx(0.1)
    assert found["bias"] == pytest.approx(26.5 / 25 - 1)
    assert cells([]) == {"cells": 0, "median_error": None, "bias": None, "interval_covers": None}
