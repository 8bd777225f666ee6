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
    "price": "active, economics: another plan is cheaper for the same use, ours or the competitor's",
}
"""Causes of mission A4 that the house's data hold evidence for, in words; of equals the first, whose evidence is rarer, is taken."""
CAUSE_NAMES = tuple(CAUSE_MEANINGS)
UNKNOWN = "unknown"
DRAWN = ("price", "service", "coverage", "circle", "handset")
"""Causes for which one compares with the competitor: active and deliberate ones, but for who lives from our bonuses."""
CIRCUMSTANCES = {
    "great_debt": "fraud",
    "in_debt": "arrears",
    "other_home": "move",
    "away": "move",
    "neighbours_left": "circle",
    "complained": "service",
    "called_care": "service",
    "calls_dropped": "coverage",
    "bonus_ends": "bonus",
    "new_handset": "handset",
    "old_handset": "handset",
    "cheaper_plan": "price",
    "fee_rose": "price",
}
"""Evidence that anybody can show, and the cause it speaks for: those who stay tell how usual it is."""
OF_LEAVERS: dict[str, tuple[str, ...]] = {
    "left_in_debt": ("arrears", "fraud"),
    "stopped_suddenly": ("lost_sim",),
    "back": ("bonus", "lost_sim", "arrears"),
    "back_for_bonus": ("bonus",),
    "back_on_same_plan": ("lost_sim",),
    "at_competitor": DRAWN,
    "asked_competitor": DRAWN,
    "sends_calls_on": DRAWN,
}
"""Evidence of how one left and where to, and the causes it speaks for: leavers of other causes tell how usual it is."""
EVIDENCE_CAUSES: dict[str, tuple[str, ...]] = {**{name: (cause,) for name, cause in CIRCUMSTANCES.items()}, **OF_LEAVERS}
"""By evidence, the causes it speaks for; what holds when, see churn/evidence.py and docs/stages.md."""
ALL = "all"
CAUSE = Column("cause", STRING, "Cause.", one_of=CAUSE_NAMES)

EVIDENCE = Table(
    "churn.evidence",
    "One row per month, cause and evidence for it that anybody can show (all: any of them): users who showed it at the end of the newest month whose outcome is told, and how many of them left.",
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
        Column("evidence", STRING, "Evidence, by its name; all: any evidence of the cause.", one_of=(*CIRCUMSTANCES, ALL)),
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
CAUSE_WEIGHTS = Table(
    "churn.cause_weights",
    "One row per month, cause and evidence: how many leavers of that cause show it, as learnt from the leavers of the months up to then.",
    key=("month", "cause", "evidence"),
    slice="month",
    at="month",
    frozen=True,
    sort=("cause", "evidence"),
    columns=(
        Column(
            "month", DATE, "First day of the month at whose end this is told; leavings confirmed after it are explained by it."
        ),
        Column("cause", STRING, "Cause; unknown: none that this evidence speaks for.", one_of=(*CAUSE_NAMES, UNKNOWN)),
        Column("evidence", STRING, "Evidence, by its name; all: the cause itself.", one_of=(*EVIDENCE_CAUSES, ALL)),
        Column("share", SHARE, "Share of its leavers who show it; of all: share of leavers whose cause it is.", least=0, most=1),
        Column("leavers", COUNT, "Leavers this was learnt from, beside what is taken for likely at the start.", least=0),
    ),
)
LEAVER_CAUSES = Table(
    "churn.causes",
    "One row per leaver and day the leaving was confirmed: how probable each cause is by the evidence, and the likeliest.",
    key=("known_on", "user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        USER_ID,
        Column("leave_on", DATE, "Leave date.", rule="leave_on <= known_on"),
        Column("cause", STRING, "The likeliest; unknown where that is none of them.", one_of=(*CAUSE_NAMES, UNKNOWN)),
        Column("share", SHARE, "Its probability.", least=0, most=1),
        *(Column(f"{cause}_share", SHARE, f"Probability: {words}.", least=0, most=1) for cause, words in CAUSE_MEANINGS.items()),
        Column(f"{UNKNOWN}_share", SHARE, "Probability of none of them; all sum to 1.", least=0, most=1),
        Column("evidence", TEXTS, "All evidence that holds, that which says most first."),
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
        Column("expected_leavers", DOUBLE, "Sum of its probabilities over all leavings confirmed in the month.", least=0),
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
