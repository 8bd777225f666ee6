"""The house's few logs."""

from churnlake.core.contract import BOOLEAN, DATE, DOUBLE, STRING, Column, Table

RUN_ID = Column("run_id", STRING, "Run of one job.")

CHECKS = Table(
    "quality.checks",
    "One row per table-level check and report day.",
    key=("day", "table_name", "check_name", "column_name"),
    slice="day",
    at="day",
    columns=(
        Column("day", DATE, "Last day the report covers."),
        Column("table_name", STRING, "Table."),
        Column("column_name", STRING, "Column, empty for the whole table."),
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
    "One row per table, dimension and report day: share of checks or rows that hold.",
    key=("day", "table_name", "dimension"),
    slice="day",
    at="day",
    columns=(
        Column("day", DATE, "Last day the report covers."),
        Column("table_name", STRING, "Table."),
        Column("dimension", STRING, "Quality dimension."),
        Column("score", DOUBLE, "0 bad .. 1 good.", least=0, most=1),
    ),
)
