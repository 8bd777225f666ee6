from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import texts
from churnlake.core.contract import DATE, INT, MONEY, STRING, TIMESTAMP, Column, Table
from churnlake.core.feed_rows import WRONG_FIELDS, read_feed, read_schema
from churnlake.core.feeds import Feed
from churnlake.core.landing_files import landing_files

STAYS = Table(
    "raw.stays",
    "One row per stay.",
    stored=False,
    columns=(
        Column("record_id", STRING, "Id.", optional=True),
        Column("guest", STRING, "Guest."),
        Column("at", TIMESTAMP, "When."),
        Column("until", DATE, "Until.", optional=True),
        Column("nights", INT, "Nights.", optional=True),
        Column("paid", MONEY, "Paid.", optional=True),
        Column("kind", STRING, "Kind.", optional=True),
    ),
)
TIME = {"column": "WHEN", "format": "yyyyMMddHHmmss", "zone": "Asia/Shanghai"}
ROW: dict[str, Any] = {
    "record_id": "ID",
    "guest": "WHO",
    "at": TIME,
    "nights": "N",
    "paid": {"column": "FEN", "scale": 0.01},
    "kind": {"column": "K", "codes": {"1": "single", "2": "double"}},
}
HEADER = "ID,WHO,WHEN,N,FEN,K\n"
Landed = Callable[..., DataFrame]


@pytest.fixture
def landed(spark: SparkSession, tmp_path: Path) -> Landed:
    """Writes files into the landing folder and reads them back by a feed file's keys."""

    def land(files: dict[str, str | bytes], row: Any = None, day: str = "2005-05-07", **keys: Any) -> DataFrame:
        folder = tmp_path / "stays" / f"date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        rows = row if isinstance(row, list) else [row or ROW]
        feed = Feed.model_validate({"feed": "stays", "format": "csv", "numbers": "opaque", "rows": rows, **keys})
        frame = read_feed(spark, feed, STAYS, landing_files(tmp_path / "stays", feed))
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in read_schema(STAYS)]
        return frame

    return land


def by_id(frame: DataFrame) -> dict[str, Any]:
    return {r.record_id: r for r in frame.collect()}


def test_a_line_becomes_a_row_of_the_contract(landed: Landed, tmp_path: Path) -> None:
    (row,) = landed({"a b+c%.csv": HEADER + 'r1,"Li, Wei",20050501080000,3,1250,2\n'}).collect()
    (file,) = landing_files(
        tmp_path / "stays", Feed.model_validate({"feed": "stays", "format": "csv", "numbers": "opaque", "rows": [ROW]})
    )
    assert (row.record_id, row.guest, row.nights, row.paid, row.kind) == ("r1", "Li, Wei", 3, Decimal("12.50"), "double")
    assert row["at"] == dt.datetime(2005, 5, 1, 0, 0)
    assert (row.delivered_on, row.file_id) == (dt.date(2005, 5, 7), file.file_id)
    assert row.raw_text == 'r1,"Li, Wei",20050501080000,3,1250,2'
    assert (row.until, row.unreadable, row.line_key) == (None, [], None)


def test_what_does_not_convert_is_named_and_what_is_missing_is_not(landed: Landed) -> None:
    found = by_id(
        landed(
            {
                "a.csv": HEADER
                + "\n".join(
                    [
                        "bad,a,20051301000000,x,1e400,9",
                        "none,a,NULL,,  ,",
                        "big,a,20050501000000,99999999999,99999999999999,1",
                        "pad, a ,20050501000000, 7 ,1,1",
                    ]
                )
            },
            missing=["", "NULL"],
        )
    )
    assert (found["bad"]["at"], found["bad"].nights, found["bad"].paid, found["bad"].kind) == (None, None, None, "9")
    assert found["bad"].unreadable == ["at", "nights", "paid"]
    assert (found["none"]["at"], found["none"].nights, found["none"].paid, found["none"].kind, found["none"].unreadable) == (
        None,
        None,
        None,
        None,
        [],
    )
    assert found["big"].unreadable == ["nights", "paid"]
    assert (found["pad"].guest, found["pad"].nights, found["pad"].unreadable) == ("a", 7, [])


def test_a_line_with_the_wrong_number_of_fields_is_set_apart_whole(landed: Landed) -> None:
    lines = [
        "r1,a,20050501000000,3",
        "r2,a,20050501000000,3,1,1,more",
        "garbage",
        '"open,a,20050501000000,3,1,1',
        "r5,a,20050501000000,3,1,1",
    ]
    found = {r.raw_text: r for r in landed({"a.csv": HEADER + "\n".join(lines)}).collect()}
    assert set(found) == set(lines)
    assert [found[line].unreadable for line in lines] == [[WRONG_FIELDS]] * 4 + [[]]
    assert all(found[line].guest is None and found[line].record_id is None for line in lines[:4])


@pytest.mark.parametrize("sign", ["|", "^", "x"])
def test_a_line_says_the_same_with_quotes_and_without(landed: Landed, sign: str) -> None:
    plain = ["r1", "a b", "20050501000000", "3", "", "1"]
    quoted = ["r2", *(f'"{field}"' for field in plain[1:])]
    lines = [HEADER.strip().split(","), plain, quoted, [*plain, ""], plain[:-1]]
    found = landed({"a.csv": "\n".join(sign.join(line) for line in lines)}, delimiter=sign, missing=["NULL"]).collect()
    told = {
        row.raw_text: tuple(row[name] for name in ("guest", "at", "nights", "paid", "kind")) + tuple(row.unreadable)
        for row in found
    }
    first, second, more, fewer = (told[sign.join(line)] for line in lines[1:])
    assert first == second == ("a b", dt.datetime(2005, 4, 30, 16), 3, None, "single")
    assert more == fewer == (None,) * 5 + (WRONG_FIELDS,)


def test_odd_files_are_read(landed: Landed) -> None:
    line = "{},a,20050501000000,1,1,1"
    found = by_id(
        landed(
            {
                "empty.csv": "",
                "header.csv": HEADER,
                "crlf.csv": HEADER.replace("\n", "\r\n") + line.format("crlf") + "\r\n\r\n",
                "mark.csv": "\ufeff" + HEADER + line.format("mark"),
                "gz.csv.gz": gzip.compress((HEADER + line.format("gz")).encode()),
                "order.csv": "WHO,ID,NEW,WHEN,K,N\na,order,x,20050501000000,1,4\n",
                "again.csv": HEADER + line.format("again") + "\n" + HEADER,
                "nul.csv": HEADER.encode() + b"nul,a\0b,20050501000000,1,1,1\n",
                "bytes.csv": HEADER.encode() + b"bytes,\xff\xfe,20050501000000,1,1,1\n",
                "cut.csv.gz": gzip.compress((HEADER + line.format("cut") * 50).encode())[:-12],
            }
        )
    )
    assert set(found) == {"crlf", "mark", "gz", "order", "again", "nul", "bytes"}
    assert all(r.unreadable == [] and r["at"] is not None for r in found.values())
    assert found["crlf"].raw_text == line.format("crlf")
    assert (found["order"].guest, found["order"].nights, found["order"].paid) == ("a", 4, None)
    assert found["nul"].guest == "a\0b"
    assert found["bytes"].guest == "\ufffd\ufffd"


def test_spark_reads_as_many_lines_as_were_counted(landed: Landed, tmp_path: Path) -> None:
    frame = landed(
        {"a.csv": "\n\r\n" + HEADER + 'r1,"x\ny",1\n\n \n\ufeff\n\ufeffr2,a\n\rr3\r\r\n\0\n' + HEADER + HEADER.strip()}
    )
    (file,) = landing_files(
        tmp_path / "stays", Feed.model_validate({"feed": "stays", "format": "csv", "numbers": "opaque", "rows": [ROW]})
    )
    assert frame.count() == file.lines == 4


def test_other_encodings_and_delimiters(landed: Landed) -> None:
    for encoding in ("GBK", "ISO-8859-1"):
        guest = "李伟" if encoding == "GBK" else "Zoë"
        content = HEADER.replace(",", "|") + f"r1|{guest}|20050501000000|1|1|1\nr2|a\x01b|20050501000000|1|1|1\n"
        found = by_id(landed({"a.csv": content.encode(encoding)}, encoding=encoding, delimiter="|"))
        row = found["r1"]
        assert (found["r2"].guest, found["r2"].unreadable) == ("a\x01b", [])
        assert (row.guest, row.nights, row.unreadable) == (guest, 1, [])
        assert row.raw_text == f"r1|{guest}|20050501000000|1|1|1"


def test_files_without_a_header(landed: Landed) -> None:
    content = "r1,a,20050501000000,1,1,1\nr2,a,20050501000000,1,1,1\n"
    found = by_id(landed({"a.csv": content}, header=HEADER.strip().split(",")))
    assert set(found) == {"r1", "r2"}


def test_one_line_may_yield_two_rows_and_has_one_key(landed: Landed) -> None:
    seconds = {"column": "T", "epoch_from": "2005-01-01 00:00:00", "zone": "Asia/Shanghai"}
    both = [
        {"guest": "A", "at": seconds, "kind": {"value": "out"}, "nights": "N"},
        {"guest": "B", "at": seconds, "kind": {"value": "in"}},
    ]
    content = "T,A,B,N\n60,x,y,1\n60,x,y,1\nsoon,x,y,many\n60,x\n"
    rows = landed({"a.csv": content, "b.csv": content + "\n"}, both).collect()
    good = [r for r in rows if r.raw_text == "60,x,y,1"]
    assert sorted((r.guest, r.kind, r.nights) for r in good) == [("x", "out", 1)] * 4 + [("y", "in", None)] * 4
    assert {r["at"] for r in good} == {dt.datetime(2004, 12, 31, 16, 1)}
    assert len({r.line_key for r in good}) == 2, "the same occurrence in another file is the same record"
    assert sorted(r.unreadable for r in rows if r.raw_text.startswith("soon")) == [["at"]] * 2 + [["at", "nights"]] * 2
    assert [r.unreadable for r in rows if r.raw_text == "60,x"] == [[WRONG_FIELDS]] * 4
    assert all(r.line_key is not None for r in rows)


def test_codes_may_have_an_otherwise_and_come_before_the_type(landed: Landed) -> None:
    row = ROW | {
        "kind": {"column": "K", "codes": {"-1": "none"}, "otherwise": "some"},
        "nights": {"column": "N", "codes": {"-1": "0"}},
    }
    found = by_id(
        landed({"a.csv": HEADER + "r1,a,20050501000000,-1,1,-1\nr2,a,20050501000000,5,1,7\nr3,a,20050501000000,,1,\n"}, row)
    )
    assert [(found[i].nights, found[i].kind) for i in ("r1", "r2", "r3")] == [(0, "none"), (5, "some"), (None, None)]


def test_parquet_files_are_read_by_the_same_mapping(landed: Landed, spark: SparkSession, tmp_path: Path) -> None:
    made = tmp_path / "made"
    frame = spark.sql("select 'r1' ID, 'a' WHO, timestamp'2005-05-01 00:00:00Z' WHEN, 3L N, 1250 FEN, '2' K")
    frame.coalesce(1).write.parquet(str(made))
    (part,) = made.glob("*.parquet")
    (row,) = landed({"a.parquet": part.read_bytes()}, ROW | {"at": "WHEN"}, format="parquet").collect()
    assert (row.guest, row["at"], row.nights, row.paid, row.kind) == ("a", dt.datetime(2005, 5, 1), 3, Decimal("12.50"), "double")
    assert '"ID":"r1"' in row.raw_text
    assert row.unreadable == []


def test_nothing_landed_is_an_empty_frame(landed: Landed) -> None:
    assert landed({}).count() == 0


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (
            "yyyyMMddHHmmss",
            {"20050501080910": "2005-05-01 00:09:10"},
            [
                "2005050108091",
                "200505010809100",
                "20050501240000",
                "20050501236000",
                "20050501 80910",
                "2005050108095Z",
                "200505010809+5",
                "2005-5-1080910",
                "20050230000000",
                "2005050108091x",
            ],
        ),
        (
            "yyyy-MM-dd HH:mm:ss",
            {"2005-05-01 08:09:10": "2005-05-01 00:09:10"},
            ["2005-05-01T08:09:10", "2005-05-01 08:09", "2005-05-01", "2005/05/01 08:09:10"],
        ),
        (
            "dd/MM/yyyy HH:mm",
            {"01/05/2005 08:09": "2005-05-01 00:09:00"},
            ["1/5/2005 08:09", "01-05-2005 08:09", "01/05/2005 08:0Z"],
        ),
        ("yyyyMMdd", {"20050501": "2005-04-30 16:00:00"}, ["2005050", "20050532", "2005050Z"]),
        ("d.M.yyyy H:mm", {"1.5.2005 8:09": "2005-05-01 00:09:00"}, ["1.5.05 8:09", "x"]),
    ],
)
def test_times_are_read_by_their_pattern(spark: SparkSession, pattern: str, good: dict[str, str], bad: list[str]) -> None:
    frame = spark.createDataFrame([(t,) for t in (*good, *bad)], "t string")
    found = {
        r.t: r.v
        for r in frame.select("t", texts.to_time(F.col("t"), pattern, "Asia/Shanghai").cast("string").alias("v")).collect()
    }
    assert found == good | dict.fromkeys(bad)


def test_days_are_read_by_their_pattern(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [("2005-05-01", "20050501", "1 May 2005"), ("2005-05-1", "2005-5-1", "")], "a string, b string, c string"
    )
    found = frame.select(*(texts.to_day(F.col(c), p) for c, p in (("a", None), ("b", "yyyyMMdd"), ("c", "d MMM yyyy")))).collect()
    assert tuple(found[0]) == (dt.date(2005, 5, 1),) * 3
    assert tuple(found[1]) == (None, None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_blank_lines_are_counted_and_read_alike(landed: Landed, tmp_path: Path, encoding: str) -> None:
    """Both the count and the reader leave out what holds no sign to be seen, whichever reader the encoding needs."""
    line = "r{},Li,20050501080000,3,1250,2"
    texts = [
        line.format(1),
        "",
        "   ",
        "\t\r",
        "\x1a",
        "\x00",
        ' "unclosed',
        line.format(2),
        "x\x00y",
        " " + line.format(3),
        "   ",
    ]
    keys = {"encoding": encoding, "rows": [ROW]}
    frame = landed({"a.csv": (HEADER + "\n".join(texts)).encode(encoding)}, **{"encoding": encoding})
    feed = Feed.model_validate({"feed": "stays", "format": "csv", "numbers": "opaque", **keys})
    (file,) = landing_files(tmp_path / "stays", feed)
    assert file.lines == frame.count() == 5
    assert sorted(r.record_id for r in frame.collect() if not r.unreadable) == ["r1", "r2", "r3"]
