"""What formulas are written over: the rows of each source, its columns, and the tables they are made of."""

from churnlake.core.contract import Source
from churnlake.indicators import DAILY, INDICATORS
from churnlake.indicators.formulas import BEFORE, DATA_DAYS, PLAN_MEAN, TWO_BEFORE
from churnlake.indicators.time import WEEKDAYS

RECORD = {
    "service": "string", "number_key": "bigint", "peer_key": "bigint", "started_at": "timestamp", "day": "date", "hour": "int", "direction": "string",
    "seconds": "int", "bytes": "bigint", "fee_yuan": "decimal(8,2)",
    "call_class": "string", "is_ip": "boolean", "peer_network": "string", "peer_area": "string",
    "peer_service": "string", "forwarded_key": "bigint", "forwarded_network": "string", "release_cause": "string", "cell_id": "string", "imei_key": "bigint", "tac": "string",
}  # fmt: skip
"""Columns of a clean record of any service, and their types."""
CLEAN = ("clean.voice", "clean.sms", "clean.mms", "clean.wap")
SUMS = tuple(i.name for i in DAILY)
MONTH = ("month", "month_end")

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("records", "One row per clean record of the day.", (*RECORD, "weekday", "hour_unit"), CLEAN),
        Source(
            "days",
            "One row per user, month and day with a record, from two months before on: the day's sums. days_back and months_back count from the "
            "month's last day, in_month says whether the day is of the month, weekday is 1 on Monday.",
            (*SUMS, *MONTH, "day", "days_back", "months_back", "in_month", "weekday"),
            ("daily.usage",),
        ),
        Source(
            "edges",
            "One row per user, month and peer met in the month or the one before; what ends in _before is of that one.",
            (*MONTH, "peer_network", "peer_area", "is_away", "voice_out_calls", "voice_in_calls", "voice_out_seconds", "voice_in_seconds", "message_out",
             "message_in", "contacts", "days_met", "contacts_before", "voice_out_calls_before", "has_left", "sends_mms"),
            ("daily.edges", "daily.usage", "churn.leavings"),
        ),
        Source(
            "places",
            "One row per user, month and cell, with where it stands.",
            (*MONTH, "cell_id", "calls", "night_calls", "work_calls", "days_seen", "latitude", "longitude"),
            ("daily.places", "reference.cells"),
        ),
        Source(
            "devices",
            "One row per user, month and handset seen in the month or the one before, with what the maker says of it.",
            (*MONTH, "calls", "calls_before", "first_on", "last_seen", "maker", "model", "has_gprs", "has_mms", "has_java"),
            ("daily.devices", "reference.handsets"),
        ),
        Source(
            "handset_days",
            "One row per user, month and handset seen in the month's last 90 days; days_back counts from its last day to when it was seen last.",
            (*MONTH, "imei_key", "days_back"),
            ("daily.devices",),
        ),
        Source(
            "recharges",
            "One row per user, month and recharge of the month and the two before.",
            (*MONTH, "day", "amount_yuan", "in_month"),
            ("reference.recharges",),
        ),
        Source(
            "bills",
            "One row per user, month and billed month of the three before, as delivered by the month's end.",
            (*MONTH, "billed_month", "monthly_fee_yuan", "local_yuan", "long_distance_yuan", "roaming_yuan", "message_yuan", "new_service_yuan", "arrears_yuan"),
            ("reference.bills",),
        ),
        Source(
            "subscriptions",
            "One row per user, month, service and day it began, as delivered by the month's end; is_held while it has not ended.",
            (*MONTH, "service", "started_on", "ended_on", "is_held", "channel", "monthly_fee_yuan"),
            ("reference.subscriptions",),
        ),
        Source(
            "touches",
            "One row per user, month and campaign that assigned the user in the month or the two before, as delivered by its end.",
            (*MONTH, "arm", "is_reached"),
            ("reference.touches",),
        ),
        Source(
            "subscriber",
            "One row per user and month: the newest delivery of the register by the month's end, with the plan as delivered by then.",
            (*MONTH, "number_beauty", "brand", "plan_id", "joined_on", "status", "status_since", "channel", "branch", "bonus_yuan", "bonus_until",
             "group_customer_id", "vip_card", "points", "birth_year", "gender", "is_rural", "credit_class", "plan_since", "plan_changes",
             "plan_fee_yuan", "included_minutes", "included_messages"),
            ("reference.subscribers", "reference.plans"),
        ),
        Source(
            "",
            "One row per user and month: every other indicator, the sums of hours, what ends or begins the contacts, sums of the one or two months "
            "before, means among users of the same plan, and data_days: how far back there are records.",
            tuple(dict.fromkeys((*(i.name for i in INDICATORS), *SUMS, DATA_DAYS, *(f"{before}{name}" for before in (BEFORE, TWO_BEFORE, PLAN_MEAN) for name in SUMS),
                                 *(f"{day}_{name}" for day in WEEKDAYS for name in SUMS if "_hours_" in name)))),
            ("features.monthly",),
        ),
    )
}  # fmt: skip
