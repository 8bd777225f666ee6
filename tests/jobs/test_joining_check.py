"""The joining check as a job: files of activations followed as a stream, each checked once, whatever happens on the way."""

import datetime as dt
import gzip
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hamlet import ACTIVATIONS as HEADER
from hamlet import LINEAGE, NUMBERS, TABLES, Hamlet, key_files
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import landing
from churnlake.core.contract import Table
from churnlake.core.errors import BusyError, ContractError, SettingsError
from churnlake.core.job import Report
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import lease
from churnlake.core.restore import newest, restore
from churnlake.core.runs import Days
from churnlake.evaluate.content import fingerprint
from churnlake.tables.joining import COUNTER_REMINDERS, JOINING_CHECKS
from churnlake.tables.reference import ACTIVATIONS


def line(name: str, day: int = 2, **said: str) -> str:
    """A line of a file of activations; new users have numbers of their own."""
    told = {
        "id": name,
        "time": f"2005-05-{day:02} 10:00:00",
        "user": f"new-{name}",
        "number": f"1380000{int.from_bytes(name.encode()) % 10000:04}",
        **said,
    }
    return ",".join(told.get(column, "") for column in HEADER.split(","))


def deliver(hamlet: Hamlet, file: str, *lines: str, day: int = 2) -> None:
    hamlet.deliver("activations", day, file, "\n".join([HEADER, *lines]) + "\n")


def check(hamlet: Hamlet) -> Report:
    return hamlet.run("check_joining")["check_joining"]


def table(hamlet: Hamlet, of: Table) -> DataFrame:
    return hamlet.spark.read.format("delta").load(hamlet.lake().path(of))


def held(hamlet: Hamlet) -> dict[str, Any]:
    """All that the check made: a hash of each table with every time in it, and its version."""
    return {
        of.name: (fingerprint(table(hamlet, of).drop("raw_text")), hamlet.lake().storage.version(of))
        for of in (ACTIVATIONS, JOINING_CHECKS, COUNTER_REMINDERS)
    }


def states(hamlet: Hamlet) -> dict[str, int]:
    return {row["state"]: row["count"] for row in table(hamlet, ACTIVATIONS).groupBy("state").count().collect()}


@pytest.fixture(scope="module")
def known(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hamlet of five users who were there before, known to the register; nobody else comes there."""
    home = tmp_path_factory.mktemp("known")
    made = Hamlet(spark, home, key_files(home, 1))
    made.deliver_subscribers(1)
    made.run("ingest_reference")
    return home


@pytest.fixture
def hamlet(spark: SparkSession, tmp_path: Path, known: Path) -> Hamlet:
    """The same, of one's own."""
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    return Hamlet(spark, tmp_path, key_files(tmp_path, 1))


def document(n: int) -> str:
    return f"110101{NUMBERS[f'user-{n}']}"


def test_activations_are_checked_as_they_come_and_the_counter_is_told_no_more_than_a_reminder(hamlet: Hamlet) -> None:
    deliver(
        hamlet, "a.csv",
        line("a1", document=document(0), bonus="50"), line("a2", old=NUMBERS["user-1"], reason="lost_sim"),
        line("a3", document=document(2), old=NUMBERS["user-2"], wants="yes"), line("a4", document="1", old=NUMBERS["user-3"]),
        line("a5", document="2"), line("a6"),
    )  # fmt: skip
    report = check(hamlet)
    checks = {row["activation_id"]: row for row in _named(hamlet, table(hamlet, JOINING_CHECKS)).collect()}
    users = {row["old_user_id"] for row in checks.values() if row["old_user_id"]}
    assert len(users) == 3
    assert {name: (row["verdict"], row["named_by"]) for name, row in checks.items()} == {
        "a1": ("known", "document"), "a2": ("known", "number"), "a3": ("known", "both"), "a4": ("contradicted", None),
        "a5": ("new", None), "a6": ("untold", None),
    }  # fmt: skip
    told = {row["activation_id"]: row["reminder"] for row in table(hamlet, COUNTER_REMINDERS).collect()}
    assert told == {"a1": "none", "a2": "sim_replacement", "a3": "number_choice", "a4": "none", "a5": "none", "a6": "none"}
    assert COUNTER_REMINDERS.names == ["activated_on", "activation_id", "user_id", "reminder"]
    row = checks["a1"]
    assert row["known_to"] == dt.date(2005, 5, 1)
    assert row["activated_at"] < row["arrived_at"] < row["checked_at"]
    assert any("p50" in line and "p95" in line for line in report.facts["told"])
    assert (report.rows_in, states(hamlet)) == (6, {"good": 6})


def _named(hamlet: Hamlet, checks: DataFrame) -> DataFrame:
    ids = table(hamlet, COUNTER_REMINDERS).select("activation_id", "user_id")
    return checks.join(ids, on="user_id", how="inner")


def test_a_file_twice_an_activation_twice_and_a_run_again_change_nothing(hamlet: Hamlet) -> None:
    deliver(hamlet, "a.csv", line("a1", document=document(0)), line("a2"))
    check(hamlet)
    before = held(hamlet)
    assert check(hamlet).facts["told"] == ["no new file; 1 taken in before"]
    assert held(hamlet) == before
    # the same bytes under another name
    deliver(hamlet, "again.csv", line("a1", document=document(0)), line("a2"))
    assert any("has the content of activations/date=2005-05-02/a.csv" in told for told in check(hamlet).left_out)
    assert held(hamlet) == before
    # another file with one of them, one new, and one that uses an id for something else
    deliver(hamlet, "b.csv", line("a2"), line("a3"), line("a1", document="another"), line("a3"), day=3)
    check(hamlet)
    assert states(hamlet) == {"good": 3, "duplicate": 2, "bad": 1}
    (bad,) = table(hamlet, ACTIVATIONS).where("state = 'bad'").collect()
    assert bad["reasons"] == ["same key, other content"]
    for of in (JOINING_CHECKS, COUNTER_REMINDERS):
        assert table(hamlet, of).groupBy(*of.key).count().where("count > 1").isEmpty()
        assert table(hamlet, of).count() == 3


@pytest.mark.heavy
@pytest.mark.parametrize("where", [ACTIVATIONS, JOINING_CHECKS, COUNTER_REMINDERS, FILES], ids=lambda of: of.name)
def test_a_run_killed_after_a_commit_ends_as_one_undisturbed(
    hamlet: Hamlet, monkeypatch: pytest.MonkeyPatch, where: Table
) -> None:
    deliver(hamlet, "a.csv", line("a1", document=document(0)), line("a2", old=NUMBERS["user-1"]), line("", day=2))
    name = "record_files" if where == FILES else "merge"
    commit = getattr(Lake, name)

    def commit_and_die(lake: Lake, *given: Any) -> Any:
        done = commit(lake, *given)
        if where in given:
            raise KeyError("killed")
        return done

    # the checkpoint has the micro-batch as begun, not as done
    with monkeypatch.context() as patched:
        patched.setattr(Lake, name, commit_and_die)
        with pytest.raises(KeyError, match="killed"):
            check(hamlet)
    half = {
        of: table(hamlet, of).drop("raw_text").collect()
        for of in (ACTIVATIONS, JOINING_CHECKS, COUNTER_REMINDERS)
        if hamlet.lake().storage.exists(of)
    }
    check(hamlet)
    assert states(hamlet) == {"good": 2, "bad": 1}
    assert table(hamlet, JOINING_CHECKS).count() == table(hamlet, COUNTER_REMINDERS).count() == 2
    for of, rows in half.items():
        # what was committed before stands as it stood, the moment it was checked too
        assert {str(row) for row in rows} <= {str(row) for row in table(hamlet, of).drop("raw_text").collect()}
    before = held(hamlet)
    check(hamlet)
    assert held(hamlet) == before


@pytest.mark.heavy
def test_a_lost_checkpoint_a_lost_register_and_both_change_nothing(hamlet: Hamlet) -> None:
    deliver(hamlet, "a.csv", line("a1", document=document(0)), line("a2"))
    check(hamlet)
    before = held(hamlet)
    rows = {name: kept for name, (kept, _) in before.items()}
    checkpoints = hamlet.home / "lake" / "_checkpoints"
    shutil.rmtree(checkpoints)
    check(hamlet)
    assert held(hamlet) == before
    hamlet.spark.sql(f"DELETE FROM delta.`{hamlet.lake().path(FILES)}` WHERE feed = 'activations'")
    shutil.rmtree(checkpoints)
    check(hamlet)
    assert {name: kept for name, (kept, _) in held(hamlet).items()} == rows


def test_broken_lines_and_files_are_set_aside_with_reasons_and_counted(hamlet: Hamlet) -> None:
    deliver(
        hamlet, "a.csv",
        line("a1"), line("", document="3"), line("b1", time="soon"), line("b2", user=""), line("b3", number="1860"), line("b4", brand="unicom"),
        line("b5", bonus="-1"), line("b6", time="2005-05-20 10:00:00"), line("b7", time="2005-03-01 10:00:00"), "b8,half a line", line("b9", wants="maybe"),
    )  # fmt: skip
    folder = hamlet.home / "landing" / "activations" / "date=2005-05-02"
    (folder / "broken.csv.gz").write_bytes(b"no gzip")
    (folder / "half.csv.part").write_text("still being written")
    report = check(hamlet)
    assert states(hamlet) == {"good": 1, "bad": 10}
    found = {tuple(row["reasons"]) for row in table(hamlet, ACTIVATIONS).where("state = 'bad'").collect()}
    assert found == {
        ("activation_key missing",), ("activated_at unreadable",), ("user_id missing",), ("number unreadable",),
        ("brand not one of gotone, easyown, mzone",), ("bonus_yuan below 0",), ("too_late",), ("line: wrong number of fields",),
        ("activated_on breaks activated_on between date'1995-01-01' and date_add(delivered_on, 1)",), ("wants_new_number unreadable",),
    }  # fmt: skip
    assert "set aside: 1 user_id missing" in report.facts["told"]
    assert any("broken.csv.gz: not whole as gzip" in told for told in report.left_out)
    assert table(hamlet, ACTIVATIONS).where("state = 'bad' and raw_text is null").isEmpty()
    assert table(hamlet, JOINING_CHECKS).count() == 1
    # mended under its name, which the source of the stream knows already
    (folder / "broken.csv.gz").unlink()
    (folder / "broken.csv.gz").write_bytes(gzip.compress("\n".join([HEADER, line("c1")]).encode()))
    check(hamlet)
    assert states(hamlet) == {"good": 2, "bad": 10}
    assert table(hamlet, FILES).where("feed = 'activations' AND note IS NOT NULL").isEmpty()


@pytest.mark.heavy
def test_a_file_that_lay_elsewhere_for_long_is_taken_in_as_well(hamlet: Hamlet) -> None:
    deliver(hamlet, "a.csv", line("a1"))
    check(hamlet)
    deliver(hamlet, "old.csv", line("a2"))
    os.utime(hamlet.home / "landing" / "activations" / "date=2005-05-02" / "old.csv", (1e9, 1e9))
    check(hamlet)
    assert states(hamlet) == {"good": 2}


def test_a_file_still_being_written_waits(hamlet: Hamlet, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(hamlet, "a.csv", line("a1"))
    deliver(hamlet, "b.csv", line("a2"))
    for file in ("a.csv", "b.csv"):
        # one written within two seconds of being taken in is looked at again: a fast machine is there that soon
        os.utime(hamlet.home / "landing" / "activations" / "date=2005-05-02" / file, (1e9, 1e9))
    looked, seen = landing.looked_into, []

    def changing(files: Any, feed: Any) -> Any:
        # b.csv changes while it is looked at the first time
        seen.append([file.name for file in files])
        return [file for file in looked(files, feed) if len(seen) > 1 or not file.name.endswith("b.csv")]

    monkeypatch.setattr(landing, "looked_into", changing)
    check(hamlet)
    assert seen == [
        ["activations/date=2005-05-02/a.csv", "activations/date=2005-05-02/b.csv"],
        ["activations/date=2005-05-02/b.csv"],
    ]
    assert states(hamlet) == {"good": 2}


@pytest.mark.heavy
def test_a_backlog_is_taken_in_by_micro_batches(hamlet: Hamlet) -> None:
    for n in range(5):
        deliver(hamlet, f"{n}.csv", line(f"a{n}", document=document(n)))
    hamlet.extra.append("reentry.joining.files_a_batch=2")
    assert any("3 micro-batches" in told for told in check(hamlet).facts["told"])
    assert table(hamlet, JOINING_CHECKS).where("verdict = 'known'").count() == 5
    assert table(hamlet, FILES).where("feed = 'activations'").select("batch").distinct().count() == 1, "one partition a day"


@pytest.mark.heavy
def test_it_goes_on_until_it_is_told_to_end_and_holds_its_lease_meanwhile(hamlet: Hamlet) -> None:
    deliver(hamlet, "a.csv", line("a1"))
    hamlet.extra.append("reentry.joining.every_seconds=0.2")
    seen: list[str] = []
    over = threading.Event()

    def until(is_so: Callable[[], bool]) -> None:
        while not is_so() and not over.wait(0.3):
            pass

    def checked() -> int:
        return table(hamlet, COUNTER_REMINDERS).count() if hamlet.lake().storage.exists(COUNTER_REMINDERS) else 0

    def outside() -> None:
        # what is there is taken in first; then it listens for its end
        until(lambda: signal.getsignal(signal.SIGTERM) != before)
        try:
            deliver(hamlet, "b.csv", line("a2", document=document(0)), day=3)
            until(lambda: checked() == 2)
            with lease(hamlet.spark, hamlet.settings.store.lake, "check_joining", "another"):
                pass
        except BusyError as error:
            seen.append(str(error))
        finally:
            if not over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=outside)
    thread.start()
    try:
        report = check(hamlet)
    finally:
        over.set()
        thread.join()
    assert "check_joining is running already" in seen[0]
    assert states(hamlet) == {"good": 2}
    assert any("2 micro-batches" in told for told in report.facts["told"])
    assert signal.getsignal(signal.SIGTERM) == before


def test_without_subscribers_or_activations_it_says_what_it_can_not_say(spark: SparkSession, tmp_path: Path) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    hamlet.deliver("sms", 1, "a.csv", "id,number,peer,time,way\n")
    assert any(told == "raw.activations records: no raw.activations" for told in check(hamlet).left_out)
    deliver(hamlet, "a.csv", line("a1", document=document(0), old=NUMBERS["user-1"], reason="lost_sim"))
    report = check(hamlet)
    assert "whom documents and numbers name: no reference.subscribers" in report.left_out
    (row,) = table(hamlet, JOINING_CHECKS).collect()
    assert (row["verdict"], row["known_to"], row["old_user_id"]) == ("untold", None, None)
    assert [row["reminder"] for row in table(hamlet, COUNTER_REMINDERS).collect()] == ["sim_replacement"]


@pytest.mark.heavy
def test_an_erased_users_activation_does_not_come_back(hamlet: Hamlet) -> None:
    hamlet.deliver(
        "subscribers",
        2,
        "new.csv",
        "user,number,since,until,joined,imsi,document\nnew-a1,13800001111,2005-05-02 00:00:00,,2005-05-02,,\n",
    )
    deliver(
        hamlet, "a.csv", line("a1", number="13800001111", document=document(0)), line("a2", old=NUMBERS["user-0"]), line("a3")
    )
    hamlet.run("ingest_reference")
    check(hamlet)
    hamlet.extra.append("privacy.erase_users=[new-a1]")
    hamlet.run("erase_user")
    assert states(hamlet) == {"good": 2, "suppressed": 1}
    assert {row["activation_id"] for row in table(hamlet, COUNTER_REMINDERS).collect()} == {"a2", "a3"}
    deliver(
        hamlet,
        "b.csv",
        line("a1", number="13800001111", document=document(0)),
        line("a1", number="13800001111"),
        line("a4"),
        day=3,
    )
    check(hamlet)
    assert states(hamlet) == {"good": 3, "suppressed": 3}
    assert {row["activation_id"] for row in table(hamlet, COUNTER_REMINDERS).collect()} == {"a2", "a3", "a4"}
    assert table(hamlet, JOINING_CHECKS).count() == 3


def test_a_name_with_a_colon_is_told_before_it_stops_the_stream(hamlet: Hamlet) -> None:
    deliver(hamlet, "10:00.csv", line("a1"))
    with pytest.raises(SettingsError, match=r"10:00\.csv: a name with : can not be followed"):
        check(hamlet)


def test_rows_that_do_not_add_up_stop_the_run(hamlet: Hamlet, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(hamlet, "a.csv", line("a1"), line("a2"))
    merge = Lake.merge
    with monkeypatch.context() as patched:
        patched.setattr(Lake, "merge", lambda lake, of, rows: merge(lake, of, rows.limit(1) if of == ACTIVATIONS else rows))
        with pytest.raises(ContractError, match="hold 2 rows by line count, but 1 were committed"):
            check(hamlet)
    check(hamlet)
    assert states(hamlet) == {"good": 2}


@pytest.mark.heavy
def test_what_came_after_an_earlier_run_is_new_again_once_the_lake_went_back(hamlet: Hamlet) -> None:
    deliver(hamlet, "a.csv", line("a1"))
    check(hamlet)
    run = newest(hamlet.spark, hamlet.settings, 1)[0]["run_id"]
    deliver(hamlet, "b.csv", line("a2", document=document(0)), day=3)
    check(hamlet)
    restore(hamlet.spark, hamlet.settings, TABLES, [job.name for job in LINEAGE.jobs], run)
    assert states(hamlet) == {"good": 1}
    # the checkpoint was not taken back: the source of the stream has given that file
    check(hamlet)
    assert states(hamlet) == {"good": 2}
    assert table(hamlet, JOINING_CHECKS).where(F.col("verdict") == "known").count() == 1


@pytest.mark.heavy
def test_text_set_aside_goes_in_time_and_small_files_are_put_together(hamlet: Hamlet) -> None:
    for n in range(4):
        deliver(hamlet, f"{n}.csv", line(f"a{n}"), line("", document=str(n)))
        check(hamlet)
    before = held(hamlet)
    hamlet.extra += ["maintenance.raw_text_days=0", "maintenance.restore_days=0"]
    by_name = {job.name: job for job in LINEAGE.jobs}
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    by_name["maintain_lake"].run(hamlet.spark, hamlet.settings, Days(tomorrow, tomorrow), makers=LINEAGE.makers)
    assert {name: rows for name, (rows, _) in held(hamlet).items()} == {name: rows for name, (rows, _) in before.items()}
    assert table(hamlet, ACTIVATIONS).where("raw_text IS NOT NULL").isEmpty()
    assert len(table(hamlet, JOINING_CHECKS).inputFiles()) == 1
