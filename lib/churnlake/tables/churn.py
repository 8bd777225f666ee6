"""Who left, what the model is taught, and what it says."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, LONG, STRING, TEXTS, Column, Table

USER_ID = Column("user_id", LONG, "User.", pseudonym="user")
KNOWN_ON = Column("known_on", DATE, "Day this became known.")
MONTH = Column("month", DATE, "First day of the month whose features go in.")
TARGETS = ("leave_t1", "leave_t2", "revenue")
"""What is foretold of a user active at a month's end: leaves in the month after; leaves in the one after that and not before; is still
active in the month after, but pays at most half (revenue churn)."""
NEXT_MONTH = TARGETS[0]
"""The target that lists and checks are made of."""
FORETOLD = (*TARGETS, "winback")
"""What models foretell: the targets, and of a user who left, whether it comes back when contacted."""
CHURN_KINDS = ("active", "passive", "diverted", "cheaper", "cancelled")
"""How a target came true. Of leaving: passive, suspended or cancelled with debt, else active. Of revenue: use went elsewhere, the
same use at a lower price, a subscription ended."""
TARGET = Column(
    "target",
    STRING,
    "What is foretold: leave_t1 and leave_t2, leaving in the month after or in the one after that and not before; revenue, paying "
    "at most half in the month after though still active; winback, a user who left coming back when contacted.",
    one_of=FORETOLD,
)

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
    "One row per target and user active in the month, once it is known what became of the user.",
    key=("month", "user_id", "target"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("month", "user_id"),
    columns=(
        KNOWN_ON,
        MONTH,
        USER_ID,
        TARGET,
        Column("has_churned", BOOLEAN, "Naive label: the target came true."),
        Column(
            "has_churned_for_good",
            BOOLEAN,
            "Corrected label: of leaving, and not seen back under another number when the label closed; of revenue as the naive one.",
        ),
        Column("kind", STRING, "How, where the target came true.", optional=True, one_of=CHURN_KINDS),
    ),
)
SCORES = Table(
    "churn.scores",
    "One row per target and user active in the month: the champion's forecast.",
    key=("month", "user_id", "target"),
    slice="month",
    at="month",
    frozen=True,
    sort=("place",),
    columns=(
        MONTH,
        USER_ID,
        TARGET,
        Column("probability", DOUBLE, "Probability that the target comes true.", least=0, most=1),
        Column("place", COUNT, "Place in the ranking of the month and target, 1 the likeliest.", least=1),
        Column("reasons", TEXTS, "The indicators that raise this user's score most, strongest first."),
        Column("model_version", STRING, "Version of the model in the registry."),
        Column("is_fallback", BOOLEAN, "Scored by the copy kept at promotion, the registry being out of reach."),
    ),
)
MODELS = Table(
    "churn.models",
    "One row per target, learner fitted and test month: how well it ranks.",
    key=("known_on", "target", "learner"),
    slice="known_on",
    at="known_on",
    columns=(
        KNOWN_ON,
        TARGET,
        Column("learner", STRING, "logistic, tree, forest, boosted or perceptron."),
        Column("parameters", STRING, "The learner with the parameters chosen for it.", optional=True),
        Column(
            "merit",
            DOUBLE,
            "Mean area under precision and recall over the folds of rolling origin that chose it; null without folds.",
            optional=True,
            least=0,
            most=1,
        ),
        Column("train_months", TEXTS, "Feature months trained on."),
        Column("test_month", DATE, "Feature month tested on, later than all of them."),
        Column("train_rows", COUNT, "Users trained on.", least=1),
        Column("test_rows", COUNT, "Users tested on.", least=1),
        Column("base_rate", DOUBLE, "Share of the tested of whom the target came true.", least=0, most=1),
        Column("pr_auc", DOUBLE, "Area under precision and recall.", optional=True, least=0, most=1),
        Column("roc_auc", DOUBLE, "Area under the ROC curve.", optional=True, least=0, most=1),
        *(
            Column(
                f"precision_top_{top}", DOUBLE, f"Share of leavers among the likeliest {top} %.", optional=True, least=0, most=1
            )
            for top in (1, 2, 5, 10)
        ),
        *(
            Column(f"lift_top_{top}", DOUBLE, f"That over the base rate, of the likeliest {top} %.", optional=True, least=0)
            for top in (1, 2, 5)
        ),
        Column("lift_top_decile", DOUBLE, "Leavers among the likeliest tenth over the base rate.", optional=True, least=0),
        Column(
            "calibration_slope",
            DOUBLE,
            "Slope of the outcome on the log-odds of the probability: 1 where true, below 1 where too extreme.",
            optional=True,
        ),
        Column(
            "calibration_error",
            DOUBLE,
            "Mean distance of probability from frequency over ten groups of equal size.",
            optional=True,
            least=0,
            most=1,
        ),
        Column("is_champion", BOOLEAN, "Serves scoring."),
        Column("verdict", STRING, "Of the learner chosen: why it serves, or does not.", optional=True),
        Column("model_version", STRING, "Version in the registry."),
    ),
)
