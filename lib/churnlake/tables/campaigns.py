"""Named lists."""

from churnlake.core.contract import COUNT, DATE, DOUBLE, LONG, MONEY, STRING, TEXTS, Column, Table

LISTS = Table(
    "campaigns.lists",
    "One row per user put on a retention list: whom to call, why, in which arm.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("place",),
    columns=(
        Column("month", DATE, "First day of the month scored."),
        Column("user_id", LONG, "User.", pseudonym="user"),
        Column("place", COUNT, "Place on the list, 1 first.", least=1),
        Column(
            "cell", STRING, "Action cell of value and churn propensity.", one_of=("care_and_retain", "retain", "care", "passive")
        ),
        Column("priority", STRING, "Order of work.", one_of=("high", "medium", "low")),
        Column(
            "arm", STRING, "target: to be contacted; control: left alone, to measure the effect.", one_of=("target", "control")
        ),
        Column("probability", DOUBLE, "Probability of leaving.", least=0, most=1),
        Column("value_yuan", MONEY, "Mean monthly fee, the customer's value for ranking."),
        Column("at_stake_yuan", MONEY, "Probability times value."),
        Column("reasons", TEXTS, "Why: the indicators behind the score."),
    ),
)
