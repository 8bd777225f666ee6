"""Every indicator, from clean records to both feature tables, against DuckDB; and one by one against the wide tables."""

import datetime as dt
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.contract import DOUBLE, Table
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.evaluate import duck_indicators as duck
from churnlake.evaluate import jit, one_by_one
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.indicators.units import NATS, SHARE
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.clean import MMS, NETWORKS, RECORDS, SMS, VOICE, WAP
from churnlake.tables.features import ITEMS, MONTHLY
from churnlake.tables.reference import (
    BILLS,
    CELLS,
    HANDSETS,
    LIVES,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)
from churnlake.usage import daily
from churnlake.usage.features import features

MAY = dt.date(2005, 5, 1)
DAYS = Days(dt.date(2005, 3, 1), dt.date(2005, 5, 31))
NUMBERS = range(1, 61)
NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
HOTLINES = ["1860", "10010", "12315", "8888"]
Rows = list[dict[str, Any]]


def moment(day: dt.date, second: int = 0) -> dt.datetime:
    """So many seconds after the city's midnight, in UTC."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(seconds=second - 8 * 3600)


def records(dice: random.Random) -> dict[Table, Rows]:
    """What 60 numbers did in three months: some much, some a little, some only one thing."""
    found: dict[Table, Rows] = {table: [] for table in RECORDS}
    days = DAYS.each()
    for number in NUMBERS:
        circle = [dice.choice([*NUMBERS, *range(100, 160)]) for _ in range(dice.choice([1, 4, 25]))]
        kinds = dice.choice([[VOICE], [SMS], [*RECORDS], [*RECORDS], [*RECORDS], [VOICE, SMS]])
        month_on = dice.choice([0, 0, 31, 61])
        for _ in range(dice.choice([3, 40, 300])):
            table, day, second = dice.choice(kinds), dice.choice(days[month_on:]), dice.randrange(86_400)
            row = {"number_key": number, "day": day, "hour": second // 3600, "started_at": moment(day, second), "delivered_on": day,
                   "fee_yuan": dice.choice([None, Decimal(dice.randrange(300)) / 100, Decimal(-5), Decimal(20_000)])}  # fmt: skip
            if table is not WAP:
                service = dice.choice([None] * 9 + HOTLINES)
                peer = dice.choice([None, *circle * 3])
                network = sorted(NETWORKS)[(peer or 0) % 8] if dice.random() < 0.9 else "own"
                row |= {"peer_service": service, "peer_key": peer, "peer_network": network,
                        "peer_area": dice.choice([None, "010", "010", "021", "0311"]), "direction": dice.choice(["out", "in"])}  # fmt: skip
            if table is VOICE:
                handset = dice.choice([None, number, number, number + 1000, number + 2000])
                row |= {"seconds": dice.choice([0, 0, 7, dice.randrange(1, 4000)]), "cell_id": dice.choice([None, "a", "b", "c", "d", "nowhere"]),
                        "imei_key": handset, "tac": handset and f"3500000{handset % 4}", "is_ip": dice.random() < 0.1,
                        "call_class": dice.choice([None, "local", "local", "long_distance", "international", "roaming"]),
                        "release_cause": dice.choice([None, "answered", "dropped"])}  # fmt: skip
                if dice.random() < 0.15:
                    row |= {
                        "direction": "forwarded",
                        "forwarded_network": dice.choice(["own", "unicom_gsm", "unicom_cdma", "phs", "fixed"]),
                    }
            if table is MMS:
                row |= {"bytes": dice.randrange(100_000)}
            if table is WAP:
                row |= {"bytes": dice.randrange(1_000_000), "seconds": dice.randrange(900)}
            found[table].append(row)
    return found


def registers(dice: random.Random) -> dict[Table, Rows]:
    """What the operator's registers say: users change plan, take and end services, some are not told of at all."""
    lives: Rows = []
    for number in NUMBERS:
        if number % 13 == 0:
            continue
        until = moment(dt.date(2005, 4, dice.randrange(1, 30)), dice.randrange(86_400)) if number % 5 == 0 else NEVER
        lives.append(
            {"number_key": number, "user_id": 1000 + number, "valid_from": moment(dt.date(2004, 1, 1)), "valid_to": until}
        )
        if until != NEVER:
            lives.append(
                {
                    "number_key": number,
                    "user_id": 2000 + number,
                    "valid_from": until + dt.timedelta(days=dice.choice([0, 9])),
                    "valid_to": NEVER,
                }
            )
    users = [life["user_id"] for life in lives]
    told, day = [u for u in users if u % 7], dt.date

    def subscriber(user: int, on: dt.date) -> dict[str, Any]:
        maybe = dice.choice
        return {"user_id": user, "delivered_on": on, "plan_id": maybe(["p1", "p1", "p1", "p2", "gone", None]), "brand": maybe(["gotone", "easyown", "mzone", None]),
                "joined_on": day(2005 - user % 3, 1 + user % 5, 3), "status": maybe(["active", "suspended", "cancelled", None]), "status_since": maybe([None, day(2005, 2, 3)]),
                "number_beauty": maybe(["repeated", "sequence", "lucky", "plain"]), "channel": maybe([None, "counter", "dealer", "phone", "web"]), "branch": maybe([None, "east"]),
                "bonus_yuan": maybe([None, Decimal("30.00")]), "bonus_until": maybe([None, day(2005, 5, 20), day(2005, 9, 1)]), "group_customer_id": maybe([None, "g"]),
                "vip_card": maybe([None, "gold"]), "points": maybe([None, 17]), "birth_year": maybe([None, 1950, 1971, 1988, 1960]), "gender": maybe([None, "f", "m"]),
                "is_rural": maybe([None, True, False]), "credit_class": maybe([None, "A"])}  # fmt: skip

    deliveries = [day(2005, 2, 27), day(2005, 3, 30), day(2005, 4, 30), day(2005, 5, 31), day(2005, 6, 2)]
    services = ["ring_tone", "mailbox", "game", "news", "mms_pack", "gprs_pack", "caller_id", "forwarding_secretary", "weather"]
    return {
        LIVES: lives,
        LEAVINGS: [{"user_id": u, "known_on": d, "leave_on": day(2005, 1, 1)} for u in users[::4] for d in dice.sample([day(2005, 3, 9), day(2005, 4, 9), day(2005, 5, 9), day(2005, 6, 9)], 2)],
        SUBSCRIBERS: [subscriber(u, on) for u in told for on in deliveries if dice.random() < 0.8],
        PLANS: [{"plan_id": p, "delivered_on": on, "monthly_fee_yuan": Decimal(fee), "included_minutes": m, "included_messages": n}
                for p, on, fee, m, n in [("p1", day(2005, 2, 27), "30.00", 50, 9), ("p1", day(2005, 6, 2), "99.00", 1, 1), ("p2", day(2005, 2, 27), "0.00", 0, None)]],
        BILLS: [{"user_id": u, "month": day(2005, m, 1), "delivered_on": day(2005, m + 1, 5), **{f"{kind}_yuan": Decimal(dice.randrange(9000)) / 100
                 for kind in ("monthly_fee", "local", "long_distance", "roaming", "message", "new_service")},
                 "arrears_yuan": dice.choice([None, Decimal("0.00"), Decimal("3.33")])} for u in told for m in (1, 2, 3, 4, 5) if dice.random() < 0.8],
        RECHARGES: [{"user_id": u, "recharge_key": n, "day": d, "amount_yuan": Decimal(dice.choice(["30.00", "50.00", "100.01"]))}
                    for n, (u, d) in enumerate((dice.choice(told), dice.choice([*DAYS.each(), day(2005, 6, 3)])) for _ in range(90))],
        SUBSCRIPTIONS: [{"user_id": u, "service": s, "started_on": began, "delivered_on": on, "monthly_fee_yuan": Decimal(dice.randrange(2000)) / 100,
                         "ended_on": dice.choice([None, None, max(began, day(2005, 5, 9)), max(began, day(2005, 5, 31))]),
                         "channel": dice.choice([None, "sms", "hotline", "counter", "web", "wap", "dealer"])}
                        for u in told for s in dice.sample(services, 6) for began in [dice.choice([day(2004, 9, 9), day(2005, 5, 4), day(2005, 6, 1)])]
                        for on in dice.sample(deliveries[2:], 2)],
        TOUCHES: [{"touch_key": 10 * u + m, "user_id": u, "campaign_id": "c", "arm": dice.choice(["target", "control"]), "assigned_on": day(2005, m, 9),
                   "delivered_on": day(2005, m, 20), "is_reached": dice.choice([None, True, False])} for u in told for m in (1, 3, 5, 6)],
        HANDSETS: [{"tac": f"3500000{n}", "delivered_on": on, "maker": f"m{n}{on.month}", "model": "x", "has_gprs": n == 1, "has_mms": dice.choice([None, True, False]), "has_java": False}
                   for n in (0, 1, 2) for on in (day(2005, 3, 1), day(2005, 5, 1), day(2005, 6, 1))],
        CELLS: [{"cell_id": c, "delivered_on": day(2005, 3, 1), "latitude": 39.5 + 0.1 * n, "longitude": 116.0 + 0.3 * n * n} for n, c in enumerate("abcd")],
    }  # fmt: skip


@dataclass
class Both:
    """The same month by both sides."""

    settings: Settings
    tables: dict[Table, DataFrame]
    records: dict[Table, DataFrame]
    made: dict[Table, DataFrame]
    differing: list[str]
    largest_method: int


@pytest.fixture(scope="module")
def both(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, generated: None) -> Both:
    dice, home, settings = random.Random(20050531), tmp_path_factory.mktemp("both"), load(Settings, "local")
    jit.watch(spark)

    def kept(table: Table, frame: DataFrame, side: str) -> DataFrame:
        path = str(home / side / table.name)
        # as Delta keeps them: a slice is in the names of folders alone
        parts = [str(table.slice)] if table.name in duck.IN_FOLDERS else []
        frame.coalesce(1).write.partitionBy(*parts).parquet(path)
        return spark.read.parquet(path)

    def files(table: Table, side: str) -> list[str]:
        return [str(path) for path in sorted((home / side / table.name).rglob("*.parquet"))]

    given = {table: kept(table, rows(spark, table, *some), "given") for table, some in (records(dice) | registers(dice)).items()}
    lives, zone = given[LIVES], settings.store.city_zone
    holders = daily.Holders(lives, DAYS, zone)
    events = daily.held(daily.events({table.name: given[table] for table in RECORDS}), holders)
    made = {table: kept(table, frame, "made") for table, frame in daily.partials(events, settings.usage, holders).items()}
    tables = {**given, **made}
    home_area = settings.landing.home_area
    for table, asked in ((MONTHLY, INDICATORS), (ITEMS, ALL_ITEMS)):
        made[table] = kept(table, features([MAY], tables, home_area, asked), "made")
    largest = jit.largest_method(spark)
    task = duck.Task(
        {table.name: files(table, "given") for table in given}, home / "duckdb", DAYS, MAY, home_area, 1, "1GB", settings.usage
    )
    con = duck.connected(task)
    for table, query in duck.queries(task):
        duck.write(con, task, table, query)
    apart = duck.differing(con, {table.name: files(table, "made") for table in made})
    return Both(settings, tables, {table: given[table] for table in RECORDS}, made, apart, largest)


def test_both_sides_say_the_same_of_every_user(both: Both) -> None:
    assert both.differing == [], "\n".join(both.differing)


def test_no_indicator_is_the_same_for_all(both: Both) -> None:
    """Else the comparison would hold for anything."""
    for table, asked in ((MONTHLY, INDICATORS), (ITEMS, ALL_ITEMS)):
        found = both.made[table].toPandas()
        assert len(found) > 30
        constant = [i.name for i in asked if found[i.name].nunique(dropna=False) < 2]
        assert constant == []


def test_shares_lie_between_0_and_1_and_entropies_not_below_0(both: Both) -> None:
    """Whatever the records: calls unanswered, forwarded, dropped, by IP prefix within the city."""
    found, apart = both.made[MONTHLY].toPandas(), []
    for i in (i for i in INDICATORS if i.unit in (SHARE, NATS)):
        values = found[i.name].dropna()
        if len(values) and not (values.min() >= 0 and (i.unit == NATS or values.max() <= 1)):
            apart.append((i.name, values.min(), values.max()))
    assert apart == []


def test_one_by_one_says_the_same(both: Both, spark: SparkSession) -> None:
    events = daily.events({table.name: frame for table, frame in both.records.items()})
    # a number is a user there
    alike = daily.partials(events, both.settings.usage)
    some = one_by_one.subset()
    assert len(some) >= 12
    assert {i.over for i in some} >= {"", "days", "edges", "places", "devices", "subscriber"}
    home_area = both.settings.landing.home_area
    tables = {**both.tables, **alike}
    whole = {row["user_id"]: row for row in features([MAY], tables, home_area, some).collect()}
    # one of each kind of source
    for indicator in {i.over: i for i in some}.values():
        alone = one_by_one.alone(indicator, events, tables, MAY, home_area, both.settings.usage).collect()
        told = {row["user_id"]: row[indicator.name] for row in alone}
        for user, row in whole.items():
            # who has no row has no value there, and none or 0 here
            one, other = told.get(user) or 0, row[indicator.name] or 0
            same = abs(one - other) <= 1e-9 * max(1, abs(other)) if indicator.type == DOUBLE else one == other
            assert same, (indicator.name, user, one, other)


def test_generated_methods_are_short_enough_to_be_compiled(both: Both) -> None:
    assert 0 < both.largest_method <= jit.HUGE_METHOD


def test_the_files_of_a_delta_table_are_told_by_its_log(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    frame = spark.range(6).selectExpr("id", "if(id % 2 = 0, 'good', 'bad') AS state")
    for _ in range(2):
        frame.write.format("delta").mode("overwrite").partitionBy("state").save(path)
    files = duck.current_files(Path(path))
    assert all("state=good" in file for file in files)
    assert sorted(row["id"] for row in spark.read.parquet(*files).collect()) == [0, 2, 4]
