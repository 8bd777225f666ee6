"""The page of those who stay and those who do not."""

import datetime as dt
from typing import Any

import pandas as pd

from churnlake.site.data import SiteData, Step
from churnlake.site.pages import pages
from churnlake.site.staying import leaks, staying

MARCH, APRIL, MAY = (dt.date(2005, m, 1) for m in (3, 4, 5))


def cohort(
    joined: dt.date, month: dt.date, users: int, active: int, revenue: float | None, dimension: str = "all"
) -> dict[str, Any]:
    since = (month.year - joined.year) * 12 + month.month - joined.month
    return {
        "cohort": joined, "month": month, "months_since": since, "dimension": dimension, "value": dimension, "users": users, "active": active,
        "heads_share": active / users, "revenue_share": revenue, "fee_yuan": 10.0, "whole_fee_yuan": 10.0,
    }  # fmt: skip


COHORTS = pd.DataFrame(
    [
        cohort(MARCH, MARCH, 200, 195, None),
        cohort(MARCH, APRIL, 200, 180, 1.0),
        cohort(MARCH, MAY, 200, 170, 0.4),
        cohort(MARCH, MAY, 120, 90, 0.3, "brand"),
        cohort(APRIL, APRIL, 60, 55, None),
        cohort(APRIL, MAY, 60, 55, 1.0),
    ]
)
BUCKET = pd.DataFrame(
    [
        {"month": month, "flow": flow, "counted": n, "expected": float(n), "low": n - 5.0, "high": n + 5.0}
        for month, flows in ((MARCH, (90, 40, 30, 20)), (APRIL, (80, 30, 24, 6)))
        for flow, n in zip(("joined", "back", "competitor", "elsewhere"), flows, strict=True)
    ]
)
SURVIVAL = pd.DataFrame(
    [
        {"month": MAY, "dimension": d, "value": v, "days": days, "at_risk": risk, "left_since": 12, "staying": s, "staying_low": s - 0.1, "staying_high": s + 0.05}
        for d, v in (("all", "all"), ("brand", "mzone"), ("plan", "EO00"))
        for days, risk, s in ((7, 100, 0.9), (14, 60, 0.8), (21, 7, 0.5))
    ]
)  # fmt: skip
SILENCES = pd.DataFrame(
    [
        {
            "month": MAY, "brand": brand, "days": days, "silences": 500 - days, "woken": 3, "wakes": 1 / days, "wakes_low": 0.5 / days,
            "wakes_high": min(1.0, 1.5 / days), "horizon_days": 130, "set_days": set_days, "is_enough": days >= 20,
        }
        for brand, set_days in (("gotone", 90), ("mzone", 10), ("all", None))
        for days in range(1, 121)
    ]
)  # fmt: skip


def test_heads_and_revenue_stand_side_by_side_on_one_scale() -> None:
    page = staying(SiteData(last=MAY, cohorts=COHORTS), 10)
    heads, revenue = page["figures"]["heads"], page["figures"]["revenue"]
    assert [trace["name"] for trace in heads["data"]] == ["March 2005"], "too few of April's joiners left to be told"
    assert (heads["data"][0]["x"], heads["data"][0]["y"]) == ([1, 2], [0.9, 0.85])
    assert revenue["data"][0]["y"] == [1.0, 0.4]
    assert heads["layout"]["yaxis"]["range"] == revenue["layout"]["yaxis"]["range"]
    assert [(row["cohort"], row["months_since"], row["heads"], row["revenue"]) for row in page["cohorts"]] == [
        ("March 2005", 2, 0.85, 0.4),
        ("April 2005", 1, None, None),
    ]


def test_the_bucket_hides_few_and_one_more_and_the_overview_tells_the_newest() -> None:
    page = staying(SiteData(last=MAY, bucket=BUCKET), 10)
    march, april = page["leaking"]
    assert (march["joined"], march["left"], march["back"], march["back_ends"]) == ("90", "90", 40.0, "35 to 45")
    # six elsewhere are few; with the smallest of the others hidden too the rest can not give them away
    assert (april["back"], april["competitor"], april["elsewhere"]) == (30.0, None, None)
    assert len(page["figures"]["bucket"]["data"]) == 3
    assert leaks(BUCKET[BUCKET["month"] == MARCH], 10) == "44 % of leavers of March 2005 went back to us"
    assert leaks(BUCKET, 10) == ""
    assert leaks(None, 10) == ""


def test_survival_and_silence_are_told_where_enough_are_left() -> None:
    page = staying(SiteData(last=MAY, survival=SURVIVAL, silences=SILENCES), 10)
    assert {trace["name"]: trace["x"] for trace in page["figures"]["survival"]["data"]} == {"all": [7, 14], "mzone": [7, 14]}
    assert [trace["name"] for trace in page["figures"]["plans"]["data"]] == ["EO00"]
    assert not {"survival", "plans"} & set(staying(SiteData(last=MAY, survival=SURVIVAL, silences=SILENCES), 1000)["figures"])
    told = {row["brand"]: row for row in page["silences"]}
    assert list(told) == ["gotone", "mzone", "all"]
    assert (told["gotone"]["set_days"], told["gotone"]["asked_days"]) == (90, 20)
    assert told["mzone"]["wakes"] == 0.1
    assert told["all"]["set_days"] is None
    assert len(page["figures"]["waking"]["data"]) == 3


def test_the_page_says_what_is_missing_and_is_whole() -> None:
    steps = (Step("follow_cohorts", (), ("churn.cohorts", "churn.survival")), Step("watch_silence", (), ("churn.silences",)))
    text = pages(SiteData(last=MAY, steps=steps))["staying.html"]
    assert "churn.cohorts has not been written. follow_cohorts makes it." in text
    assert "churn.silences has not been written. watch_silence makes it." in text
    full = pages(SiteData(last=MAY, cohorts=COHORTS, bucket=BUCKET, survival=SURVIVAL, silences=SILENCES, least=10))
    assert "March 2005" in full["staying.html"]
    assert "figure-waking" in full["staying.html"]
    assert "staying.html" in full["index.html"]


def test_leaving_is_told_naive_and_corrected_and_paying_less_by_kind() -> None:
    outcomes = pd.DataFrame(
        [
            {"month": month, "target": target, "kind": kind, "has_churned": churned, "has_churned_for_good": for_good, "users": users}
            for month, target, kind, churned, for_good, users in (
                (MARCH, "leave_t1", None, False, False, 900), (MARCH, "leave_t1", "active", True, True, 60), (MARCH, "leave_t1", "active", True, False, 40),
                (APRIL, "leave_t1", None, False, False, 960), (APRIL, "leave_t1", "active", True, True, 35), (APRIL, "leave_t1", "passive", True, False, 5),
                (MAY, "leave_t1", None, False, False, 960), (MAY, "leave_t1", "active", True, True, 5),
                (MARCH, "leave_t2", None, True, True, 500), (MARCH, "revenue", "cheaper", True, True, 30), (MARCH, "revenue", "diverted", True, True, 20),
                (MARCH, "revenue", None, False, False, 800),
            )
        ]
    )  # fmt: skip
    figures = staying(SiteData(last=MAY, outcomes=outcomes), 10)["figures"]
    told = {trace["name"]: dict(zip(trace["x"], trace["y"], strict=True)) for trace in figures["rates"]["data"]}
    assert told["naive"] == {"2005-03-01": 0.1, "2005-04-01": 0.04}, "five of May's left: too few"
    # five of April's are back: too few to be told by the difference of the two
    assert told["corrected for re-entry"] == {"2005-03-01": 0.06}
    assert {trace["name"]: trace["y"] for trace in figures["less"]["data"]} == {"diverted": [20.0], "cheaper": [30.0]}
