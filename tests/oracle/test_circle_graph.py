"""Groups of friends against networkx on random graphs: communities, components, PageRank, triangles, density."""

import datetime as dt
import random
from dataclasses import dataclass

import networkx as nx
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import adjusted_rand_score

from churnlake.circles.groups import groups
from churnlake.circles.settings import GroupSettings
from churnlake.circles.ties import reach, ties
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.tables.circles import GROUPS, MEMBERS, SIGNATURES

MAY, JUNE, JULY = (dt.date(2005, month, 1) for month in (5, 6, 7))
SETTINGS = load(Settings, "local").circles.groups.model_copy(update={"ties_kept": 100})
MARGIN = 0.08
"""Modularity that groups may lie below the mean of networkx's label propagations: votes by shared friends make smaller groups where
these are clear, and no group of everybody where they are not."""


def materialised(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint(eager=True)


def users_of(graph: nx.Graph, seed: int) -> nx.Graph:
    """The graph with vertices called as pseudonyms are: any 64 bits."""
    chance = random.Random(seed)
    return nx.relabel_nodes(graph, {v: chance.getrandbits(64) - 2**63 for v in sorted(graph)})


def signatures(spark: SparkSession, months: dict[dt.date, nx.Graph]) -> DataFrame:
    """Everybody's neighbours as its circle, all of one strength."""
    return rows(
        spark,
        SIGNATURES,
        *[
            {"month": month, "user_id": u, "peer_id": p, "strength": int(graph[u][p].get("weight", 1)) * 1000, "place": place}
            for month, graph in months.items()
            for u in graph
            for place, p in enumerate(sorted(graph[u]), 1)
        ],
    )


def found(circles: DataFrame, settings: GroupSettings = SETTINGS) -> tuple[list[dict], list[dict]]:  # type: ignore[type-arg]
    made = groups(ties(circles, settings), reach(circles), settings, materialised)
    one, other = made.groups.select(GROUPS.names), made.members.select(MEMBERS.names)
    return (
        [row.asDict() for row in one.orderBy("month", "group_id").collect()],
        [row.asDict() for row in other.orderBy("month", "user_id").collect()],
    )


def partition(graph: nx.Graph, members: list[dict], month: dt.date) -> list[set[int]]:  # type: ignore[type-arg]
    """The groups as sets; who is in none stands alone."""
    of: dict[int, set[int]] = {}
    for row in members:
        if row["month"] == month:
            of.setdefault(row["group_id"], set()).add(row["user_id"])
    alone = set(graph) - set().union(*of.values())
    return [*of.values(), *({v} for v in alone)]


@dataclass(frozen=True)
class Case:
    graphs: dict[dt.date, nx.Graph]
    circles: DataFrame
    groups: list[dict]  # type: ignore[type-arg]
    members: list[dict]  # type: ignore[type-arg]


PLANTED = 12
"""Users of each of the planted groups."""


@pytest.fixture(scope="module")
def case(spark: SparkSession) -> Case:
    """Three months: planted groups, long-tailed degrees with no groups to speak of, groups of unlike sizes hard to tell; one run."""
    hard = nx.LFR_benchmark_graph(500, 3, 1.5, 0.3, average_degree=7, max_degree=15, min_community=8, max_community=40, seed=10)
    graphs = {
        MAY: users_of(nx.planted_partition_graph(25, PLANTED, 0.6, 0.006, seed=5), 1),
        JUNE: users_of(nx.powerlaw_cluster_graph(300, 3, 0.5, seed=8), 2),
        JULY: users_of(nx.Graph(hard), 3),
    }
    graphs[JULY].remove_edges_from(list(nx.selfloop_edges(graphs[JULY])))
    circles = signatures(spark, graphs)
    return Case(graphs, circles, *found(circles))


def test_members_groups_and_ranks_equal_networkx(case: Case) -> None:
    assert case.groups
    for group in case.groups:
        graph = case.graphs[group["month"]]
        mine = [row for row in case.members if (row["month"], row["group_id"]) == (group["month"], group["group_id"])]
        inside = graph.subgraph(row["user_id"] for row in mine)
        assert nx.is_connected(inside)
        assert (group["users"], group["ties"]) == (inside.number_of_nodes(), inside.number_of_edges())
        assert group["density"] == pytest.approx(nx.density(inside))
        assert group["triangles"] == sum(nx.triangles(inside).values()) // 3
        ranks, triangles = nx.pagerank(inside, alpha=0.85), nx.triangles(inside)
        for row in mine:
            assert row["triangles"] == triangles[row["user_id"]]
            assert row["degree"] == inside.degree[row["user_id"]]
            assert row["degree"] + row["ties_out"] == graph.degree[row["user_id"]] == row["reach"]
            assert row["pagerank"] == pytest.approx(ranks[row["user_id"]], abs=0.002)
        assert sum(row["pagerank"] for row in mine) == pytest.approx(1)
        (first,) = (row for row in mine if row["place"] == 1)
        assert ranks[first["user_id"]] == pytest.approx(max(ranks.values()), abs=0.002)
        assert sorted(row["place"] for row in mine) == list(range(1, group["users"] + 1))
        assert sum(row["is_seed"] for row in mine) == group["seeds"] == -(-group["users"] // SETTINGS.users_per_seed)
    for month in case.graphs:
        sizes = [group["users"] for group in case.groups if group["month"] == month]
        assert sizes == sorted(sizes, reverse=True)
        assert min(sizes) >= SETTINGS.least_users


def test_planted_groups_are_found_again(case: Case) -> None:
    graph = case.graphs[MAY]
    order = {v: i for i, v in enumerate(graph)}
    told = {v: at for at, group in enumerate(partition(graph, case.members, MAY)) for v in group}
    truth = [order[v] // PLANTED for v in graph]
    assert adjusted_rand_score(truth, [told[v] for v in graph]) > 0.9


def test_modularity_is_that_of_networkx_label_propagation(case: Case) -> None:
    for month, graph in case.graphs.items():
        mine = nx.community.modularity(graph, partition(graph, case.members, month))
        theirs = [nx.community.modularity(graph, list(nx.community.asyn_lpa_communities(graph, seed=s))) for s in range(9)]
        theirs.append(nx.community.modularity(graph, nx.community.label_propagation_communities(graph)))
        assert mine > sum(theirs) / len(theirs) - MARGIN
        assert max(len(group) for group in partition(graph, case.members, month)) < 0.6 * len(graph), "no group of everybody"


def test_order_and_partitioning_do_not_matter(case: Case) -> None:
    groups_again, members_again = found(case.circles.repartition(7, "peer_id"))
    assert groups_again == case.groups
    ranks = [row.pop("pagerank") for row in members_again]
    assert ranks == pytest.approx([row["pagerank"] for row in case.members], abs=1e-9)
    assert members_again == [{k: v for k, v in row.items() if k != "pagerank"} for row in case.members]
