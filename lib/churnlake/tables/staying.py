"""How long customers stay: silences and who wakes from them, joining cohorts, and where those who left went."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, INT, LONG, MONEY, STRING, Column, Table

MONTH = Column("month", DATE, "First day of the month, as of whose end this is told.")


def _share(name: str, meaning: str, optional: bool = False) -> Column:
    return Column(name, DOUBLE, meaning, optional=optional, least=0, most=1)


SILENCES = Table(
    "churn.silences",
    "One row per month, brand and length of silence: of those silent so long, the share who wake again on the same number.",
    key=("month", "brand", "days"),
    slice="month",
    at="month",
    frozen=True,
    sort=("brand", "days"),
    columns=(
        MONTH,
        Column("brand", STRING, "Brand; all for all of them, unknown where the operator does not tell."),
        Column("days", INT, "Whole days without an own outgoing event or a recharge.", least=1),
        Column(
            "silences", COUNT, "Silences of so many days and more of which it is known whether they ended the day after.", least=0
        ),
        Column("woken", COUNT, "Of these, ended the day after.", least=0),
        _share("wakes", "Share that ends in waking by the horizon, silences out of sight counted as long as they were seen."),
        _share("wakes_low", "Lower end of its 95 % interval."),
        _share("wakes_high", "Upper end."),
        Column("horizon_days", INT, "Longest silence that enough were seen of to say whether they end.", least=1),
        Column("set_days", INT, "Length of silence that is set to confirm leaving; null for all brands.", optional=True),
        Column("is_enough", BOOLEAN, "From this length on at most the share allowed wakes (churn.waking.most_share)."),
    ),
)
KNOWN_ON = Column("known_on", DATE, "Day on which this was told: later news does not change it.")
WENT_TO = ("back", "competitor", "elsewhere")
"""Where a leaver can have gone: to us under another number, to the competitor, anywhere else."""
DESTINATIONS = Table(
    "churn.destinations",
    "One row per user who left: how probably back to us, to the competitor or elsewhere, and by which evidence.",
    key=("user_id", "leave_on"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        Column("user_id", LONG, "The leaver.", pseudonym="user"),
        Column("leave_on", DATE, "Leave date.", rule="leave_on <= known_on"),
        Column("brand", STRING, "Brand at that time.", optional=True),
        _share("back", "Probability to be back with us under another number."),
        _share("competitor", "Probability to be with the competitor."),
        Column(
            "elsewhere",
            DOUBLE,
            "Probability of neither; the three sum to 1.",
            least=0,
            most=1,
            rule="abs(back + competitor + elsewhere - 1) < 0.000002",
        ),
        Column("destination", STRING, "The likeliest.", one_of=WENT_TO),
        _share("matched", "Probability of the joiners matched with the user by then (reentry.matches, newest stage of each)."),
        Column(
            "successor",
            STRING,
            "A number of another network that the circle is in touch with since: the competitor's, of another kind (fixed, PHS), or none.",
            one_of=("competitor", "other", "none"),
        ),
        Column("forwarded_calls", COUNT, "Calls sent on to the competitor, from the days before leaving on.", least=0),
        Column("competitor_hotline_calls", COUNT, "Calls to the competitor's hotlines in these days.", least=0),
        Column(
            "ratio",
            DOUBLE,
            "Likelihood of this evidence of one who went to the competitor over that of one who did not.",
            least=0,
        ),
        _share("mix", "Share of those not back who went to the competitor, as learnt from the leavers of the months before."),
    ),
)
BUCKET = Table(
    "churn.bucket",
    "One row per month and flow of the leaky bucket: who joined in it, and where those who left in it went.",
    key=("month", "flow"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("month", "flow"),
    columns=(
        KNOWN_ON,
        Column("month", DATE, "First day of the month of joining and leaving."),
        Column("flow", STRING, "joined: gross adds; else where leavers went.", one_of=("joined", *WENT_TO)),
        Column("counted", COUNT, "Users: of leavers those of whom it is the likeliest.", least=0),
        Column("expected", DOUBLE, "Users expected, by probability.", least=0),
        Column("low", DOUBLE, "Lower end of the 95 % interval of the true number, as far as probabilities are right.", least=0),
        Column("high", DOUBLE, "Upper end.", least=0),
    ),
)
DIMENSION = Column(
    "dimension", STRING, "What joiners are divided by, as told when they joined.", one_of=("all", "brand", "plan", "dealer")
)
VALUE = Column("value", STRING, "Its value; all for all of them, unknown where the operator does not tell.")
COHORTS = Table(
    "churn.cohorts",
    "One row per joining month, month since and value of a dimension: how many are still active, and what they pay.",
    key=("cohort", "month", "dimension", "value"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("cohort", "dimension", "value"),
    columns=(
        KNOWN_ON,
        Column("cohort", DATE, "First day of the month of joining."),
        Column("month", DATE, "First day of the month told.", rule="month >= cohort"),
        Column("months_since", INT, "Months from joining: 0 is that of joining itself.", least=0),
        DIMENSION,
        VALUE,
        Column("users", COUNT, "Users who joined.", least=1),
        Column("active", COUNT, "Of these, active at the month's end.", least=0),
        _share("heads_share", "Share still active."),
        Column("fee_yuan", MONEY, "What they were billed for the month, or, without a bill, what their records cost."),
        Column("whole_fee_yuan", MONEY, "The same of the first whole month, that after joining.", optional=True),
        Column(
            "revenue_share",
            DOUBLE,
            "Fee over that of the first whole month: joining in the month's middle pays half. Null before, and where that was nothing.",
            optional=True,
        ),
    ),
)
SURVIVAL = Table(
    "churn.survival",
    "One row per month told, value of a dimension and tenure: share of joiners who stay longer.",
    key=("month", "dimension", "value", "days"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("dimension", "value", "days"),
    columns=(
        KNOWN_ON,
        Column("month", DATE, "First day of the month, as of whose end this is told."),
        DIMENSION,
        VALUE,
        Column("days", INT, "Days since joining.", least=1),
        Column("at_risk", COUNT, "Users followed so long who had not left before.", least=0),
        Column("left_since", COUNT, "Users who left after so many days, since the tenure told before this one.", least=0),
        _share("staying", "Share who stay longer than that (product-limit estimate)."),
        _share("staying_low", "Lower end of its 95 % interval, by Greenwood's variance."),
        _share("staying_high", "Upper end."),
    ),
)
