"""The lake: slices replaced, hidden until done, frozen, accounted for."""

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from rich.console import Console as RichConsole

from churnlake.core.console import Console
from churnlake.core.contract import DATE, INT, LONG, STRING, Column, Table
from churnlake.core.errors import ContractError, LineageError, MissingInputError
from churnlake.core.frames import frame_of
from churnlake.core.job import Job, Run, declare
from churnlake.core.lake import Lake
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.settings import CoreSettings, load
from churnlake.core.testing import rows as rows_of
from churnlake.settings import Settings

DAY = Column("day", DATE, "Day.")
VISITS = Table(
    "daily.visits",
    "One row per shop and day.",
    (DAY, Column("shop", LONG, "Shop."), Column("visits", INT, "Visits.", least=0)),
    key=("day", "shop"),
    slice="day",
    at="day",
    sort=("shop",),
)
VERDICTS = Table(
    "daily.verdicts", "One row per day.", (DAY, Column("shop", LONG, "Shop.")), key=("day",), slice="day", at="day", frozen=True
)
TOTALS = Table("daily.totals", "One row.", (Column("visits", LONG, "Visits."),), key=("visits",))


def day(n: int) -> dt.date:
    return dt.date(2005, 5, n)


@pytest.fixture
def settings(tmp_path: Path) -> CoreSettings:
    loaded = load(Settings, "local")
    return loaded.model_copy(
        update={"store": loaded.store.model_copy(update={"lake": str(tmp_path / "lake"), "landing": str(tmp_path / "landing")})}
    )


def job(body: Callable[[Lake, Run], None], reads: tuple[Table, ...] = (), writes: tuple[Table, ...] = ()) -> Job:
    return declare(CoreSettings, reads=reads, writes=writes)(body)


def visits(spark: SparkSession, *rows: tuple[int, int, int]) -> DataFrame:
    return rows_of(spark, VISITS, *[{"day": day(d), "shop": s, "visits": v} for d, s, v in rows])


def test_a_write_replaces_its_slices_and_no_other(spark: SparkSession, settings: CoreSettings) -> None:
    given: dict[str, DataFrame] = {}

    def write(lake: Lake, run: Run) -> None:
        lake.write(VISITS, given["rows"])

    seen: dict[str, Any] = {}

    def read(lake: Lake, run: Run) -> None:
        seen["rows"] = sorted(tuple(r) for r in lake.read(VISITS).collect())

    writer, reader = job(write, writes=(VISITS,)), job(read, reads=(VISITS,))
    given["rows"] = visits(spark, (1, 1, 5), (2, 1, 6), (3, 1, 7))
    report = writer.run(spark, settings, Days(day(1), day(3)))
    assert (report.rows_out, len(report.written)) == (3, 1)
    # rows outside the run's days are work in progress, not part of the write
    given["rows"] = visits(spark, (1, 9, 99), (2, 2, 60), (2, 3, 61))
    writer.run(spark, settings, Days(day(2), day(2)))
    reader.run(spark, settings, Days(day(1), day(3)))
    assert seen["rows"] == [(day(1), 1, 5), (day(2), 2, 60), (day(2), 3, 61), (day(3), 1, 7)]
    # as of the 2nd nobody can know the 3rd
    reader.run(spark, settings, Days(day(2), day(2)))
    assert max(r[0] for r in seen["rows"]) == day(2)


def test_of_tables_written_side_by_side_one_that_fails_takes_no_other_with_it(
    spark: SparkSession, settings: CoreSettings
) -> None:
    broken = {"now": True}

    def write(lake: Lake, run: Run) -> None:
        wrong = rows_of(spark, VERDICTS, {"day": day(1), "shop": 1}).selectExpr("day", "'x' as shop")
        right = rows_of(spark, VERDICTS, {"day": day(1), "shop": 1})
        done = lake.write_all({VERDICTS: wrong if broken["now"] else right, VISITS: visits(spark, (1, 2, 6), (1, 1, 5))})
        assert [w.table for w in done] == [VERDICTS, VISITS]

    writer, found = job(write, writes=(VISITS, VERDICTS)), {}

    def read(lake: Lake, run: Run) -> None:
        found["visits"], found["skipped"] = sorted(r.shop for r in lake.read(VISITS).collect()), dict(lake.skipped)

    reader = job(read, reads=(VISITS,))
    with pytest.raises(ContractError, match=r"daily\.verdicts: shop is string, not bigint"):
        writer.run(spark, settings, Days(day(1), day(1)))
    reader.run(spark, settings, Days(day(1), day(1)))
    assert found == {"visits": [], "skipped": {VISITS.name: {str(day(1)): "failed"}}}, (
        "written, and hidden with the run that failed"
    )
    broken["now"] = False
    assert [w.rows for w in writer.run(spark, settings, Days(day(1), day(1))).written] == [1, 2]
    reader.run(spark, settings, Days(day(1), day(1)))
    assert found == {"visits": [1, 2], "skipped": {}}


def test_slices_of_a_run_that_died_are_hidden_until_it_is_run_again(spark: SparkSession, settings: CoreSettings) -> None:
    dies = {"now": False}

    def write(lake: Lake, run: Run) -> None:
        lake.write(VISITS, visits(spark, (1, 1, 5), (2, 1, 6)))
        if dies["now"]:
            raise KeyboardInterrupt

    seen: dict[str, Any] = {}

    def read(lake: Lake, run: Run) -> None:
        seen["days"] = sorted(r.day for r in lake.read(VISITS).collect())

    writer, reader = job(write, writes=(VISITS,)), job(read, reads=(VISITS,))
    writer.run(spark, settings, Days(day(1), day(2)))
    dies["now"] = True
    with pytest.raises(KeyboardInterrupt):
        writer.run(spark, settings, Days(day(2), day(2)))
    reader.run(spark, settings, Days(day(1), day(2)))
    assert seen["days"] == [day(1)]
    dies["now"] = False
    writer.run(spark, settings, Days(day(2), day(2)))
    reader.run(spark, settings, Days(day(1), day(2)))
    assert seen["days"] == [day(1), day(2)]


def test_what_a_run_might_have_written_and_did_not_stays_visible(spark: SparkSession, settings: CoreSettings) -> None:
    writes, fails = {"both": True}, {"now": False}

    def write(lake: Lake, run: Run) -> None:
        lake.write(VISITS, visits(spark, (1, 1, 5)))
        if fails["now"]:
            raise ValueError("broken")
        if writes["both"]:
            lake.write(TOTALS, rows_of(spark, TOTALS, {"visits": 5}))

    seen: dict[str, Any] = {}

    def read(lake: Lake, run: Run) -> None:
        seen["n"] = [r.visits for r in lake.read(TOTALS).collect()]

    writer, reader = job(write, writes=(VISITS, TOTALS)), job(read, reads=(TOTALS,))
    writer.run(spark, settings, Days(day(1), day(1)))
    writes["both"] = False
    writer.run(spark, settings, Days(day(1), day(1)))
    reader.run(spark, settings, Days(day(1), day(1)))
    assert seen["n"] == [5]
    fails["now"] = True
    with pytest.raises(ValueError, match="broken"):
        writer.run(spark, settings, Days(day(1), day(1)))
    reader.run(spark, settings, Days(day(1), day(1)))
    assert seen["n"] == [5]


def test_frozen_slices_stay_as_they_are_until_restated(spark: SparkSession, settings: CoreSettings) -> None:
    given = {"shop": 1}

    def write(lake: Lake, run: Run) -> None:
        lake.write(VERDICTS, rows_of(spark, VERDICTS, *[{"day": day(n), "shop": given["shop"]} for n in (1, 2)]))

    seen: dict[str, Any] = {}

    def read(lake: Lake, run: Run) -> None:
        seen["shops"] = [r.shop for r in lake.read(VERDICTS).orderBy("day").collect()]

    writer, reader = job(write, writes=(VERDICTS,)), job(read, reads=(VERDICTS,))
    writer.run(spark, settings, Days(day(1), day(1)))
    given["shop"] = 2
    writer.run(spark, settings, Days(day(1), day(2)))
    reader.run(spark, settings, Days(day(1), day(2)))
    assert seen["shops"] == [1, 2]
    writer.run(spark, settings, Days(day(1), day(2)), restate=True)
    reader.run(spark, settings, Days(day(1), day(2)))
    assert seen["shops"] == [2, 2]
    # somebody removed the table: what the log says was made is there no more
    given["shop"] = 3
    shutil.rmtree(Path(settings.store.lake) / "daily" / "verdicts")
    writer.run(spark, settings, Days(day(1), day(2)))
    reader.run(spark, settings, Days(day(1), day(2)))
    assert seen["shops"] == [3, 3]


def test_undeclared_missing_and_misshapen_tables_are_told(spark: SparkSession, settings: CoreSettings) -> None:
    days = Days(day(1), day(1))
    with pytest.raises(LineageError, match=r"reads daily\.visits but does not declare it"):
        job(lambda lake, run: lake.read(VISITS) and None).run(spark, settings, days)  # type: ignore[func-returns-value]

    def read(lake: Lake, run: Run) -> None:
        lake.read(VISITS)

    with pytest.raises(MissingInputError, match=r"daily\.visits does not exist yet; run job count_visits first"):
        job(read, reads=(VISITS,)).run(spark, settings, days, makers={"daily.visits": "count_visits"})

    def misshapen(lake: Lake, run: Run) -> None:
        lake.write(VISITS, spark.sql("select date'2005-05-01' day, 'x' shop"))

    with pytest.raises(ContractError, match="lack visits"):
        job(misshapen, writes=(VISITS,)).run(spark, settings, days)


def test_a_row_that_breaks_the_contract_is_not_committed(spark: SparkSession, settings: CoreSettings) -> None:
    def write(lake: Lake, run: Run) -> None:
        lake.write(VISITS, visits(spark, (1, 1, -5)))

    with pytest.raises(Exception, match=r"(?i)visits_holds|DELTA_VIOLATE_CONSTRAINT"):
        job(write, writes=(VISITS,)).run(spark, settings, Days(day(1), day(1)))


def test_a_table_made_under_another_contract_stops_the_write(spark: SparkSession, settings: CoreSettings) -> None:
    def write(lake: Lake, run: Run) -> None:
        lake.write(run.facts.get("as", VISITS), visits(spark, (1, 1, 5)))

    job(write, writes=(VISITS,)).run(spark, settings, Days(day(1), day(1)))
    stricter = Table(
        "daily.visits",
        "One row per shop and day.",
        (DAY, Column("shop", LONG, "Shop."), Column("visits", INT, "Visits.", least=1)),
        key=("day", "shop"),
        slice="day",
        at="day",
        sort=("shop",),
    )

    def write_stricter(lake: Lake, run: Run) -> None:
        lake.write(stricter, visits(spark, (1, 1, 5)))

    with pytest.raises(ContractError, match="made under another contract"):
        job(write_stricter, writes=(stricter,)).run(spark, settings, Days(day(1), day(1)))


@pytest.mark.parametrize("killed_half_way", [False, True])
def test_optional_columns_that_a_contract_gained_are_added(
    spark: SparkSession, settings: CoreSettings, killed_half_way: bool
) -> None:
    given: dict[str, Any] = {"table": VISITS, "rows": visits(spark, (1, 1, 5))}

    def write(lake: Lake, run: Run) -> None:
        lake.write(given["table"], given["rows"])

    job(write, writes=(VISITS,)).run(spark, settings, Days(day(1), day(1)))
    more = (Column("guests", INT, "Guests.", optional=True, least=0), Column("remark", STRING, "It's a remark.", optional=True))
    wider = replace(VISITS, columns=(VISITS.columns[0], *more, *VISITS.columns[1:]))
    path = f"delta.`{settings.store.lake}/daily/visits`"
    if killed_half_way:
        spark.sql(f"ALTER TABLE {path} ADD COLUMNS (guests INT)")
    given |= {"table": wider, "rows": rows_of(spark, wider, {"day": day(2), "shop": 1, "visits": 6, "guests": 7})}
    job(write, writes=(wider,)).run(spark, settings, Days(day(2), day(2)))
    found = spark.sql(f"SELECT day, visits, guests, remark FROM {path} ORDER BY day").collect()
    assert [tuple(r) for r in found] == [(day(1), 5, None, None), (day(2), 6, 7, None)]
    given["rows"] = rows_of(spark, wider, {"day": day(2), "shop": 1, "guests": -1})
    with pytest.raises(Exception, match=r"(?i)guests_holds|DELTA_VIOLATE_CONSTRAINT"):
        job(write, writes=(wider,)).run(spark, settings, Days(day(2), day(2)))
    required = replace(VISITS, columns=(*wider.columns, Column("owner", STRING, "Owner.")))
    given |= {"table": required, "rows": rows_of(spark, required, {"day": day(3)})}
    with pytest.raises(ContractError, match="differ in more than added optional columns"):
        job(write, writes=(required,)).run(spark, settings, Days(day(3), day(3)))


def test_a_whole_table_is_replaced_by_each_write(spark: SparkSession, settings: CoreSettings) -> None:
    given = {"n": 1}

    def write(lake: Lake, run: Run) -> None:
        lake.write(TOTALS, rows_of(spark, TOTALS, {"visits": given["n"]}))

    seen: dict[str, Any] = {}

    def read(lake: Lake, run: Run) -> None:
        seen["n"] = [r.visits for r in lake.read(TOTALS).collect()]

    for n in (1, 2):
        given["n"] = n
        job(write, writes=(TOTALS,)).run(spark, settings, Days(day(1), day(1)))
    job(read, reads=(TOTALS,)).run(spark, settings, Days(day(1), day(1)))
    assert seen["n"] == [2]


RECORDS = Table(
    "clean.records", "One row per record.", key=("record_key",), slice="batch", at="day", ledger=True,
    columns=(
        Column("batch", STRING, "Batch."), Column("record_key", LONG, "Key."), DAY, Column("delivered_on", DATE, "Delivered."),
        Column("kind", STRING, "Kind.", one_of=("a", "b")), Column("n", INT, "N.", least=0, most=9),
        Column("n_key", LONG, "Pseudonym of n."), Column("half", INT, "Half of n.", made_of="n"), Column("w", INT, "W.", optional=True, most=5, severity="warn"),
    ),
)  # fmt: skip
GOOD = {
    "record_key": 1,
    "day": day(1),
    "delivered_on": day(2),
    "kind": "a",
    "n": 1,
    "n_key": 5,
    "half": 0,
    "w": 1,
    "file_id": "f1",
    "raw_text": "line",
    "unreadable": [],
}
SCHEMA = "batch string, record_key bigint, day date, delivered_on date, kind string, n int, n_key bigint, half int, w int, file_id string, raw_text string, unreadable array<string>"


def delivered(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    return frame_of(spark, StructType.fromDDL(SCHEMA), [{"batch": "b", **row} for row in rows])


@pytest.mark.parametrize(
    ("change", "state", "reasons"),
    [
        ({}, "good", []),
        ({"kind": "c"}, "bad", ["kind not one of a, b"]),
        ({"kind": None}, "bad", ["kind missing"]),
        ({"n": -1}, "bad", ["n below 0"]),
        ({"n": 10}, "bad", ["n above 9"]),
        ({"n": None, "n_key": None, "half": None, "unreadable": ["n"]}, "bad", ["n unreadable"]),
        ({"n": None, "half": None}, "bad", ["n missing"]),
        ({"half": None}, "bad", ["half missing"]),
        ({"w": 6}, "good", ["w above 5"]),
        ({"w": None}, "good", []),
        ({"n": 10, "kind": "c"}, "bad", ["kind not one of a, b", "n above 9"]),
    ],
)
def test_each_rule_sets_aside_the_row_that_breaks_it(
    spark: SparkSession, change: dict[str, Any], state: str, reasons: list[str]
) -> None:
    from churnlake.core.ledger import mark

    row = {**GOOD, **change}
    frame = delivered(spark, row)
    found = mark(RECORDS, frame).select("state", "reasons").first()
    assert found is not None
    assert (found["state"], found["reasons"]) == (state, reasons)


def test_repeats_are_dropped_or_called_conflicts_and_say_where_the_kept_row_is(spark: SparkSession) -> None:
    from churnlake.core.ledger import mark, set_repeats_aside

    rows = [
        {**GOOD},
        {**GOOD, "delivered_on": day(3), "file_id": "f2"},  # the same record, delivered again
        {**GOOD, "delivered_on": day(4), "file_id": "f3", "n": 2},  # another record under its id
        {**GOOD, "record_key": 2},
        {**GOOD, "record_key": 3, "kind": "c"},  # bad rows are no repeats of each other
        {**GOOD, "record_key": 3, "kind": "c"},
        {**GOOD, "record_key": 7},  # came in an earlier batch
        {**GOOD, "record_key": 8, "n": 3},  # came in an earlier batch and said something else
    ]
    frame = delivered(spark, *rows).repartition(3)
    known = spark.sql("select explode(array(7L, 8L)) record_key, 'f0' known_file").withColumn("known_content", _content(spark))
    found = (
        set_repeats_aside(RECORDS, mark(RECORDS, frame), known)
        .select("record_key", "file_id", "state", "kept_in", "reasons")
        .collect()
    )
    told = sorted((r.record_key, r.file_id, r.state, r.kept_in or "", ",".join(r.reasons)) for r in found)
    assert told == [
        (1, "f1", "good", "", ""),
        (1, "f2", "duplicate", "f1", ""),
        (1, "f3", "bad", "", "same key, other content"),
        (2, "f1", "good", "", ""),
        (3, "f1", "bad", "", "kind not one of a, b"),
        (3, "f1", "bad", "", "kind not one of a, b"),
        (7, "f1", "duplicate", "f0", ""),
        (8, "f1", "bad", "", "same key, other content"),
    ]


def _content(spark: SparkSession) -> Any:
    from pyspark.sql import functions as F

    # what the earlier rows 7 and 8 said: as GOOD, key aside
    return F.xxhash64(F.col("record_key"), F.lit(day(1)), F.lit("a"), F.lit(1), F.lit(5).cast("bigint"), F.lit(0), F.lit(1))


def test_a_job_whose_input_is_not_due_yet_waits_and_the_chain_goes_on(spark: SparkSession, settings: CoreSettings) -> None:
    def early(lake: Lake, run: Run) -> None: ...
    def late(lake: Lake, run: Run) -> None:
        lake.read(VISITS)

    maker, reader = job(early, writes=(VISITS,)), job(late, reads=(VISITS,), writes=(TOTALS,))
    console, makers = Console(RichConsole(file=(screen := StringIO()), width=120)), {VISITS.name: "early"}
    reports = run_chain(spark, settings, (maker, reader), Days(day(1), day(1)), console, makers=makers)
    assert [report.job for report in reports] == ["early"]
    assert "late              waits: no daily.visits yet" in screen.getvalue()
    with pytest.raises(MissingInputError, match="run job early first"):
        run_chain(spark, settings, (reader,), Days(day(1), day(1)), console, makers=makers)
