"""Features: what is known of each user at the end of each month, and of nothing after it."""

from churnlake.core.contract import DATE, LONG, Column, Table, columns_of
from churnlake.indicators import ALL_ITEMS, INDICATORS

MONTH = Column("month", DATE, "First day of the month.")
USER_ID = Column("user_id", LONG, "User.", pseudonym="user")

MONTHLY = Table(
    "features.monthly",
    "One row per user with a record in the month: every indicator of the ten views, from facts known by the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(
        MONTH,
        USER_ID,
        *columns_of(INDICATORS),
    ),
)
ITEMS = Table(
    "features.items",
    "One row per user with a record in the month: the items of data-service mining beyond the ten views, from facts known by the month's end.",
    key=("month", "user_id"),
    slice="month",
    at="month",
    sort=("user_id",),
    columns=(MONTH, USER_ID, *columns_of(ALL_ITEMS)),
)
