"""Spreading activation beside an independent one in numpy, and on a line of friends."""

import datetime as dt

import numpy as np
import pytest
from pyspark.sql import SparkSession

from churnlake.circles.activation import activation, with_parts
from churnlake.core.settings import load
from churnlake.settings import Settings

SETTINGS = load(Settings, "local", []).circles.groups
MAY = dt.date(2005, 5, 1)
COLUMNS = "of date, user_id bigint, peer_id bigint, strength bigint, has_gone boolean"


def found(spark: SparkSession, ties: list[tuple[dt.date, int, int, int, bool]]) -> dict[tuple[dt.date, int], float]:
    frame = spark.createDataFrame(ties, COLUMNS)
    rows = activation(with_parts(frame), SETTINGS, lambda rows: rows.localCheckpoint()).collect()
    return {(row["of"], row["user_id"]): row["activation"] for row in rows}


def test_energy_reaches_friends_of_friends_and_none_is_lost(spark: SparkSession) -> None:
    # 1 went; 2 holds it, 3 holds 2, 4 holds 3, 5 holds 4: three rounds reach 4
    line = [(MAY, user, user - 1, 1000, user == 2) for user in (2, 3, 4, 5)]
    passed = SETTINGS.activation_passed
    assert found(spark, line) == pytest.approx(
        {(MAY, 2): 1 - passed, (MAY, 3): passed * (1 - passed), (MAY, 4): passed**2}, abs=1e-6
    )


def test_activation_equals_that_of_numpy_in_each_month(spark: SparkSession) -> None:
    rng = np.random.default_rng(7)
    count, ties, expected = 30, [], {}
    for month in (MAY, dt.date(2005, 4, 1)):
        strength = np.where(rng.random((count, count)) < 0.2, rng.integers(1, 9000, (count, count)), 0)
        np.fill_diagonal(strength, 0)
        gone = rng.random(count) < 0.2
        ties += [
            (month, int(user), int(peer), int(strength[user, peer]), bool(gone[peer])) for user, peer in np.argwhere(strength)
        ]
        given = strength.sum(axis=0)
        parts = np.divide(strength, given, out=np.zeros((count, count)), where=given > 0)
        energy, total = (gone & (given > 0)).astype(float), np.zeros(count)
        for turn in range(SETTINGS.activation_rounds):
            came = parts @ energy
            passed = SETTINGS.activation_passed if turn < SETTINGS.activation_rounds - 1 else 0.0
            total += came * (1 - passed)
            energy = came * passed
        assert total.sum() <= gone.sum() + 1e-9
        expected |= {(month, user): total[user] for user in range(count) if total[user] > 0}
    told = {key: value for key, value in found(spark, ties).items() if value > 0}
    assert told == pytest.approx(expected, abs=1e-6)
