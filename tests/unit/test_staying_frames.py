"""What the page of those who stay takes from the tables: the newest months, and nothing that grows with users."""

import datetime as dt
from decimal import Decimal

from pyspark.sql import SparkSession

from churnlake.core.testing import rows
from churnlake.site.data import collect
from churnlake.site.pages import pages
from churnlake.tables.churn import LABELS
from churnlake.tables.staying import BUCKET, COHORTS, SILENCES, SURVIVAL

APRIL, MAY, LONG_AGO = dt.date(2005, 4, 1), dt.date(2005, 5, 1), dt.date(2003, 4, 1)


def test_the_newest_months_are_taken_and_make_a_page(spark: SparkSession) -> None:
    told = {"month": MAY, "target": "leave_t1"}
    cohort = {
        "cohort": APRIL,
        "month": MAY,
        "months_since": 1,
        "users": 50,
        "active": 35,
        "heads_share": 0.7,
        "revenue_share": 0.5,
    }
    frames = {
        LABELS: rows(
            spark, LABELS, *[{**told, "user_id": u, "has_churned": u < 12, "has_churned_for_good": u < 12} for u in range(40)]
        ),
        BUCKET: rows(
            spark, BUCKET, *[{"month": m, "flow": f, "counted": 20, "expected": 20.5} for m in (LONG_AGO, MAY) for f in ("back", "elsewhere")]
        ),
        COHORTS: rows(
            spark, COHORTS, {**cohort, "dimension": "all", "value": "all", "fee_yuan": Decimal(7)}, {**cohort, "dimension": "dealer", "value": "d"},
            {**cohort, "cohort": LONG_AGO, "dimension": "all", "value": "all"},
        ),
        SURVIVAL: rows(
            spark, SURVIVAL, *[{"month": m, "dimension": d, "value": d, "days": 7, "at_risk": 99, "staying": 0.9} for m in (APRIL, MAY) for d in ("all", "dealer")]
        ),
        SILENCES: rows(
            spark, SILENCES, *[{"month": m, "brand": "all", "days": d, "silences": 99, "wakes": 0.5} for m in (APRIL, MAY) for d in (1, 2)]
        ),
    }  # fmt: skip
    data = collect(frames, MAY, least=10)
    assert data.outcomes is not None
    assert sorted(data.outcomes["users"]) == [12, 28]
    assert data.bucket is not None
    assert set(data.bucket["month"]) == {MAY}
    assert data.cohorts is not None
    assert [(r.cohort, r.dimension, r.fee_yuan) for r in data.cohorts.itertuples()] == [(APRIL, "all", 7.0)]
    assert data.survival is not None
    assert [(r.month, r.value) for r in data.survival.itertuples()] == [(MAY, "all")]
    assert data.silences is not None
    assert len(data.silences) == 2
    text = pages(data)["staying.html"]
    for name in ("heads", "revenue", "rates", "bucket", "survival", "waking"):
        assert f"figure-{name}" in text, name
