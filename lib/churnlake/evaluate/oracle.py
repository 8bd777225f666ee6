"""What the evidence allows: the posterior of the generator itself, learnt from its truth.

No formula gives it, as who is in whose circle is hidden; but the generator can be asked. Boosted trees are taught the truth of all
pairs of the scenario's other cities (of one city alone, of other joiners) and weigh this one's, one person one number as in the detector.
They see every evidence the detector does, and who else each of the two could be; the detector sees no truth at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from churnlake.reentry.exclusion import exclusive

EVIDENCE = {
    name: name
    for name in (
        "circle_score", "hellinger", "new_found", "old_found", "top_found", "ties_apart", "still_met", "shared_peers", "old_peers", "gap_days",
        "level_share", "has_same_imei", "imei_users", "talked", "new_elsewhere", "old_elsewhere", "announced", "same_dealer", "same_model",
    )
} | {"plan": "CASE plan_shared WHEN 'plan' THEN 2 WHEN 'brand' THEN 1 WHEN 'none' THEN 0 END"}  # fmt: skip
"""By measure the trees see, its SQL over a pair."""
RIVALS = ("circle_score", "hellinger")
FOLDS, SEED = 5, 2005


def posteriors(cities: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """For each city one row per joiner under the old user it most probably is: probability, is_right.

    ``cities`` have one row per pair: user_id, old_user_id, EVIDENCE, is_right.
    """
    known = [with_rivals(city) for city in cities]
    if len(known) == 1:
        fold = known[0]["user_id"].map(lambda user: int(user) % FOLDS)
        parts = [known[0][fold == turn] for turn in range(FOLDS)]
        chance = pd.concat(
            [
                _taught([other for at, other in enumerate(parts) if at != turn], part)
                for turn, part in enumerate(parts)
                if len(part)
            ]
        )
        return [_named(known[0].assign(chance=chance))]
    return [
        _named(city.assign(chance=_taught([other for at, other in enumerate(known) if at != turn], city)))
        for turn, city in enumerate(known)
    ]


def with_rivals(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with the best of the others that the joiner, and that the old user, could be, by each of RIVALS."""
    found = pairs.reset_index(drop=True).copy()
    for name in RIVALS:
        for side in ("user_id", "old_user_id"):
            by_side = found[name].groupby(found[side])
            place, first = by_side.rank(method="first", ascending=False), by_side.transform("max")
            second = found[name].where(place == 2).groupby(found[side]).transform("max").fillna(0.0)
            found[f"{name}_beside_{side}"] = first.where(place > 1, second)
    return found


def _taught(others: Sequence[pd.DataFrame], city: pd.DataFrame) -> pd.Series[float]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    taught = pd.concat(others)
    columns = [c for c in city.columns if c not in ("user_id", "old_user_id", "is_right")]
    if taught["is_right"].nunique() < 2:
        return pd.Series(0.0, index=city.index)
    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=12, min_samples_leaf=15, l2_regularization=3.0, random_state=SEED
    )
    trees.fit(taught[columns].astype(float), taught["is_right"].astype(int))
    return pd.Series(trees.predict_proba(city[columns].astype(float))[:, 1], index=city.index)


def _named(pairs: pd.DataFrame) -> pd.DataFrame:
    chance = pairs["chance"].clip(1e-9, 1 - 1e-9)
    probability = exclusive(np.log((chance / (1 - chance)).to_numpy(float)), pairs["user_id"], pairs["old_user_id"])
    ranked = pairs.assign(probability=probability).sort_values(
        ["probability", "user_id", "old_user_id"], ascending=[False, True, True]
    )
    return ranked.drop_duplicates("user_id")[["probability", "is_right"]]
