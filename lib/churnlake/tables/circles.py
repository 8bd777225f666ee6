"""Contact circles."""

from churnlake.core.contract import COUNT, DATE, DOUBLE, INT, LONG, Column, Table

MONTH = Column("month", DATE, "First day of the month at whose end the signature stands.")

SIGNATURES = Table(
    "circles.signatures",
    "One row per user active in the month and peer among its strongest: the decayed contact circle at the month's end.",
    key=("month", "user_id", "peer_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        MONTH,
        Column("user_id", LONG, "User.", pseudonym="user"),
        Column("peer_id", LONG, "Peer.", pseudonym="other"),
        Column("strength", LONG, "Decayed sum of weekly contacts, in thousandths of a contact.", least=1),
        Column("strength_out", LONG, "Its part from contacts made by the user, in thousandths.", least=0),
        Column("share", DOUBLE, "Strength over the whole of the user's circle.", least=0, most=1),
        Column("place", INT, "Place in the circle, 1 the strongest.", least=1),
    ),
)
PEERS = Table(
    "circles.peers",
    "One row per peer seen in the month: how common it is.",
    key=("month", "peer_id"),
    slice="month",
    at="month",
    sort=("peer_id",),
    columns=(
        MONTH,
        Column("peer_id", LONG, "Peer.", pseudonym="other"),
        Column("users", COUNT, "Users whose circle holds the peer.", least=1),
        Column("strength", LONG, "Strength of the peer over all circles, in thousandths.", least=1),
    ),
)
