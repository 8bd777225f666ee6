"""What readers see: gates, withdrawals, releases, and the days a daily job takes in on its own."""

import datetime as dt
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.contract import DATE, INT, LONG, STRING, Column, Table
from churnlake.core.errors import ContractError, DiskFullError, MissingInputError
from churnlake.core.job import Job, Run, declare
from churnlake.core.lake import Lake, Scope
from churnlake.core.landing import FILES
from churnlake.core.release import release
from churnlake.core.runs import Days
from churnlake.core.settings import CoreSettings, load
from churnlake.core.visibility import withheld_batch
from churnlake.core.withdrawal import judged, released_slices
from churnlake.settings import Settings

RAW = Table(
    "raw.stays", "One row per stay.", stored=False,
    columns=(Column("record_id", STRING, "Id."), Column("day", DATE, "Day."), Column("nights", INT, "Nights.")),
)  # fmt: skip
STAYS = Table(
    "clean.stays", "One row per stay.", key=("record_key",), slice="batch", at="day", ledger=True,
    columns=(
        Column("batch", STRING, "Batch."), Column("record_key", LONG, "Key."), Column("day", DATE, "Day."),
        Column("delivered_on", DATE, "Delivered."), Column("nights", INT, "Nights.", least=0),
    ),
)  # fmt: skip
DAILY = Table(
    "daily.stays", "One row per day.", (Column("day", DATE, "Day."), Column("nights", LONG, "Nights.")),
    key=("day",), slice="day", at="day",
)  # fmt: skip
MONTHLY = Table(
    "features.stays", "One row per month.", (Column("month", DATE, "Month."), Column("nights", LONG, "Nights.")),
    key=("month",), slice="month", at="month",
)  # fmt: skip
HEADER = "ID,DAY,N\n"


def day(n: int, month: int = 5) -> dt.date:
    return dt.date(2005, month, n)


class Inn:
    """A lake of two jobs, and a landing folder to put files in."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        loaded = load(Settings, "local")
        where = {
            "lake": str(home / "lake"),
            "landing": str(home / "landing"),
            "work": str(home / "work"),
            "feeds": str(home / "feeds"),
        }
        self.settings: CoreSettings = loaded.model_copy(update={"store": loaded.store.model_copy(update=where)})
        self.spark, self.home = spark, home
        (home / "feeds").mkdir()
        rows = [{"record_id": "ID", "day": {"column": "DAY", "format": "yyyy-MM-dd"}, "nights": "N"}]
        (home / "feeds" / "stays.yaml").write_text(
            yaml.safe_dump({"feed": "stays", "format": "csv", "numbers": "opaque", "rows": rows})
        )

        def take_in(lake: Lake, run: Run) -> None:
            if lake.has(RAW):
                lake.write(STAYS, lake.read(RAW).withColumn("record_key", F.xxhash64("record_id")))

        def sum_up(lake: Lake, run: Run) -> None:
            lake.write(DAILY, lake.read(STAYS, first=run.days.first).groupBy("day").agg(F.sum("nights").alias("nights")))

        self.take_in: Job = declare(CoreSettings, may_read=[RAW], writes=[STAYS])(take_in)
        self.sum_up: Job = declare(CoreSettings, may_read=[STAYS], writes=[DAILY])(sum_up)
        self.makers = {STAYS.name: "take_in", DAILY.name: "sum_up"}

    def land(self, name: str, delivered: dt.date, lines: dict[str, tuple[dt.date, Any]]) -> None:
        folder = self.home / "landing" / "stays" / f"date={delivered}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(HEADER + "".join(f"{key},{on},{nights}\n" for key, (on, nights) in lines.items()))

    def run(self, job: Job, days: Days | None = None) -> Any:
        return job.run(self.spark, self.settings, days, makers=self.makers)

    def seen(self, table: Table = DAILY) -> dict[dt.date, int]:
        found: dict[dt.date, int] = {}

        def look(lake: Lake, run: Run) -> None:
            found.update({r["day"]: r["n"] for r in lake.read(table).groupBy("day").agg(F.sum("nights").alias("n")).collect()})

        declare(CoreSettings, reads=[table])(look).run(
            self.spark, self.settings, Days(day(1, 1), day(31, 12)), makers=self.makers
        )
        return found

    def table(self, table: Table) -> Any:
        return self.spark.read.format("delta").load(f"{self.home}/lake/{table.name.replace('.', '/')}")


@pytest.fixture
def inn(spark: SparkSession, tmp_path: Path) -> Inn:
    return Inn(spark, tmp_path)


@pytest.mark.heavy
def test_a_daily_job_takes_exactly_the_days_that_changed(inn: Inn) -> None:
    inn.land("a.csv", day(3), {"a": (day(1), 1), "b": (day(2), 2), "c": (day(3), 3)})
    inn.run(inn.take_in)
    assert inn.run(inn.sum_up).days == Days(day(1), day(3))
    # late rows touch two days far apart, and no day between
    inn.land("b.csv", day(30), {"late": (day(1), 10), "d": (day(30), 4), "a": (day(1), 1)})
    inn.run(inn.take_in)
    # a run over other days has not taken them in
    inn.run(inn.sum_up, Days(day(2), day(2)))
    report = inn.run(inn.sum_up)
    assert report.days.each() == [day(1), day(30)]
    assert [w.slices for w in report.written] == [["2005-05-01", "2005-05-30"]], "one commit"
    assert inn.seen() == {day(1): 11, day(2): 2, day(3): 3, day(30): 4}
    version = report.written[0].version
    again = inn.run(inn.sum_up)
    assert (again.days.each(), again.written, str(again.days)) == ([], [], "no day")
    history = inn.spark.sql(f"DESCRIBE HISTORY delta.`{inn.home}/lake/daily/stays`").count()
    assert history == version + 1, "nothing new, nothing written"


def test_a_batch_that_fails_its_gate_is_taken_in_but_not_seen_until_released(inn: Inn) -> None:
    inn.land("a.csv", day(1), {"a": (day(1), 1)})
    inn.run(inn.take_in)
    inn.run(inn.sum_up)
    inn.land("b.csv", day(2), {"late": (day(1), 5), "x": (day(2), "many"), "y": (day(2), "few"), "z": (day(2), "")})
    with pytest.raises(ContractError, match=r"only 1 of 4 rows are good.*release --table clean\.stays --slice"):
        inn.run(inn.take_in)
    assert {r["batch_state"] for r in inn.table(FILES).collect()} == {"done"}, "it does not hold up later files"
    assert inn.seen(STAYS) == {day(1): 1}
    assert inn.run(inn.sum_up).days.each() == []
    inn.land("c.csv", day(3), {"c": (day(3), 3)})
    inn.run(inn.take_in)
    report = inn.run(inn.sum_up)
    assert report.days.each() == [day(3)]
    (told,) = report.left_out
    batch = told.split()[1]
    release_it = f"python -m churnlake release --table clean.stays --slice {batch} --why TEXT"
    assert told == f"clean.stays: {batch} withheld, mend it or let it be seen: {release_it}"
    with pytest.raises(MissingInputError, match=f"nonsense of clean.stays can not be released; held back are {batch}"):
        release(inn.spark, inn.settings, STAYS, ["nonsense"], "why not")
    assert release(inn.spark, inn.settings, STAYS, [batch], "switch fault, known") == [batch]
    assert inn.seen(STAYS) == {day(1): 6, day(3): 3}
    assert inn.run(inn.sum_up).days.each() == [day(1)], "the days of the batch released, no other"
    assert inn.seen() == {day(1): 6, day(3): 3}
    (row,) = inn.spark.read.format("delta").load(f"{inn.home}/lake/quality/runs").where("state = 'released'").collect()
    assert row.message.endswith(": switch fault, known")
    assert not row.message.startswith(":"), "it says who"


def test_a_batch_withheld_in_one_table_is_found_whatever_became_of_it_in_others() -> None:
    registered = [{"batch": "b", "delivered_on": dt.date(2005, 5, 2)}, {"batch": "a", "delivered_on": dt.date(2005, 5, 3)}]
    hidden = {"clean.voice": {"a": "withheld", "b": "withheld"}, "clean.sms": {"a": "failed", "b": "failed"}}
    assert withheld_batch(hidden, ["clean.voice", "clean.sms"], registered) == "b"
    assert withheld_batch(hidden, ["clean.sms"], registered) is None
    with pytest.raises(MissingInputError, match="cut short"):
        withheld_batch({"clean.sms": {"r": "open"}}, ["clean.sms"], registered)


def test_a_withheld_batch_is_taken_in_again_after_the_feed_file_was_mended(inn: Inn) -> None:
    feed = inn.home / "feeds" / "stays.yaml"
    right = feed.read_text()
    feed.write_text(right.replace("yyyy-MM-dd", "dd.MM.yyyy"))
    inn.land("a.csv", day(1), {"a": (day(1), 1), "b": (day(2), 2)})
    with pytest.raises(ContractError, match=r"only 0 of 2 rows are good.*run the job with --restate"):
        inn.run(inn.take_in)
    feed.write_text(right)
    inn.land("b.csv", day(3), {"c": (day(3), 3)})
    inn.run(inn.take_in)
    assert inn.seen(STAYS) == {day(3): 3}
    report = inn.take_in.run(inn.spark, inn.settings, None, makers=inn.makers, restate=True)
    assert (report.rows_in, report.rows_out) == (2, 2)
    assert inn.seen(STAYS) == {day(1): 1, day(2): 2, day(3): 3}
    assert inn.table(STAYS).count() == 3, "replaced, not added"
    assert inn.take_in.run(inn.spark, inn.settings, None, makers=inn.makers, restate=True).written == []


def test_a_batch_delivered_again_with_one_row_more_passes_its_gate(inn: Inn) -> None:
    inn.land("a.csv", day(1), {"a": (day(1), 1), "b": (day(1), 2), "c": (day(1), 3)})
    inn.run(inn.take_in)
    inn.land("again.csv", day(2), {"a": (day(1), 1), "b": (day(1), 2), "c": (day(1), 3), "d": (day(2), 4)})
    report = inn.run(inn.take_in)
    assert (report.rows_out, report.written[0].duplicates) == (1, 3)
    assert inn.seen(STAYS) == {day(1): 6, day(2): 4}


@pytest.mark.heavy
def test_a_withdrawn_day_is_hidden_in_every_batch_until_released_or_its_data_change(inn: Inn) -> None:
    inn.land("a.csv", day(1), {"a": (day(1), 1), "b": (day(2), 2)})
    inn.run(inn.take_in)
    inn.land("b.csv", day(3), {"late": (day(1), 10), "c": (day(2), 20), "d": (day(3), 30)})
    inn.run(inn.take_in)
    inn.run(inn.sum_up)
    wrong: dict[dt.date, str] = {day(2): "stays do not add up"}

    def judge(lake: Lake, run: Run) -> None:
        run.facts["judged"] = judged(
            lake,
            STAYS,
            wrong,
            [d for d in (day(1), day(2), day(3)) if d not in wrong],
            released_slices(lake.log()).get(STAYS.name, ()),
        )
        run.facts["rows"] = lake.ledger(STAYS).count()

    def verdict() -> Any:
        return inn.run(declare(CoreSettings, reads=[STAYS])(judge), Days(day(1), day(3))).facts

    assert verdict() == {"judged": (["2005-05-02"], []), "rows": 5}
    report = inn.run(inn.sum_up)
    assert report.days.each() == [day(2)]
    release_it = "mend it or let it be seen: python -m churnlake release --table clean.stays --slice 2005-05-02 --why TEXT"
    assert report.left_out == [f"clean.stays: 2005-05-02 withdrawn, {release_it}"]
    assert inn.seen() == inn.seen(STAYS) == {day(1): 11, day(3): 30}, "its other days are seen, in whichever batch they came"
    assert verdict() == {"judged": ([], []), "rows": 5}, "withdrawn once; who accounts for rows sees them all"
    assert release(inn.spark, inn.settings, STAYS, ["2005-05-02"], "they do add up") == ["2005-05-02"]
    assert inn.run(inn.sum_up).days.each() == [day(2)]
    assert inn.seen()[day(2)] == 22
    assert verdict()["judged"] == ([], []), "what a person released is not withdrawn again"
    inn.land("c.csv", day(4), {"e": (day(2), 40)})
    inn.run(inn.take_in)
    assert verdict()["judged"] == (["2005-05-02"], []), "until its data change"
    wrong.clear()
    assert verdict()["judged"] == ([], ["2005-05-02"]), "seen again when it holds"
    assert inn.seen(STAYS) == {day(1): 11, day(2): 62, day(3): 30}


def test_a_full_disk_is_told_and_harms_nothing(inn: Inn) -> None:
    lake = inn.home / "lake"
    lake.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(lake)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no file system of 2 MB can be mounted here (needs root)")
    try:
        inn.land("a.csv", day(1), {"a": (day(1), 1)})
        inn.run(inn.take_in)
        inn.land("b.csv", day(2), {"b": (day(2), 2)})
        for room in (0, 12_000, 30_000):
            free = shutil.disk_usage(lake).free
            (lake / "ballast").write_bytes(b"x" * max(free - room, 0))
            with pytest.raises(DiskFullError, match=rf"no room left to write: .* MB free for the lake at {lake}"):
                inn.run(inn.take_in)
            (lake / "ballast").unlink()
            assert inn.seen(STAYS) == {day(1): 1}
        assert inn.run(inn.take_in).rows_out == 1
        assert inn.seen(STAYS) == {day(1): 1, day(2): 2}
    finally:
        subprocess.run(["umount", str(lake)], check=True)


def test_a_late_row_makes_its_month_and_those_after_it_again(inn: Inn) -> None:
    """The day it is of ends no month itself; a month that looks back at it may come later."""

    def by_month(lake: Lake, run: Run) -> None:
        rows = lake.read(DAILY).groupBy(F.trunc("day", "MM").alias("month")).agg(F.sum("nights").alias("nights"))
        lake.write(MONTHLY, rows)

    def months() -> dict[int, int]:
        report = job.run(inn.spark, inn.settings, None, makers=inn.makers | {MONTHLY.name: "by_month"})
        assert [w.slices for w in report.written] == [["2005-05-01", "2005-06-01"]]
        lake = Lake(inn.spark, inn.settings.store, Scope("test", Days(day(1), day(1, 7)), (MONTHLY,), ()))
        return {row["month"].month: row["nights"] for row in lake.read(MONTHLY).collect()}

    job = declare(CoreSettings, reads=[DAILY], writes=[MONTHLY])(by_month)
    inn.land("a.csv", day(1, 7), {"a": (day(30), 1), "b": (day(20, 6), 2), "c": (day(1, 7), 4)})
    inn.run(inn.take_in)
    inn.run(inn.sum_up)
    assert months() == {5: 1, 6: 2}
    inn.land("b.csv", day(2, 7), {"d": (day(30), 8)})
    inn.run(inn.take_in)
    inn.run(inn.sum_up)
    assert months() == {5: 9, 6: 2}
