"""Pages from made-up aggregates: complete, self-contained, and telling when something is absent. No Spark."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from made_up_site import DAYS, STEPS, made_up
from page_checks import faults

from churnlake.site.data import SiteData
from churnlake.site.health import wrong
from churnlake.site.pages import pages
from churnlake.site.picture import arranged, columns, with_sources


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    return pages(made_up())


def test_every_page_stands_by_itself(site: dict[str, str]) -> None:
    assert faults(site, others=("data-docs/2005-06-30/index.html",)) == []
    # plotly.js stands in the site once, not in each page
    assert sum("plotly.js v" in text for text in site.values()) == 1


def test_the_same_data_make_the_same_pages(site: dict[str, str]) -> None:
    assert pages(made_up()) == site


def test_key_figures_are_those_of_the_data(site: dict[str, str]) -> None:
    assert "Of 225 users who left, 72 are already back under another number: 32.0 %" in site["index.html"]
    assert "16 of 18 checks hold" in site["quality.html"]
    assert "12 missing" in site["quality.html"]
    assert site["quality.html"].index("late records") < site["quality.html"].index("every slice has rows")
    assert re.search(r"<strong>30</strong>both", site["reentry.html"])


def test_the_quality_page_tells_what_is_wrong_since_when_whose_file_and_what_it_touches(site: dict[str, str]) -> None:
    page = site["quality.html"]
    assert "The data of 2005-06-30 is not good" in page
    assert "The data of 2005-06-30 is not good: 2 of 18 checks failed" in site["index.html"]
    assert "data-docs/2005-06-30/index.html" in site["index.html"]
    entries = {one["table_name"]: one for one in wrong(made_up(), made_up().checks.query("not has_passed").to_dict("records"))}
    assert entries["churn.scores"]["since"] == DAYS[-60], "longer ago than the days shown at a glance"
    assert page.count(f'<td class="nowrap">{DAYS[-60]}</td>') == 2, "in what is wrong, and in the table of all checks"
    assert "16 of its 5,099 rows of that day set aside" in page
    assert entries["clean.sms"]["since"] == DAYS[-1]
    assert entries["clean.sms"]["files"][0]["note"] == "not whole as gzip"
    assert entries["clean.sms"]["more_files"] == 1
    assert entries["clean.sms"]["touches"][:2] == ["daily.usage", "daily.edges"]
    assert "churn.scores" in entries["clean.sms"]["touches"]
    assert not [name for name in entries["clean.sms"]["touches"] if name.startswith("quality.")]
    assert page.count('class="error" title') == 4
    assert "hour above 23" in page
    assert "python -m churnlake release --table clean.sms --slice 2005-06-29 --why TEXT" in page
    assert "<code>9{11},99 99:99,x</code>" in page


def test_pages_of_an_empty_lake_say_what_is_missing_and_who_makes_it() -> None:
    made = pages(SiteData(last=DAYS[-1], steps=STEPS))
    assert "reentry.matches has not been written. detect_reentry makes it." in made["reentry.html"]
    assert "churn.scores has not been written. score_model makes it." in made["churn.html"]
    assert "quality.checks has not been written. check_quality makes it." in made["quality.html"]
    assert "features.selection has not been written. select_indicators makes it." in made["indicators.html"]
    assert "What the operator" in made["index.html"]
    assert "reentry.joining_checks has not been written." in made["joining.html"]


def test_the_joining_page_tells_how_often_the_check_was_right_and_hides_small_cells() -> None:
    data = made_up()
    page = pages(data)["joining.html"]
    # day 60: 139 of 199 confirmed; interval as scipy.stats.binomtest(139, 199).proportion_ci(method="wilson") gives it
    assert "69.8 %" in page
    assert "63.1 % to 75.8 %" in page
    assert "4.2 s" in page
    assert "19 in 20 within 9.8 s" in page
    small = pages(replace(data, least=10))["joining.html"]
    assert ">4<" in page
    assert ">4<" not in small, "four customers told of a SIM"
    assert ">31<" not in small, "nor the next, from which they could be had"
    assert "hidden" in small
    assert "1,200 joined whom" not in small


def test_tables_without_rows_are_said_to_be_empty() -> None:
    blank: dict[str, Any] = {
        name: getattr(made_up(), name).head(0)
        for name in ("records", "joiners", "matches", "leavings", "cases", "checks", "quality", "fits", "scores", "ranked")
    }
    made = pages(SiteData(last=DAYS[-1], **blank))
    assert "reentry.matches holds no rows up to 30 June 2005" in made["reentry.html"]


def test_what_comes_from_data_is_escaped() -> None:
    spoiled = pd.DataFrame([{"feed": "voice", "reason": "</script><b>x", "state": "bad", "rows": 1}])
    page = pages(SiteData(last=DAYS[-1], reasons=spoiled))["quality.html"]
    assert "<b>x" not in page


def test_lineage_runs_from_left_to_right() -> None:
    steps = with_sources(STEPS)
    at = columns(steps)
    maker = {table: step.job for step in steps for table in step.writes}
    assert all(at[maker[table]] < at[step.job] for step in steps for table in step.reads)
    layout = arranged(steps)
    for one in layout.cards:
        for other in layout.cards:
            apart = one is other or one.column != other.column or one.y >= other.y + other.height or other.y >= one.y + one.height
            assert apart, f"{one.step.job} lies over {other.step.job}"
        crossing = [
            table for (table, column), y in layout.lanes.items() if column == one.column and one.y <= y <= one.y + one.height
        ]
        assert crossing == [], f"lines of {crossing} run over {one.step.job}"


def test_the_joining_page_stands_where_all_that_was_found_is_too_few() -> None:
    few = pd.DataFrame(
        [{"stage_days": s, "verdict": "known", "named_by": "document", "outcome": "same", "users": 2} for s in (0, 60)]
    )
    page = pages(replace(made_up(), joining_outcomes=few))["joining.html"]
    assert "nan" not in page.lower().replace("finance", "")
