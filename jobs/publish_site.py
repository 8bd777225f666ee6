"""Write the pages people read: the overview and the pages it leads to, from coming back and leaving to data and words."""

import json
from pathlib import Path

from churnlake.core import openlineage
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.core.visibility import to_release
from churnlake.indicators import VIEWS
from churnlake.site.data import Step, collect
from churnlake.site.pages import pages
from churnlake.tables.campaigns import LISTS
from churnlake.tables.causes import CAUSE_MONTHS
from churnlake.tables.churn import LABELS, LEAVINGS, MODELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS
from churnlake.tables.clean import RECORDS
from churnlake.tables.control import CLAWBACKS, FUNNELS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, STEPS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import ABNORMAL, OUTLIERS, SELECTION
from churnlake.tables.joining import BONUS_REVIEWS, COUNTER_REMINDERS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.judged import DRIFT, JUDGED
from churnlake.tables.motives import MOTIVE_SHARES
from churnlake.tables.quality import CHECKS, SCORES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import OPT_OUTS
from churnlake.tables.stages import FORECASTS_JUDGED, LEAD_TIMES, SIGNS, TRANSITIONS
from churnlake.tables.staying import BUCKET, COHORTS, SILENCES, SURVIVAL
from jobs import job

FOUND = (JOINERS, MATCHES, MOTIVE_SHARES, GROUPS, MEMBERS, NEIGHBOURS)
FORESEEN = (LEAVINGS, LABELS, MODELS, JUDGED, DRIFT, CHURN_SCORES, LISTS)
STAYING = (BUCKET, COHORTS, SURVIVAL, SILENCES)
UNDERSTOOD = (SELECTION, OUTLIERS, ABNORMAL)
AT_THE_COUNTER = (JOINING_CHECKS, JOINING_FOLLOW_UPS, COUNTER_REMINDERS, BONUS_REVIEWS)
STAGED = (SIGNS, FORECASTS_JUDGED, TRANSITIONS, LEAD_TIMES, CAUSE_MONTHS)
CONTROL = (STEPS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, FUNNELS, CLAWBACKS)
SHOWN = (*RECORDS, USAGE, *FOUND, *CONTROL, *STAGED, *AT_THE_COUNTER, *FORESEEN, *STAYING, *UNDERSTOOD, OPT_OUTS, CHECKS, SCORES)


@job(may_read=SHOWN, looks_back=(FILES,))
def publish_site(lake: Lake, run: Run) -> None:
    """One HTML file a page, in the work folder's site/."""
    work, last = Path(run.settings.store.work).resolve(), run.days.last
    frames = {table: lake.ledger(table) if table.ledger else lake.read(table) for table in (*SHOWN, FILES) if lake.has(table)}
    if lake.has_log():
        frames[RUNS] = lake.log()
    lineage = Lineage.of_package()
    # figures against planted truth exist for a synthetic city only; who made them left them in a file
    evaluated = work / "evaluation.json"
    evaluation = json.loads(evaluated.read_text(encoding="utf-8")) if evaluated.is_file() else None
    docs = work / "quality" / "docs" / str(last) / "index.html"
    link = f"../{docs.relative_to(work).as_posix()}" if docs.is_file() else ""
    columns = openlineage.by_table(work / "logs" / openlineage.FILE, lineage.places(run.settings.store))
    data = collect(
        frames, last, reveal=lake.key.decrypt, tables=lineage.tables, views=VIEWS, steps=Step.of(lineage), evaluation=evaluation, docs_link=link,
        columns=columns, least=run.settings.privacy.least_shown, held_back=to_release(lake.hidden()),
    )  # fmt: skip
    site = work / "site"
    site.mkdir(parents=True, exist_ok=True)
    for name, text in pages(data).items():
        (site / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    publish_site.main()
