"""Clean records: pseudonymised, validated, free of exact duplicates; every row that came in is accounted for by its state."""

from churnlake.core.contract import BOOLEAN, DATE, INT, LONG, MONEY, STRING, TIMESTAMP, Column, Table

NETWORKS = ("own", "unicom_gsm", "unicom_cdma", "fixed", "phs", "service", "international", "unknown")

EARLIEST = "1995-01-01"
"""Before this day there are no records: a time that says so is wrong, and no record late."""
BATCH = Column("batch", STRING, "Batch of files that brought the row.")
RECORD_KEY = Column(
    "record_key",
    LONG,
    "64-bit key of the record: its id, number and day, else the line and its occurrence in the file.",
    pseudonym="record",
)
NUMBER_KEY = Column("number_key", LONG, "Pseudonym of the number whose record this is.", pseudonym="number")
PEER = (
    Column("peer_key", LONG, "Pseudonym of the other party; null when withheld.", optional=True, pseudonym="other"),
    Column("peer_network", STRING, "Network of the other party.", one_of=NETWORKS, optional=True),
    Column("peer_area", STRING, "Area code of the other party, where its number shows one.", optional=True),
    Column(
        "peer_service", STRING, "The other party in clear when it is a service number (hotline, short code, SP).", optional=True
    ),
)
TIME = (
    Column("started_at", TIMESTAMP, "Start, UTC."),
    Column(
        "day",
        DATE,
        "Day in the city's zone.",
        rule=f"day between date'{EARLIEST}' and date_add(delivered_on, 1)",
        made_of="started_at",
    ),
    Column("hour", INT, "Hour in the city's zone.", least=0, most=23, made_of="started_at"),
    Column("delivered_on", DATE, "Delivery day."),
)
FEE = Column("fee_yuan", MONEY, "Fee charged for this record.", optional=True, least=0, most=10_000, severity="warn")
DIRECTION = Column("direction", STRING, "out: sent by the number; in: received.", one_of=("out", "in"))

VOICE = Table(
    "clean.voice",
    "One row per voice call of a home number.",
    key=("record_key",),
    slice="batch",
    at="day",
    sort=("number_key", "day"),
    ledger=True,
    columns=(
        BATCH,
        RECORD_KEY,
        NUMBER_KEY,
        *PEER,
        *TIME,
        Column(
            "direction",
            STRING,
            "out: made by the number; in: received; forwarded: received and sent on.",
            one_of=("out", "in", "forwarded"),
        ),
        Column(
            "dialled_form",
            STRING,
            "How the other party was written: plain, ip, area, international or short.",
            one_of=("plain", "ip", "area", "international", "short"),
            optional=True,
        ),
        Column("is_ip", BOOLEAN, "Dialled by way of an IP prefix (cheap long distance)."),
        Column("seconds", INT, "Charged duration in seconds.", least=0, most=86_400),
        Column(
            "call_class",
            STRING,
            "Class of the call.",
            one_of=("local", "long_distance", "international", "roaming"),
            optional=True,
        ),
        Column("cell_id", STRING, "Cell where the call began.", optional=True),
        Column(
            "imei_key",
            LONG,
            "Pseudonym of the equipment identity (first 14 digits); null when missing or all zero.",
            optional=True,
            pseudonym="imei",
        ),
        Column("tac", STRING, "Type allocation code in clear.", optional=True),
        Column(
            "imei_form",
            STRING,
            "How the equipment identity came: whole, zeros, or unreadable; null when it did not come.",
            one_of=("whole", "zeros"),
            optional=True,
            severity="warn",
        ),
        Column("forwarded_key", LONG, "Pseudonym of the number a forwarded call went on to.", optional=True, pseudonym="other"),
        Column("forwarded_network", STRING, "Network a forwarded call went on to.", one_of=NETWORKS, optional=True),
        Column(
            "release_cause",
            STRING,
            "How the call ended.",
            one_of=("answered", "busy", "no_answer", "failed", "dropped"),
            optional=True,
        ),
        FEE,
    ),
)
SMS = Table(
    "clean.sms",
    "One row per short message of a home number.",
    key=("record_key",),
    slice="batch",
    at="day",
    sort=("number_key", "day"),
    ledger=True,
    columns=(BATCH, RECORD_KEY, NUMBER_KEY, *PEER, *TIME, DIRECTION, FEE),
)
MMS = Table(
    "clean.mms",
    "One row per multimedia message of a home number.",
    key=("record_key",),
    slice="batch",
    at="day",
    sort=("number_key", "day"),
    ledger=True,
    columns=(
        BATCH,
        RECORD_KEY,
        NUMBER_KEY,
        *PEER,
        *TIME,
        DIRECTION,
        Column("bytes", LONG, "Size of the message.", least=0, most=10_000_000),
        FEE,
    ),
)
WAP = Table(
    "clean.wap",
    "One row per WAP session of a home number.",
    key=("record_key",),
    slice="batch",
    at="day",
    sort=("number_key", "day"),
    ledger=True,
    columns=(
        BATCH,
        RECORD_KEY,
        NUMBER_KEY,
        *TIME,
        Column("seconds", INT, "Duration in seconds.", least=0, most=86_400),
        # 171 kbit/s, the most that GPRS can carry, for a whole day are 1.85 GB
        Column("bytes", LONG, "Bytes up and down.", least=0, most=2_000_000_000),
        Column("site", STRING, "WAP column or site visited.", optional=True),
        FEE,
    ),
)
RECORDS = (VOICE, SMS, MMS, WAP)
ACCOUNT_DAY = "if(state = 'good' or day between date_sub(delivered_on, 35) and date_add(delivered_on, 1), day, delivered_on)"
"""SQL of the day a ledger row is counted on: its own, but the delivery day where a row set aside has none that can be meant."""
