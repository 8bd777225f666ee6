"""The page of stages from made-up aggregates: matrix, forecasts, days of warning; small cells hidden. No Spark."""

import datetime as dt

import pandas as pd

from churnlake.site.data import SiteData
from churnlake.site.pages import pages
from churnlake.site.stages import headline, stages

APRIL, MAY = dt.date(2005, 4, 1), dt.date(2005, 5, 1)
TRANSITIONS = pd.DataFrame(
    [
        {"month": MAY, "from_stage": origin, "to_stage": end, "users": users}
        for origin, end, users in (
            ("healthy", "healthy", 900), ("healthy", "warning", 60), ("healthy", "alarm", 40), ("warning", "healthy", 30), ("warning", "alarm", 20),
            ("alarm", "alarm", 50), ("alarm", "churned", 15), ("alarm", "healthy", 4), ("new", "healthy", 70),
        )
    ]
    + [{"month": APRIL, "from_stage": "healthy", "to_stage": "healthy", "users": 1000}, {"month": APRIL, "from_stage": "healthy", "to_stage": "alarm", "users": 45}]
)  # fmt: skip
SIGNS = pd.DataFrame(
    [
        {"month": MAY, "sign": "hotline", "users": 30},
        {"month": MAY, "sign": "use_fell", "users": 55},
        {"month": MAY, "sign": "arrears", "users": 2},
    ]
)
JUDGED = pd.DataFrame(
    [
        {
            "known_on": dt.date(2005, 5, 31), "forecast": name, "train_months": ["2005-01-01"], "test_month": month, "train_positives": 50, "test_rows": 900,
            "test_positives": positives, "roc_auc": auc, "pr_auc": 0.2, "precision_top_10": 0.3, "calibration_slope": 1.0, "calibration_error": 0.01, "left_out": why,
        }
        for name, month, positives, auc, why in (
            ("fall", APRIL, 80, 0.71, None), ("second_phone", APRIL, 6, 0.66, None), ("stop", None, 0, None, None),
            ("cancel", None, 0, None, "3 users of 2 months showed the sign, fewer than models.forecasts.least_positives=20"),
        )
    ]
)  # fmt: skip
LEADS = pd.DataFrame(
    [
        {
            "month": APRIL,
            "leavers": 6,
            "warned": 3,
            "low_days": 0.0,
            "median_days": 12.0,
            "high_days": 40.0,
            "warned_median_days": 38.0,
        },
        {
            "month": MAY,
            "leavers": 48,
            "warned": 33,
            "low_days": 3.0,
            "median_days": 34.5,
            "high_days": 61.0,
            "warned_median_days": 47.0,
        },
    ]
)

CAUSES = pd.DataFrame(
    [
        {"month": MAY, "cause": cause, "leavers": leavers, "expected_leavers": leavers + 0.5, "users": users, "severity_ratio": ratio, "mend_yuan": 60.0 * users, "kept_users": 3.0, "lift_share": lift}
        for cause, leavers, users, ratio, lift in (("price", 40, 300, 1.8, 0.12), ("circle", 12, 90, 2.5, 0.1), ("bonus", 3, 5, 4.0, 0.05), ("coverage", 0, 20, None, None))
    ]
)  # fmt: skip
DATA = SiteData(
    last=MAY, transitions=TRANSITIONS, signs_told=SIGNS, forecasts_judged=JUDGED, lead_times=LEADS, cause_months=CAUSES, least=10
)


def test_the_matrix_tells_who_went_where_and_hides_what_few_did() -> None:
    page = stages(DATA)
    matrix = page["matrix"]
    rows = {
        row["name"]: {name: cell["users"] for name, cell in zip(matrix["columns"], row["cells"], strict=True)}
        for row in matrix["rows"]
    }
    assert rows["healthy"] == {"healthy": 900, "warning": 60, "alarm": 40, "churned": 0}
    # four who are healthy again: hidden, and with them the next larger cell of the row, lest they be had from its total
    assert rows["alarm"] == {"healthy": None, "warning": 0, "alarm": 50, "churned": None}
    assert list(rows) == ["healthy", "warning", "alarm", "new"], "nobody had left before"
    assert page["cards"][:3] == [
        ("Healthy", "about 1,000", "at the end of May 2005"), ("Warning 预警期", "60", "at the end of May 2005"), ("Alarm 告警期", "110", "at the end of May 2005"),
    ]  # fmt: skip
    assert {bar["name"] for bar in page["figures"]["signs"]["data"]} == {"use fell"}, (
        "arrears are of few, and the next larger would tell them"
    )
    assert headline(TRANSITIONS, 10) == "60 users in the warning, 110 in the alarm stage"


def test_forecasts_and_days_of_warning_are_told_where_enough_people_stand_behind_them() -> None:
    page = stages(DATA)
    told = {row["forecast"]: row for row in page["forecasts"]}
    assert list(told) == ["second_phone", "fall", "stop", "cancel"]
    assert (told["fall"]["roc_auc"], told["fall"]["test_positives"]) == (0.71, "80")
    assert (told["second_phone"]["roc_auc"], told["second_phone"]["test_positives"]) == (None, "fewer than 10")
    assert [row["median_days"] for row in page["lead_times"]] == [None, 34.5]
    assert page["lead_times"][1]["warned_share"] == 33 / 48
    assert [row["warned_median_days"] for row in page["lead_times"]] == [None, 47.0]
    assert ("Days of warning", "34", "median of leavers confirmed in May 2005") in page["cards"]
    made = pages(DATA)
    assert "0.710" in made["stages.html"]
    assert "fewer than models.forecasts.least_positives=20" in made["stages.html"]
    assert "110 in the alarm stage" in made["index.html"]


def test_causes_are_told_the_commonest_first_and_small_ones_hidden() -> None:
    told = {row["cause"]: row for row in stages(DATA)["causes"]}
    assert list(told) == ["price", "circle", "bonus", "coverage"]
    price = told["price"]
    assert (price["leavers"], price["users"], price["severity_ratio"], price["lift_share"]) == (40, "300", 1.8, 0.12)
    # three are hidden, and with them the next larger
    assert told["circle"]["leavers"] is told["bonus"]["leavers"] is None
    assert (told["bonus"]["users"], told["bonus"]["severity_ratio"], told["bonus"]["mend_yuan"]) == ("fewer than 10", None, None)
    assert told["coverage"]["severity_ratio"] is None
    assert "another plan is cheaper for the same use" in pages(DATA)["stages.html"]


def test_without_tables_the_page_says_what_is_missing() -> None:
    page = pages(SiteData(last=MAY))["stages.html"]
    for table in ("churn.transitions", "churn.signs", "churn.forecasts_judged", "churn.lead_times", "churn.cause_months"):
        assert f"{table} has not been written" in page
