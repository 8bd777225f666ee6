"""Contact circles."""

from churnlake.core.contract import BOOLEAN, COUNT, DATE, DOUBLE, INT, LONG, SHARE, Column, Table

MONTH = Column("month", DATE, "First day of the month at whose end the signature stands.")

WEEKS = Table(
    "circles.weeks",
    "One row per week, user and peer: how often the two met. Weeks are counted back from each month's end, so that none is of two months.",
    key=("week_to", "user_id", "peer_id"),
    slice="week_to",
    at="week_to",
    sort=("user_id",),
    columns=(
        Column("week_to", DATE, "Last day of the week; the first week of a month has the days that are left, three at most."),
        Column("user_id", LONG, "User.", pseudonym="user"),
        Column("peer_id", LONG, "Peer.", pseudonym="other"),
        Column("contacts", COUNT, "Calls and messages of the two, either way.", least=0),
        Column("contacts_out", COUNT, "Of these, made by the user.", least=0),
    ),
)
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
GROUPS = Table(
    "circles.groups",
    "One row per month and group of at least three users, each tied to some of the others: a community of the on-net contact graph.",
    key=("month", "group_id"),
    slice="month",
    at="month",
    sort=("group_id",),
    columns=(
        MONTH,
        Column(
            "group_id",
            LONG,
            "Number of the group within the month, 1 the largest; the same group may have another next month.",
            least=1,
        ),
        Column("users", COUNT, "Members.", least=2),
        Column("ties", COUNT, "Ties between members: each is among the other's strongest peers.", least=1),
        Column("density", SHARE, "Ties over the pairs of members there are.", least=0, most=1),
        Column("triangles", COUNT, "Threes of members all tied to each other.", least=0),
        Column("strength", LONG, "Sum of the ties' strengths, in thousandths of a contact.", least=1),
        Column("ties_out", COUNT, "Ties of members to users outside the group.", least=0),
        Column("seeds", COUNT, "Seed customers among the members.", least=1),
    ),
)
MEMBERS = Table(
    "circles.members",
    "One row per month and user that is in a group.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("group_id", "place"),
    columns=(
        MONTH,
        Column("user_id", LONG, "User.", pseudonym="user"),
        Column("group_id", LONG, "Group of circles.groups.", least=1),
        Column("place", INT, "Place in the group by PageRank, 1 the first; ties by degree, then by user_id.", least=1),
        Column("degree", COUNT, "Ties to other members.", least=1),
        Column("ties_out", COUNT, "Ties to users outside the group.", least=0),
        Column("triangles", COUNT, "Threes of members all tied to each other that the user is one of.", least=0),
        Column(
            "pagerank",
            SHARE,
            "PageRank over the group's ties: its share of the group's attention; sums to 1 over a group.",
            least=0,
            most=1,
        ),
        Column("reach", COUNT, "Peers in the user's circle, hubs left out, of any network.", least=1),
        Column("reach_off_net", COUNT, "Of these, peers who are no active users of ours.", least=0),
        Column("is_seed", BOOLEAN, "Seed customer: among the first places, one for every users_per_seed members begun."),
    ),
)
NEIGHBOURS = Table(
    "circles.neighbours",
    "One row per user active in the month with on-net peers in its circle: how many of them had left, as known at the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        MONTH,
        Column("user_id", LONG, "User.", pseudonym="user"),
        Column(
            "neighbours",
            COUNT,
            "Users of ours in the circle at the month's end or at the month ends before it that still count, hubs left out.",
            least=1,
        ),
        Column(
            "neighbours_silent",
            COUNT,
            "Of these, those who used their number in the last 75 days but not in the last fortnight, where ten events or more were to be expected (circles.groups.silent_days).",
            least=0,
        ),
        Column(
            "silent_closeness",
            SHARE,
            "Closeness of the closest of them: the tie's strength over the geometric mean of all ties of each of the two; 0 without any.",
            least=0,
            most=1,
        ),
        Column("neighbours_left_1m", COUNT, "Of these, those whose leaving became known in the month.", least=0),
        Column(
            "neighbours_left_3m", COUNT, "Of these, those whose leaving became known in the month or the two before.", least=0
        ),
        Column(
            "neighbours_left_share_3m",
            SHARE,
            "Share of neighbours whose leaving became known in the month or the two before.",
            least=0,
            most=1,
        ),
        Column(
            "neighbours_left_strength_share_3m",
            SHARE,
            "Their share of the strength of all ties to neighbours.",
            least=0,
            most=1,
        ),
        Column(
            "activation",
            DOUBLE,
            "Energy that reaches the user from all who fell silent or left in these months, friends of friends included: 1 is all of one person's.",
            least=0,
        ),
    ),
)
