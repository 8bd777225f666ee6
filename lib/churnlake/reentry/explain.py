"""Why a joiner is, or is not, taken for an old user: what each evidence adds at each stage, and who else either of the two could be."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry import odds
from churnlake.reentry.feed import with_reason
from churnlake.reentry.odds import INTERCEPT, MEASURES, Weights
from churnlake.reentry.settings import ReentrySettings

DETAILS = {
    "gap": "concat(' (', gap_days, ' days)')",
    "handset": "if(has_same_imei, concat(' (', imei_users, ' users)'), '')",
    **{p: f"coalesce(concat(' (', cast(round(100 * {p}_overlap) as int), ' %)'), '')" for p in ("night", "work", "weekend")},
    "level": "coalesce(concat(' (', cast(round(100 * level_share) as int), ' %)'), '')",
}
"""By comparison, SQL of what stands behind its outcome."""


@dataclass(frozen=True)
class Part:
    """One kind of evidence: its value, its weight and what it adds to the log-odds."""

    evidence: str
    value: str
    weight: float
    adds: float


@dataclass(frozen=True)
class Rival:
    """Another pair of either of the two, as known then, and its odds."""

    user_id: int
    old_user_id: int
    stage_days: int
    odds: float


@dataclass(frozen=True)
class Stage:
    """What was known of the pair at one stage.

    ``log_odds`` is the sum of what the parts add and ``odds`` what stands in reentry.pairs; they belong together but where
    ``odds_now``, by the weights and settings there are today, is another. ``probability`` is what exclusion leaves of it.
    """

    stage_days: int
    known_on: dt.date
    scope: str
    peers: int
    excluded_by: str | None
    learnt_in: dt.date | None
    learnt_from: int
    parts: tuple[Part, ...] = ()
    kind: str = ""
    level_share: float | None = None
    log_odds: float = 0.0
    odds: float | None = None
    odds_now: float = 0.0
    others: tuple[Rival, ...] = ()
    claims: tuple[Rival, ...] = ()
    reason: str = ""

    @property
    def alone(self) -> float:
        """The pair's probability if neither of the two could be anybody else."""
        return (self.odds or 0.0) / (1 + (self.odds or 0.0))

    @property
    def probability(self) -> float:
        """The pair's probability beside nobody, the joiner's other candidates and the old user's other joiners (odds.with_probability)."""
        mine = self.odds or 0.0
        rivals = sum(rival.odds for rival in (*self.others, *self.claims))
        return round(mine / (1 + mine + rivals), 6)


def with_parts(pairs: DataFrame, learnt: Iterable[Mapping[str, Any]], settings: ReentrySettings) -> DataFrame:
    """The pairs with ``parts`` (evidence, value, weight, adds; in the order in which they are added up), ``log_odds``, ``odds_now`` and ``reason``.

    ``learnt`` are rows of reentry.weights: each pair is explained by those in force on its ``known_on``.
    """
    rows = list(learnt)

    def told(part: DataFrame, weights: Mapping[int, Weights]) -> DataFrame:
        parts, sums = [], []
        for stage in settings.stages:
            of_stage = weights.get(stage, settings.start)
            terms = odds.terms(of_stage, settings)
            each = ", ".join(_part(name, sql, of_stage, settings) for name, sql in terms.items())
            parts.append(f"WHEN {stage} THEN array({each})")
            sums.append(f"WHEN {stage} THEN {' + '.join(terms.values())}")
        summed = part.withColumns(
            {
                "parts": F.expr(f"CASE stage_days {' '.join(parts)} END"),
                "log_odds": F.expr(f"CASE stage_days {' '.join(sums)} END"),
            }
        )
        return summed.withColumn("odds_now", F.expr(odds.of_evidence("log_odds")))

    return odds.by_weights_of_then(with_reason(pairs, rows, settings), rows, told)


def _part(name: str, sql: str, weights: Weights, settings: ReentrySettings) -> str:
    if name == INTERCEPT or name in MEASURES:
        value = "''" if name == INTERCEPT else f"cast(round({MEASURES[name]}, 3) as string)"
        weight = repr(float(weights.get(name, {}).get(odds.EACH, 0.0)))
        return f"struct('{name}' as evidence, {value} as value, {weight}D as weight, {sql} as adds)"
    outcome = odds.comparisons(settings)[name]
    value = f"concat({outcome}, {DETAILS.get(name, repr(''))})"
    return f"struct('{name}' as evidence, {value} as value, {sql} as weight, {sql} as adds)"


def in_force(known_on: dt.date, learnt: Iterable[Mapping[str, Any]], stage_days: int) -> tuple[dt.date | None, int]:
    """The month whose weights hold on that day, and from how many joiners the stage's were learnt; none: those to start with."""
    rows = list(learnt)
    done = [row["month"] for row in rows if _month_end(row["month"]) < known_on]
    if not done:
        return None, 0
    month = max(done)
    joiners = [row["joiners"] for row in rows if row["month"] == month and row["stage_days"] == stage_days]
    return month, max(joiners, default=0)


def _month_end(month: dt.date) -> dt.date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def stages(
    joined: Sequence[Mapping[str, Any]],
    of_joiner: Sequence[Mapping[str, Any]],
    of_old: Sequence[Mapping[str, Any]],
    old_user_id: int,
    learnt: Iterable[Mapping[str, Any]],
    settings: ReentrySettings,
) -> list[Stage]:
    """The stages of a pair, earliest first, one for each row of ``joined``.

    Args:
        joined: the joiner's rows of reentry.joiners.
        of_joiner: its rows of reentry.pairs, of every old user it could be, as ``with_parts`` gives them.
        of_old: rows of reentry.pairs of every joiner that the old user could be.
        old_user_id: the old user asked for.
        learnt: rows of reentry.weights.
        settings: stages.
    """
    rows = list(learnt)
    found = []
    for row in sorted(joined, key=lambda one: int(one["stage_days"])):
        stage, known_on = row["stage_days"], row["known_on"]
        about = Stage(stage, known_on, row["scope"], row["peers"], row["excluded_by"], *in_force(known_on, rows, stage))
        pairs = {pair["old_user_id"]: pair for pair in of_joiner if pair["stage_days"] == stage}
        pair = pairs.pop(old_user_id, None)
        if pair is not None:
            claims = [_rival(one) for one in of_old if one["user_id"] != row["user_id"] and _holds(one, known_on, settings)]
            about = Stage(
                stage, known_on, about.scope, about.peers, about.excluded_by, about.learnt_in, about.learnt_from,
                parts=tuple(Part(*(part[name] for name in ("evidence", "value", "weight", "adds"))) for part in pair["parts"]),
                kind=pair["kind"], level_share=pair["level_share"], log_odds=pair["log_odds"], odds=pair["odds"], odds_now=pair["odds_now"],
                others=_strongest(_rival(one) for one in pairs.values()), claims=_strongest(claims), reason=pair["reason"],
            )  # fmt: skip
        found.append(about)
    return found


def _rival(pair: Mapping[str, Any]) -> Rival:
    return Rival(pair["user_id"], pair["old_user_id"], pair["stage_days"], pair["odds"])


def _strongest(rivals: Iterable[Rival]) -> tuple[Rival, ...]:
    return tuple(sorted(rivals, key=lambda rival: (-rival.odds, rival.user_id, rival.old_user_id)))


def _holds(pair: Mapping[str, Any], on: dt.date, settings: ReentrySettings) -> bool:
    """Whether a joiner's pair counts on that day: known by then, and the next stage of that joiner not yet."""
    later = [stage for stage in settings.stages if stage > pair["stage_days"]]
    until = pair["joined_on"] + dt.timedelta(days=min(later)) if later else dt.date.max
    return bool(pair["known_on"] <= on < until)
