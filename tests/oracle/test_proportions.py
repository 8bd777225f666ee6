"""Intervals, exact tests, false discoveries and capture-recapture beside scipy and beside simulation."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scipy.stats import binomtest, false_discovery_control, hypergeom

from churnlake.stats import proportions

DEVIATIONS = 1.959963984540054


def test_wilson_is_that_of_scipy(spark: SparkSession) -> None:
    cases = [(0, 1), (1, 1), (0, 20), (20, 20), (3, 7), (81, 263), (15, 148), (1, 29_000)]
    frame = spark.createDataFrame([*cases, (0, 0)], "k bigint, n bigint")
    low, high = proportions.wilson("k", "n", DEVIATIONS)
    found = {
        (r.k, r.n): (r.low, r.high)
        for r in frame.select("k", "n", F.expr(low).alias("low"), F.expr(high).alias("high")).collect()
    }
    assert found.pop((0, 0)) == (None, None)
    for k, n in cases:
        told = binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert found[(k, n)] == pytest.approx((told.low, told.high), abs=1e-9)


def test_the_upper_tail_is_the_hypergeometric_of_scipy(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(300):
        all_of = int(rng.integers(1, 3000))
        all_found, of = int(rng.integers(0, all_of + 1)), int(rng.integers(1, all_of + 1))
        found = int(np.clip(hypergeom.rvs(all_of, all_found, of, random_state=rng) + rng.integers(-3, 20), 0, min(of, all_found)))
        cases.append((max(found, of + all_found - all_of), of, all_found, all_of))
    cases += [(0, 5, 0, 10), (5, 5, 5, 5), (3, 3, 3, 1000), (2, 4, 10, 10_000)]
    frame = spark.createDataFrame(cases, "k bigint, n bigint, a bigint, m bigint")
    told = frame.withColumn("p", F.expr(proportions.upper_tail("k", "n", "a", "m"))).collect()
    assert len(told) == len(cases)
    for row in told:
        assert row.p == pytest.approx(hypergeom.sf(row.k - 1, row.m, row.a, row.n), rel=1e-6, abs=1e-300), row


def test_false_discoveries_are_those_of_scipy_in_each_family(spark: SparkSession) -> None:
    rng = np.random.default_rng(5)
    values = {family: np.round(rng.random(size) ** 3, 2) for family, size in (("a", 1), ("b", 7), ("c", 60))}  # with ties
    frame = spark.createDataFrame(
        [(f, i, float(p)) for f, ps in values.items() for i, p in enumerate(ps)] + [("b", 99, None)], "f string, i int, p double"
    )
    found = {(r.f, r.i): r.q_value for r in proportions.with_false_discovery(frame.repartition(3), "p", ["f"], ["i"]).collect()}
    assert found.pop(("b", 99)) is None
    for family, ps in values.items():
        told = false_discovery_control(ps)
        assert [found[(family, i)] for i in range(len(ps))] == pytest.approx(list(told))


def test_chapman_is_right_on_the_whole_where_lists_are_apart(spark: SparkSession) -> None:
    rng = np.random.default_rng(11)
    there, draws = 400, 500
    on = rng.random((draws, there)) < 0.6, rng.random((draws, there)) < 0.4
    cases = [(int(a.sum()), int(b.sum()), int((a & b).sum())) for a, b in zip(*on, strict=True)]
    total, low, high = proportions.chapman("a", "b", "c", DEVIATIONS)
    frame = spark.createDataFrame([*cases, (5, 5, 5), (4, 3, 0)], "a bigint, b bigint, c bigint")
    rows = [tuple(r) for r in frame.selectExpr("a", "b", "c", total, low, high).collect()]
    told = [r[3:] for r in rows[:draws]]
    assert np.mean([t for t, _, _ in told]) == pytest.approx(there, rel=0.01)
    assert 0.92 <= np.mean([low <= there <= high for _, low, high in told]) <= 0.98
    assert rows[-2][3:] == (5.0, 5.0, 5.0), "both lists hold the same: that is all there are"
    assert rows[-1][3] == pytest.approx(5 * 4 / 1 - 1)
    # the share of the total that is found is too high where one list knows of the other
    helped = on[1] & (rng.random((draws, there)) < 0.3 + 0.7 * on[0])
    biased = [((a.sum() + 1) * (b.sum() + 1) / ((a & b).sum() + 1) - 1) for a, b in zip(on[0], helped, strict=True)]
    assert np.mean(biased) < 0.9 * there
