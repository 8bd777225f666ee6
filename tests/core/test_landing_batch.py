"""Which files a run takes in: each once, whatever lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from churnlake.core.errors import MissingInputError
from churnlake.core.landing import Landing
from churnlake.core.settings import load
from churnlake.settings import Settings
from churnlake.tables.raw import RAW_MMS, RAW_SMS

FEEDS = (RAW_SMS, RAW_MMS)
HEADER = b"SEQ_NO,MSISDN,OPP_NUMBER,SEND_TIME,MT_FLAG,FEE_FEN\n"
LINE = b"A1,13800138000,13900139000,20050501080000,0,10\n"


def put(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def chosen(root: Path, registered: list[dict[str, Any]]) -> Landing:
    store = load(Settings, "local").store.model_copy(update={"landing": str(root)})
    landing = Landing(store)
    landing.mapped(FEEDS)
    landing.choose(FEEDS, registered, None)  # type: ignore[arg-type]
    return landing


def paths(landing: Landing) -> list[str]:
    return sorted(row["path"] for row in landing.register(FEEDS, "done"))


def test_a_file_that_can_not_be_read_does_not_hold_up_a_batch_left_half_way(tmp_path: Path) -> None:
    put(tmp_path, "sms/date=2005-05-01/a.csv", HEADER + LINE)
    put(tmp_path, "sms/date=2005-05-01/b.csv.gz", HEADER)
    first = chosen(tmp_path, [])
    half_way = first.register(FEEDS, "open")
    assert {row["path"]: row["note"] is None for row in half_way} == {
        "sms/date=2005-05-01/a.csv": True,
        "sms/date=2005-05-01/b.csv.gz": False,
    }
    put(tmp_path, "sms/date=2005-05-02/c.csv", HEADER + LINE.replace(b"A1", b"A2"))
    again = chosen(tmp_path, half_way)
    assert (again.batch, paths(again)) == (first.batch, paths(first)), "finished with exactly that list"
    done = again.register(FEEDS, "done")
    assert paths(chosen(tmp_path, done)) == ["sms/date=2005-05-02/c.csv"]
    (tmp_path / "sms/date=2005-05-01/a.csv").unlink()
    with pytest.raises(MissingInputError, match=r"a\.csv; put them back"):
        chosen(tmp_path, half_way)


def test_files_without_a_line_are_each_registered_once_though_they_are_alike(tmp_path: Path) -> None:
    registered: list[dict[str, Any]] = []
    batches = set()
    for day, content in (("01", HEADER), ("02", HEADER), ("03", b""), ("04", b"")):
        put(tmp_path, f"sms/date=2005-05-{day}/a.csv", content)
        landing = chosen(tmp_path, registered)
        assert paths(landing) == [f"sms/date=2005-05-{day}/a.csv"]
        batches.add(landing.batch)
        registered += landing.register(FEEDS, "done")
    assert len(batches) == 4
    assert chosen(tmp_path, registered).batch == ""


def test_a_file_in_the_wrong_feed_does_not_hide_the_right_one(tmp_path: Path) -> None:
    put(tmp_path, "mms/date=2005-05-01/m.csv", HEADER + LINE)
    misled = chosen(tmp_path, [])
    put(tmp_path, "sms/date=2005-05-01/s.csv", HEADER + LINE)
    put(tmp_path, "sms/date=2005-05-02/again.csv", HEADER + LINE)
    after = chosen(tmp_path, misled.register(FEEDS, "done"))
    assert paths(after) == ["sms/date=2005-05-01/s.csv"]
    assert after.seen_before == 2
    assert after.batch != misled.batch
