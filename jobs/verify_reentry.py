"""Tell the seven steps of re-entry by month, each with its gate; draw a blind sample to call back, and judge matches by what it said."""

from pyspark.sql import functions as F

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import economics, steps, verification, windows
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.control import BONUSES, CALLBACKS, FLEAS, FUNNELS, GROSS_ADDS, NET_ADDS, PARTS, PLAN_MOVES, STEPS
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.motives import MOTIVES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS, WEIGHTS
from churnlake.tables.reference import ANSWERS, LIVES, OPT_OUTS, SUBSCRIBERS
from jobs import job

DAILY = (USAGE, EDGES, PLACES, DEVICES)
FOUND = (JOINERS, PAIRS, WEIGHTS, MATCHES, PARTS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, BONUSES, FUNNELS)


@job(
    reads=(*DAILY, SIGNATURES, PEERS, *FOUND),
    may_read=(FORWARDS, SUBSCRIBERS, LIVES, ANSWERS, OPT_OUTS, FLEAS, MOTIVES),
    writes=(CALLBACKS, STEPS),
)
def verify_reentry(lake: Lake, run: Run) -> None:
    """One row per joiner to be called back; one per month, step and measure."""
    settings, how = run.settings.reentry, run.settings.reentry.control
    since, final = economics.first_day_needed(run.days, settings), F.col("stage_days") == max(settings.stages)
    opt_outs, answers = (lake.read(table) if lake.has(table) else None for table in (OPT_OUTS, ANSWERS))
    parts = lake.read(PARTS, run.days.first)
    lake.write(CALLBACKS, verification.callbacks(parts, opt_outs, settings))

    came = lake.read(JOINERS, since).where(final)
    joined = lake.checkpoint(economics.told(came, how.closes_days, run.days))
    pairs = lake.checkpoint(lake.read(PAIRS, since).where(final).join(joined.select("user_id"), on="user_id", how="left_semi"))
    learnt = [row.asDict() for row in lake.read(WEIGHTS).collect()]
    matches = lake.read(MATCHES, since).where(final)
    daily = (*DAILY, FORWARDS) if lake.has(FORWARDS) else DAILY
    tables = {table: lake.read(table, windows.first_day_needed(since, settings)) for table in daily}
    tables |= {table: lake.read(table) for table in (SIGNATURES, PEERS, SUBSCRIBERS) if lake.has(table)}
    due = lake.checkpoint(came.join(joined.select("user_id"), on="user_id", how="left_semi"))
    due = due.select("user_id", "stage_days", "joined_on", "known_on")
    is_wider = max(how.windows_days) > settings.gap_most_days
    further = windows.beyond(due, tables, learnt, settings, lake.checkpoint) if is_wider else None
    wide = windows.with_windows(joined, lake.read(MATCHES).where(final), further, settings)
    circle, handset = verification.by_circle(pairs, learnt, settings), verification.by_handset(pairs)
    gross, net, paid, funnel = (lake.read(table, run.days.first) for table in (GROSS_ADDS, NET_ADDS, BONUSES, FUNNELS))
    hoppers = lake.read(FLEAS, run.days.first) if lake.has(FLEAS) else None
    found = [
        steps.definition(wide, settings),
        steps.scope(joined, settings),
        steps.circle_alone(joined, circle, settings),
        steps.handset_alone(joined, handset, tables[DEVICES], settings),
        steps.combined(joined, matches, circle, handset, lake.read(CALLBACKS, run.days.first), settings),
        *([steps.motives(joined, lake.read(MOTIVES, since), settings)] if lake.has(MOTIVES) else []),
        steps.use(gross, net, paid, funnel, parts, hoppers),
        steps.value(lake.read(PLAN_MOVES, run.days.first)),
    ]
    if answers is None or not lake.has(LIVES):
        run.leaves_out("precision by call-backs", ANSWERS)
    else:
        drawn = economics.closed(lake.read(CALLBACKS, since), how.closes_days + how.callback_days, run.days)
        said = verification.verdicts(drawn, lake.read(PARTS, since), answers, lake.read(LIVES), settings)
        found.append(steps.called_back(said, settings))
    lake.write(STEPS, steps.together(found))


if __name__ == "__main__":
    verify_reentry.main()
