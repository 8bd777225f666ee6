"""Market surveys among those who joined lately: what they say, which is not always so, and who says nothing."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city.dice import Dice
from churnlake.city.market import Survey
from churnlake.city.settings import CityScenario
from churnlake.city.society import MOTIVES

QUESTIONS = ("held_before", "old_number", "motive", "knew_alternative", "satisfaction")
"""The questions in order; those from the second to the fourth are put only to who says to have held a number of ours before."""
OTHER = "other"
"""The motive of those who changed their number for none of the known ones."""


def held(scenario: CityScenario) -> list[tuple[int, Survey]]:
    """The surveys within the city's time, with the number of their day."""
    found = [((survey.day - scenario.first_day).days, survey) for survey in scenario.survey]
    return [(day, survey) for day, survey in found if 0 <= day < scenario.days]


def deliveries(scenario: CityScenario) -> list[str]:
    """The deliveries that bring answers."""
    return scenario.delivered_on(survey.day for _, survey in held(scenario))


def _asked_share(scenario: CityScenario, day: int, survey: Survey) -> float:
    """Share of those who joined lately that makes about as many as are to be asked, by how many the city expects."""
    coming = scenario.coming
    again = scenario.leaving.monthly * scenario.leaving.back * scenario.days / 30.4
    joiners = scenario.newcomers + scenario.users * (again + coming.partial + coming.second_number) + coming.renumbered
    return min(1.0, survey.asked / max(1.0, joiners * min(day, survey.joined_within) / scenario.days))


def answers(lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per question put, as the operator's own file writes it, with ``delivered``; ANSWER_CODE is empty when it was not answered.

    Who does not respond at all leaves the first question open and is asked no other. Needs of ``lives``, beside what all have,
    motive, is_unaware, times and onset.
    """
    rows = [
        (
            survey.name,
            day,
            day - survey.joined_within,
            _asked_share(scenario, day, survey),
            survey.response,
            {brand: float(times) for brand, times in survey.response_by_brand.items()},
            survey.response_discontented,
            survey.skipped,
            survey.held_truth,
            survey.number_told,
            survey.motive_truth,
            f"{survey.day:%Y%m%d}",
            scenario.delivered_on([survey.day])[0],
        )
        for day, survey in held(scenario)
    ]
    surveys = lives.sparkSession.createDataFrame(
        rows,
        "survey string, day int, since int, share double, response double, by_brand map<string, double>, when_discontented double, "
        "skipped double, held_truth double, number_told double, motive_truth double, asked_on string, delivered string",
    )
    key = ("survey", "user_id")
    joined = lives.where("origin <> 'start'").selectExpr(
        "user_id", "person_id", "old_slot", "origin", "brand", "from_day", "left_day", "motive", "is_unaware", "times", "onset"
    )
    asked = joined.join(
        F.broadcast(surveys), on=F.expr("from_day > since and from_day <= day and coalesce(left_day, 99999) > day"), how="inner"
    ).where(f"{dice.u('asked', *key)} < share")
    asked = asked.selectExpr("*", "onset < 99999 and exists(times, t -> t.start <= day and day < t.end) as is_discontented")
    old = lives.selectExpr("person_id", "slot as old_slot", "cast(number as string) as old_number")
    asked = asked.join(old, on=["person_id", "old_slot"], how="left")
    said = asked.selectExpr(
        "*",
        f"{dice.u('responds', *key)} < response * coalesce(by_brand[brand], 1D) * if(is_discontented, when_discontented, 1D) as responds",
        f"origin in ('reentry', 'partial', 'renumbered') and {dice.u('held before', *key)} < held_truth as says_held",
        f"{dice.u('skips', *key, repr(QUESTIONS[0]))} < skipped as is_first_skipped",
        f"{dice.u('number', *key)} < number_told and old_number is not null as knows_number",
        f"coalesce(motive, '{OTHER}') as own_motive",
    )
    # any motive but one's own
    known = "array(" + ", ".join(repr(motive) for motive in MOTIVES) + ")"
    rest = f"filter({known}, m -> m <> own_motive)"
    other = f"element_at({rest}, cast(1 + {dice.below(f'size({rest})', 'other motive', *key)} as int))"
    marks = {survey.name: (survey.satisfied, survey.discontented) for _, survey in held(scenario)}
    weights = [dict(zip("12345", row, strict=True)) for pair in marks.values() for row in pair] or [{"1": 1.0}]
    place = "case survey " + " ".join(f"when '{name}' then {2 * i}" for i, name in enumerate(marks)) + " end" if marks else "0"
    mark = dice.pick_by(weights, f"{place} + if(is_discontented, 1, 0)", "satisfaction", *key)
    told = ("says_held and not is_first_skipped and responds", "responds")
    questions = {
        "held_before": ("true", "if(says_held, 'yes', 'no')"),
        "old_number": (told[0], "if(knows_number, 'yes', 'no')"),
        "motive": (told[0], f"if({dice.u('own motive', *key)} < motive_truth, own_motive, {other})"),
        "knew_alternative": (told[0], "if(coalesce(is_unaware, false), 'no', 'yes')"),
        "satisfaction": (told[1], mark),
    }
    put = ", ".join(
        f"if({asks}, struct('{name}' as question, {answer} as answer), null)" for name, (asks, answer) in questions.items()
    )
    each = said.selectExpr("*", f"inline(array_compact(array({put})))")
    each = each.selectExpr("*", f"responds and {dice.u('skips', *key, 'question')} >= skipped as is_answered")
    return each.selectExpr(
        "delivered",
        f"concat('Q', lpad(hex(xxhash64({dice.seed}L, 'answer', {', '.join(key)}, question)), 16, '0')) as ANSWER_NO",
        "survey as SURVEY_CODE",
        "user_id as USER_ID",
        "asked_on as ASK_DATE",
        "question as QUESTION_CODE",
        "if(is_answered, answer, null) as ANSWER_CODE",
        "if(is_answered and question = 'old_number' and knows_number, old_number, null) as OLD_MSISDN",
    )
