"""What holds of every page a person reads, told from its text alone: links, headings, landmarks, tables, pictures. No browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import unquote

VOID = ("meta", "link", "input", "br", "img", "hr")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NAMED = ("aria-label", "aria-labelledby", "title")
Attributes = dict[str, str]


class Page(HTMLParser):
    """One page taken apart: ids, links, what it loads, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.faults: list[str] = []
        self.seen: Counter[str] = Counter()
        self.labels: set[str] = set()
        self.controls: list[Attributes] = []
        self._open: list[tuple[str, Attributes]] = []
        self._text: list[str] = []
        self._level = 0
        self._captions = 0
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag, _ in self._open]
        self.faults += [f"id {name} stands {n} times" for name, n in self.ids.items() if n > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.seen[tag] += 1
        self.ids.update([given["id"]] if "id" in given else [])
        if "href" in given:
            (self.loads if tag == "link" else self.links).append(given["href"])
        self.loads += [given[name] for name in ("src", "srcset", "poster") if name in given]
        if int(given.get("tabindex", 0)) > 0:
            self.faults.append(f"<{tag}> is put before others by its tabindex")
        if tag in HEADINGS:
            level = int(tag[1])
            if level > self._level + 1:
                self.faults.append(f"<{tag}> follows a heading of level {self._level}")
            self._level = level
        if tag == "table":
            self._captions = 0
        if tag == "caption":
            self._captions += 1
        if tag == "th" and given.get("scope") not in ("col", "row", "rowgroup"):
            self.faults.append("a <th> without scope")
        if tag == "img" and "alt" not in given:
            self.faults.append("an <img> without alt")
        if (
            tag == "svg"
            and "aria-hidden" not in given
            and not (given.get("role") and (given.get("aria-label") or "bars" in given.get("class", "")))
        ):
            self.faults.append("an <svg> that says nothing")
        if given.get("role") == "img" and tag != "svg" and not given.get("aria-label"):
            self.faults.append(f"a <{tag}> that is a picture and says nothing")
        if tag == "nav" and not given.get("aria-label"):
            self.faults.append("a <nav> without a name")
        if tag == "label":
            self.labels.add(given.get("for", ""))
        if tag in ("input", "select", "textarea"):
            self.controls.append(given)
        if tag not in VOID:
            self._open.append((tag, given))
        if tag in ("a", "button", "th", "summary", "caption", *HEADINGS):
            self._text = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            self.faults.append(f"</{tag}> closes nothing, or something else")
            return
        _, given = self._open.pop()
        is_empty = not "".join(self._text).strip()
        if (
            tag in ("a", "button", "th", "summary", "caption", *HEADINGS)
            and is_empty
            and not any(given.get(name) for name in NAMED)
        ):
            self.faults.append(f"an empty <{tag}>")
        if tag == "table" and self._captions != 1:
            self.faults.append("a <table> without caption")


def faults(site: Mapping[str, str], *, others: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the pages of a site, in words; ``others`` are files beside it that links may lead to."""
    pages = {name: Page(text) for name, text in site.items() if name.endswith(".html")}
    found = []
    for name, page in pages.items():
        told = [*page.faults]
        for link in page.links:
            path, _, anchor = link.partition("#")
            if path and path not in site and path not in others:
                told.append(f"a link to {link}, which is not there")
            elif anchor and (path or name) in pages and unquote(anchor) not in pages[path or name].ids:
                told.append(f"a link to {link}: no such place on that page")
        for part in page.loads:
            if not part.startswith("data:") and part not in site:
                told.append(f"it loads {part}, which is not beside it")
        told += [
            f"{page.seen[tag]} <{tag}>" for tag in ("main", "h1", "header", "footer") if page.seen[tag] != 1 and tag != "header"
        ]
        told += [
            "a control without a name"
            for one in page.controls
            if not one.get("aria-label") and one.get("id", "") not in page.labels
        ]
        found += [f"{name}: {one}" for one in told]
    return found
