"""Back to an earlier run: tables, register and run log together; what came later comes in again."""

from pathlib import Path

import pytest
from hamlet import DAYS, LINEAGE, TABLES, Hamlet, key_files, sms
from pyspark.sql import SparkSession

from churnlake.__main__ import main
from churnlake.core import restore as going_back
from churnlake.core.contract import Table
from churnlake.core.errors import BusyError, ContractError, MissingInputError
from churnlake.core.landing import FILES
from churnlake.core.leases import lease
from churnlake.core.restore import restore
from churnlake.core.storage import Storage
from churnlake.evaluate.content import content
from churnlake.tables.daily import USAGE

JOBS = [job.name for job in LINEAGE.jobs]
CHAIN = ("ingest_reference", "ingest_usage", "build_daily")


def seen(hamlet: Hamlet) -> dict[str, tuple[int, int]]:
    """What the lake holds, but for who was erased, which stays."""
    found = content(hamlet.spark, hamlet.settings, DAYS)
    return {name: told for name, told in found.items() if not name.startswith("privacy.")}


@pytest.mark.heavy
def test_tables_and_register_go_back_together_and_what_came_later_comes_in_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    store = hamlet.settings.store
    with pytest.raises(MissingInputError, match="no run was logged"):
        restore(spark, hamlet.settings, TABLES, JOBS, "x")
    hamlet.deliver_subscribers(1)
    hamlet.deliver("sms", 1, "first.csv", sms(("a", 1, 0, "1"), ("b", 1, 1, "0")))
    hamlet.run("ingest_reference", "ingest_usage")
    (to, *_) = going_back.newest(spark, hamlet.settings, 9)
    assert to["job"] == "ingest_usage"
    first = seen(hamlet)
    # a table made only later, and days that change
    hamlet.run("build_daily")
    hamlet.deliver("sms", 2, "second.csv", sms(("c", 2, 2, "3"), ("late", 1, 3, "4")))
    hamlet.deliver_subscribers(2, leave_out=("user-4",))
    hamlet.run(*CHAIN)
    last = seen(hamlet)
    assert last != first

    with pytest.raises(MissingInputError, match="no run nonsense was done in this lake"):
        restore(spark, hamlet.settings, TABLES, JOBS, "nonsense")
    with pytest.raises(MissingInputError, match="not on its way back; say to which run"):
        restore(spark, hamlet.settings, TABLES, JOBS, None)
    with lease(spark, store.lake, "build_daily", "other"), pytest.raises(BusyError, match="job build_daily is running"):
        restore(spark, hamlet.settings, TABLES, JOBS, to["run_id"])

    restores, done = Storage.restore, []

    def dies(storage: Storage, table: Table, version: int) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(table)
        restores(storage, table, version)

    monkeypatch.setattr(Storage, "restore", dies)
    with pytest.raises(KeyboardInterrupt):
        restore(spark, hamlet.settings, TABLES, JOBS, to["run_id"])
    monkeypatch.setattr(Storage, "restore", restores)
    for job in (*CHAIN, "maintain_lake", "rotate_key", "migrate_lake"):
        with pytest.raises(MissingInputError, match="going back to an earlier run; python -m churnlake restore finishes that"):
            hamlet.run(job)
    assert going_back.is_under_way(spark, hamlet.settings)
    back = restore(spark, hamlet.settings, TABLES, JOBS, None)
    assert {"clean.sms", FILES.name, USAGE.name, "quality.runs"} <= set(back)
    now = seen(hamlet)
    assert {name: told for name, told in now.items() if told[0]} == {name: told for name, told in first.items() if told[0]}
    assert now[USAGE.name][0] == 0, "made later: there, and empty"
    assert next(row["run_id"] for row in going_back.newest(spark, hamlet.settings, 9)) == to["run_id"]

    reports = hamlet.run(*CHAIN)
    assert (reports["ingest_usage"].rows_in, reports["ingest_reference"].rows_in) == (2, 4), "files taken in later are new again"
    assert seen(hamlet) == last
    capsys.readouterr()


@pytest.mark.heavy
def test_nothing_goes_back_behind_an_erasure_or_to_files_that_are_gone(spark: SparkSession, tmp_path: Path) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    hamlet.deliver("sms", 1, "first.csv", sms(("a", 1, 0, "1")))
    hamlet.run("ingest_usage")
    (to,) = going_back.newest(spark, hamlet.settings, 9)
    hamlet.deliver("sms", 2, "second.csv", sms(("b", 2, 0, "1")))
    hamlet.run("ingest_usage")
    before = seen(hamlet)
    # maintain_lake put the files together and deleted what only older versions need
    usage = Path(hamlet.lake().path(next(t for t in TABLES if t.name == "clean.sms")))
    rows = spark.read.format("delta").load(str(usage))
    rows.write.format("delta").mode("overwrite").save(str(usage))
    now = {Path(name).name for name in spark.read.format("delta").load(str(usage)).inputFiles()}
    for path in usage.rglob("*.parquet"):
        if "_delta_log" not in path.parts and path.name not in now:
            path.unlink()
    with pytest.raises(MissingInputError, match=r"clean\.sms: 1 files of version \d+ are gone"):
        restore(spark, hamlet.settings, TABLES, JOBS, to["run_id"])
    assert seen(hamlet) == before
    erasing = Hamlet(spark, tmp_path, hamlet.keys, ["privacy.erase_users=[user-0]"])
    erasing.deliver_subscribers(1)
    erasing.run("ingest_reference", "erase_user")
    with pytest.raises(ContractError, match=r"was done before erase_user .* nothing may bring back"):
        restore(spark, hamlet.settings, TABLES, JOBS, to["run_id"])


def test_the_command_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["restore", "--nonsense"]) == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err
