"""The hazard taught, judged and measured against the champion, as ``lesson`` does it for a target."""

from __future__ import annotations

import hashlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.tracking import Logged, Tracker
from churnlake.models.frame import divided, months, raw
from churnlake.models.hazard import AHEAD, LATER, LEAVE, REENTER, Hazard, check_outcomes, exits, fitted, outcomes
from churnlake.models.judge import measures
from churnlake.models.learners import LABEL
from churnlake.models.lesson import Learnt, Lesson, Row, said_before
from churnlake.models.profile import profile
from churnlake.models.promotion import FIRST, ranked, unfair, verdict
from churnlake.stats.gains import Gains, points
from churnlake.tables.judged import JUDGED

EXITS = {"leaves": LEAVE, "reenters": REENTER}


def learn_hazard(lesson: Lesson, tracker: Tracker, judged: DataFrame | None) -> Learnt:
    """Teach the hazard of leaving and re-entering and enter what came of it, as champion or challenger.

    The newest month of which the first month ahead is closed is tested on, the months before it teach.

    Args:
        lesson: what all targets are taught from.
        tracker: of the model.
        judged: churn.judged as it is, None where there is none.

    Raises:
        MissingInputError: too few months, features, leavers or users who came back.
        ContractError: what is to be taught leaks.
    """
    settings = lesson.settings
    if not {"has_churned", "has_churned_for_good"} <= set(lesson.labels.columns):
        raise MissingInputError("labels do not tell who came back under another number; run job label_churn")
    first = lesson.labels.where(F.col("target") == next(iter(AHEAD)))
    taken = lesson.taken(first)
    told = outcomes(lesson.labels)
    given = taken.features.select("month", "user_id", *raw(taken.numeric, taken.categories))
    rows = given.join(told, on=["month", "user_id"], how="inner")
    base = lesson.checkpoint(rows.repartition(settings.partitions, "user_id").sortWithinPartitions("user_id", "month", LATER))
    found = months(base)
    train, test = divided([month.month for month in found], settings)
    content = (found, train, test, taken.numeric, taken.categories, settings.hazard.model_dump(), settings.train_months)
    key = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    known = tracker.known(key)
    if known is not None and (again := said_before(judged, JUDGED, "hazard", known, lesson.known_on)):
        return Learnt([], again, f"nothing new to learn; version {known.version} was made of the very same")
    taught = base.where(F.col("month").isin(train) & F.col("at_risk"))
    check_outcomes(taught, settings.least_leavers)
    first_ahead = base.where(f"{LATER} = 0").withColumn(LABEL, (F.col(LABEL) == LEAVE).cast("double"))
    lesson.check(next(iter(AHEAD)), first_ahead, taken, train, test)
    known_of = profile(taught, taken.numeric, taken.categories, settings)
    if not known_of.columns:
        raise MissingInputError("no feature is filled and varies in the months trained on; run build_features for them again")
    model = fitted(taught, known_of, settings.hazard)
    numeric, categories = [n.name for n in known_of.numeric], [c.name for c in known_of.categories]
    asked = base.where(F.col("month") == F.lit(test))
    scored = lesson.checkpoint(exits(Hazard(model, numeric, categories), asked.withColumnRenamed(LATER, "at")))
    curves = _judged(scored)
    champion = tracker.champion()
    said = FIRST
    if champion is not None:
        reason = unfair(champion.tags, lesson.known_on, test)
        if reason is not None:
            said = reason
        else:
            pipeline, notes = tracker.load(champion.version)
            gone = [name for name in (*notes["numeric"], *notes["categories"]) if name not in asked.columns]
            if not gone:
                serving = Hazard(pipeline, list(notes["numeric"]), list(notes["categories"]))
                other = exits(serving, asked.where(f"{LATER} = 0").drop(LATER))
                both = scored.where("at = 0").select("user_id", LABEL, F.col("leaves_in_1m").alias("of_new")).join(
                    other.select("user_id", F.col("leaves_in_1m").alias("of_champion")), on="user_id", how="inner"
                )  # fmt: skip
                both = both.withColumn(LABEL, (F.col(LABEL) == LEAVE).cast("int"))
                said = verdict(champion.version, ranked(both, settings.promotion, settings.seed), settings.promotion)
    taught_in = [str(month) for month in train]
    versions, slices = lesson.data([*taught_in, str(test)], taken)
    logged = Logged(
        params={"train_months": ",".join(taught_in), "test_month": str(test), **{n: f"{v:g}" for n, v in settings.hazard.model_dump().items()}},
        metrics={f"{name}_{figure}": value for name, gains in curves.items() for figure, value in measures(gains).items() if value is not None},
        inputs=versions,
        slices=slices,
        notes={"numeric": numeric, "categories": categories},
    )  # fmt: skip
    names = [*numeric, LATER], categories
    version = lesson.entered(tracker, "hazard", model, key, names, [*taught_in, str(test)], said, logged)
    lines: list[Row] = [
        {
            "known_on": lesson.known_on,
            "target": "hazard",
            "part": "ahead",
            "value": name,
            "test_month": test,
            "rows": int(gains.rows.sum()),
            "positives": int(gains.positives.sum()),
            **measures(gains),
            "model_version": version.version,
        }
        for name, gains in curves.items()
    ]
    return Learnt(
        [],
        lines,
        f"version {version.version}, {said.alias or 'not entered'}: {said.why}",
        version.version if said.serves else None,
    )


def _judged(scored: DataFrame) -> dict[str, Gains]:
    """By month ahead and exit, how those active at the month's end are ranked: also of the second month, whoever left in the first."""

    def one(at: int, what: str, kind: int) -> Column:
        name = F.lit(f"{what} in month {at + 1}")
        return F.struct(
            name.alias("of"),
            F.col(f"{what}_in_{at + 1}m").alias("score"),
            (F.col(LABEL) == kind).cast("int").alias("hit"),
            F.lit(at).alias("of_at"),
        )

    each = F.array(*(one(at, what, kind) for at in (0, 1) for what, kind in EXITS.items()))
    rows = scored.select("at", F.explode(each).alias("one"))
    rows = rows.where("at = one.of_at").select("one.of", "one.score", "one.hit")
    steps = points(rows, "score", "hit", "of").collect()
    return {name: Gains.of(row for row in steps if row["of"] == name) for name in sorted({row["of"] for row in steps})}
