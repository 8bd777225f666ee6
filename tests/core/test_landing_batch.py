"""Which files a run takes in: each once, whatever lies beside it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from churnlake.core import landing_files
from churnlake.core.errors import MissingInputError
from churnlake.core.landing import Landing
from churnlake.core.settings import conf_folder, load
from churnlake.core.workflows import SET
from churnlake.settings import Settings
from churnlake.tables.raw import RAW_MMS, RAW_SMS

FEEDS = (RAW_SMS, RAW_MMS)
HEADER = b"SEQ_NO,MSISDN,OPP_NUMBER,SEND_TIME,MT_FLAG,FEE_FEN\n"
LINE = b"A1,13800138000,13900139000,20050501080000,0,10\n"


def put(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def chosen(root: Path, registered: list[dict[str, Any]], feeds: str = "city") -> Landing:
    store = load(Settings, "local").store.model_copy(update={"landing": str(root), "feeds": feeds})
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
    put(tmp_path, "sms/date=2005-05-01/a.csv", b"other,columns\n1,2\n")
    with pytest.raises(
        MissingInputError, match=r"1 files .* can not be read as before: .*a\.csv: .*; mend the files or the feed file"
    ):
        chosen(tmp_path, half_way)
    (tmp_path / "sms/date=2005-05-01/a.csv").unlink()
    with pytest.raises(MissingInputError, match=r"are gone from .*a\.csv; put them back"):
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


def test_a_file_that_could_not_be_read_is_taken_in_once_it_is_mended(tmp_path: Path) -> None:
    path = "sms/date=2005-05-01/a.csv"
    put(tmp_path, path, HEADER.replace(b",", b"|") + LINE.replace(b",", b"|"))
    age(tmp_path / path)
    registered = chosen(tmp_path, []).register(FEEDS, "done")
    assert "mend the file or the feed file" in registered[0]["note"]
    assert chosen(tmp_path, registered).batch == "", "still as it was: registered once"
    feeds = tmp_path / "feeds" / "piped"
    feeds.mkdir(parents=True)
    text = (conf_folder() / "feeds" / "city" / "sms.yaml").read_text()
    (feeds / "sms.yaml").write_text(text.replace('delimiter: ","', 'delimiter: "|"'))
    mended = chosen(tmp_path, registered, str(feeds))
    assert (paths(mended), mended.mended, mended.rows_in()) == ([path], [path], 1)


def test_a_file_delivered_twice_is_registered_with_the_one_it_is_a_copy_of(tmp_path: Path) -> None:
    put(tmp_path, "sms/date=2005-05-01/a.csv", HEADER + LINE)
    put(tmp_path, "sms/date=2005-05-01/b.csv", HEADER + LINE)
    first = chosen(tmp_path, [])
    told = {row["path"]: (row["lines"], row["same_as"]) for row in first.register(FEEDS, "open")}
    assert told == {"sms/date=2005-05-01/a.csv": (1, None), "sms/date=2005-05-01/b.csv": (0, "sms/date=2005-05-01/a.csv")}
    assert first.left_out() == ["sms/date=2005-05-01/b.csv: has the content of sms/date=2005-05-01/a.csv, which is taken in once"]
    put(tmp_path, "sms/date=2005-05-02/c.csv", HEADER + LINE)
    again = chosen(tmp_path, first.register(FEEDS, "open"))
    assert (again.batch, paths(again)) == (first.batch, paths(first)), "finished with exactly that list"
    later = chosen(tmp_path, registered := again.register(FEEDS, "done"))
    assert [(row["path"], row["lines"], row["same_as"]) for row in later.register(FEEDS, "done")] == [
        ("sms/date=2005-05-02/c.csv", 0, "sms/date=2005-05-01/a.csv")
    ]
    assert chosen(tmp_path, [*registered, *later.register(FEEDS, "done")]).batch == ""


def test_a_file_in_the_wrong_feed_does_not_hide_the_right_one(tmp_path: Path) -> None:
    put(tmp_path, "mms/date=2005-05-01/m.csv", HEADER + LINE)
    misled = chosen(tmp_path, [])
    put(tmp_path, "sms/date=2005-05-01/s.csv", HEADER + LINE)
    put(tmp_path, "sms/date=2005-05-02/again.csv", HEADER + LINE)
    after = chosen(tmp_path, misled.register(FEEDS, "done"))
    assert [row["path"] for row in after.register(FEEDS, "done") if not row["same_as"]] == ["sms/date=2005-05-01/s.csv"]
    assert [(f.name, f.same_as) for f in after.copies] == [("sms/date=2005-05-02/again.csv", "sms/date=2005-05-01/s.csv")]
    assert after.seen_before == 1
    assert after.batch != misled.batch


def age(path: Path, seconds: float = 3600) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_files_taken_in_before_are_not_looked_into_again_until_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(300):
        put(tmp_path, f"sms/date=2005-05-01/{n:03}.csv", HEADER + LINE.replace(b"A1", b"A%d" % n))
        age(tmp_path / f"sms/date=2005-05-01/{n:03}.csv")
    put(tmp_path, "sms/date=2005-05-01/broken.csv.gz", HEADER)
    age(tmp_path / "sms/date=2005-05-01/broken.csv.gz")
    registered = chosen(tmp_path, []).register(FEEDS, "done")
    assert len(registered) == 301
    opened: list[str] = []
    whole = landing_files._seen
    monkeypatch.setattr(landing_files, "_seen", lambda path, *rest: opened.append(path.name) or whole(path, *rest))
    put(tmp_path, "sms/date=2005-05-02/new.csv", HEADER + LINE.replace(b"A1", b"N1"))
    again = chosen(tmp_path, registered)
    # but for those that could not be read: their feed file may have been mended
    assert (opened, paths(again), again.seen_before) == (["broken.csv.gz", "new.csv"], ["sms/date=2005-05-02/new.csv"], 300)
    # another size, and another time with the same size: both are looked into, and what is new is taken in
    put(tmp_path, "sms/date=2005-05-01/007.csv", HEADER + LINE + LINE)
    put(tmp_path, "sms/date=2005-05-01/008.csv", HEADER + LINE.replace(b"A1", b"B8"))
    assert paths(chosen(tmp_path, registered)) == [f"sms/date=2005-05-0{n}.csv" for n in ("1/007", "1/008", "2/new")]
    # a batch left half way is always looked into: it must be finished with exactly its files
    opened.clear()
    chosen(tmp_path, [row | {"batch_state": "open"} for row in registered if row["path"].endswith(("009.csv", "broken.csv.gz"))])
    assert len(opened) == 302


def test_a_file_changed_just_before_it_was_registered_is_looked_into_again(tmp_path: Path) -> None:
    put(tmp_path, "sms/date=2005-05-01/a.csv", HEADER + LINE)
    registered = chosen(tmp_path, []).register(FEEDS, "done")
    told = (tmp_path / "sms/date=2005-05-01/a.csv").stat()
    put(tmp_path, "sms/date=2005-05-01/a.csv", HEADER + LINE.replace(b"A1", b"A2"))
    os.utime(tmp_path / "sms/date=2005-05-01/a.csv", ns=(told.st_atime_ns, told.st_mtime_ns))
    assert paths(chosen(tmp_path, registered)) == ["sms/date=2005-05-01/a.csv"]


@pytest.mark.parametrize("happens", ["grows", "goes"])
def test_a_file_still_being_written_waits_for_a_later_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: str) -> None:
    put(tmp_path, "sms/date=2005-05-01/a.csv", HEADER + LINE)
    put(tmp_path, "sms/date=2005-05-01/b.csv", HEADER + LINE.replace(b"A1", b"A2"))
    whole = landing_files._seen

    def seen(path: Path, *rest: Any) -> Any:
        found = whole(path, *rest)
        if path.name == "b.csv":
            path.unlink() if happens == "goes" else path.write_bytes(path.read_bytes() + LINE)
        return found

    monkeypatch.setattr(landing_files, "_seen", seen)
    first = chosen(tmp_path, [])
    assert paths(first) == ["sms/date=2005-05-01/a.csv"]
    monkeypatch.undo()
    left = [] if happens == "goes" else ["sms/date=2005-05-01/b.csv"]
    assert paths(chosen(tmp_path, first.register(FEEDS, "done"))) == left


def test_spark_is_told_of_a_file_by_its_scheme_but_of_a_volume_by_its_bare_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "100 % of #1"
    assert landing_files.for_spark(odd / "a.csv") == f"file://{odd}/a.csv"
    monkeypatch.chdir(tmp_path)
    assert landing_files.for_spark(Path("sms/a.csv")) == f"file://{tmp_path}/sms/a.csv"
    landing = SET["store.landing"].replace("${var.catalog}", "prod")
    assert landing_files.for_spark(Path(landing) / "sms" / "a.csv") == f"{landing}/sms/a.csv"
