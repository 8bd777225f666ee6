"""What the filter that bounds every model of leaving may see: by the day of records, by whole weeks of weekly contacts."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from churnlake.city.ceiling import ACTIVE, COMPLAINED, RECENT, steps, visible, window
from churnlake.city.discontent import month_ends
from churnlake.city.settings import scenario


@pytest.mark.parametrize("days", [ACTIVE, RECENT, COMPLAINED])
def test_each_day_of_records_counts_for_itself(spark: SparkSession, days: int) -> None:
    city = scenario("tiny")
    month, end, *_ = month_ends(city)[3]
    daily = spark.createDataFrame(
        [("in", end - days + 1, 1, True, 2, True), ("out", end - days, 1, True, 2, True), ("here", end, 1, False, 0, False)],
        "user_id string, day int, own int, asked boolean, complaints int, forwarded boolean",
    )
    lives = spark.createDataFrame(
        [(user, at, 0, None, city.brands[0]) for at, user in enumerate(("in", "out", "here"))],
        "user_id string, person_id bigint, from_day int, left_day int, brand string",
    )
    contacts = spark.createDataFrame([], "a bigint, b bigint")
    seen = {row["user_id"]: row for row in visible(daily, lives, contacts, city).where(f"month = '{month}'").collect()}
    name = {ACTIVE: "is_active", RECENT: "asked_rival", COMPLAINED: "complained"}[days]
    assert (seen["in"][name], seen["out"][name]) == (True, False)
    assert [sum(row["events"]) for row in seen.values()] == [1, 1, 1]


def test_weeks_before_a_months_end_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "weeks.yaml"
    path.write_text("like: tiny\nrecords: {form: edges, by: week}\n", encoding="utf-8")
    city = scenario(str(path))
    for _, end, *_ in month_ends(city)[2:]:
        parts = steps(city, end)
        assert parts[0][0] == 0
        assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))
        assert RECENT <= window(city, end, RECENT) < RECENT + 7
