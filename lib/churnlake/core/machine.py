"""Is this machine fit for a run: Python, Java, packages, jars, memory, key, folders, registry of models. Looks, changes nothing, starts no Spark.

Where a run itself would trip over something (Java, jars, the key, feed files), the check asks the same function, so that both say the same.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import os
import shutil
import sqlite3
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from packaging.requirements import Requirement

from churnlake.core import jars, pseudonyms
from churnlake.core.contract import Table
from churnlake.core.finding import FAIL, WARN, Finding, asked, ok
from churnlake.core.landing import Landing
from churnlake.core.session import is_submitted, java_found
from churnlake.core.settings import CoreSettings, SparkSettings, StoreSettings
from churnlake.core.tracking import PATIENCE, PORTS, SQLITE, answers, without_password

ROOT = Path(__file__).parents[3]
LEAST_PYTHON = (3, 11)
OPEN_TO_OTHERS = 0o007
LEAST_FREE, LITTLE_FREE = 0.5e9, 5e9
"""Bytes free where tables or Spark's temporary files lie: a demonstration needs 2 GB in all, an operator's day more."""
BESIDE_THE_HEAP = 1.5
"""A session takes so many times the memory of its JVM's heap, with what the JVM needs beside it and Python: 6 GB of 4 (the demonstration)."""


def alone() -> Iterator[Finding]:
    """What can be asked without settings: Python, Java, packages."""
    yield asked("python", _python)
    yield asked("java", lambda: ok("java", "{} at {}".format(*java_found())))
    yield asked("packages", lambda: packages(ROOT))


def around(settings: CoreSettings, feeds: Sequence[Table]) -> Iterator[Finding]:
    """What a run of these settings needs around it: jars, memory, zone, key, folders, registry of models."""
    store = settings.store
    yield asked("jars", lambda: jars_there(settings.spark))
    yield asked("memory", lambda: memory(settings.spark))
    yield asked("zone", lambda: _zone(store.city_zone))
    yield asked("key", lambda: key(store))
    yield asked("landing", lambda: landing(store))
    yield asked("feeds", lambda: _feeds(store, feeds))
    places = {"lake": store.lake, "vault": store.vault_folder, "work": store.work, "exports": store.exports}
    for name, place in places.items():
        yield asked(name, lambda name=name, place=place: writable(name, place))  # type: ignore[misc]
    yield asked("temporary", lambda: writable("temporary", tempfile.gettempdir()))
    yield asked("mlflow", lambda: registry(settings.tracking.uri))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < LEAST_PYTHON:
        return Finding("python", FAIL, f"{version} at {sys.executable}", "install Python {}.{} or newer".format(*LEAST_PYTHON))
    return ok("python", f"{version} at {sys.executable}")


def packages(root: Path) -> Finding:
    """The packages that the project needs, of the versions locked where a lock is there; those for tests alone may be missing."""
    lock, project = root / "requirements.lock", root / "pyproject.toml"
    # what a cluster brings in a version of its own
    extras = set() if is_submitted() else {"spark"}
    if project.is_file():
        declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        more = declared.get("optional-dependencies", {})
        needed = [*declared["dependencies"], *(one for extra in extras for one in more.get(extra, ()))]
    else:
        wanted = importlib.metadata.requires("churnlake") or []
        needed = [
            one for one in wanted if "extra ==" not in one or any(f"'{extra}'" in one.replace('"', "'") for extra in extras)
        ]
    wrong = [told for one in needed if (told := _unlike(Requirement(one)))]
    if wrong:
        return Finding("packages", FAIL, ", ".join(wrong), "run make setup, or pip install -r requirements.lock")
    if not lock.is_file():
        return ok("packages", f"the {len(needed)} that the project needs; no requirements.lock to hold them against")
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    there = [pin for pin in pins if _version(pin.name) is not None]
    moved = [told for pin in there if (told := _unlike(pin))]
    if moved:
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        return Finding("packages", WARN, ", ".join(moved[:3]) + more, "run make setup for what was tested together")
    return ok("packages", f"{len(there)} of {len(pins)} locked ones, of their versions")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unlike(asked_for: Requirement) -> str:
    """What is there in place of the package asked for, in words; empty where it is as it should be."""
    if asked_for.marker is not None and not asked_for.marker.evaluate({"extra": "spark"}):
        return ""
    found = _version(asked_for.name)
    if found is None:
        return f"{asked_for.name} is not installed"
    return (
        "" if asked_for.specifier.contains(found, prereleases=True) else f"{asked_for.name} is {found}, not {asked_for.specifier}"
    )


def jars_there(spark: SparkSettings) -> Finding:
    """Every locked jar is there, and is the file locked."""
    locked = jars.locked(spark.groups)
    if is_submitted() or not locked:
        return ok("jars", "come with spark-submit" if is_submitted() else "no deploy/jars.lock here; a cluster brings its own")
    if wrong := jars.differing(spark.jars, spark.groups):
        todo = f"delete it and run {jars.command(spark.groups)}, which fetches the one of deploy/jars.lock"
        return Finding("jars", FAIL, f"{', '.join(wrong)} in {spark.jars} is not the file locked", todo)
    return ok("jars", f"{len(locked)} in {spark.jars}, as locked")


def memory(spark: SparkSettings, total: float | None = None) -> Finding:
    """The machine, or the container it is seen from, has the memory that the JVM asks for and what goes beside it."""
    if is_submitted():
        return ok("memory", "told by spark-submit")
    heap = _bytes_of(spark.driver_memory)
    total = _memory_here() if total is None else total
    told = f"spark.driver_memory {spark.driver_memory}, the machine has {total / 2**30:,.1f} GB"
    todo = f"set spark.driver_memory to at most {max(int(total / BESIDE_THE_HEAP / 2**30), 1)}g, or take a larger machine"
    if heap >= total:
        return Finding("memory", FAIL, told, todo)
    return Finding("memory", WARN, told, todo) if heap * BESIDE_THE_HEAP > total else ok("memory", told)


def _bytes_of(text: str) -> float:
    """Bytes of Spark's way to write memory.

    >>> _bytes_of("4g") / 2**30, _bytes_of("512m") / 2**30
    (4.0, 0.5)
    """
    units = {"k": 10, "m": 20, "g": 30, "t": 40}
    number, unit = text.strip().lower().removesuffix("b"), 20
    if number[-1:] in units:
        number, unit = number[:-1], units[number[-1]]
    return float(number) * 2.0**unit


def _memory_here() -> float:
    found = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(limit).read_text().strip() if Path(limit).is_file() else ""
        found = min(found, float(text)) if text.isdigit() else found
    return found


def _zone(name: str) -> Finding:
    here = dt.datetime.now(ZoneInfo(name))
    return ok("zone", f"{name}, where it is {here:%H:%M} now (UTC{here:%z})")


def key(store: StoreSettings) -> Finding:
    """The pseudonym key, or each of its ring, is there, long enough, not the published one where that is not allowed, and for few eyes."""
    found = pseudonyms.checked_here(store.key_file, store.allow_demo_key)
    demo = [place for place, (_, digest) in found.items() if digest == pseudonyms.DEMO_SHA256]
    files = [Path(place).expanduser() for place in found if not place.startswith(pseudonyms.ENVIRONMENT) and place not in demo]
    if seen := [str(file) for file in files if file.stat().st_mode & OPEN_TO_OTHERS]:
        return Finding("key", FAIL, f"{', '.join(seen)} is open to every user of this machine", f"chmod o= {' '.join(seen)}")
    if away := [place for place in pseudonyms.places_of(store.key_file) if place not in found]:
        return ok("key", f"{', '.join(away)} is read by Spark alone; doctor --spark asks after it")
    if demo:
        return ok("key", f"{demo[-1]}, the published one, which this environment allows: for made-up data only")
    return ok("key", ", ".join(f"{place} ({length} bytes)" for place, (length, _) in found.items()))


def landing(store: StoreSettings) -> Finding:
    """The landing folder is there and can be looked into."""
    folder = Path(store.landing)
    if not folder.is_dir():
        return Finding(
            "landing", FAIL, f"no folder {folder}", "put files under <feed>/date=YYYY-MM-DD/ in it, or set store.landing"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding("landing", FAIL, f"{folder} can not be read", "let this user read it")
    files = sum(1 for _ in folder.glob("*/date=*/*"))
    return ok("landing", f"{files:,} files in {folder}")


def _feeds(store: StoreSettings, feeds: Sequence[Table]) -> Finding:
    there = Landing(store)
    return ok("feeds", f"{len(there.mapped(tuple(feeds)))} feed files in {there.feed_folder}, all in order")


def writable(what: str, place: str) -> Finding:
    """A folder that can be written to, or made, with room left; asked of its rights, without writing."""
    if "://" in place:
        return ok(what, f"{place}, which only Spark reaches")
    folder = Path(place).resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return Finding(what, FAIL, f"{there} is a file, so {folder} can be no folder", f"move it away, or set {_setting(what)}")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(what, FAIL, f"{there} can not be written to", f"let this user write there, or set {_setting(what)}")
    free = shutil.disk_usage(there).free
    told = f"{folder}, {free / 1e9:,.1f} GB free" + ("" if there == folder else ", made by the first run")
    if free >= LITTLE_FREE:
        return ok(what, told)
    return Finding(what, FAIL if free < LEAST_FREE else WARN, told, f"make room, or set {_setting(what)} to a larger disk")


def _setting(what: str) -> str:
    return "TMPDIR" if what == "temporary" else f"store.{what}"


def registry(uri: str) -> Finding:
    """MLflow's registry answers within seconds; a file that is not there yet is made by the first training."""
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE)).resolve()
        if not database.is_file():
            return ok("mlflow", f"{database} is not there yet; the first training makes it")
        with sqlite3.connect(f"file:{database}?mode=ro", timeout=PATIENCE, uri=True) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        connection.close()
        return ok("mlflow", f"{database} answers, {tables} tables")
    shown = without_password(uri)
    if uri.partition(":")[0].partition("+")[0] not in PORTS:
        return ok("mlflow", f"{shown}, which only MLflow's own client can ask")
    try:
        answers(uri)
        if uri.startswith(("http://", "https://")):
            # a port that is open may still have nobody behind it
            with (
                contextlib.suppress(urllib.error.HTTPError),
                urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=PATIENCE),
            ):
                pass
    except Exception as error:
        todo = "start it or set tracking.uri; until then scores can come from the copies kept at promotion, models.fall_back_to"
        return Finding("mlflow", FAIL, f"{shown} does not answer within {PATIENCE} s ({error})", todo)
    return ok("mlflow", f"{shown} answers")
