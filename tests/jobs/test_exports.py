"""The vault and the call lists: who declares it, who is on them, and who can read the files."""

import csv
import datetime as dt
import logging
import stat
from pathlib import Path

import pytest
from hamlet import LINEAGE, NUMBERS, Hamlet, key_files
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.job import Job, Report, Run, declare
from churnlake.core.lake import Lake
from churnlake.core.runs import Days
from churnlake.core.testing import rows as rows_of
from churnlake.settings import Settings
from churnlake.tables.campaigns import LISTS
from churnlake.tables.reference import LIVES
from churnlake.tables.vault import NUMBERS as VAULT

MONTH_END = Days(dt.date(2005, 5, 31), dt.date(2005, 5, 31))
CELLS = {
    "user-0": ("retain", "target"),
    "user-1": ("care_and_retain", "target"),
    "user-2": ("retain", "control"),
    "user-3": ("retain", "target"),
}


def job(name: str) -> Job:
    return next(job for job in LINEAGE.jobs if job.name == name)


def run(hamlet: Hamlet, given: Job, days: Days = MONTH_END) -> Report:
    return given.run(hamlet.spark, hamlet.settings, days, makers=LINEAGE.makers)


def make_list(lake: Lake, run: Run) -> None:
    users = lake.key.renewed(lake.key.pseudonym(F.col("user"), "user"))
    names = lake.spark.createDataFrame([(name, place) for place, name in enumerate(CELLS, start=1)], "user string, place long")
    rows = rows_of(
        lake.spark, LISTS, *[{"month": dt.date(2005, 5, 1), "place": p, "cell": c, "arm": a, "reasons": ["calls fell", "fee rose"]} for p, (c, a) in enumerate(CELLS.values(), start=1)]
    )  # fmt: skip
    lake.write(LISTS, rows.drop("user_id").join(names.withColumn("user_id", users), on="place", how="inner"))


@pytest.fixture
def hamlet(spark: SparkSession, tmp_path: Path) -> Hamlet:
    made = Hamlet(spark, tmp_path, key_files(tmp_path)[:1], [f"store.exports={tmp_path}/exports"])
    made.deliver_subscribers(1)
    made.run("ingest_reference")
    run(made, declare(Settings, writes=(LISTS,))(make_list))
    return made


def lines(hamlet: Hamlet, cell: str) -> list[dict[str, str]]:
    with (hamlet.home / "exports" / "2005-05" / f"{cell}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_vault_is_read_by_the_job_that_exports_lists_and_by_no_other() -> None:
    reading = {job.name for job in LINEAGE.jobs if VAULT in (*job.reads, *job.may_read, *job.looks_back)}
    writing = {job.name for job in LINEAGE.jobs if VAULT in job.writes}
    assert (reading, writing) == ({"export_lists"}, {"ingest_reference"})


def test_lists_hold_who_is_to_be_called_and_only_their_owner_reads_them(hamlet: Hamlet, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="churnlake"):
        report = run(hamlet, job("export_lists"))
    assert report.facts == {"lines": {"2005-05": {"care_and_retain": 1, "retain": 2}}, "without_number": 0}
    assert not [number for number in NUMBERS.values() if number in caplog.text]
    listed = lines(hamlet, "retain")
    assert [(row["number"], row["place"], row["reasons"]) for row in listed] == [
        (NUMBERS["user-0"], "1", "calls fell; fee rose"),
        (NUMBERS["user-3"], "4", "calls fell; fee rose"),
    ], "in order, without the control arm"
    files = sorted((hamlet.home / "exports").rglob("*.csv"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    before = {path: path.read_bytes() for path in files}
    # the numbers lie in the vault, away from the lake, and nowhere in clear
    path = Path(hamlet.lake().path(VAULT))
    assert not path.is_relative_to(hamlet.settings.store.lake)
    assert run(hamlet, job("export_lists")).facts == report.facts
    assert {path: path.read_bytes() for path in sorted((hamlet.home / "exports").rglob("*")) if path.is_file()} == before, (
        "the same bytes, nothing else"
    )

    # one opts out after the list was made, another's number is somebody else's now, a third is erased
    hamlet.deliver("opt_outs", 4, "late.csv", "user,on,choice\nuser-1,2005-06-20,out\n")
    three = NUMBERS["user-3"]
    hamlet.deliver(
        "subscribers", 4, "handed.csv",
        "user,number,since,until,joined,imsi,document\n"
        f"user-3,{three},2005-01-01 00:00:00,2005-05-02 00:00:00,2005-01-01,1,2\nuser-9,{three},2005-05-03 00:00:00,,2005-05-03,3,4\n",
    )  # fmt: skip
    hamlet.run("ingest_reference")
    hamlet.extra.append("privacy.erase_users=[user-0]")
    erased = run(hamlet, job("erase_user"))
    assert erased.facts["lines_exported"] == 1
    assert [row["number"] for row in lines(hamlet, "retain")] == [three], "taken out of the file that was there"
    assert run(hamlet, job("export_lists")).facts["lines"] == {"2005-05": {}}
    assert not list((hamlet.home / "exports").rglob("*.csv")), "nobody is left to call, and no old file lies about"


@pytest.mark.heavy
def test_the_vault_holds_each_number_once_however_often_it_comes(hamlet: Hamlet) -> None:
    wanted = sorted(row["number_key"] for row in hamlet.lake().read(LIVES).collect())
    hamlet.deliver_subscribers(3)
    # a row set aside gives the vault nothing: this one joined after it left
    hamlet.deliver(
        "subscribers",
        4,
        "bad.csv",
        "user,number,since,until,joined,imsi,document\nuser-7,13912345678,2005-05-03 00:00:00,2005-05-01 00:00:00,2005-05-03,,\n"
        f"user-0,{NUMBERS['user-0']},2005-01-01 00:00:00,,2005-01-01,,\n",
    )
    hamlet.run("ingest_reference")
    lake = hamlet.lake()
    held = lake.read(VAULT).select("number_key", lake.key.decrypt(F.col("number")).alias("number")).collect()
    assert sorted(row["number_key"] for row in held) == wanted
    assert {row["number"] for row in held} == set(NUMBERS.values())
    hamlet.keys = key_files(hamlet.home)
    hamlet.run("rotate_key")
    lake = hamlet.lake()
    again = lake.read(VAULT).select("number_key", lake.key.decrypt(F.col("number")).alias("number")).collect()
    assert {row["number"] for row in again} == set(NUMBERS.values())
    assert sorted(row["number_key"] for row in again) == sorted(row["number_key"] for row in lake.read(LIVES).collect()) != wanted


def test_without_a_list_or_a_vault_it_says_what_is_missing(hamlet: Hamlet, spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no list for a month that ends in 2005-04-30; there are 2005-05: give --dates"):
        run(hamlet, job("export_lists"), Days(dt.date(2005, 4, 30), dt.date(2005, 4, 30)))
    (hamlet.home / "lake-vault").rename(hamlet.home / "away")
    with pytest.raises(MissingInputError, match=r"vault\.numbers does not exist yet; run job ingest_reference first"):
        run(hamlet, job("export_lists"))
    empty = Hamlet(spark, tmp_path / "empty", hamlet.keys)
    empty.deliver_subscribers(1)
    empty.run("ingest_reference")
    with pytest.raises(MissingInputError, match=r"campaigns\.lists does not exist yet; run job plan_campaigns first"):
        run(empty, job("export_lists"))
