"""Recharges: how often, how much, how long since."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import share, total
from churnlake.indicators.units import DAYS, MEAN_DAYS, MONTH_DAYS, RATIO, RECHARGES, YUAN

RECHARGE = (
    Indicator("recharges", RECHARGES, "Recharges in the month.", over="recharges", monthly="count_if(in_month)"),
    Indicator(
        "recharge_yuan",
        YUAN,
        "Recharged in the month.",
        over="recharges",
        monthly=total("in_month", "amount_yuan"),
    ),
    Indicator("recharges_3m", RECHARGES, "Recharges of this and the two months before.", over="recharges", monthly="count(*)"),
    Indicator(
        "recharge_3m_yuan",
        YUAN,
        "Recharged in this and the two months before.",
        over="recharges",
        monthly="coalesce(sum(amount_yuan), 0)",
    ),
    Indicator(
        "recharge_mean_yuan",
        YUAN,
        "Mean recharge of this and the two months before.",
        over="recharges",
        monthly="avg(amount_yuan)",
    ),
    Indicator("recharge_least_yuan", YUAN, "Least recharge of these months.", over="recharges", monthly="min(amount_yuan)"),
    Indicator("recharge_greatest_yuan", YUAN, "Greatest recharge of these months.", over="recharges", monthly="max(amount_yuan)"),
    Indicator(
        "recharge_last_yuan",
        YUAN,
        "Last recharge of these months.",
        over="recharges",
        monthly="max_by(amount_yuan, struct(day, amount_yuan))",
    ),
    Indicator(
        "recharge_days",
        MONTH_DAYS,
        "Days of the month with a recharge.",
        over="recharges",
        monthly="count(distinct if(in_month, day, null))",
    ),
    Indicator(
        "recharge_last_days",
        DAYS,
        "Days from the last recharge to the month's end, within three months.",
        over="recharges",
        monthly="datediff(any_value(month_end), max(day))",
    ),
    Indicator(
        "recharge_interval_days",
        MEAN_DAYS,
        "Mean days between recharges of these months; null with fewer than two.",
        over="recharges",
        monthly="cast(datediff(max(day), min(day)) as double) / nullif(count(*) - 1, 0)",
    ),
    Indicator(
        "recharge_overdue_ratio",
        RATIO,
        "Days since the last recharge over the mean interval.",
        monthly=share("recharge_last_days", "recharge_interval_days"),
    ),
    Indicator(
        "recharge_to_usage_ratio",
        RATIO,
        "Recharged in the month over record fees.",
        monthly=share("recharge_yuan", "usage_fee_yuan"),
    ),
    Indicator(
        "recharge_to_mean_ratio",
        RATIO,
        "Recharged in the month over a third of three months.",
        monthly="cast(recharge_yuan as double) * 3 / nullif(recharge_3m_yuan, 0)",
    ),
)
