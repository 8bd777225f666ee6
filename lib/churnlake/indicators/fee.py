"""Fee structure: what the records, bills and plan cost the user."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import share, total
from churnlake.indicators.peers import COMPETITOR
from churnlake.indicators.roaming import CLASSES
from churnlake.indicators.time import BANDS
from churnlake.indicators.units import BILLS, MEAN_YUAN, RATIO, SHARE, YUAN

RECORDS = {
    "usage": ("all records", ""),
    "voice": ("voice calls", "service = 'voice'"),
    "sms": ("SMS", "service = 'sms'"),
    "mms": ("MMS", "service = 'mms'"),
    "wap": ("WAP sessions", "service = 'wap'"),
    "voice_out": ("calls made", "service = 'voice' and direction = 'out'"),
    "voice_in": ("calls received", "service = 'voice' and direction = 'in'"),
    "forwarded": ("forwarded calls", "service = 'voice' and direction = 'forwarded'"),
    **{name: (f"{words} calls", f"service = 'voice' and call_class = '{name}'") for name, words in CLASSES.items()},
    "ip": ("calls by way of an IP prefix", "service = 'voice' and is_ip"),
    **{
        f"voice_{band}": (f"calls from {start}:00 to {end}:00", f"service = 'voice' and hour >= {start} and hour < {end}")
        for band, (start, end) in BANDS.items()
    },
    "voice_own": ("calls with our own numbers", "service = 'voice' and peer_network = 'own'"),
    "voice_competitor": ("calls with the competitor's numbers", f"service = 'voice' and {COMPETITOR}"),
    "voice_fixed": ("calls with fixed and PHS numbers", "service = 'voice' and peer_network in ('fixed', 'phs')"),
}
"""What records' fees are added up by: the words for it and the condition on a record."""
BILLED = {
    "monthly": ("the plan's monthly fee", "monthly_fee_yuan"),
    "local": ("local calls", "local_yuan"),
    "long_distance": ("long distance", "long_distance_yuan"),
    "roaming": ("roaming", "roaming_yuan"),
    "message": ("SMS and MMS", "message_yuan"),
    "new_service": ("new services", "new_service_yuan"),
}
WHOLE = " + ".join(column for _, column in BILLED.values())

FEE = (
    *(
        Indicator(
            f"{name}_fee_yuan",
            YUAN,
            f"Fees of {words}.",
            daily=total(condition, "fee_yuan") if condition else "coalesce(sum(fee_yuan), 0)",
        )
        for name, (words, condition) in RECORDS.items()
    ),
    Indicator("message_fee_yuan", YUAN, "Fees of SMS and MMS.", monthly="sms_fee_yuan + mms_fee_yuan"),
    *(
        Indicator(
            f"{name}_fee_share",
            SHARE,
            f"Part of record fees that {words} cost.",
            monthly=share(f"{name}_fee_yuan", "usage_fee_yuan"),
        )
        for name, (words, condition) in RECORDS.items()
        if condition
    ),
    Indicator(
        "message_fee_share", SHARE, "SMS and MMS part of record fees.", monthly=share("message_fee_yuan", "usage_fee_yuan")
    ),
    Indicator(
        "voice_minute_yuan",
        MEAN_YUAN,
        "Fees of voice calls over minutes of calls made and received.",
        monthly="cast(voice_fee_yuan as double) / nullif((voice_out_seconds + voice_in_seconds) / 60.0D, 0)",
    ),
    Indicator("own_event_yuan", MEAN_YUAN, "Record fees over own events.", monthly=share("usage_fee_yuan", "own_events")),
    Indicator(
        "fee_mean_3m_yuan",
        YUAN,
        "Mean monthly record fees of this and the two months before, as far as the user was there.",
        over="days",
        monthly="sum(usage_fee_yuan) filter (where months_back < 3) / nullif("
        "max(if(months_back = 0, 1, 0)) + max(if(months_back = 1, 1, 0)) + max(if(months_back = 2, 1, 0)), 0)",
    ),
    Indicator(
        "fee_to_own_mean_ratio",
        RATIO,
        "This month's record fees over the three-month mean.",
        monthly=share("usage_fee_yuan", "fee_mean_3m_yuan"),
    ),
    Indicator("bill_yuan", YUAN, "Last bill known at the month's end.", over="bills", monthly=f"max_by({WHOLE}, billed_month)"),
    *(
        Indicator(
            f"bill_{name}_yuan",
            YUAN,
            f"{words[0].upper()}{words[1:]} on the last bill.",
            over="bills",
            monthly=f"max_by({column}, billed_month)",
        )
        for name, (words, column) in BILLED.items()
    ),
    *(
        Indicator(
            f"bill_{name}_share",
            SHARE,
            f"Part of the last bill that is {words}.",
            monthly=share(f"bill_{name}_yuan", "bill_yuan"),
        )
        for name, (words, _) in BILLED.items()
    ),
    Indicator(
        "bill_mean_3m_yuan", YUAN, "Mean of the bills of the last three months known.", over="bills", monthly=f"avg({WHOLE})"
    ),
    Indicator("bill_to_own_mean_ratio", RATIO, "Last bill over that mean.", monthly=share("bill_yuan", "bill_mean_3m_yuan")),
    Indicator("arrears_yuan", YUAN, "Unpaid on the last bill.", over="bills", monthly="max_by(arrears_yuan, billed_month)"),
    Indicator(
        "arrears_bills",
        BILLS,
        "Bills with arrears among the last three months known.",
        over="bills",
        monthly="count_if(arrears_yuan > 0)",
    ),
    Indicator(
        "arrears_change_yuan",
        YUAN,
        "Unpaid on the bill of the month before, less that of the month before it; null where either is not known.",
        over="bills",
        monthly="sum(arrears_yuan) filter (where billed_month = add_months(month, -1))"
        " - sum(arrears_yuan) filter (where billed_month = add_months(month, -2))",
    ),
    Indicator("arrears_share", SHARE, "Unpaid part of the last bill.", monthly=share("arrears_yuan", "bill_yuan")),
    Indicator("plan_fee_yuan", YUAN, "Monthly fee of the plan.", over="subscriber", monthly="plan_fee_yuan"),
    Indicator(
        "usage_to_plan_fee_ratio",
        RATIO,
        "Record fees over the plan's monthly fee.",
        monthly=share("usage_fee_yuan", "plan_fee_yuan"),
    ),
)
