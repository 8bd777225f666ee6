"""Fee structure: what the records, bills and plan cost the user."""

from churnlake.core.contract import MONEY, SHARE, Indicator

FEE = (
    # null, not 0: an integer beside it makes the fee a decimal too long to be summed as one machine word
    Indicator("usage_fee_yuan", MONEY, "Fees of all records.", daily="coalesce(sum(fee_yuan), 0)"),
    Indicator("voice_fee_yuan", MONEY, "Fees of voice calls.", daily="coalesce(sum(if(service = 'voice', fee_yuan, null)), 0)"),
    Indicator(
        "message_fee_yuan", MONEY, "Fees of SMS and MMS.", daily="coalesce(sum(if(service in ('sms', 'mms'), fee_yuan, null)), 0)"
    ),
    Indicator("wap_fee_yuan", MONEY, "Fees of WAP sessions.", daily="coalesce(sum(if(service = 'wap', fee_yuan, null)), 0)"),
    Indicator(
        "fee_mean_3m_yuan",
        MONEY,
        "Mean monthly record fees of this and the two months before, as far as the user was there.",
        over="months",
        monthly="avg(usage_fee_yuan)",
    ),
    Indicator(
        "fee_to_own_mean_ratio",
        SHARE,
        "This month's record fees over the three-month mean.",
        monthly="cast(usage_fee_yuan as double) / nullif(fee_mean_3m_yuan, 0)",
    ),
    Indicator(
        "message_fee_share",
        SHARE,
        "SMS and MMS part of record fees.",
        monthly="cast(message_fee_yuan as double) / nullif(usage_fee_yuan, 0)",
    ),
    Indicator(
        "bill_yuan",
        MONEY,
        "Last bill known at the month's end.",
        over="bills",
        monthly="max_by(monthly_fee_yuan + local_yuan + long_distance_yuan + roaming_yuan + message_yuan + new_service_yuan, billed_month)",
    ),
    Indicator(
        "bill_new_service_yuan",
        MONEY,
        "New services on the last bill.",
        over="bills",
        monthly="max_by(new_service_yuan, billed_month)",
    ),
    Indicator("arrears_yuan", MONEY, "Unpaid on the last bill.", over="bills", monthly="max_by(arrears_yuan, billed_month)"),
    Indicator("plan_fee_yuan", MONEY, "Monthly fee of the plan.", over="subscriber", monthly="monthly_fee_yuan"),
)
