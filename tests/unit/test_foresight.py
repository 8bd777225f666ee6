"""No feature sees ahead; and one that did would be found, whichever table it looked into."""

import datetime as dt
import random
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.__main__ import main
from churnlake.core import leases
from churnlake.core.contract import Table
from churnlake.core.lineage import Lineage
from churnlake.core.testing import rows
from churnlake.evaluate.foresight import Tables, foresight
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import BILLS, CELLS, HANDSETS, PLANS, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS, TOUCHES
from churnlake.usage.features import features

MAY, END = dt.date(2005, 5, 1), dt.date(2005, 5, 31)
USERS = range(1, 9)
WAYS = {
    USAGE: ("own_events_7d", "last_use_days", "own_events_to_plan_ratio"), EDGES: ("peers_often", "peer_mean_contacts"), PLACES: ("cell_days", "cell_entropy"),
    DEVICES: ("handset_top1_share",), LEAVINGS: ("peers_left",), SUBSCRIBERS: ("points", "plan_changes"), PLANS: ("plan_fee_yuan",),
    BILLS: ("arrears_bills", "bill_mean_3m_yuan"), RECHARGES: ("recharges", "recharge_3m_yuan"), SUBSCRIPTIONS: ("services_fee_yuan",),
    TOUCHES: ("campaign_touches_3m",), HANDSETS: ("handset_maker",), CELLS: ("gyration_km",),
}  # fmt: skip
"""Tables that features are made of, each a way to see ahead, and features that would."""


def build(tables: Tables, names: Collection[str] = ("own_events", "peers")) -> DataFrame:
    return features([MAY], tables, "010", [i for i in INDICATORS if i.name in names])


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> dict[Table, DataFrame]:
    """Eight users over March to May, in every table."""
    dice = random.Random(5)
    days = [dt.date(2005, 3, 1) + dt.timedelta(days=n) for n in range(92)]
    seen = [(user, day) for user in USERS for day in days if dice.random() < 0.3]
    used = [
        {
            "user_id": u,
            "day": d,
            **{c.name: dice.randrange(1, 9) for c in USAGE.columns if c.name not in ("user_id", "day") and not c.optional},
        }
        for u, d in seen
    ]
    made: dict[Table, list[dict[str, Any]]] = {
        USAGE: used,
        EDGES: [{"user_id": u, "day": d, "peer_id": dice.choice([1, 2, 3, 101, 102, 103]), "peer_network": dice.choice(["own", "unicom_gsm"]), "peer_area": dice.choice(["010", "021"]),
                 "voice_out_calls": dice.randrange(3), "voice_in_calls": 1, "voice_out_seconds": dice.randrange(90), "message_out": dice.randrange(2)} for u, d in seen],
        PLACES: [{"user_id": u, "day": d, "cell_id": dice.choice("xyz"), "voice_calls": dice.randrange(2, 5), "night_calls": dice.randrange(3)} for u, d in seen],
        DEVICES: [{"user_id": u, "day": d, "imei_key": dice.choice([u, u + 100]), "tac": dice.choice(["35000000", "35000001"]), "voice_calls": 2} for u, d in seen],
        LEAVINGS: [{"known_on": dt.date(2005, 5, 9), "user_id": 2, "leave_on": dt.date(2005, 4, 9)}, {"known_on": dt.date(2005, 2, 9), "user_id": 1, "leave_on": dt.date(2005, 1, 9)}],
        SUBSCRIBERS: [{"user_id": u, "delivered_on": day, "plan_id": "p1", "brand": "gotone", "joined_on": dt.date(2004, u, 1), "birth_year": 1970 + u, "gender": "f", "points": u,
                       "status": "active", "status_since": dt.date(2004, u, 1)} for u in USERS for day in (dt.date(2005, 3, 1), dt.date(2005, 5, 2))],
        PLANS: [{"plan_id": p, "delivered_on": dt.date(2005, 3, 1), "monthly_fee_yuan": 30, "included_minutes": 50, "included_messages": 9} for p in ("p1", "ahead")],
        BILLS: [{"user_id": u, "month": dt.date(2005, m, 1), "delivered_on": dt.date(2005, m + 1, 5), "local_yuan": u + m, "arrears_yuan": m} for u in USERS for m in (2, 3, 4)],
        RECHARGES: [{"user_id": u, "recharge_key": 100 * u + n, "day": dice.choice(days), "amount_yuan": dice.choice([30, 50, 100])} for u in USERS for n in range(3)],
        SUBSCRIPTIONS: [{"user_id": u, "service": s, "started_on": dt.date(2005, 4, u), "delivered_on": dt.date(2005, 4, u), "channel": "sms", "monthly_fee_yuan": 5} for u in USERS for s in ("ring_tone", "game")],
        TOUCHES: [{"touch_key": u, "user_id": u, "campaign_id": "c", "arm": "target" if u % 2 else "control", "assigned_on": dt.date(2005, 5, u), "delivered_on": dt.date(2005, 5, u), "is_reached": True} for u in USERS],
        HANDSETS: [{"tac": tac, "delivered_on": dt.date(2005, 3, 1), "maker": "m", "model": "a", "has_mms": True} for tac in ("35000000", "35000001")],
        CELLS: [{"cell_id": c, "delivered_on": dt.date(2005, 3, 1), "latitude": 39.0 + n, "longitude": 116.0 + n} for n, c in enumerate("xyz")],
    }  # fmt: skip
    return {table: rows(spark, table, *some).localCheckpoint() for table, some in made.items()}


def test_no_feature_sees_ahead(tables: dict[Table, DataFrame]) -> None:
    # what is over other indicators sees what they see, but for what it names of other months and users; of the hours of the week, one formula, some
    asked = [i for i in INDICATORS if i.over or i.daily or "before_" in i.monthly or "plan_mean_" in i.monthly]
    asked += [i for n, i in enumerate(ALL_ITEMS) if i.over or n % 60 == 0]
    found = foresight(tables, MAY, lambda of: features([MAY], of, "010", asked))
    assert found.moved == {}
    assert (found.rows, found.features) == (len(USERS), len(asked))
    assert set(found.planted) == {table.name for table in WAYS}
    assert all(found.planted.values())


@pytest.mark.parametrize("way", WAYS, ids=lambda t: t.name)
def test_who_forgets_to_cut_off_what_comes_after_is_found(tables: dict[Table, DataFrame], way: Table) -> None:
    """A build that takes the future rows of one table for rows of the month's last day."""

    def forgetful(of: Tables) -> DataFrame:
        dates = {name: F.least(name, F.lit(END)) for name in (str(way.at), "delivered_on") if name in of[way].columns}
        return build({**of, way: of[way].withColumns(dates)}, WAYS[way])

    found = foresight(tables, MAY, forgetful)
    assert set(found.moved) - {"user_id"} == set(WAYS[way])
    assert found.lines()[-1] == f"{len(found.moved)} features see ahead"


def peeking(change: Callable[[DataFrame, Tables], DataFrame]) -> Callable[[Tables], DataFrame]:
    return lambda of: change(build(of), of)


def test_a_feature_made_of_the_next_month_is_found(tables: dict[Table, DataFrame]) -> None:
    """The label itself, and the next month's use, joined on by a careless hand."""

    def gone(made: DataFrame, of: Tables) -> DataFrame:
        return made.join(of[LEAVINGS].groupBy("user_id").agg(F.max("leave_on").alias("gone_on")), on="user_id", how="left")

    def use(made: DataFrame, of: Tables) -> DataFrame:
        return made.join(of[USAGE].groupBy("user_id").agg(F.max("day").alias("seen_last_on")), on="user_id", how="left")

    def rank(made: DataFrame, of: Tables) -> DataFrame:
        return made.withColumn("of_all", F.lit(of[USAGE].count()))

    assert set(foresight(tables, MAY, peeking(use)).moved) == {"seen_last_on"}
    assert set(foresight(tables, MAY, peeking(rank)).moved) == {"of_all"}
    assert set(foresight(tables, MAY, peeking(gone)).moved) == {"gone_on"}


def test_where_there_is_no_lake_it_says_where_it_looked_and_leaves_none_behind(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "not" / "there"
    overrides = ["--set", f"store.lake={nowhere}", "--set", f"store.work={tmp_path / 'work'}"]
    assert main(["foresight", *overrides]) == 2
    told = f"features.monthly does not exist yet; run job build_features first (nothing at {nowhere}/features/monthly)"
    assert told in capsys.readouterr().err
    build_features = next(job for job in Lineage.of_package().jobs if job.name == "build_features")
    assert build_features.command(["--dates", "2005-05-01..2005-05-31", *overrides]) == 2
    assert "daily.usage does not exist yet; run job build_daily first" in capsys.readouterr().err
    assert not nowhere.parent.exists()
    # what others put there meanwhile stays, and so does a lake
    with leases.lease(spark, str(nowhere), "one", "r1"):
        (nowhere / "daily").mkdir()
    assert sorted(path.name for path in nowhere.iterdir()) == ["_leases", "daily"]
