"""Call lists as files: numbers in clear, so only their owner may read them, and each is there whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.tables.meanings import in_words

COLUMNS = ("number", "user", "place", "cell", "priority", "reasons")
"""What the call centre needs: whom to call, how to report back on the call, in which order, what to say."""
MONTH = re.compile(r"\d{4}-\d{2}")


def call_list(listed: DataFrame, lives: DataFrame, numbers: DataFrame) -> DataFrame:
    """One row per user to call: month, the columns of ``COLUMNS``, number null where the vault has none.

    Of the control arm nobody is called, and of users who gave their number back neither: it may be somebody else's.

    Args:
        listed: campaigns.lists, users who are to be left alone taken out.
        lives: reference.lives.
        numbers: number_key and number in clear, one row each.
    """
    held = lives.where("valid_to >= timestamp'9999-12-31'").select("user_id", "number_key")
    called = listed.where("arm = 'target'").join(held, on="user_id", how="inner").join(numbers, on="number_key", how="left")
    reasons = F.array_join(in_words(F.col("reasons")), "; ")
    return called.select("month", "number", F.col("user_id").alias("user"), "place", "cell", "priority", reasons.alias("reasons"))


def write(folder: Path, month: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Write the list of one month, ``<folder>/<month>/<cell>.csv``, in order of place; lines by cell.

    A cell that has nobody left has no file. The same rows give the same bytes.
    """
    by_cell: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell"]), []).append(row)
    place = folder / month
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for cell, listed in by_cell.items():
        _replace(
            place / f"{cell}.csv",
            [[str(row[name]) for name in COLUMNS] for row in sorted(listed, key=lambda row: int(row["place"]))],
        )
    for file in place.glob("*.csv"):
        if file.stem not in by_cell:
            file.unlink()
    return {cell: len(listed) for cell, listed in sorted(by_cell.items())}


def exported(folder: Path) -> dict[Path, list[list[str]]]:
    """By file, the lines of every list that was written, the header left out."""
    found = {}
    for file in sorted(folder.glob("*/*.csv")) if folder.is_dir() else []:
        if MONTH.fullmatch(file.parent.name):
            with file.open(encoding="utf-8", newline="") as stream:
                found[file] = list(csv.reader(stream))[1:]
    return found


def users(folder: Path) -> list[int]:
    """The users on every list that was written, each once."""
    place = COLUMNS.index("user")
    return sorted({int(line[place]) for lines in exported(folder).values() for line in lines})


def strike_out(folder: Path, gone: Collection[int]) -> int:
    """Take the lines of these users out of every list that was written; how many those were."""
    texts, place = {str(user) for user in gone}, COLUMNS.index("user")
    count = 0
    for file, lines in exported(folder).items():
        left = [line for line in lines if line[place] not in texts]
        count += len(lines) - len(left)
        if not left:
            file.unlink()
        elif len(left) < len(lines):
            _replace(file, left)
    return count


def _replace(file: Path, lines: list[list[str]]) -> None:
    """Put a file of these lines there in one step, for its owner alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)
    # made readable by its owner only, and seen under its name when whole
    handle, whole = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text.getvalue())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(whole, file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(whole)
        raise
