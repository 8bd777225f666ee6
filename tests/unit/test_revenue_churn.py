"""Who stays but pays half, told apart from what prices and seasons do to all."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.churn import fees, revenue
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.churn import LABELS
from churnlake.tables.features import MONTHLY
from churnlake.tables.reference import BILLS, SUBSCRIPTIONS

SETTINGS = load(Settings, "local", ["churn.revenue.least_cell_users=2"]).churn
MONTHS = [dt.date(2005, m, 1) for m in (1, 2, 3, 4)]
MARCH, APRIL = MONTHS[2], MONTHS[3]


def month_of(user: int, month: dt.date, fee: float, **more: Any) -> dict[str, Any]:
    usual = {"brand": "easyown", "plan_id": "A", "last_use_days": 1, "voice_out_seconds": int(fee * 100), "sms_out_messages": 0}
    return {"month": month, "user_id": user, "usage_fee_yuan": Decimal(f"{fee:.2f}"), **usual, **more}


def steady(users: range, fees: tuple[float, ...] = (40, 40, 40, 40), **more: Any) -> list[dict[str, Any]]:
    return [month_of(user, month, fee, **more) for user in users for month, fee in zip(MONTHS, fees, strict=True)]


def found(spark: SparkSession, given: list[dict[str, Any]], **tables: DataFrame) -> dict[int, tuple[bool, str | None]]:
    told = revenue.revenue_labels(
        rows(spark, MONTHLY, *given), tables.get("bills"), tables.get("subscriptions"), [MARCH], SETTINGS
    )
    assert told.columns == LABELS.names
    return {r.user_id: (r.has_churned, r.kind) for r in told.collect()}


def test_half_of_the_own_mean_is_revenue_churn_and_its_kind_is_told_by_use(spark: SparkSession) -> None:
    given = [
        *steady(range(101, 301)),
        *steady(range(30, 31), (40, 40, 40, 18)),  # use fell along: diverted
        *steady(range(31, 32), (40, 40, 40, 18), voice_out_seconds=4000),  # use is kept
        *steady(range(32, 33), (40, 40, 40, 25)),  # more than half
        *steady(range(33, 34), (0, 0, 1, 0)),  # never paid anything to speak of
        *steady(range(34, 35), (40, 40, 40, 18), voice_out_seconds=4000)[:3],  # not there in April: leaving is another target
        *[month_of(35, m, 40, last_use_days=20 if m == MARCH else 1) for m in MONTHS],  # not active when it would be foretold
        *[month_of(36, m, f, last_use_days=d) for m, f, d in zip(MONTHS, (40, 40, 40, 10), (1, 1, 1, 16), strict=True)],
        month_of(37, MARCH, 40),
        month_of(37, APRIL, 10),  # one month says nothing of what is usual
        *[
            month_of(38, m, f, voice_out_seconds=s, voice_forwarded_calls_to_competitor=c)
            for m, f, s, c in zip(MONTHS, (40, 40, 40, 10), (4000, 4000, 4000, 3000), (0, 0, 0, 3), strict=True)
        ],  # calls are sent on to the competitor and some use went
    ]
    told = found(spark, given)
    assert {user: told[user] for user in told if user < 100} == {
        30: (True, "diverted"),
        31: (True, "cheaper"),
        32: (False, None),
        34: (False, None),
        36: (False, None),
        38: (True, "diverted"),
    }
    assert all(told[user] == (False, None) for user in range(101, 301))


def test_what_befalls_the_whole_plan_is_no_ones_own(spark: SparkSession) -> None:
    halved = [
        *steady(range(1, 41), (40, 40, 40, 16), voice_out_seconds=4000),  # the plan's price fell
        *steady(range(50, 61), plan_id="B"),
        *steady(range(70, 71), (40, 40, 40, 3), voice_out_seconds=4000),
        # moves from a plan that falls to one that does not: is measured by the plan of each month
        *[month_of(71, m, f, plan_id=p) for m, f, p in zip(MONTHS, (40, 40, 40, 40), "AAAB", strict=True)],
    ]
    told = found(spark, halved)
    assert not any(told[user][0] for user in (*range(1, 41), *range(50, 61), 71))
    assert told[70] == (True, "cheaper")


def test_a_small_cell_has_the_index_of_its_brand(spark: SparkSession) -> None:
    few = [*steady(range(1, 21), (40, 40, 40, 20)), *steady(range(30, 31), (40, 40, 40, 20), plan_id="rare")]
    # alone in its plan it would be its own index, and nobody could ever tell; by its brand as well
    assert found(spark, few)[30] == (False, None)
    alone = [*steady(range(1, 41)), *steady(range(50, 51), (40, 40, 40, 15), plan_id="rare")]
    assert found(spark, alone)[50][0], "the brand as a whole did not fall"


def bill(user: int, month: dt.date, monthly: int, use: int, service: int, on: dt.date | None = None) -> dict[str, Any]:
    parts = {"monthly_fee_yuan": monthly, "local_yuan": use, "new_service_yuan": service}
    delivered = on or (month + dt.timedelta(days=32)).replace(day=3)
    return {"user_id": user, "month": month, "delivered_on": delivered, **{name: Decimal(value) for name, value in parts.items()}}


def test_bills_count_before_records_and_a_service_that_ended_is_cancelled(spark: SparkSession) -> None:
    used = [row for user in range(1, 7) for row in steady(range(user, user + 1))] + steady(range(10, 40))
    bills = [bill(user, month, 10, 20, 40) for user in (1, 2) for month in MONTHS[:3]]
    bills += [bill(user, APRIL, 10, 20, 0) for user in (1, 2)]
    bills += [bill(3, month, 50, 20, 0) for month in MONTHS[:3]] + [
        bill(3, APRIL, 10, 20, 0)
    ]  # a plan with less to pay each month
    bills += [bill(4, month, 10, 20, 0) for month in MONTHS[:2]]  # a bill is missing: undecided
    bills += [bill(5, month, 10, 20, 0) for month in MONTHS[:3]] + [bill(5, APRIL, 10, 0, 0, on=dt.date(2005, 5, 20))]  # too late
    bills += [bill(user, month, 10, 20, 0) for user in range(10, 40) for month in MONTHS]
    ended = {"service": "ring", "started_on": MONTHS[0], "delivered_on": dt.date(2005, 4, 10)}
    taken = rows(
        spark, SUBSCRIPTIONS, {"user_id": 1, "ended_on": dt.date(2005, 4, 5), **ended}, {"user_id": 2, "ended_on": None, **ended},
        {"user_id": 3, "ended_on": dt.date(2005, 2, 5), **ended},
    )  # fmt: skip
    told = found(spark, used, bills=rows(spark, BILLS, *bills), subscriptions=taken)
    # without an end on record nothing was cancelled; 6 has no bill at all, and is asked by its records
    assert {u: told[u] for u in told if u < 10} == {
        1: (True, "cancelled"),
        2: (True, "cheaper"),
        3: (True, "cheaper"),
        6: (False, None),
    }
    without = found(spark, used, bills=rows(spark, BILLS, *bills))
    assert without[1] == (True, "cheaper")


def test_indices_equal_those_worked_out_by_hand(spark: SparkSession) -> None:
    dice = np.random.default_rng(7)
    given = pd.DataFrame(
        [
            {"of": "x", "month": m, "user_id": u, "brand": f"b{u % 2}", "plan_id": f"p{u % 5}", "is_active": bool(dice.random() < 0.9),
             "fee": float(dice.integers(0, 60))}
            for u in range(60) for m in range(4) if dice.random() < 0.95
        ]
    )  # fmt: skip
    frame = spark.createDataFrame(given)
    least = 4
    told = fees.indexed(frame.repartition(3), "of", ["fee"], least).toPandas().set_index(["user_id", "month"])["fee"]

    def index(cell: list[str]) -> pd.DataFrame:
        means = given[given["is_active"]].groupby([*cell, "month"])["fee"].agg(["mean", "size"]).reset_index()
        whole = means.groupby(cell)
        return means.assign(index=means["mean"] / whole["mean"].transform("mean"), least=whole["size"].transform("min"),
                            months=whole["month"].transform("size"))  # fmt: skip

    cells, brands = index(["brand", "plan_id"]), index(["brand"])
    beside = given.merge(brands, on=["brand", "month"]).merge(
        cells, on=["brand", "plan_id", "month"], how="left", suffixes=("_b", "_c")
    )
    own = (beside["least_c"] >= least) & (beside["months_c"] == beside["months_b"])
    assert 0 < own.mean() < 1
    beside["expected"] = beside["fee"] / np.where(own, beside["index_c"], beside["index_b"])
    expected = beside.set_index(["user_id", "month"])["expected"]
    assert told.sort_index().to_numpy() == pytest.approx(expected.sort_index().to_numpy(), rel=1e-6)
