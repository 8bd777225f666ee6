"""Every page opened in Chromium from disk: no complaint, nothing asked of the network, nothing too wide, both themes, keyboard, paper. No Spark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_checks import Page
from whole_site import BESIDE
from whole_site import site as whole_site

from churnlake.site.pages import NAVIGATION

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("CHURNLAKE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ON_DISK = [*NAVIGATION, "realism.html"]
DESK, PHONE, A4 = {"width": 1280, "height": 800}, {"width": 390, "height": 844}, {"width": 688, "height": 980}
RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GROUND = "getComputedStyle(document.body).getPropertyValue('--paper').trim()"
CUT_OFF = """[...document.querySelectorAll('table, svg.lineage, svg.stages')]
  .filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.caption?.textContent ?? one.outerHTML.slice(0, 60))"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason=f"no Chromium to open the pages in (looked for {', '.join(NAMES)}); install one (Debian: apt-get install chromium) or set CHURNLAKE_CHROMIUM",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up site on disk."""
    found = tmp_path_factory.mktemp("site")
    for name, text in {**whole_site(), BESIDE: "<!doctype html><title>Data Docs</title>"}.items():
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_text(text, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser, without a network it could reach."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # root has no sandbox in a container; there is nothing here but our own pages
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page at a desk, in the light theme; what the browser says of it, or asks of the network, is kept in ``said``."""
    context = chromium.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce", offline=True)
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    opened.said = []
    opened.on("console", lambda line: opened.said.append(line.text) if line.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("requestfailed", lambda asked: opened.said.append(f"not found: {asked.url}"))
    opened.on(
        "request", lambda asked: opened.said.append(asked.url) if not asked.url.startswith(("file:", "data:", "blob:")) else None
    )
    yield opened
    context.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds against the guidelines (WCAG 2.2, level AA) and good practice."""
    found = page.evaluate(f"axe.run(document, {{preload: false, resultTypes: ['violations'], runOnly: {RULES}}})")
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("name", ON_DISK)
def test_the_page_opens_from_disk_and_everybody_can_read_it(folder: Path, page: Any, name: str) -> None:
    import axe_playwright_python

    page.goto((folder / name).as_uri())
    charts = page.locator("[data-figure]").count()
    assert page.locator("[data-figure] .plot-container").count() == charts, "every chart is drawn"
    assert page.evaluate(TOO_WIDE) <= 0
    light = page.evaluate(GROUND)
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size(A4)
    assert page.evaluate(GROUND) == light, "paper is light"
    assert not page.locator(".top").is_visible()
    assert page.evaluate(CUT_OFF) == [], "cut off on paper"
    page.emulate_media(media="screen", color_scheme="dark")
    page.set_viewport_size(PHONE)
    assert page.evaluate(GROUND) != light, "the dark theme"
    # charts follow the screen's width after a moment
    page.wait_for_function(f"{TOO_WIDE} <= 0")
    # rows that are like those before them would only take the checker's time
    page.evaluate("document.querySelectorAll('tbody').forEach((body) => [...body.rows].slice(12).forEach((row) => row.remove()))")
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    assert violations(page) == [], "on a phone, dark"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
    assert violations(page) == [], "at a desk, light"
    assert page.said == []


def test_every_link_of_every_page_leads_somewhere(folder: Path, page: Any) -> None:
    links = {link for name in NAVIGATION for link in Page((folder / name).read_text(encoding="utf-8")).links}
    for link in sorted(link for link in links if not link.startswith("#")):
        name, _, place = link.partition("#")
        page.goto(f"{(folder / name).as_uri()}#{place}")
        assert page.title()
        assert not place or page.evaluate("document.querySelector(':target') !== null"), link
    assert page.said == []


def test_the_keyboard_reaches_the_content_the_pages_and_what_scrolls(folder: Path, page: Any) -> None:
    page.goto((folder / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0, "it shows itself"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.set_viewport_size(PHONE)
    page.reload()
    button, way = page.locator(".menu"), page.locator("nav#pages")
    assert not way.is_visible()
    button.press("Enter")
    assert way.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    page.goto((folder / "reentry.html").as_uri())
    box = page.locator(".scroll:has(caption:text('Likeliest cases'))")
    assert (box.get_attribute("tabindex"), box.get_attribute("role"), box.get_attribute("aria-label")) == (
        "0",
        "region",
        "Likeliest cases",
    )
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_long_tables_are_sorted_and_filtered_by_the_keyboard(folder: Path, page: Any) -> None:
    page.goto((folder / "indicators.html").as_uri())
    head = page.locator("th[data-sort]:has-text('PSI')")
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#all-indicators tbody tr").first.get_attribute("id") == "i-points"
    page.locator("input[name=word]").fill("no such word")
    assert page.locator("#all-indicators tbody tr:visible").count() == 0
    page.goto((folder / "dictionary.html").as_uri())
    page.locator("#find").fill("gap_days")
    assert page.locator("details.entry:visible").count() < 20


def test_without_scripts_the_figures_are_there(folder: Path, chromium: Any) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "churn.html").as_uri())
    assert page.locator("nav#pages").is_visible()
    page.locator("details.data summary").first.click()
    assert page.locator("details.data[open] table").is_visible()
    context.close()


def test_pages_are_printed(folder: Path, page: Any) -> None:
    page.goto((folder / "churn.html").as_uri())
    assert page.pdf(format="A4").startswith(b"%PDF")
