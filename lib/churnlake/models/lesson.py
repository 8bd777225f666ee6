"""One target taught, judged and measured against the champion: what goes into the registry, and what the tables say of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.logs import revision
from churnlake.core.tracking import CHAMPION, Logged, Tracker, Version
from churnlake.indicators import VIEWS
from churnlake.models.card import card
from churnlake.models.examine import examined
from churnlake.models.fit import Contributions
from churnlake.models.frame import (
    BESIDE,
    features_of,
    labelled,
    modelling,
    raw,
    selected,
    selected_in,
    taught_months,
    with_beside,
)
from churnlake.models.gate import Brought, leaks, newest_month, refuse
from churnlake.models.leaking_rows import Timeline
from churnlake.models.learners import LABEL
from churnlake.models.parts import BRAND, VALUE, judged_rows
from churnlake.models.pictures import pictures
from churnlake.models.promotion import FIRST, Verdict, compared, unfair, verdict
from churnlake.models.search import Checkpoint
from churnlake.models.settings import ModelsSettings
from churnlake.models.train import Material, Trained, material, taught, told
from churnlake.models.watch import reference
from churnlake.models.winback import WINBACK
from churnlake.tables.churn import LABELS, MODELS
from churnlake.tables.circles import MEMBERS, NEIGHBOURS
from churnlake.tables.features import DECLINES, MONTHLY, SELECTION
from churnlake.tables.judged import JUDGED
from churnlake.tables.reference import OPT_OUTS
from churnlake.tables.stages import STAGES_AT_END

GROUPS = {
    **{view: [i.name for i in indicators] for view, indicators in VIEWS.items()},
    "circles": [*features_of(NEIGHBOURS)[0], *features_of(MEMBERS)[0]],
    "declines": features_of(DECLINES)[0],
    "stages": features_of(STAGES_AT_END)[0],
}
"""Features by group: the views of the indicators, the circles, falls of own use, and the stage of leaving."""
GIVEN = (MONTHLY, *BESIDE, LABELS)
"""Inputs of which the months taught and tested are read."""
Row = dict[str, Any]
Names = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Tiers:
    """What a customer's value is read from, and the share of customers below the high tier."""

    feature: str
    high_quantile: float


@dataclass(frozen=True)
class Taken:
    """Features with what stands beside them, the names of those that models take, and the month of the selection that says so."""

    features: DataFrame
    numeric: list[str]
    categories: list[str]
    selected_in: dt.date | None


@dataclass(frozen=True)
class Learnt:
    """Rows of churn.models and churn.judged, a line for people, and the version that serves from now on where there is a new one."""

    models: list[Row]
    judged: list[Row]
    told: str
    promoted: str | None = None


def asked(tracker: Tracker) -> list[str]:
    """The columns that the champion takes; none while there is no champion."""
    champion = tracker.champion()
    notes = tracker.notes(champion.version) if champion else {"numeric": (), "categories": ()}
    return [*notes["numeric"], *notes["categories"]]


def offered(features: DataFrame, selection: DataFrame, labels: DataFrame, kept: Collection[str]) -> DataFrame:
    """The features of labelled months, and of the newest, that any selection gives to models, and columns ``kept`` for other reasons; keys stay."""
    months = [row["month"] for row in labels.select("month").distinct().collect()]
    newest = newest_month(features)
    months += [newest] if newest else []
    names = {"month", "user_id", *modelling(selection, MONTHLY), *kept}
    return features.where(F.col("month").isin(months)).select([name for name in features.columns if name in names])


@dataclass(frozen=True)
class Lesson:
    """What all targets are taught from, as known on a day: features, labels, the selection of indicators, and what stands beside it.

    ``more`` are the tables of BESIDE that there are; ``versions`` the Delta versions of the tables read, by name, which grow as tables are read.
    For the gate: ``asked`` is SQL of whom scoring asks about, and ``closes_on`` tells when labels of a month and target are settled.
    """

    features: DataFrame
    labels: DataFrame
    selection: DataFrame
    more: Mapping[Table, DataFrame]
    known_on: dt.date
    settings: ModelsSettings
    tiers: Tiers
    least_shown: int
    checkpoint: Checkpoint
    versions: Mapping[str, int]
    asked: str | None = None
    closes_on: Callable[[dt.date, str], dt.date] | None = None

    def learnt(self, target: str, tracker: Tracker, models: DataFrame | None, judged: DataFrame | None) -> Learnt:
        """Teach a target and enter what came of it, as champion or challenger; nothing is fitted where all that goes in is known.

        Args:
            target: one of TARGETS.
            tracker: of its model.
            models: churn.models as it is, None where there is none.
            judged: churn.judged as it is.

        Raises:
            MissingInputError: too few months, leavers or features.
            ContractError: what is to be taught leaks.
        """
        champion = tracker.champion()
        asked = Contributions.from_notes(tracker.notes(champion.version)) if champion else Contributions({}, {})
        given, taken, gone = self._material(target, asked)
        known = tracker.known(given.training_key)
        if known is not None and (again := self._again(target, known, known == champion, models, judged)):
            return again
        self.check(target, given.rows, taken, [month.month for month in given.split.train], given.split.test.month)
        trained = taught(given, self.settings)
        seen = examined(trained, given, self.settings, self.tiers.high_quantile, GROUPS)
        if known is not None and champion is not None:
            said = Verdict(CHAMPION if known == champion else None, known.tags.get("verdict", "the registry knew it already"))
        else:
            said = self._verdict(trained, given, champion, gone, tracker)
        months = [str(month.month) for month in (*given.split.train, given.split.test)]
        versions, slices = self.data(months, taken)
        texts = {
            "card.md": card(
                target, self.known_on, trained, seen, said, versions, slices, revision(), self.settings, self.least_shown
            )
        }
        logged = Logged(
            params={**trained.params(), "target": target, "label": self.settings.label},
            metrics={**trained.metrics(), **seen.metrics(self.settings)},
            inputs=versions,
            slices=slices,
            notes={
                **trained.contributions.to_notes(),
                "importance": seen.importance,
                "drift": reference(
                    given.taught(self.settings),
                    min(given.split.rows, self.settings.most_train_rows),
                    trained.serving,
                    trained.profile,
                    self.settings.drift,
                    self.settings.seed,
                ),
            },
            tags={"learner": trained.champion.learner},
            trials=trained.trials,
            texts=texts,
            pictures=pictures(seen.whole),
            judged=trained.judging,
        )
        names = [*trained.numeric], [*trained.categories]
        version = self.entered(tracker, target, trained.serving, trained.training_key, names, months, said, logged)
        return Learnt(
            told(trained, target, self.known_on, version.version, said.serves, said.why),
            judged_rows(self.known_on, target, version.version, given.split.test.month, seen.parts, self.settings.profit),
            f"{trained.champion.learner} is version {version.version}, {said.alias or 'not entered'}: {said.why}"
            + (f"; features hardly filled or always the same: {', '.join(trained.unusable)}" if trained.unusable else ""),
            version.version if said.serves else None,
        )

    def entered(
        self, tracker: Tracker, target: str, pipeline: PipelineModel, key: str, names: Names, months: list[str], said: Verdict, logged: Logged
    ) -> Version:  # fmt: skip
        """A model as a new version in the registry, under the alias the verdict gives it, or the version that was made of the very same.

        Args:
            tracker: of the model.
            target: what it foretells.
            pipeline: from raw columns to what it foretells.
            key: of all that went in.
            names: the numbers and the texts it takes.
            months: those taught, then the one tested on; where the model as judged is kept, what serves was taught all of them.
            said: whether it serves, and why.
            logged: what is kept beside it; the target, the day, the months and the verdict go along.
        """
        on = str(self.known_on)
        tags = {
            "target": target,
            "known_on": on,
            "train_months": ",".join(months[:-1]),
            "test_month": months[-1],
            "taught_months": ",".join(months[:-1] if logged.judged is None else months),
            "verdict": said.why,
        }
        return tracker.log_model(
            pipeline,
            f"{tracker.name} {on}",
            training_key=key,
            numeric=names[0],
            categories=names[1],
            alias=said.alias,
            logged=replace(logged, notes={**logged.notes, "known_on": on}, tags={**tags, **logged.tags}),
        )

    def taken(self, labels: DataFrame) -> Taken:
        """What models of these labels take. Raises MissingInputError where nothing is labelled or selected."""
        newest = taught_months(self.features, labels, self.settings)[-1]
        numeric, categories = selected(self.selection, newest, MONTHLY)
        features, known = with_beside(self.features, self.more)
        return Taken(features, [*numeric, *known], categories, selected_in(self.selection, newest))

    def check(self, target: str, rows: DataFrame, taken: Taken, taught: Sequence[dt.date], asked: dt.date) -> None:
        """Refuse what leaks: the gate before anything is fitted.

        Args:
            target: one of TARGETS, of which labels there are.
            rows: one row per user and month whose outcome is known: month, user_id, label, features.
            taken: the features.
            taught: months to teach with.
            asked: the month tested on.

        Raises:
            ContractError: the leaks, each with why and what to do.
        """
        outcome = F.col(self.settings.label).cast("double").alias(LABEL)
        known_on = [name for name in ("known_on",) if name in self.labels.columns]
        labels = self.labels.where(F.col("target") == target).select("month", "user_id", outcome, *known_on)
        waiting, closes_on = None, None
        # contacts are closed one by one, and who is asked of them is no part of those active
        if target != WINBACK:
            if self.asked is not None:
                waiting = taken.features.where(self.asked)
                waiting = waiting.select("month", "user_id", *raw(taken.numeric, taken.categories))
            if (settled := self.closes_on) is not None:
                closes_on = lambda month: settled(month, target)  # noqa: E731
        line = Timeline(
            self.known_on,
            tuple(taught),
            asked,
            self.settings.gap_months,
            taken.selected_in,
            newest_month(self.features),
            closes_on,
        )
        given = Brought(rows, labels, waiting, tuple(taken.numeric), tuple(taken.categories), line)
        refuse(leaks(given, self.settings.leakage, self.settings.seed), target)

    def _material(self, target: str, asked: Contributions) -> tuple[Material, Taken, list[str]]:
        """What is taught, and the columns that the champion asks for and are gone."""
        labels = self.labels.where(f"target = '{target}'")
        if target == WINBACK and labels.isEmpty():
            raise MissingInputError("no contact that is closed has reached a user known to have left")
        taken = self.taken(labels)
        columns, numeric, categories = taken.features.columns, taken.numeric, taken.categories
        more = [name for name in asked.numeric if name not in numeric and name in columns]
        others = [name for name in asked.categories if name not in categories and name in columns]
        parted = {BRAND: F.col("brand").cast("string"), VALUE: F.col(self.tiers.feature).cast("double")}
        frame = labelled(taken.features, labels, self.settings.label, [*numeric, *more], [*categories, *others], parted)
        gone = [name for name in (*asked.numeric, *asked.categories) if name not in columns]
        return material(frame, numeric, categories, self.settings, self.checkpoint), taken, gone

    def data(self, months: list[str], taken: Taken) -> tuple[dict[str, int], dict[str, list[str]]]:
        """By input read its version, and which slices or months of it went in."""
        slices = {table.name: months for table in GIVEN} | {
            SELECTION.name: [str(taken.selected_in or "")],
            OPT_OUTS.name: [f"to {self.known_on}"],
        }
        versions = {name: version for name, version in self.versions.items() if name in slices}
        return versions, {name: slices[name] for name in versions}

    def _verdict(self, trained: Trained, given: Material, champion: Version | None, gone: list[str], tracker: Tracker) -> Verdict:
        if champion is None:
            return FIRST
        reason = unfair(champion.tags, self.known_on, given.split.test.month)
        if reason is not None:
            return reason
        if gone:
            return Verdict(CHAMPION, f"champion {champion.version} asks for columns that are gone: {', '.join(gone)}")
        # on a month that what serves was taught since, it is as it was judged
        is_taught = str(given.split.test.month) in champion.tags.get("taught_months", "").split(",")
        pipeline = tracker.judged(champion.version) if is_taught else tracker.load(champion.version)[0]
        found = compared(trained.judging, pipeline, given.newest, self.settings.promotion, self.settings.seed)
        return verdict(champion.version, found, self.settings.promotion)

    def _again(
        self, target: str, known: Version, serves: bool, models: DataFrame | None, judged: DataFrame | None
    ) -> Learnt | None:
        """What was said of that version before, said as of today; None where the tables have lost it."""
        found = [said_before(frame, table, target, known, self.known_on) for frame, table in ((models, MODELS), (judged, JUDGED))]
        if not all(found):
            return None
        rows = [{**row, "is_champion": serves and row["verdict"] is not None} for row in found[0]]
        return Learnt(rows, found[1], f"nothing new to learn; version {known.version} was made of the very same")


def said_before(frame: DataFrame | None, table: Table, target: str, known: Version, today: dt.date) -> list[Row]:
    """What the table said last of that version of a target, as of today; none where it says nothing."""
    if frame is None:
        return []
    rows = frame.where((F.col("target") == target) & (F.col("model_version") == known.version))
    latest = rows.agg(F.max("known_on").alias("known_on")).first()
    if latest is None or latest["known_on"] is None:
        return []
    kept = rows.where(F.col("known_on") == F.lit(latest["known_on"])).collect()
    return [{**{name: row[name] for name in table.names}, "known_on": today} for row in kept]
