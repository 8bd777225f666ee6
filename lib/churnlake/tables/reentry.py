"""Who came back under another number."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, INT, LONG, STRING, Column, Table
from churnlake.tables.daily import PEER_ID

KNOWN_ON = Column("known_on", DATE, "Day this could first be said: the join plus stage_days.")
USER_ID = Column("user_id", LONG, "The joiner: the new user.", pseudonym="user")
STAGE = Column("stage_days", INT, "Days after the join: 0, 3, 7, 30 provisional, 60 final.")

OLD_USER_ID = Column("old_user_id", LONG, "The old user.", pseudonym="user")
EVIDENCE = (
    Column("old_last_on", DATE, "Last own outgoing event of the old user, as then known."),
    Column("gap_days", INT, "joined_on minus old_last_on; negative when both ran side by side."),
    Column(
        "circle_score",
        DOUBLE,
        "Log-likelihood ratio of the new circle under the old user's against the city's, over the new circle's length.",
        least=0,
    ),
    Column("hellinger", DOUBLE, "Sum of sqrt(share in the new circle x share in the old) over the peers in both.", least=0),
    Column("shared_peers", COUNT, "Peers in both circles.", least=0),
    Column("old_peers", COUNT, "Peers in the old circle.", least=0),
    Column("announced", COUNT, "Peers in both that the new number sent a message to in its first days.", optional=True, least=0),
    Column("new_found", DOUBLE, "Share of the new circle's peers that are in the old one.", least=0, most=1),
    Column("old_found", DOUBLE, "Share of the old circle, by strength, that is in the new one.", least=0, most=1),
    Column("top_found", DOUBLE, "Share of the three strongest peers of either circle found in the other.", least=0, most=1),
    Column(
        "ties_apart",
        DOUBLE,
        "By how much the ties to the peers in both differ in log strength, sum of squares, each by how surely it is told.",
        least=0,
    ),
    Column("still_met", DOUBLE, "Share of the peers in both that met the old number after the join.", least=0, most=1),
    Column(
        "new_elsewhere",
        DOUBLE,
        "How like the new circle that of another network's number is that fell silent as the joiner began; 0 for none.",
        optional=True,
        least=0,
        most=1,
    ),
    Column(
        "old_elsewhere",
        DOUBLE,
        "How like the old circle that of another network's number is that appeared as the old one fell silent; 0 for none.",
        optional=True,
        least=0,
        most=1,
    ),
    Column("talked", BOOLEAN, "The two numbers were in touch with each other."),
    Column("has_same_imei", BOOLEAN, "The new number runs on a handset the old one used before."),
    Column("imei_users", COUNT, "Users seen on that handset.", optional=True),
    Column("same_model", BOOLEAN, "On a handset of a model the old user had before (type allocation code).", optional=True),
    Column("has_same_document", BOOLEAN, "Joined with the same document."),
    Column("has_forwarding", BOOLEAN, "Calls to the old number were sent on to the new one.", optional=True),
    Column("place_overlap", DOUBLE, "Share of the new user's calls from cells the old one used.", optional=True, least=0, most=1),
    Column(
        "night_overlap", DOUBLE, "The same of calls by night, in cells the old one used by night.", optional=True, least=0, most=1
    ),
    Column(
        "work_overlap", DOUBLE, "The same of working hours: outside night, Mondays to Fridays.", optional=True, least=0, most=1
    ),
    Column("weekend_overlap", DOUBLE, "The same of Saturdays and Sundays.", optional=True, least=0, most=1),
    Column(
        "hours_score",
        DOUBLE,
        "Log-likelihood ratio of the hours of the new user's calls and messages under the old one's against the city's, over the root of their number.",
        optional=True,
    ),
    Column("same_dealer", BOOLEAN, "Both cards were sold by one dealer.", optional=True),
    Column(
        "plan_shared",
        STRING,
        "What the new plan has in common with the old user's last: the plan itself, its brand, or none.",
        optional=True,
        one_of=("plan", "brand", "none"),
    ),
    Column(
        "level_share",
        DOUBLE,
        "Old user's outgoing level in days 31-60 after the join over its normal; before day 60 in the days since the join, none on its day.",
        optional=True,
        least=0,
    ),
    Column(
        "kind",
        STRING,
        "full: old level at most 10 %; partial: 10-50 %, or above by no more than chance; kept: above, no re-entry; open: before day 60.",
        one_of=("full", "partial", "kept", "open"),
    ),
)
"""What is known of a pair."""
PAIR = (
    KNOWN_ON,
    USER_ID,
    STAGE,
    OLD_USER_ID,
    Column("joined_on", DATE, "First own outgoing event of the new user."),
    *EVIDENCE,
)
"""A pair, as known then."""

JOINERS = Table(
    "reentry.joiners",
    "One row per joiner and stage: scored, too little evidence, or excluded.",
    key=("user_id", "stage_days"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        KNOWN_ON,
        USER_ID,
        STAGE,
        Column("joined_on", DATE, "First own outgoing event."),
        Column("scope", STRING, "Which of the three.", one_of=("scored", "too_little", "excluded")),
        Column("peers", COUNT, "Distinct peers so far.", least=0),
        Column("candidates", COUNT, "Old users weighed.", least=0),
        Column(
            "excluded_by",
            STRING,
            "together: moved to another number on one day with people of its circle, or with many times as many as usual, as where a firm's numbers are all changed.",
            optional=True,
            one_of=("together",),
        ),
    ),
)
PAIRS = Table(
    "reentry.pairs",
    "One row per joiner, stage and old user it could be: what speaks for and against, as known then.",
    key=("user_id", "stage_days", "old_user_id"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id", "old_user_id"),
    columns=(
        *PAIR,
        Column(
            "odds", DOUBLE, "Odds of the pair by its evidence alone, before the others that either could be are asked.", least=0
        ),
    ),
)
LINKS = Table(
    "reentry.links",
    "One row per joiner and stage that is an old user beyond doubt at first look: its friends are looked at again by it.",
    key=("user_id", "stage_days"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(KNOWN_ON, USER_ID, STAGE, OLD_USER_ID),
)
WEIGHTS = Table(
    "reentry.weights",
    "One row per month, stage, kind of evidence and level of it: what it adds to a pair's log-odds.",
    key=("month", "stage_days", "evidence", "level"),
    slice="month",
    at="month",
    frozen=True,
    columns=(
        Column("month", DATE, "First day of the month whose pairs are weighed by it; learnt from the months before."),
        STAGE,
        Column("evidence", STRING, "Measure or comparison; intercept for what a pair has before any."),
        Column("level", STRING, "Outcome of a comparison; each: for every unit of a measure."),
        Column("weight", DOUBLE, "Added to the natural log-odds."),
        Column("joiners", COUNT, "Joiners it was learnt from; 0: the setting, as there were too few.", least=0),
    ),
)
MATCHES = Table(
    "reentry.matches",
    "One row per joiner and stage found to be a user who left or is leaving: one to one.",
    key=("user_id", "stage_days"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        *PAIR,
        Column("probability", DOUBLE, "Probability that both are one person.", least=0, most=1),
        Column("found_by", STRING, "circle, imei or both.", one_of=("circle", "imei", "both")),
        Column("old_left_by", STRING, "What confirmed the old user's leaving, when confirmed by then.", optional=True),
    ),
)
PERSONS = Table(
    "reentry.persons",
    "One row per user that is one of several numbers of a person.",
    key=("user_id",),
    sort=("person_id", "user_id"),
    columns=(
        USER_ID,
        Column("person_id", LONG, "The person: smallest user_id among the numbers.", pseudonym="user"),
        Column("numbers", COUNT, "Numbers of the person.", least=2),
    ),
)
SUCCESSORS = Table(
    "reentry.successors",
    "One row per leaver whose circle is in touch, since then, with a number of another network that was not there before: likely its new one.",
    key=("user_id", "leave_on"),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        Column("known_on", DATE, "Day the leaving was confirmed and the new number could be seen in use for a while."),
        Column("user_id", LONG, "The leaver.", pseudonym="user"),
        Column("leave_on", DATE, "Leave date.", rule="leave_on <= known_on"),
        PEER_ID,
        Column("peer_network", STRING, "Its network."),
        Column(
            "likeness",
            DOUBLE,
            "Share of the circle in touch with it, by strength, x root of shared_peers over peer_users.",
            least=0,
            most=1,
        ),
        Column("shared_peers", COUNT, "People of the circle in touch with it.", least=1),
        Column("peer_users", COUNT, "Users of ours in touch with it.", least=1),
    ),
)
