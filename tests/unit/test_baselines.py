"""The plain baselines and the curve that all ways are read by."""

from __future__ import annotations

import datetime as dt
from math import log, sqrt

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate.baselines import by_document, by_handset, by_likeness, combined, curve, curves
from churnlake.settings import Settings
from churnlake.tables.daily import DEVICES, EDGES, USAGE
from churnlake.tables.reference import SUBSCRIBERS

JOINED, ENDS = dt.date(2005, 3, 1), dt.date(2005, 5, 30)
OLD = dt.date(2005, 2, 20)


def asked(spark: SparkSession):  # type: ignore[no-untyped-def]
    return spark.createDataFrame([(9, JOINED, dt.date(2005, 4, 30))], "user_id bigint, joined_on date, known_on date")


def test_likeness_is_that_of_the_formulas(spark: SparkSession) -> None:
    """User 1 left and shares one of two peers with joiner 9; user 2 is still there and is nobody's past."""
    # a call nobody answered makes no contact
    met = [(9, JOINED, 54, 0), (1, OLD, 51, 2), (1, OLD, 52, 1), (9, JOINED, 51, 3), (9, JOINED, 53, 1), (2, ENDS, 51, 1)]
    edges = rows(spark, EDGES, *[{"user_id": u, "day": d, "peer_id": p, "message_out": n} for u, d, p, n in met])
    usage = rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": 1} for u, d in ((1, OLD), (9, JOINED), (2, ENDS))])
    settings = load(Settings, "local").reentry
    found = {
        (r["user_id"], r["old_user_id"], r["name"]): r["score"]
        for r in by_likeness(asked(spark), usage, edges, settings).collect()
    }
    common, rare = log(4 / 4) + 1, log(4 / 2) + 1
    three, two = (1 + log(3)) * common, (1 + log(2)) * common
    cosine = three * two / (sqrt(three**2 + rare**2) * sqrt(two**2 + rare**2))
    assert found == {
        (9, 1, "Jaccard"): pytest.approx(1 / 3),
        (9, 1, "Dice"): pytest.approx(1 / 2),
        # two of three contacts there, three of four here
        (9, 1, "Hellinger"): pytest.approx(sqrt(2 / 3 * 3 / 4), abs=1e-8),
        (9, 1, "tf-idf cosine"): pytest.approx(cosine, abs=1e-8),
    }


def test_circle_and_handset_together(spark: SparkSession) -> None:
    named = spark.createDataFrame(
        [(9, 1, "tf-idf cosine", 0.4), (9, 1, "Dice", 0.9), (9, 2, "tf-idf cosine", 0.7), (9, 1, "handset alone", -3.0), (9, 5, "handset alone", -1.0)],
        "user_id bigint, old_user_id bigint, name string, score double",
    )  # fmt: skip
    found = {(r["old_user_id"], r["name"]): r["score"] for r in combined(named).collect()}
    assert found == {
        (1, "circle AND handset"): 0.4,
        (1, "circle OR handset"): 1.4,
        (2, "circle OR handset"): 0.7,
        (5, "circle OR handset"): 1.0,
    }


def test_handset_and_document_name_earlier_users_only(spark: SparkSession) -> None:
    used = [(1, OLD, 7), (9, JOINED, 7), (3, ENDS, 7)]
    devices = rows(spark, DEVICES, *[{"user_id": u, "day": d, "imei_key": i} for u, d, i in used])
    found = by_handset(asked(spark), devices).collect()
    assert [(r["user_id"], r["old_user_id"], r["score"]) for r in found] == [(9, 1, -9.0)]
    shown = [(1, OLD, 70), (9, JOINED, 70), (3, ENDS, 70), (4, OLD, None)]
    papers = rows(spark, SUBSCRIBERS, *[{"user_id": u, "joined_on": d, "document_key": p} for u, d, p in shown])
    found = by_document(asked(spark), papers).collect()
    assert [(r["user_id"], r["old_user_id"], r["score"]) for r in found] == [(9, 1, pytest.approx(1 / 3))]


def test_curve_reads_precision_and_recall_off_the_scores() -> None:
    named = pd.DataFrame({"score": [0.9, 0.8, 0.7, 0.7, 0.1], "is_right": [True, True, True, False, False]})
    found = curve("x", named, planted=4)
    assert (found.named, found.precision, found.recall) == (4, 0.75, 0.75)
    assert found.precision_at_80 is None
    assert curve("x", named, planted=3).precision_at_80 == 0.75
    assert curve("x", named.head(0), planted=3).f1 == 0


def test_each_joiner_is_named_once_a_way(spark: SparkSession) -> None:
    named = spark.createDataFrame(
        [(9, 1, "Dice", 0.5), (9, 2, "Dice", 0.5), (8, 3, "Dice", 0.1), (9, 2, "handset alone", -1.0)],
        "user_id bigint, old_user_id bigint, name string, score double",
    )
    planted = spark.createDataFrame([(9, 1), (8, 4)], "user_id bigint, old_user_id bigint")
    found = curves(named, planted, 2)
    assert [(c.name, c.named, c.precision, c.recall) for c in found] == [("Dice", 1, 1.0, 0.5), ("handset alone", 1, 0.0, 0.0)]
