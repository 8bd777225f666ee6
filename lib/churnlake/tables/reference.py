"""Reference data as delivered, checked and pseudonymised; and the lives of numbers derived from it."""

from churnlake.core.contract import BOOLEAN, DATE, DOUBLE, INT, LONG, MONEY, STRING, TIMESTAMP, Column, Table
from churnlake.tables.clean import BATCH, EARLIEST

DELIVERED_ON = Column("delivered_on", DATE, "Delivery day.")
USER_ID = Column("user_id", LONG, "Pseudonym of the user: one life of a number.", pseudonym="user")
BRANDS = ("gotone", "easyown", "mzone")


def _money(name: str, meaning: str, optional: bool = False) -> Column:
    return Column(name, MONEY, meaning, optional=optional, least=0, most=1_000_000)


SUBSCRIBERS = Table(
    "reference.subscribers",
    "One row per user and delivery: what was known of the user that day.",
    slice="batch",
    at="delivered_on",
    key=("user_id", "delivered_on"),
    ledger=True,
    columns=(
        BATCH,
        USER_ID,
        DELIVERED_ON,
        Column("number_key", LONG, "Pseudonym of the number.", pseudonym="number"),
        Column("number_beauty", STRING, "Beauty class of the number.", one_of=("repeated", "sequence", "lucky", "plain")),
        Column("valid_from", TIMESTAMP, "When the user took the number, UTC."),
        Column(
            "valid_to",
            TIMESTAMP,
            "When the number was taken from the user, UTC; null while held.",
            optional=True,
            rule="valid_to >= valid_from",
        ),
        Column("imsi_key", LONG, "Pseudonym of the SIM identity.", optional=True, pseudonym="imsi"),
        Column("customer_key", LONG, "Pseudonym of the customer on paper.", optional=True, pseudonym="customer"),
        Column("account_key", LONG, "Pseudonym of the billing account.", optional=True, pseudonym="account"),
        Column("document_key", LONG, "Pseudonym of the identity document.", optional=True, pseudonym="document"),
        Column("brand", STRING, "Brand: gotone (post-paid), easyown (prepaid), mzone (young).", one_of=BRANDS, optional=True),
        Column("plan_id", STRING, "Tariff plan.", optional=True),
        Column("joined_on", DATE, "Day of joining."),
        Column("left_on", DATE, "Day of the cancel order.", optional=True, rule="left_on >= joined_on"),
        Column("status", STRING, "Status on the delivery day.", one_of=("active", "suspended", "cancelled"), optional=True),
        Column("status_since", DATE, "Day the status began.", optional=True),
        Column("channel", STRING, "Where the user joined.", optional=True),
        Column("dealer_id", STRING, "Dealer who sold the card.", optional=True),
        Column("branch", STRING, "City branch.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus.", optional=True, least=0),
        Column("bonus_until", DATE, "Last day of the bonus's term.", optional=True),
        Column("group_customer_id", STRING, "Group customer the user belongs to.", optional=True),
        Column("vip_card", STRING, "VIP card level.", optional=True),
        Column("points", INT, "Points balance.", optional=True, least=0),
        Column("birth_year", INT, "Year of birth.", optional=True, least=1900, most=2100, severity="warn"),
        Column("gender", STRING, "f or m.", one_of=("f", "m"), optional=True),
        Column("is_rural", BOOLEAN, "Lives outside the city.", optional=True),
        Column("credit_class", STRING, "Credit class, A best.", optional=True),
    ),
)
PLANS = Table(
    "reference.plans",
    "One row per tariff plan and delivery.",
    slice="batch",
    at="delivered_on",
    key=("plan_id", "delivered_on"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("plan_id", STRING, "Tariff plan."),
        Column("plan_name", STRING, "Its name."),
        Column("brand", STRING, "Brand.", one_of=BRANDS),
        _money("monthly_fee_yuan", "Monthly fee."),
        Column("included_minutes", INT, "Local minutes included a month.", least=0),
        Column("included_messages", INT, "Short messages included a month.", optional=True, least=0),
        _money("local_yuan", "Local call, a minute."),
        _money("long_distance_yuan", "Domestic long distance, a minute."),
        _money("roaming_yuan", "Roaming, a minute."),
        _money("sms_yuan", "Short message, each."),
        _money("international_yuan", "International call, a minute.", optional=True),
        _money("ip_yuan", "Domestic long distance over an IP prefix, a minute.", optional=True),
        _money("night_yuan", "Local call from 00:00 to 08:00, a minute.", optional=True),
        _money("mms_yuan", "Multimedia message, each.", optional=True),
        _money("wap_yuan", "WAP, a kilobyte.", optional=True),
    ),
)
BILLS = Table(
    "reference.bills",
    "One row per user and billed month.",
    slice="batch",
    at="delivered_on",
    key=("user_id", "month"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        USER_ID,
        Column("month", DATE, "First day of the billed month.", rule="day(month) = 1"),
        _money("monthly_fee_yuan", "Plan fee."),
        _money("local_yuan", "Local calls."),
        _money("long_distance_yuan", "Long distance calls."),
        _money("roaming_yuan", "Roaming."),
        _money("message_yuan", "SMS and MMS."),
        _money("new_service_yuan", "WAP, ring tones, other new services."),
        Column("arrears_yuan", MONEY, "Unpaid at the end of the month.", optional=True, least=0),
    ),
)
RECHARGES = Table(
    "reference.recharges",
    "One row per recharge.",
    slice="batch",
    at="day",
    key=("recharge_key",),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("recharge_key", LONG, "64-bit key of the operator's id of the recharge."),
        USER_ID,
        Column("recharged_at", TIMESTAMP, "When, UTC."),
        Column("day", DATE, "Day in the city's zone.", made_of="recharged_at"),
        Column("amount_yuan", MONEY, "Face value.", least=0, most=100_000),
    ),
)
SUBSCRIPTIONS = Table(
    "reference.subscriptions",
    "One row per service taken and delivery: what was known of it that day.",
    slice="batch",
    at="delivered_on",
    key=("user_id", "service", "started_on", "delivered_on"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        USER_ID,
        Column("service", STRING, "Service taken, as the operator calls it."),
        Column("started_on", DATE, "First day of the service."),
        Column(
            "ended_on",
            DATE,
            "Last day of the service; null while it is taken.",
            optional=True,
            rule="ended_on >= started_on",
        ),
        Column("channel", STRING, "Where it was ordered.", optional=True),
        _money("monthly_fee_yuan", "Monthly fee of the service."),
    ),
)
TOUCHES = Table(
    "reference.touches",
    "One row per user that a campaign assigned, contacted or left alone.",
    slice="batch",
    at="assigned_on",
    key=("touch_key",),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("touch_key", LONG, "64-bit key of the operator's id of the touch."),
        USER_ID,
        Column("campaign_id", STRING, "Campaign."),
        Column(
            "arm", STRING, "target: to be contacted; control: left alone, to measure the effect.", one_of=("target", "control")
        ),
        Column("assigned_on", DATE, "Day the user was put in its arm."),
        Column("channel", STRING, "How the user was to be contacted.", optional=True),
        Column("is_reached", BOOLEAN, "The contact came about; null where nobody tried.", optional=True),
    ),
)
ANSWERS = Table(
    "reference.answers",
    "One row per question that a market survey asked a user.",
    slice="batch",
    at="asked_on",
    key=("answer_key",),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("answer_key", LONG, "64-bit key of the operator's id of the answer."),
        USER_ID,
        Column("survey_id", STRING, "Survey."),
        Column("asked_on", DATE, "Day of asking."),
        Column("question", STRING, "Question, by its code."),
        Column("answer", STRING, "Answer, by its code; null when not answered.", optional=True),
        Column(
            "old_number_key",
            LONG,
            "Pseudonym of the number that the user says to have held before; null when none was said or it can be no user's.",
            optional=True,
            pseudonym="other",
        ),
    ),
)
OPT_OUTS = Table(
    "reference.opt_outs",
    "One row per choice of a user to be left alone by campaigns and profiles, or no longer; the newest choice holds.",
    slice="batch",
    at="chosen_on",
    key=("user_id", "chosen_on", "choice"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        USER_ID,
        Column("chosen_on", DATE, "Day of the choice."),
        Column("choice", STRING, "out: to be left alone; in: no longer.", one_of=("out", "in")),
    ),
)
OPTED_OUT = "max_by(choice, struct(chosen_on, choice)) = 'out'"
"""SQL over a user's rows of reference.opt_outs: whether the newest choice is to be left alone; of two on one day that one holds."""
ACTIVATIONS = Table(
    "reference.activations",
    "One row per activation delivered, added micro-batch by micro-batch and seen at once: who joins, and what was shown and said.",
    slice="delivered_on",
    at="activated_on",
    key=("activation_key",),
    ledger=True,
    columns=(
        DELIVERED_ON,
        Column(
            "line_key",
            LONG,
            "Keyed 64-bit hash of the line and its occurrence in its file: no line comes in twice.",
            optional=True,
            pseudonym="line",
        ),
        Column("activation_key", LONG, "64-bit key of the operator's id of the activation."),
        Column("activated_at", TIMESTAMP, "When, UTC."),
        Column(
            "activated_on",
            DATE,
            "Day in the city's zone.",
            made_of="activated_at",
            rule=f"activated_on between date'{EARLIEST}' and date_add(delivered_on, 1)",
        ),
        USER_ID,
        Column("number_key", LONG, "Pseudonym of the number activated.", pseudonym="number"),
        Column("document_key", LONG, "Pseudonym of the identity document shown.", optional=True, pseudonym="document"),
        Column(
            "stated_key",
            LONG,
            "Pseudonym of the number that the customer says to have, or to have had; null when none was said or it can be no user's.",
            optional=True,
            pseudonym="other",
        ),
        Column(
            "stated_network",
            STRING,
            "Network of the number stated; unknown when it is no number; null: none stated.",
            optional=True,
        ),
        Column("dealer_id", STRING, "Dealer who sells the card.", optional=True),
        Column("branch", STRING, "City branch.", optional=True),
        Column("channel", STRING, "Where.", optional=True),
        Column("plan_id", STRING, "Tariff plan asked for.", optional=True),
        Column("brand", STRING, "Brand asked for.", one_of=BRANDS, optional=True),
        Column("wants_new_number", BOOLEAN, "Another number is what is asked for; null: not asked.", optional=True),
        Column("reason", STRING, "Reason stated, by its code.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus of the offer.", optional=True, least=0),
    ),
)
JOINING_REVIEWS = Table(
    "reference.joining_reviews",
    "One row per decision of a person on the joining bonus of an activation; the newest holds.",
    slice="batch",
    at="decided_on",
    key=("activation_key", "decided_on", "decision", "reviewer_key"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("activation_key", LONG, "64-bit key of the operator's id of the activation."),
        Column("decided_on", DATE, "Day of the decision.", rule="decided_on <= date_add(delivered_on, 1)"),
        Column("decision", STRING, "withhold: the bonus is not paid; pay: it is.", one_of=("withhold", "pay")),
        Column("reviewer_key", LONG, "Pseudonym of who decided.", pseudonym="reviewer"),
    ),
)
HANDSETS = Table(
    "reference.handsets",
    "One row per TAC and delivery.",
    slice="batch",
    at="delivered_on",
    key=("tac", "delivered_on"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("tac", STRING, "Type allocation code.", rule="tac rlike '^[0-9]{8}$'"),
        Column("maker", STRING, "Maker."),
        Column("model", STRING, "Model."),
        Column("has_gprs", BOOLEAN, "Has GPRS.", optional=True),
        Column("has_mms", BOOLEAN, "Has MMS.", optional=True),
        Column("has_java", BOOLEAN, "Runs Java games.", optional=True),
    ),
)
CELLS = Table(
    "reference.cells",
    "One row per cell and delivery.",
    slice="batch",
    at="delivered_on",
    key=("cell_id", "delivered_on"),
    ledger=True,
    columns=(
        BATCH,
        DELIVERED_ON,
        Column("cell_id", STRING, "Cell."),
        Column("latitude", DOUBLE, "Degrees north.", least=-90, most=90),
        Column("longitude", DOUBLE, "Degrees east.", least=-180, most=180),
        Column("area", STRING, "District or town.", optional=True),
    ),
)
LIVES = Table(
    "reference.lives",
    "One row per user: the number held and from when to when. A number's lives do not overlap.",
    key=("user_id",),
    columns=(
        USER_ID,
        Column("number_key", LONG, "Pseudonym of the number.", pseudonym="number"),
        Column("valid_from", TIMESTAMP, "First moment of this life, UTC."),
        Column("valid_to", TIMESTAMP, "First moment after it, UTC; 9999-12-31 while held."),
        Column("joined_on", DATE, "Day of joining."),
    ),
)
REFERENCE = (SUBSCRIBERS, PLANS, BILLS, RECHARGES, SUBSCRIPTIONS, TOUCHES, ANSWERS, OPT_OUTS, JOINING_REVIEWS, HANDSETS, CELLS)
