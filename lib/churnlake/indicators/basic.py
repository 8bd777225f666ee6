"""Basic: who the user is on paper, as delivered by the month's end."""

from churnlake.core.contract import COUNT, INT, MONEY, STRING, Indicator

BASIC = (
    Indicator("brand", STRING, "Brand.", over="subscriber", monthly="brand"),
    Indicator("plan_id", STRING, "Tariff plan.", over="subscriber", monthly="plan_id"),
    Indicator(
        "tenure_days",
        COUNT,
        "Days from joining to the month's end.",
        over="subscriber",
        monthly="cast(datediff(month_end, joined_on) as bigint)",
    ),
    Indicator("age_years", INT, "Age from the year of birth.", over="subscriber", monthly="year(month_end) - birth_year"),
    Indicator("gender", STRING, "f or m.", over="subscriber", monthly="gender"),
    Indicator("is_rural", INT, "1 when living outside the city.", over="subscriber", monthly="cast(is_rural as int)"),
    Indicator("channel", STRING, "Where the user joined.", over="subscriber", monthly="channel"),
    Indicator("credit_class", STRING, "Credit class.", over="subscriber", monthly="credit_class"),
    Indicator("vip_card", STRING, "VIP card level.", over="subscriber", monthly="vip_card"),
    Indicator("number_beauty", STRING, "Beauty class of the number.", over="subscriber", monthly="number_beauty"),
    Indicator("points", INT, "Points balance.", over="subscriber", monthly="points"),
    Indicator(
        "is_group_member", INT, "1 when in a group customer.", over="subscriber", monthly="if(group_customer_id is null, 0, 1)"
    ),
    Indicator("is_suspended", INT, "1 when suspended.", over="subscriber", monthly="if(status = 'suspended', 1, 0)"),
    Indicator("bonus_yuan", MONEY, "Joining bonus.", over="subscriber", monthly="bonus_yuan"),
    Indicator(
        "bonus_left_days",
        INT,
        "Days left of the bonus's term at the month's end; negative when over.",
        over="subscriber",
        monthly="datediff(bonus_until, month_end)",
    ),
)
