"""Label past months' active users: left in the month after, and left for good."""

from pyspark.sql import functions as F

from churnlake.churn import labels
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LABELS, LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from jobs import job


@job(reads=(MONTHLY, USAGE, LEAVINGS, MATCHES), writes=(LABELS,))
def label_churn(lake: Lake, run: Run) -> None:
    """One row per user and feature month whose label closes within the run."""
    months = labels.label_months(run.days, run.settings.churn)
    if not months:
        return
    features = lake.read(MONTHLY, first=months[0]).where(F.col("month").isin(months))
    lake.write(
        LABELS,
        labels.labels(features, lake.read(USAGE, first=months[0]), lake.read(LEAVINGS), lake.read(MATCHES), run.settings.churn),
    )


if __name__ == "__main__":
    label_churn.main()
