"""The readers' notebooks, executed over the tiny city in the tests' own session; their texts are asked in tests/core/test_notebook_texts.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import City
from pyspark.sql import SparkSession

from churnlake.generated import notebooks
from churnlake.notebook import Said, Shown, asked_for
from churnlake.notebook_pages import Cell, executed, page, title
from churnlake.tables.daily import USAGE

TEXTS = {Path(name).stem: text for name, text in notebooks().items()}
SHOW: dict[str, dict[str, int]] = {
    "city": {"figures": 5, "tables": 3},
    "quality": {"figures": 2, "tables": 4},
    "reentry": {"figures": 1, "tables": 3},
    "churn": {"figures": 1, "tables": 2},
}
"""Least that is shown of so small a city, where much is of fewer persons than may be shown."""


@pytest.mark.parametrize("name", SHOW)
def test_a_notebook_runs_and_shows(name: str, city: City, spark: SparkSession) -> None:
    with asked_for("local", city.overrides):
        ran = executed(name, TEXTS[name])
    assert len(spark.sparkContext.statusTracker().getActiveJobsIds()) == 0, "its session was taken, and is idle"
    shown = [cell.value for cell in ran if not cell.is_text]
    assert not [cell.source for cell in ran if not cell.is_text and cell.value is None], "each cell shows something"
    assert repr(shown[0]).startswith("the lake at ")
    figures = [value for value in shown if hasattr(value, "to_plotly_json")]
    tables = [value for value in shown if isinstance(value, Shown)]
    said = [value for value in shown if isinstance(value, Said)]
    assert len(figures) + len(tables) + len(said) == len(shown) - 1
    assert len(figures) >= SHOW[name]["figures"], [cell.source for cell in ran if isinstance(cell.value, Said)]
    assert len(tables) >= SHOW[name]["tables"], [cell.source for cell in ran if isinstance(cell.value, Said)]
    assert all(len(figure.data) and not figure.layout.title.text for figure in figures)
    assert all(len(table.frame) for table in tables)
    no_user_is_named(ran, city, spark)
    text = page(name, ran, {name: title(TEXTS[name])})
    assert text.count("data-figure=") == len(figures)
    assert "http" not in text.replace("http://www.w3.org", ""), "opens from disk"


def no_user_is_named(ran: list[Cell], city: City, spark: SparkSession) -> None:
    """Users appear by short names alone: no id of the lake stands in what is shown."""
    ids = {str(row["user_id"]) for row in city.lake(spark).read(USAGE).select("user_id").distinct().collect()}
    told = " ".join(
        cell.value.to_json() if hasattr(cell.value, "to_json") else repr(cell.value) for cell in ran if not cell.is_text
    )
    assert not ids & set(re.findall(r"-?\d{6,}", told))


def test_a_cell_that_fails_is_named() -> None:
    with pytest.raises(ZeroDivisionError) as error:
        executed("wrong", "# %% [markdown]\n# # Wrong\n\n# %%\nx = 1\nx / 0\n")
    assert error.value.__notes__ == ["in notebook wrong, cell 2: x = 1\nx / 0"]
