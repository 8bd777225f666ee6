"""Every command that the pages name is there, with the flags, settings, tables, jobs and days they name it with; no JVM needed."""

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from churnlake.__main__ import main
from churnlake.core.errors import SettingsError
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS, parse_days
from churnlake.core.settings import conf_folder, load
from churnlake.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINEAGE = Lineage.of_package()
JOBS = {job.name: job for job in LINEAGE.jobs}
TABLES = {table.name for table in LINEAGE.tables} | {RUNS.name}
FLAG = re.compile(r"(?<!\S)\[?(--[a-z][a-z-]*)")
EXAMPLE = "donghai"
"""An operator of the README, whose file of settings stands there."""
VALUES = {
    "--env": re.compile(r"--env (\w+)"),
    "--set": re.compile(r"--set \"?([\w.]+=[^\s\"]*)"),
    "--dates": re.compile(r"--dates (\S+?)\]?(?:\s|$)"),
    "--table": re.compile(r"--table ([a-z][\w.]+)"),
    "--from": re.compile(r"--from ([a-z]\w+)"),
    "--only": re.compile(r"--only ([a-z]\w+)"),
}


def commands(text: str) -> Iterator[str]:
    """What a page says to type: between backticks, and the lines of its fenced blocks without their comments."""
    text = text.replace("\\\n", " ")
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for line in (line for block in fenced for line in block.splitlines()):
        yield line.partition(" #")[0].strip()
    # inline code may be broken over two lines
    for inline in re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        yield " ".join(inline.split())


@cache
def flags_of(name: str) -> set[str]:
    """The flags that a command or job takes, by its own help; none where there is no such command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = JOBS[name].command(["--help"]) if name in JOBS else main([name, "--help"])
    return set(FLAG.findall(out.getvalue().replace(",", " "))) if code == 0 else set()


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def wrong(text: str) -> list[str]:
    """What a page names that is not there."""
    found = []
    for command in commands(text):
        asked = re.match(r"(?:\.venv/bin/)?python -m churnlake ([a-z-]+)(.*)", command)
        submitted = re.search(r"(?:^|\s)jobs/([a-z]\w+)\.py(.*)", command)
        make = re.match(r"make ([a-z-]+)", command)
        if make and make[1] not in targets():
            found.append(f"make {make[1]}: no such target")
        for name, rest in (told.groups() for told in (asked, submitted) if told):
            if submitted and name not in JOBS:
                found.append(f"jobs/{name}.py: no such job")
            elif not flags_of(name):
                found.append(f"{name}: no such command")
            else:
                found += [f"{name} {flag}: no such flag" for flag in FLAG.findall(rest) if flag not in flags_of(name)]
                found += [f"{name}: {told}" for told in _values_wrong(rest)]
    return found


def _values_wrong(rest: str) -> Iterator[str]:
    given = {flag: pattern.findall(rest) for flag, pattern in VALUES.items()}
    known = {EXAMPLE, *(path.stem for path in conf_folder().glob("*.yaml"))}
    yield from (f"no environment {env}" for env in given["--env"] if env not in known)
    yield from (f"no table {name}" for name in given["--table"] if name not in TABLES)
    yield from (f"no job {name}" for flag in ("--from", "--only") for name in given[flag] if name not in JOBS)
    for days in given["--dates"]:
        if days != "A..B":
            try:
                parse_days(days)
            except SettingsError as error:
                yield str(error)
    for override in given["--set"]:
        try:
            load(Settings, "local", [override.partition("=")[0] + "="])
        except SettingsError as error:
            # an empty value is wrong for most; what is asked is whether there is such a setting
            if "unknown setting" in str(error):
                yield str(error)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_to_type_is_there(page: Path) -> None:
    assert wrong(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("`python -m churnlake dokter`", "dokter: no such command"),
        ("so `python -m churnlake run\n--dry` shows", "run --dry: no such flag"),
        ("```\npython -m churnlake restore --runn X   # --run\n```", "restore --runn: no such flag"),
        ("`spark-submit jobs/build_dayly.py --env cluster`", "jobs/build_dayly.py: no such job"),
        ("```\nspark-submit --jars a.jar \\\n  jobs/build_daily.py --env moon\n```", "build_daily: no environment moon"),
        ("`python -m churnlake run --dates 2005-5-1`", "write a day as 2005-05-01"),
        ("`python -m churnlake run --set store.lak=x`", "unknown setting 'store.lak'"),
        ("`python -m churnlake run [--only build_dayly]`", "run: no job build_dayly"),
        ("`python -m churnlake release --table clean.voise`", "release: no table clean.voise"),
        ("`make dmeo`", "make dmeo: no such target"),
    ],
)
def test_what_is_not_there_is_found(text: str, told: str) -> None:
    (found,) = wrong(text)
    assert told in found


def test_pages_name_enough_to_be_asked() -> None:
    named = [command for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]
    assert sum("python -m churnlake " in command for command in named) > 30
    assert sum(re.search(r"jobs/\w+\.py", command) is not None for command in named) > 5


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+\.(?:md|png))(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} links to {target}"


def test_an_operators_settings_as_the_readme_has_them_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(conf_folder() / "base.yaml", tmp_path)
    told = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert told is not None
    (tmp_path / f"{EXAMPLE}.yaml").write_text(told[1], encoding="utf-8")
    monkeypatch.setenv("CHURNLAKE_CONF", str(tmp_path))
    settings = load(Settings, EXAMPLE)
    assert (settings.store.feeds, settings.landing.home_area) == (EXAMPLE, "0571")
    assert settings.churn.silent_days["easyown"] == 60
