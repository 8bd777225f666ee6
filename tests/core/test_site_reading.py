"""Pages that everybody can read: whole, named, in order, with enough contrast in both themes. From their text alone; no browser, no Spark."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest
from made_up_site import DAYS, STEPS, made_up
from page_checks import Page, faults
from whole_site import BESIDE
from whole_site import site as whole_site

from churnlake.site import charts, pair
from churnlake.site.cards import cards
from churnlake.site.data import SiteData
from churnlake.site.figures import grid, in_words
from churnlake.site.glossary import WORDS
from churnlake.site.pages import GROUPS, NAVIGATION, asset, pages
from churnlake.site.today import today

TEXT_ON = [
    *((text, ground) for text in ("ink", "muted", "accent", "code", "heading") for ground in ("paper", "panel", "head", "hover", "field")),
    *((text, "bar") for text in ("bar-text", "bar-group", "bar-here")),
    ("lead-text", "lead"), ("lead-note", "lead"), ("good-text", "yes"), ("bad-text", "no"), ("warn-text", "beware"), ("blue-text", "blue"),
    ("plain-text", "plain"), ("full-text", "full"), ("low-text", "low"), ("good-text", "panel"), ("bad-text", "panel"), ("warn-text", "panel"),
    ("ink", "row-bad"), ("ink", "row-warn"), ("ink", "row-ours"), ("muted", "row-bad"), ("muted", "row-warn"), ("code", "empty"), ("ink", "meter"),
    ("ink", "meter-warm"), ("ink", "full"), ("ink", "blue"), ("ink", "beware"), ("ink", "empty"), ("muted", "empty"),
]  # fmt: skip
"""Names of colours of text and of what it stands on, as the style pairs them."""


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    return whole_site()


def test_nothing_is_wrong_with_any_page(site: dict[str, str]) -> None:
    assert faults(site, others=(BESIDE,)) == []


def test_nor_with_those_of_an_empty_lake() -> None:
    assert faults(pages(SiteData(last=DAYS[-1], steps=STEPS))) == []


def test_what_is_wrong_with_a_page_is_told() -> None:
    bad = '<main><h1>A</h1><h3></h3><table><tr><th></th></tr></table><a href="gone.html">x</a><a href="#none">y</a><script src="https://far/x.js"></script><input><svg></svg></main>'
    told = "\n".join(faults({"bad.html": bad}))
    for fault in (
        "<h3> follows",
        "empty <h3>",
        "<th> without scope",
        "without caption",
        "gone.html",
        "#none",
        "loads https://far/x.js",
        "control without",
        "<svg> that says",
        "0 <footer>",
    ):
        assert fault in told, fault


def test_every_page_stands_in_one_group_of_the_way_and_is_led_to_from_every_other(site: dict[str, str]) -> None:
    grouped = [file for files in GROUPS.values() for file in files]
    assert len(grouped) == len(set(grouped))
    assert set(NAVIGATION) <= set(grouped)
    for name in NAVIGATION:
        assert set(NAVIGATION) <= set(Page(site[name]).links)
        assert site[name].count('aria-current="page"') == 1
        assert '<html lang="en">' in site[name]
        assert '<a class="skip" href="#main">' in site[name]


def luminance(colour: str) -> float:
    """Relative luminance of a colour as WCAG 2 defines it."""
    colour = colour if len(colour) == 7 else "#" + "".join(2 * sign for sign in colour[1:])
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> dict[str, dict[str, str]]:
    """By theme, the colours of the style by name; dark ones stand over light ones."""
    light, dark = (
        dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", asset("site.css"), re.S)
    )
    assert set(dark) >= set(light) - {"tone"}, "a colour of the light theme that the dark one does not know"
    return {"light": light, "dark": light | dark}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(theme: str) -> None:
    colours = themes()[theme]
    low = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, ground in TEXT_ON
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert low == {}


def test_charts_are_as_plain_on_dark_as_on_light() -> None:
    """What is drawn is at least 3 to 1 on its ground in the dark theme (in the light one, all but fillers); what is not lit stays as it is."""
    lit = dict(re.findall(r'"(#[0-9a-f]{6})": "(#[0-9a-f]{6})"', asset("site.js")))
    ground = themes()["dark"]["panel"]
    fillers = {"unknown", "base rate", "excluded", "suppressed"}
    low = {
        name: colour
        for name, colour in charts.COLOURS.items()
        if name not in fillers and contrast(lit.get(colour, colour), ground) < 3
    }
    assert low == {}
    assert {charts.INK, charts.MUTED, charts.GRID} <= set(lit)
    assert contrast(lit[charts.MUTED], ground) >= 4.5


def test_every_chart_has_its_words_and_its_table(site: dict[str, str]) -> None:
    for name in NAVIGATION:
        drawn = re.findall(r'data-figure="([\w-]+)" role="img" aria-label="([^"]+)"', site[name])
        assert site[name].count("data-figure=") == len(drawn) == site[name].count('<details class="data">')
        for figure, words in drawn:
            text = re.search(rf'<script type="application/json" id="{figure}">(.*?)</script>', site[name], re.S)
            assert text
            table = grid(json.loads(text[1]))
            assert table.rows, figure
            assert all(len(row) == len(table.heads) for row in table.rows)
            assert len(words) > 20


def test_a_chart_that_lies_is_told_by_its_places() -> None:
    figure = {
        "data": [{"x": [0.5, 0.25], "y": ["D1", "D2"]}],
        "layout": {"xaxis": {"tickformat": ".0%", "title": {"text": "share"}}, "yaxis": {"type": "category"}},
    }
    assert grid(figure).rows == (("D1", "50.0 %"), ("D2", "25.0 %"))
    assert in_words(figure) == "D1 to D2; share 25.0 % to 50.0 %"


def test_the_overview_tells_the_day_in_one_glance(site: dict[str, str]) -> None:
    page = site["index.html"].split("Today at a glance")[1].split("</section>")[0]
    states = re.findall(r'<li class="(\w+)">.*?<a href="([\w.#]+)">([\w ]+)</a>', page)
    assert states[:3] == [
        ("error", "quality.html#wrong", "Data quality"),
        ("warn", "quality.html#wrong", "Held back"),
        ("good", "quality.html", "Records"),
    ]
    assert "as usual on that weekday" in page
    assert "1 slice of clean.sms" in page
    assert "1 model serves, inputs of 1 have changed greatly" in page
    assert today(SiteData(last=DAYS[-1])) == []


def test_circles_of_a_pair_are_as_large_as_they_are_many(site: dict[str, str]) -> None:
    page = site["reentry.html"]
    assert "14 of 20" in page
    assert len(re.findall(r'<circle class="dot both"', page)) == 14
    assert len(re.findall(r'<circle class="dot old"', page)) == 10
    whole = {"shared_peers": 5, "old_peers": 5, "new_found": 1.0}
    radii = re.findall(r'<circle class="(?:old|new)" cx="([\d.]+)" cy="[\d.]+" r="([\d.]+)"', pair.picture(whole))
    assert radii[0] == radii[1], "the same people: one circle over the other"
    assert pair.best_pair([{"shared_peers": 1, "old_peers": 5, "new_found": 0.2}]) is None


def test_bands_between_stages_are_drawn_of_what_may_be_shown(site: dict[str, str]) -> None:
    picture = site["stages.html"].split('<svg class="stages"')[1].split("</svg>")[0]
    assert "healthy to warning 预警期: 60" in picture
    assert "healthy to healthy" not in picture
    assert "Not drawn: 900 who were healthy and are." in site["stages.html"]


def test_cards_say_what_a_model_is_and_is_not(site: dict[str, str]) -> None:
    page = site["models.html"]
    served, refused = page.split('id="revenue"')
    assert '<span class="tag yes">serves</span>' in served
    assert '<span class="tag warn">does not serve</span>' in refused
    assert "figure-gains-leave_t1" in served
    assert "2005-01 to 2005-02, 2 months" in served
    assert "<code>indicator_14</code>" in served
    assert "No month of its scores has been compared yet" in refused
    assert (
        "churn.models has not been written. train_model makes it." in pages(SiteData(last=DAYS[-1], steps=STEPS))["models.html"]
    )


def test_a_model_that_knows_nothing_is_told_of_in_the_days_state() -> None:
    known = made_up().learners
    assert known is not None
    shown = {light.name: light for light in today(replace(made_up(), learners=known))}["Models"]
    assert shown.state == "warn"
    assert "chance" not in shown.words
    shown = {light.name: light for light in today(replace(made_up(), learners=known.assign(roc_auc=0.51)))}["Models"]
    assert shown.state == "bad"
    assert shown.words.startswith("‘Leaves next month’ ranked no better than chance: call nobody by it.")
    # of too few leavers nothing is told
    assert "chance" not in str(today(replace(made_up(), learners=known.assign(roc_auc=0.51), least=10**6)))


def test_a_card_of_few_tells_no_figures_of_any_learner() -> None:
    few = made_up().judged
    assert few is not None
    page = pages(SiteData(last=DAYS[-1], learners=made_up().learners, judged=few.assign(positives=7), least=10))["models.html"]
    for figure in ("0.287", "0.241", "0.270", "figure-gains"):
        assert figure not in page
    assert "fewer than 10 of them came true" in page


def test_parts_of_a_model_are_not_told_where_they_could_be_had_by_subtraction() -> None:
    judged = made_up().judged
    assert judged is not None
    page = pages(SiteData(last=DAYS[-1], judged=judged[judged["target"] == "leave_t1"], least=10))["models.html"]
    brands = dict(re.findall(r'<th scope="row">brand (\w+)</th><td class="n">[\d,]+</td><td class="n">([^<]+)</td>', page))
    assert brands == {"gotone": "fewer than 10", "easyown": "not shown"}, "46 in all, less 30, were less than ten"


def test_curves_are_of_groups_that_may_be_shown() -> None:
    judged = made_up().judged
    assert judged is not None
    of = judged[judged["target"] == "leave_t1"].to_dict("records")
    (gains, held) = (cards(None, judged, None, 10)["figures"][f"{name}-leave_t1"]["data"] for name in ("gains", "calibration"))
    found = [round(share * of[0]["positives"], 6) for share in gains[0]["y"]]
    assert found[0] == 0
    assert found[-1] == of[0]["positives"]
    assert min(later - earlier for earlier, later in pairwise(found)) >= 10
    assert 1 <= len(held[0]["x"]) < 10
    assert gains[1]["name"] == "at random"


def test_a_lake_without_judged_parts_tells_no_figures_of_few() -> None:
    learners = made_up().learners
    assert learners is not None
    (few,) = cards(learners[learners["target"] == "leave_t1"].assign(test_rows=150), None, None, 10)["cards"]
    assert (few["figures"], few["base_rate"], few["learners"][0]["pr_auc"]) == ([], None, None), "0.031 of 150 are 5"
    (many,) = cards(learners[learners["target"] == "leave_t1"], None, None, 10)["cards"]
    assert many["base_rate"] == 0.031


def test_no_page_tells_how_learners_rank_that_were_tested_on_few() -> None:
    fits = made_up().fits
    assert fits is not None
    told = pages(replace(made_up(), fits=fits, least=10))
    few = pages(replace(made_up(), fits=fits.assign(test_rows=150), least=10))
    for name, words in (("index.html", "Leavers in the top tenth"), ("churn.html", "figure-fits")):
        assert words in told[name]
        assert words not in few[name], "0.031 of 150 are 5"


def test_gates_that_cannot_be_judged_yet_are_neither_good_nor_bad() -> None:
    steps = pd.DataFrame([{"month": DAYS[0], "passed": None}, {"month": DAYS[0], "passed": None}])
    (light,) = today(SiteData(last=DAYS[-1], steps_told=steps))
    assert (light.state, light.words) == ("plain", "0 of 0 gates passed for January 2005")
    (light,) = today(SiteData(last=DAYS[-1], steps_told=steps.assign(passed=[True, None])))
    assert (light.state, light.words) == ("good", "1 of 1 gates passed for January 2005")


def test_whom_to_contact_tells_no_cell_that_is_hidden() -> None:
    cells = pd.DataFrame(
        [
            {"month": DAYS[-1], "cell": cell, "priority": "A", "arm": arm, "users": users, "at_stake_yuan": 1.0}
            for cell, arm, users in (
                ("care", "target", 50),
                ("care", "control", 6),
                ("save", "target", 133),
                ("save", "control", 30),
            )
        ]
    )
    data = SiteData(last=DAYS[-1], cells=cells, least=10)
    (light,) = today(data)
    assert light.words.startswith("about 180 users to contact"), "183 less the 133 shown and 50 + 6 listed tell the six"
    (whole,) = today(SiteData(last=DAYS[-1], cells=cells, least=1))
    assert whole.words.startswith("183 users to contact")


def test_glossary_words_are_told_once() -> None:
    words = [word for of_group in WORDS.values() for word in of_group]
    assert len({word.anchor for word in words}) == len(words)
    assert {word.page for word in words} <= {"", *NAVIGATION}
    assert {"重入网", "流失", "交往圈", "预警期", "告警期", "跳蚤用户", "龙卷风", "本地卡B"} <= {word.chinese for word in words}
