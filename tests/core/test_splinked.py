"""The record linker beside us finds plain cases: it is a baseline, not a straw man."""

import numpy as np
import pandas as pd

from churnlake.core.settings import load
from churnlake.evaluate import baselines, splinked
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").reentry
JOINERS, OTHERS = 120, 300


def town() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Joiners of whom the first third are old users: two thirds of the circle kept, half of them with the handset."""
    rng = np.random.default_rng(7)
    circles = [rng.choice(4000, 12, replace=False) for _ in range(JOINERS + OTHERS)]
    old = [
        {"unique_id": 10_000 + place, "day": pd.Timestamp("2005-03-01"), "peers": sorted(circle), "strongest": sorted(circle[:3]), "handsets": [place]}
        for place, circle in enumerate(circles[:OTHERS])
    ]  # fmt: skip
    new = []
    for place in range(JOINERS):
        is_back = place < JOINERS // 3
        kept = [*circles[place][:8], *rng.choice(4000, 4, replace=False)] if is_back else list(circles[OTHERS + place])
        handset = place if is_back and place % 2 else 50_000 + place
        row = {"unique_id": place, "day": pd.Timestamp("2005-03-05"), "peers": sorted(kept), "strongest": sorted(kept[:3])}
        new.append({**row, "handsets": [handset]})
    # of the register nothing told of the joiners
    told = {"dealer": "D1", "plan": "P1", "brand": "B1"}
    return pd.DataFrame(new).assign(**dict.fromkeys(told, None)), pd.DataFrame(old).assign(**told)


def test_plain_cases_are_found() -> None:
    new, old = town()
    found = splinked.linked(new, old, SETTINGS)
    assert set(found["name"]) == {baselines.SPLINK}
    best = found.sort_values("score", ascending=False).drop_duplicates("user_id")
    best = best[best["score"] > 0]
    right = best["old_user_id"] - 10_000 == best["user_id"]
    assert right.mean() > 0.9
    assert right.sum() >= 0.9 * JOINERS / 3


def test_dealer_and_plan_help_where_circles_say_the_same() -> None:
    new, old = town()
    rng = np.random.default_rng(8)
    for frame, first in ((new, 0), (old, 10_000)):
        place = frame["unique_id"] - first
        ours = (place < JOINERS // 3).to_numpy()
        for name, kinds in (("dealer", 20), ("plan", 8)):
            frame[name] = np.where(ours, place % kinds, rng.integers(0, kinds, len(frame))).astype(str)
        frame["brand"] = (frame["plan"].astype(int) % 3).astype(str)
    best = splinked.linked(new, old, SETTINGS).sort_values("score", ascending=False).drop_duplicates("user_id")
    plain = splinked.linked(*town(), SETTINGS).sort_values("score", ascending=False).drop_duplicates("user_id")
    right, before = (f[f["old_user_id"] - 10_000 == f["user_id"]]["score"] for f in (best, plain))
    assert right.median() > before.median() + 1


def test_without_handsets_circles_are_left() -> None:
    new, old = (frame.assign(handsets=[[] for _ in range(len(frame))]) for frame in town())
    best = splinked.linked(new, old, SETTINGS).sort_values("score", ascending=False).drop_duplicates("user_id").head(JOINERS // 4)
    assert (best["old_user_id"] - 10_000 == best["user_id"]).mean() > 0.9


def test_who_fits_no_gap_is_not_named() -> None:
    new, old = town()
    assert splinked.linked(new, old.assign(day=pd.Timestamp("2004-01-01")), SETTINGS).empty
    assert splinked.linked(new.head(0), old, SETTINGS).empty
