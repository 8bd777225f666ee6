"""Landing files as they lie: found, hashed and counted apart from Spark, so that its row counts have something to answer to."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import logging
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from churnlake.core.errors import SettingsError

if TYPE_CHECKING:
    from churnlake.core.feeds import Feed

logger = logging.getLogger(__name__)
CHUNK = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = bytes(range(33))
"""A line of nothing but blanks and control characters is empty, as it is for Spark's CSV reader."""
STARTS_BLANK = re.compile(rb"\n[\x00-\x20]")
Stamp = tuple[str, int, int]
VOLUMES = "/Volumes"
"""Where Databricks mounts the volumes of its catalogs."""
UNFINISHED = (".part", ".tmp")
NOT_IN_NAMES = set(":\\[]{}*?")
"""Signs that Hadoop takes in a path for others: a scheme, a pattern of names."""
OTHER_PACKING = (".bz2", ".zip", ".zst", ".lz4", ".xz", ".snappy", ".deflate")


@dataclass(frozen=True)
class LandingFile:
    """One delivered file: where it lies, what it holds, and why it can not be read where that is so.

    ``name`` is feed/date=YYYY-MM-DD/file; ``file_id`` the first 32 hex digits of the SHA-256 of its bytes; ``lines`` its
    data lines: neither blank nor the header. ``note`` is None for a readable file. ``same_as`` names another whose content it
    has: its lines are that one's.
    """

    path: Path
    name: str
    delivered_on: dt.date
    file_id: str
    bytes: int
    lines: int
    header: tuple[str, ...] = ()
    header_line: str = ""
    note: str | None = None
    modified_at: dt.datetime | None = None
    same_as: str | None = None


@dataclass(frozen=True)
class Listed:
    """A file as the folder shows it, not looked into."""

    path: Path
    name: str
    delivered_on: dt.date
    bytes: int
    modified_ns: int

    @property
    def stamp(self) -> Stamp:
        """What a file that nobody touched keeps: its name, size and time of last change in microseconds."""
        return self.name, self.bytes, self.modified_ns // 1000


def landing_files(folder: Path, feed: Feed) -> list[LandingFile]:
    """The files of one feed in its folder, by name: see ``listed`` and ``looked_into``."""
    return looked_into(listed(folder), feed)


def listed(folder: Path) -> list[Listed]:
    """The files in a feed's folder, by name. Those still being written (._ names, .part, .tmp) are left out.

    Raises SettingsError where a folder is not named date=YYYY-MM-DD, or has folders in it.
    """
    found: list[Listed] = []
    for day_folder in sorted(folder.iterdir()) if folder.is_dir() else []:
        if day_folder.name.startswith((".", "_")):
            continue
        delivered_on = _day(day_folder)
        with os.scandir(day_folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name.startswith((".", "_")) or entry.name.endswith(UNFINISHED):
                    continue
                if entry.is_dir():
                    where = f"landing folder {folder.name}/{day_folder.name}"
                    raise SettingsError(f"{where} holds a folder, {entry.name}; put its files into {day_folder.name} itself")
                if entry.is_file():
                    name, told = f"{folder.name}/{day_folder.name}/{entry.name}", entry.stat()
                    found.append(Listed(Path(entry.path), name, delivered_on, told.st_size, told.st_mtime_ns))
    return found


def for_spark(path: Path) -> str:
    """A file of this machine, or of a folder mounted on each, as Spark is told of it: a cluster takes a bare path for one of its own store.

    But for a volume of Databricks, which its Spark reads by the bare path alone: as a local file no JVM gets at it.
    """
    # as it is named, links and all: rows tell by that name which file they came from
    named = path.expanduser().absolute()
    return str(named) if named.is_relative_to(VOLUMES) else f"file://{named}"


def looked_into(files: Sequence[Listed], feed: Feed) -> list[LandingFile]:
    """The files hashed and counted. One that can not be read has a note instead; one that changed or went meanwhile is left out.

    Such a file is still being written: a later run takes it in.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return [file for file in pool.map(lambda file: _settled(file, feed), files) if file is not None]


def _settled(file: Listed, feed: Feed) -> LandingFile | None:
    try:
        seen = _seen(file.path, file.name, file.delivered_on, feed)
        now = file.path.stat()
    except FileNotFoundError:
        now = None
    if now is None or (now.st_size, now.st_mtime_ns) != (file.bytes, file.modified_ns) or seen.bytes != file.bytes:
        logger.info("%s is still being written; left for a later run", file.name)
        return None
    return replace(seen, modified_at=dt.datetime.fromtimestamp(file.modified_ns // 1000 / 1e6, dt.UTC))


def _day(folder: Path) -> dt.date:
    name = folder.name
    try:
        if folder.is_dir() and name.startswith("date=") and len(name) == len("date=YYYY-MM-DD"):
            return dt.date.fromisoformat(name.removeprefix("date="))
    except ValueError:
        pass
    where = f"landing folder {folder.parent.name}/{name}"
    raise SettingsError(f"{where} is not named date=YYYY-MM-DD; rename it or move it out of the feed's folder")


class _Hashing(io.RawIOBase):
    """A file that hashes and counts what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        self.size += len(data)
        return data


def _seen(path: Path, name: str, delivered_on: dt.date, feed: Feed) -> LandingFile:
    header: tuple[str, ...] = ()
    lines, header_line, note = 0, "", None
    try:
        opened = path.open("rb")
    except PermissionError as error:
        file_id = hashlib.sha256(name.encode()).hexdigest()[:32]
        return LandingFile(
            path, name, delivered_on, file_id, path.stat().st_size, 0, note=f"{error.strerror}: let the job read it"
        )
    with opened as file:
        raw = _Hashing(file)
        try:
            if odd := sorted(set(path.name) & NOT_IN_NAMES):
                raise ValueError(f"its name holds {' '.join(odd)}, which Spark can not read; give it another name")
            if path.suffix.lower() in OTHER_PACKING:
                raise ValueError(f"{path.suffix} is not read; deliver it plain or as .gz")
            if feed.format == "parquet":
                lines, header = _parquet(path)
            else:
                lines, header, header_line = _csv(raw, path.suffix == ".gz", feed)
        except (EOFError, OSError, zlib.error, ValueError, csv.Error) as error:
            lines, header, header_line, note = 0, (), "", _why(error, feed)
        while raw.read(CHUNK):
            pass
    return LandingFile(path, name, delivered_on, raw.digest.hexdigest()[:32], raw.size, lines, header, header_line, note)


def _why(error: Exception, feed: Feed) -> str:
    """Why a file can not be read, and what to do about it."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, csv.Error):
        return f"its first line is no header ({text}); look whether it is text and its lines have ends"
    if isinstance(error, UnicodeDecodeError):
        return f"the header is not {feed.encoding} ({text}); have it delivered so, or set encoding: in the feed file"
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        return f"not whole as gzip ({text}); have it sent again, or drop the ending .gz where it is not packed"
    return text


def _csv(raw: _Hashing, is_gzip: bool, feed: Feed) -> tuple[int, tuple[str, ...], str]:
    """Data lines, column names and the header line of a CSV file."""
    unpacked = gzip.GzipFile(fileobj=cast("IO[bytes]", raw)) if is_gzip else raw
    names: tuple[str, ...] = tuple(feed.header) if isinstance(feed.header, list) else ()
    header_line, header_bytes, count = "", b"", 0
    for chunk in _whole_lines(cast("IO[bytes]", unpacked)):
        if not is_gzip and count == 0 and chunk.startswith(b"\x1f\x8b"):
            raise ValueError("gzip content without the ending .gz (in small letters); give it that name")
        if not names:
            header_bytes = next((text for line in chunk.split(b"\n") if (text := _bare(line)).strip(BLANK)), b"")
            if not header_bytes:
                continue
            if b"\r" in header_bytes:
                raise ValueError("its lines end with CR alone; have it delivered with LF or CRLF")
            header_line = header_bytes.decode(feed.encoding)
            names = tuple(name.strip() for name in next(csv.reader([header_line], delimiter=feed.delimiter)))
            if not set(names) & set(feed.columns):
                raise ValueError(
                    f"the header has none of the columns {', '.join(feed.columns)}; look whether it is there and its names stand "
                    f"between '{feed.delimiter}', then mend the file or the feed file"
                )
            if len(set(names)) < len(names):
                raise ValueError("the header names a column twice")
        count += _data_lines(chunk, header_bytes)
    if not names:
        raise ValueError("the file is empty, it has not even a header; have it sent again")
    return count, names, header_line


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The content in chunks that end with a line, the last one perhaps without its line end."""
    rest: list[bytes] = []
    while data := file.read(CHUNK):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, data[:cut]])
            rest = [data[cut:]]
        else:
            rest.append(data)
    last = b"".join(rest)
    if last:
        yield last


def _data_lines(chunk: bytes, header: bytes) -> int:
    """Lines of a chunk that are neither blank nor the header (again)."""
    others = any(sign in chunk for sign in (BYTE_ORDER_MARK, *([header] if header else [])))
    if not others and chunk[0] > 32 and STARTS_BLANK.search(chunk) is None:
        return chunk.count(b"\n") + (not chunk.endswith(b"\n"))
    bare = (_bare(line) for line in chunk.removesuffix(b"\n").split(b"\n"))
    return sum(bool(line.strip(BLANK)) and line != header for line in bare)


def _bare(line: bytes) -> bytes:
    """A line without what editors and switches put around it."""
    return line.removesuffix(b"\r").removeprefix(BYTE_ORDER_MARK)


def _parquet(path: Path) -> tuple[int, tuple[str, ...]]:
    """Rows and column names, from the footer."""
    from pyarrow import ArrowInvalid, parquet  # type: ignore[import-untyped]

    try:
        footer = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise ValueError(str(error)) from error
    return int(footer.metadata.num_rows), tuple(footer.schema_arrow.names)
