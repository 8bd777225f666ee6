"""The warning forecasts: whom they ask about, what came true, how they are taught and judged, whom they warn of."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import roc_auc_score

from churnlake.churn import outlook
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate.stages import figures
from churnlake.models import forecasts
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.stages import FORECAST_NAMES, FORECASTS, FORECASTS_JUDGED, LEAD_TIMES, SIGNS

CONF = load(Settings, "local")
CHURN = CONF.churn
SETTINGS = CONF.models.model_copy(
    update={"forecasts": CONF.models.forecasts.model_copy(update={"cared_for_share": 3 / 400, "least_positives": 10})}
)


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def test_asked_about_is_who_is_active_and_shows_no_sign_that_day(spark: SparkSession) -> None:
    features = rows(
        spark,
        MONTHLY,
        *[{"month": on(1, 1), "user_id": user, "last_use_days": 1} for user in (1, 2, 3)],
        {"month": on(1, 1), "user_id": 4, "last_use_days": 15},
        {"month": on(1, 1), "user_id": 5, "last_use_days": 1, "is_suspended": 1},
        {"month": on(2, 1), "user_id": 3, "last_use_days": 1},
    )
    told = rows(
        spark,
        SIGNS,
        {"known_on": on(1, 20), "user_id": 2, "sign": "hotline", "is_seen": True, "since": on(1, 20)},
        {"known_on": on(1, 5), "user_id": 3, "sign": "hotline", "is_seen": True, "since": on(1, 5)},
        {"known_on": on(1, 31), "user_id": 3, "sign": "hotline", "is_seen": False, "since": on(1, 31)},
        {"known_on": on(2, 28), "user_id": 3, "sign": "arrears", "is_seen": True, "since": on(2, 28)},
    )
    assert {(r.month, r.user_id) for r in outlook.asked(features, told, CHURN).collect()} == {(on(1, 1), 1), (on(1, 1), 3)}


def test_what_came_true_is_seen_in_the_days_to_come_and_only_once_they_are_over(spark: SparkSession) -> None:
    asked = rows(spark, MONTHLY, *[{"month": on(1, 1), "user_id": u} for u in (1, 2, 3, 4, 5)], {"month": on(2, 1), "user_id": 1})
    # sixty days from 31 January end on 1 April; a stop is no own event from 3 March on
    told = rows(
        spark,
        SIGNS,
        {"known_on": on(2, 1), "user_id": 1, "sign": "forwarding", "is_seen": True, "since": on(2, 1)},
        {"known_on": on(4, 1), "user_id": 2, "sign": "use_fell", "is_seen": True, "since": on(3, 26)},
        {"known_on": on(4, 2), "user_id": 3, "sign": "hotline", "is_seen": True, "since": on(4, 2)},
        {"known_on": on(1, 31), "user_id": 3, "sign": "suspended", "is_seen": True, "since": on(1, 31)},
        {"known_on": on(3, 5), "user_id": 4, "sign": "hotline", "is_seen": False, "since": on(3, 5)},
    )
    usage = rows(
        spark,
        USAGE,
        *[{"user_id": u, "day": on(3, 3), "own_events": 1} for u in (1, 2, 3)],
        {"user_id": 4, "day": on(3, 2), "own_events": 1},
        {"user_id": 4, "day": on(3, 9), "own_events": 0},
        {"user_id": 5, "day": on(4, 2), "own_events": 1},
    )
    left = rows(
        spark,
        LEAVINGS,
        {"user_id": 5, "leave_on": on(2, 2), "known_on": on(2, 4), "kind": "cancelled"},
        {"user_id": 4, "leave_on": on(2, 2), "known_on": on(2, 4), "kind": "silent"},
    )
    found = outlook.outcomes(asked, told, usage, left, on(4, 1), CHURN.outlook)
    assert {r.user_id: tuple(r[name] for name in FORECAST_NAMES) for r in found.collect()} == {
        1: (True, False, False, False),
        2: (False, True, False, False),
        3: (False, False, False, False),
        4: (False, False, True, False),
        5: (False, False, True, True),
    }
    assert {r.month for r in found.collect()} == {on(1, 1)}
    assert outlook.outcomes(asked, told, usage, left, on(3, 31), CHURN.outlook).count() == 0
    assert outlook.newest_over(on(4, 1), CHURN.outlook) == on(1, 1)
    assert outlook.newest_over(on(3, 31), CHURN.outlook) == dt.date(2004, 12, 1)


def frame(spark: SparkSession, months: list[dt.date], users: int = 400) -> DataFrame:
    """Users whose fall and stop one feature tells; hardly anybody cancels, and nobody has a second phone."""
    rng = np.random.default_rng(5)
    parts = []
    for month in months:
        x = rng.normal(size=users)
        chance = 1 / (1 + np.exp(-(1.5 * x - 1.5)))
        parts.append(
            pd.DataFrame(
                {
                    "month": month, "user_id": np.arange(users), "x": x, "noise": rng.normal(size=users), "kind": rng.choice(["a", "b"], users),
                    "second_phone": False, "fall": rng.random(users) < chance, "stop": rng.random(users) < chance / 4, "cancel": np.arange(users) < 2,
                }
            )
        )  # fmt: skip
    return spark.createDataFrame(pd.concat(parts))


def kept(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint()


MONTHS = [on(1, 1), on(2, 1), on(3, 1), on(4, 1)]


def test_forecasts_are_judged_on_the_newest_month_by_what_was_over_when_it_ended(spark: SparkSession) -> None:
    given = frame(spark, MONTHS)
    taught = forecasts.teach(given, FORECAST_NAMES, 60, ["x", "noise"], ["kind"], SETTINGS, kept)
    assert set(taught.served) == {"fall", "stop"}
    fall, cancel, phone = (taught.judged[name] for name in ("fall", "cancel", "second_phone"))
    # March is over on 30 May, after April has ended
    assert (fall["train_months"], fall["test_month"], fall["test_rows"]) == (["2005-01-01", "2005-02-01"], on(4, 1), 400)
    # the AUC is that of the one feature that tells
    april = given.where("month = date'2005-04-01'").toPandas()
    assert fall["roc_auc"] == pytest.approx(roc_auc_score(april["fall"], april["x"]), abs=0.01)
    assert fall["calibration_slope"] == pytest.approx(1, abs=0.25)
    assert cancel["left_out"] == "8 users of 4 months showed the sign, fewer than models.forecasts.least_positives=10"
    assert str(phone["left_out"]).startswith("0 users")
    assert cancel.get("roc_auc") is None
    told = forecasts.report([(on(6, 30), taught)], given)
    assert told.schema == FORECASTS_JUDGED.schema
    assert {r.forecast: r.left_out is None for r in told.collect()} == {
        "second_phone": False,
        "fall": True,
        "stop": True,
        "cancel": False,
    }

    made = forecasts.foretell(april_of(given), taught, on(4, 30), SETTINGS)
    assert made.columns == FORECASTS.names
    scored = made.toPandas().sort_values("place")
    assert list(scored["place"]) == list(range(1, 401))
    # by the places in both forecasts together
    together = scored[["fall", "stop"]].rank(ascending=False, method="min").sum(axis=1)
    assert together.is_monotonic_increasing
    assert scored["is_warned"].sum() == 3
    assert scored["is_warned"].iloc[:3].all()
    assert scored[["second_phone", "cancel"]].isna().all(axis=None)
    assert (scored["probability"] == scored[["fall", "stop"]].max(axis=1)).all()
    assert scored["fall"].mean() == pytest.approx(april["fall"].mean(), abs=0.04)


def april_of(given: DataFrame) -> DataFrame:
    return given.where("month = date'2005-04-01'")


def test_rows_in_another_order_and_later_months_teach_the_same(spark: SparkSession) -> None:
    given = frame(spark, MONTHS[:3])
    one = forecasts.teach(given, ("fall",), 60, ["x", "noise"], ["kind"], SETTINGS, kept)
    two = forecasts.teach(given.repartition(3, "x"), ("fall",), 60, ["x", "noise"], ["kind"], SETTINGS, kept)
    assert one.judged == two.judged
    # when March ended nothing was over yet: served, but not judged
    assert one.judged["fall"]["test_month"] is None
    assert one.judged["fall"].get("roc_auc") is None
    assert set(one.served) == {"fall"}
    first, second = (forecasts.foretell(april_of(frame(spark, MONTHS)), t, on(4, 30), SETTINGS) for t in (one, two))
    assert first.orderBy("place").collect() == second.orderBy("place").collect()


def test_nothing_to_teach_serves_nothing(spark: SparkSession) -> None:
    taught = forecasts.teach(frame(spark, MONTHS).limit(0), ("fall",), 60, ["x"], [], SETTINGS, kept)
    assert not taught.served
    assert str(taught.judged["fall"]["left_out"]).startswith("0 users of 0 months")
    flat = frame(spark, MONTHS).selectExpr("month", "user_id", "1.0 as x", "fall")
    taught = forecasts.teach(flat, ("fall",), 60, ["x"], [], SETTINGS, kept)
    assert not taught.served
    assert taught.judged["fall"]["left_out"] == "no feature is filled and varies"


def test_what_a_lake_says_of_its_warnings_is_told_by_name(spark: SparkSession) -> None:
    forecasts_judged = rows(
        spark,
        FORECASTS_JUDGED,
        {"known_on": on(5, 31), "forecast": "fall", "roc_auc": 0.6},
        {"known_on": on(6, 30), "forecast": "fall", "roc_auc": 0.7},
        {"known_on": on(6, 30), "forecast": "stop"},
    )
    lead_times = rows(
        spark,
        LEAD_TIMES,
        {"month": on(5, 1), "leavers": 4, "warned": 4, "median_days": 9.0, "warned_median_days": 9.0},
        {"month": on(6, 1), "leavers": 8, "warned": 2, "median_days": 0.0, "warned_median_days": 31.5},
    )
    found = figures(forecasts_judged, lead_times)
    assert found == {"forecast_fall_auc": 0.7, "warning_days_median": 0.0, "warned_share": 0.25, "warned_days_median": 31.5}
    assert figures(None, None) == {}
