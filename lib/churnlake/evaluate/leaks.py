"""The privacy grep: every number, IMSI, IMEI and document number of the landing files, looked for in everything a run leaves behind.

Values are not grepped for one by one: the runs of digits that an output holds are cut into pieces of the lengths there are and
looked up in the set of values. Looked through are all files of the lake, the vault, the work folder (logs, pages, Data Docs,
summary) and of MLflow: Parquet by its values (text in any nesting, whole numbers), gzip unpacked, all else by its bytes. Not
looked through: decimals and dates of Parquet, and store.exports, where numbers belong.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from churnlake.core.feeds import Feed
from churnlake.core.landing import Landing
from churnlake.core.landing_files import listed
from churnlake.core.settings import StoreSettings
from churnlake.landing.settings import LandingSettings
from churnlake.settings import Settings
from churnlake.tables.raw import RECORD_FEEDS, REFERENCE_FEEDS

PERSONAL = {
    "number": "numbers", "peer_number": "numbers", "forwarded_to": "numbers", "stated_number": "numbers", "old_number": "numbers",
    "imsi": "IMSI", "imei": "IMEI", "document": "documents",
}  # fmt: skip
"""The columns of the landing contract that tell who somebody is, and what they hold."""
LEAST, TAIL = 10, 8
"""Digits of the shortest value looked for: shorter ones (service numbers, local lines) are anything. And of a tail that still tells."""
MOBILE, FIXED, IMEI_DIGITS = re.compile(r"1[3-9]\d{9}$"), re.compile(r"0\d{9,11}$"), 14
RUN = re.compile(rb"\d{%d,}" % TAIL)
WORD = re.compile(rb"(?<![0-9A-Za-z.])\d{%d,%d}(?![0-9A-Za-z.])" % (TAIL, LEAST))
CHUNK = 1 << 24
TOLD = (".html", ".json", ".log", ".txt", ".md", ".yaml", ".yml", ".csv", "")
"""Files that people read: in these a tail of a number, standing alone, is looked for too."""


@dataclass
class Found:
    """What was looked for and through, and where a value was seen. It holds no value."""

    values: Counter[str] = field(default_factory=Counter)
    landing_files: int = 0
    files: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    hits: list[tuple[str, str, int]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The result as text, a line each."""
        searched = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.values.items()))
        looked = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.files.items()))
        found = [f"FOUND in {where}: {count} of {kind}" for where, kind, count in self.hits]
        verdict = "none of them stands anywhere" if not found else f"{len(found)} places hold some"
        return [
            f"looked for {searched} of {self.landing_files:,} landing files",
            f"looked through {sum(self.files.values()):,} files, {self.bytes / 1e6:,.1f} MB: {looked}",
            *found,
            verdict,
        ]


def leaks(settings: Settings) -> Found:
    """Look for every personal value of the landing files in the outputs of the runs on them."""
    found = Found()
    by_kind = personal_values(settings.store, settings.landing, found)
    search = _Search(by_kind)
    for kind, root in outputs(settings).items():
        for path in sorted(p for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file()):
            found.files[kind] += 1
            found.bytes += path.stat().st_size
            for what, count in sorted(search.of_file(path).items()):
                found.hits.append((str(path), what, count))
    return found


def outputs(settings: Settings) -> dict[str, Path]:
    """By name, the folders and files that runs write, those that are there; a lake elsewhere than on a file system is not looked through."""
    store, tracking = settings.store, settings.tracking
    told = {
        "of the lake": store.lake, "of the vault": store.vault_folder, "of logs and pages": store.work,
        "of MLflow's artifacts": tracking.artifacts, "of MLflow's database": tracking.uri.removeprefix("sqlite:///"),
    }  # fmt: skip
    events = settings.spark.conf.get("spark.eventLog.dir", "")
    told |= {"of Spark's event log": events.removeprefix("file://")} if events else {}
    return {kind: Path(where) for kind, where in told.items() if "://" not in where and Path(where).exists()}


def personal_values(store: StoreSettings, settings: LandingSettings, found: Found | None = None) -> dict[str, set[str]]:
    """By kind, the digits of every personal value in the landing files: numbers without what was dialled before them."""
    found = found or Found()
    landing, values = Landing(store), {kind: set[str]() for kind in PERSONAL.values()}
    for noun, table in landing.mapped((*RECORD_FEEDS, *REFERENCE_FEEDS)).items():
        feed = landing.feed(table)
        columns = {
            source.column: PERSONAL[name]
            for entry in feed.rows
            for name, source in entry.items()
            if name in PERSONAL and source.column
        }
        for file in listed(Path(store.landing) / noun) if columns else []:
            found.landing_files += 1
            for column, cell in _cells(file.path, feed, columns):
                value = _digits(cell, columns[column], settings)
                if value:
                    values[columns[column]].add(value)
    found.values.update({kind: len(some) for kind, some in values.items()})
    return values


def _cells(path: Path, feed: Feed, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every cell of these columns, as written; broken lines by the place the column has in whole ones."""
    if feed.format == "parquet":
        from pyarrow import parquet  # type: ignore[import-untyped]

        for batch in parquet.ParquetFile(path).iter_batches(columns=list(columns)):
            for name, cells in batch.to_pydict().items():
                yield from ((name, str(cell)) for cell in set(cells))
        return
    names: list[str] = list(feed.header) if isinstance(feed.header, list) else []
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for line in stream:
                # a file's own encoding matters to no digit; a quote planted open would swallow what follows
                cells = line.decode("latin-1").replace('"', "").removeprefix("\xef\xbb\xbf").rstrip("\r\n").split(feed.delimiter)
                if not names:
                    names = [cell.strip() for cell in cells]
                    places = [(name, names.index(name)) for name in columns if name in names]
                    continue
                yield from ((name, cells[place]) for name, place in places if place < len(cells))
    except (EOFError, OSError, gzip.BadGzipFile):
        # cut short: what could be read was
        return


def _digits(cell: str, kind: str, settings: LandingSettings) -> str:
    """The digits that stand for somebody; empty where they are too few, or a service number."""
    digits = re.sub(r"[^0-9]", "", cell)
    if kind == "IMEI":
        return digits[:IMEI_DIGITS] if len(digits) >= IMEI_DIGITS and digits.strip("0") else ""
    if kind != "numbers":
        return digits if len(digits) >= IMEI_DIGITS else ""
    prefix = next((p for p in settings.ip_prefixes if digits.startswith(p) and len(digits) > len(p) + TAIL), "")
    bare = digits.removeprefix(prefix)
    if any(bare.startswith(p) for p in settings.service_prefixes):
        return ""
    met = MOBILE.search(bare) or FIXED.search(bare)
    return met[0] if met else ""


class _Search:
    """The values, ready to be looked up."""

    def __init__(self, by_kind: dict[str, set[str]]) -> None:
        self.kinds = {value.encode(): kind for kind, values in by_kind.items() for value in values}
        self.lengths = sorted({len(value) for value in self.kinds})
        self.tails = {value[-n:] for value, kind in self.kinds.items() if kind == "numbers" for n in range(TAIL, LEAST + 1)}
        self.whole = sorted(int(value) for value in self.kinds)

    def of_file(self, path: Path) -> Counter[str]:
        """How many places of a file hold a value, by kind."""
        if path.suffix == ".parquet":
            return self.of_parquet(path)
        hits: Counter[str] = Counter()
        rest = b""
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            while data := stream.read(CHUNK):
                # a run cut by the end of a chunk is looked at with the next
                text = rest + data
                cut = len(text.rstrip(b"0123456789"))
                rest, text = (text[cut:], text[:cut]) if len(text) - cut < CHUNK else (b"", text)
                hits += self.of_bytes(text, path.suffix in TOLD)
        return hits + self.of_bytes(rest, path.suffix in TOLD)

    def of_bytes(self, text: bytes, with_tails: bool = False) -> Counter[str]:
        """How many runs of digits of a text hold a value; of those that people read, also the tails that stand alone."""
        hits: Counter[str] = Counter()
        for run in RUN.findall(text):
            for length in self.lengths:
                for start in range(len(run) - length + 1):
                    kind = self.kinds.get(run[start : start + length])
                    if kind:
                        hits[kind] += 1
        if with_tails:
            hits["tails of numbers"] += sum(word in self.tails for word in WORD.findall(text))
        return +hits

    def of_parquet(self, path: Path) -> Counter[str]:
        """How many values of a Parquet file are, or as text hold, one looked for."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import compute, parquet

        hits: Counter[str] = Counter()
        whole = np.array(self.whole, dtype=np.int64)
        for batch in parquet.ParquetFile(path).iter_batches():
            waiting = [compute.unique(column) if not pa.types.is_nested(column.type) else column for column in batch.columns]
            while waiting:
                column = waiting.pop()
                kind = column.type
                if pa.types.is_struct(kind):
                    waiting += [column.field(i) for i in range(kind.num_fields)]
                elif pa.types.is_map(kind):
                    waiting += [column.keys, column.items]
                elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
                    waiting.append(column.flatten())
                elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
                    held = column.drop_null().to_numpy(zero_copy_only=False)
                    for value in held[np.isin(held, whole)]:
                        hits[self.kinds.get(str(int(value)).encode(), "values with zeros before them")] += 1
                elif (
                    pa.types.is_string(kind)
                    or pa.types.is_large_string(kind)
                    or pa.types.is_binary(kind)
                    or pa.types.is_dictionary(kind)
                ):
                    texts = (
                        v if isinstance(v, bytes) else v.encode() for v in compute.unique(column).to_pylist() if v is not None
                    )
                    hits += self.of_bytes(b"\n".join(texts))
        return hits
