"""The page of re-entry control from made-up aggregates: gates, small cells, what must not be had from what is shown. No Spark."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from churnlake.site.data import SiteData, Step
from churnlake.site.pages import pages
from churnlake.stats.proportions import wilson_of
from churnlake.tables.control import PARTS_OF_ADDS

MONTHS = [dt.date(2005, month, 1) for month in (1, 2, 3)]
STEPS = (Step("control_reentry", (), ("reentry.gross_adds", "reentry.net_adds", "reentry.plan_moves", "reentry.funnels", "reentry.clawbacks")),
         Step("verify_reentry", (), ("reentry.steps",)))  # fmt: skip


def step(number: int, measure: str, value: float | None, persons: int | None = None, gate: str | None = None, passed: bool | None = None,
         why: str | None = None, low: float | None = None, high: float | None = None) -> dict[str, Any]:  # fmt: skip
    return {"month": MONTHS[-1], "step": number, "measure": measure, "value": value, "low": low, "high": high, "persons": persons,
            "gate": gate, "passed": passed, "why": why}  # fmt: skip


def made_up() -> SiteData:
    """Of the size and shape of a city's."""
    rows = [
        step(1, "rule_gap_most_days", 120.0), step(1, "rule_full_level", 0.1), step(1, "back_within_60_days", 96.0, 96), step(1, "back_within_120_days", 118.0, 118),
        step(1, "back_within_180_days", 122.0, 122), step(1, "window_share", 0.967, None, "at least 90% of those back within 180 days are within the rule's 120", True, "96.7 %"),
        step(2, "joiners", 402.0, 402, "every joiner is one of the three", True, "402 and 402"), step(2, "scored", 388.0, 388), step(2, "too_little", 14.0, 14),
        step(2, "excluded", 0.0, 0), step(2, "scored_share", 0.965, None, "at least 70% of joiners scored", True, "96.5 %"),
        step(3, "named_by_circle", 97.0, 97), step(3, "circle_mean_probability", 0.77, 97, "at least 80% mean probability of those named", False, "77.0 %"),
        step(4, "named_by_handset", 61.0, 61), step(4, "handset_known_share", 0.92, 370, "at least 50% of joiners seen on a handset", True, "92.0 %"),
        step(5, "matches", 118.0, 118, "every old user is matched once", True, "118 and 118"), step(5, "by_both", 44.0, 44), step(5, "by_circle_alone", 51.0, 51),
        step(5, "by_handset_alone", 15.0, 15), step(5, "by_their_sum_alone", 8.0, 8), step(5, "there_are", 130.4, 110, low=118.2, high=142.6),
        step(5, "recall_by_two_lists", 0.843, 110, "at least 70% of those there are by two lists are found", True, "84.3 %", 0.771, 0.931),
        step(5, "callbacks_drawn", 402.0, 402),
        step(5, "precision_by_callbacks", None, 0, "precision may be at least 85%, by 30 answers or more", None, "no match called back has answered"),
        step(7, "gross_adds", 402.0, 402, "the parts of gross adds are all joiners", True, "402 and 402"), step(7, "new", 241.0, 250, low=229.0, high=253.0),
        step(7, "reentry", 117.2, 115, low=108.0, high=126.4), step(7, "second_number", 24.1, 20, low=16.2, high=32.0), step(7, "farmed", 12.0, 12),
        step(7, "unknown", 7.7, 5), step(7, "net_adds", 52.0, 402), step(7, "true_net_adds", -17.0, 402, low=-35.0, high=1.0),
        step(7, "churn_rate", 0.0303, 350), step(7, "bonus_twice_yuan", 4200.0, 41), step(7, "dealers_flagged_by_reentry", 1.0),
    ]  # fmt: skip
    whole = {"new": 240.0, "reentry": 117.0, "second_number": 25.0, "farmed": 12.0, "unknown": 8.0}
    gross = [
        {"month": m, "dimension": d, "value": v, "part": p, "counted": round(n * share), "expected": n * share, "low": n * share * 0.9, "high": n * share * 1.1}
        for m in MONTHS
        for d, values in {"all": {"all": 1.0}, "brand": {"gotone": 0.3, "easyown": 0.5, "mzone": 0.2}, "channel": {"dealer": 0.6, "counter": 0.4}}.items()
        for v, share in values.items()
        for p, n in whole.items()
    ]  # fmt: skip
    gross += [
        {"month": m, "dimension": d, "value": v, "part": "reentry", "counted": n, "expected": float(n), "low": n - 5.0, "high": n + 5.0}
        for m in MONTHS
        for d, values in {"old_tenure": {"0 to 3": 31, "3 to 6": 28, "6 to 12": 24, "12 to 24": 20, "24 and more": 14},
                          "old_arpu": {"0 to 30": 22, "30 to 60": 35, "60 to 100": 31, "100 to 200": 18, "200 and more": 11}}.items()
        for v, n in values.items()
    ]  # fmt: skip
    net = [
        {"month": m, "active": 11_500, "joiners": 402, "leavers": 350 - 10 * m.month, "new_customers": 248.0, "back": 101.0, "net_adds": 52.0, "true_net_adds": -17.0,
         "churn_rate": 0.0303, "true_churn_rate": 0.0217, "true_churn_rate_low": 0.0205, "true_churn_rate_high": 0.0229} for m in MONTHS
    ]  # fmt: skip
    moves = [
        {"old_plan": o, "new_plan": n, "users": c, "billed": c - 2, "lost_yuan": 11.5 * c, "before_yuan": 74.0 * (c - 2), "after_yuan": 62.0 * (c - 2)}
        for o, n, c in [("EO00", "EO00", 61), ("EO00", "EOB", 44), ("EOB", "EO00", 25), ("MZ20", "EO00", 18), ("MZ20", "MZ20", 31), ("GT50", "EO00", 12), ("GT50", "GT50", 4), ("GT98", "EOT", 15), ("EOT", "EOT", 29)]
    ]  # fmt: skip
    funnels = [
        {"level": "dealer", "value": f"D{i:04d}", "measure": m, "joiners": 90 - 3 * i, "found": f, "months_flagged": int(i == 0 and m == "reentry") * 2, "q_value": 0.004 if i == 0 else 0.6}
        for i in range(12) for m, f in (("reentry", 48 if i == 0 else 26 - i), ("farmed", 0), ("gone_60", 14))
    ]  # fmt: skip
    claw = [
        {"month": MONTHS[-1], "user": f"{i * 7919:08x}", "old_user": f"{i * 104729:08x}" if i % 4 else None, "dealer_id": f"D{i % 3:04d}",
         "reason": "bonus_twice" if i % 4 else "farmed", "yuan": 100.0 + 50 * (i % 3), "probability": 0.97 - i / 50 if i % 4 else None, "is_dealer_flagged": i % 3 == 0}
        for i in range(12)
    ]  # fmt: skip
    return SiteData(
        last=dt.date(2005, 6, 30), steps=STEPS, steps_told=pd.DataFrame(rows), gross_adds=pd.DataFrame(gross), net_adds=pd.DataFrame(net),
        plan_moves=pd.DataFrame(moves), funnels=pd.DataFrame(funnels), clawbacks=pd.DataFrame(claw), least=10,
    )  # fmt: skip


def page(data: SiteData) -> str:
    return pages(data)["control.html"]


def test_each_step_says_whether_its_gates_passed() -> None:
    text = page(made_up())
    steps = {number: text.split(f"<b>{number}</b>")[1].split("</li>")[0] for number in range(1, 8)}
    assert '<span class="tag yes">passed</span>' in steps[1]
    assert '<span class="tag no">failed</span>' in steps[3]
    assert "at least 80% mean probability of those named: <b>77.0 %</b>" in steps[3]
    assert "cannot be judged" in steps[5]
    assert "no match called back has answered" in steps[5]
    assert "118 to 143" in steps[5]
    # of nine gates one failed and one cannot be judged
    assert "7 of 8 gates passed for March 2005" in pages(made_up())["index.html"]
    assert "nothing is withheld before a person has reviewed the case" in text


def test_small_cells_are_hidden_and_so_is_what_they_could_be_had_from() -> None:
    text = page(made_up())
    assert text.count("<dd>fewer than 10</dd>") == 2, "by neither alone, too little to say"
    five = text.split("<b>5</b>")[1].split("</li>")[0]
    # 8 by their sum alone: the next larger goes with it, or the sum would tell it
    assert "<dt>by neither alone</dt><dd>fewer than 10</dd>" in five
    assert "<dt>by handset alone</dt><dd>not shown</dd>" in five
    # 4 lie between windows
    assert "<dt>back within 180 days</dt><dd>not shown</dd>" in text
    assert "96.7" not in text.split("<b>1</b>")[1].split("</li>")[0]
    assert "<b>few</b>" in text.split("moves")[1]


def test_a_lake_without_months_told_says_who_tells_them() -> None:
    text = page(SiteData(last=dt.date(2005, 6, 30), steps=STEPS))
    assert "reentry.steps has not been written. verify_reentry makes it." in text
    assert "reentry.plan_moves has not been written. control_reentry makes it." in text
    empty = replace(
        made_up(),
        **{
            name: getattr(made_up(), name).head(0)
            for name in ("steps_told", "gross_adds", "net_adds", "plan_moves", "funnels", "clawbacks")
        },
    )
    assert "reentry.steps holds no rows up to 30 June 2005" in page(empty)


def test_a_page_of_few_persons_shows_none_of_them() -> None:
    few = made_up()
    assert few.funnels is not None
    text = page(replace(few, funnels=few.funnels.assign(joiners=12, found=4), least=10))
    assert "chart-dealers" not in text
    assert "No dealer has enough joiners" in text


def test_wilson_on_the_page_is_that_of_scipy() -> None:
    from scipy.stats import binomtest

    for found, of in ((0, 12), (48, 90), (12, 12)):
        told = binomtest(found, of).proportion_ci(0.95, method="wilson")
        assert wilson_of(found, of) == pytest.approx((told.low, told.high), abs=1e-4)


def test_parts_named_on_the_page_are_those_of_the_table() -> None:
    from churnlake.site.control import PARTS

    assert set(PARTS) == set(PARTS_OF_ADDS)
