"""What analysts see on Databricks, views and dashboard, as far as it can be checked without a workspace; no JVM needed."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from churnlake.core import catalog
from churnlake.core.contract import Table
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.tables.churn import SCORES
from churnlake.tables.clean import VOICE

DEPLOY = Path(__file__).parents[2] / "deploy"
RESOURCES = {path: yaml.safe_load(path.read_text())["resources"] for path in sorted((DEPLOY / "resources").glob("*.yml"))}
SHOWN = {catalog.view_name(table): table for table in catalog.shown((*Lineage.of_package().tables, RUNS))}
LEDGERS = {catalog.ledger_view_name(table): table for table in SHOWN.values() if table.ledger}


def test_keyed_values_are_masked_and_encrypted_text_is_not_shown() -> None:
    statements = sqlglot.parse((DEPLOY / "sql" / "views.sql").read_text(), read="databricks")
    views = {one.this.name: one for one in statements if isinstance(one, exp.Create) and one.kind == "VIEW"}
    assert set(views) == {*SHOWN, *LEDGERS}
    assert not [name for name in views if name.startswith(("vault_", "privacy_"))]
    for name, table in LEDGERS.items():
        shown = {one.alias_or_name for one in views[name].expression.selects}
        assert {"state", "reasons", "file_id"} <= shown
        assert not shown & {"kept_in", "record_key", *(column.name for column in table.pseudonyms)}, (
            "how rows fared, nothing of what they say"
        )
        assert "state = " not in views[name].expression.sql()
    for name, found in ((name, views[name]) for name in SHOWN):
        table, query = SHOWN[name], found.expression
        assert ".".join(query.find(exp.Table).sql().split(".")[1:]) == table.name
        star = query.find(exp.Star)
        hidden = {one.name for one in star.args.get("except_") or star.args.get("except") or []}
        keyed = {column.name for column in table.pseudonyms}
        assert hidden == keyed, name
        masked = {one.alias for one in query.selects if isinstance(one, exp.Alias)}
        assert all(".masked(" in one.sql() for one in query.selects if isinstance(one, exp.Alias))
        assert keyed - masked == {column.name for column in table.pseudonyms if column.pseudonym == "cipher"}
        assert ("state = 'good'" in query.sql()) == table.ledger


def test_slices_that_readers_must_not_see_are_left_out_of_views() -> None:
    assert catalog.view(SCORES, "c", {"2005-05-01": "withdrawn"}).endswith(
        "WHERE coalesce(CAST(month AS STRING) NOT IN ('2005-05-01'), true)"
    )
    text = catalog.view(VOICE, "c", {"abc": "withheld", "2005-05-02": "withdrawn"})
    assert "coalesce(CAST(day AS STRING) NOT IN ('2005-05-02'), true)" in text
    assert "coalesce(CAST(batch AS STRING) NOT IN ('abc'), true)" in text
    # days withdrawn are accounted for like others
    ledger = catalog.ledger_view(VOICE, "c", {"abc": "withheld", "2005-05-02": "withdrawn"})
    assert "'abc'" in ledger
    assert "2005-05-02" not in ledger
    whole = replace(SCORES, slice=None)
    assert catalog.view(whole, "c", {"all": "open"}).endswith("WHERE false")
    for statement in [*catalog.registered(VOICE, "c", "s3://x/clean/voice"), text]:
        sqlglot.parse_one(statement, read="databricks")


# ---- the dashboard


def test_the_dashboard_asks_for_tables_and_columns_there_are() -> None:
    for path, found in RESOURCES.items():
        for dashboard in found.get("dashboards", {}).values():
            assert dashboard["dataset_schema"] == catalog.VIEWS
            assert dashboard["embed_credentials"] is False
            file = path.parent / dashboard["file_path"]
            assert file.name.endswith(".lvdash.json")
            columns = check_dashboard(json.loads(file.read_text()))
            assert columns["churn"] == {"month", "kind", "rate"}


def check_dashboard(content: dict[str, Any]) -> dict[str, set[str]]:
    """The columns of each dataset; every query, field and encoding is looked up."""
    schema = {name: dict.fromkeys(_columns(table), "string") for name, table in SHOWN.items()}
    columns = {}
    for dataset in content["datasets"]:
        query = qualify(sqlglot.parse_one("".join(dataset["queryLines"]), read="databricks"), schema=schema, dialect="databricks")
        assert {table.name for table in query.find_all(exp.Table)} <= set(SHOWN)
        columns[dataset["name"]] = set(query.named_selects)
    names = [one["widget"]["name"] for page in content["pages"] for one in page["layout"]]
    assert len(names) == len(set(names))
    asked = set()
    for page in content["pages"]:
        cells: list[tuple[int, int]] = []
        for one in page["layout"]:
            widget, place = one["widget"], one["position"]
            for query in widget["queries"]:
                fields = {field["name"] for field in query["query"]["fields"]}
                assert fields <= columns[query["query"]["datasetName"]], widget["name"]
                assert all(field["expression"] == f"`{field['name']}`" for field in query["query"]["fields"])
                asked.add(query["query"]["datasetName"])
            shown = re.findall(r'"fieldName": "(\w+)"', json.dumps(widget["spec"]))
            assert shown
            assert set(shown) <= fields
            cells += [
                (x, y)
                for x in range(place["x"], place["x"] + place["width"])
                for y in range(place["y"], place["y"] + place["height"])
            ]
        assert len(cells) == len(set(cells)), "widgets do not lie over each other"
        assert max(x for x, _ in cells) < 6
    assert asked == set(columns)
    return columns


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.stored_columns if column.pseudonym != "cipher"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("true_churn_rate AS rate", "true_rate AS rate"), ("FROM reentry_net_adds", "FROM reentry_net_add"), ("`rate`", "`rates`")],
)
def test_a_wrong_dashboard_is_found(old: str, new: str) -> None:
    text = (DEPLOY / "dashboards" / "churn.lvdash.json").read_text()
    assert old in text
    with pytest.raises((AssertionError, sqlglot.errors.SqlglotError)):
        check_dashboard(json.loads(text.replace(old, new)))
