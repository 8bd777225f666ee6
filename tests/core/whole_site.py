"""The made-up site with every part of every page filled: the demonstration's size, and what the tests of single pages make."""

from __future__ import annotations

from dataclasses import fields, replace

import test_circles_page
import test_control_page
import test_indicators_page
import test_motives_page
import test_realism_page
import test_stages_page
import test_staying_page
from made_up_site import made_up

from churnlake.core.lineage import Lineage
from churnlake.site.data import SiteData, Step
from churnlake.site.pages import pages
from churnlake.site.realism import page


def whole() -> SiteData:
    """Everything there is to show."""
    lineage = Lineage.of_package()
    staying = test_staying_page
    found = replace(
        made_up(),
        tables=lineage.tables,
        steps=Step.of(lineage),
        groups=test_circles_page.GROUPS,
        members=test_circles_page.MEMBERS,
        spread=test_circles_page.SPREAD,
        cohorts=staying.COHORTS,
        bucket=staying.BUCKET,
        survival=staying.SURVIVAL,
        silences=staying.SILENCES,
        motive_shares=test_motives_page.shares(brand=60, plan=100, unknown=140, bonus=40),
        least=4,
    )
    for more in (test_control_page.made_up(), test_indicators_page.made_up(), test_stages_page.DATA):
        given = {one.name: getattr(more, one.name) for one in fields(more) if one.name not in ("last", "steps", "least")}
        found = replace(found, **{name: value for name, value in given.items() if value is not None and len(value)})
    return found


BESIDE = "data-docs/2005-06-30/index.html"
"""What pages lead to and others make."""


def site() -> dict[str, str]:
    """By file name, every page and what it needs, and the page of made-up cities, which is one file."""
    return {**pages(whole()), "realism.html": page([test_realism_page.city()], test_realism_page.REAL)}
