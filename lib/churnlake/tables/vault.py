"""The way back from a pseudonym to a number, in a place of its own: fed from the subscribers feed, read for call lists alone."""

from churnlake.core.contract import CIPHER, LONG, STRING, Column, Table
from churnlake.tables.clean import BATCH

NUMBERS = Table(
    "vault.numbers",
    "One row per number of a subscriber: its pseudonym and the number itself, encrypted. In store.vault; only export_lists reads it.",
    key=("number_key",),
    slice="batch",
    sort=("number_key",),
    columns=(
        BATCH,
        Column("number_key", LONG, "Pseudonym of the number.", pseudonym="number"),
        Column("number", STRING, "The number, 11 digits of a mobile, encrypted (base64).", pseudonym=CIPHER),
    ),
)
