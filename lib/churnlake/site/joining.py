"""The page of the joining check: what was said at the counter, how fast, and what handset and circle said of it since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import disclosed, is_small, told
from churnlake.stats.proportions import wilson_of
from churnlake.tables.joining import BONUS_REVIEWS, COUNTER_REMINDERS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.raw import FILES, RAW_ACTIVATIONS

if TYPE_CHECKING:
    from churnlake.site.data import SiteData

Context = dict[str, Any]
VERDICTS = {
    "known": "one user named",
    "several": "several users named",
    "contradicted": "number of somebody with another document",
    "new": "nobody named",
    "untold": "nothing to tell by",
}
WAYS = {"both": "document and number", "document": "document alone", "number": "stated number alone"}
RESULTS = {"confirmed": "confirmed", "not_confirmed": "not confirmed", "too_little": "too little to tell"}
REMINDERS = {
    "brand_change": "the brand can be changed without a new number",
    "number_choice": "numbers can be chosen at the counter",
    "sim_replacement": "a lost SIM is replaced for 15 yuan",
    "none": "no reminder",
}
STATES = {"to_review": "waiting for a person", "withheld": "withheld by a person", "paid": "paid by a person"}


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By field of SiteData, the small frame that fills it; only those whose tables are there."""
    found: dict[str, DataFrame] = {}
    people = F.count(F.lit(1)).alias("users")
    if JOINING_CHECKS in frames:
        month = F.trunc("activated_on", "MM").alias("month")
        found["joining_verdicts"] = frames[JOINING_CHECKS].groupBy(month, F.col("verdict"), F.col("named_by")).agg(people)
    if JOINING_FOLLOW_UPS in frames:
        found["joining_outcomes"] = frames[JOINING_FOLLOW_UPS].groupBy("stage_days", "verdict", "named_by", "outcome").agg(people)
    if COUNTER_REMINDERS in frames:
        found["joining_reminders"] = frames[COUNTER_REMINDERS].groupBy("reminder").agg(people)
    if BONUS_REVIEWS in frames:
        yuan = F.expr("cast(sum(bonus_yuan) as double) as yuan")
        found["joining_bonuses"] = frames[BONUS_REVIEWS].groupBy("state").agg(people, yuan)
    if FILES in frames:
        done = frames[FILES].where(F.col("feed") == RAW_ACTIVATIONS.name.partition(".")[2])
        done = done.where("note IS NULL AND lines > 0 AND done_at IS NOT NULL AND modified_at IS NOT NULL")
        seconds = "(unix_micros(done_at) - unix_micros(modified_at)) / 1e6"
        halves = f"percentile({seconds}, array(0.5D, 0.95D), lines) as seconds"
        found["joining_delays"] = done.agg(F.expr(halves), F.expr("count(1) as files")).where("files > 0")
    return found


def joining(data: SiteData) -> Context:
    """Joining check: key figures, verdicts by month, how many were confirmed by stage and by way named, reminders, bonuses."""
    verdicts, delays, least = data.joining_verdicts, data.joining_delays, data.least
    cards: list[tuple[str, str, str]] = []
    figures: dict[str, charts.Figure] = {}
    if verdicts is not None and len(verdicts):
        checked = int(verdicts["users"].sum())
        known = int(verdicts.loc[verdicts["verdict"] == "known", "users"].sum())
        cards.append(("Activations checked", told(checked, least), "each once, as its file came"))
        cards.append(
            (
                "One old user named",
                told(known, least),
                "" if is_small(known, least) else f"{wording.share(known / checked)} of them",
            )
        )
        cells = disclosed(verdicts, ["month", "verdict"], "users", least)
        bars = charts.stacked(cells[~cells["is_hidden"]], "month", "users", "verdict", tuple(VERDICTS), VERDICTS)
        figures["joining_verdicts"] = charts.titled(bars, y="activations")
    ways, stages, by_stage = _results(data.joining_outcomes, least)
    if by_stage is not None:
        # of an empty frame pandas would make one of the new column's rows
        named_days = by_stage.assign(day=by_stage["stage_days"].map("day {:02d}".format))[~by_stage["is_hidden"]]
        bars = charts.stacked(named_days, "day", "users", "result", tuple(RESULTS), RESULTS)
        figures["joining_stages"] = charts.titled(
            bars, "days after the first own call or message", "activations that named one user"
        )
    final = next((row for row in reversed(stages) if row["share"] is not None), None)
    if final is not None:
        cards.append(
            (f"Confirmed by day {final['stage']}", final["share"], f"{final['interval']}, of those named that could be told")
        )
    if delays is not None and len(delays):
        half, most = delays.iloc[0]["seconds"]
        cards.append(("From file to row, middle", duration(half), f"19 in 20 within {duration(most)}"))
    return {
        "cards": cards,
        "figures": figures,
        "verdict_words": VERDICTS,
        "ways": ways,
        "stages": stages,
        "reminders": _told(data.joining_reminders, "reminder", REMINDERS, least),
        "bonuses": _told(data.joining_bonuses, "state", STATES, least),
    }


def named(data: SiteData) -> str:
    """The page in a line, empty where nothing was checked."""
    verdicts = data.joining_verdicts
    if verdicts is None or not len(verdicts):
        return ""
    return f"{told(verdicts.loc[verdicts['verdict'] == 'known', 'users'].sum(), data.least)} joined whom the counter could know"


def duration(seconds: float) -> str:
    """A time in the largest unit that fits.

    >>> duration(4.26), duration(130), duration(9000), duration(400000)
    ('4.3 s', '2.2 min', '2.5 h', '4.6 days')
    """
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _results(outcomes: pd.DataFrame | None, least: int) -> tuple[list[Context], list[Context], pd.DataFrame | None]:
    """Of activations that named one user: rows by way named, at the last stage; rows by stage, and their cells. A small figure hides its row's share."""
    if outcomes is None or not len(outcomes):
        return [], [], None
    known = outcomes[outcomes["verdict"] == "known"]
    known = known.assign(result=known["outcome"].map({"same": "confirmed", "too_little": "too_little"}).fillna("not_confirmed"))
    if not len(known):
        return [], [], None
    by_stage = disclosed(known, ["stage_days", "result"], "users", least)
    last = known[known["stage_days"] == known["stage_days"].max()]
    by_way = disclosed(last, ["result", "named_by"], "users", least)
    stages = [
        {"stage": stage, **_row(by_stage[by_stage["stage_days"] == stage], least)} for stage in sorted(set(known["stage_days"]))
    ]
    ways = [
        {"way": WAYS[way], **_row(by_way[by_way["named_by"] == way], least)} for way in WAYS if (by_way["named_by"] == way).any()
    ]
    return ways, stages, by_stage


def _row(cells: pd.DataFrame, least: int) -> Context:
    counts = {row["result"]: (int(row["users"]), bool(row["is_hidden"])) for row in cells.to_dict("records")}
    shown = {
        result: "hidden" if counts.get(result, (0, False))[1] else wording.count(counts.get(result, (0, False))[0])
        for result in RESULTS
    }
    (right, hides_right), (wrong, hides_wrong) = (counts.get(result, (0, False)) for result in ("confirmed", "not_confirmed"))
    if hides_right or hides_wrong or right + wrong < max(least, 1):
        return {**shown, "share": None, "interval": ""}
    low, high = wilson_of(right, right + wrong)
    return {
        **shown,
        "share": wording.share(right / (right + wrong)),
        "interval": f"{wording.share(low)} to {wording.share(high)}",
    }


def _told(frame: pd.DataFrame | None, by: str, names: Mapping[str, str], least: int) -> list[Context]:
    """One row per code there is: in words, how many and, where told, how much money; small ones hidden."""
    if frame is None or not len(frame):
        return []
    hidden = disclosed(frame.assign(whole="all"), ["whole", by], "users", least).set_index(by)["is_hidden"]
    rows = frame.set_index(by).to_dict("index")
    return [
        {
            "what": text,
            "users": "hidden" if hidden[code] else wording.count(rows[code]["users"]),
            "yuan": None if hidden[code] or "yuan" not in rows[code] else rows[code]["yuan"],
        }
        for code, text in names.items()
        if code in rows
    ]
