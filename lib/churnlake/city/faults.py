"""Records as lines of the operator's files, some of them planted broken; each planted fault is known by name."""

from __future__ import annotations

from pyspark.sql import DataFrame

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.settings import CityScenario

HEADERS = {
    "voice": "RECORD_NO,MSISDN,OPP_NUMBER,START_TIME,CALL_TYPE,DURATION,CALL_CLASS,LAC_CI,IMEI,THIRD_NUMBER,RELEASE,FEE_FEN",
    "sms": "SEQ_NO,MSISDN,OPP_NUMBER,SEND_TIME,MT_FLAG,FEE_FEN",
    "mms": "MMS_ID,MSISDN,OPP_NUMBER,SEND_TIME,MT_FLAG,SIZE_BYTES,FEE_FEN",
    "wap": "SESSION_ID,MSISDN,BEGIN_TIME,DURATION,FLOW_BYTES,COLUMN_NAME,FEE_FEN",
}
"""Header lines of the record feeds; the operator's words, mapped to ours by its feed files."""
FIELDS = {
    0: "id, number, peer, at, type, length, class, cell, imei, forwarded_to, release, fee",
    1: "id, number, peer, at, type, fee",
    2: "id, number, peer, at, type, bytes, fee",
    3: "id, number, at, length, bytes, site, fee",
}
COPIES = ("duplicate_in_file", "duplicate_across_files", "id_conflict")


def planted(records: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per line to write: the record, its ``fault`` (null: sound), and copies of records delivered twice.

    A copy has ``copy`` 1. A fault a feed cannot have (a WAP session has no direction, a message no seconds) becomes a bad time.
    """
    last = len(scenario.deliveries) - 1
    drawn = dice.pick(scenario.faults, "fault kind", "record_no")
    marked = records.selectExpr(
        "*",
        f"if({dice.u('fault', 'record_no')} < {scenario.fault_share!r}D, {drawn}, null) as drawn",
        "cast(day div 7 as int) as week",
    )
    copies = ", ".join(f"'{kind}'" for kind in COPIES)
    fitted = marked.selectExpr(
        "*",
        "case when drawn = 'unknown_direction' and service = 3 then 'bad_time' when drawn = 'negative_seconds' and service "
        "in (1, 2) then 'bad_time' "
        f"when drawn = 'duplicate_across_files' and week >= {last} then 'duplicate_in_file' else drawn end as fault",
    ).drop("drawn")
    return fitted.selectExpr("*", f"explode(if(fault in ({copies}), array(0, 1), array(0))) as copy").selectExpr(
        *[column for column in fitted.columns if column != "week"],
        "copy",
        "if(fault = 'duplicate_across_files' and copy = 1, week + 1, week) as week",
    )


def lines(planted: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per line: feed, delivery day, ``place`` (its order in the file) and text."""
    minute = (
        f"concat(element_at({habits.date_table(scenario)}, day + 1), lpad(second div 3600, 2, '0'), lpad(second div 60 % "
        "60, 2, '0'))"
    )
    at = (
        "case when fault = 'bad_time' then concat(substring(minute, 1, 4), '13', substring(minute, 7, 2), '99xx') "
        "when fault = 'future_date' then concat('2035', substring(minute, 5), lpad(second % 60, 2, '0')) "
        "when fault = 'id_conflict' and copy = 1 then concat(minute, lpad((second + 7) % 60, 2, '0')) else concat(minute, "
        "lpad(second % 60, 2, '0')) end"
    )
    planted = planted.selectExpr("*", f"{minute} as minute")
    texts = planted.selectExpr(
        "service",
        "fault",
        "record_no",
        "copy",
        "day",
        "second",
        f"element_at({habits.delivery_table(scenario)}, week + 1) as delivered",
        "record_no as id",
        "if(fault = 'missing_number', '', number) as number",
        "peer",
        f"{at} as at",
        "if(fault = 'unknown_direction', '9', cast(direction as string)) as type",
        "cast(case when fault = 'negative_seconds' then -1 - seconds else seconds end as string) as length",
        "coalesce(class, '') as class",
        "coalesce(cell, '') as cell",
        "coalesce(imei, '') as imei",
        "coalesce(forwarded_to, '') as forwarded_to",
        "cast(release as string) as release",
        "cast(fee_fen as string) as fee",
        "coalesce(cast(bytes as string), '') as bytes",
        "coalesce(site, '') as site",
    )
    feeds = " ".join(f"when {i} then '{feed}'" for i, feed in enumerate(habits.SERVICES))
    whole = " ".join(f"when {i} then concat_ws(',', {FIELDS[i]})" for i in FIELDS)
    return texts.selectExpr(
        f"case service {feeds} end as feed",
        "delivered",
        "fault",
        "concat(lpad(day, 5, '0'), lpad(second, 5, '0'), record_no, copy) as place",
        "record_no",
        f"if(fault = 'few_fields', concat_ws(',', id, number, at), case service {whole} end) as line",
    )


def faults_truth(planted: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per planted fault: feed, record, kind, and the delivery day of the line that is wrong or comes too often."""
    feeds = " ".join(f"when {i} then '{feed}'" for i, feed in enumerate(habits.SERVICES))
    copies = ", ".join(f"'{kind}'" for kind in COPIES)
    return planted.where(f"fault is not null and (copy = 1 or fault not in ({copies}))").selectExpr(
        f"case service {feeds} end as feed",
        "record_no",
        "fault as kind",
        f"cast(element_at({habits.delivery_table(scenario)}, week + 1) as date) as delivered_on",
    )
