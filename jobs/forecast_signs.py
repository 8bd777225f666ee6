"""Foretell at each month's end which customers without an alarm sign will show one: forwarding or a second phone, a fall, a stop, a cancel order."""

import datetime as dt
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.campaigns.lists import willing
from churnlake.churn import outlook
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.models import forecasts
from churnlake.models.frame import BEFORE_STAGES, modelling, selected, with_beside
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY, SELECTION
from churnlake.tables.reference import OPT_OUTS
from churnlake.tables.stages import FORECAST_NAMES, FORECASTS, FORECASTS_JUDGED, SIGNS
from jobs import job


@job(
    reads=(MONTHLY, SELECTION, SIGNS, USAGE),
    may_read=(LEAVINGS, *BEFORE_STAGES, OPT_OUTS),
    writes=(FORECASTS, FORECASTS_JUDGED),
)
def forecast_signs(lake: Lake, run: Run) -> None:
    """One row per month's end and user asked about; one per month's end and forecast, of how it was judged."""
    due = [dt.date.fromisoformat(day) for day in dict(lake.planned()).get(FORECASTS, ())]
    ends = [day for day in due if (day + dt.timedelta(days=1)).day == 1]
    if not ends:
        return
    for table in (table for table in BEFORE_STAGES if not lake.has(table)):
        run.leaves_out(BEFORE_STAGES[table], table)
    made, judged = [], []
    # read and joined once, not for each month's end; whom a month's end asks about is told by signs up to that day alone
    first, selection = _first_taught(ends[0], run), lake.checkpoint(lake.read(SELECTION))
    features = lake.read(MONTHLY, first=first, last=ends[-1])
    asked = outlook.asked(features, lake.read(SIGNS, last=ends[-1]), run.settings.churn)
    asked = asked.select("month", "user_id", *modelling(selection, MONTHLY))
    more = {table: lake.read(table, first=first, last=ends[-1]) for table in BEFORE_STAGES if lake.has(table)}
    asked, beside = with_beside(asked, more)
    asked = lake.checkpoint(asked)
    for end in ends:
        try:
            taught, rows = _of_month(lake, run, end, asked, selection, beside)
        except MissingInputError as error:
            # a young lake has nothing to teach yet; its customers are staged by signs alone
            run.left_out.append(f"forecasts of {end}: {error}")
            continue
        run.left_out += [
            f"forecast {name} of {end}: {told['left_out']}" for name, told in taught.judged.items() if told["left_out"]
        ]
        judged.append((end, taught))
        made += [rows] if rows is not None else []
    if judged:
        told = forecasts.report(judged, lake.read(MONTHLY))
        none = lake.spark.createDataFrame([], FORECASTS.schema)
        lake.write_all({FORECASTS: reduce(DataFrame.unionByName, made, none), FORECASTS_JUDGED: told})


def _first_taught(end: dt.date, run: Run) -> dt.date:
    return outlook.newest_over(end, run.settings.churn.outlook) - dt.timedelta(days=31 * run.settings.models.train_months)


def _of_month(
    lake: Lake, run: Run, end: dt.date, asked: DataFrame, selection: DataFrame, beside: list[str]
) -> tuple[forecasts.Taught, DataFrame | None]:
    """What months that are over teach of the signs, and what that foretells of the month that ends."""
    settings, churn, month = run.settings.models, run.settings.churn, end.replace(day=1)
    newest, first = outlook.newest_over(end, churn.outlook), _first_taught(end, run)
    if asked.where(F.col("month") <= F.lit(newest)).isEmpty():
        raise MissingInputError(f"no month of features has its {churn.outlook.days} days to come behind it yet")
    numeric, categories = selected(selection, newest, MONTHLY)
    numeric += beside
    asked = asked.where(F.col("month").between(F.lit(first), F.lit(month)))
    if lake.has(OPT_OUTS):
        asked = willing(asked, lake.read(OPT_OUTS, last=end))
    signs, usage = lake.read(SIGNS, last=end), lake.read(USAGE, first=outlook.first_day_needed(first, churn.outlook), last=end)
    left = lake.read(LEAVINGS, last=end) if lake.has(LEAVINGS) else None
    came = outlook.outcomes(asked, signs, usage, left, end, churn.outlook)
    frame = asked.join(came, on=["month", "user_id"], how="inner")
    taught = forecasts.teach(frame, FORECAST_NAMES, churn.outlook.days, numeric, categories, settings, lake.checkpoint)
    now = asked.where(asked["month"] == F.lit(month))
    return taught, lake.checkpoint(forecasts.foretell(now, taught, end, settings)) if taught.served else None


if __name__ == "__main__":
    forecast_signs.main()
