"""Why customers took a new number, and what the operator is told of each month."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, INT, LONG, MONEY, STRING, TEXTS, Column, Table
from churnlake.tables.reentry import EVIDENCE, OLD_USER_ID, USER_ID
from churnlake.tables.reference import BRANDS

BEAUTY = ("repeated", "sequence", "lucky", "plain")
"""Beauty classes of numbers, best first."""
RULED = ("arrears", "lost_sim", "number", "bonus", "brand", "plan", "unknown")
"""Motives by rule, in the order in which the rules are asked; unknown where none holds."""
SAID = (*RULED, "dealer", "other", "all")
"""Motives in shares: those by rule, what else people say, and all together."""
MOTIVE = Column("motive", STRING, "The first rule that holds; unknown where none does.", one_of=RULED)
JOINED_ON = Column("joined_on", DATE, "First own outgoing event of the new user.")


def _share(name: str, meaning: str) -> Column:
    return Column(name, DOUBLE, meaning, optional=True, least=0, most=1)


MOTIVES = Table(
    "reentry.motives",
    "One row per final match: why the customer took a new number, by rule, and the facts that the rules ask for. A fact is null where nothing tells it.",
    key=("user_id",),
    slice="known_on",
    at="known_on",
    frozen=True,
    sort=("user_id",),
    columns=(
        Column("known_on", DATE, "Day the match is final; facts are as known then."),
        USER_ID,
        OLD_USER_ID,
        JOINED_ON,
        MOTIVE,
        Column("held", TEXTS, "All rules that hold, in the order of asking."),
        Column("gap_days", INT, "joined_on minus the old number's last use; negative when both ran side by side."),
        Column("stop_level", DOUBLE, "Old number's own events a day in its last week over those before.", optional=True, least=0),
        Column("has_new_handset", BOOLEAN, "The new number's handset is known and is none of the old one's.", optional=True),
        Column("hotline_calls", COUNT, "Calls to our hotlines in the old number's last and the new one's first days.", least=0),
        Column("forwarded_calls", COUNT, "Calls the old number sent on to a number of ours from shortly before the join on.", least=0),
        Column("forwarded_before_calls", COUNT, "Calls it sent on to a number of ours in the normal days before that.", least=0),
        Column("old_brand", STRING, "Old number's last brand.", optional=True, one_of=BRANDS),
        Column("new_brand", STRING, "Brand joined.", optional=True, one_of=BRANDS),
        Column("old_plan_id", STRING, "Old number's last plan.", optional=True),
        Column("new_plan_id", STRING, "Plan joined.", optional=True),
        Column("old_beauty", STRING, "Beauty class of the old number.", optional=True, one_of=BEAUTY),
        Column("new_beauty", STRING, "Beauty class of the new number.", optional=True, one_of=BEAUTY),
        Column("bonus_yuan", MONEY, "Bonus of the promotion joined in.", optional=True, least=0),
        Column("old_cost_yuan", MONEY, "The old number's normal use of 30 days at the old plan's prices.", optional=True, least=0),
        Column("new_cost_yuan", MONEY, "The same use at the new plan's prices.", optional=True, least=0),
        Column("saving_share", DOUBLE, "Part of the old cost saved by the new plan; negative where it is dearer.", optional=True, most=1),
        Column("suspended_on", DATE, "Since when the old number was suspended last.", optional=True),
        Column("arrears_yuan", MONEY, "Most that was unpaid on the old number's last bills.", optional=True, least=0),
    ),
)  # fmt: skip
MOTIVE_SHARES = Table(
    "reentry.motive_shares",
    "One row per month and motive: its part of the matches final in the months up to then, by rule and by what a survey's answers make of the rules.",
    key=("month", "motive"),
    slice="month",
    at="month",
    frozen=True,
    columns=(
        Column("month", DATE, "First day of the month at whose end this was known."),
        Column("motive", STRING, "Motive by rule, or as said; all: any.", one_of=SAID),
        Column("matches", COUNT, "Matches of that motive by rule.", least=0),
        _share("rule_share", "Their part of all matches."),
        Column("answers", COUNT, "Matched joiners who gave that motive in a survey.", least=0),
        _share("share", "Part of all matches with that motive: answers weighted to the matches' motives by rule; null without a survey."),
        _share("share_low", "Lower end of its interval."),
        _share("share_high", "Upper end of its interval."),
        Column("alternative_answers", COUNT, "Of those who gave it, who said whether they knew that no new number is needed.", least=0),
        _share("unaware_share", "Part of these who did not know, weighted alike."),
        _share("unaware_low", "Lower end of its interval."),
        _share("unaware_high", "Upper end of its interval."),
        _share("preventable_share", "share x unaware_share: part of all matches that a word at the counter could have kept on the old number."),
        _share("preventable_low", "Lower end of its interval."),
        _share("preventable_high", "Upper end of its interval."),
    ),
)  # fmt: skip
FEED = Table(
    "reentry.feed",
    "One row per month and joiner found to be a former user, at the final stage: the operator's own monthly shape, with what speaks for it.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    frozen=True,
    sort=("user_id",),
    columns=(
        Column("month", DATE, "First day of the month in which the match became final."),
        Column("time_id", INT, "The month as yyyymm."),
        Column("known_on", DATE, "Day the match is final."),
        USER_ID,
        Column("number_key", LONG, "Pseudonym of the joiner's number.", pseudonym="number"),
        OLD_USER_ID,
        Column("old_number_key", LONG, "Pseudonym of the old user's number.", pseudonym="number"),
        Column("unique_user_id", LONG, "The person: the first user known in the chain of its numbers, the same for good.", pseudonym="user"),
        Column("numbers", COUNT, "Numbers of the person so far, this one among them.", least=2),
        Column("reentries", COUNT, "Re-entries of the person in the half year up to this join, this one among them.", least=1),
        JOINED_ON,
        Column("probability", DOUBLE, "Probability that both are one person.", least=0, most=1),
        Column("found_by", STRING, "circle, imei or both.", one_of=("circle", "imei", "both")),
        *EVIDENCE,
        MOTIVE,
        Column("reason", STRING, "The strongest evidence, in words."),
    ),
)  # fmt: skip
