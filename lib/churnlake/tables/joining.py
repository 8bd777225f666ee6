"""The joining check: what is said of an activation at the counter, what became of it, and what the counter is told."""

from churnlake.core.contract import BOOLEAN, DATE, DOUBLE, INT, LONG, MONEY, STRING, TIMESTAMP, Column, Table

ACTIVATION_KEY = Column("activation_key", LONG, "64-bit key of the operator's id of the activation.")
ACTIVATED_ON = Column("activated_on", DATE, "Day of the activation, in the city's zone.")
USER_ID = Column("user_id", LONG, "The user that begins.", pseudonym="user")
OLD_USER_ID = Column("old_user_id", LONG, "The user of before that is named.", optional=True, pseudonym="user")
REMINDERS = ("brand_change", "number_choice", "sim_replacement", "none")
"""What the counter may be told to say: a brand is changed without a new number, numbers are chosen at the counter, a SIM costs 15 yuan."""

JOINING_CHECKS = Table(
    "reentry.joining_checks",
    "One row per activation (t0): whether what was shown and said at the counter names a customer of ours; never changed afterwards.",
    key=("activation_key",),
    slice="activated_on",
    at="activated_on",
    sort=("user_id",),
    columns=(
        ACTIVATED_ON,
        ACTIVATION_KEY,
        Column("activated_at", TIMESTAMP, "When the customer joined, UTC."),
        Column("arrived_at", TIMESTAMP, "When the file that told it was last changed, UTC."),
        Column("checked_at", TIMESTAMP, "When this row was worked out, UTC."),
        USER_ID,
        Column(
            "known_to",
            DATE,
            "Newest delivery of subscribers that was asked, not after the day of the activation; null: none.",
            optional=True,
        ),
        Column(
            "document_says",
            STRING,
            "Whom the document names: not_shown; of_many: a firm's or dealer's; nobody known; one_user; several_users.",
            one_of=("not_shown", "of_many", "nobody", "one_user", "several_users"),
        ),
        Column(
            "number_says",
            STRING,
            "Whom the number stated names: not_stated; no_number: badly written; not_ours: of another network or nobody's; gone_long: given up "
            "longer ago than a re-entry's gap; one_user; several_users: recycled within that time.",
            one_of=("not_stated", "no_number", "not_ours", "gone_long", "one_user", "several_users"),
        ),
        Column(
            "verdict",
            STRING,
            "known: one user is named; several: more are, it can not be said which; contradicted: the number stated is of somebody with another "
            "document; new: what was shown and said names nobody; untold: nothing shown or said could name anybody.",
            one_of=("known", "several", "contradicted", "new", "untold"),
        ),
        Column("named_by", STRING, "What names the user.", one_of=("document", "number", "both"), optional=True),
        OLD_USER_ID,
        Column("is_same_dealer", BOOLEAN, "The dealer who sold the old number sells the new one.", optional=True),
        Column("is_same_plan", BOOLEAN, "The plan asked for is that of the old number.", optional=True),
        Column("is_same_brand", BOOLEAN, "The brand asked for is that of the old number.", optional=True),
        Column("is_old_held", BOOLEAN, "The old number was still held, as then known.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus of the offer.", optional=True, least=0),
    ),
)
COUNTER_REMINDERS = Table(
    "reentry.counter_reminders",
    "One row per activation: all the counter sees of the check. No old number, no old user, no evidence, no verdict.",
    key=("activation_id",),
    slice="activated_on",
    at="activated_on",
    columns=(
        ACTIVATED_ON,
        Column("activation_id", STRING, "The operator's id of the activation, by which the counter finds it."),
        Column("user_id", LONG, "The user that begins, so that an erasure finds the row.", pseudonym="user"),
        Column("reminder", STRING, "What to remind the customer of.", one_of=REMINDERS),
    ),
)
JOINING_FOLLOW_UPS = Table(
    "reentry.joining_follow_ups",
    "One row per activation and stage after the join: what handset (t1) and circle (t2) said by then, beside what the counter was told.",
    key=("activation_key", "stage_days"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        Column("known_on", DATE, "Day this could first be said: the first own outgoing event plus stage_days."),
        ACTIVATION_KEY,
        USER_ID,
        Column(
            "stage_days",
            INT,
            "Days after the first own outgoing event: 0 is t1, by the handset; those after it t2, by all evidence.",
        ),
        Column(
            "verdict", STRING, "What the counter's check had said.", one_of=("known", "several", "contradicted", "new", "untold")
        ),
        Column("named_by", STRING, "What had named a user.", one_of=("document", "number", "both"), optional=True),
        Column(
            "outcome",
            STRING,
            "same: the user named at the counter is found; other: another one is; found: one is, and none was named; nobody: none is; "
            "too_little: nothing to tell by.",
            one_of=("same", "other", "found", "nobody", "too_little"),
        ),
        OLD_USER_ID,
        Column("probability", DOUBLE, "Probability of the match; null at t1.", optional=True, least=0, most=1),
    ),
)
BONUS_REVIEWS = Table(
    "reentry.bonus_reviews",
    "One row per activation with a joining bonus whose customer the check knows: waiting for a person, or as a person decided.",
    key=("activation_key",),
    sort=("activated_on", "activation_key"),
    columns=(
        ACTIVATION_KEY,
        ACTIVATED_ON,
        USER_ID,
        Column("bonus_yuan", MONEY, "Joining bonus of the offer.", least=0),
        Column(
            "state",
            STRING,
            "to_review: nobody has decided; withheld, paid: by the newest decision of a person.",
            one_of=("to_review", "withheld", "paid"),
            rule="(state = 'to_review') = (reviewer_key IS NULL AND decided_on IS NULL) AND (reviewer_key IS NULL) = (decided_on IS NULL)",
        ),
        Column("decided_on", DATE, "Day of that decision.", optional=True),
        Column("reviewer_key", LONG, "Pseudonym of who decided.", optional=True, pseudonym="reviewer"),
    ),
)
