"""What each feature of a model means, for people who never saw its name: callers, and readers of pages."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from churnlake.indicators import INDICATORS
from churnlake.indicators.units import FLAG
from churnlake.tables.circles import MEMBERS, NEIGHBOURS
from churnlake.tables.features import DECLINES
from churnlake.tables.stages import SIGN_MEANINGS, STAGES_AT_END

FLAGS = {i.name for i in INDICATORS if i.unit == FLAG} | {f"sign_{name}" for name in SIGN_MEANINGS}
"""Features that hold or do not."""
FAR, CLEAR = 3.0, 1.0
"""Standard deviations from which on a feature is far from, and clearly away from, that of most."""


def _short(meaning: str) -> str:
    """A meaning up to its first stop, without what stands in brackets."""
    return re.split(r"[.;:] |[.;:]$", re.sub(r" ?\([^)]*\)", "", meaning))[0]


MEANINGS = {
    **{
        column.name: _short(column.meaning)
        for table in (NEIGHBOURS, MEMBERS, DECLINES, STAGES_AT_END)
        for column in table.columns
    },
    **{indicator.name: _short(indicator.meaning) for indicator in INDICATORS},
    **{f"sign_{name}": words[0].upper() + words[1:] for name, words in SIGN_MEANINGS.items()},
    # whose columns are told one after another: "of these"
    "neighbours_silent": "Friends who have fallen silent",
    "silent_closeness": "How close the closest friend is who has fallen silent",
    "neighbours_left_1m": "Friends who left in the month",
    "neighbours_left_3m": "Friends who left in the month or the two before",
    "neighbours_left_share_3m": "Share of friends who left in the month or the two before",
    "neighbours_left_strength_share_3m": "Share of contacts with friends who left in the month or the two before",
    "activation": "What reaches the customer of friends who left, and of their friends",
    "reach_off_net": "Peers who are no active users of ours",
    "decline_evidence": "Evidence that own use has fallen",
    "decline_weeks": "Weeks since own use fell",
    "stage_rank": "Stage of leaving, from healthy to alarm",
    "stage_days": "Days in a warning or alarm stage",
}
"""By feature, what it is in words."""


def in_words(reasons: Column) -> Column:
    """Reasons of churn.scores as sentences: ``peers_lost high (+2.1 sd)`` as ``Peers of the month before not met any more: more than most``.

    What names no feature, as ``brand is EasyOwn``, stays as it is.
    """
    known = F.create_map(*(F.lit(text) for pair in sorted(MEANINGS.items()) for text in pair))
    flags = F.array(*(F.lit(name) for name in sorted(FLAGS)))

    def said(reason: Column) -> Column:
        name, way = F.substring_index(reason, " ", 1), F.split_part(reason, F.lit(" "), F.lit(2))
        size = F.abs(F.regexp_extract(reason, r"\(([-+][0-9.]+) sd\)", 1).try_cast("double"))
        meaning = F.try_element_at(known, name)
        how_far = F.when(size >= FAR, "far ").when(size >= CLEAR, "").otherwise("somewhat ")
        compared = F.concat(meaning, F.lit(": "), how_far, F.when(way == "high", "more").otherwise("less"), F.lit(" than most"))
        held = F.when(way == "high", meaning).otherwise(F.concat(F.lit("Not so: "), meaning))
        return F.when(size.isNull(), reason).otherwise(
            F.coalesce(F.when(F.array_contains(flags, name), held).otherwise(compared), reason)
        )

    return F.transform(reasons, said)
