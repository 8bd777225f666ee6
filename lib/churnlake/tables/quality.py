"""The house's few logs."""

from churnlake.core.contract import BOOLEAN, DATE, DOUBLE, STRING, Column, Table

RUN_ID = Column("run_id", STRING, "Run of one job.")

PROFILES = Table(
    "quality.profiles",
    "One row per day, table and measure: what the table looked like that day. Bands are learnt from these rows, never from records again.",
    key=("day", "table_name", "measure"),
    slice="day",
    at="day",
    columns=(
        Column("day", DATE, "Day profiled; of a monthly table, the month's last day."),
        Column("table_name", STRING, "Table."),
        Column("measure", STRING, "Measure; lib/churnlake/quality/measures.py says what each is."),
        Column("value", DOUBLE, "Its value."),
        Column("weight", DOUBLE, "Rows (or users, for a share of users) the value was taken over: few say little.", least=0),
    ),
)
CHECKS = Table(
    "quality.checks",
    "One row per table-level check and day judged.",
    key=("day", "table_name", "check_name", "column_name"),
    slice="day",
    at="day",
    columns=(
        Column("day", DATE, "Day judged."),
        Column("table_name", STRING, "Table."),
        Column("column_name", STRING, "Measure of the day's profile that was judged."),
        Column("check_name", STRING, "Expectation."),
        Column(
            "dimension",
            STRING,
            "Quality dimension.",
            one_of=("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy"),
        ),
        Column("severity", STRING, "error or warn.", one_of=("error", "warn")),
        Column("has_passed", BOOLEAN, "Held."),
        Column("observed", STRING, "What was seen, as text.", optional=True),
        Column("expected", STRING, "What was expected, as text.", optional=True),
    ),
)
SCORES = Table(
    "quality.scores",
    "One row per table, dimension and day judged: share of its checks that hold, errors weighing more.",
    key=("day", "table_name", "dimension"),
    slice="day",
    at="day",
    columns=(
        Column("day", DATE, "Day judged."),
        Column("table_name", STRING, "Table."),
        Column("dimension", STRING, "Quality dimension."),
        Column("score", DOUBLE, "0 bad .. 1 good.", least=0, most=1),
    ),
)
