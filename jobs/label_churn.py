"""Label past months' active users: left in the month after or the one after that, left for good, pays at most half."""

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn import labels, revenue
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LABELS, LEAVINGS, TARGETS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, SUBSCRIBERS, SUBSCRIPTIONS
from jobs import job


@job(reads=(MONTHLY, USAGE, LEAVINGS, MATCHES), may_read=(BILLS, SUBSCRIBERS, SUBSCRIPTIONS), writes=(LABELS,))
def label_churn(lake: Lake, run: Run) -> None:
    """One row per target, user and feature month whose label closes within the run."""
    settings = run.settings.churn
    asked = {target: labels.label_months(run.days, settings, target) for target in TARGETS}
    bills, subscribers, subscriptions = (lake.read(t) if lake.has(t) else None for t in (BILLS, SUBSCRIBERS, SUBSCRIPTIONS))
    for what, feed in {
        "what was billed, and debts": BILLS,
        "suspensions as a reason to leave": SUBSCRIBERS,
        "services that ended as a way to pay less": SUBSCRIPTIONS,
    }.items():
        if not lake.has(feed):
            run.leaves_out(what, feed)
    paid = asked.pop(revenue.REVENUE)
    if bills is not None:
        known = revenue.months_billed(bills, settings).collect()
        told, paid = paid, [month for month in paid if (labels.outcome_of(month, revenue.REVENUE),) in known]
        run.left_out += [
            f"revenue labels of {month:%Y-%m}: no bill of the month after in time" for month in told if month not in paid
        ]
    months = sorted({month for each in (*asked.values(), paid) for month in each})
    if not months:
        return
    found: list[DataFrame] = []
    if any(asked.values()):
        first = min(month for each in asked.values() for month in each)
        features = lake.read(MONTHLY, first=first).where(F.col("month").isin(months))
        usage, leavings, matches = lake.read(USAGE, first=first), lake.read(LEAVINGS), lake.read(MATCHES)
        found.append(labels.leaving_labels(features, usage, leavings, matches, asked, settings, bills, subscribers))
    if paid:
        features = lake.read(MONTHLY, first=revenue.first_month(paid[0], settings))
        found.append(revenue.revenue_labels(features, bills, subscriptions, paid, settings))
    lake.write(LABELS, reduce(DataFrame.unionByName, found))


if __name__ == "__main__":
    label_churn.main()
