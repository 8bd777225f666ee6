"""Formulas that come again and again."""

MADE = "service = 'voice' and direction = 'out' and seconds > 0"
RECEIVED = "service = 'voice' and direction = 'in' and seconds > 0"
BEFORE, TWO_BEFORE, PLAN_MEAN = "before_", "two_before_", "plan_mean_"
"""In a formula over a user's month: the same of the month before, of the one before that, and the mean of the user's plan."""

DATA_DAYS = "data_days"
"""In the same: days from the first that there are records of, whoever's, to the month's end, both counted."""


def share(part: str, whole: str) -> str:
    """One thing as part of another; null where there is none of the other."""
    return f"cast({part} as double) / nullif({whole}, 0)"


def known_before(formula: str) -> str:
    """The formula; null for a user without a record in the month before, of whom everything would be new."""
    return f"if({BEFORE}own_events is null, null, {formula})"


def total(condition: str, column: str) -> str:
    """The sum of a column over the rows that fulfil a condition; 0 where none does."""
    return f"coalesce(sum({column}) filter (where {condition}), 0)"


def of_entropy(whole: str, parts: str) -> str:
    """Entropy from a sum of counts and the sum of each times its logarithm; null of nothing, and never below 0 by what rounding leaves."""
    return f"if({whole} > 0, greatest(0D, ln(nullif({whole}, 0)) - ({parts}) / nullif({whole}, 0)), null)"


def entropy(column: str) -> str:
    """Entropy, in nats, of a column of counts over the rows of a source (Shannon 1948, natural logarithm as in bandicoot and cider)."""
    return of_entropy(f"sum({column})", f"sum({column} * ln(nullif({column}, 0)))")


def top(column: str, k: int) -> str:
    """The ``k`` greatest of a column as part of its sum; a tie changes nothing."""
    greatest = f"slice(sort_array(collect_list({column}), false), 1, {k})"
    return f"cast(aggregate({greatest}, 0L, (a, c) -> a + c) as double) / nullif(sum({column}), 0)"


def pareto(column: str) -> str:
    """Part of the rows that together hold 80 % of a column's sum, greatest first (bandicoot's words, cider's denominator)."""
    greatest = f"sort_array(collect_list({column}), false)"
    start = f"struct(0L as n, 0L as held, cast(ceil(sum({column}) * 0.8BD) as bigint) as target)"
    step = "(a, c) -> if(a.held < a.target, struct(a.n + 1 as n, a.held + c as held, a.target as target), a)"
    return f"cast(aggregate({greatest}, {start}, {step}).n as double) / nullif(count({column}), 0)"
