"""What re-entry costs and who is behind it: gross adds taken apart, value lost, bonuses paid twice, dealers, fleas, the seven steps."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, INT, LONG, MONEY, STRING, Column, Table
from churnlake.tables.reentry import USER_ID

TOLD_ON = Column("known_on", DATE, "Day on which the month was told: later news does not change it.")
MONTH = Column("month", DATE, "First day of the month of joining.")
PARTS_OF_ADDS = ("new", "reentry", "second_number", "moved", "farmed", "unknown")
"""What a joiner can be; moved: its number was changed together with its circle; unknown: too little evidence to say."""


def _share(name: str, meaning: str, optional: bool = True) -> Column:
    return Column(name, DOUBLE, meaning, optional=optional, least=0, most=1)


def _count(name: str, meaning: str) -> Column:
    return Column(name, COUNT, meaning, least=0)


def _money(name: str, meaning: str, optional: bool = False) -> Column:
    return Column(name, MONEY, meaning, optional=optional)


def _number(name: str, meaning: str, optional: bool = False) -> Column:
    return Column(name, DOUBLE, meaning, optional=optional)


PARTS = Table(
    "reentry.parts",
    "One row per joiner, once its month is told: which part of gross adds it is, how probably, and where it joined.",
    key=("user_id",),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        TOLD_ON,
        MONTH,
        USER_ID,
        Column("joined_on", DATE, "First own outgoing event."),
        Column("part", STRING, "Which one it is counted as.", one_of=PARTS_OF_ADDS),
        _share("reentry_probability", "Probability that the joiner is back: that of all old users it could be.", optional=False),
        _share("second_probability", "Probability that it is one more number of a user who stays.", optional=False),
        Column("is_farmed", BOOLEAN, "The card is one of a dealer's own (farming.py)."),
        Column("old_user_id", LONG, "The old user matched.", optional=True, pseudonym="user"),
        Column("brand", STRING, "Brand joined.", optional=True),
        Column("plan_id", STRING, "Plan joined.", optional=True),
        Column("channel", STRING, "Where the user joined.", optional=True),
        Column("dealer_id", STRING, "Dealer who sold the card.", optional=True),
        Column("branch", STRING, "City branch.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus.", optional=True, least=0),
        Column("bonus_until", DATE, "Last day of its term.", optional=True),
    ),
)
GROSS_ADDS = Table(
    "reentry.gross_adds",
    "One row per month of joining, dimension, value of it and part: joiners counted and expected. The parts of a value are its joiners.",
    key=("month", "dimension", "value", "part"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("dimension", "value", "part"),
    columns=(
        TOLD_ON,
        MONTH,
        Column(
            "dimension",
            STRING,
            "What joiners are divided by; old_*: of the old number, none where there is none; cell: brand, plan and dealer, large ones only.",
            one_of=("all", "brand", "plan", "channel", "dealer", "branch", "old_brand", "old_tenure", "old_arpu", "cell"),
        ),
        Column("value", STRING, "Its value; unknown where the operator does not tell; bands begin with the number named."),
        Column("part", STRING, "Part of gross adds.", one_of=PARTS_OF_ADDS),
        _count("counted", "Joiners counted as that part."),
        _number("expected", "Joiners expected to be, by probability."),
        _number("low", "Lower end of the 95 % interval of the true number."),
        _number("high", "Upper end."),
    ),
)
NET_ADDS = Table(
    "reentry.net_adds",
    "One row per month: net adds and churn, as they look and corrected for customers who left one number for another.",
    key=("month",),
    slice="known_on",
    at="known_on",
    frozen=True,
    columns=(
        TOLD_ON,
        Column("month", DATE, "First day of the month of joining and leaving."),
        _count("active", "Users with an own event in the last days before the month."),
        _count("joiners", "Users who joined in it."),
        _count("leavers", "Users who left in it, as confirmed by known_on."),
        _number("new_customers", "Joiners expected to be customers for the first time, unknown ones among them."),
        _number("back", "Leavers expected to be back under another number by known_on."),
        _number("net_adds", "Joiners less leavers: naive."),
        _number("true_net_adds", "New customers less leavers who are not back."),
        _number("true_net_adds_low", "Lower end of its 95 % interval."),
        _number("true_net_adds_high", "Upper end."),
        _share("churn_rate", "Leavers over active: naive."),
        _share("true_churn_rate", "Those not back over active."),
        _share("true_churn_rate_low", "Lower end of its 95 % interval."),
        _share("true_churn_rate_high", "Upper end."),
    ),
)
PLAN_MOVES = Table(
    "reentry.plan_moves",
    "One row per month of joining, old plan and new plan: who moved by coming back, and what that did to the monthly bill.",
    key=("month", "old_plan", "new_plan"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("old_plan", "new_plan"),
    columns=(
        TOLD_ON,
        MONTH,
        Column("old_plan", STRING, "Newest plan of the old number by the join; unknown where not told."),
        Column("new_plan", STRING, "Plan joined."),
        _count("users", "Matches."),
        _number("expected", "Sum of their probabilities."),
        _count("billed", "Matches with a bill before and after; the rest of the columns are of them."),
        _money(
            "before_yuan", "Mean monthly bill of the old number in the three months before that of its last use.", optional=True
        ),
        _money("after_yuan", "Mean monthly bill of the new number in the three months after that of joining.", optional=True),
        _money("lost_yuan", "Value lost: what they pay less a month, in sum; negative where they pay more."),
    ),
)
BONUSES = Table(
    "reentry.bonuses",
    "One row per month of joining, channel and dealer: joining bonuses paid to customers who had one already.",
    key=("month", "channel", "dealer_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("channel", "dealer_id"),
    columns=(
        TOLD_ON,
        MONTH,
        Column("channel", STRING, "Where they joined; unknown where not told."),
        Column("dealer_id", STRING, "Dealer; none where there is none."),
        _count("bonuses", "Joiners paid a bonus."),
        _money("bonus_yuan", "Their bonuses."),
        _count("twice", "Of them, matched to an old number whose bonus's term ran at the join or had ended shortly before."),
        _money("twice_yuan", "Their bonuses."),
        _money("expected_yuan", "The same by probability."),
    ),
)
FUNNELS = Table(
    "reentry.funnels",
    "One row per month of joining, dealer or branch, and measure: what became of its joiners, beside the rest of the branch or city.",
    key=("month", "level", "value", "measure"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("level", "value", "measure"),
    columns=(
        TOLD_ON,
        MONTH,
        Column("level", STRING, "What is looked at.", one_of=("dealer", "branch")),
        Column("value", STRING, "The dealer or branch."),
        Column("branch", STRING, "The branch that most of a dealer's joiners are of.", optional=True),
        Column("measure", STRING, "reentry: matched; farmed: dealers' own cards; gone_N: no longer there after N days."),
        _count("joiners", "Joiners of the dealer or branch."),
        _count("found", "Of them, those the measure counts."),
        _share("share", "Their share.", optional=False),
        _share("low", "Lower end of its 95 % interval (Wilson).", optional=False),
        _share("high", "Upper end.", optional=False),
        Column("beside", STRING, "What it is held against: the rest of the branch, or of the city.", one_of=("branch", "city")),
        _share("rest_share", "The share of the rest; null where there is no rest."),
        _share("p_value", "Chance of so many or more, were it like the rest (Fisher's exact test); null where there is no rest."),
        _share("q_value", "Rate of false discoveries among those of the month as sure as this (Benjamini and Hochberg)."),
        Column("is_flagged", BOOLEAN, "q_value is below the rate allowed: look into it."),
    ),
)
CLAWBACKS = Table(
    "reentry.clawbacks",
    "One row per joiner and reason to ask a dealer for money back. A list for people to look into: nothing is withheld before a person has.",
    key=("user_id", "reason"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("dealer_id", "user_id"),
    columns=(
        TOLD_ON,
        MONTH,
        USER_ID,
        Column("old_user_id", LONG, "The old user, where it is about coming back.", optional=True, pseudonym="user"),
        Column("dealer_id", STRING, "Dealer who sold the card.", optional=True),
        Column(
            "reason",
            STRING,
            "bonus_twice: the old number's bonus ran or had just ended; farmed: a dealer's own card.",
            one_of=("bonus_twice", "farmed"),
        ),
        Column("yuan", MONEY, "Bonus paid.", optional=True, least=0),
        _share("probability", "Probability that both are one person; null for a dealer's own card."),
        Column("is_dealer_flagged", BOOLEAN, "The dealer stands out by that reason's measure this month."),
    ),
)
CALLBACKS = Table(
    "reentry.callbacks",
    "One row per joiner to be called and asked whether it held a number of ours before: blind, for callers learn neither evidence nor probability.",
    key=("user_id",),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("call_order",),
    columns=(
        Column("known_on", DATE, "Day drawn."),
        MONTH,
        USER_ID,
        Column("call_order", COUNT, "Place in the order of calling, which is by chance.", least=1),
    ),
)
STEPS = Table(
    "reentry.steps",
    "One row per month of joining, step of seven and measure, with the gate it is held against.",
    key=("month", "step", "measure"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("step", "measure"),
    columns=(
        TOLD_ON,
        MONTH,
        Column(
            "step",
            INT,
            "1 define, 2 scope, 3 circle alone, 4 handset alone, 5 combine and verify, 6 motives, 7 use and control.",
            least=1,
            most=7,
        ),
        Column("measure", STRING, "What is measured."),
        _number("value", "Its value; null where it cannot be told.", optional=True),
        _number("low", "Lower end of its 95 % interval.", optional=True),
        _number("high", "Upper end.", optional=True),
        Column("persons", COUNT, "Persons that it tells of; null where it is a rule or an amount.", optional=True),
        Column("gate", STRING, "What it must reach, in words.", optional=True),
        Column("passed", BOOLEAN, "Whether it does; null where there is no gate, or nothing to judge by.", optional=True),
        Column("why", STRING, "Why it passed, failed or cannot be judged.", optional=True),
    ),
)
FLEAS = Table(
    "reentry.fleas",
    "One row per joiner who hops for bonuses (跳蚤): the newest number of a chain of re-entries, dealers' own cards left aside.",
    key=("user_id",),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        TOLD_ON,
        MONTH,
        USER_ID,
        Column("old_user_id", LONG, "The number before.", pseudonym="user"),
        Column("first_user_id", LONG, "The number before that.", pseudonym="user"),
        Column("joined_on", DATE, "First own outgoing event of the newest number."),
        Column("hop_days", INT, "Days between the two joins by which it came back.", least=0),
        Column("brand", STRING, "Brand of the number before.", optional=True),
        Column("dealer_id", STRING, "Dealer who sold the newest card.", optional=True),
        _money("bonus_yuan", "Bonuses of all three numbers."),
        _money("recharge_yuan", "Recharged in 30 days of the two numbers left, in the mean."),
        _money("brand_median_yuan", "Median of that among those of the brand who recharge."),
    ),
)
