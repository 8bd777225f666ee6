"""Delivered files spoiled after they were written: cut, repacked, renamed, late. Few files, so one at a time and in memory."""

from __future__ import annotations

import bz2
import gzip
import itertools
from collections.abc import Callable
from pathlib import Path

from churnlake.city import write
from churnlake.city.incidents import TAKEN_FROM, Happened, Incident
from churnlake.city.settings import CityScenario

TIME = {"voice": b"START_TIME", "sms": b"SEND_TIME", "mms": b"SEND_TIME"}
NUMBER, PEER, IMEI = b"MSISDN", b"OPP_NUMBER", b"IMEI"
Text = tuple[bytes, list[bytes]]
"""The header and the lines of a file."""


def spoil(plan: list[Incident], scenario: CityScenario, landing: Path) -> list[Happened]:
    """Spoil the files of a city as planned; a row of the truth for each, with the lines the file holds or should have held."""
    return [_spoil(incident, scenario, landing) for incident in plan if incident.day is None]


def _spoil(incident: Incident, scenario: CityScenario, landing: Path) -> Happened:
    kind, feed = incident.kind, incident.feed
    days = scenario.deliveries
    due = write.path(landing, feed, str(days[incident.delivery]), incident.part, scenario.files_per_delivery)
    arrives = due.parent.with_name(f"date={days[incident.arrives]}")
    whole = due.read_bytes()
    if kind in TAKEN_FROM:
        whole = write.path(
            landing, TAKEN_FROM[kind], str(days[incident.delivery]), incident.part, scenario.files_per_delivery
        ).read_bytes()
    header, *lines = gzip.decompress(whole).removesuffix(b"\n").split(b"\n")
    touched, spoiled = len(lines), due
    if kind in TEXTS:
        due.write_bytes(gzip.compress(TEXTS[kind](feed, (header, lines)), mtime=0))
        touched = min(1, touched) if kind == "cut_last_line" else touched
    elif kind in BYTES:
        due.write_bytes(BYTES[kind](whole))
    elif kind in NAMES:
        pack, ending = NAMES[kind]
        spoiled = due.with_name(due.name.removesuffix(".csv.gz") + ending)
        due.unlink()
        spoiled.write_bytes(pack(whole))
    elif kind == "missing_delivery":
        due.unlink()
    else:
        spoiled = arrives / (due.name if kind == "late_delivery" else due.name.replace(".csv.gz", "_again.csv.gz"))
        if kind == "late_delivery":
            due.unlink()
        if kind == "repacked_delivery":
            spoiled, whole = spoiled.with_suffix(""), gzip.decompress(whole)
        spoiled.write_bytes(whole)
    return Happened(kind, feed, days[incident.arrives], None, str(spoiled.relative_to(landing)), touched)


def _joined(text: Text, end: bytes = b"\n") -> bytes:
    header, lines = text
    return b"".join(line + end for line in (header, *lines))


def _rearranged(text: Text, change: Callable[[list[bytes], list[bytes]], list[bytes]]) -> bytes:
    """The file with ``change`` made of the fields of every line, the header too; it is told the names of the columns."""
    header, lines = text
    names = header.split(b",")
    new, *rest = (b",".join(change(names, line.split(b","))) for line in (header, *lines))
    return _joined((new, rest))


def _without(column: bytes, text: Text) -> bytes:
    return _rearranged(text, lambda names, fields: [f for name, f in zip(names, fields, strict=True) if name != column])


def _misnamed(one: bytes, other: bytes, text: Text) -> bytes:
    header, lines = text
    swap = {one: other, other: one}
    return _joined((b",".join(swap.get(name, name) for name in header.split(b",")), lines))


def _new_column(names: list[bytes], fields: list[bytes]) -> list[bytes]:
    # in the middle, where a reader that goes by place and not by name takes it for another
    return [*fields[:2], b"SWITCH_NO" if fields == names else b"7", *fields[2:]]


def _cut(text: Text) -> bytes:
    whole = _joined(text)
    return whole if not text[1] else whole[: -len(text[1][-1]) - 1] + b",".join(text[1][-1].split(b",")[:3])


def _header_between(text: Text) -> bytes:
    header, lines = text
    middle = len(lines) // 2
    return _joined((header, [*lines[:middle], header, *lines[middle:]]))


def _blanks_between(text: Text) -> bytes:
    return _joined((text[0], list(itertools.chain.from_iterable((line, b"") for line in text[1]))))


def _corrupt(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


TEXTS: dict[str, Callable[[str, Text], bytes]] = {
    "header_only": lambda _, text: _joined((text[0], [])),
    "missing_header": lambda _, text: _joined((text[1][0], text[1][1:])) if text[1] else b"",
    "wrong_delimiter": lambda _, text: _joined(text).replace(b",", b";"),
    "utf16": lambda _, text: b"\xff\xfe" + _joined(text).decode().encode("utf-16-le"),
    "swapped_columns": lambda feed, text: _misnamed(NUMBER, TIME[feed], text),
    "swapped_parties": lambda _, text: _misnamed(NUMBER, PEER, text),
    "missing_column": lambda feed, text: _without(TIME[feed], text),
    "missing_imei_column": lambda _, text: _without(IMEI, text),
    "wrong_feed": lambda _, text: _joined(text),
    "cut_last_line": lambda _, text: _cut(text),
    "repeated_header": lambda _, text: _header_between(text),
    "reordered_columns": lambda _, text: _rearranged(text, lambda _, fields: fields[::-1]),
    "new_column": lambda _, text: _rearranged(text, _new_column),
    "byte_order_mark": lambda _, text: b"\xef\xbb\xbf" + _joined(text),
    "crlf": lambda _, text: _joined(text, b"\r\n"),
    "blank_lines": lambda _, text: _blanks_between(text),
}
"""By kind: the text of the file, packed again under the same name."""
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty_file": lambda _: b"",
    "truncated_gzip": lambda packed: packed[: len(packed) // 2],
    "corrupt_gzip": _corrupt,
    "not_gzip": gzip.decompress,
}
"""By kind: the bytes of the file, under the same name."""
NAMES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "unfinished_file": (lambda packed: packed, ".csv.gz.part"),
    "gzip_without_ending": (lambda packed: packed, ".csv"),
    "other_packing": (lambda packed: bz2.compress(gzip.decompress(packed)), ".csv.bz2"),
}
"""By kind: the bytes of the file, under another ending."""
