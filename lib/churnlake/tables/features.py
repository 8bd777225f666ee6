"""Features: what is known of each user at the end of each month, and of nothing after it."""

from churnlake.core.contract import COUNT, COUNTS, DATE, DOUBLE, LONG, NUMBERS, SHARE, STRING, TEXTS, Column, Table, columns_of
from churnlake.indicators import ALL_ITEMS, INDICATORS

MONTH = Column("month", DATE, "First day of the month.")
USER_ID = Column("user_id", LONG, "User.", pseudonym="user")

MONTHLY = Table(
    "features.monthly",
    "One row per user with a record in the month: every indicator of the ten views, from facts known by the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        *columns_of(INDICATORS),
    ),
)
ITEMS = Table(
    "features.items",
    "One row per user with a record in the month: the items of data-service mining beyond the ten views, from facts known by the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(MONTH, USER_ID, *columns_of(ALL_ITEMS)),
)
DECLINES = Table(
    "features.declines",
    "One row per month and user with an own event in the quarter before its end: whether its own use has fallen, beside what chance makes of so few events.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        Column(
            "decline_evidence",
            DOUBLE,
            "Log of the likelihood of a fall at some week over that of none; above 0 a fall explains the counts better.",
        ),
        Column("decline_weeks", COUNT, "Weeks since the likeliest fall; 0 where none is likelier than none.", least=0),
        Column(
            "decline_level", DOUBLE, "Own events a week since then over those before; 1 where there is no fall.", least=0, most=1
        ),
    ),
)
VIEW = Column("view", STRING, "The business view it belongs to.")

SELECTION = Table(
    "features.selection",
    "One row per month and indicator of features.monthly: its profile on a sample of the month's users, and whether it is selected for models.",
    key=("month", "indicator"),
    slice="month",
    at="month",
    sort=("indicator",),
    columns=(
        MONTH,
        Column("indicator", STRING, "Name of the indicator."),
        VIEW,
        Column("users", COUNT, "Users of the sample.", least=1),
        Column("missing_share", SHARE, "Share of them without a value.", least=0, most=1),
        Column("distinct_values", COUNT, "Different values.", least=0),
        Column("common_share", SHARE, "Share of the commonest value among those there are.", optional=True, least=0, most=1),
        Column("zero_share", SHARE, "Share of zeros among the values; null for codes.", optional=True, least=0, most=1),
        Column("mean", DOUBLE, "Mean.", optional=True),
        Column("deviation", DOUBLE, "Standard deviation, of the sample itself.", optional=True, least=0),
        Column("least", DOUBLE, "Least value.", optional=True),
        Column("p01", DOUBLE, "A hundredth of the values lie below.", optional=True),
        Column("p25", DOUBLE, "A quarter of the values lies below.", optional=True),
        Column("median", DOUBLE, "Half of the values lie below.", optional=True),
        Column("p75", DOUBLE, "Three quarters of the values lie below.", optional=True),
        Column("p99", DOUBLE, "All but a hundredth of the values lie below.", optional=True),
        Column("greatest", DOUBLE, "Greatest value.", optional=True),
        Column(
            "edges",
            NUMBERS,
            "Edges of the histogram's bins, of one width from p01 to p99; what lies beyond is counted in the outer bins. Null for codes.",
            optional=True,
        ),
        Column("levels", TEXTS, "The commonest levels of a code, the commonest first; null for numbers.", optional=True),
        Column("counts", COUNTS, "Users in each bin, or of each of these levels.", optional=True),
        Column(
            "outliers",
            COUNT,
            "Users beyond the outer fences of the values that are not zero; null for codes.",
            optional=True,
            least=0,
        ),
        Column(
            "psi",
            DOUBLE,
            "Population stability index against the month before; null where there is no such month.",
            optional=True,
            least=0,
        ),
        Column(
            "drift",
            STRING,
            "How great a change that is: above its limit, and above what chance reaches in so many users.",
            optional=True,
            one_of=("none", "moderate", "great"),
        ),
        Column(
            "role",
            STRING,
            "modelling: read by models; descriptive: says what its leader says, for profiles only; unusable: hardly filled, hardly varied, or an identifier.",
            one_of=("modelling", "descriptive", "unusable"),
        ),
        Column("why", STRING, "Why it has that role."),
        Column("leader", STRING, "The modelling indicator that stands for it; null but for descriptive ones.", optional=True),
        Column("correlation", DOUBLE, "Spearman's rank correlation with the leader.", optional=True, least=-1, most=1),
    ),
)
OUTLIERS = Table(
    "features.outliers",
    "One row per month and view: users of the month's sample with extreme values, most extreme in an indicator of this view.",
    key=("month", "view"),
    slice="month",
    at="month",
    sort=("view",),
    columns=(
        MONTH,
        VIEW,
        Column("users", COUNT, "Users of the sample in this group.", least=1),
        Column("share", SHARE, "Their share of the sample.", least=0, most=1),
        Column("indicators", TEXTS, "The indicators in which most of them are extreme, that of most first."),
    ),
)
ABNORMAL = Table(
    "features.abnormal",
    "One row per month and kind of abnormal user: how many of the month's users are of that kind. A user may be of several.",
    key=("month", "kind"),
    slice="month",
    at="month",
    sort=("kind",),
    columns=(
        MONTH,
        Column("kind", STRING, "The kind, as named in the settings."),
        Column("users", COUNT, "Users of that kind.", least=0),
        Column("share", SHARE, "Their share of the month's users.", least=0, most=1),
        Column("rule", STRING, "The condition over features.monthly that makes a user of that kind."),
    ),
)
