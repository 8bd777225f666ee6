"""Features: what is known of each user at the end of each month, and of nothing after it."""

from churnlake.core.contract import DATE, LONG, Column, Table, columns_of
from churnlake.indicators import INDICATORS

MONTHLY = Table(
    "features.monthly",
    "One row per user with a record in the month: every indicator, from facts known by the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        Column("month", DATE, "First day of the month."),
        Column("user_id", LONG, "User.", pseudonym="user"),
        *columns_of(INDICATORS),
    ),
)
