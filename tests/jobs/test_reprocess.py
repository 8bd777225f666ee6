"""Quarantine taken in again after a feed file was mended: nothing lost, nothing counted twice."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hamlet import Hamlet, key_files, sms
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError, MissingInputError
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.tables.clean import SMS

JOB = "reprocess_quarantine"
SECOND = sms(("b", 2, 1, "2"), ("b", 2, 1, "2"), ("a", 1, 0, "1"), ("c", 3, 2, "3")) + "d,13901234561\n"


def told(hamlet: Hamlet) -> list[tuple[Any, ...]]:
    """Every row of the ledger: state, what it says, where it came from; without the batch, which a kill may change."""
    rows = hamlet.spark.read.format("delta").load(hamlet.lake().path(SMS))
    return sorted(map(repr, rows.select("state", "record_key", "day", "reasons", "file_id", "kept_in", "raw_text").collect()))


def states(hamlet: Hamlet) -> Counter[str]:
    rows = hamlet.spark.read.format("delta").load(hamlet.lake().path(SMS))
    return Counter({row["state"]: row["count"] for row in rows.groupBy("state").count().collect()})


def settle(spark: SparkSession, home: Path) -> tuple[Hamlet, Path, str]:
    """One day taken in well, and a second one with a feed file that reads no date."""
    home.mkdir()
    hamlet = Hamlet(spark, home, key_files(home, 1))
    hamlet.deliver("sms", 1, "first.csv", sms(("a", 1, 0, "1")))
    hamlet.run("ingest_usage")
    hamlet.deliver("sms", 3, "second.csv", SECOND)
    feed = home / "feeds" / "sms.yaml"
    right = feed.read_text()
    feed.write_text(right.replace("{column: time,", "{column: time, format: 'dd.MM.yyyy HH:mm:ss',"))
    with pytest.raises(ContractError, match="only 0 of 5 rows are good"):
        hamlet.run("ingest_usage")
    return hamlet, feed, right


def test_lines_set_aside_for_a_wrong_feed_file_come_in_once_it_is_mended(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hamlet, feed, right = settle(spark, tmp_path / "one")
    assert states(hamlet) == {"good": 1, "bad": 5}
    with pytest.raises(MissingInputError, match="no feed vioce"):
        Hamlet(spark, hamlet.home, hamlet.keys, ["landing.reprocess_feeds=[vioce]"]).run(JOB)
    feed.write_text(right)

    def dies(lake: Lake, row: dict[str, Any]) -> None:
        if row["state"] != "open":
            raise KeyboardInterrupt
        logs(lake, row)

    logs = Lake.append_log
    monkeypatch.setattr(Lake, "append_log", dies)
    with pytest.raises(KeyboardInterrupt):
        hamlet.run(JOB)
    monkeypatch.setattr(Lake, "append_log", logs)
    assert hamlet.lake().read(SMS).count() == 1, "committed, and not seen"
    with pytest.raises(MissingInputError, match="reprocess_quarantine was cut short; run it again first"):
        hamlet.run("ingest_usage", restate=True)
    report = hamlet.run(JOB)[JOB]
    assert states(hamlet) == {"good": 3, "bad": 1, "duplicate": 2}
    files = hamlet.lake().read(FILES)
    lines = {row["file_id"]: row["lines"] for row in files.collect()}
    ledger = spark.read.format("delta").load(hamlet.lake().path(SMS))
    assert {row["file_id"]: row["count"] for row in ledger.groupBy("file_id").count().collect()} == lines
    again = ledger.where("state = 'duplicate' AND day = '2005-05-01'").select("kept_in").first()
    assert again is not None
    assert lines[again["kept_in"]] == 1, "the first file has it"
    assert hamlet.lake().read(SMS).count() == 3
    # the new rows lead back to the batch that set them aside, and that has the rest
    new = ledger.where("day >= '2005-05-02'").join(files.select("file_id", F.col("batch").alias("old")), "file_id", "inner")
    assert new.where("batch = old").count() == 0
    assert {day for written in report.written for day in written.days} == {dt.date(2005, 5, 2), dt.date(2005, 5, 3)}
    version, mended = hamlet.lake().storage.version(SMS), told(hamlet)
    assert hamlet.run(JOB)[JOB].written == []
    assert hamlet.lake().storage.version(SMS) == version
    assert (told(hamlet), hamlet.lake().hidden()) == (mended, {})


def test_lines_in_another_encoding_than_was_thought_come_in_once_the_feed_file_says_which(
    spark: SparkSession, tmp_path: Path
) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    text = sms(("a", 1, 0, "1"), ("b", 1, 1, "0"), ("c", 1, 2, "0"), ("d", 1, 3, "0"))
    hamlet.deliver("sms", 1, "chinese.csv", "")
    path = tmp_path / "landing" / "sms" / "date=2005-05-01" / "chinese.csv"
    # a header of plain letters tells nothing of the encoding; two lines say their direction in Chinese
    path.write_bytes(text.replace("10:00:00,out", "10:00:00,主叫", 2).encode("gb18030"))
    feed = tmp_path / "feeds" / "sms.yaml"
    right = feed.read_text().replace("direction: way", "direction: {column: way, codes: {主叫: out, out: out}}")
    feed.write_text(right)
    hamlet.run("ingest_usage")
    assert states(hamlet) == {"good": 2, "bad": 2}
    feed.write_text(right + "encoding: GB18030\n")
    report = hamlet.run(JOB)[JOB]
    assert (states(hamlet), report.left_out) == ({"good": 4}, [])
