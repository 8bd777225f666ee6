"""Basic: who the user is on paper, as delivered by the month's end."""

from churnlake.core.contract import Indicator, Unit
from churnlake.indicators.units import CHANGES, CODE, DAYS, FLAG, INCLUDED, MINUTES, POINTS, RATIO, YEARS, YUAN


def _told(name: str, unit: Unit, meaning: str, formula: str = "") -> Indicator:
    return Indicator(name, unit, meaning, over="subscriber", monthly=formula or name)


BASIC = (
    _told("brand", CODE, "Brand."),
    _told("plan_id", CODE, "Tariff plan."),
    _told("branch", CODE, "City branch."),
    _told("channel", CODE, "Where the user joined."),
    _told("gender", CODE, "f or m."),
    _told("credit_class", CODE, "Credit class."),
    _told("vip_card", CODE, "VIP card level."),
    _told("number_beauty", CODE, "Beauty class of the number."),
    _told("status", CODE, "Status."),
    _told("tenure_days", DAYS, "Days from joining to the month's end.", "cast(datediff(month_end, joined_on) as bigint)"),
    _told("status_days", DAYS, "Days the status has lasted.", "cast(datediff(month_end, status_since) as bigint)"),
    _told("age_years", YEARS, "Age from the year of birth.", "year(month_end) - birth_year"),
    _told("is_rural", FLAG, "Lives outside the city.", "cast(is_rural as int)"),
    _told("is_group_member", FLAG, "In a group customer.", "if(group_customer_id is null, 0, 1)"),
    _told("is_suspended", FLAG, "Suspended.", "if(status = 'suspended', 1, 0)"),
    _told("is_cancelled", FLAG, "Cancelled.", "if(status = 'cancelled', 1, 0)"),
    _told("is_new", FLAG, "Joined in the month.", "if(joined_on >= month, 1, 0)"),
    _told("has_vip_card", FLAG, "Has a VIP card.", "if(vip_card is null, 0, 1)"),
    _told("points", POINTS, "Points balance."),
    _told("bonus_yuan", YUAN, "Joining bonus."),
    _told(
        "bonus_left_days",
        DAYS,
        "Days left of the bonus's term at the month's end; negative when over.",
        "datediff(bonus_until, month_end)",
    ),
    _told(
        "plan_days",
        DAYS,
        "Days since a change to the plan was told of; null where it was held already when the register first told of the user.",
        "datediff(month_end, plan_since)",
    ),
    _told("plan_changes", CHANGES, "Changes of plan told of in this and the two months before.", "plan_changes"),
    _told("plan_included_minutes", MINUTES, "Local minutes that the plan includes.", "included_minutes"),
    _told("plan_included_messages", INCLUDED, "Short messages that the plan includes.", "included_messages"),
    Indicator(
        "plan_minutes_used_ratio",
        RATIO,
        "Minutes of local calls made over the local minutes that the plan includes; above 1 where more were made.",
        monthly="voice_out_seconds_local / 60.0D / nullif(plan_included_minutes, 0)",
    ),
    Indicator(
        "plan_messages_used_ratio",
        RATIO,
        "SMS sent over those the plan includes; above 1 where more were sent.",
        monthly="cast(sms_out_messages as double) / nullif(plan_included_messages, 0)",
    ),
)
