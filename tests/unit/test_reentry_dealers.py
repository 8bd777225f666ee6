"""Dealers and branches that stand out, what to ask back, and customers who hop for bonuses: cases counted by hand."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from scipy.stats import false_discovery_control, hypergeom

from churnlake.core.frames import conform, frame_of
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import dealers, fleas
from churnlake.settings import Settings
from churnlake.tables.control import CLAWBACKS, FLEAS, FUNNELS, PARTS
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import RECHARGES, SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
HOW = SETTINGS.control
MONTH, TOLD = dt.date(2005, 2, 1), dt.date(2005, 5, 29)


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def joined(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    start = {"month": MONTH, "known_on": TOLD, "joined_on": on(2, 10), "part": "new"}
    return rows(spark, PARTS, *[{**start, **one} for one in given])


def own(spark: SparkSession, *days: tuple[int, dt.date]) -> DataFrame:
    return frame_of(spark, StructType.fromDDL("user_id bigint, day date"), [{"user_id": u, "day": d} for u, d in days])


def test_who_is_still_there_after_so_many_days(spark: SparkSession) -> None:
    came = joined(spark, *[{"user_id": u} for u in (1, 2, 3, 4)])
    start = on(2, 10)
    day = {n: start + dt.timedelta(days=n) for n in (0, 45, 46, 60, 61, 75, 90, 91)}
    use = own(
        spark, (1, day[0]), (1, day[60]), (1, day[90]), (2, day[46]), (2, day[75]), (3, day[45]), (3, day[61]), (3, day[91])
    )
    found = {r.user_id: (r.gone_60, r.gone_90) for r in dealers.with_stay(came, use, SETTINGS).collect()}
    # within 15 days up to day 60 and up to day 90
    assert found == {1: (False, False), 2: (False, True), 3: (True, True), 4: (True, True)}


def test_a_dealer_is_held_against_the_rest_of_its_branch(spark: SparkSession) -> None:
    sold = {"D1": ("B1", 30, 24), "D2": ("B1", 60, 6), "D3": ("B1", 60, 8), "D4": ("B2", 40, 8), "D5": (None, 10, 1)}
    given, user = [], 0
    for dealer, (branch, count, back) in sold.items():
        for i in range(count):
            user += 1
            given.append({"user_id": user, "dealer_id": dealer, "branch": branch, "part": "reentry" if i < back else "new"})
    given += [{"user_id": user + 1 + i, "part": "new"} for i in range(5)]  # sold by nobody
    told = conform(
        FUNNELS, dealers.funnels(dealers.with_stay(joined(spark, *given), own(spark), SETTINGS), SETTINGS).repartition(3)
    ).collect()
    assert len({(r.level, r.value, r.measure) for r in told}) == len(told) == 4 * (5 + 2)
    back = {r.value: r for r in told if r.measure == "reentry" and r.level == "dealer"}
    assert {v: (r.branch, r.joiners, r.found, r.beside) for v, r in back.items()} == {
        "D1": ("B1", 30, 24, "branch"), "D2": ("B1", 60, 6, "branch"), "D3": ("B1", 60, 8, "branch"),
        "D4": ("B2", 40, 8, "city"), "D5": (None, 10, 1, "city"),
    }  # fmt: skip
    # the rest of the branch is the branch without it; the city has 205 joiners, 47 of them back
    assert back["D1"].rest_share == pytest.approx(14 / 120, abs=1e-6)
    assert back["D4"].rest_share == pytest.approx(39 / 165, abs=1e-6)
    tails = {
        "D1": (24, 150, 38, 30),
        "D2": (6, 150, 38, 60),
        "D3": (8, 150, 38, 60),
        "D4": (8, 205, 47, 40),
        "D5": (1, 205, 47, 10),
    }
    chance = {v: hypergeom.sf(k - 1, m, a, n) for v, (k, m, a, n) in tails.items()}
    assert {v: r.p_value for v, r in back.items()} == pytest.approx(chance, rel=1e-6)
    assert [back[v].q_value for v in tails] == pytest.approx(list(false_discovery_control(list(chance.values()))), rel=1e-6)
    assert [v for v, r in back.items() if r.is_flagged] == ["D1"]
    branches = {r.value: r for r in told if r.measure == "reentry" and r.level == "branch"}
    assert {v: (r.joiners, r.found, r.beside) for v, r in branches.items()} == {"B1": (150, 38, "city"), "B2": (40, 8, "city")}
    # nobody called on: all are gone, and no dealer stands out by that
    gone = [r for r in told if r.measure == "gone_60"]
    assert {r.share for r in gone} == {1.0}
    assert not any(r.is_flagged for r in gone)


def test_one_dealer_alone_is_held_against_nobody(spark: SparkSession) -> None:
    came = joined(spark, *[{"user_id": u, "dealer_id": "D1", "branch": "B1", "part": "reentry"} for u in (1, 2)])
    told = conform(FUNNELS, dealers.funnels(dealers.with_stay(came, own(spark), SETTINGS), SETTINGS)).collect()
    assert {(r.rest_share, r.p_value, r.q_value, r.is_flagged) for r in told} == {(None, None, None, False)}


def test_claw_backs_are_bonuses_paid_twice_and_dealers_own_cards(spark: SparkSession) -> None:
    came = joined(
        spark,
        {"user_id": 1, "part": "reentry", "old_user_id": 11, "dealer_id": "D1", "bonus_yuan": Decimal("100")},
        {"user_id": 2, "part": "reentry", "old_user_id": 12, "dealer_id": "D2", "bonus_yuan": Decimal("100")},  # the old bonus was long over
        {"user_id": 3, "part": "farmed", "is_farmed": True, "dealer_id": "D1", "bonus_yuan": Decimal("50")},
        {"user_id": 4, "part": "farmed", "is_farmed": True, "dealer_id": "D2"},
        {"user_id": 5, "part": "new", "dealer_id": "D1", "bonus_yuan": Decimal("100")},
    )  # fmt: skip
    schema = "user_id bigint, old_user_id bigint, old_bonus_until date, probability double"
    olds = frame_of(spark, StructType.fromDDL(schema), [
        {"user_id": 1, "old_user_id": 11, "old_bonus_until": on(3, 1), "probability": 0.9},
        {"user_id": 1, "old_user_id": 19, "old_bonus_until": on(3, 1), "probability": 0.1},
        {"user_id": 2, "old_user_id": 12, "old_bonus_until": on(1, 1), "probability": 0.9},
        {"user_id": 5, "old_user_id": 15, "old_bonus_until": on(3, 1), "probability": 0.4},
    ])  # fmt: skip
    funnel = rows(
        spark, FUNNELS,
        {"month": MONTH, "level": "dealer", "value": "D1", "measure": "farmed", "is_flagged": True},
        {"month": MONTH, "level": "dealer", "value": "D2", "measure": "reentry", "is_flagged": True},
        {"month": on(1, 1), "level": "dealer", "value": "D2", "measure": "farmed", "is_flagged": True},
        {"month": MONTH, "level": "branch", "value": "D1", "measure": "reentry", "is_flagged": True},
    )  # fmt: skip
    found = conform(CLAWBACKS, dealers.clawbacks(came, olds, funnel, SETTINGS)).collect()
    assert {(r.user_id, r.old_user_id, r.reason, r.yuan, r.probability, r.is_dealer_flagged) for r in found} == {
        (1, 11, "bonus_twice", Decimal("100.00"), 0.9, False),
        (3, None, "farmed", Decimal("50.00"), None, True),
        (4, None, "farmed", None, None, False),
    }  # fmt: skip
    assert "nothing is withheld before a person has" in CLAWBACKS.meaning


def test_fleas_and_near_misses(spark: SparkSession) -> None:
    # chain 300 + c <- 200 + c <- 100 + c; each differs from the first in one thing
    odd = {
        1: {}, 2: {"old_join": on(2, 10) - dt.timedelta(days=181)}, 3: {"until": on(1, 5) + dt.timedelta(days=31)}, 4: {"paid": "40"},
        5: {"part": "farmed"}, 6: {"first": False}, 7: {"until": on(1, 5) - dt.timedelta(days=30)}, 8: {"until": None}, 9: {"known": on(6, 1)},
    }  # fmt: skip
    parts, links, papers, paid = [], [], [], []
    for c, what in odd.items():
        new, old, first = 300 + c, 200 + c, 100 + c
        parts.append(
            {
                "user_id": new,
                "old_user_id": old,
                "part": what.get("part", "reentry"),
                "dealer_id": "D1",
                "bonus_yuan": Decimal("100"),
            }
        )
        links.append({"user_id": new, "old_user_id": old, "joined_on": on(2, 10), "old_last_on": on(2, 1), "known_on": on(4, 11)})
        if what.get("first", True):
            links.append({"user_id": old, "old_user_id": first, "joined_on": what.get("old_join", on(1, 10)), "old_last_on": on(1, 5),
                          "known_on": what.get("known", on(3, 11))})  # fmt: skip
        for user, began, until in ((old, on(1, 8), on(2, 20)), (first, dt.date(2004, 11, 7), what.get("until", on(1, 5)))):
            papers.append(
                {
                    "user_id": user,
                    "delivered_on": began,
                    "joined_on": began,
                    "brand": "easyown",
                    "bonus_until": until,
                    "bonus_yuan": Decimal("50"),
                }
            )
        # 85 days held together: 25 days of the one, 60 of the other
        paid.append(
            {
                "user_id": first,
                "day": dt.date(2004, 12, 1),
                "amount_yuan": (Decimal(what.get("paid", "0")) * 85 / 30).quantize(Decimal("0.01")),
            }
        )
        paid.append({"user_id": first, "day": on(3, 1), "amount_yuan": Decimal("999")})  # whoever has the number now
    papers += [{"user_id": 900 + i, "delivered_on": on(1, 1), "joined_on": on(1, 1), "brand": "easyown"} for i in range(40)]
    paid += [
        {"user_id": 900 + i, "day": on(4, 1), "amount_yuan": Decimal("148")} for i in range(40)
    ]  # 148 days: 30 yuan in 30 days
    came = joined(spark, *parts)
    recharges = rows(spark, RECHARGES, *paid)
    found = {
        r.user_id: r
        for r in conform(
            FLEAS, fleas.fleas(came, rows(spark, MATCHES, *links), rows(spark, SUBSCRIBERS, *papers), recharges, SETTINGS)
        ).collect()
    }
    assert set(found) == {301, 307}
    row = found[301]
    assert (row.old_user_id, row.first_user_id, row.hop_days, row.dealer_id, row.brand) == (201, 101, 31, "D1", "easyown")
    assert (row.bonus_yuan, row.recharge_yuan) == (Decimal("200.00"), Decimal("0.00"))
    assert row.known_on == TOLD
