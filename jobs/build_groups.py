"""Find groups of friends in the contact graph of a month's end, rank their members, and tell whose neighbours have left."""

from churnlake.circles import groups, neighbours, ties
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import GROUPS, MEMBERS, NEIGHBOURS, PEERS, SIGNATURES
from churnlake.tables.daily import USAGE
from jobs import job


@job(reads=(SIGNATURES, PEERS, USAGE), may_read=(LEAVINGS,), writes=(GROUPS, MEMBERS, NEIGHBOURS))
def build_groups(lake: Lake, run: Run) -> None:
    """One row per month and group; one per month and member; one per month and active user with neighbours."""
    settings = run.settings.circles.groups
    months = run.months("groups")
    if not months:
        return
    first = neighbours.first_month_needed(months, settings)
    circles = lake.checkpoint(ties.close(lake.read(SIGNATURES, first=first), lake.read(PEERS, first=first), settings))
    made = circles.where(circles["month"].isin(months))
    for month in sorted(set(months) - {row["month"] for row in made.select("month").distinct().collect()}):
        run.left_out.append(f"groups of {month:%Y-%m}: no circles of it; run job build_circles over it first")
    found = groups.groups(ties.ties(made, settings), ties.reach(made), settings, lake.checkpoint)
    frames = {GROUPS: found.groups, MEMBERS: found.members}
    if lake.has(LEAVINGS):
        frames[NEIGHBOURS] = neighbours.neighbours(
            circles,
            lake.read(LEAVINGS),
            lake.read(USAGE, first=neighbours.first_day_needed(months, settings)),
            months,
            settings,
            lake.checkpoint,
        )
    else:
        run.leaves_out("neighbours who left", LEAVINGS)
    lake.write_all(frames)


if __name__ == "__main__":
    build_groups.main()
