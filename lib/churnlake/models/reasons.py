"""Why a user stands where it does: what adds most to its log-odds, in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from churnlake.models.batches import Matrix
from churnlake.models.fit import Contributions
from churnlake.models.profile import OTHER, UNKNOWN
from churnlake.models.settings import ModelsSettings

Teller = Callable[[Matrix], pa.Array]
WIDTH = 1 << 40
"""More than there are tenths of a standard deviation: a feature and a size are told by one number."""


def teller(given: Contributions, settings: ModelsSettings) -> Teller:
    """From feature vectors, laid out as the contributions are (``Profile.columns``), to the strongest reasons of each row, the strongest first.

    ``voice_out_calls low (-1.8 sd)`` or ``brand is EasyOwn``. Contributions are compared to six places and ties fall to the feature named
    first. Levels folded to other or unknown are no reason anyone can act on.
    """
    most, least = settings.most_reasons, settings.least_contribution
    weights = [
        *given.numeric.values(),
        *(0.0 if level in (OTHER, UNKNOWN) else w for levels in given.categories.values() for level, w in levels.items()),
    ]
    numbers = list(given.numeric)
    flags = [(name, level) for name, levels in given.categories.items() for level in levels]
    # what weighs nothing is left out before anything is multiplied
    asked = np.array([at for at, weight in enumerate(weights) if weight], dtype=np.int64)
    weighed = np.array([weights[at] for at in asked])

    def text(at: int, tenths: int) -> str:
        if at >= len(numbers):
            name, level = flags[at - len(numbers)]
            return f"{name} is {level}"
        return f"{numbers[at]} {'low' if tenths < 0 else 'high'} ({tenths / 10:+.1f} sd)"

    spoken: dict[int, str] = {}

    def tell(vectors: Matrix) -> pa.Array:
        if not len(asked):
            return pa.array([[]] * len(vectors), pa.list_(pa.string()))
        values = vectors[:, asked]
        millionths = np.rint(values * weighed * 1e6)
        every, places = np.arange(len(values)), np.zeros((len(values), most), dtype=np.int64)
        is_told = np.zeros((len(values), most), dtype=bool)
        for turn in range(min(most, len(asked))):
            # the first of equals is the feature named first
            places[:, turn] = millionths.argmax(axis=1)
            is_told[:, turn] = millionths[every, places[:, turn]] >= least * 1e6
            millionths[every, places[:, turn]] = -np.inf
        size = np.take_along_axis(values, places, axis=1)
        tenths = np.where(asked[places] < len(numbers), np.copysign(np.floor(np.abs(size) * 10 + 0.5), size), 0).astype(np.int64)
        codes, which = np.unique(asked[places][is_told] * WIDTH + tenths[is_told] + WIDTH // 2, return_inverse=True)
        new = [code for code in codes.tolist() if code not in spoken]
        spoken.update({code: text(code // WIDTH, code % WIDTH - WIDTH // 2) for code in new})
        words = pa.array([spoken[code] for code in codes.tolist()], pa.string())
        ends = np.concatenate([[0], np.cumsum(is_told.sum(axis=1))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), words.take(pa.array(which)))

    return tell
