"""Contracts that changed: what can be brought to the new one is, the rest is refused before anything is touched."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core import migration
from churnlake.core.contract import DATE, INT, LONG, STRING, Column, Table
from churnlake.core.errors import ContractError
from churnlake.core.job import Run, declare
from churnlake.core.lake import Lake, Scope
from churnlake.core.migration import migrate
from churnlake.core.runs import EVER, Days
from churnlake.core.settings import CoreSettings, load
from churnlake.core.testing import rows as rows_of
from churnlake.settings import Settings

DAY = Column("day", DATE, "Day.")
VISITS = Table(
    "daily.visits", "One row per shop and day.", (DAY, Column("shop", LONG, "Shop."), Column("visits", LONG, "Visits.", least=0),
    Column("remark", STRING, "Remark.", optional=True)), key=("day", "shop"), slice="day", at="day", sort=("shop",),
)  # fmt: skip
STAYS = Table(
    "clean.stays", "One row per stay.", key=("record_key",), slice="batch", at="day", ledger=True,
    columns=(Column("batch", STRING, "Batch."), Column("record_key", LONG, "Key."), DAY, Column("nights", INT, "Nights.", least=0)),
)  # fmt: skip
MAKERS = {VISITS.name: "count_visits", STAYS.name: "take_in"}


def day(n: int) -> dt.date:
    return dt.date(2005, 5, n)


class Shops:
    """A lake of one table, filled."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        loaded = load(Settings, "local")
        where = {"lake": str(home / "lake"), "landing": str(home / "landing"), "work": str(home / "work")}
        self.spark = spark
        self.settings: CoreSettings = loaded.model_copy(update={"store": loaded.store.model_copy(update=where)})

    def write(self, table: Table, rows: DataFrame, last: int = 2) -> None:
        def write(lake: Lake, run: Run) -> None:
            lake.write(table, rows)

        declare(CoreSettings, writes=[table])(write).run(self.spark, self.settings, Days(day(1), day(last)))

    def seen(self, table: Table) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []

        def read(lake: Lake, run: Run) -> None:
            found.extend(tuple(row) for row in lake.read(table).orderBy(*table.key).collect())

        declare(CoreSettings, reads=[table])(read).run(self.spark, self.settings, Days(day(1), day(9)))
        return found

    def lake(self, *tables: Table) -> Lake:
        return Lake(self.spark, self.settings.store, Scope("test", EVER, tables, ()))

    def migrate(self, table: Table) -> tuple[dict[str, list[str]], Lake]:
        lake = self.lake(table)
        return migrate(lake, [table], MAKERS), lake


@pytest.fixture
def shops(spark: SparkSession, tmp_path: Path) -> Shops:
    return Shops(spark, tmp_path)


def visits(spark: SparkSession, *rows: tuple[int, int, int], **more: Any) -> DataFrame:
    return rows_of(spark, VISITS, *[{"day": day(d), "shop": s, "visits": v, **more} for d, s, v in rows])


def changed(table: Table, how: Callable[[Column], Column | None], *new: Column) -> Table:
    kept = [made for column in table.columns if (made := how(column))]
    return replace(table, columns=(*kept, *new))


NARROW = changed(
    VISITS,
    lambda c: replace(c, type=INT, most=100) if c.name == "visits" else c if c.name != "remark" else None,
    Column("guests", INT, "Guests.", optional=True),
)


def test_a_table_is_brought_to_its_contract_and_readers_wait_for_it(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    shops.write(VISITS, visits(shops.spark, (1, 1, 5), (1, 2, 6), (2, 1, 7), remark="x"))
    for wait in (lambda: shops.seen(NARROW), lambda: shops.write(NARROW, visits(shops.spark))):
        with pytest.raises(ContractError, match=r"daily\.visits at .* was made under another contract.*run job migrate_lake"):
            wait()
    monkeypatch.setattr(migration, "SLICES_AT_ONCE", 1)
    slices = migration.rules.slices_sql

    def dies(table: Table, some: list[str]) -> str:
        if some == ["2005-05-02"]:
            raise KeyboardInterrupt
        return slices(table, some)

    monkeypatch.setattr(migration.rules, "slices_sql", dies)
    with pytest.raises(KeyboardInterrupt):
        shops.migrate(NARROW)
    monkeypatch.setattr(migration.rules, "slices_sql", slices)
    for wait in (lambda: shops.seen(NARROW), lambda: shops.seen(VISITS)):
        with pytest.raises(ContractError, match="half way to another contract; run job migrate_lake, to finish it"):
            wait()
    lost, lake = shops.migrate(NARROW)
    assert lost == {"daily.visits": ["remark"]}
    assert [(w.slices, w.rows, w.days) for w in lake.written] == [(["all"], 3, [])]
    assert shops.seen(NARROW) == [(day(1), 1, 5, None), (day(1), 2, 6, None), (day(2), 1, 7, None)]
    noted = [row["userMetadata"] for row in lake.storage.commits(NARROW).collect()]
    done = [json.loads(text)["slices"] for text in noted if text and "migrated" in text]
    assert sorted(done) == [["2005-05-01"], ["2005-05-02"]], "each slice once, the kill notwithstanding"
    assert shops.migrate(NARROW)[0] == {}
    with pytest.raises(Exception, match=r"(?i)visits_holds|DELTA_VIOLATE_CONSTRAINT"):
        shops.write(NARROW, rows_of(shops.spark, NARROW, {"day": day(1), "shop": 1, "visits": 101}))
    with pytest.raises(Exception, match=r"(?i)not.null"):
        shops.spark.sql(f"INSERT INTO delta.`{lake.path(NARROW)}` VALUES (date'2005-05-03', null, 1, null)")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (changed(VISITS, lambda c: c, Column("owner", STRING, "Owner.")), "owner is new and must not be null"),
        (changed(VISITS, lambda c: replace(c, type=INT) if c.name == "visits" else c), "1 rows of visits do not fit int"),
        (changed(VISITS, lambda c: replace(c, type=INT) if c.name == "remark" else c), "1 rows of remark do not fit int"),
        (changed(VISITS, lambda c: replace(c, most=6) if c.name == "visits" else c), "2 rows have visits above 6"),
        (changed(VISITS, lambda c: replace(c, optional=False)), "3 rows have remark missing"),
    ],
    ids=["new", "narrower", "text", "rule", "required"],
)
def test_what_does_not_fit_is_told_before_anything_is_touched(shops: Shops, table: Table, why: str) -> None:
    unremarked = visits(shops.spark, (1, 1, 5), (1, 2, 2**40), (2, 1, 7))
    shops.write(VISITS, unremarked.union(visits(shops.spark, (3, 1, 1), remark="x")), last=3)
    before = shops.seen(VISITS)
    version = shops.lake(VISITS).storage.version(VISITS)
    with pytest.raises(ContractError, match=rf"daily\.visits: {why}.* Move these tables away and run count_visits over"):
        shops.migrate(table)
    assert shops.seen(VISITS) == before
    assert shops.lake(VISITS).storage.version(VISITS) == version


def test_good_rows_of_a_ledger_that_break_a_new_rule_become_bad_and_their_days_count_as_changed(shops: Shops) -> None:
    lake = shops.lake(STAYS)
    lake.create(STAYS)
    told = {"reasons": [], "file_id": "f", "kept_in": None, "raw_text": None}
    stored = [
        {"batch": "b", "record_key": 1, "day": day(1), "nights": 1, "state": "good", **told},
        {"batch": "b", "record_key": 2, "day": day(2), "nights": 9, "state": "good", **told},
        {"batch": "c", "record_key": 3, "day": day(3), "nights": -1, "state": "bad", **told, "reasons": ["nights below 0"]},
    ]
    from churnlake.core.frames import frame_of

    frame_of(shops.spark, STAYS.stored_schema, stored).write.format("delta").mode("append").save(lake.path(STAYS))
    stricter = changed(STAYS, lambda c: replace(c, most=7) if c.name == "nights" else c)
    (written,) = shops.migrate(stricter)[1].written
    assert (written.rows, written.bad, written.days) == (1, 2, [day(2)])
    found = shops.spark.read.format("delta").load(lake.path(STAYS)).orderBy("record_key").collect()
    assert [(r.state, r.reasons) for r in found] == [("good", []), ("bad", ["nights above 7"]), ("bad", ["nights below 0"])]
