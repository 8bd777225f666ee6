"""Take gross adds apart: who is new, back, or one more number; what that does to churn and value; bonuses paid twice, and whose dealers stand out."""

from pyspark.sql import functions as F

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.runs import Days
from churnlake.reentry import dealers, economics, farming, fleas, joiners, odds, parts
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.control import BONUSES, CLAWBACKS, FLEAS, FUNNELS, GROSS_ADDS, NET_ADDS, PARTS, PLAN_MOVES
from churnlake.tables.daily import DEVICES, PLACES, USAGE
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import BILLS, RECHARGES, SUBSCRIBERS
from jobs import job


@job(
    reads=(USAGE, PLACES, DEVICES, LEAVINGS, JOINERS, PAIRS, MATCHES),
    may_read=(SUBSCRIBERS, BILLS, RECHARGES),
    writes=(PARTS, GROSS_ADDS, NET_ADDS, PLAN_MOVES, BONUSES, FUNNELS, CLAWBACKS, FLEAS),
)
def control_reentry(lake: Lake, run: Run) -> None:
    """One row per joiner: what it is; and by month what that does to heads, bills and bonuses."""
    settings, how = run.settings.reentry, run.settings.reentry.control
    since, final = economics.first_day_needed(run.days, settings), F.col("stage_days") == max(settings.stages)
    subscribers = lake.read(SUBSCRIBERS) if lake.has(SUBSCRIBERS) else None
    bills = lake.read(BILLS) if lake.has(BILLS) else None
    if subscribers is None:
        run.leaves_out("brand, plan, channel, dealer, branch, bonuses, dealers' own cards", SUBSCRIBERS)
    if bills is None:
        run.leaves_out("monthly bills before and after", BILLS)

    known = lake.read(PAIRS, joiners.first_pair_needed(Days(since, run.days.last), settings))
    likely = lake.checkpoint(odds.with_probability(lake.read(PAIRS, since), known, settings).where("probability > 0"))
    came = lake.read(JOINERS, since)
    asked = economics.told(came.where(final), how.closes_days, run.days)
    asked = lake.checkpoint(parts.joined_as(asked, subscribers))
    second = parts.seconds(lake.read(PAIRS, since).where(final), settings)
    farmed = None
    if subscribers is not None:
        seen = (lake.read(DEVICES, since), lake.read(PLACES, since))
        farmed = farming.farmed(asked, came.where(final), subscribers, *seen, settings)
    found = lake.read(MATCHES, since).where(final)
    lake.write(PARTS, parts.parts(asked, likely.where(final), second, found, farmed, settings))

    joined = lake.read(PARTS, run.days.first)
    named = likely.where(final).select("user_id", "old_user_id", "joined_on", "known_on", "old_last_on", "probability")
    olds = lake.checkpoint(economics.old_numbers(named, subscribers, bills, settings))
    lake.write(GROSS_ADDS, economics.gross_adds(joined, olds, settings))
    own, active_days = joiners.own_days(lake.read(USAGE, since)), run.settings.churn.active_within_days
    lake.write(NET_ADDS, economics.net_adds(joined, came, likely, own, lake.read(LEAVINGS), active_days, settings))
    lake.write(BONUSES, economics.bonuses(joined, olds, settings))
    funnel = lake.checkpoint(dealers.funnels(dealers.with_stay(joined, own, settings), settings))
    lake.write(FUNNELS, funnel)
    lake.write(CLAWBACKS, dealers.clawbacks(joined, olds, funnel, settings))
    if subscribers is not None and lake.has(RECHARGES):
        every, paid = lake.read(MATCHES).where(final), lake.read(RECHARGES)
        lake.write(FLEAS, fleas.fleas(joined, every, subscribers, paid, settings))
    else:
        run.leaves_out("customers who hop for bonuses", RECHARGES)
    billed = economics.told(lake.read(PARTS, since), how.bills_days, run.days)
    lake.write(PLAN_MOVES, economics.plan_moves(billed, olds, bills, settings))


if __name__ == "__main__":
    control_reentry.main()
