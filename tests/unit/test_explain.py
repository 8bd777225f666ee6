"""One pair explained: what its evidence adds up to, who else it could be, the verdict, and what can not be explained."""

import argparse
import datetime as dt
import hashlib
import io
import math
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console as RichConsole

from churnlake import explain as command
from churnlake.core.console import Console
from churnlake.core.contract import Table
from churnlake.core.errors import ChurnlakeError, MissingInputError, SettingsError
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import explain, odds
from churnlake.settings import Settings
from churnlake.tables.motives import MOTIVES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS, WEIGHTS
from churnlake.tables.reference import LIVES

SETTINGS = load(Settings, "local").reentry
JOIN = dt.date(2005, 3, 1)
USER, OLD, OTHER, RIVAL = -1234567890123456789, 77, 78, 51


def pair(user: int = USER, old: int = OLD, stage: int = 60, joined: dt.date = JOIN, **more: Any) -> dict[str, Any]:
    return {
        "user_id": user, "old_user_id": old, "stage_days": stage, "joined_on": joined, "known_on": joined + dt.timedelta(days=stage),
        "old_last_on": dt.date(2005, 2, 26), "gap_days": 3, "circle_score": 4.25, "hellinger": 0.61, "old_found": 0.4, "shared_peers": 7, "old_peers": 11,
        "new_found": 0.64, "still_met": 0.3, "ties_apart": 0.7, "work_overlap": 0.8, "level_share": 0.02, "kind": "full" if stage == 60 else "open", **more,
    }  # fmt: skip


LEARNT = [
    {"month": dt.date(2005, 3, 1), "stage_days": 60, "evidence": evidence, "level": level, "weight": weight, "joiners": 812}
    for evidence, level, weight in (
        ("intercept", "each", -4.37), ("circle_score", "each", 0.713), ("hellinger", "each", 1.9), ("old_circle", "each", -0.41), ("gap", "within a week", 0.77),
        ("gap", "later", -1.3), ("level", "silent", 0.93), ("work", "most", 1.1), ("handset", "two users", 4.2), ("talk", "in touch", -4.0),
    )
]  # fmt: skip
PAIRS_KNOWN = [
    *[pair(stage=stage) for stage in (7, 30, 60)],
    pair(old=OTHER, circle_score=3.9, hellinger=0.3),
    pair(old=79, kind="kept", level_share=0.9, circle_score=9.0),
    # the rival is known at day 30 by then, and at day 60 only later
    pair(user=RIVAL, stage=7, joined=dt.date(2005, 3, 20), circle_score=8.0),
    pair(user=RIVAL, stage=30, joined=dt.date(2005, 3, 20), circle_score=5.0),
    pair(user=RIVAL, stage=60, joined=dt.date(2005, 3, 20), circle_score=7.0),
]


class SmallLake:
    """Tables in memory, asked as the lake is."""

    def __init__(self, spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
        self.spark, self.tables = spark, tables

    def has(self, table: Table) -> bool:
        return table in self.tables

    def read(self, table: Table) -> DataFrame:
        return self.tables[table]

    @property
    def key(self) -> Any:
        """A key of two: the text's length, and one added."""

        class Lengths:
            def pseudonym(self, column: Column, kind: str) -> Column:
                assert kind == "user"
                return F.length(column).cast("bigint")

            def renewed(self, column: Column) -> Column:
                return column + 1

        return Lengths()


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> dict[Table, DataFrame]:
    """A joiner with three candidates and a rival, one that met hardly anybody, and one excluded."""
    known = rows(spark, PAIRS, *PAIRS_KNOWN).drop("odds")
    pairs = odds.with_odds_of_then(known, LEARNT, SETTINGS).select(PAIRS.names).localCheckpoint()
    of_joiner = [
        {"user_id": USER, "stage_days": stage, "joined_on": JOIN, "known_on": JOIN + dt.timedelta(days=stage), "scope": "scored", "peers": 9, "candidates": 3}
        for stage in (0, 7, 30, 60)
    ]  # fmt: skip
    of_joiner[0] |= {"scope": "too_little", "peers": 2, "candidates": 0}
    few = {**of_joiner[3], "user_id": 60, "scope": "too_little", "peers": 3}
    out = {**of_joiner[3], "user_id": 61, "scope": "excluded", "excluded_by": "together", "peers": 300}
    alone = {**of_joiner[3], "user_id": 62, "peers": 12}
    probable = odds.with_probability(pairs, pairs, SETTINGS)
    match = probable.where(f"user_id = {USER} AND old_user_id = {OLD} AND stage_days = 60")
    match = match.withColumns({"found_by": F.lit("circle"), "old_left_by": F.lit(None).cast("string")}).select(MATCHES.names)
    return {
        PAIRS: pairs,
        JOINERS: rows(spark, JOINERS, *of_joiner, few, out, alone).localCheckpoint(),
        WEIGHTS: rows(spark, WEIGHTS, *LEARNT).localCheckpoint(),
        MATCHES: match.localCheckpoint(),
        MOTIVES: rows(
            spark, MOTIVES, {"user_id": USER, "old_user_id": OLD, "motive": "brand", "held": ["brand", "plan"]}
        ).localCheckpoint(),
        LIVES: rows(spark, LIVES, {"user_id": 9}).localCheckpoint(),
    }


def said(spark: SparkSession, tables: dict[Table, DataFrame], *argv: str) -> str:
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    out = io.StringIO()
    lake: Any = SmallLake(spark, tables)
    command.explain(lake, SETTINGS, parser.parse_args(argv), Console(RichConsole(file=out, width=160, highlight=False)))
    return out.getvalue()


def test_parts_add_up_to_the_odds_of_the_pair(tables: dict[Table, DataFrame]) -> None:
    found = explain.with_parts(tables[PAIRS], LEARNT, SETTINGS).collect()
    assert len(found) == len(PAIRS_KNOWN)
    for row in found:
        total = 0.0
        for part in row.parts:
            total += part.adds
        assert total == row.log_odds, "to the last digit, added up in their order"
        assert row.odds_now == row.odds
        if row.kind != "kept":
            assert row.odds == pytest.approx(math.exp(total), rel=1e-9, abs=1e-9)
    final = {(row.user_id, row.old_user_id, row.stage_days): row for row in found}[(USER, OLD, 60)]
    told = {part.evidence: (part.value, part.weight) for part in final.parts}
    assert told["circle_score"] == ("4.25", 0.713)
    assert told["gap"] == ("within a week (3 days)", 0.77)
    assert told["level"] == ("silent (2 %)", 0.93)
    assert told["work"] == ("most (80 %)", 1.1)
    adds = {part.evidence: part.adds for part in final.parts}
    assert adds["circle_score"] == 0.713 * 4.25
    assert adds["old_circle"] == pytest.approx(-0.41 * math.log(12))


def staged(tables: dict[Table, DataFrame], old: int = OLD) -> dict[int, explain.Stage]:
    pairs = explain.with_parts(tables[PAIRS], LEARNT, SETTINGS).collect()
    told = [row.asDict(recursive=True) for row in pairs]
    joined = [row.asDict() for row in tables[JOINERS].where(f"user_id = {USER}").collect()]
    mine = [one for one in told if one["user_id"] == USER]
    of_old = [one for one in told if one["old_user_id"] == old]
    return {stage.stage_days: stage for stage in explain.stages(joined, mine, of_old, old, LEARNT, SETTINGS)}


def test_exclusion_is_that_of_the_detector(tables: dict[Table, DataFrame]) -> None:
    probable = odds.with_probability(tables[PAIRS], tables[PAIRS], SETTINGS).collect()
    of_then = {(row.user_id, row.old_user_id, row.stage_days): row.probability for row in probable}
    for old in (OLD, OTHER, 79):
        for days, stage in staged(tables, old).items():
            if stage.odds is not None:
                assert stage.probability == pytest.approx(of_then[(USER, old, days)], abs=1e-6)
    final = staged(tables)[60]
    assert [(rival.user_id, rival.stage_days) for rival in final.claims] == [(RIVAL, 30)], "as at its newest stage then"
    assert [rival.old_user_id for rival in final.others] == [OTHER, 79]
    assert final.alone > final.probability


def test_each_stage_tells_its_weights(tables: dict[Table, DataFrame]) -> None:
    found = staged(tables)
    assert (found[60].learnt_in, found[60].learnt_from) == (dt.date(2005, 3, 1), 812)
    # known on 31 March: what was learnt by its end was not there yet
    assert (found[30].known_on, found[30].learnt_in, found[30].learnt_from) == (dt.date(2005, 3, 31), None, 0)
    assert found[0].odds is None


def test_a_match_is_told_stage_by_stage(spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
    text = said(spark, tables, "--user", str(USER))
    assert f"Joiner {USER}, joined on 2005-03-01; old user {OLD}" in text
    assert "Day 0, known on 2005-03-01 (weights to start with)\nVerdict: too little evidence; people met so far: 2" in text
    assert "Day 60, known on 2005-04-30 (weights learnt by the end of March 2005 from 812 joiners)" in text
    assert "Verdict: match of probability" in text
    assert "found by the circle; full replacement" in text
    assert "Motive by rule: brand; also held: plan" in text
    assert "In words: 7 people it is in touch with" in text
    assert "settings were changed since" not in text
    one = said(spark, tables, "--user", str(USER), "--old", str(OTHER), "--stage", "60")
    assert "Day 30" not in one
    assert "Verdict: no match: " in one
    assert "is below 0.5 (reentry.least_probability)" in one
    assert "Motive" not in one


def test_a_second_number_is_told_as_no_reentry(spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
    text = said(spark, tables, "--user", str(USER), "--old", "79", "--stage", "60")
    assert "Verdict: no re-entry: the old number is used on at 90% of its level" in text
    assert "Alone: odds 0, probability 0.000" in text


def test_odds_made_under_other_settings_are_told(spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
    changed = tables[PAIRS].withColumn("odds", F.col("odds") * 2)
    text = said(spark, {**tables, PAIRS: changed}, "--user", str(USER), "--stage", "60")
    assert "settings were changed since" in text


def test_users_are_named_by_pseudonym_page_name_or_operators_id(spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
    short = hashlib.sha256(str(USER).encode()).hexdigest()[:8]
    old = hashlib.sha256(str(OTHER).encode()).hexdigest()[:8]
    assert f"Joiner {USER}" in said(spark, tables, "--user", short, "--old", old, "--stage", "60")
    # of 59 letters, renewed once
    with pytest.raises(MissingInputError, match="joiner 60 has no candidates"):
        said(spark, tables, "--user-id", "x" * 59)


@pytest.mark.parametrize(
    ("argv", "error", "told"),
    [
        (["--user", "4711"], MissingInputError, r"no user 4711 in reentry\.joiners or reference\.lives"),
        (["--user", "9"], MissingInputError, "user 9 is known, but no joiner"),
        (["--user", str(OLD)], MissingInputError, f"user {OLD} is an old user that joiners could be, no joiner"),
        (["--user", "60"], MissingInputError, "too little evidence: it had met 3 by day 60, and fewer than 5 tell nothing"),
        (["--user", "61"], MissingInputError, "joiner 61 has no candidates: excluded from re-entry: it moved to another number on one day"),
        (["--user", "62"], MissingInputError, "it had met 12 by day 60, and no old user shares a person, handset or document"),
        (["--user", str(USER), "--old", "5"], MissingInputError, f"old user 5 was never weighed for joiner {USER}.* 3 were, at day 60 most likely {OLD}, {OTHER}, 79"),
        (["--user", "13901234567x"], SettingsError, "--user 13901234567x: write a user_id of the lake"),
        (["--user", "abcdef01"], SettingsError, "a name of the pages"),
        (["--user", str(USER), "--stage", "45"], SettingsError, "--stage 45: the stages are 0, 3, 7, 30, 60"),
    ],
)  # fmt: skip
def test_what_can_not_be_explained_is_said(
    spark: SparkSession, tables: dict[Table, DataFrame], argv: list[str], error: type[ChurnlakeError], told: str
) -> None:
    with pytest.raises(error, match=told):
        said(spark, tables, *argv)


def test_likely_pairs_not_chosen_say_who_was(spark: SparkSession, tables: dict[Table, DataFrame]) -> None:
    # another joiner was given the old user before, and this one has nobody
    taken = tables[MATCHES].withColumn("user_id", F.lit(RIVAL).cast("bigint")).localCheckpoint()
    sure = tables[PAIRS].where(f"user_id = {USER} AND old_user_id = {OLD}")
    text = said(spark, {**tables, PAIRS: sure, MATCHES: taken}, "--user", str(USER), "--stage", "60")
    assert f"no match: joiner {RIVAL} has this old user since 2005-04-30" in text
    given = tables[MATCHES].withColumn("old_user_id", F.lit(OTHER).cast("bigint")).localCheckpoint()
    text = said(spark, {**tables, PAIRS: sure, MATCHES: given}, "--user", str(USER), "--old", str(OLD), "--stage", "60")
    assert f"no match: the joiner is matched to {OTHER} with probability" in text
