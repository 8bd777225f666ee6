"""Records as lines of the operator's files, some of them planted broken; each planted fault is known by name."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.kinds import FAULTS
from churnlake.city.settings import CityScenario
from churnlake.city.society import SERVICES

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
RECORD_NO = "lpad(hex(record_no), 16, '0')"
COPIES = ("duplicate_in_file", "duplicate_across_files", "id_conflict")
LATE_DAYS = (14, 28)
"""A late record comes so many days after its day."""
TAIL = "right(number, 11)"
"""The bare number: a few records write their own with the country code, and a fault must not hide in that."""
BROKEN = {
    "id": {"missing_id": "''"},
    "number": {
        "missing_number": "''",
        "letters_in_number": f"concat(left({TAIL}, 5), 'XO', right({TAIL}, 4))",
        "number_too_short": f"left({TAIL}, 8)",
        "number_with_spaces": f"concat_ws(' ', left({TAIL}, 3), substring({TAIL}, 4, 4), right({TAIL}, 4))",
        "nul_byte": f"concat(left({TAIL}, 7), chr(0), right({TAIL}, 4))",
        "bad_encoding": f"concat(left({TAIL}, 7), cast(X'A1A1' as string), right({TAIL}, 3))",
        "unclosed_quote": "concat('\"', number)",
    },
    # 1904 and 2036 have a 29 February, so that the far date itself is one that exists
    "at": {
        "bad_time": "concat(left(minute, 4), '13', substring(minute, 7, 2), '99xx')",
        "impossible_date": "concat(left(minute, 4), '0231', right(minute, 4), seconds_of)",
        "missing_time": "''",
        "time_without_seconds": "minute",
        "other_time_format": "concat(left(minute, 4), '-', substring(minute, 5, 2), '-', substring(minute, 7, 2), ' ', "
        "substring(minute, 9, 2), ':', right(minute, 2), ':', seconds_of)",
        "future_date": "concat('2036', substring(minute, 5), seconds_of)",
        "ancient_date": "concat('1904', substring(minute, 5), seconds_of)",
        "id_conflict": "concat(minute, if(copy = 1, lpad((second + 7) % 60, 2, '0'), seconds_of))",
    },
    "type": {"unknown_direction": "'9'", "missing_direction": "''"},
    "length": {
        "missing_seconds": "''",
        "negative_seconds": "concat('-', seconds + 1)",
        "absurd_seconds": "cast(86401 + 1000 * seconds as string)",
        "seconds_not_a_number": "'long'",
        "seconds_decimal": "concat(seconds, '.5')",
        "seconds_decimal_comma": "concat(seconds, ',5')",
    },
    "class": {"unknown_class": "'X'"},
    "release": {"unknown_release": "'77'"},
    "imei": {"imei_letters": "concat(left(coalesce(imei, ''), 6), 'ABCDEFGH')", "imei_short": "left(coalesce(imei, '3500000000'), 10)"},
    "fee": {
        "fee_not_a_number": "'free'",
        "negative_fee": "concat('-', 10 + pmod(second, 90))",
        "absurd_fee": "'99999999999'",
        "embedded_delimiter": "concat('1,', 100 + pmod(second, 900))",
    },
    "bytes": {"negative_bytes": "concat('-', bytes)", "absurd_bytes": "concat('9', lpad(bytes, 14, '0'))"},
}  # fmt: skip
"""By field and kind, the SQL of what stands in the field of a line so broken."""


def dealt(records: DataFrame, scenario: CityScenario) -> DataFrame:
    """The records of a city in which nothing befalls a whole day: each with the number of its ``delivery``, no ``incident``."""
    return records.selectExpr(
        "*", f"cast(day div {scenario.delivery_days} as int) as delivery", "cast(null as string) as incident"
    )


def planted(dealt: DataFrame, scenario: CityScenario, dice: Dice, struck: Collection[tuple[str, int]] = ()) -> DataFrame:
    """One row per line to write: the record, its ``fault`` (null: sound), and copies of records delivered twice.

    A copy has ``copy`` 1. Each feed is dealt the kinds it can have. No fault is planted where it would not be seen: in records
    that an incident has changed, in files (feed and number of the delivery) that are ``struck``, or after the last delivery.
    """
    last = len(scenario.deliveries) - 1
    weights = [{k: w for k, w in scenario.faults.items() if feed in FAULTS[k].feeds and w > 0} for feed in SERVICES]
    kind = dice.pick_by([of_feed or {"": 1} for of_feed in weights], "service", "fault kind", "record_no")
    marked = dealt.selectExpr("*", f"if({dice.u('fault', 'record_no')} < {scenario.fault_share!r}D, {kind}, null) as drawn")
    soonest, latest = LATE_DAYS
    late = (
        f"cast((day + {soonest} + {dice.below(latest - soonest + 1, 'late', 'record_no')}) div {scenario.delivery_days} as int)"
    )
    arrives = f"case drawn when 'duplicate_across_files' then delivery + 1 when 'late_record' then {late} else delivery end"
    due = marked.selectExpr("*", f"if(drawn is null, delivery, {arrives}) as arrives")
    hidden = f"arrives > {last} or incident is not null"
    if struck:
        files = ", ".join(f"'{SERVICES.index(feed)} {delivery}'" for feed, delivery in sorted(struck))
        hidden += f" or concat(service, ' ', delivery) in ({files}) or concat(service, ' ', arrives) in ({files})"
    fitted = due.selectExpr("*", f"if(drawn is null or drawn = '' or {hidden}, null, drawn) as fault")
    return fitted.selectExpr("*", f"explode(if(fault in ({_COPIED}), array(0, 1), array(0))) as copy").selectExpr(
        *[column for column in dealt.columns if column != "delivery"],
        "fault",
        "copy",
        "if(fault = 'late_record' or (fault = 'duplicate_across_files' and copy = 1), arrives, delivery) as delivery",
    )


def lines(planted: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per line: feed, delivery day, which of the delivery's files, ``place`` (its order there) and text."""
    minute = (
        f"concat(element_at({habits.date_table(scenario)}, day + 1), lpad(second div 3600, 2, '0'), lpad(second div 60 % "
        "60, 2, '0'))"
    )
    planted = planted.selectExpr("*", f"{minute} as minute", "lpad(second % 60, 2, '0') as seconds_of")
    texts = planted.selectExpr(
        "service",
        "fault",
        "day * 86400L + second as place",
        f"element_at({habits.delivery_table(scenario)}, delivery + 1) as delivered",
        _field("id", RECORD_NO),
        _field("number", "number"),
        "coalesce(peer, '') as peer",
        _field("at", "concat(minute, seconds_of)"),
        _field("type", "cast(direction as string)"),
        _field("length", "cast(seconds as string)"),
        _field("class", "coalesce(class, '')"),
        "coalesce(cell, '') as cell",
        _field("imei", "coalesce(imei, '')"),
        "coalesce(forwarded_to, '') as forwarded_to",
        _field("release", "cast(release as string)"),
        _field("fee", "cast(fee_fen as string)"),
        _field("bytes", "coalesce(cast(bytes as string), '')"),
        "coalesce(site, '') as site",
    )
    whole = " ".join(f"when {i} then concat_ws(',', {FIELDS[i]})" for i in FIELDS)
    cut = f"case fault when 'few_fields' then concat_ws(',', id, number, at) when 'many_fields' then concat(case service {whole} end, ',0')"
    return texts.selectExpr(
        f"{FEED} as feed",
        "delivered",
        # files of one delivery follow each other through the day
        f"cast(pmod(place, 86400) * {scenario.files_per_delivery} div 86400 as int) as part",
        "place",
        f"{cut} else case service {whole} end end as line",
    )


def faults_truth(planted: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per planted fault: feed, record, kind, and the delivery day of the line that is wrong or comes too often."""
    return planted.where(f"fault is not null and (copy = 1 or fault not in ({_COPIED}))").selectExpr(
        f"{FEED} as feed",
        f"{RECORD_NO} as record_no",
        "fault as kind",
        f"cast(element_at({habits.delivery_table(scenario)}, delivery + 1) as date) as delivered_on",
    )


def _field(name: str, sound: str) -> str:
    """SQL of one field: as it should be, or as the line's fault has it. Sound lines, nearly all, ask only once."""
    cases = " ".join(f"when '{kind}' then {text}" for kind, text in BROKEN[name].items())
    return f"if(fault is null, {sound}, case fault {cases} else {sound} end) as {name}"


_COPIED = ", ".join(f"'{kind}'" for kind in COPIES)
FEED = f"case service {' '.join(f'when {i} then {feed!r}' for i, feed in enumerate(SERVICES))} end"
"""SQL of a record's feed."""
