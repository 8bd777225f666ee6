"""The readers' notebooks as texts, and what they are made of that needs no JVM."""

from pathlib import Path

import jupytext
import pandas as pd
import pytest
from jupytext.cli import jupytext as jupytext_command
from page_checks import faults

from churnlake.core.cells import BETWEEN, FIRST_LINE, as_databricks, cells
from churnlake.core.settings import load
from churnlake.generated import notebooks
from churnlake.notebook import PublishedLake, Said, Shown, from_root, named, yes
from churnlake.notebook_pages import Cell, page
from churnlake.settings import Settings
from churnlake.site import closed, people, wording
from churnlake.site.pages import asset

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))
SETTINGS = load(Settings, "local")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_in_the_round_trip_and_begins_each_cell_with_words(path: Path) -> None:
    notebook = jupytext.read(path)
    assert jupytext_command(["--test-strict", "--to", "ipynb", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert jupytext.writes(notebook, "py:percent") == text, "neither side adds a header"
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= 0.7 * kinds.count("code")
    # the same cells that our own reading of the text finds
    assert [(cell["cell_type"] == "markdown", cell["source"]) for cell in notebook["cells"]] == cells(
        path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_logic(path: Path) -> None:
    code = "\n".join(text for is_text, text in cells(path.read_text(encoding="utf-8")) if not is_text)
    for line in code.split("\n"):
        assert not line.strip().startswith(("def ", "class ", "for ", "if ", "while ", "with ", "try", "lambda")), line
    compile(code, str(path), "exec")
    assert "spark" not in code, "the lake is read by way of open_lake alone"


def test_databricks_gets_each_cell_as_it_is() -> None:
    for text in notebooks().values():
        made = as_databricks(text)
        assert made.startswith(FIRST_LINE)
        back = [
            (True, "\n".join(line.removeprefix("# MAGIC").removeprefix(" ") for line in part.split("\n")[1:]))
            if part.startswith("# MAGIC %md")
            else (False, part)
            for part in made.removeprefix(FIRST_LINE).removesuffix("\n").split(BETWEEN)
        ]
        assert back == cells(text)
    with pytest.raises(ValueError, match=r"a cell '# %% \[raw\]'"):
        cells("# %% [raw]\n# x\n")


def lake() -> PublishedLake:
    return PublishedLake(None, SETTINGS, (), "nowhere")  # type: ignore[arg-type]


def test_what_cannot_be_shown_is_said() -> None:
    told = lake().draw(None)
    assert isinstance(told, Said)
    assert "fewer than 10 persons" in told._repr_html_()
    assert isinstance(lake().draw({"data": [], "layout": {}}), Said)
    assert isinstance(lake().table([], {"x": "X"}), Said)


def test_a_table_writes_values_as_asked_and_gaps_as_dashes() -> None:
    rows = [{"a": 0.5, "b": ["x", "y"], "c": None, "d": float("nan"), "e": [{"p": "<f>"}], "f": True}]
    shown = lake().table(
        rows, {"a": ("A", wording.share), "b": "B", "c": "C", "d": ("D", wording.number), "e": ("E", named("p")), "f": ("F", yes)}
    )
    assert isinstance(shown, Shown)
    assert list(shown.frame.loc[0]) == ["50.0 %", "x, y", "–", "–", "<f>", "yes"]
    assert "&lt;f&gt;" in shown._repr_html_()
    assert "A" in repr(shown)
    assert isinstance(lake().table(pd.DataFrame(rows), {"a": "A"}), Shown)


def test_a_page_names_what_it_shows_by_the_heading_above() -> None:
    ran = [
        Cell(True, "# Words\n\nThat lead."),
        Cell(False, "lake.draw(services)", lake().draw({"data": [{"type": "bar", "x": [1], "y": ["<a>"]}], "layout": {}})),
        Cell(True, "More.\n\n## A & B"),
        Cell(False, "lake.table(rows)", lake().table([{"a": 1}], {"a": "A"})),
        Cell(False, "lake.draw(None)", lake().draw(None)),
    ]
    beside = {name: asset(name) for name in ("site.css", "site.js")} | {"plotly.min.js": ""}
    others = {"words": "Words", "deeds": "Deeds"}
    made = {f"{name}.html": page(name, ran, others) for name in others}
    assert faults({**made, **beside}) == []
    assert 'role="img" aria-label="Words"' in made["words.html"]
    assert '<caption class="unseen">A &amp; B</caption>' in made["words.html"]
    assert made["words.html"].count('aria-current="page"') == 1
    assert "glossary" not in made["words.html"], "which is not beside them"


def test_local_paths_are_taken_below_the_projects_folder(tmp_path: Path) -> None:
    store = load(Settings, "local", ["store.vault=s3://v", f"store.work={tmp_path}"]).store
    found = from_root(store, Path("/home"))
    assert (found.lake, found.vault, found.work) == ("/home/build/demo/lake", "s3://v", str(tmp_path))


def test_groups_of_those_scored_have_enough_who_left_and_stayed() -> None:
    # 1,000 users, likeliest first: 30 left among the first hundred, 12 among the next two hundred, 5 among the rest
    ranking = pd.DataFrame(
        [
            {"step": place, "rows": 100.0, "positives": float(left), "score": 0.3 / (1 + place), "value": 0.0}
            for place, left in enumerate([30, 6, 6, 2, 1, 1, 1, 0, 0, 0])
        ]
    )
    groups = closed.grouped(ranking, 10)
    assert groups["users"].tolist() == [100, 900]
    assert groups["left"].tolist() == [30, 17]
    assert groups["said"].iloc[0] == pytest.approx(0.3)
    gains, calibration = closed.gains(ranking, 10), closed.calibration(ranking, 10)
    assert gains is not None
    assert calibration is not None
    assert gains["data"][0]["y"] == pytest.approx([0, 30 / 47, 1])
    assert calibration["data"][0]["y"] == pytest.approx([17 / 900, 0.3])
    assert closed.gains(ranking, 60) is None, "of fewer leavers nothing is told"
    assert closed.calibration(None, 10) is None


def test_services_that_few_used_or_few_did_not_are_left_out() -> None:
    found = pd.DataFrame(
        [
            {"month": "2005-05-01", "of": 100, "service": name, "users": users}
            for name, users in (("calls", 95), ("sms", 60), ("mms", 4), ("wap", 0))
        ]
    ).assign(month=pd.Timestamp("2005-05-01"))
    figure = people.services(found, 10)
    assert figure is not None
    assert figure["data"][0]["y"] == ["WAP", "SMS sent"]
    assert people.services(None, 10) is None


def test_bands_stand_in_order_and_values_by_size() -> None:
    values = {
        "tenure": {"6 to 11 months": 30, "0 to 2 months": 20, "60 months and more": 3, "unknown": 40},
        "brand": {"mzone": 20, "gotone": 50},
    }
    found = pd.DataFrame(
        [
            {"dimension": dimension, "value": value, "users": users, "fee_yuan": 2.0 * users, "minutes": 1.0, "messages": 1}
            for dimension, of in values.items()
            for value, users in of.items()
        ]
    )
    # the smallest is hidden, and so is the next, that it can not be had by taking away
    assert [row["value"] for row in people.people(found, "tenure", 10)] == ["6 to 11 months", "unknown"]
    assert [(row["value"], row["fee"]) for row in people.people(found, "brand", 10)] == [("gotone", 2.0), ("mzone", 2.0)]
    assert people.bars(found, "nothing", 10) is None
