"""Profile each month's indicators on a sample of its users, and select those that models read."""

import datetime as dt

import pandas as pd

from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.months import month_before
from churnlake.indicators import INDICATORS
from churnlake.tables.features import ABNORMAL, MONTHLY, OUTLIERS, SELECTION
from churnlake.understanding.filtering import abnormal_by_kind
from churnlake.understanding.profile import columns_of, in_order
from churnlake.understanding.sampling import stratified
from churnlake.understanding.selection import Understood, understood
from jobs import job


@job(reads=(MONTHLY,), writes=(SELECTION, OUTLIERS, ABNORMAL))
def select_indicators(lake: Lake, run: Run) -> None:
    """One row per month and indicator, per month and group of outliers, per month and kind of abnormal user."""
    months, settings = run.months("selection"), run.settings.understanding
    if not months:
        return

    def sample(month: dt.date) -> pd.DataFrame:
        rows = lake.read(MONTHLY, first=month, last=month)
        drawn = stratified(rows, settings.sample_by, settings.sample_users, settings.seed)
        return in_order(drawn.selectExpr(*columns_of(INDICATORS)).toArrow().to_pandas())

    found: list[Understood] = []
    before = sample(month_before(months[0]))
    for month in months:
        now = sample(month)
        if not len(now):
            run.left_out.append(f"selection of {month:%Y-%m}: no features of it; run job build_features over it first")
        else:
            found.append(understood(month, now, before, INDICATORS, settings))
        before = now
    lake.write_all(
        {
            SELECTION: frame_of(lake.spark, SELECTION.schema, [row for one in found for row in one.selection]),
            OUTLIERS: frame_of(lake.spark, OUTLIERS.schema, [row for one in found for row in one.outliers]),
            ABNORMAL: abnormal_by_kind(lake.read(MONTHLY, first=months[0]), settings.abnormal),
        }
    )


if __name__ == "__main__":
    select_indicators.main()
