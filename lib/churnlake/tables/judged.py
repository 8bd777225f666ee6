"""How well the models foretell, and whether what they see is still what they were taught."""

from churnlake.core.contract import COUNT, DATE, DOUBLE, MONEY, NUMBERS, STRING, Column, Table
from churnlake.tables.churn import KNOWN_ON, MONTH, USER_ID


def _share(name: str, meaning: str) -> Column:
    return Column(name, DOUBLE, meaning, optional=True, least=0, most=1)


FORETOLD = Column("target", STRING, "What is foretold, as in churn.labels; or hazard, winback.")
JUDGED = Table(
    "churn.judged",
    "One row per day known, target and part of the customers tested: how well the chosen learner ranks there, and what it earns.",
    key=("known_on", "target", "part", "value"),
    slice="known_on",
    at="known_on",
    sort=("target", "part", "value"),
    columns=(
        KNOWN_ON,
        FORETOLD,
        Column(
            "part",
            STRING,
            "What the customers are parted by. month: the newest, and those asked while choosing (before calibration). ahead: "
            "months ahead and outcome, of the hazard.",
            one_of=("all", "brand", "tier", "month", "ahead"),
        ),
        Column("value", STRING, "Which part: a brand, a value tier, a month."),
        Column("test_month", DATE, "Feature month tested on; of part month, the newest one."),
        Column("rows", COUNT, "Active customers tested.", least=1),
        Column("positives", COUNT, "Of these, those of whom the target came true.", least=0),
        _share("base_rate", "Their share."),
        _share("pr_auc", "Area under precision and recall."),
        _share("roc_auc", "Area under the ROC curve."),
        *(_share(f"precision_top_{top}", f"Share of positives among the likeliest {top} %.") for top in (1, 2, 5, 10)),
        *(
            Column(f"lift_top_{top}", DOUBLE, f"That over the base rate, of the likeliest {top} %.", optional=True, least=0)
            for top in (1, 2, 5)
        ),
        Column("lift_top_decile", DOUBLE, "Positives among the likeliest tenth over the base rate.", optional=True, least=0),
        Column(
            "calibration_slope", DOUBLE, "Slope of the outcome on the log-odds of the probability: 1 where true.", optional=True
        ),
        _share("calibration_error", "Mean distance of probability from frequency over ten groups of equal size."),
        Column("profit_yuan", MONEY, "The most that contacting the top of the ranking earns.", optional=True),
        _share("profit_share", "Share of the customers contacted then."),
        Column("empc", DOUBLE, "Expected maximum profit of a retention campaign, in yuan a customer.", optional=True),
        _share("empc_share", "Share of the customers contacted then, as expected."),
        Column("model_version", STRING, "Version in the registry."),
        Column(
            "gains_found", NUMBERS, "Of part all: share of the positives among the likeliest 0, 5, 10 ... 100 %.", optional=True
        ),
        Column(
            "calibration_told",
            NUMBERS,
            "Of part all: mean probability of each of ten groups of equal size, lowest first.",
            optional=True,
        ),
        Column("calibration_seen", NUMBERS, "Share of positives in each of them.", optional=True),
    ),
)
DRIFT = Table(
    "churn.drift",
    "One row per month scored, target and column: how far it has moved from the months the champion was taught.",
    key=("month", "target", "column"),
    slice="month",
    at="month",
    frozen=True,
    sort=("target", "column"),
    columns=(
        MONTH,
        FORETOLD,
        Column("column", STRING, "An input of the champion, or score."),
        Column("psi", DOUBLE, "Population stability index.", least=0),
        Column("rows", COUNT, "Users compared, of the month.", least=1),
        Column(
            "advice",
            STRING,
            "none: below the limits or what chance reaches; watch: moderate; retrain: great.",
            one_of=("none", "watch", "retrain"),
        ),
        Column("model_version", STRING, "Version of the champion."),
    ),
)
HAZARDS = Table(
    "churn.hazards",
    "One row per user active in the month: how likely it leaves for good, or comes back under another number, in each of the next months.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        *(
            Column(
                f"{what}_in_{ahead}m", DOUBLE, f"Probability that the user {meaning} in the {when} month ahead.", least=0, most=1
            )
            for ahead, when in ((1, "first"), (2, "second"))
            for what, meaning in (("leaves", "leaves for good"), ("reenters", "leaves and comes back under another number"))
        ),
        Column("model_version", STRING, "Version of the model in the registry."),
    ),
)
