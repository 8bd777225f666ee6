"""The pages: from data of fixed size to files that a browser opens from disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnlake.core.contract import sql_type
from churnlake.site import charts, figures, wording
from churnlake.site.cards import FILLED as OF_MODELS
from churnlake.site.cards import cards
from churnlake.site.circles import circles
from churnlake.site.contents import Context, churn, overview, quality, reentry
from churnlake.site.control import FILLED, control
from churnlake.site.data import SiteData
from churnlake.site.declared import LAYERS, dictionary, lineage, rules_of
from churnlake.site.glossary import WORDS
from churnlake.site.indicators import indicators
from churnlake.site.joining import joining
from churnlake.site.runs import runs
from churnlake.site.stages import FILLED as OF_STAGES
from churnlake.site.stages import stages
from churnlake.site.staying import FILLED as STAYING
from churnlake.site.staying import staying

NAVIGATION: Mapping[str, tuple[str, str]] = {
    "index.html": ("Overview", "What came in, who left, who came back."),
    "reentry.html": ("Re-entry", "Who left and is back under a new number, and how we know."),
    "joining.html": ("Joining check", "Who of those at the counter is a customer already, and how often that was right."),
    "circles.html": ("Circles", "Groups of friends, their seed customers, and whether leaving spreads."),
    "control.html": ("Control", "Seven steps and their gates, what coming back costs, and which dealers stand out."),
    "stages.html": ("Stages", "Who is about to leave, by which signs, and how early that is known."),
    "churn.html": ("Churn", "Who leaves, how well it is foreseen, whom to call first."),
    "staying.html": ("Staying", "How long joiners stay and pay, where leavers went, and how long silence must be."),
    "models.html": ("Model cards", "What each model foretells, what it was taught, how well it does and what has moved since."),
    "indicators.html": ("Indicators", "What each indicator looks like, which ones are selected for models, and why."),
    "quality.html": ("Quality", "Every line accounted for, every table scored."),
    "runs.html": ("Runs", "Which job ran when, how it ended, what it read and wrote, by which code."),
    "dictionary.html": ("Dictionary", "Every table, column, rule and indicator, in words."),
    "lineage.html": ("Lineage", "Which job makes which table from which."),
    "glossary.html": ("Glossary", "The words of these pages, with the Chinese ones."),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    "": ("index.html",),
    "Coming back": ("reentry.html", "control.html", "joining.html"),
    "Leaving": ("churn.html", "staying.html", "stages.html", "circles.html"),
    "Foreseeing": ("models.html", "indicators.html"),
    "Data": ("quality.html", "runs.html", "lineage.html", "dictionary.html", "glossary.html"),
}
"""How the pages are grouped in the way between them."""
MADE_FROM: Mapping[str, tuple[str, ...]] = {
    "files": ("raw.files",),
    "records": ("clean.voice", "clean.sms", "clean.mms", "clean.wap"),
    "reasons": ("clean.voice", "clean.sms", "clean.mms", "clean.wap"),
    "users": ("daily.usage",),
    "joiners": ("reentry.joiners",),
    "matches": ("reentry.matches",),
    "probabilities": ("reentry.matches",),
    "gaps": ("reentry.matches",),
    "cases": ("reentry.matches",),
    "joining_verdicts": ("reentry.joining_checks",),
    "joining_outcomes": ("reentry.joining_follow_ups",),
    "joining_reminders": ("reentry.counter_reminders",),
    "joining_bonuses": ("reentry.bonus_reviews",),
    "groups": ("circles.groups",),
    "members": ("churn.labels", "circles.members"),
    "spread": ("churn.labels", "circles.neighbours"),
    "motive_shares": ("reentry.motive_shares",),
    "leavings": ("churn.leavings",),
    "fits": ("churn.models",),
    "scores": ("churn.scores",),
    "ranked": ("churn.scores",),
    "cells": ("campaigns.lists",),
    **{field: (table.name,) for field, table in STAYING.items()},
    "selection": ("features.selection",),
    "drifts": ("features.selection",),
    "outliers": ("features.outliers",),
    "abnormal": ("features.abnormal",),
    "checks": ("quality.checks",),
    "quality": ("quality.scores",),
    "states": ("quality.checks",),
    "trend": ("quality.scores",),
    "by_file": ("quality.checks",),
    "runs": ("quality.runs",),
    **{field: (table.name,) for field, table in {**FILLED, **OF_STAGES, **OF_MODELS}.items()},
}


def pages(data: SiteData) -> dict[str, str]:
    """By file name, the text of every file of the site: pages, style, script and plotly.js, which stands there once."""
    made: dict[str, Callable[[SiteData], Context]] = {
        "index.html": overview,
        "reentry.html": reentry,
        "joining.html": joining,
        "circles.html": lambda data: circles(data.groups, data.members, data.spread, data.least),
        "control.html": control,
        "stages.html": lambda data: stages(data),
        "churn.html": churn,
        "staying.html": lambda data: staying(data, data.least),
        "models.html": lambda data: cards(data.learners, data.judged, data.moved, data.least),
        "indicators.html": indicators,
        "quality.html": quality,
        "runs.html": runs,
        "dictionary.html": dictionary,
        "lineage.html": lineage,
        "glossary.html": lambda _: {"words": WORDS},
    }
    templates = environment()
    found = {}
    for name, context in made.items():
        shared = {
            "page": name,
            "navigation": NAVIGATION,
            "groups": GROUPS,
            "last": data.last,
            "least": data.least,
            "missing": lambda field: missing(data, field),
            "layers": LAYERS,
        }
        told = context(data)
        if "figures" in told:
            # a chart all of whose figures are hidden is none
            told["figures"] = {key: figure for key, figure in told["figures"].items() if figure.get("data")}
        found[name] = templates.get_template(f"{name}.j2").render(**shared, **told)
    return {**found, "site.css": asset("site.css"), "site.js": asset("site.js"), "plotly.min.js": plotly_script()}


def missing(data: SiteData, field: str) -> str:
    """Why a part of a page is empty and what would fill it; empty text when it is not."""
    frame = getattr(data, field)
    if frame is not None and len(frame):
        return ""
    tables = MADE_FROM[field]
    makers = sorted({step.job for step in data.steps for table in step.writes if table in tables})
    by = f" {' and '.join(makers)} makes it." if makers else ""
    if frame is None:
        return f"Nothing to show yet: {tables[0]} has not been written.{by}"
    return f"Nothing to show: {tables[0]} holds no rows up to {data.last:%d %B %Y}."


@cache
def environment() -> Environment:
    """The templates of the pages, and how they write figures."""
    found = Environment(
        loader=PackageLoader("churnlake.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": wording.count,
        "share": wording.share,
        "yuan": wording.yuan,
        "month": wording.month,
        "day": wording.day,
        "figure": lambda figure: Markup(charts.script(figure)),
        "grid": figures.grid,
        "told": figures.in_words,
        "rules": rules_of,
        "sql_type": sql_type,
    }
    found.filters.update(filters)
    return found


def asset(name: str) -> str:
    """The text of a style or script of the pages."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


@cache
def plotly_script() -> str:
    """The text of plotly.js."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
