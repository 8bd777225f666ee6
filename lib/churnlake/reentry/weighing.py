"""From joiners to old users they could be, each with all evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from churnlake.core.contract import Table
from churnlake.reentry import candidates, evidence, joiners
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES
from churnlake.tables.reference import SUBSCRIBERS


@dataclass(frozen=True)
class Weighed:
    """What is known of joiners at their stages: ``met`` (joiners.circles), who moved ``together`` and is asked no more, every candidate
    ``found``, and ``pairs`` that fit, with their evidence."""

    met: DataFrame
    together: DataFrame
    found: DataFrame
    pairs: DataFrame


def weigh(
    new: DataFrame,
    due: DataFrame,
    own: DataFrame,
    tables: Mapping[Table, DataFrame],
    settings: ReentrySettings,
    checkpoint: Callable[[DataFrame], DataFrame],
) -> Weighed:
    """One row per joiner, stage and candidate, with all evidence (reentry.pairs, but for the odds).

    Args:
        new: one row per joiner (joiners.began).
        due: one row per joiner and stage (joiners.at_stages).
        own: one row per user and day with an own event (joiners.own_days).
        tables: daily edges, places and devices from ``joiners.first_day_needed`` on, signatures and peers of circles; subscribers
            where the operator delivers them: else documents are no evidence.
        settings: definitions and limits.
        checkpoint: cuts a frame from the plan of its making.
    """
    met = checkpoint(joiners.circles(due, tables[EDGES]))
    document = candidates.by_document(due, tables[SUBSCRIBERS], settings) if SUBSCRIBERS in tables else None
    told = checkpoint(candidates.telling(met, tables[PEERS], settings))
    old = candidates.newest(tables[SIGNATURES], told, settings)
    circle = candidates.by_circle(told, old, settings)
    handset = candidates.by_handset(due, tables[DEVICES], settings)
    found = checkpoint(evidence.gather(circle, handset, document))
    fit = checkpoint(evidence.with_old_use(found, own, settings))
    together = checkpoint(evidence.moved_together(fit, met, old, new, own))
    fit = fit.join(together, on=["user_id", "stage_days"], how="left_anti")
    alike = checkpoint(evidence.with_likeness(fit, told, old, settings))
    pairs = evidence.with_talk(evidence.with_places(alike, tables[PLACES]), told, tables[EDGES])
    return Weighed(met, together, found, pairs)
