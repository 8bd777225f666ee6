"""Small cells are hidden, and so are those they could be had from."""

from dataclasses import replace

import pandas as pd
from whole_site import whole

from churnlake.site.contents import churn, overview, reentry
from churnlake.site.data import SiteData
from churnlake.site.disclosure import disclosed, shown
from churnlake.site.pages import pages


def cells(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["month", "kind", "users"])


def hidden(frame: pd.DataFrame, least: int = 10) -> set[tuple[str, str]]:
    found = disclosed(frame, ["month", "kind"], "users", least)
    return {(row.month, row.kind) for row in found[found["is_hidden"]].itertuples()}


def test_a_small_cell_takes_the_next_larger_of_its_group_with_it() -> None:
    frame = cells(("may", "a", 3), ("may", "b", 40), ("may", "c", 12), ("june", "a", 20), ("june", "b", 30))
    assert hidden(frame) == {("may", "a"), ("may", "c")}, "else the month's total less the others would tell"
    assert hidden(frame, least=3) == set()
    # several small ones hide each other, once there are enough persons in all
    assert hidden(cells(("may", "a", 4), ("may", "b", 6), ("may", "c", 50))) == {("may", "a"), ("may", "b")}
    assert hidden(cells(("may", "a", 4), ("may", "b", 5), ("may", "c", 50))) == {("may", "a"), ("may", "b"), ("may", "c")}
    # cells of nobody say nothing of anybody, and hide nothing
    assert hidden(cells(("may", "a", 0), ("may", "b", 50))) == set()


def test_a_group_that_is_small_as_a_whole_hides_another_against_the_total_of_all() -> None:
    frame = cells(("may", "a", 2), ("june", "a", 15), ("june", "b", 40))
    assert hidden(frame) == {("may", "a"), ("june", "a")}


def test_parts_of_a_cell_are_summed_before_it_is_judged() -> None:
    assert shown(cells(("may", "a", 6), ("may", "a", 6)), ["month", "kind"], "users", 10).to_dict("records") == [
        {"month": "may", "kind": "a", "users": 12}
    ]


def test_no_page_shows_a_figure_over_few_persons() -> None:
    import datetime as dt

    month, seven = dt.date(2005, 5, 1), 7
    data = SiteData(
        last=dt.date(2005, 5, 31),
        least=10,
        users=pd.DataFrame({"month": [month], "users": [seven]}),
        joiners=pd.DataFrame({"month": [month], "stage_days": [60], "scope": ["scored"], "users": [seven]}),
        matches=pd.DataFrame(
            {"month": [month], "kind": ["full"], "found_by": ["both"], "has_same_imei": [True], "rows": [seven]}
        ),
        probabilities=pd.DataFrame({"bin": [0.9], "found_by": ["both"], "rows": [seven]}),
        gaps=pd.DataFrame({"bin": [10], "kind": ["full"], "rows": [seven]}),
        leavings=pd.DataFrame({"month": [month], "kind": ["silent"], "brand": ["mzone"], "users": [seven], "returned": [seven]}),
        scores=pd.DataFrame({"month": [month], "bin": [0.1], "users": [seven]}),
        cells=pd.DataFrame(
            {
                "month": [month],
                "cell": ["retain"],
                "priority": ["high"],
                "arm": ["target"],
                "users": [seven],
                "at_stake_yuan": [70.0],
            }
        ),
    )
    whole, back, left = overview(data), reentry(data), churn(data)
    assert {value for _, value, _ in whole["cards"]} == {"fewer than 10"}
    assert whole["headline"] == "Of fewer than 10 users who left, fewer than 10 are already back under another number."
    assert [light.words for light in whole["lights"]] == ["fewer than 10 users to contact by the lists of May 2005"]
    assert back["square"] == {"both": None, "circle": 0, "imei": 0, "neither": 0}
    assert [(row["users"], row["target"], row["control"], row["at_stake_yuan"]) for row in left["cells"]] == [
        (None, None, 0, None)
    ]
    bars = [bar["y"] for page in (whole, back, left) for name, figure in page["figures"].items() for bar in figure["data"]]
    assert not [value for bar in bars for value in bar if value], "no bar is drawn"
    assert '"7"' not in repr((whole, back, left)).replace("'", '"')


def test_every_page_is_made_where_everything_is_too_few_to_be_shown() -> None:
    made = pages(replace(whole(), least=10**9))
    assert set(made) == set(pages(whole()))
