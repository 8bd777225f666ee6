"""Who left, what the model is taught, and what it says."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, LONG, STRING, TEXTS, Column, Table

USER_ID = Column("user_id", LONG, "User.", pseudonym="user")
KNOWN_ON = Column("known_on", DATE, "Day this became known.")
MONTH = Column("month", DATE, "First day of the month whose features go in.")

LEAVINGS = Table(
    "churn.leavings",
    "One row per user who left and the day that was confirmed.",
    key=("user_id", "known_on"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        USER_ID,
        Column(
            "leave_on",
            DATE,
            "Leave date: the day after the last own outgoing event, or the cancel order.",
            rule="leave_on <= known_on",
        ),
        Column("kind", STRING, "What confirmed it.", one_of=("cancelled", "suspended", "silent")),
        Column("brand", STRING, "Brand at that time.", optional=True),
    ),
)
LABELS = Table(
    "churn.labels",
    "One row per user active in the month, once it is known whether the user left in the next.",
    key=("month", "user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("month", "user_id"),
    columns=(
        KNOWN_ON,
        MONTH,
        USER_ID,
        Column("has_left", BOOLEAN, "Naive label: left in the month after."),
        Column(
            "has_left_for_good", BOOLEAN, "Corrected label: left, and not seen back under another number when the label closed."
        ),
    ),
)
SCORES = Table(
    "churn.scores",
    "One row per user active in the month: the champion's forecast for the next.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("place",),
    columns=(
        MONTH,
        USER_ID,
        Column("probability", DOUBLE, "Probability of leaving next month.", least=0, most=1),
        Column("place", COUNT, "Place in the ranking, 1 the likeliest.", least=1),
        Column("reasons", TEXTS, "The indicators that raise this user's score most, strongest first."),
        Column("model_version", STRING, "Version of the model in the registry."),
    ),
)
MODELS = Table(
    "churn.models",
    "One row per learner fitted and test month: how well it ranks.",
    key=("known_on", "learner"),
    slice="known_on",
    at="known_on",
    columns=(
        KNOWN_ON,
        Column("learner", STRING, "logistic or boosted."),
        Column("train_months", TEXTS, "Feature months trained on."),
        Column("test_month", DATE, "Feature month tested on, later than all of them."),
        Column("train_rows", COUNT, "Users trained on.", least=1),
        Column("test_rows", COUNT, "Users tested on.", least=1),
        Column("base_rate", DOUBLE, "Share of the tested who left.", least=0, most=1),
        Column("pr_auc", DOUBLE, "Area under precision and recall.", optional=True, least=0, most=1),
        Column("roc_auc", DOUBLE, "Area under the ROC curve.", optional=True, least=0, most=1),
        Column("lift_top_decile", DOUBLE, "Leavers among the likeliest tenth over the base rate.", optional=True, least=0),
        Column("is_champion", BOOLEAN, "Serves scoring."),
        Column("model_version", STRING, "Version in the registry."),
    ),
)
