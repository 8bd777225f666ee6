"""Execute the readers' notebooks in one session and keep each as a page: text, tables and charts, opened from disk with no network."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from churnlake.core.cells import cells
from churnlake.notebook import Shown
from churnlake.site.pages import asset, environment, plotly_script


@dataclass(frozen=True)
class Cell:
    """A cell that was executed: markdown or code, its text, and what its last line is worth (None of markdown, or where it is a statement)."""

    is_text: bool
    source: str
    value: Any = None


def executed(name: str, text: str) -> list[Cell]:
    """The cells of a notebook in the percent format, executed one after the other in this process, so in its session.

    What a cell raises is raised, with a note of which it was.
    """
    names: dict[str, Any] = {"__name__": name}
    found = []
    for place, (is_text, source) in enumerate(cells(text), start=1):
        try:
            found.append(Cell(is_text, source, None if is_text else _worth(source, name, names)))
        except Exception as error:
            error.add_note(f"in notebook {name}, cell {place}: {source}")
            raise
    return found


def _worth(source: str, name: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, name, "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), names)
    return eval(compile(ast.Expression(last.value), name, "eval"), names)


def page(name: str, ran: list[Cell], others: Mapping[str, str]) -> str:
    """The page of a notebook; ``others``: by name, the titles of all notebooks that have one."""
    shown: list[dict[str, Any]] = []
    about = others[name]
    for cell in ran:
        if cell.is_text:
            # what follows is called by the heading it stands under
            about = next((line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")), about)
            shown.append({"kind": "text", "html": Markup(MarkdownIt().render(cell.source))})
        else:
            shown.append({"kind": "code", "source": cell.source, "about": about, **_output(cell.value, about)})
    return environment().get_template("notebook.html.j2").render(page=name, cells=shown, others=others)


def title(text: str) -> str:
    """The first heading of a notebook, without its mark."""
    first = next((source for is_text, source in cells(text) if is_text), "")
    return first.partition("\n")[0].lstrip("# ")


def _output(value: Any, about: str) -> dict[str, Any]:
    if hasattr(value, "to_plotly_json"):
        # as JSON that can stand inside a script element
        return {"figure": Markup(value.to_json().replace("</", "<\\/")), "height": value.layout.height, "html": ""}
    told = Markup(value._repr_html_()) if hasattr(value, "_repr_html_") else Markup("<p class='fine'>{}</p>").format(repr(value))
    if isinstance(value, Shown):
        called = Markup('class="dataframe"><caption class="unseen">{}</caption>').format(about)
        told = told.replace('class="dataframe">', called, 1)
    return {"figure": "", "html": "" if value is None else told}


def keep(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Execute the notebooks, by name, and write a page of each, with what all pages need beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"site.css": asset("site.css"), "site.js": asset("site.js"), "plotly.min.js": plotly_script()}.items():
        (folder / name).write_text(text, encoding="utf-8")
    titles = {name: title(text) for name, text in texts.items()}
    found = []
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(page(name, executed(name, text), titles), encoding="utf-8")
        found.append(folder / f"{name}.html")
    return found
