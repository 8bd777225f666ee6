"""Why customers leave: the causes an operator declares, the evidence each is seen by, and what mending one would bring."""

from churnlake.core.contract import COUNT, DATE, DOUBLE, MONEY, SHARE, STRING, TEXTS, Column, Table
from churnlake.tables.churn import KNOWN_ON, USER_ID

CAUSE_MEANINGS = {
    "fraud": "passive: a new user who leaves great debts",
    "arrears": "passive: suspended, or a bill unpaid",
    "lost_sim": "active, incidental: card or handset lost",
    "move": "active, incidental: lives elsewhere",
    "circle": "active, social: those one talks to have left",
    "service": "active, quality: calls for help, complaints",
    "coverage": "active, quality: calls break off",
    "bonus": "active, economics: the joining bonus is used up",
    "handset": "active, technology: a handset",
    "price": "active, economics: another plan is cheaper for the same use",
    "competitor": "active: the competitor's offer",
}
"""Causes of mission A4 that the house's data hold evidence for, in words; of equals the first, whose evidence is rarer, is taken."""
CAUSE_NAMES = tuple(CAUSE_MEANINGS)
UNKNOWN = "unknown"
EVIDENCE_CAUSES = {
    "great_debt": "fraud",
    "suspended_in_debt": "arrears",
    "in_debt": "arrears",
    "stopped_suddenly": "lost_sim",
    "back_on_same_plan": "lost_sim",
    "other_home": "move",
    "away": "move",
    "neighbours_left": "circle",
    "complained": "service",
    "called_care": "service",
    "calls_dropped": "coverage",
    "back_for_bonus": "bonus",
    "bonus_ends": "bonus",
    "new_handset": "handset",
    "old_handset": "handset",
    "back_on_other_plan": "price",
    "cheaper_plan": "price",
    "fee_rose": "price",
    "asked_competitor": "competitor",
    "sends_calls_on": "competitor",
}
"""By evidence, the cause it speaks for; what holds when, see churn/causes.py and docs/stages.md."""
OF_LEAVERS = ("suspended_in_debt", "stopped_suddenly", "back_for_bonus", "back_on_other_plan", "back_on_same_plan")
"""Evidence that only one who has left can show: nobody who stays is there to compare with."""
CAUSE = Column("cause", STRING, "Cause.", one_of=CAUSE_NAMES)

EVIDENCE = Table(
    "churn.evidence",
    "One row per month, cause and evidence for it (all: any of them): users who showed it at the end of the newest month whose outcome is told, and how many of them left.",
    key=("month", "cause", "evidence"),
    slice="month",
    at="month",
    frozen=True,
    sort=("cause", "evidence"),
    columns=(
        Column("month", DATE, "First day of the month at whose end this is told."),
        Column(
            "feature_month",
            DATE,
            "Month at whose end it was shown; the outcome is of the month after.",
            rule="feature_month < month",
        ),
        CAUSE,
        Column("evidence", STRING, "Evidence, by its name; all: any evidence of the cause.", one_of=(*EVIDENCE_CAUSES, "all")),
        Column("users", COUNT, "Active users who showed it.", least=0),
        Column("left_users", COUNT, "Of these, who left in the month after.", least=0),
        Column(
            "expected_users",
            DOUBLE,
            "Of these, who would have left at the rate of users of the same brand and age who did not show it.",
            least=0,
        ),
        Column(
            "attributable_share",
            SHARE,
            "Over this and the months before that still count: the part of those who showed it and left that is beyond what was expected.",
            least=0,
            most=1,
        ),
    ),
)
LEAVER_CAUSES = Table(
    "churn.causes",
    "One row per leaver and day the leaving was confirmed: the likeliest cause, and each cause's share of the evidence.",
    key=("known_on", "user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        USER_ID,
        Column("leave_on", DATE, "Leave date.", rule="leave_on <= known_on"),
        Column(
            "cause",
            STRING,
            "The cause with the greatest share; unknown where nothing speaks for any.",
            one_of=(*CAUSE_NAMES, UNKNOWN),
        ),
        Column("share", SHARE, "Its share of the evidence; null where it is unknown.", optional=True, least=0, most=1),
        *(
            Column(f"{cause}_share", SHARE, f"Share of the evidence that speaks for {words}.", least=0, most=1)
            for cause, words in CAUSE_MEANINGS.items()
        ),
        Column("evidence", TEXTS, "All evidence that holds, the strongest first; also such as speaks for nothing beyond chance."),
    ),
)
CAUSE_MONTHS = Table(
    "churn.cause_months",
    "One row per month and cause: whom it made leave, whom of those still with us it may, how grave it is, what mending costs and brings.",
    key=("month", "cause"),
    slice="month",
    at="month",
    frozen=True,
    sort=("cause",),
    columns=(
        Column("month", DATE, "First day of the month."),
        CAUSE,
        Column("leavers", COUNT, "Leavings confirmed in the month whose likeliest cause it is.", least=0),
        Column("expected_leavers", DOUBLE, "Sum of its shares over all leavings confirmed in the month.", least=0),
        Column("users", COUNT, "Active users at the month's end who show evidence of it.", least=0),
        Column(
            "severity_ratio",
            DOUBLE,
            "How many times as likely to leave as like users without the evidence those with it were; null where nobody was expected to.",
            optional=True,
            least=0,
        ),
        Column("mend_yuan", MONEY, "What mending it for these users would cost.", least=0),
        Column("kept_users", DOUBLE, "Users of these a month who would stay if it were mended: those beyond what is expected.", least=0),
        Column(
            "lift_share", SHARE, "These over all who leave in a month: by so much mending would lower churn; null without any.",
            optional=True, least=0, most=1,
        ),
    ),
)  # fmt: skip
