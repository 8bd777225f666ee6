"""The landing folder: which files a run takes in, once each, as one batch."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from churnlake.core.contract import DATE, INT, LONG, STRING, TIMESTAMP, Column, Table
from churnlake.core.errors import MissingInputError
from churnlake.core.feed_rows import read_feed
from churnlake.core.feeds import Feed, load_feed
from churnlake.core.landing_files import LandingFile, Stamp, listed, looked_into
from churnlake.core.settings import StoreSettings, conf_folder

FILES = Table(
    "raw.files",
    "One row per landing file taken in.",
    slice="batch",
    key=("path", "file_id"),
    columns=(
        Column("file_id", STRING, "SHA-256 of the content, first 32 hex digits."),
        Column("feed", STRING, "Feed."),
        Column("path", STRING, "Path below the landing folder."),
        Column("delivered_on", DATE, "Delivery day: the date= folder the file landed in."),
        Column("bytes", LONG, "Size on disk.", least=0),
        Column("lines", LONG, "Data lines, counted apart from Spark, header left out; 0 where they are another file's.", least=0),
        Column("rows_per_line", INT, "Rows the feed file makes of one line (2 when a line is a call of two parties).", least=1),
        Column("batch", STRING, "Batch that took it in: hash of its files' hashes."),
        Column("batch_state", STRING, "open: being taken in; done.", one_of=("open", "done")),
        Column("done_at", TIMESTAMP, "When the batch was done, UTC.", optional=True),
        Column(
            "modified_at",
            TIMESTAMP,
            "When the file was last changed, UTC: with the same name, size and time it is not looked into again.",
            optional=True,
        ),
        Column("note", STRING, "Why the file could not be read, when so; its lines are not taken in.", optional=True),
        Column(
            "same_as", STRING, "Path of the file whose content it has, byte for byte: taken in there, not again.", optional=True
        ),
    ),
)
MOST_TOLD = 10
"""Files named on the screen; the register has them all."""


class Landing:
    """The files of the run's batch, by feed; empty until a batch is chosen."""

    def __init__(self, store: StoreSettings) -> None:
        self._root = Path(store.landing)
        self._operator = store.feeds
        self._files: dict[str, list[LandingFile]] = {}
        self._feeds: dict[str, Feed] = {}
        self._before: dict[str, dt.date] = {}
        self.batch = ""
        self.unreadable: list[LandingFile] = []
        self.copies: list[LandingFile] = []
        self.mended: list[str] = []
        self.seen_before = 0

    @property
    def feed_folder(self) -> Path:
        """The operator's folder of feed files: conf/feeds/<operator>, or anywhere when ``store.feeds`` is a path."""
        named = Path(self._operator)
        return named if len(named.parts) > 1 else conf_folder() / "feeds" / named

    def feed_file(self, table: Table) -> Path:
        """The feed file that maps the operator's files to this landing table."""
        return self.feed_folder / f"{_noun(table)}.yaml"

    def feed(self, table: Table) -> Feed:
        """The parsed feed file. Raises SettingsError when it is wrong or not there."""
        if table.name not in self._feeds:
            self._feeds[table.name] = load_feed(self.feed_file(table), table)
        return self._feeds[table.name]

    def mapped(self, tables: tuple[Table, ...]) -> dict[str, Table]:
        """Those of these feeds that have a feed file, by name, each parsed. Needs no Spark.

        Raises SettingsError when one is wrong, MissingInputError when the operator has none at all.
        """
        if not any(self.feed_folder.glob("*.yaml")):
            raise MissingInputError(
                f"no feed files in {self.feed_folder}; write one for each feed delivered, or set store.feeds to the operator or folder that has them"
            )
        found = {_noun(table): table for table in tables if self.feed_file(table).is_file()}
        for table in found.values():
            self.feed(table)
        return found

    def folder(self, table: Table) -> Path:
        """Where the feed's files land, in folders named date=YYYY-MM-DD."""
        return self._root / _noun(table)

    def choose(
        self,
        tables: tuple[Table, ...],
        registered: Sequence[Any],
        last_day: dt.date | None,
        again: str | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        """Choose the batch: the files of an open batch if there is one, else those not taken in yet, delivered by ``last_day``.

        Of files that are named (feed/date=YYYY-MM-DD/file), ``only`` those.

        ``registered`` are the rows of raw.files; a file of a done batch that has its name, size and time of change still is not
        looked into again, unless it could not be read then or its batch is the one to take in ``again``. There is no batch where
        none of these feeds is mapped or delivered while others are. Raises MissingInputError when the landing folder or the
        operator's feed files are not there, or no file of any feed was ever delivered.
        """
        mine = self.mapped(tables)
        if not self._root.is_dir():
            raise MissingInputError(
                f"landing folder {self._root} is not there; put files under {self._root}/<feed>/date=YYYY-MM-DD/ or set store.landing"
            )
        known = {_identity(row["feed"], row["file_id"], row["path"], row["lines"]): row for row in registered}
        half_way = {
            told for told, row in known.items() if (row["batch_state"] == "open" or row["batch"] == again) and row["feed"] in mine
        }
        for row in registered:
            if row["batch_state"] == "done":
                self._before[row["feed"]] = max(row["delivered_on"], self._before.get(row["feed"], row["delivered_on"]))
        stamps = {stamp for row in registered if row["batch"] != again and row["note"] is None and (stamp := _stamp(row))}
        found: dict[tuple[str, str], tuple[Table, LandingFile]] = {}
        unread: dict[str, str] = {}
        delivered = 0
        for noun, table in mine.items():
            there = listed(self._root / noun)
            delivered += len(there)
            self.seen_before += sum(file.stamp in stamps for file in there)
            asked = there if only is None else [f for f in there if f.name in only]
            due = [f for f in asked if f.stamp not in stamps and not (last_day and f.delivered_on > last_day)]
            for landed in looked_into(due, self.feed(table)):
                if landed.note:
                    unread[landed.name] = landed.note
                told = _identity(noun, landed.file_id, landed.name, landed.lines)
                is_known = told in known and told not in half_way
                first = found[told][1].name if told in found else known[told]["path"] if is_known else landed.name
                if first != landed.name:
                    landed = replace(landed, lines=0, same_as=first)
                    told = _identity(noun, landed.file_id, landed.name, landed.lines)
                if told in found or (told in known and told not in half_way):
                    self.seen_before += landed.note is None
                elif not half_way or told in half_way:
                    found[told] = (table, landed)
        lost = half_way - set(found)
        if lost:
            names = sorted(known[told]["path"] for told in lost)
            spoiled = [name for name in names if name in unread]
            what, remedy = f"are gone from {self._root}: {', '.join(names[:3])}", "put them back"
            if spoiled:
                what, remedy = (
                    f"can not be read as before: {spoiled[0]}: {unread[spoiled[0]]}",
                    "mend the files or the feed file, and run again",
                )
            raise MissingInputError(f"{len(spoiled or lost)} files of a batch that was being taken in {what}; {remedy}")
        if not delivered and not registered and not any(self._root.glob("*/date=*/*")):
            raise MissingInputError(
                f"no files under {self._root}/<feed>/date=YYYY-MM-DD/; put the operator's files there or set store.landing"
            )
        self._files = {}
        for table, landed in found.values():
            if landed.note:
                self.unreadable.append(landed)
            elif landed.same_as:
                self.copies.append(landed)
            else:
                self._files.setdefault(table.name, []).append(landed)
        noted = {row["path"] for row in registered if row["note"] is not None and row["batch_state"] == "done"}
        self.mended = sorted(noted & {landed.name for _, landed in found.values()})
        ids = " ".join(" ".join(told) for told in sorted(found))
        self.batch = hashlib.sha256(ids.encode()).hexdigest()[:16] if ids else ""

    def files(self, table: Table) -> list[LandingFile]:
        """The batch's files of one feed."""
        return self._files.get(table.name, [])

    def file_ids(self) -> list[str]:
        """What tells the batch's files from others, of all feeds; sorted."""
        return sorted({f.file_id for files in self._files.values() for f in files})

    def delivered_before(self, table: Table) -> dt.date | None:
        """The newest delivery day of the table's feed among files taken in by earlier batches."""
        return self._before.get(_noun(table))

    def first_day(self) -> dt.date:
        """The earliest delivery day of the batch."""
        return min(f.delivered_on for files in self._files.values() for f in files)

    def read(self, spark: SparkSession, table: Table) -> DataFrame:
        """One row per row delivered: the canonical columns, delivered_on and the trace (see ``read_feed``)."""
        return read_feed(spark, self.feed(table), table, self.files(table))

    def headers(self, table: Table, paths: set[str]) -> dict[str, tuple[str, ...]]:
        """By file_id, the columns of those files of a feed that lie at ``paths`` still, as its feed file reads them now."""
        there = [file for file in listed(self._root / _noun(table)) if file.name in paths]
        return {file.file_id: file.header for file in looked_into(there, self.feed(table)) if file.note is None}

    def rows_in(self, table: Table | None = None) -> int:
        """Rows the batch brings by the independent line count, of all feeds or of the one that fills a table."""
        feeds = [name for name in self._files if table is None or self._feeds[name].feed == _noun(table)]
        return sum(f.lines * len(self._feeds[name].rows) for name in feeds for f in self._files[name])

    def bytes_in(self) -> int:
        """Size of the batch's files as they lie."""
        return sum(f.bytes for files in self._files.values() for f in files)

    def left_out(self) -> list[str]:
        """A line for each file of this run that is not taken in, and why; and for folders that no feed file speaks of."""
        lines = [f"{f.name}: {f.note}" for f in self.unreadable]
        lines += [f"{f.name}: has the content of {f.same_as}, which is taken in once" for f in self.copies]
        feeds = {path.stem for path in self.feed_folder.glob("*.yaml")}
        strange = [
            d.name for d in self._root.iterdir() if d.is_dir() and d.name not in feeds and not d.name.startswith((".", "_"))
        ]
        lines += [f"folder {name}: there is no feed file {self.feed_folder / name}.yaml" for name in sorted(strange)]
        return lines[:MOST_TOLD] + ([f"and {len(lines) - MOST_TOLD} more; see raw.files"] if len(lines) > MOST_TOLD else [])

    def register(self, tables: tuple[Table, ...], state: str) -> list[dict[str, Any]]:
        """Rows of raw.files for the batch."""
        nouns = {table.name: _noun(table) for table in tables}
        listed = [(nouns[name], f, len(self._feeds[name].rows)) for name, files in self._files.items() for f in files]
        listed += [(f.path.parent.parent.name, f, 1) for f in (*self.unreadable, *self.copies)]
        return [
            {
                "file_id": f.file_id, "feed": noun, "path": f.name, "delivered_on": f.delivered_on, "bytes": f.bytes,
                "lines": f.lines, "modified_at": f.modified_at,
                "rows_per_line": rows, "batch": self.batch, "batch_state": state, "note": f.note or None, "same_as": f.same_as,
                "done_at": dt.datetime.now(dt.UTC) if state == "done" else None,
            }
            for noun, f, rows in listed
        ]  # fmt: skip


def _identity(feed: str, file_id: str, path: str, lines: int) -> tuple[str, str]:
    """What tells a feed's file from others: its content. Those without a line, often byte for byte the same, by their path too."""
    return feed, file_id if lines else f"{file_id} {path}"


def _stamp(row: Any) -> Stamp | None:
    """Name, size and time of change of a registered file; None where they prove nothing.

    A file changed within two seconds before it was registered might have been changed again without its time showing it.
    """
    modified, done = row["modified_at"], row["done_at"]
    if row["batch_state"] != "done" or modified is None or done is None or done.timestamp() < modified.timestamp() + 2:
        return None
    return row["path"], row["bytes"], round(modified.timestamp() * 1e6)


def _noun(table: Table) -> str:
    return table.name.partition(".")[2]
