"""Recharges of prepaid users."""

from churnlake.core.contract import COUNT, MONEY, Indicator

RECHARGE = (
    Indicator("recharges", COUNT, "Recharges in the month.", over="recharges", monthly="count_if(in_month)"),
    Indicator("recharge_yuan", MONEY, "Recharged in the month.", over="recharges", monthly="sum(if(in_month, amount_yuan, 0))"),
    Indicator(
        "recharge_mean_yuan",
        MONEY,
        "Mean recharge of this and the two months before.",
        over="recharges",
        monthly="avg(amount_yuan)",
    ),
    Indicator(
        "recharge_last_days",
        COUNT,
        "Days from the last recharge to the month's end, within three months.",
        over="recharges",
        monthly="datediff(any_value(month_end), max(day))",
    ),
)
