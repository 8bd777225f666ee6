"""Daily partials: what each user did on each day. Everything later is built from these, never from records again."""

from churnlake.core.contract import COUNT, DATE, LONG, STRING, Column, Table, columns_of
from churnlake.indicators import DAILY

CONTACTS = "voice_out_calls + voice_in_calls + message_out + message_in"
"""How often two met, on a row of daily.edges."""
DAY = Column("day", DATE, "Day in the city's zone.")
USER_ID = Column(
    "user_id", LONG, "User: one life of a number; without a subscribers feed, the number's pseudonym.", pseudonym="user"
)
PEER_ID = Column(
    "peer_id",
    LONG,
    "The other party: its user_id when it is a known user of ours at that time, else its number's pseudonym.",
    pseudonym="other",
)

USAGE = Table(
    "daily.usage",
    "One row per user and day with at least one record: additive counts and sums.",
    key=("day", "user_id"),
    slice="day",
    at="day",
    sort=("user_id",),
    columns=(DAY, USER_ID, *columns_of(DAILY)),
)
EDGES = Table(
    "daily.edges",
    "One row per user, day and peer; service numbers and withheld peers are left out.",
    key=("day", "user_id", "peer_id"),
    slice="day",
    at="day",
    sort=("user_id",),
    columns=(
        DAY,
        USER_ID,
        PEER_ID,
        Column("peer_network", STRING, "Network of the peer."),
        Column("peer_area", STRING, "Area code of the peer.", optional=True),
        Column("voice_out_calls", COUNT, "Calls made to the peer.", least=0),
        Column("voice_in_calls", COUNT, "Calls received from the peer.", least=0),
        Column("voice_out_seconds", COUNT, "Seconds of calls made to the peer.", least=0),
        Column("voice_in_seconds", COUNT, "Seconds of calls received from the peer.", least=0),
        Column("message_out", COUNT, "SMS and MMS sent to the peer.", least=0),
        Column("message_in", COUNT, "SMS and MMS received.", least=0),
    ),
)
FORWARDS = Table(
    "daily.forwards",
    "One row per user, day and number that calls to the user were sent on to.",
    key=("day", "user_id", "peer_id"),
    slice="day",
    at="day",
    sort=("user_id",),
    columns=(
        DAY,
        USER_ID,
        PEER_ID,
        Column("calls", COUNT, "Calls sent on.", least=1),
    ),
)
PLACES = Table(
    "daily.places",
    "One row per user, day and cell.",
    key=("day", "user_id", "cell_id"),
    slice="day",
    at="day",
    sort=("user_id",),
    columns=(
        DAY,
        USER_ID,
        Column("cell_id", STRING, "Cell."),
        Column("voice_calls", COUNT, "Calls begun there.", least=1),
        Column("night_calls", COUNT, "Of these, begun by night (usage.night_from_hour to usage.night_to_hour).", least=0),
    ),
)
DEVICES = Table(
    "daily.devices",
    "One row per user, day and handset.",
    key=("day", "user_id", "imei_key"),
    slice="day",
    at="day",
    sort=("user_id",),
    columns=(
        DAY,
        USER_ID,
        Column("imei_key", LONG, "Pseudonym of the equipment identity.", pseudonym="imei"),
        Column("tac", STRING, "Type allocation code."),
        Column("voice_calls", COUNT, "Calls made or received on it.", least=1),
    ),
)
