"""The circles page from made-up aggregates: figures, and small cells hidden. No Spark."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from churnlake.site.circles import circles, size_words
from churnlake.site.data import SiteData, Step
from churnlake.site.pages import pages

APRIL, MAY = dt.date(2005, 4, 1), dt.date(2005, 5, 1)
GROUPS = pd.DataFrame(
    [
        {"month": m, "size": s, "groups": g, "users": u, "ties": t, "pairs": p, "triangles": 7, "ties_out": 40, "seeds": d}
        for m, s, g, u, t, p, d in (
            (APRIL, 3, 10, 40, 50, 70, 10),
            (MAY, 3, 12, 44, 55, 80, 12),
            (MAY, 6, 11, 80, 160, 320, 11),
            (MAY, 11, 3, 40, 90, 270, 6),
            (MAY, 21, 1, 25, 60, 300, 3),
        )
    ]
)
MEMBERS = pd.DataFrame(
    [
        {"month": APRIL, "size": s, "has_left": left, "users": n}
        for s, left, n in ((3, True, 10), (3, False, 190), (6, True, 30), (6, False, 270), (11, True, 3), (11, False, 55))
    ]
)
SPREAD = pd.DataFrame(
    [{"left": n, "has_left": left, "users": u} for n, left, u in ((0, True, 20), (0, False, 980), (1, True, 15), (1, False, 135))]
)


def test_groups_are_told_by_size_and_few_seed_customers_are_hidden() -> None:
    page = circles(GROUPS, MEMBERS, SPREAD, 10)
    rows = {row["size"]: row for row in page["rows"]}
    assert list(rows) == ["3 to 5", "6 to 10", "11 to 20", "21 to 50"]
    assert rows["6 to 10"] == {
        "size": "6 to 10", "groups": 11, "users": 80, "ties": 160, "pairs": 320, "triangles": 7, "ties_out": 40, "seeds": None,
        "density": 0.5, "out_share": 40 / 360,
    }  # fmt: skip
    # 3 and 6 seed customers are few, and together fewer than ten: one more size is hidden, so that no total gives them
    assert [row["seeds"] for row in page["rows"]] == [12, None, None, None]
    assert page["cards"][0][:2] == ("Users in groups", "189")
    assert page["month"] == "May 2005"
    assert size_words(51) == "51 and more"


def test_a_size_of_few_users_is_hidden_and_so_is_one_more() -> None:
    few = GROUPS.assign(users=[40, 44, 80, 40, 4])
    rows = circles(few, None, None, 10)["rows"]
    assert [row["users"] for row in rows] == [44, 80, None, None]
    assert rows[-1]["groups"] is None
    assert rows[-1]["density"] is None


def test_shares_who_left_are_shown_where_enough_left_and_stayed() -> None:
    page = circles(None, MEMBERS, SPREAD, 10)
    (bars,) = page["figures"]["spread"]["data"]
    assert (bars["x"], bars["y"], bars["text"]) == (["none", "1"], [0.02, 0.1], ["2.0%", "10.0%"])
    (bars,) = page["figures"]["left"]["data"]
    # three of the largest groups left: hidden, and with it the cell that would give it away
    assert "groups of 11 to 20" not in bars["x"]
    assert page["rows"] == []


def test_the_page_says_what_is_missing_and_the_overview_leads_to_it() -> None:
    steps = (Step("build_groups", (), ("circles.groups", "circles.members")),)
    made = pages(SiteData(last=MAY, steps=steps))
    assert "circles.groups has not been written. build_groups makes it." in made["circles.html"]
    made = pages(SiteData(last=MAY, groups=GROUPS, members=MEMBERS, spread=SPREAD, least=10))
    assert "189 users in 27 groups" in made["index.html"]
    assert "Users in groups" in made["circles.html"]
