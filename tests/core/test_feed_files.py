from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import yaml

from churnlake.core.contract import INT, STRING, TIMESTAMP, Column, Table
from churnlake.core.errors import SettingsError
from churnlake.core.feeds import Feed, load_feed
from churnlake.core.landing_files import CHUNK, landing_files
from churnlake.core.settings import conf_folder
from churnlake.tables.raw import RECORD_FEEDS, REFERENCE_FEEDS

VISITS = Table(
    "raw.visits",
    "One row per visit.",
    stored=False,
    columns=(
        Column("guest", STRING, "Guest."),
        Column("at", TIMESTAMP, "When."),
        Column("nights", INT, "Nights.", optional=True),
        Column("way", STRING, "Which way.", one_of=("in", "out"), optional=True),
    ),
)
ROW = {"guest": "WHO", "at": {"column": "WHEN", "format": "yyyyMMddHHmmss", "zone": "Asia/Shanghai"}, "nights": "N"}
FEED = {"feed": "visits", "format": "csv", "numbers": "opaque", "rows": [ROW]}


def written(folder: Path, content: object) -> Path:
    path = folder / "inn" / "visits.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_a_feed_file_is_read(tmp_path: Path) -> None:
    feed = load_feed(written(tmp_path, FEED), VISITS)
    assert feed.columns == ["WHO", "WHEN", "N"]
    assert feed.rows[0]["guest"].column == "WHO"
    assert not feed.has_record_id


@pytest.mark.parametrize("path", sorted(conf_folder().glob("feeds/*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_feed_file_of_the_house_fits_its_contract(path: Path) -> None:
    contracts = {table.name.removeprefix("raw."): table for table in (*RECORD_FEEDS, *REFERENCE_FEEDS)}
    assert load_feed(path, contracts[path.stem]).feed == path.stem


def test_the_city_maps_every_column_of_every_feed() -> None:
    for table in (*RECORD_FEEDS, *REFERENCE_FEEDS):
        feed = load_feed(conf_folder() / "feeds" / "city" / f"{table.name.removeprefix('raw.')}.yaml", table)
        assert [set(entry) for entry in feed.rows] == [set(table.names)], table.name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "unknown key 'colour'; there are delimiter, encoding, feed"),
        (
            {"rows": [{**ROW, "guest": {"column": "WHO", "trim": True}}]},
            "unknown key 'rows.1.guest.trim'; there are codes, column",
        ),
        ({"rows": [{**ROW, "room": "ROOM"}]}, "raw.visits has no column room; it has guest, at, nights, way"),
        ({"rows": [{"guest": "WHO"}]}, "rows entry 1 does not map at, which raw.visits requires"),
        ({"rows": [ROW, {"guest": "WHO"}]}, "rows entry 2 does not map at"),
        ({"rows": [{**ROW, "at": {"column": "WHEN", "zone": "Asia/Chang"}}]}, "there is no time zone 'Asia/Chang'"),
        ({"rows": [{**ROW, "at": "WHEN"}]}, "at: a time needs zone:"),
        ({"rows": [{**ROW, "at": {"column": "WHEN", "zone": "UTC", "format": "when"}}]}, "format 'when' is not a date pattern"),
        ({"rows": [{**ROW, "nights": {"column": "N", "value": "1"}}]}, "give either column: or value:"),
        ({"rows": [{**ROW, "nights": {"column": "N", "otherwise": "1"}}]}, "otherwise: needs codes:"),
        ({"rows": [{**ROW, "guest": {"column": "WHO", "scale": 0.1}}]}, "guest: scale: is for numbers only"),
        (
            {"rows": [{**ROW, "way": {"column": "W", "codes": {"1": "in", "2": "outgoing"}}}]},
            "way: 'outgoing' is none of in, out",
        ),
        ({"rows": [{**ROW, "way": {"column": "W", "codes": {"1": "in"}, "otherwise": "?"}}]}, "way: '?' is none of in, out"),
        ({"rows": [{**ROW, "way": {"value": "up"}}]}, "way: 'up' is none of in, out"),
        ({"rows": []}, "rows: list should have at least 1 item"),
        ({"format": "xml"}, "format: input should be 'csv' or 'parquet'"),
        ({"feed": "stays"}, "feed: is 'stays', but visits.yaml maps visits"),
        ({"encoding": "UTF-61"}, "there is no encoding 'UTF-61'"),
        ({"encoding": "UTF-16"}, "does not write line ends as one byte"),
        ({"header": False}, "header: must be true or the list"),
        ({"header": ["WHO", "N"]}, "at: column WHEN is not in header: WHO, N"),
        ({"delimiter": "||"}, "delimiter: string should have at most 1 character"),
    ],
)
def test_a_wrong_feed_file_names_the_culprit(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_feed(written(tmp_path, FEED | change), VISITS)
    assert str(refused.value).startswith(f"feed file {tmp_path / 'inn' / 'visits.yaml'}: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_feed_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_feed(tmp_path / "inn" / "visits.yaml", VISITS)
    with pytest.raises(SettingsError, match="not YAML"):
        load_feed(written(tmp_path, "feed: [visits"), VISITS)
    with pytest.raises(SettingsError, match="keys and values"):
        load_feed(written(tmp_path, "visits"), VISITS)


HEADER = b"WHO,WHEN,N\n"
CONTENTS = {
    "plain.csv": (HEADER + b"a,b,1\nc,d,2\n", 2),
    "no_last_end.csv": (HEADER + b"a,b,1\nc,d,2", 2),
    "crlf.csv": (HEADER.replace(b"\n", b"\r\n") + b"a,b,1\r\n\r\nc,d,2\r\n", 2),
    "mark.csv": (b"\xef\xbb\xbf" + HEADER + b"a,b,1\n", 1),
    "blank_first.csv": (b"\n\n" + HEADER + b"a,b,1\n", 1),
    "joined.csv": (HEADER + b"a,b,1\n" + HEADER + b"c,d,2\n", 2),
    "header_only.csv": (HEADER, 0),
    "header_without_end.csv": (HEADER.strip(), 0),
    "nul.csv": (HEADER + b"a\0,b,1\n\0\n", 1),
    "packed.csv.gz": (gzip.compress(HEADER + b"a,b,1\n") + gzip.compress(b"c,d,2\n"), 2),
    "long.csv": (HEADER + b"a,b,1\n" * (CHUNK // 3) + b"x" * (2 * CHUNK) + b"\n\nend", CHUNK // 3 + 2),
}


def test_files_are_hashed_and_counted_apart_from_spark(tmp_path: Path) -> None:
    feed = Feed.model_validate(FEED)
    day = tmp_path / "visits" / "date=2005-05-01"
    day.mkdir(parents=True)
    for name, (content, _) in CONTENTS.items():
        (day / name).write_bytes(content)
    for unfinished in (".plain.csv.crc", "_SUCCESS", "late.csv.part", "late.csv.tmp"):
        (day / unfinished).write_bytes(b"x")
    (tmp_path / "visits" / "_manifest.json").write_text("{}")
    found = {f.path.name: f for f in landing_files(tmp_path / "visits", feed)}
    assert {name: f.lines for name, f in found.items()} == {name: lines for name, (_, lines) in CONTENTS.items()}
    assert all(f.note is None and f.delivered_on.isoformat() == "2005-05-01" for f in found.values())
    assert all(f.file_id == hashlib.sha256(CONTENTS[name][0]).hexdigest()[:32] for name, f in found.items())
    assert all(f.bytes == len(CONTENTS[name][0]) for name, f in found.items())
    assert found["mark.csv"].header == ("WHO", "WHEN", "N")
    assert found["plain.csv"].name == "visits/date=2005-05-01/plain.csv"
    assert list(found) == sorted(found)


BROKEN = {
    "cut.csv.gz": (gzip.compress(HEADER + b"a,b,1\n" * 99)[:-12], "end-of-stream"),
    "not.csv.gz": (HEADER, "gzip"),
    "flipped.csv.gz": (gzip.compress(HEADER)[:-8] + b"\0" * 8, "CRC"),
    "unnamed.csv": (gzip.compress(HEADER), "gzip content without the ending .gz"),
    "empty.csv": (b"", "empty, it has not even a header; have it sent again"),
    "blank.csv": (b"\n \n", "not even a header"),
    "bits.csv.gz": (gzip.compress(HEADER + b"a,b,1\n" * 99)[:20] + b"\xff" * 20, "have it sent again"),
    "headless.csv": (b"a,,\nb,,\n", "none of the columns WHO, WHEN, N; look whether it is there"),
    "twice.csv": (b"WHO,WHO\na,b\n", "names a column twice"),
    "other.csv": (b"X,Y\na,b\n", "none of the columns WHO, WHEN, N"),
    "latin.csv": (b"WHO,\xff\n", "the header is not UTF-8 ('utf-8' codec can't decode"),
    "other.csv.zip": (b"PK", "deliver it plain or as .gz"),
    "OTHER.CSV.ZIP": (b"PK", "deliver it plain or as .gz"),
    "mac.csv": (HEADER.replace(b"\n", b"\r") + b"a,b,1\r", "lines end with CR alone"),
    "endless.csv": (b"x" * 200_000, "its first line is no header"),
    "10:00:00.csv": (HEADER + b"a,b,1\n", "its name holds :"),
    "a[1]*.csv": (HEADER + b"a,b,1\n", "its name holds * [ ]"),
    "back\\slash.csv": (HEADER + b"a,b,1\n", "give it another name"),
}


def test_a_file_that_can_not_be_read_is_reported_and_stops_no_other(tmp_path: Path) -> None:
    feed = Feed.model_validate(FEED)
    day = tmp_path / "visits" / "date=2005-05-01"
    day.mkdir(parents=True)
    (day / "a.csv").write_bytes(HEADER + b"a,b,1\n")
    for name, (content, _) in BROKEN.items():
        (day / name).write_bytes(content)
    found = {f.path.name: f for f in landing_files(tmp_path / "visits", feed)}
    assert (found["a.csv"].lines, found["a.csv"].note) == (1, None)
    for name, (content, why) in BROKEN.items():
        assert why in (found[name].note or ""), name
        assert (found[name].lines, found[name].bytes) == (0, len(content))
        assert found[name].file_id == hashlib.sha256(content).hexdigest()[:32]


def test_a_folder_within_a_day_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "visits" / "date=2005-05-01" / "hour=01").mkdir(parents=True)
    with pytest.raises(SettingsError, match="holds a folder, hour=01; put its files into date=2005-05-01 itself"):
        landing_files(tmp_path / "visits", Feed.model_validate(FEED))


@pytest.mark.parametrize("name", ["date=2005-5-1", "date=2005-02-30", "20050501", "date=20050501"])
def test_a_folder_with_no_day_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "visits" / name).mkdir(parents=True)
    with pytest.raises(SettingsError, match=f"visits/{name} is not named date=YYYY-MM-DD"):
        landing_files(tmp_path / "visits", Feed.model_validate(FEED))


def test_no_folder_means_no_files(tmp_path: Path) -> None:
    assert landing_files(tmp_path / "visits", Feed.model_validate(FEED)) == []
