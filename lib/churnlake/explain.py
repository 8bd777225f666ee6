"""The command that explains one pair: what each evidence adds, stage by stage, who else it could be, and the verdict."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from churnlake.core.console import Console
from churnlake.core.contract import STRING, Table
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.frames import frame_of
from churnlake.core.lake import Lake
from churnlake.reentry.explain import Rival, Stage, stages, with_parts
from churnlake.reentry.settings import ReentrySettings
from churnlake.site import charts
from churnlake.site.data import SHORT_NAME
from churnlake.tables.motives import MOTIVES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS, WEIGHTS
from churnlake.tables.reference import LIVES

READS = (JOINERS, PAIRS, WEIGHTS, MATCHES)
MAY_READ = (MOTIVES, LIVES)
RIVALS_SHOWN = 3
ID = StructType([StructField("id", STRING)])
LEAST_DRAWN = 0.005
"""Evidence that adds less to the log-odds, either way, has no bar."""


class Readable(Protocol):
    """What tables are read from: a lake, or the views of a catalog."""

    def has(self, table: Table) -> bool: ...  # noqa: D102
    def read(self, table: Table) -> DataFrame: ...  # noqa: D102


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command is asked by."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--user", metavar="PSEUDONYM", help="the joiner: its user_id in the lake, or its name on the pages (8 hex digits)"
    )
    who.add_argument("--user-id", metavar="ID", help="the joiner by the operator's id of the user, which is hashed with the key")
    old = parser.add_mutually_exclusive_group()
    old.add_argument("--old", metavar="PSEUDONYM", help="the old user; left out: the one it is matched to, or could be best")
    old.add_argument("--old-id", metavar="ID", help="the old user by the operator's id")
    parser.add_argument("--stage", type=int, metavar="DAYS", help="this stage alone, as 60; left out: every one")  # fmt: skip


def explain(lake: Lake, settings: ReentrySettings, asked: argparse.Namespace, console: Console) -> None:
    """Say why the joiner is, or is not, taken for the old user.

    Raises SettingsError where no user can be meant, MissingInputError where the user is no joiner, or the pair was never weighed.
    """
    joiners, pairs = lake.read(JOINERS), lake.read(PAIRS)
    if asked.stage is not None and asked.stage not in settings.stages:
        raise SettingsError(f"--stage {asked.stage}: the stages are {', '.join(map(str, settings.stages))}")
    user = _user(lake, joiners, asked.user, asked.user_id, "--user")
    # of one joiner: a row a stage, and some twenty pairs a stage
    joined = [row.asDict() for row in joiners.where(F.col("user_id") == user).collect()]
    if not joined:
        raise MissingInputError(_no_joiner(lake, pairs, user))
    mine = pairs.where(F.col("user_id") == user)
    learnt, of_joiner = _weighed(lake, mine, settings)
    given = [row.asDict() for row in lake.read(MATCHES).where(F.col("user_id") == user).collect()] if lake.has(MATCHES) else []
    old = _old_user(lake, mine, asked, of_joiner, given, joined, settings)
    of_old = [row.asDict() for row in pairs.where(F.col("old_user_id") == old).collect()]
    taken = [row.asDict() for row in lake.read(MATCHES).where(F.col("old_user_id") == old).collect()] if lake.has(MATCHES) else []
    matched = {row["stage_days"]: row for row in given}
    console.say(f"Joiner {user}, joined on {joined[0]['joined_on']}; old user {old}")
    for stage in stages(joined, of_joiner, of_old, old, learnt, settings):
        if asked.stage in (None, stage.stage_days):
            by_others = [row for row in taken if row["stage_days"] == stage.stage_days and row["user_id"] != user]
            _say(console, stage, old, matched.get(stage.stage_days), by_others, settings)
    if lake.has(MOTIVES):
        why = lake.read(MOTIVES).where((F.col("user_id") == user) & (F.col("old_user_id") == old)).first()
        if why:
            also = f"; also held: {', '.join(name for name in why['held'][1:])}" if len(why["held"]) > 1 else ""
            console.say(f"\nMotive by rule: {why['motive']}{also}")


def stages_of_match(lake: Readable, settings: ReentrySettings, name: str) -> list[Stage]:
    """The stages of a joiner, by its name on the pages, and the old user that it is matched to in the end; none where it is matched to nobody."""
    known = lake.read(MATCHES).where(F.expr(SHORT_NAME.format("user_id")) == F.lit(name))
    match = known.orderBy(F.desc("stage_days"), "user_id").first()
    if match is None:
        return []
    user, old = int(match["user_id"]), int(match["old_user_id"])
    pairs = lake.read(PAIRS)
    learnt, of_joiner = _weighed(lake, pairs.where(F.col("user_id") == user), settings)
    joined = [row.asDict() for row in lake.read(JOINERS).where(F.col("user_id") == user).collect()]
    of_old = [row.asDict() for row in pairs.where(F.col("old_user_id") == old).collect()]
    return stages(joined, of_joiner, of_old, old, learnt, settings)


def _weighed(lake: Readable, mine: DataFrame, settings: ReentrySettings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The weights learnt, and the joiner's pairs with what each evidence adds by them."""
    learnt = [row.asDict() for row in lake.read(WEIGHTS).collect()] if lake.has(WEIGHTS) else []
    return learnt, [row.asDict(recursive=True) for row in with_parts(mine, learnt, settings).collect()]


def stages_told(found: Sequence[Stage]) -> list[dict[str, Any]]:
    """One entry per stage at which the pair was weighed: when, how likely alone and beside the others that either could be, the reason in words."""
    return [
        {
            "stage": f"day {stage.stage_days}", "known_on": stage.known_on, "peers": stage.peers, "alone": stage.alone, "others": len(stage.others),
            "claims": len(stage.claims), "probability": stage.probability, "reason": stage.reason,
        }
        for stage in found if stage.odds is not None
    ]  # fmt: skip


def parts_drawn(found: Sequence[Stage]) -> charts.Figure | None:
    """Bars of what each evidence adds to the log-odds at the last stage at which the pair was weighed, for it and against it."""
    weighed = [stage for stage in found if stage.odds is not None]
    if not weighed:
        return None
    parts = [part for part in weighed[-1].parts if abs(part.adds) >= LEAST_DRAWN][::-1]
    bars = {
        "type": "bar", "orientation": "h", "x": [part.adds for part in parts],
        "y": [f"{part.evidence.replace('_', ' ')}{f': {part.value}' if part.value else ''}".replace("_", " ") for part in parts],
        "marker": {"color": [charts.COLOURS["back" if part.adds > 0 else "gone"] for part in parts]}, "hovertemplate": "%{y}: %{x:+.2f}<extra></extra>",
    }  # fmt: skip
    figure: charts.Figure = {"data": [bars], "layout": charts.base_layout(height=max(280, 24 * len(parts) + 100))}
    figure["layout"]["xaxis"] |= {"showgrid": True, "zeroline": True, "zerolinecolor": charts.MUTED}
    return charts.titled(figure, f"adds to the log-odds that both are one person, day {weighed[-1].stage_days}")


def _user(lake: Lake, known: DataFrame, text: str | None, operators: str | None, option: str, column: str = "user_id") -> int:
    """The user meant: by the operator's id hashed as on the way in, by its name on the pages, or as it stands."""
    if operators is not None:
        hashed = lake.key.renewed(lake.key.pseudonym(F.col("id"), "user"))
        row = frame_of(lake.spark, ID, [{"id": operators}]).select(hashed.alias("user")).first()
        assert row is not None
        return int(row["user"])
    text = (text or "").strip()
    if re.fullmatch(r"[0-9a-f]{8}", text):
        short: Column = F.expr(SHORT_NAME.format(column)) == F.lit(text)
        found = [row[column] for row in known.where(short).select(column).distinct().limit(2).collect()]
        if len(found) > 1:
            raise SettingsError(f"{option} {text}: several users have this name on the pages; give the user_id")
        if found:
            return int(found[0])
    if not re.fullmatch(r"-?\d{1,19}", text):
        raise SettingsError(
            f"{option} {text}: write a user_id of the lake (a whole number), a name of the pages (8 hex digits) that is known, "
            f"or the operator's id by {option}-id"
        )
    return int(text)


def _no_joiner(lake: Lake, pairs: DataFrame, user: int) -> str:
    """Why there is nothing to explain of this user."""
    if not pairs.where(F.col("old_user_id") == user).isEmpty():
        return f"user {user} is an old user that joiners could be, no joiner; name the joiner by --user and this one by --old"
    if lake.has(LIVES) and not lake.read(LIVES).where(F.col("user_id") == user).isEmpty():
        return (
            f"user {user} is known, but no joiner: it was there when the data begin, had joined long before its first own event, "
            "made none, or its join is later than detect_reentry has run"
        )
    return f"no user {user} in reentry.joiners{' or reference.lives' if lake.has(LIVES) else ''}; give a user_id of this lake, made with its key"


def _old_user(
    lake: Lake,
    mine: DataFrame,
    asked: argparse.Namespace,
    of_joiner: list[dict[str, Any]],
    given: list[dict[str, Any]],
    joined: list[dict[str, Any]],
    settings: ReentrySettings,
) -> int:
    """The old user asked for, else the one it is matched to at the newest stage, else the one of the greatest odds then."""
    if not of_joiner:
        last = max(joined, key=lambda row: int(row["stage_days"]))
        met = f"it had met {last['peers']} by day {last['stage_days']}"
        why = {
            "too_little": f"too little evidence: {met}, and fewer than {settings.least_peers} tell nothing",
            "excluded": _excluded(last["excluded_by"]),
        }.get(last["scope"], f"{met}, and no old user shares a person, handset or document with it in the time of a re-entry")
        raise MissingInputError(f"joiner {last['user_id']} has no candidates: {why}")
    if asked.old is not None or asked.old_id is not None:
        old = _user(lake, mine, asked.old, asked.old_id, "--old", "old_user_id")
        there = {pair["old_user_id"] for pair in of_joiner}
        if old not in there:
            newest = max(pair["stage_days"] for pair in of_joiner)
            best = sorted((pair for pair in of_joiner if pair["stage_days"] == newest), key=lambda pair: -pair["odds"])
            named = ", ".join(str(pair["old_user_id"]) for pair in best[:RIVALS_SHOWN])
            raise MissingInputError(
                f"old user {old} was never weighed for joiner {joined[0]['user_id']}: nothing in common, others more alike, or not in the time of "
                f"a re-entry; {len(there)} were, at day {newest} most likely {named}"
            )
        return old
    if given:
        return int(max(given, key=lambda row: int(row["stage_days"]))["old_user_id"])
    best_one = max(of_joiner, key=lambda pair: (pair["stage_days"], pair["odds"], -pair["old_user_id"]))
    return int(best_one["old_user_id"])


def _say(
    console: Console,
    stage: Stage,
    old: int,
    match: dict[str, Any] | None,
    taken_by: list[dict[str, Any]],
    settings: ReentrySettings,
) -> None:
    learnt = (
        f"weights learnt by the end of {stage.learnt_in:%B %Y} from {stage.learnt_from:,} joiners"
        if stage.learnt_from
        else "weights to start with"
    )
    if stage.learnt_in and not stage.learnt_from:
        learnt += f": by the end of {stage.learnt_in:%B %Y} there was too little to learn from"
    title = f"Day {stage.stage_days}, known on {stage.known_on} ({learnt})"
    if stage.odds is None:
        about = {"too_little": "too little evidence", "excluded": _excluded(stage.excluded_by)}.get(
            stage.scope, "not weighed with this old user"
        )
        console.say(f"\n{title}\nVerdict: {about}; people met so far: {stage.peers}")
        return
    rows = [(part.evidence, part.value, f"{part.weight:+.3f}", f"{part.adds + 0.0:+.3f}") for part in stage.parts]
    rows.append(("all together", f"odds {stage.odds_now:.4g}", "", f"{stage.log_odds:+.3f}"))
    console.table(title, ("evidence", "value", "weight", "adds to log-odds"), rows, numeric=2)
    if abs(stage.odds_now - stage.odds) > 1e-6 * max(stage.odds, 1.0):
        console.say(f"In reentry.pairs the odds are {stage.odds:.6g}: settings were changed since. What follows is by those.")
    console.say(f"Alone: odds {stage.odds:.4g}, probability {stage.alone:.3f}")
    _rivals(console, "Other old users it could be", stage.others, lambda rival: rival.old_user_id)
    _rivals(console, "Other joiners who could be that old user", stage.claims, lambda rival: rival.user_id)
    console.say(f"With exclusion: probability {stage.probability:.3f}")
    console.say(f"Verdict: {_verdict(stage, old, match, taken_by, settings)}")
    if stage.reason:
        console.say(f"In words: {stage.reason}")


def _excluded(by: str | None) -> str:
    why = {
        "together": ": it moved to another number on one day with people of its circle, as where a firm's numbers are all changed"
    }
    return f"excluded from re-entry{why.get(by or '', '')}"


def _rivals(console: Console, what: str, rivals: tuple[Rival, ...], name: Any) -> None:
    if not rivals:
        console.say(f"{what}: none")
        return
    strong = [rival for rival in rivals if rival.odds > 0]
    named = ", ".join(f"{name(rival)} (odds {rival.odds:.3g})" for rival in strong[:RIVALS_SHOWN])
    more = f", and {len(strong) - RIVALS_SHOWN} more" if len(strong) > RIVALS_SHOWN else ""
    console.say(
        f"{what}: {len(rivals)}, odds {sum(rival.odds for rival in rivals):.4g} together{': ' if named else ''}{named}{more}"
    )


def _verdict(
    stage: Stage, old: int, match: dict[str, Any] | None, taken_by: list[dict[str, Any]], settings: ReentrySettings
) -> str:
    if stage.kind == "kept":
        level = f" at {stage.level_share:.0%} of its level" if stage.level_share is not None else ""
        return f"no re-entry: the old number is used on{level}, so whatever the evidence, its odds are none"
    if match is not None and match["old_user_id"] == old:
        how = {"circle": "the circle", "imei": "the handset", "both": "circle and handset"}[match["found_by"]]
        return f"match of probability {match['probability']:.3f}, found by {how}" + (
            f"; {stage.kind} replacement" if stage.kind != "open" else ""
        )
    if stage.probability < settings.least_probability:
        return f"no match: {stage.probability:.3f} is below {settings.least_probability:g} (reentry.least_probability)"
    if match is not None:
        return f"no match: the joiner is matched to {match['old_user_id']} with probability {match['probability']:.3f}"
    if taken_by:
        return f"no match: joiner {taken_by[0]['user_id']} has this old user since {taken_by[0]['known_on']}"
    return "no match: likely enough, but not chosen; settings may have been changed since"
