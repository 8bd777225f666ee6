"""The page of indicators from a made-up selection: complete, escaped, and silent about few persons. No Spark."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import Any

import pandas as pd
import pytest

from churnlake.core.contract import STRING, Indicator
from churnlake.indicators import INDICATORS, VIEWS
from churnlake.site.data import SiteData
from churnlake.site.indicators import picture
from churnlake.site.pages import pages

MONTHS = [dt.date(2005, month, 1) for month in range(1, 7)]
LEADERS = {"voice_out_calls": "own_events", "voice_out_seconds": "own_events", "bill_yuan": "usage_fee_yuan"}


def selection_row(indicator: Indicator, view: str) -> dict[str, Any]:
    """A row of features.selection: most are read by models, a few are descriptive, unusable or moved."""
    name, is_code = indicator.name, indicator.type == STRING
    leader = LEADERS.get(name)
    unusable = name.startswith("mms_")
    numbers = {"zero_share": 0.1, "mean": 9.5, "deviation": 4.0, "least": 0.0, "p01": 0.0, "p25": 3.0, "median": 8.0, "p75": 14.0, "p99": 1234.5, "greatest": 98765.0}  # fmt: skip
    return {
        "month": MONTHS[5], "indicator": name, "view": view, "users": 1500, "missing_share": 0.004 if name == "points" else 0.25, "distinct_values": 40,
        "common_share": 0.1, **({} if is_code else numbers), "edges": None if is_code else [0.0, *(1234.5 * i / 4 for i in range(1, 5))],
        "levels": ["gotone", "<easyown>", "rare"] if is_code else None, "counts": [600, 500, 3] if is_code else [700, 300, 118, 7],
        "outliers": None if is_code else 4 if name == "points" else 40, "psi": 0.31 if name == "points" else 0.12 if name == "recharges" else 0.002,
        "drift": "great" if name == "points" else "moderate" if name == "recharges" else "none",
        "role": "unusable" if unusable else "descriptive" if leader else "modelling",
        "why": "all users have the same value" if unusable else f"rises with {leader}" if leader else "filled, varies, like no other",
        "leader": leader, "correlation": 0.987 if leader else None,
    }  # fmt: skip


def made_up() -> SiteData:
    """A month of all indicators, on 1,500 users."""
    return SiteData(
        last=dt.date(2005, 6, 30),
        views=VIEWS,
        selection=pd.DataFrame([selection_row(i, view) for view, of_view in VIEWS.items() for i in of_view]),
        drifts=pd.DataFrame(
            [{"month": m, "drift": d, "indicators": n} for m in MONTHS[1:] for d, n in (("none", 380), ("moderate", 3 + m.month))]
            + [{"month": MONTHS[5], "drift": "great", "indicators": 2}]
        ),
        outliers=pd.DataFrame(
            [
                {"month": MONTHS[5], "view": v, "users": n, "share": n / 1500, "indicators": names}
                for v, n, names in (
                    ("calls", 61, ["own_events", "voice_out_calls"]),
                    ("fee structure", 24, ["usage_fee_yuan"]),
                    ("forwarding", 4, ["voice_forwarded_calls"]),
                )
            ]
        ),
        abnormal=pd.DataFrame(
            [
                {"month": MONTHS[5], "kind": k, "users": n, "share": n / 1500, "rule": r}
                for k, n, r in (("no_use", 31, "own_events = 0"), ("abnormal_messages", 7, "sms_out_messages >= 3000"))
            ]
        ),
    )


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    return pages(made_up())


def row_of(page: str, indicator: str) -> str:
    """The text of an indicator's row, between its cells a stroke."""
    (row,) = re.findall(rf'<tr id="i-{indicator}".*?</tr>', page, flags=re.S)
    return re.sub(r"<svg.*?</svg>", "", row, flags=re.S)


def test_the_indicators_page_tells_what_models_read_and_why(site: dict[str, str]) -> None:
    page = site["indicators.html"]
    assert page.count('<tr id="i-') == sum(map(len, VIEWS.values())) == page.count('<svg class="bars"')
    unusable = sum(i.name.startswith("mms_") for of_view in VIEWS.values() for i in of_view)
    assert f"{len(INDICATORS) - unusable - 3} of {len(INDICATORS)} selected for models" in site["index.html"]
    assert "Read by the model" not in page, "there is none yet"
    assert 'rises with <a href="#i-own_events">own_events</a> (0.99)' in row_of(page, "voice_out_calls")
    assert "all users have the same value" in row_of(page, "mms_bytes")
    assert 'data-moved="moved greatly"' in row_of(page, "points")
    assert '<span class="tag no">great</span>' in row_of(page, "points")
    assert '<span class="tag warn">moderate</span>' in row_of(page, "recharges")
    assert "25.0 %" in row_of(page, "bill_yuan")
    assert "yuan" in row_of(page, "bill_yuan")
    # a leader and those it stands for
    assert re.search(r'#i-own_events"><code>own_events</code></a></td><td class="nowrap">calls</td><td class="n">2</td>', page)
    assert "&lt;easyown&gt; 33 %" in page
    assert "no use" in page


def test_the_indicators_page_shows_no_figure_of_few_persons() -> None:
    data = dataclasses.replace(made_up(), least=10)
    page = pages(data)["indicators.html"]
    points = row_of(page, "points")
    assert "under 0.7 %" in points, "6 of 1,500 have no value"
    assert "fewer than 10" in points
    assert 'data-value="5.0"' in points
    assert "98765" not in page, "the greatest value is one user's"
    # 7 users in the last class and 3 of a level are not drawn, nor the next larger ones, from which they could be had
    (shapes,) = {
        re.sub(r"<title>.*?</title>", "", svg) for svg in re.findall(r'<svg class="bars".*?</svg>', page) if "98 of" in svg
    }
    assert shapes.count("M") == 2
    assert "rare" not in re.findall(r'<tr id="i-brand".*?</tr>', page, flags=re.S)[0]
    assert not re.search(r">4<|>7<|0\.3 %|0\.5 %", page.partition("Groups of outliers")[2].partition("Which stand")[0])
    assert "voice_forwarded_calls</span>" not in page
    # without a month before, or rows, the page says so
    first = dataclasses.replace(
        made_up(), selection=made_up().selection.assign(psi=None, drift=None), drifts=made_up().drifts.head(0)
    )
    assert "There is no month before to compare with." in pages(first)["indicators.html"]
    assert (
        "features.selection holds no rows"
        in pages(dataclasses.replace(made_up(), selection=made_up().selection.head(0)))["indicators.html"]
    )


def test_what_is_hidden_is_said_in_words_and_distributions_tell_their_range() -> None:
    page = pages(dataclasses.replace(made_up(), least=10))["indicators.html"]
    # 1,125 users have a value of own_events, so 11 are beyond either end; 7 in the last class
    assert "0 to 1,234; 2 bars hidden<" in row_of(page, "own_events")
    assert "40 levels; 2 bars hidden<" in row_of(page, "brand")
    assert '<small class="below">0 to 1,234</small>' in row_of(pages(made_up())["indicators.html"], "own_events")
    outliers = page.partition("Groups of outliers")[2].partition("Abnormal users")[0]
    assert outliers.count("hidden: few users") == 2, "a group of 4 and the next larger one"
    assert "Few: fewer than 10 users, or a group from which" in outliers
    abnormal = page.partition("Abnormal users")[2].partition("Moved most")[0]
    assert "fewer than 10" in abnormal
    assert '<td class="n">few</td>' in abnormal
    assert "Bars of fewer than 10 users are hidden" in page

    def told(**changes: Any) -> str:
        (row,) = [row for row in made_up().selection.to_dict("records") if row["indicator"] == "own_events"]
        one = dataclasses.replace(made_up(), least=10, selection=pd.DataFrame([row | changes]))
        return re.findall(r'<small class="below">([^<]*)</small>', row_of(pages(one)["indicators.html"], "own_events"))[2]

    # of 750 filled no ten lie beyond the ends, which might be one user's own
    assert told(missing_share=0.5).startswith("half from 3 to 14")
    assert told(missing_share=0.98).startswith("range not told: too few users")
    assert told(p01=0.0, p99=0.0).startswith("98 of 100 have 0")
    assert told(p01=0.0, p99=0.0, distinct_values=1).startswith("all have 0")
    assert told(counts=[3, 0, 0, 2]) == "hidden: few users"
    assert told(counts=None) == "no value"


def test_the_page_says_which_selection_the_model_that_serves_reads() -> None:
    fit = {"learner": "logistic", "is_champion": True, "train_months": ["2005-02-01", "2005-03-01"], "test_month": MONTHS[4], "lift_top_decile": 3.0, "pr_auc": 0.1,
           "roc_auc": 0.7, "base_rate": 0.01, "known_on": dt.date(2005, 6, 30), "train_rows": 10, "test_rows": 10, "model_version": "1"}  # fmt: skip
    counted = pd.DataFrame([{"month": month, "indicators": 200 + n} for n, month in enumerate(MONTHS)])
    page = pages(dataclasses.replace(made_up(), fits=pd.DataFrame([{**fit, "is_champion": False}, fit]), selected=counted))[
        "indicators.html"
    ]
    card = page.partition("Read by the model")[2][:200]
    assert "<strong>202</strong>" in card
    assert "that serves: selection of March 2005" in card
    assert "the one that serves, that of March 2005" in page
    # a model taught before anything was selected reads nothing of it
    early = counted[counted["month"] > MONTHS[3]]
    assert (
        "Read by the model"
        not in pages(dataclasses.replace(made_up(), fits=pd.DataFrame([fit]), selected=early))["indicators.html"]
    )


def test_every_link_to_an_indicator_has_its_row(site: dict[str, str]) -> None:
    page = site["indicators.html"]
    wanted = set(re.findall(r'href="#([^"]+)"', page))
    assert {"i-own_events", "i-usage_fee_yuan", "i-points"} <= wanted
    assert wanted <= set(re.findall(r'id="([^"]+)"', page))
    # what filters and sorts is there
    assert 'data-filters="all-indicators"' in page
    assert 'id="all-indicators"' in page


def test_a_picture_has_a_bar_a_class_and_is_escaped() -> None:
    assert (
        str(picture([], "<b>")) == '<svg class="bars" viewBox="0 0 120 28" role="img"><title>&lt;b&gt;</title><path d=""/></svg>'
    )
    assert str(picture([1, 1000], "x")).count("M") == 2, "one of many is still seen"
