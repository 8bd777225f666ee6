"""Find joiners who are customers that left, or are leaving, under another number."""

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.circles import groups
from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import assignment, joiners, learning, odds
from churnlake.reentry.weighing import weigh
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reentry import JOINERS, LINKS, MATCHES, PAIRS, PERSONS, WEIGHTS
from churnlake.tables.reference import ANSWERS, LIVES, SUBSCRIBERS
from jobs import job


@job(
    reads=(USAGE, EDGES, PLACES, DEVICES, SIGNATURES, PEERS, LEAVINGS),
    may_read=(FORWARDS, LIVES, SUBSCRIBERS, ANSWERS),
    writes=(JOINERS, LINKS, PAIRS, WEIGHTS, MATCHES, PERSONS),
)
def detect_reentry(lake: Lake, run: Run) -> None:
    """One row per joiner and stage; one per link; one per pair weighed; weights learnt by month; one row per match; one per user of several of a person."""
    settings = run.settings.reentry
    odds.check(settings.start, settings)
    since = joiners.first_day_needed(run.days, settings)
    asked = joiners.asked(lake, run.days, settings)
    tables = {table: lake.read(table, first=since) for table in (USAGE, EDGES, PLACES, DEVICES)}
    tables |= {table: lake.read(table) for table in (SIGNATURES, PEERS)}
    if lake.has(SUBSCRIBERS):
        tables[SUBSCRIBERS] = lake.read(SUBSCRIBERS)
    else:
        run.leaves_out("documents, dealers and plans as evidence", SUBSCRIBERS)
    if lake.has(FORWARDS):
        tables[FORWARDS] = lake.read(FORWARDS, first=since)
    lives = lake.read(LIVES) if lake.has(LIVES) else None
    before = run.days.first - dt.timedelta(days=1)
    linked = lake.read(LINKS, last=before) if lake.has(LINKS) else None

    def known_links(now: DataFrame) -> DataFrame:
        return now if linked is None else now.unionByName(linked)

    weighed = weigh(asked.new, asked.due, asked.own, tables, settings, lake.checkpoint, known_links)

    pairs = lake.checkpoint(weighed.pairs)
    earlier = lake.read(PAIRS, joiners.first_pair_needed(run.days, settings), before) if lake.has(PAIRS) else None
    known = pairs if earlier is None else pairs.unionByName(earlier.drop("odds"))
    answers = lake.read(ANSWERS) if lake.has(ANSWERS) else None
    learnt = learning.weights(known, run.days.months(), settings, answers, lives)
    told = lake.read(WEIGHTS, last=before).collect() if lake.has(WEIGHTS) else []
    pairs = lake.checkpoint(odds.with_odds_of_then(pairs, [*(row.asDict() for row in told), *learnt], settings))
    known = pairs if earlier is None else pairs.unionByName(earlier)
    likely = odds.with_probability(pairs, known, settings).where(F.col("probability") >= settings.least_probability)

    taken = lake.read(MATCHES, last=before) if lake.has(MATCHES) else None
    assigned = assignment.assign(likely, taken, lake.checkpoint)
    lake.write(JOINERS, joiners.scopes(asked.due, weighed.met, weighed.found, weighed.together, settings))
    lake.write(LINKS, weighed.links)
    lake.write(PAIRS, pairs)
    lake.write(WEIGHTS, frame_of(lake.spark, WEIGHTS.stored_schema, learnt))
    lake.write(MATCHES, assignment.matches(assigned, lake.read(LEAVINGS)))
    final = lake.read(MATCHES, as_of_run=False).where(F.col("stage_days") == max(settings.stages))
    lake.write(PERSONS, groups.persons(final, lake.checkpoint))


if __name__ == "__main__":
    detect_reentry.main()
