"""From joiners to old users they could be, each with all evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.frames import only
from churnlake.reentry import candidates, elsewhere, evidence, habits, joiners, renumbered
from churnlake.reentry.candidates import PAIR
from churnlake.reentry.evidence import ASKED
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reference import SUBSCRIBERS


@dataclass(frozen=True)
class Weighed:
    """What is known of joiners at their stages.

    ``met`` (joiners.circles), whose number was changed ``together`` with others' and who is asked no more, every candidate ``found``, the ``links`` of this run
    (renumbered.links), and ``pairs`` that fit, with their evidence.
    """

    met: DataFrame
    together: DataFrame
    found: DataFrame
    links: DataFrame
    pairs: DataFrame


def weigh(
    new: DataFrame,
    due: DataFrame,
    own: DataFrame,
    tables: Mapping[Table, DataFrame],
    settings: ReentrySettings,
    checkpoint: Callable[[DataFrame], DataFrame],
    known_links: Callable[[DataFrame], DataFrame] = lambda links: links,
) -> Weighed:
    """One row per joiner, stage and candidate, with all evidence (reentry.pairs, but for the odds).

    Two looks: what the first finds beyond doubt tells who of the circles has a new number, and joiners who meet such a one are looked at again.

    Args:
        new: one row per joiner (joiners.began).
        due: one row per joiner and stage (joiners.at_stages).
        own: one row per user and day with an own event (joiners.own_days).
        tables: daily usage, edges, places and devices from ``joiners.first_day_needed`` on, signatures and peers of circles; daily forwards
            and subscribers where there are any: else calls sent on, documents, dealers and plans are no evidence.
        settings: definitions and limits.
        checkpoint: cuts a frame from the plan of its making.
        known_links: from the links of these days to all that are known, those of earlier runs among them.
    """
    met = checkpoint(joiners.circles(due, tables[EDGES]))
    others = elsewhere.away(tables[EDGES], settings, checkpoint)
    found, fit, told, old = _candidates(due, met, own, tables, settings, checkpoint, None)
    moved = evidence.moved_together(fit, met, old, new, own)
    first = checkpoint(_evidence(fit, met, told, old, others, tables, settings, checkpoint, None))
    links = checkpoint(renumbered.links(first, settings))

    linked = checkpoint(known_links(links))
    joined = checkpoint(renumbered.papers(only(new, linked.select("user_id")), tables.get(SUBSCRIBERS)))
    at_once = renumbered.at_once(links, linked, joined, settings)
    together = checkpoint(moved.unionByName(at_once).distinct())
    first = first.join(together, on=ASKED, how="left_anti")
    asked = met.join(together, on=ASKED, how="left_anti").withColumn("as_of", F.expr(candidates.AS_OF))
    again = checkpoint(renumbered.affected(asked, linked))
    due, met_again = (frame.join(again, on=ASKED, how="left_semi") for frame in (due, met))
    _, fit, told, old = _candidates(due, met_again, own, tables, settings, checkpoint, linked)
    second = _evidence(fit, met_again, told, old, others, tables, settings, checkpoint, linked)
    pairs = first.join(again, on=ASKED, how="left_anti").unionByName(second)
    return Weighed(met, together, found, links, pairs)


def _candidates(
    due: DataFrame,
    met: DataFrame,
    own: DataFrame,
    tables: Mapping[Table, DataFrame],
    settings: ReentrySettings,
    checkpoint: Callable[[DataFrame], DataFrame],
    linked: DataFrame | None,
) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame]:
    """Every candidate found, those that fit, the joiners' peers (candidates.telling) and the circles of those that fit (candidates.newest)."""
    document = checkpoint(candidates.by_document(due, tables[SUBSCRIBERS], settings)) if SUBSCRIBERS in tables else None
    told = checkpoint(candidates.telling(met, tables[PEERS], settings, linked))
    handset = checkpoint(candidates.by_handset(due, tables[DEVICES], tables[PLACES], settings))
    by_other = handset if document is None else handset.select(*PAIR).union(document.select(*PAIR))
    by_other = by_other.selectExpr("old_user_id as user_id")

    def circles(signatures: DataFrame) -> DataFrame:
        return candidates.newest(signatures, told, settings, linked, by_other)

    circle = candidates.by_circle(told, circles(tables[SIGNATURES]), settings)
    found = checkpoint(evidence.gather(circle, handset, document))
    fit = checkpoint(evidence.with_old_use(found, own, settings))
    asked = fit.select(F.expr(candidates.AS_OF).alias("as_of"), "old_user_id").distinct()
    # who fits is a part of a city: the circles of the others need not be moved
    theirs = only(tables[SIGNATURES], asked.selectExpr("old_user_id as user_id"))
    return found, fit, told, checkpoint(circles(theirs).join(asked, on=["as_of", "old_user_id"], how="left_semi"))


def _evidence(
    fit: DataFrame,
    met: DataFrame,
    told: DataFrame,
    old: DataFrame,
    others: DataFrame,
    tables: Mapping[Table, DataFrame],
    settings: ReentrySettings,
    checkpoint: Callable[[DataFrame], DataFrame],
    linked: DataFrame | None,
) -> DataFrame:
    """The candidates that fit with the evidence that is left to gather."""
    alike = checkpoint(evidence.likely(evidence.with_likeness(fit, told, old, settings), settings))
    beside = checkpoint(elsewhere.with_elsewhere(alike, met, old, others, settings, checkpoint))
    pairs = checkpoint(evidence.with_talk(beside, told, tables[EDGES], linked))
    pairs = checkpoint(habits.with_hours(habits.with_places(pairs, tables[PLACES], settings), tables[USAGE]))
    pairs = habits.with_register(pairs, tables.get(SUBSCRIBERS), tables[DEVICES])
    return habits.with_forwards(pairs, tables.get(FORWARDS))
