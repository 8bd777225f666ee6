"""Handsets: a small table of types, who carries which, replacing and reselling."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.dice import Dice

TYPES: tuple[tuple[str, str, str, str, str, str, int], ...] = (
    # TAC (made up), maker, model, GPRS, MMS, Java, weight
    ("35150200", "Nokia", "1100", "N", "N", "N", 14),
    ("35150311", "Nokia", "3310", "N", "N", "N", 10),
    ("35150420", "Nokia", "6100", "Y", "N", "Y", 8),
    ("35150532", "Nokia", "6230", "Y", "Y", "Y", 7),
    ("35150641", "Nokia", "7610", "Y", "Y", "Y", 4),
    ("35260110", "Motorola", "C289", "N", "N", "N", 7),
    ("35260221", "Motorola", "V3", "Y", "Y", "Y", 6),
    ("35260334", "Motorola", "A780", "Y", "Y", "Y", 2),
    ("35370105", "Siemens", "2118", "N", "N", "N", 5),
    ("35370214", "Siemens", "CX65", "Y", "Y", "Y", 2),
    ("35480116", "Samsung", "X108", "Y", "N", "Y", 6),
    ("35480227", "Samsung", "D508", "Y", "Y", "Y", 5),
    ("35590108", "Sony Ericsson", "T618", "Y", "Y", "Y", 3),
    ("35590219", "Sony Ericsson", "K700", "Y", "Y", "Y", 4),
    ("35600120", "Bird", "S288", "N", "N", "N", 6),
    ("35600231", "Bird", "M08", "Y", "Y", "N", 2),
    ("35710122", "TCL", "3188", "N", "N", "N", 4),
    ("35710233", "Lenovo", "G808", "Y", "Y", "Y", 3),
    ("35820124", "Panasonic", "GD88", "Y", "Y", "Y", 1),
    ("35820235", "Amoi", "A8", "N", "N", "N", 2),
)


def types(spark: SparkSession) -> DataFrame:
    """One row per type of handset, as the operator's own file writes it."""
    return spark.createDataFrame(
        [row[:6] for row in TYPES], "TAC string, MAKER string, MODEL string, GPRS string, MMS string, JAVA string"
    )


def imei(dice: Dice, salt: str, *keys: str) -> str:
    """SQL of an equipment identity: type by its share, six digits of serial, 0 in the last place as switches send it."""
    tac = dice.pick({row[0]: float(row[6]) for row in TYPES}, f"{salt} type", *keys)
    return f"concat({tac}, lpad({dice.below(1_000_000, salt + ' serial', *keys)}, 6, '0'), '0')"


def carried(lives: DataFrame, dice: Dice, days: int) -> DataFrame:
    """One row per life with ``imei``, and the handset ``imei_next`` that replaces it from ``swap_day`` (99999: never).

    The handset of the first life is the person's; a later life keeps it, or has its own; a joiner who bought a leaver's
    handset (``handset_of``) has that one; who hands one down buys another that day. Needs handset_of, same_handset, no_imei,
    decoy, like_person, person_id and slot.
    """
    gifts = lives.where("decoy = 'hand_me_down'").selectExpr("like_person as person_id", "from_day as given_on")
    gifts = gifts.groupBy("person_id").agg(F.min("given_on").alias("given_on"))
    given = lives.join(gifts, on="person_id", how="left")
    swaps = f"{dice.u('swap', 'person_id', 'slot')} < 0.12"
    return given.selectExpr(
        *lives.columns,
        f"case when no_imei then null when handset_of is not null then {imei(dice, 'handset', 'handset_of', '0')} "
        f"when same_handset or slot = 0 then {imei(dice, 'handset', 'person_id', '0')} "
        f"else {imei(dice, 'handset', 'person_id', 'cast(slot as int)')} end as imei",
        f"if(no_imei, null, {imei(dice, 'next handset', 'person_id', 'slot')}) as imei_next",
        # A handset passed on or kept for the next life was not replaced before: the swap is for the others.
        f"cast(case when given_on is not null and slot = 0 then given_on when {swaps} and slot = 0 and handset_of is null and left_day is null then "
        f"{dice.below(days, 'swap day', 'person_id')} else 99999 end as int) "
        "as swap_day",
    )
