"""Register the lake's tables in Unity Catalog and make the analysts' views of what readers may see now.

refresh_views.py --env ENV --set KEY=VALUE ... --catalog NAME --readers GROUP --analysts GROUP
"""

import argparse
import sys
from pathlib import Path

from churnlake.core import catalog
from churnlake.core.lake import Lake, Scope
from churnlake.core.lineage import Lineage
from churnlake.core.runs import EVER, RUNS
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.settings import Settings


def main(argv: list[str]) -> None:
    """Run the statements of core.catalog for each table there is."""
    parser = argparse.ArgumentParser(prog="refresh_views")
    for name in ("env", "catalog", "readers", "analysts"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args(argv)
    settings = load(Settings, arguments.env, arguments.set)
    tables = catalog.shown((*Lineage.of_package().tables, RUNS))
    with session(settings.spark, Path(settings.store.work) / "logs") as spark:
        lake = Lake(spark, settings.store, Scope("", EVER, tuple(tables), ()))
        hidden = lake.hidden()
        there = [table for table in tables if lake.storage.exists(table)]
        for statement in [
            *catalog.opened(arguments.catalog, arguments.readers, arguments.analysts),
            *(s for table in there for s in catalog.registered(table, arguments.catalog, lake.path(table))),
            *(s for table in there for s in catalog.views(table, arguments.catalog, hidden.get(table.name))),
        ]:
            spark.sql(statement)
    print(f"{len(there)} tables registered, with their views")


if __name__ == "__main__":
    main(sys.argv[1:])
