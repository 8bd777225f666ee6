"""The landing contract: what each feed brings, in our words. No storage of its own; feed files map an operator's files to it."""

from churnlake.core.contract import DATE, INT, LONG, MONEY, STRING, TIMESTAMP, Column, Table
from churnlake.core.landing import FILES

RECORD_ID = Column(
    "record_id",
    STRING,
    "The operator's own id of the record; without one a record is its line and its occurrence in the file.",
    optional=True,
)
NUMBER = Column("number", STRING, "The number whose record this is, as written by the switch.")
PEER_NUMBER = Column("peer_number", STRING, "The other party as dialled or shown; null when withheld.", optional=True)
STARTED_AT = Column("started_at", TIMESTAMP, "Start, UTC.")
MESSAGE_DIRECTION = Column("direction", STRING, "out: sent by the number; in: received.", one_of=("out", "in"))
FEE = Column("fee_yuan", MONEY, "Fee charged for this record.", optional=True)
DELIVERED_ON = Column("delivered_on", DATE, "Delivery day: the date= folder the file landed in.")

RAW_VOICE = Table(
    "raw.voice",
    "One row per voice call of a home number: an on-net call is two records, one of each party.",
    stored=False,
    columns=(
        RECORD_ID,
        NUMBER,
        PEER_NUMBER,
        STARTED_AT,
        Column(
            "direction",
            STRING,
            "out: made by the number; in: received; forwarded: received and sent on to forwarded_to.",
            one_of=("out", "in", "forwarded"),
        ),
        Column("seconds", INT, "Charged duration in seconds; 0 when not answered."),
        Column("call_class", STRING, "local, long_distance (domestic), international or roaming.", optional=True),
        Column("cell_id", STRING, "Cell where the call began.", optional=True),
        Column("imei", STRING, "Equipment identity as sent: 14 digits and a check digit, 0 or software version.", optional=True),
        Column("forwarded_to", STRING, "Number a forwarded call went on to.", optional=True),
        Column("release_cause", STRING, "answered, busy, no_answer, failed or dropped.", optional=True),
        FEE,
    ),
)
RAW_SMS = Table(
    "raw.sms",
    "One row per short message of a home number.",
    stored=False,
    columns=(RECORD_ID, NUMBER, PEER_NUMBER, STARTED_AT, MESSAGE_DIRECTION, FEE),
)
RAW_MMS = Table(
    "raw.mms",
    "One row per multimedia message of a home number.",
    stored=False,
    columns=(RECORD_ID, NUMBER, PEER_NUMBER, STARTED_AT, MESSAGE_DIRECTION, Column("bytes", LONG, "Size of the message."), FEE),
)
RAW_WAP = Table(
    "raw.wap",
    "One row per WAP session of a home number.",
    stored=False,
    columns=(
        RECORD_ID,
        NUMBER,
        STARTED_AT,
        Column("seconds", INT, "Duration in seconds."),
        Column("bytes", LONG, "Bytes up and down."),
        Column("site", STRING, "WAP column or site visited.", optional=True),
        FEE,
    ),
)
RAW_SUBSCRIBERS = Table(
    "raw.subscribers",
    "One row per user (one life of a number) as known on the delivery day; the newest delivery of a user wins.",
    stored=False,
    columns=(
        Column("user_id", STRING, "The operator's id of this life of the number."),
        Column("number", STRING, "The number."),
        Column("valid_from", TIMESTAMP, "When the user took the number, UTC."),
        Column("valid_to", TIMESTAMP, "When the number was taken from the user, UTC; null while held.", optional=True),
        Column("imsi", STRING, "SIM identity.", optional=True),
        Column("customer_id", STRING, "The operator's id of the customer on paper.", optional=True),
        Column("account_id", STRING, "Billing account.", optional=True),
        Column("document", STRING, "Identity document number shown at joining.", optional=True),
        Column("brand", STRING, "Brand code.", optional=True),
        Column("plan_id", STRING, "Tariff plan.", optional=True),
        Column("joined_on", DATE, "Day of joining."),
        Column("left_on", DATE, "Day of the cancel order; null while not cancelled.", optional=True),
        Column("status", STRING, "active, suspended or cancelled on the delivery day.", optional=True),
        Column("status_since", DATE, "Day the status began.", optional=True),
        Column("channel", STRING, "Where the user joined: counter, dealer, phone, web.", optional=True),
        Column("dealer_id", STRING, "Dealer who sold the card.", optional=True),
        Column("branch", STRING, "City branch.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus.", optional=True),
        Column("bonus_until", DATE, "Last day of the bonus's term.", optional=True),
        Column("group_customer_id", STRING, "Group customer (firm) the user belongs to.", optional=True),
        Column("vip_card", STRING, "VIP card level.", optional=True),
        Column("points", INT, "Points balance.", optional=True),
        Column("birth_year", INT, "Year of birth.", optional=True),
        Column("gender", STRING, "f or m.", optional=True),
        Column("is_rural", STRING, "yes or no.", optional=True),
        Column("credit_class", STRING, "Credit class, A best.", optional=True),
    ),
)
RAW_PLANS = Table(
    "raw.plans",
    "One row per tariff plan.",
    stored=False,
    columns=(
        Column("plan_id", STRING, "Tariff plan."),
        Column("plan_name", STRING, "Its name."),
        Column("brand", STRING, "Brand code."),
        Column("monthly_fee_yuan", MONEY, "Monthly fee."),
        Column("included_minutes", INT, "Local minutes included a month."),
        Column("included_messages", INT, "Short messages included a month.", optional=True),
        Column("local_yuan", MONEY, "Local call, a minute."),
        Column("long_distance_yuan", MONEY, "Domestic long distance, a minute."),
        Column("roaming_yuan", MONEY, "Roaming, a minute."),
        Column("sms_yuan", MONEY, "Short message, each."),
        Column("international_yuan", MONEY, "International call, a minute.", optional=True),
        Column("ip_yuan", MONEY, "Domestic long distance over an IP prefix, a minute.", optional=True),
        Column("night_yuan", MONEY, "Local call from 00:00 to 08:00, a minute.", optional=True),
        Column("mms_yuan", MONEY, "Multimedia message, each.", optional=True),
        Column("wap_yuan", MONEY, "WAP, a kilobyte.", optional=True),
    ),
)
RAW_BILLS = Table(
    "raw.bills",
    "One row per user and billed month.",
    stored=False,
    columns=(
        Column("user_id", STRING, "The operator's id of the user."),
        Column("month", DATE, "First day of the billed month."),
        Column("monthly_fee_yuan", MONEY, "Plan fee."),
        Column("local_yuan", MONEY, "Local calls."),
        Column("long_distance_yuan", MONEY, "Long distance calls."),
        Column("roaming_yuan", MONEY, "Roaming."),
        Column("message_yuan", MONEY, "SMS and MMS."),
        Column("new_service_yuan", MONEY, "WAP, ring tones and other new services."),
        Column("arrears_yuan", MONEY, "Unpaid at the end of the month.", optional=True),
    ),
)
RAW_RECHARGES = Table(
    "raw.recharges",
    "One row per recharge.",
    stored=False,
    columns=(
        Column("recharge_id", STRING, "The operator's id of the recharge."),
        Column("user_id", STRING, "The operator's id of the user."),
        Column("recharged_at", TIMESTAMP, "When, UTC."),
        Column("amount_yuan", MONEY, "Face value."),
    ),
)
RAW_SUBSCRIPTIONS = Table(
    "raw.subscriptions",
    "One row per service taken as known on the delivery day; the newest delivery of a user, service and first day wins.",
    stored=False,
    columns=(
        Column("user_id", STRING, "The operator's id of the user."),
        Column("service", STRING, "Service taken, as the operator calls it: ring_tone, mailbox, caller_id."),
        Column("started_on", DATE, "First day of the service."),
        Column("ended_on", DATE, "Last day of the service; null while it is taken.", optional=True),
        Column("channel", STRING, "Where it was ordered.", optional=True),
        Column("monthly_fee_yuan", MONEY, "Monthly fee of the service."),
    ),
)
RAW_TOUCHES = Table(
    "raw.touches",
    "One row per user that a campaign assigned: those it was to contact, and those it left alone to compare with.",
    stored=False,
    columns=(
        Column("touch_id", STRING, "The operator's id of the touch."),
        Column("user_id", STRING, "The operator's id of the user."),
        Column("campaign_id", STRING, "Campaign."),
        Column("arm", STRING, "target: to be contacted; control: left alone.", one_of=("target", "control")),
        Column("assigned_on", DATE, "Day the user was put in its arm."),
        Column("channel", STRING, "How the user was to be contacted.", optional=True),
        Column("is_reached", STRING, "yes or no; null where nobody tried.", optional=True),
    ),
)
RAW_ANSWERS = Table(
    "raw.answers",
    "One row per question that a market survey asked a user.",
    stored=False,
    columns=(
        Column("answer_id", STRING, "The operator's id of the answer."),
        Column("survey_id", STRING, "Survey."),
        Column("user_id", STRING, "The operator's id of the user."),
        Column("asked_on", DATE, "Day of asking."),
        Column("question", STRING, "Question, by its code."),
        Column("answer", STRING, "Answer, by its code; null when not answered.", optional=True),
        Column("old_number", STRING, "The number that the user says to have held before, as said.", optional=True),
    ),
)
RAW_OPT_OUTS = Table(
    "raw.opt_outs",
    "One row per choice of a user to be left alone by campaigns and profiles, or no longer; the newest choice holds.",
    stored=False,
    columns=(
        Column("user_id", STRING, "The operator's id of the user."),
        Column("chosen_on", DATE, "Day of the choice."),
        Column("choice", STRING, "out: to be left alone; in: no longer.", one_of=("out", "in")),
    ),
)
RAW_ACTIVATIONS = Table(
    "raw.activations",
    "One row per activation of a number, as the counter or dealer sends it at once: who joins, and what was shown and said.",
    stored=False,
    columns=(
        Column("activation_id", STRING, "The operator's id of the activation; no number, document or name."),
        Column("activated_at", TIMESTAMP, "When, UTC."),
        Column("user_id", STRING, "The operator's id of the user that begins."),
        Column("number", STRING, "The number activated."),
        Column("document", STRING, "Identity document number shown; null when none was.", optional=True),
        Column(
            "stated_number", STRING, "A number of ours that the customer says to have, or to have had, as said.", optional=True
        ),
        Column("dealer_id", STRING, "Dealer who sells the card.", optional=True),
        Column("branch", STRING, "City branch.", optional=True),
        Column("channel", STRING, "Where: counter, dealer, phone, web.", optional=True),
        Column("plan_id", STRING, "Tariff plan asked for.", optional=True),
        Column("brand", STRING, "Brand code asked for.", optional=True),
        Column(
            "wants_new_number",
            STRING,
            "yes: another number is what is asked for; no: any will do; null: not asked.",
            optional=True,
        ),
        Column("reason", STRING, "Reason stated, by its code; lost_sim and number are known to the check.", optional=True),
        Column("bonus_yuan", MONEY, "Joining bonus of the offer; null: none.", optional=True),
    ),
)
RAW_JOINING_REVIEWS = Table(
    "raw.joining_reviews",
    "One row per decision of a person on the joining bonus of an activation; the newest holds.",
    stored=False,
    columns=(
        Column("activation_id", STRING, "The operator's id of the activation."),
        Column("decided_on", DATE, "Day of the decision."),
        Column("decision", STRING, "withhold: the bonus is not paid; pay: it is.", one_of=("withhold", "pay")),
        Column("reviewer", STRING, "Who decided: the operator's id of the employee."),
    ),
)
RAW_HANDSETS = Table(
    "raw.handsets",
    "One row per type allocation code (TAC): what the first 8 digits of an IMEI say of the handset.",
    stored=False,
    columns=(
        Column("tac", STRING, "Type allocation code, 8 digits."),
        Column("maker", STRING, "Maker."),
        Column("model", STRING, "Model."),
        Column("has_gprs", STRING, "yes or no.", optional=True),
        Column("has_mms", STRING, "yes or no.", optional=True),
        Column("has_java", STRING, "yes or no.", optional=True),
    ),
)
RAW_CELLS = Table(
    "raw.cells",
    "One row per radio cell.",
    stored=False,
    columns=(
        Column("cell_id", STRING, "Cell."),
        Column("latitude", STRING, "Degrees north."),
        Column("longitude", STRING, "Degrees east."),
        Column("area", STRING, "District or town.", optional=True),
    ),
)

RECORD_FEEDS = (RAW_VOICE, RAW_SMS, RAW_MMS, RAW_WAP)
REFERENCE_FEEDS = (
    RAW_SUBSCRIBERS,
    RAW_PLANS,
    RAW_BILLS,
    RAW_RECHARGES,
    RAW_SUBSCRIPTIONS,
    RAW_TOUCHES,
    RAW_ANSWERS,
    RAW_OPT_OUTS,
    RAW_ACTIVATIONS,
    RAW_JOINING_REVIEWS,
    RAW_HANDSETS,
    RAW_CELLS,
)

__all__ = [
    "FILES",
    "RAW_ACTIVATIONS",
    "RAW_ANSWERS",
    "RAW_BILLS",
    "RAW_CELLS",
    "RAW_HANDSETS",
    "RAW_JOINING_REVIEWS",
    "RAW_MMS",
    "RAW_OPT_OUTS",
    "RAW_PLANS",
    "RAW_RECHARGES",
    "RAW_SMS",
    "RAW_SUBSCRIBERS",
    "RAW_SUBSCRIPTIONS",
    "RAW_TOUCHES",
    "RAW_VOICE",
    "RAW_WAP",
    "RECORD_FEEDS",
    "REFERENCE_FEEDS",
]
