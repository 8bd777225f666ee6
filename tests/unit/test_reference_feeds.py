"""From the lines an operator delivers to rows that are good or say why not, by the city's own feed files."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.feed_rows import read_feed
from churnlake.core.feeds import load_feed
from churnlake.core.landing_files import landing_files
from churnlake.core.ledger import mark, set_repeats_aside
from churnlake.core.pseudonyms import Key
from churnlake.core.settings import conf_folder, load
from churnlake.landing import reference
from churnlake.settings import Settings
from churnlake.tables.raw import RAW_ANSWERS, RAW_PLANS, RAW_SUBSCRIPTIONS, RAW_TOUCHES
from churnlake.tables.reference import ANSWERS, PLANS, SUBSCRIPTIONS, TOUCHES

FEEDS: dict[Table, tuple[Table, Callable[..., DataFrame]]] = {
    RAW_PLANS: (PLANS, reference.plans),
    RAW_SUBSCRIPTIONS: (SUBSCRIPTIONS, reference.subscriptions),
    RAW_TOUCHES: (TOUCHES, reference.touches),
    RAW_ANSWERS: (ANSWERS, reference.answers),
}
HEADERS = {
    RAW_SUBSCRIPTIONS: "USER_ID,SERVICE_CODE,START_DATE,END_DATE,ORDER_CHANNEL,MONTH_FEE",
    RAW_TOUCHES: "TOUCH_NO,USER_ID,CAMPAIGN_CODE,ARM,ASSIGN_DATE,CHANNEL,RESULT",
    RAW_ANSWERS: "ANSWER_NO,SURVEY_CODE,USER_ID,ASK_DATE,QUESTION_CODE,ANSWER_CODE,OLD_MSISDN",
}
OLD_PLANS = "PLAN_CODE,PLAN_NAME,BRAND_CODE,MONTH_FEE,FREE_MIN,LOCAL_FEE,TOLL_FEE,ROAM_FEE,SMS_FEE"
PLANS_HEADER = f"{OLD_PLANS},FREE_SMS,INTL_FEE,IP_FEE,NIGHT_FEE,MMS_FEE,WAP_FEE"
TakeIn = Callable[..., dict[str, Row]]


@pytest.fixture
def taken_in(spark: SparkSession, tmp_path: Path) -> TakeIn:
    """Rows of the ledger by the line they came from."""
    settings = load(Settings, "local")
    key = Key.load(spark, str(conf_folder() / "demo.key"), allow_demo=True)

    def take_in(raw: Table, header: str, *lines: str) -> dict[str, Any]:
        table, cleaned = FEEDS[raw]
        noun = raw.name.removeprefix("raw.")
        feed = load_feed(conf_folder() / "feeds" / "city" / f"{noun}.yaml", raw)
        day = tmp_path / noun / "date=2005-05-07"
        day.mkdir(parents=True)
        (day / f"{noun}.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        landed = read_feed(spark, feed, raw, landing_files(tmp_path / noun, feed))
        rows = cleaned(landed, key, settings.landing, settings.store.city_zone, False).withColumn("batch", F.lit("b"))
        return {row["raw_text"]: row for row in set_repeats_aside(table, mark(table, rows), None).collect()}

    return take_in


BROKEN: list[tuple[Table, str, list[str]]] = [
    (RAW_SUBSCRIPTIONS, ",game,20050101,,,0", ["user_id missing"]),
    (RAW_SUBSCRIPTIONS, "U1,,20050101,,,0", ["service missing"]),
    (RAW_SUBSCRIPTIONS, "U1,game,,,,0", ["started_on missing"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050230,,,0", ["started_on unreadable"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050102,20050101,,0", ["ended_on breaks ended_on >= started_on"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050102,never,,0", ["ended_on unreadable"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050103,,,", ["monthly_fee_yuan missing"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050104,,,-1", ["monthly_fee_yuan below 0"]),
    (RAW_SUBSCRIPTIONS, "U1,game,20050105,,,100000001", ["monthly_fee_yuan above 1000000"]),
    (RAW_TOUCHES, ",U1,C1,T,20050501,phone,1", ["touch_key missing"]),
    (RAW_TOUCHES, "b1,,C1,T,20050501,phone,1", ["user_id missing"]),
    (RAW_TOUCHES, "b2,U1,,T,20050501,phone,1", ["campaign_id missing"]),
    (RAW_TOUCHES, "b3,U1,C1,,20050501,phone,1", ["arm missing"]),
    (RAW_TOUCHES, "b4,U1,C1,X,20050501,phone,1", ["arm not one of target, control"]),
    (RAW_TOUCHES, "b5,U1,C1,T,,phone,1", ["assigned_on missing"]),
    (RAW_TOUCHES, "b6,U1,C1,T,soon,phone,1", ["assigned_on unreadable"]),
    (RAW_TOUCHES, "b7,U1,C1,T,20050501,phone,2", ["is_reached unreadable"]),
    (RAW_ANSWERS, ",S1,U1,20050501,Q1,A,", ["answer_key missing"]),
    (RAW_ANSWERS, "b1,,U1,20050501,Q1,A,", ["survey_id missing"]),
    (RAW_ANSWERS, "b2,S1,,20050501,Q1,A,", ["user_id missing"]),
    (RAW_ANSWERS, "b3,S1,U1,,Q1,A,", ["asked_on missing"]),
    (RAW_ANSWERS, "b4,S1,U1,2005,Q1,A,", ["asked_on unreadable"]),
    (RAW_ANSWERS, "b5,S1,U1,20050501,,A,", ["question missing"]),
]
GOOD: dict[Table, list[str]] = {
    RAW_SUBSCRIPTIONS: [
        "U1,mailbox,20050101,,,500",
        "U1,mms_pack,20050101,20050101,web,0",
        "U2,a service of their own,20050101,,,1",
    ],
    RAW_TOUCHES: ["g1,U1,C1,T,20050501,phone,1", "g2,U1,C1,T,20050501,phone,0", "g3,U2,C1,C,20050501,,"],
    RAW_ANSWERS: [
        "g1,S1,U1,20050501,Q1,A,13901234567",
        "g2,S1,U1,20050501,Q2,,",
        "g3,S1,U2,20050501,Q1,B,no idea",
        "g4,S1,U3,20050501,Q1,B,1860",
    ],
}


@pytest.mark.parametrize("raw", list(HEADERS), ids=lambda table: table.name)
def test_a_line_that_breaks_a_rule_is_set_aside_with_the_reason_and_no_other(taken_in: TakeIn, raw: Table) -> None:
    broken = {line: reasons for table, line, reasons in BROKEN if table is raw}
    found = taken_in(raw, HEADERS[raw], *broken, *GOOD[raw])
    assert {line: found[line]["reasons"] for line in broken} == broken
    assert {line: (found[line]["state"], found[line]["reasons"]) for line in GOOD[raw]} == dict.fromkeys(GOOD[raw], ("good", []))


def test_a_service_a_touch_and_an_answer_are_read(taken_in: TakeIn) -> None:
    mailbox, mms_pack, _ = taken_in(RAW_SUBSCRIPTIONS, HEADERS[RAW_SUBSCRIPTIONS], *GOOD[RAW_SUBSCRIPTIONS]).values()
    assert (mailbox["service"], mailbox["ended_on"], mailbox["monthly_fee_yuan"]) == ("mailbox", None, Decimal("5.00"))
    assert (mms_pack["channel"], mms_pack["ended_on"]) == ("web", mms_pack["started_on"])
    touches = taken_in(RAW_TOUCHES, HEADERS[RAW_TOUCHES], *GOOD[RAW_TOUCHES])
    assert {(row["arm"], row["channel"], row["is_reached"]) for row in touches.values()} == {
        ("target", "phone", True),
        ("target", "phone", False),
        ("control", None, None),
    }
    answers = taken_in(RAW_ANSWERS, HEADERS[RAW_ANSWERS], *GOOD[RAW_ANSWERS])
    assert [row["old_number_key"] is not None for _, row in sorted(answers.items())] == [True, False, False, False]
    assert [row["answer"] for _, row in sorted(answers.items())] == ["A", None, "B", "B"]


def test_plans_without_finer_prices_are_taken_in(taken_in: TakeIn) -> None:
    finer = ("included_messages", "international_yuan", "ip_yuan", "night_yuan", "mms_yuan", "wap_yuan")
    plan = "P1,Plan,1,5000,100,40,70,80,10"
    old = taken_in(RAW_PLANS, OLD_PLANS, plan)[plan]
    assert (old["state"], old["sms_yuan"], [old[name] for name in finer]) == ("good", Decimal("0.10"), [None] * len(finer))


def test_finer_prices_of_a_plan_are_read_or_told(taken_in: TakeIn) -> None:
    plan = "Plan,1,5000,100,40,70,80,10"
    full, part, broken = (
        f"P1,{plan},300,800,30,15,90,3",
        f"P2,{plan},,800,,,,",
        f"P3,{plan},-1,-1,x,,,",
    )
    found = taken_in(RAW_PLANS, PLANS_HEADER, full, part, broken)
    assert (found[full]["included_messages"], found[full]["international_yuan"]) == (300, Decimal("8.00"))
    assert [found[full][name] for name in ("ip_yuan", "night_yuan", "mms_yuan", "wap_yuan")] == [
        Decimal(fen) / 100 for fen in (30, 15, 90, 3)
    ]
    assert (found[part]["state"], found[part]["included_messages"], found[part]["ip_yuan"]) == ("good", None, None)
    assert found[broken]["reasons"] == ["ip_yuan unreadable", "included_messages below 0", "international_yuan below 0"]
