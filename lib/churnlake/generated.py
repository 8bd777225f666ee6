"""The files of the repository that are made from others: dictionary, list of jobs, workflows, views and notebooks of Databricks."""

from __future__ import annotations

from pathlib import Path

from churnlake.core import catalog, dictionary
from churnlake.core.cells import as_databricks
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.core.settings import load
from churnlake.core.workflows import Workflow, bundle_files, readers_file, workflows
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS
from churnlake.landing.feed_help import FEED_HELP
from churnlake.settings import Settings
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import MODELS
from churnlake.tables.quality import CHECKS

_LAYERS = [
    "raw",
    "clean",
    "reference",
    "daily",
    "features",
    "circles",
    "churn",
    "reentry",
    "campaigns",
    "quality",
    "privacy",
    "vault",
]
READ_FIRST = ("city.py", "quality.py", "reentry.py", "churn.py")
ON_DATABRICKS = Path("deploy/databricks/notebooks")
"""Where the notebooks lie as Databricks reads them."""


def flows() -> tuple[Workflow, ...]:
    """The workflows: the gate is made of checks of quality, and lists to call from and models wait for it."""
    return workflows(Lineage.of_package(), taught=MODELS.name, judged=CHECKS.name, guarded=[MODELS.name, LISTS.name])


def pages() -> dict[Path, str]:
    """The generated pages, workflows and views of the repository: path below its root -> text."""
    lineage = Lineage.of_package()
    tables = sorted((*lineage.tables, RUNS), key=lambda t: _LAYERS.index(t.name.partition(".")[0]))
    return {
        Path("lib/churnlake/tables/README.md"): dictionary.dictionary(
            tables, lineage.makers, (*INDICATORS, *ALL_ITEMS, *DAILY), FEED_HELP
        ),
        Path("jobs/README.md"): dictionary.jobs_page(lineage.jobs),
        Path("deploy/sql/views.sql"): catalog.views_text(
            (*lineage.tables, RUNS), "churnlake", "churnlake_readers", "churnlake_analysts"
        ),
        **bundle_files(flows(), lineage, load(Settings, "databricks").store),
        **{ON_DATABRICKS / name: as_databricks(text) for name, text in notebooks().items()},
        **readers_file([ON_DATABRICKS / name for name in notebooks()]),
    }


def notebooks() -> dict[str, str]:
    """The readers' notebooks, by file name, in the order to read them in; none where the project is installed without them."""
    found = {path.name: path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "notebooks").glob("*.py")}
    return dict(sorted(found.items(), key=lambda one: [*READ_FIRST, one[0]].index(one[0])))
