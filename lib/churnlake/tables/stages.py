"""In which stage of leaving each customer is: the signs seen, the signs foreseen, and how stages follow each other."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, SHARE, STRING, TEXTS, Column, Table
from churnlake.tables.churn import KNOWN_ON, USER_ID

SIGN_MEANINGS = {
    "forwarding": "calls are sent on to the competitor",
    "hotline": "the competitor's hotline was called",
    "use_fell": "own use has fallen beyond what chance allows",
    "suspended": "suspended, or the cancel order is given for a day to come",
    "arrears": "the newest bill is not paid",
}
"""Alarm signs (mission, A5), in words; of several that hold the first named tells the stage."""
SIGNS_SEEN = tuple(SIGN_MEANINGS)
FORECAST_MEANINGS = {
    "second_phone": "will forward to the competitor or ask it: a second phone",
    "fall": "own use will fall",
    "stop": "will stop using the number",
    "cancel": "will be suspended or give a cancel order",
}
"""The four warning forecasts (mission, A5), in words."""
FORECAST_NAMES = tuple(FORECAST_MEANINGS)
STAGES_OF_LEAVING = ("healthy", "warning", "alarm", "churned")
CONFIRMED = ("cancelled", "suspended", "silent")
"""How a leaving may have been confirmed, as churn.leavings says."""
RECOVERED = ("quiet", "use")
"""What makes a customer healthy again: the signs ended; or one who had left used the number."""
MONTH = Column("month", DATE, "First day of the month.")
STAGE = Column("stage", STRING, "Stage of leaving.", one_of=STAGES_OF_LEAVING)

NORMALS = Table(
    "churn.normals",
    "One row per month and user with records on enough of the days before its end: the user's own use a day, and how it varies.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        Column("days", COUNT, "Days looked at: whole weeks up to the month's end, from the first with a record on.", least=1),
        Column("own_events", COUNT, "Own outgoing events on them.", least=1),
        Column(
            "dispersion",
            DOUBLE,
            "Variance of the weeks' sums over their mean, 1 at least: 1 where events come by chance alone, more where in bouts.",
            least=1,
        ),
    ),
)
SIGNS = Table(
    "churn.signs",
    "One row per user, alarm sign and day on which the sign appeared or ended. A user without a row has never shown it.",
    key=("known_on", "user_id", "sign"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id", "sign"),
    columns=(
        KNOWN_ON,
        USER_ID,
        Column("sign", STRING, "Alarm sign.", one_of=SIGNS_SEEN),
        Column("is_seen", BOOLEAN, "It appeared; else it ended."),
        Column(
            "since", DATE, "Since when: of what the sign is seen by, the first day; the day it ended.", rule="since <= known_on"
        ),
    ),
)
FORECASTS = Table(
    "churn.forecasts",
    "One row per user active at the month's end and without an alarm sign: the chance of each sign within the days to come.",
    key=("known_on", "user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("place",),
    columns=(
        Column("known_on", DATE, "The month's last day; the forecast is of the days after it."),
        USER_ID,
        *(
            Column(name, SHARE, f"Probability: {words}; null where it could not be foretold.", optional=True, least=0, most=1)
            for name, words in FORECAST_MEANINGS.items()
        ),
        Column("probability", SHARE, "The greatest of them.", least=0, most=1),
        Column("forecast", STRING, "Which of them that is; of equals the first.", one_of=FORECAST_NAMES),
        Column("place", COUNT, "Place by the places in all forecasts together, 1 the likeliest to show signs.", least=1),
        Column("is_warned", BOOLEAN, "Among the first places, as many as can be cared for in a month."),
    ),
)
FORECASTS_JUDGED = Table(
    "churn.forecasts_judged",
    "One row per forecast and day it was made anew: how well it ranked the newest month whose days to come are over, taught with months before.",
    key=("known_on", "forecast"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("forecast",),
    columns=(
        Column("known_on", DATE, "Day the forecast was made."),
        Column("forecast", STRING, "What was foretold.", one_of=FORECAST_NAMES),
        Column("train_months", TEXTS, "Months taught with; all were over, days to come included, when the tested one ended."),
        Column("test_month", DATE, "Month tested on.", optional=True),
        Column("train_positives", COUNT, "Users taught with who showed the sign.", least=0),
        Column("test_rows", COUNT, "Users tested on.", least=0),
        Column("test_positives", COUNT, "Of these, who showed the sign.", least=0),
        Column("roc_auc", SHARE, "Area under the ROC curve.", optional=True, least=0, most=1),
        Column("pr_auc", SHARE, "Area under precision and recall.", optional=True, least=0, most=1),
        Column("precision_top_10", SHARE, "Share who showed the sign among the likeliest tenth.", optional=True, least=0, most=1),
        Column(
            "calibration_slope", DOUBLE, "Slope of the outcome on the log-odds of the probability: 1 where true.", optional=True
        ),
        Column("calibration_error", SHARE, "Mean distance of probability from frequency.", optional=True, least=0, most=1),
        Column("left_out", STRING, "Why it is not foretold; null where it is.", optional=True),
    ),
)
STAGES = Table(
    "churn.stages",
    "One row per user and day on which the stage of leaving changed. A user without a row has always been healthy.",
    key=("known_on", "user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        USER_ID,
        STAGE,
        Column("stage_before", STRING, "Stage before that day.", one_of=STAGES_OF_LEAVING, rule="stage_before <> stage"),
        Column(
            "moved_by",
            STRING,
            "What moved the customer: the sign or forecast; how the leaving was confirmed; or that signs ended (quiet), or one who had left used the number (use).",
            one_of=(*SIGNS_SEEN, *FORECAST_NAMES, *CONFIRMED, *RECOVERED),
        ),
        Column("since", DATE, "Since when that holds: of a leaving, the leave date.", rule="since <= known_on"),
        Column("signs", TEXTS, "All alarm signs that hold on the day."),
    ),
)
TRANSITIONS = Table(
    "churn.transitions",
    "One row per month, stage at the end of the month before and stage at its end: users with records in either month or not healthy at either end; who had left before is gone.",
    key=("month", "from_stage", "to_stage"),
    slice="month",
    at="month",
    frozen=True,
    sort=("from_stage", "to_stage"),
    columns=(
        MONTH,
        Column(
            "from_stage",
            STRING,
            "Stage at the end of the month before; new: no record in that month, and no stage told of.",
            one_of=(*STAGES_OF_LEAVING, "new"),
        ),
        Column("to_stage", STRING, "Stage at the month's end.", one_of=STAGES_OF_LEAVING),
        Column("users", COUNT, "Users.", least=1),
    ),
)
STAGES_AT_END = Table(
    "features.stages",
    "One row per month and user with a record in it: the stage of leaving at the month's end and the alarm signs that hold then, as inputs of models.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        Column("stage_rank", COUNT, "Stage: 0 healthy, 1 warning, 2 alarm, 3 churned.", least=0, most=3),
        Column("stage_days", COUNT, "Days in it at the month's end; 0 where healthy.", least=0),
        *(Column(f"sign_{name}", COUNT, f"1 where {words}, else 0.", least=0, most=1) for name, words in SIGN_MEANINGS.items()),
    ),
)
LEAD_TIMES = Table(
    "churn.lead_times",
    "One row per month: how long before they left the leavers confirmed in it had been in a warning or alarm stage.",
    key=("month",),
    slice="month",
    at="month",
    frozen=True,
    columns=(
        Column("month", DATE, "First day of the month in which the leavings were confirmed."),
        Column("leavers", COUNT, "Leavers.", least=1),
        Column("warned", COUNT, "Of these, in a warning or alarm stage on the day before they left.", least=0),
        *(
            Column(
                f"{name}_days",
                DOUBLE,
                f"Days without a break in such a stage up to the leave date, of leavers not warned 0: {words}.",
                least=0,
            )
            for name, words in {"low": "lower quartile", "median": "median", "high": "upper quartile"}.items()
        ),
        Column("warned_median_days", DOUBLE, "Median over those warned alone; null without any.", optional=True, least=1),
    ),
)
