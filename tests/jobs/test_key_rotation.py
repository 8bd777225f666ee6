"""A new pseudonym key: other keys are refused, stored tables are brought to it, and nothing else changes."""

from pathlib import Path

import pytest
from hamlet import DAYS, Hamlet, key_files, sms
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core import rotation
from churnlake.core.errors import ContractError
from churnlake.core.key_versions import PROPERTY
from churnlake.core.lake import Lake
from churnlake.core.storage import properties
from churnlake.evaluate.content import content
from churnlake.tables.clean import SMS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.reference import LIVES, SUBSCRIBERS

FIRST = (
    sms(("a", 1, 0, "1"), ("b", 1, 1, "0"), ("c", 2, 2, "3"), ("d", 2, 3, "13012345678")) + "e,139,12,2005-05-02 10:00:00,out\n"
)
# two are delivered again, one of them under an id that said something else before
SECOND = sms(("a", 1, 0, "1"), ("c", 2, 2, "4"), ("f", 3, 0, "2"), ("g", 3, 1, "2"))
JOBS = ("ingest_reference", "ingest_usage", "build_daily")


@pytest.mark.heavy
def test_a_rotated_lake_is_the_one_that_both_keys_made_from_the_start(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = key_files(tmp_path)
    rotated, straight = Hamlet(spark, tmp_path / "rotated", keys[:1]), Hamlet(spark, tmp_path / "straight", keys)
    for hamlet in (rotated, straight):
        hamlet.deliver_subscribers(1)
        hamlet.deliver("sms", 2, "first.csv", FIRST)
        hamlet.run(*JOBS)
        hamlet.deliver("sms", 3, "second.csv", SECOND)
    before = rotated.lake().read(EDGES).select("user_id").distinct().count()

    rotated.keys = keys
    with pytest.raises(ContractError, match=r"have pseudonyms of different keys; run job rotate_key"):
        rotated.run("ingest_usage")
    assert rotated.lake().ledger(SMS).count() == 5, "nothing was written with the other key"

    # killed in the middle: no reader sees a mix, and running again finishes it
    real, calls = rotation._rewrite, []

    def dies(lake: Lake, table: object, *others: object) -> int:
        calls.append(table)
        if table == USAGE:
            raise KeyboardInterrupt
        return real(lake, table, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(rotation, "_rewrite", dies)
    with pytest.raises(KeyboardInterrupt):
        rotated.run("rotate_key")
    assert len(calls) > 1
    for table in (SMS, USAGE, LIVES):
        with pytest.raises(ContractError, match="is half way to a new key; run job rotate_key"):
            rotated.lake().read(table)
    monkeypatch.setattr(rotation, "_rewrite", real)
    counts = rotated.run("rotate_key")["rotate_key"].facts
    assert counts[SMS.name] == 0, "what was done before the kill is not done again"
    assert counts[USAGE.name] == 2
    assert rotated.run("rotate_key")["rotate_key"].facts == {}

    for hamlet in (rotated, straight):
        hamlet.run(*JOBS)
    found, wanted = (content(spark, hamlet.settings, DAYS) for hamlet in (rotated, straight))
    assert found == wanted
    states = {r.state: r["count"] for r in rotated.lake().ledger(SMS).groupBy("state").count().collect()}
    assert states == {"good": 6, "bad": 2, "duplicate": 1}, "a record delivered before the rotation is known after it"
    assert rotated.lake().read(EDGES).select("user_id").distinct().count() == before
    lake = rotated.lake()
    text = lake.ledger(SMS).where("state = 'bad'").select(lake.key.decrypt(F.col("raw_text")).alias("t"), "raw_text").collect()
    # the record whose id said something else before was read in full, and needs no text
    assert sorted(r.t[0] for r in text if r.t) == ["e"]
    told = {properties(spark, lake.path(table))[PROPERTY] for table in (SMS, SUBSCRIBERS, LIVES, USAGE, EDGES)}
    assert told == {lake.key.version}


def test_a_table_of_an_unknown_key_is_not_rotated(spark: SparkSession, tmp_path: Path) -> None:
    keys = key_files(tmp_path, 3)
    hamlet = Hamlet(spark, tmp_path, keys[:1])
    hamlet.deliver("sms", 2, "first.csv", FIRST)
    hamlet.run("ingest_usage")
    hamlet.keys = keys[1:]
    with pytest.raises(ContractError, match=r"clean\.sms was made with a key that store\.key_file does not name"):
        hamlet.run("rotate_key")
