"""Put the users worth calling on a ranked list with reasons, a control group left alone inside it."""

from pyspark.sql import functions as F

from churnlake.campaigns.lists import plan, willing
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import NEXT_MONTH, SCORES
from churnlake.tables.features import MONTHLY
from churnlake.tables.reference import OPT_OUTS
from jobs import job


@job(reads=(MONTHLY,), may_read=(SCORES, OPT_OUTS), writes=(LISTS,))
def plan_campaigns(lake: Lake, run: Run) -> None:
    """One row per user listed, for each month scored within the run."""
    months = run.months("retention lists")
    if not months:
        return
    if not lake.has(SCORES):
        run.leaves_out("retention lists", SCORES)
        return
    scores = lake.read(SCORES, first=months[0]).where(F.col("target") == NEXT_MONTH)
    if lake.has(OPT_OUTS):
        # the forecast may be older than the choice
        scores = willing(scores, lake.read(OPT_OUTS))
    lake.write(LISTS, plan(scores, lake.read(MONTHLY, first=months[0]), run.settings.campaigns))


if __name__ == "__main__":
    plan_campaigns.main()
