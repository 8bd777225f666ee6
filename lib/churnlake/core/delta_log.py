"""What a Delta table on this machine says of itself, read from its log without Spark: to look at a lake and change nothing.

Jobs read tables by ``core.lake`` alone; this is for who asks how a lake is before anything is started. After Delta's protocol:
the newest checkpoint, then the commits after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from churnlake.core.errors import ContractError


def described(path: Path) -> tuple[dict[str, str], list[str]]:
    """The properties and the column names of the newest version of a table. Raises ContractError where the log can not be read."""
    for action in _newest_first(path):
        if told := action.get("metaData"):
            columns = [field["name"] for field in json.loads(told["schemaString"])["fields"]]
            return dict(told["configuration"] or {}), columns
    raise ContractError(f"the log of the table at {path} says nothing of its columns")


def rows(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    """These columns of every row of a small table's newest version. Raises ContractError where that takes more than its files."""
    from pyarrow import parquet

    found = []
    for name, added in _files(path).items():
        if added.get("deletionVector"):
            raise ContractError(f"the table at {path} marks rows as deleted within files, which only Spark reads")
        parts = dict(added["partitionValues"] or {})
        wanted = [column for column in columns if column not in parts]
        read = parquet.ParquetFile(path / unquote(name)).read(columns=wanted).to_pylist()
        found += [{**_in_small_letters(row), **{name: value for name, value in parts.items() if name in columns}} for row in read]
    return found


def _in_small_letters(value: Any) -> Any:
    """A value with the names in it in small letters: Spark takes them in whatever letters, and writes those of a struct as its DDL has them."""
    if isinstance(value, dict):
        return {name.lower(): _in_small_letters(held) for name, held in value.items()}
    return [_in_small_letters(one) for one in value] if isinstance(value, list) else value


def _files(path: Path) -> dict[str, dict[str, Any]]:
    """The files of the newest version, by name, with what the log says of each."""
    found: dict[str, dict[str, Any]] = {}
    gone: set[str] = set()
    for action in _newest_first(path):
        if told := action.get("remove"):
            gone.add(told["path"])
        elif (told := action.get("add")) and told["path"] not in gone:
            found.setdefault(told["path"], told)
    return found


def _newest_first(path: Path) -> Iterator[dict[str, Any]]:
    """What the log says, the newest first, back to the newest checkpoint, which says the rest."""
    log = path / "_delta_log"
    commits = {int(file.stem): file for file in log.glob("*.json") if file.stem.isdigit()}
    whole = _checkpoint(log)
    for version in sorted(commits, reverse=True):
        if version > whole:
            # of one commit a file added counts, not its removal: the last that is said of it stands last
            for line in reversed(commits[version].read_text(encoding="utf-8").splitlines()):
                yield json.loads(line)
    if whole >= 0:
        yield from _told_by_checkpoint(log, whole)


def _checkpoint(log: Path) -> int:
    """The version of the newest whole checkpoint; -1 where there is none."""
    parts: dict[int, tuple[int, int]] = {}
    for file in log.glob("*.checkpoint.*parquet"):
        version, _, *more = file.name.split(".")
        count = int(more[1]) if len(more) == 3 else 1
        parts[int(version)] = parts.get(int(version), (0, count))[0] + 1, count
    return max((version for version, (there, count) in parts.items() if there >= count), default=-1)


def _told_by_checkpoint(log: Path, version: int) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    for file in sorted(log.glob(f"{version:020}.checkpoint.*parquet")):
        content = parquet.ParquetFile(file)
        if "sidecar" in content.schema_arrow.names:
            raise ContractError(f"the log at {log} has checkpoints in a form that only Spark reads")
        yield from content.read(columns=["metaData", "add"]).to_pylist()
