"""The page of made-up cities beside real people, from stored figures. No Spark."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from churnlake.site.realism import at, page


def shape(**given: Any) -> dict[str, Any]:
    """The shape of a city that keeps every bound."""
    spread = {"mean": 2.0, "quantiles": {"0.1": 0, "0.5": 2, "0.9": 6}, "shares": [0.25, 0.25, 0.5, *[0.0] * 18]}
    found: dict[str, Any] = {
        "first_day": "2005-06-03", "last_day": "2005-06-30", "users": 1000, "records": 240_000,
        "mix": {"voice": 0.54, "sms": 0.40, "mms": 0.05, "wap": 0.01}, "hours": [1 / 24] * 24,
        "call_seconds": {"quantiles": {"0.5": 40, "0.9": 200}, "from": [1.0, 1.4], "shares": [0.5, 0.5]},
        "user_days_with_record": 0.66, "calls_per_user_day": {**spread, "none": 0.4}, "contacts": spread, "reciprocity": 0.8,
        "contacts_kept": 0.7, "offnet_contacts": 0.15, "in_degree": {**spread, "few": 0.9, "users_few": 0.5},
    }  # fmt: skip
    return {**found, **given}


def city(name: str = "standard", seed: int = 1, **given: Any) -> dict[str, Any]:
    way = {
        "named": 9,
        "f1": 0.7,
        "precision": 0.7,
        "recall": 0.7,
        "precision_at_80": 0.7,
        "all_precision": 0.5,
        "all_recall": 0.5,
    }
    measure = {"quantiles": {"0.1": 0.1, "0.25": 0.2, "0.5": 0.4, "0.75": 0.5, "0.9": 0.7}, "shares": [0.05] * 20}
    kinds = [
        {"kind": kind, "pairs": 10, "without_circle": 1, "jaccard": measure, "found_share": measure}
        for kind in ("re-entry", "kin", "chance")
    ]
    found = {
        "city": name, "seed": seed, "shape": shape(), "planted": 83, "few_events_share": 0.125, "difficulty": kinds,
        "ways": [{"name": name, **way} for name in ("tf-idf cosine", "handset alone", "detector")],
    }  # fmt: skip
    return {**found, **given}


PROBE = {"egos": 470, "top1": 0.751, "top5": 0.98, "damped_top1": 0.86, "damped_top5": 0.99}
REAL = {"shape": shape(users=608), "probe": PROBE}


def text(html: str) -> str:
    """What a reader sees."""
    html = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_city_that_keeps_every_bound_is_told_so() -> None:
    html = page([city()], REAL)
    seen = text(html)
    assert "11 of 11 bounds kept" in seen
    assert "missed" not in seen
    assert "608" in seen
    assert "12.5 % of them have fewer than 5 own events" in seen
    assert "kin of a leaver" in seen
    assert "asked: 0.60 to 0.85" in seen


def test_the_page_is_one_file_that_asks_for_nothing() -> None:
    html = page([city()], REAL)
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="', html)
    assert html.count("plotly.js v") == 1
    drawn = set(re.findall(r'data-figure="([^"]+)"', html))
    assert drawn == set(re.findall(r'<script type="application/json" id="([^"]+)"', html))
    assert {"figure-hours", "figure-mix", "figure-found-0", "figure-alike-0"} <= drawn


def test_what_misses_its_bound_is_said_and_only_of_the_standard_city() -> None:
    easy = city()
    easy["ways"][0]["precision_at_80"] = 0.99
    easy["ways"][1]["all_recall"] = 0.9
    easy["shape"]["offnet_contacts"] = 0.5
    assert "8 of 11 bounds kept" in text(page([easy], REAL))
    assert "bounds kept" not in text(page([{**easy, "city": "easy"}], REAL)).split("Bounds kept")[0]


def test_seeds_are_put_together() -> None:
    other = copy.deepcopy(city(seed=2))
    other["shape"]["contacts_kept"] = 0.8
    other["ways"][0]["precision_at_80"] = None
    seen = text(page([city(), other], REAL))
    assert "75.0 %" in seen
    assert "70.0 % to 80.0 %" in seen
    assert "not reached" in seen


@pytest.mark.parametrize(("top1", "verdict"), [(0.80, "met"), (0.90, "missed")])
def test_the_probe_must_come_near_the_real_data(top1: float, verdict: str) -> None:
    cut = {"city": "copenhagen", "seed": 3, "shape": shape(), "probe": {**PROBE, "top1": top1}}
    seen = text(page([cut], REAL))
    assert re.search(rf"copenhagen, seed 3 470 0\.{round(top1 * 1000)} .* {verdict}", seen)
    assert "No city with re-entries has been evaluated" in seen


def test_ceilings_are_shown_when_there_are_any() -> None:
    assert "No ceilings yet" in text(page([city()], None))
    ceiling = {"target": "leave_t1", "rows": 1570, "leavers": 16, "base_rate": 0.0102, "true_hazard_pr_auc": 0.31, "observable_pr_auc": 0.22, "kept": 0.7097,
               "observable_roc_auc": 0.85, "learner_pr_auc": 0.20, "beside_pr_auc": 0.23, "excess": -0.02, "excess_noise": 0.03}  # fmt: skip
    seen = text(page([city(ceilings=[ceiling])], None))
    assert re.search(r"standard next month 1,570 16 0\.010 0\.310 0\.220 met 0\.710 .* met 0\.850 .* 0\.200 0\.230 met", seen)
    passed = text(page([city(ceilings=[ceiling | {"excess": 0.05}])], None))
    assert re.search(r"0\.230 missed", passed)
    assert "Give their folder with --data" in seen


def test_figures_that_are_not_there_are_dashes() -> None:
    assert at("contacts.quantiles.0.5")({"contacts": None}) is None
    none = {"mean": None, "quantiles": {}, "shares": [0.0] * 21}
    empty = shape(
        users=0,
        records=0,
        hours=[None] * 24,
        contacts=none,
        reciprocity=None,
        offnet_contacts=None,
        mix=dict.fromkeys(("voice", "sms", "mms", "wap")),
    )
    assert "–" in text(page([city(shape=empty, difficulty=[], ways=[])], None))
