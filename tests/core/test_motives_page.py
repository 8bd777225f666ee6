"""Motives on the re-entry page: what is shown, what stands for too few people, and what is said without a survey. No Spark."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from churnlake.site.data import SiteData
from churnlake.site.motives import motives
from churnlake.site.pages import pages
from churnlake.tables.motives import MOTIVE_SHARES, SAID

LAST, MAY = dt.date(2005, 5, 31), dt.date(2005, 5, 1)
SHARES = [name for name in MOTIVE_SHARES.names if name.endswith(("share", "low", "high"))]


def shares(survey: bool = True, **matches: int) -> pd.DataFrame:
    """A month's rows: by motive as many matches and, with a survey, half of them answered, a third of whom did not know."""
    every = sum(matches.values())
    rows: list[dict[str, Any]] = []
    for motive in SAID:
        count = every if motive == "all" else matches.get(motive, 0)
        row: dict[str, Any] = dict.fromkeys(SHARES) | {
            "month": MAY,
            "motive": motive,
            "matches": count,
            "rule_share": count / every,
        }
        row |= {"answers": 0, "alternative_answers": 0}
        if survey:
            part = count / every
            row |= {
                "answers": count // 2,
                "alternative_answers": count // 2,
                "share": part,
                "share_low": part * 0.8,
                "share_high": min(part * 1.2, 1),
            }
            row |= {"unaware_share": 0.3, "unaware_low": 0.2, "unaware_high": 0.4}
            row |= {"preventable_share": part * 0.3, "preventable_low": part * 0.2, "preventable_high": part * 0.4}
        rows.append(row)
    return pd.DataFrame(rows, columns=MOTIVE_SHARES.names)


def data(frame: pd.DataFrame | None) -> SiteData:
    return SiteData(last=LAST, motive_shares=frame, least=10)


def test_motives_are_told_commonest_first_and_unknown_last() -> None:
    found = motives(data(shares(brand=60, plan=100, unknown=140, bonus=40)))
    assert [row["motive"] for row in found["motives"]] == ["plan", "brand", "bonus", "unknown"]
    assert (
        found["told"]
        == "30.0 % of those who came back (20.0 % to 40.0 %, by 170 answers) did not know that no new number was needed for it."
    )
    bars = {bar["name"]: bar for bar in found["figure"]["data"]}
    assert set(bars) == {"by rule", "weighted by the survey", "of it preventable"}
    assert bars["weighted by the survey"]["error_y"]["array"][0] == pytest.approx(100 / 340 * 0.2)
    page = pages(data(shares(brand=60, plan=100, unknown=140, bonus=40)))["reentry.html"]
    assert "in the half year to May 2005" in page
    assert "cheaper plan" in page
    assert "talked into it" not in page, "of what nobody said there is no row"


def test_what_stands_for_too_few_people_is_not_shown() -> None:
    found = {row["motive"]: row for row in motives(data(shares(brand=60, plan=100, bonus=9, arrears=30)))["motives"]}
    # nine with a bonus, and with them the next larger, lest they be had from the sum
    assert [name for name, row in found.items() if row["matches"] is None] == ["arrears", "bonus"]
    assert found["bonus"]["rule_share"] is None
    # of four answers neither part nor unaware; those of arrears could else be had from the sum
    assert {found[name]["preventable_share"] for name in ("bonus", "arrears")} == {None}
    assert found["plan"]["preventable_share"] == pytest.approx(100 / 199 * 0.3)
    page = pages(data(shares(brand=60, plan=100, bonus=9, arrears=30)))["reentry.html"]
    assert '<td class="n">9</td>' not in page
    assert '<td class="n">4</td>' not in page


def test_without_a_survey_the_rules_speak_and_the_page_says_so() -> None:
    found = motives(data(shares(survey=False, brand=60, plan=100)))
    assert found["told"] == ""
    assert [bar["name"] for bar in found["figure"]["data"]] == ["by rule"]
    page = pages(data(shares(survey=False, brand=60, plan=100)))["reentry.html"]
    assert "No survey&#39;s answer" in page or "No survey's answer" in page
    assert "did not know that no new number" not in page


def test_few_matches_in_all_leave_nothing_to_show() -> None:
    found = motives(data(shares(brand=3, plan=4)))
    assert found["every"]["matches"] is None
    assert {row["matches"] for row in found["motives"]} == {None}
    assert found["figure"] is None
    assert "Every motive stands for too few people." in pages(data(shares(brand=3, plan=4)))["reentry.html"]


def test_without_the_table_the_page_names_it() -> None:
    assert "reentry.motive_shares has not been written" in pages(data(None))["reentry.html"]
