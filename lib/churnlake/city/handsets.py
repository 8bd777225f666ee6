"""Handsets: a small table of types, who carries which, replacing and reselling."""

from __future__ import annotations

from collections.abc import Callable

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
COLUMNS = ("TAC", "MAKER", "MODEL", "GPRS", "MMS", "JAVA")
FIRST, NEXT = 0, 8
"""Turns of a person's handsets: that bought for the life in slot n is n, the one that replaces it n + NEXT."""
SOFTWARE, ZEROED = 0.25, 0.004
"""Shares of handsets that send their software version in the last places, and that send nothing but zeros (grey market)."""


def types(spark: SparkSession) -> DataFrame:
    """One row per type of handset, as the operator's own file writes it."""
    return spark.createDataFrame([row[:6] for row in TYPES], ", ".join(f"{name} string" for name in COLUMNS))


def able(dice: Dice, what: str, person: str) -> str:
    """SQL of 1 when the first handset of a person has ``GPRS`` or ``MMS``, else 0."""
    tacs = ", ".join(f"'{row[0]}'" for row in TYPES if row[COLUMNS.index(what)] == "Y")
    return f"if({_tac(dice, person, f'cast({FIRST} as int)')} in ({tacs}), 1, 0)"


def imei(dice: Dice, owner: str, turn: str) -> str:
    """SQL of an equipment identity as switches send it, null without an owner.

    Type by its share, six digits of serial, then 0 in place of the check digit, or two digits of the software version.
    """
    turn = f"cast({turn} as int)"
    serial = dice.below(1_000_000, "serial", owner, turn)
    kind = dice.u("sends", owner, turn)
    sent = (
        f"concat({_tac(dice, owner, turn)}, lpad({serial}, 6, '0'), if({kind} < {SOFTWARE!r}D, "
        f"lpad({dice.below(60, 'version', owner, turn)}, 2, '0'), '0'))"
    )
    return f"if({owner} is null, null, if({kind} >= {1 - ZEROED!r}D, '000000000000000', {sent}))"


def _tac(dice: Dice, owner: str, turn: str) -> str:
    return dice.pick({row[0]: float(row[6]) for row in TYPES}, "handset type", owner, turn)


def carried(lives: DataFrame, dice: Dice, days: int) -> DataFrame:
    """One row per life with its handset, as owner and turn (``imei`` of both; owner null: records carry none), and ``swap_day``.

    From ``swap_day`` (99999: never) another one is used, the turn NEXT higher. The handset of the first life is the person's, or the
    one of a leaver's that it was joined with (``handset_of``); a later life keeps that of the life before, as it is by then, or has
    its own; who hands the first one down buys another that day. Needs handset_of, same_handset, no_imei, decoy, like_person,
    person_id and slot.
    """
    gifts = lives.where("decoy = 'hand_me_down'").selectExpr("like_person as person_id", "from_day as given_on")
    gifts = gifts.groupBy("person_id").agg(F.min("given_on").alias("given_on"))
    given = lives.join(gifts, on="person_id", how="left")
    swaps = f"{dice.u('swap', 'person_id', 'slot')} < 0.12"
    # A handset resold or kept for the next life was not replaced before: the swap is for the others.
    swap = (
        f"case when handset_of is not null then 99999 when given_on is not null then given_on when {swaps} and left_day is null then "
        f"{dice.below(days, 'swap day', 'person_id')} else 99999 end"
    )
    so_far = "over (partition by person_id order by slot)"
    known = given.selectExpr(
        *lives.columns,
        f"cast(max(if(slot = 0 or not same_handset, slot, null)) {so_far} as int) as handset_turn",
        f"first(handset_of) {so_far} as first_of",
        f"first({swap}) {so_far} as first_swap",
    )
    return known.selectExpr(
        *lives.columns,
        f"if(no_imei, null, if(handset_turn = {FIRST}, coalesce(first_of, person_id), person_id)) as handset_owner",
        "handset_turn",
        f"cast(if(handset_turn = {FIRST}, first_swap, 99999) as int) as swap_day",
    )


def used_on(day: str, of: Callable[[str], str] = str) -> str:
    """SQL of the turn of the handset a life uses on a day; ``of`` gives the SQL of one of the life's columns."""
    return f"({of('handset_turn')} + if({day} >= {of('swap_day')}, {NEXT}, 0))"
