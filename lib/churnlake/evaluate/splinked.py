"""Splink, a general record linker (Linacre et al. 2022), on circles, handsets, dealers and plans of joiners and of users who are gone.

Fellegi and Sunter's model with weights learnt without labels, as ours: what a ready-made tool finds in the same tables. Tuned by hand, with the
truth, on one city (docs/reentry.md): how many peers, which levels, what matches are learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink import comparison_level_library as cll
from splink import comparison_library as cl
from splink.internals.blocking_rule_creator import BlockingRuleCreator

from churnlake.core.contract import Table
from churnlake.evaluate import baselines
from churnlake.reentry.settings import ReentrySettings
from churnlake.tables.daily import DEVICES, EDGES, USAGE
from churnlake.tables.reference import SUBSCRIBERS

PEERS, STRONGEST = 15, 3
SHARED, SHARED_STRONGEST = [8, 6, 5, 4, 3, 2, 1], [3, 2, 1]
"""Levels of how many peers two circles share."""
SURE = 5
"""Circles that share so many teach what matches look like, as do handsets."""
NEAR = (7, 30)
"""Days between the old number's end and the new one's begin."""
RANDOM_PAIRS, SURE_SHARE, SEED = 1e6, 0.5, 2005
"""Pairs drawn to learn what others look like, and the share of matches that SURE is taken to find."""
LEAST = 1e-6
PEOPLE = pa.list_(pa.int64())
REGISTER = ("dealer", "plan", "brand")
RECORD = pa.schema(
    {
        **{"unique_id": pa.int64(), "day": pa.timestamp("ns"), "peers": PEOPLE, "strongest": PEOPLE, "handsets": PEOPLE},
        **dict.fromkeys(REGISTER, pa.string()),
    }
)
COLUMNS = "user_id long, old_user_id long, name string, score double"


def by_splink(asked: DataFrame, tables: Mapping[Table, DataFrame], settings: ReentrySettings) -> pd.DataFrame:
    """One row per joiner and user who is gone that Splink finds possible: user_id, old_user_id, name, score (its match weight)."""
    return linked(*records(asked, tables, settings), settings)


def linked(new: pd.DataFrame, old: pd.DataFrame, settings: ReentrySettings) -> pd.DataFrame:
    """The same from ``records``; none where there is nothing to learn from."""
    found = pd.DataFrame({"user_id": [], "old_user_id": [], "name": [], "score": []})
    shared, same = (f"len(list_intersect(l.{what}, r.{what}))" for what in ("peers", "handsets"))
    sure: list[str | BlockingRuleCreator] = [f"{shared} >= {SURE}", *([f"{same} >= 1"] if new["handsets"].map(len).any() else [])]
    if new.empty or old.empty:
        return found
    engine = DuckDBAPI()
    # lists of numbers as such: of a frame of pandas they would be text
    tables = [engine.register(pa.Table.from_pandas(frame, schema=RECORD, preserve_index=False)) for frame in (new, old)]
    linker = Linker(tables, _model(), log_level="ERROR")
    train = linker.training
    train.estimate_probability_two_random_records_match(sure[:1], recall=SURE_SHARE)
    train.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=SEED)
    for rule in reversed(sure):
        train.estimate_parameters_using_expectation_maximisation(rule, fix_u_probabilities=True)
    named: pd.DataFrame = linker.inference.predict(threshold_match_probability=LEAST).as_pandas_dataframe()  # type: ignore[no-untyped-call]
    pairs = named.rename(columns={"unique_id_l": "user_id", "unique_id_r": "old_user_id", "match_weight": "score"})
    begun, ended = (frame.set_index("unique_id")["day"] for frame in (new, old))
    gap = (pairs["user_id"].map(begun) - pairs["old_user_id"].map(ended)).dt.days
    fit = gap.between(settings.gap_least_days, settings.gap_most_days) & (pairs["user_id"] != pairs["old_user_id"])
    return pairs.loc[fit].assign(name=baselines.SPLINK)[list(found.columns)]


def _model() -> SettingsCreator:
    """Peers and strongest peers shared, a handset in common, how near in time, dealer, plan; candidates share a peer or a handset."""
    apart = "abs(date_diff('day', day_l, day_r))"
    seen = cll.CustomLevel("len(handsets_l) = 0 OR len(handsets_r) = 0", label_for_charts="unknown")
    same = cll.CustomLevel("len(list_intersect(handsets_l, handsets_r)) >= 1", label_for_charts="same")
    near = [cll.CustomLevel(f"{apart} <= {days}", label_for_charts=f"{days} days") for days in NEAR]
    return SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.ArrayIntersectAtSizes("peers", SHARED),
            cl.ArrayIntersectAtSizes("strongest", SHARED_STRONGEST),
            cl.CustomComparison([seen.configure(is_null_level=True), same, cll.ElseLevel()], output_column_name="handsets"),
            cl.CustomComparison([cll.NullLevel("day"), *near, cll.ElseLevel()], output_column_name="day"),
            cl.ExactMatch("dealer"),
            cl.CustomComparison(
                [cll.NullLevel("plan"), cll.ExactMatchLevel("plan"), cll.ExactMatchLevel("brand"), cll.ElseLevel()],
                output_column_name="plan",
            ),
        ],
        blocking_rules_to_generate_predictions=[block_on(name, arrays_to_explode=[name]) for name in ("peers", "handsets")],
        retain_matching_columns=False,
    )


def records(asked: DataFrame, tables: Mapping[Table, DataFrame], settings: ReentrySettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per joiner, and one per user who is gone: unique_id, ``peers`` and ``strongest`` of its circle, ``handsets``, ``day`` of begin or end,
    dealer, and plan and brand: the first of a joiner, the last of the others.
    """
    new, old, contacts = baselines.sides(asked, tables[USAGE], tables[EDGES])
    known = contacts.groupBy("peer_id").agg(F.count_distinct("user_id").alias("known"))
    hubs = known.where(f"known > {settings.hub_users}")
    new = new.select("user_id", F.col("joined_on").alias("day"), "peer_id", "n")
    old = old.select(F.col("old_user_id").alias("user_id"), F.col("last_on").alias("day"), "peer_id", F.col("old_n").alias("n"))
    seen = tables[DEVICES].groupBy("user_id").agg(F.array_sort(F.collect_set("imei_key")).alias("handsets"))
    found = []
    for side, newest in ((new, F.min_by), (old, F.max_by)):
        about = (
            tables[SUBSCRIBERS]
            .groupBy("user_id")
            .agg(
                F.min("dealer_id").alias("dealer"),
                newest("plan_id", "delivered_on").alias("plan"),
                newest("brand", "delivered_on").alias("brand"),
            )
        )
        order = Window.partitionBy("user_id").orderBy(F.desc("n"), "peer_id")
        ranked = side.join(hubs, on="peer_id", how="left_anti").withColumn("place", F.row_number().over(order))
        rows = (
            ranked.where(f"place <= {PEERS}")
            .groupBy("user_id", "day")
            .agg(
                F.array_sort(F.collect_set("peer_id")).alias("peers"),
                F.array_sort(F.collect_set(F.when(F.col("place") <= STRONGEST, F.col("peer_id")))).alias("strongest"),
            )
        )
        rows = (
            rows.join(seen, on="user_id", how="left")
            .join(about, on="user_id", how="left")
            .withColumnRenamed("user_id", "unique_id")
        )
        # one row per joiner, or user who is gone, of a city made for evaluation
        told = rows.withColumn("handsets", F.coalesce("handsets", F.array().cast("array<bigint>"))).orderBy("unique_id")
        found.append(told.toPandas().astype({"day": "datetime64[ns]"}))
    return found[0], found[1]
