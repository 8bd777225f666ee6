"""What the pages show: aggregates of fixed size, made from the tables there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Indicator, Table
from churnlake.core.incidents import failing_since, files_of_days
from churnlake.core.lineage import Lineage
from churnlake.core.openlineage import Columns
from churnlake.core.runs import RUNS
from churnlake.site import cards, circles, control, joining, runs, stages, staying
from churnlake.site.monthly import joiners_by_month, leavings_by_month, matches_by_month, newest_rows, rows_as, users_by_month
from churnlake.site.samples import shapes
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import LEAVINGS, MODELS, NEXT_MONTH
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import ACCOUNT_DAY, RECORDS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import ABNORMAL, OUTLIERS, SELECTION
from churnlake.tables.meanings import in_words
from churnlake.tables.motives import MOTIVE_SHARES
from churnlake.tables.quality import CHECKS
from churnlake.tables.quality import SCORES as QUALITY_SCORES
from churnlake.tables.raw import FILES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import OPT_OUTS, OPTED_OUT

TOP = 20
"""Rows of a ranked table on a page."""
DAYS_SHOWN = 35
"""Days of checks and scores on the quality page: five weeks."""
REASONS_SHOWN = 40
FILES_NAMED = 3
"""Files named beside a failed check."""
FITS_SHOWN = 40
SHORT_NAME = "substring(sha2(cast({0} as string), 256), 1, 8)"
"""How a user is called on a page: the first 8 hex digits of the hash of the (already pseudonymous) user_id."""


@dataclass(frozen=True)
class Step:
    """One job as lineage knows it: the tables it reads and writes."""

    job: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    meaning: str = ""

    @classmethod
    def of(cls, lineage: Lineage) -> tuple[Step, ...]:
        """The jobs in the order they run."""
        return tuple(
            cls(j.name, tuple(t.name for t in j.inputs), tuple(t.name for t in j.writes), j.meaning) for j in lineage.jobs
        )


@dataclass(frozen=True)
class SiteData:
    """All inputs of the pages. A frame is None where the table it is made from is absent; the page then says so.

    Attributes:
        last: Last day the site covers.
        tables: The contract of every table.
        views: Indicators by business view.
        steps: The jobs in the order they run.
        files: feed, files, lines, rows_due, unreadable_files.
        records: feed, day, state, rows. users: month, users, own_events.
        reasons: feed, reason, state, rows; the most frequent.
        joiners: month, stage_days, scope, users; each joiner at the latest stage it has reached.
        matches: month, kind, found_by, has_same_imei, rows; at each match's latest stage.
        probabilities: bin (lower edge, width 0.05), found_by, rows. gaps: bin (lower edge, 10 days), kind, rows.
        cases: The likeliest matches.
        groups: month, size, groups, users, ties, pairs, triangles, ties_out, seeds.
        members: month, size, has_left, users; members of groups by what became of them in the month after.
        spread: left (neighbours known to have left), has_left, users; every month whose outcome is known.
        motive_shares: Rows of reentry.motive_shares of the newest month.
        leavings: month, kind, brand, users, returned (matched as old user of a joiner).
        fits: Rows of churn.models, newest first.
        learners, judged, moved: As made in site/cards.py.
        scores: month, bin (lower edge, width 0.02), users; newest month scored.
        ranked: The users likeliest to leave in the newest month scored.
        cells: month, cell, priority, arm, users, at_stake_yuan; newest month listed.
        selection: Rows of features.selection of the newest month understood.
        selected: month, indicators; how many were selected for models, every month understood.
        drifts: month, drift, indicators; how many drifted, every month understood.
        outliers, abnormal: Rows of features.outliers of that month, of features.abnormal of the newest.
        checks, quality: Rows of quality.checks and of quality.scores of the newest day judged.
        states: day, table_name, errors, warnings; checks failed, for the days shown.
        failing: table_name, check_name, column_name, since; each check that fails, since when without a break.
        trend: day, dimension, score; mean over tables, for the days shown.
        carriers: feed, place, path, note, rows, bad_rows, files; the files that explain the newest day judged best, of so many.
        by_file: feed, path, column, reason, rows, shapes; where rows were set aside in the last week judged, the most first.
        joining_verdicts: month, verdict, named_by, users; activations checked at the counter. joining_outcomes: stage_days, verdict,
            named_by, outcome, users; what was found of them since.
        joining_reminders: reminder, users. joining_bonuses: state, users, yuan.
        joining_delays: seconds (half and 19 in 20 of rows, from their file's arrival until they are seen), files; one row.
        steps_told, gross_adds, net_adds, plan_moves, funnels, clawbacks: As made in site/control.py.
        outcomes, bucket, cohorts, survival, silences: As made in site/staying.py.
        transitions, signs_told, forecasts_judged, lead_times, cause_months: As made in site/stages.py.
        runs: The newest rows of the run log, as site/runs.py takes them.
        columns: By table, what its columns come from, where runs left events of lineage.
        evaluation: What the detector found of what was planted, where the city is made up; else None.
        docs_link: From the pages to Great Expectations' Data Docs; empty when there are none.
        held_back: By table, slices that a gate withheld or a check withdrew: readers do not see them until released.
        least: Persons that a figure must be over to be shown.
    """

    last: dt.date
    tables: tuple[Table, ...] = ()
    views: Mapping[str, Sequence[Indicator]] | None = None
    steps: tuple[Step, ...] = ()
    files: pd.DataFrame | None = None
    records: pd.DataFrame | None = None
    reasons: pd.DataFrame | None = None
    users: pd.DataFrame | None = None
    joiners: pd.DataFrame | None = None
    matches: pd.DataFrame | None = None
    probabilities: pd.DataFrame | None = None
    gaps: pd.DataFrame | None = None
    cases: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    members: pd.DataFrame | None = None
    spread: pd.DataFrame | None = None
    motive_shares: pd.DataFrame | None = None
    leavings: pd.DataFrame | None = None
    fits: pd.DataFrame | None = None
    learners: pd.DataFrame | None = None
    judged: pd.DataFrame | None = None
    moved: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    ranked: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    selection: pd.DataFrame | None = None
    selected: pd.DataFrame | None = None
    drifts: pd.DataFrame | None = None
    outliers: pd.DataFrame | None = None
    abnormal: pd.DataFrame | None = None
    checks: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None
    states: pd.DataFrame | None = None
    failing: pd.DataFrame | None = None
    trend: pd.DataFrame | None = None
    carriers: pd.DataFrame | None = None
    by_file: pd.DataFrame | None = None
    joining_verdicts: pd.DataFrame | None = None
    joining_outcomes: pd.DataFrame | None = None
    joining_reminders: pd.DataFrame | None = None
    joining_bonuses: pd.DataFrame | None = None
    joining_delays: pd.DataFrame | None = None
    steps_told: pd.DataFrame | None = None
    gross_adds: pd.DataFrame | None = None
    net_adds: pd.DataFrame | None = None
    plan_moves: pd.DataFrame | None = None
    funnels: pd.DataFrame | None = None
    clawbacks: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    bucket: pd.DataFrame | None = None
    cohorts: pd.DataFrame | None = None
    survival: pd.DataFrame | None = None
    silences: pd.DataFrame | None = None
    transitions: pd.DataFrame | None = None
    signs_told: pd.DataFrame | None = None
    forecasts_judged: pd.DataFrame | None = None
    lead_times: pd.DataFrame | None = None
    cause_months: pd.DataFrame | None = None
    runs: pd.DataFrame | None = None
    columns: Mapping[str, Columns] = field(default_factory=dict)
    evaluation: Mapping[str, Any] | None = None
    docs_link: str = ""
    held_back: Mapping[str, Sequence[str]] = field(default_factory=dict)
    least: int = 1


def aggregates(
    frames: Mapping[Table, DataFrame], reveal: Callable[[Column], Column] | None = None, least: int = 1
) -> dict[str, DataFrame]:
    """By field of SiteData, the small frame that fills it; only those whose tables are there.

    Args:
        frames: The tables there are. Of clean tables every row with its state (the ledger), of others what readers see. Files that came
            again, the same as one before, are not told of.
        reveal: From an encrypted line to the line; without it the shapes of broken lines are not shown.
        least: Rows that no shape of a line is shown of when there are fewer.
    """
    if FILES in frames:
        frames = {**frames, FILES: frames[FILES].where("same_as IS NULL")}
    found: dict[str, DataFrame] = {**joining.aggregates(frames), **circles.aggregates(frames)}
    found |= {**stages.aggregates(frames), **staying.aggregates(frames), **cards.aggregates(frames)}
    if RUNS in frames:
        found["runs"] = runs.newest(frames[RUNS])
    if FILES in frames:
        found["files"] = files_by_feed(frames[FILES])
    ledgers = {table: frames[table] for table in RECORDS if table in frames}
    if ledgers:
        found["records"] = records_by_day(ledgers)
        found["reasons"] = reasons_by_feed(ledgers)
    if USAGE in frames:
        found["users"] = users_by_month(frames[USAGE])
    if JOINERS in frames:
        found["joiners"] = joiners_by_month(frames[JOINERS])
    if MATCHES in frames:
        latest = latest_matches(frames[MATCHES], frames.get(JOINERS))
        found["matches"] = matches_by_month(latest)
        twentieths = F.expr("least(floor(probability * 20), 19) / 20").alias("bin")
        found["probabilities"] = latest.groupBy(twentieths, F.col("found_by")).agg(rows_as())
        tens = F.expr("cast(floor(gap_days / 10) * 10 as int)").alias("bin")
        found["gaps"] = latest.groupBy(tens, F.col("kind")).agg(rows_as())
        found["cases"] = likeliest_matches(_willing(_willing(latest, frames, "user_id"), frames, "old_user_id"))
    if MOTIVE_SHARES in frames:
        found["motive_shares"] = newest_rows(frames[MOTIVE_SHARES], "month")
    if LEAVINGS in frames:
        matched = latest_matches(frames[MATCHES], frames.get(JOINERS)) if MATCHES in frames else None
        found["leavings"] = leavings_by_month(frames[LEAVINGS], matched)
    if MODELS in frames:
        fits = frames[MODELS].where(F.col("target") == NEXT_MONTH)
        found["fits"] = fits.orderBy(F.desc("known_on"), F.desc("is_champion"), "learner").limit(FITS_SHOWN)
    if CHURN_SCORES in frames:
        newest = newest_rows(frames[CHURN_SCORES].where(F.col("target") == NEXT_MONTH), "month")
        fiftieths = F.expr("least(floor(probability * 50), 49) / 50").alias("bin")
        found["scores"] = newest.groupBy(F.col("month"), fiftieths).agg(rows_as("users"))
        found["ranked"] = likeliest_leavers(_willing(newest, frames, "user_id"), frames.get(LISTS))
    if LISTS in frames:
        listed = newest_rows(frames[LISTS], "month").groupBy("month", "cell", "priority", "arm")
        found["cells"] = listed.agg(rows_as("users"), F.expr("cast(sum(at_stake_yuan) as double) as at_stake_yuan"))
    if SELECTION in frames:
        found["selection"] = newest_rows(frames[SELECTION], "month")
        found["selected"] = frames[SELECTION].where("role = 'modelling'").groupBy("month").agg(rows_as("indicators"))
        moved = frames[SELECTION].where("drift is not null").groupBy("month", "drift")
        found["drifts"] = moved.agg(rows_as("indicators"))
        if OUTLIERS in frames:
            found["outliers"] = frames[OUTLIERS].join(found["selection"].select("month").distinct(), on="month", how="left_semi")
    if ABNORMAL in frames:
        found["abnormal"] = newest_rows(frames[ABNORMAL], "month")
    if CHECKS in frames:
        checks = frames[CHECKS]
        found["checks"] = newest_rows(checks, "day")
        recent = _recent(checks, checks, DAYS_SHOWN)
        failed = "count_if(not has_passed and severity = '{0}')"
        found["states"] = recent.groupBy("day", "table_name").agg(
            F.expr(f"{failed.format('error')} as errors"), F.expr(f"{failed.format('warn')} as warnings")
        )
        found["failing"] = failing_since(checks)
        if ledgers and FILES in frames:
            found["carriers"] = carriers(ledgers, frames[FILES], checks)
            found["by_file"] = faults_by_file(ledgers, frames[FILES], checks, reveal, least)
    if QUALITY_SCORES in frames:
        scores = frames[QUALITY_SCORES]
        found["quality"] = newest_rows(scores, "day")
        found["trend"] = _recent(scores, scores, DAYS_SHOWN).groupBy("day", "dimension").agg(F.avg("score").alias("score"))
    shown_singly = partial(_willing, frames=frames, user="user_id")
    return {**found, **control.aggregates(frames, SHORT_NAME, shown_singly)}


def collect(
    frames: Mapping[Table, DataFrame], last: dt.date, reveal: Callable[[Column], Column] | None = None, **others: Any
) -> SiteData:
    """The data of the site. ``others`` are fields of SiteData that no table holds: tables, views, steps, evaluation, docs_link, least.

    Every frame collected is an aggregate or a top list: its size does not grow with the number of users or records.
    """
    shown: dict[str, Any] = {name: frame.toPandas() for name, frame in aggregates(frames, reveal, others.get("least", 1)).items()}
    return SiteData(last=last, **shown, **others)


def files_by_feed(files: DataFrame) -> DataFrame:
    """One row per feed: files, lines counted apart from Spark, rows due from them, files that could not be read."""
    return files.groupBy("feed").agg(
        F.expr("count(1) as files"),
        F.expr("sum(lines) as lines"),
        F.expr("sum(if(note is null, lines * rows_per_line, 0)) as rows_due"),
        F.expr("count_if(note is not null) as unreadable_files"),
    )


def records_by_day(ledgers: Mapping[Table, DataFrame]) -> DataFrame:
    """One row per feed, day and state: rows. A row set aside whose day cannot be meant counts on its delivery day."""
    day = F.expr(ACCOUNT_DAY).alias("day")
    parts = [
        ledger.groupBy(F.lit(_feed(table)).alias("feed"), day, F.col("state")).agg(rows_as()) for table, ledger in ledgers.items()
    ]
    return reduce(DataFrame.unionByName, parts)


def reasons_by_feed(ledgers: Mapping[Table, DataFrame]) -> DataFrame:
    """One row per feed, state and reason: rows that give it, the most frequent first. A row may give several."""
    parts = [
        ledger.where("size(reasons) > 0")
        .select(F.lit(_feed(table)).alias("feed"), "state", F.explode("reasons").alias("reason"))
        .groupBy("feed", "state", "reason")
        .agg(rows_as())
        for table, ledger in ledgers.items()
    ]
    return reduce(DataFrame.unionByName, parts).orderBy(F.desc("rows"), "feed", "reason", "state").limit(REASONS_SHOWN)


def carriers(ledgers: Mapping[Table, DataFrame], files: DataFrame, checks: DataFrame) -> DataFrame:
    """One row per feed and file among those that explain the newest day judged best."""
    newest = {
        _feed(table): _newest_of(ledger.withColumn("day", F.expr(ACCOUNT_DAY)), checks, "day")
        for table, ledger in ledgers.items()
    }
    return _newest_of(files_of_days(newest, files, FILES_NAMED), checks, "day").drop("day")


def faults_by_file(
    ledgers: Mapping[Table, DataFrame],
    files: DataFrame,
    checks: DataFrame,
    reveal: Callable[[Column], Column] | None = None,
    least: int = 1,
) -> DataFrame:
    """One row per feed, file and reason of the last week judged: the column blamed, rows set aside, shapes of lines; most first."""
    week = {
        _feed(table): _recent(ledger.where("state = 'bad'").withColumn("day", F.expr(ACCOUNT_DAY)), checks, 7)
        for table, ledger in ledgers.items()
    }
    parts = [
        rows.select(F.lit(feed).alias("feed"), "file_id", F.explode("reasons").alias("reason"))
        .groupBy("feed", "file_id", "reason")
        .agg(rows_as())
        for feed, rows in week.items()
    ]
    named = files.select("feed", "file_id", "path")
    order = (F.desc("rows"), "path", "reason")
    worst = reduce(DataFrame.unionByName, parts).join(named, on=["feed", "file_id"], how="inner").orderBy(*order).limit(TOP)
    if reveal is None:
        worst = worst.withColumn("shapes", F.lit(None).cast("array<string>"))
    else:
        worst = worst.join(shapes(week, worst, reveal, least), on=["feed", "file_id", "reason"], how="left")
    blamed = "if(reason like '%:%', '', split(reason, ' ')[0]) as column"
    return worst.orderBy(*order).selectExpr("feed", "path", blamed, "reason", "rows", "shapes")


def latest_matches(matches: DataFrame, joiners: DataFrame | None) -> DataFrame:
    """One row per joiner matched at the latest stage it has reached; an early match not upheld later is left out."""
    reached = (matches if joiners is None else joiners).groupBy("user_id").agg(F.max("stage_days").alias("stage_days"))
    return matches.join(reached, on=["user_id", "stage_days"], how="left_semi")


def likeliest_matches(latest: DataFrame) -> DataFrame:
    """One row per match among the likeliest: short names, evidence, probability."""
    ordered = latest.orderBy(F.desc("probability"), F.desc("shared_peers"), "user_id").limit(TOP)
    return ordered.selectExpr(
        f"{SHORT_NAME.format('user_id')} as new_user",
        f"{SHORT_NAME.format('old_user_id')} as old_user",
        *("joined_on", "old_last_on", "gap_days", "shared_peers", "old_peers", "new_found", "place_overlap"),
        *("has_same_imei", "has_same_document"),
        *("found_by", "kind", "probability"),
    )


def likeliest_leavers(scores: DataFrame, lists: DataFrame | None) -> DataFrame:
    """One row per user at the top of the ranking: short name, probability, reasons, and its cell where it is listed."""
    top = scores.where(F.col("place") <= TOP)
    if lists is None:
        absent = {"cell": "string", "priority": "string", "value_yuan": "double"}
        named = top.withColumns({name: F.lit(None).cast(kind) for name, kind in absent.items()})
    else:
        cells = lists.select("month", "user_id", "cell", "priority", F.col("value_yuan").cast("double").alias("value_yuan"))
        named = top.join(cells, on=["month", "user_id"], how="left")
    named = named.withColumns({"user": F.expr(SHORT_NAME.format("user_id")), "reasons": in_words(F.col("reasons"))})
    return named.select("month", "place", "user", "probability", "reasons", "cell", "priority", "value_yuan").orderBy("place")


def _willing(rows: DataFrame, frames: Mapping[Table, DataFrame], user: str) -> DataFrame:
    """The rows without those of users who chose to be left alone: they count, but are shown one by one nowhere."""
    if OPT_OUTS not in frames:
        return rows
    choices = frames[OPT_OUTS].where("state = 'good'").groupBy(F.col("user_id").alias(user))
    return rows.join(choices.agg(F.expr(OPTED_OUT).alias("is_out")).where("is_out").select(user), on=user, how="left_anti")


def _newest_of(frame: DataFrame, judged: DataFrame, by: str) -> DataFrame:
    """The rows of the newest day judged."""
    return frame.join(F.broadcast(judged.agg(F.max(by).alias(by))), on=by, how="left_semi")


def _recent(frame: DataFrame, judged: DataFrame, days: int) -> DataFrame:
    """The rows of the last so many days up to the newest judged."""
    newest = F.broadcast(judged.agg(F.max("day").alias("newest_day")))
    near = F.expr(f"day between date_sub(newest_day, {days - 1}) and newest_day")
    return frame.join(newest, on=near, how="inner").drop("newest_day")


def _feed(table: Table) -> str:
    return table.name.partition(".")[2]
