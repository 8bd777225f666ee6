"""What the page on adding to it shows is run as it stands there: the indicator, the table, the function with its test, the job."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pyspark.sql import SparkSession

from churnlake.core.contract import Indicator
from churnlake.core.job import Job
from churnlake.core.lineage import Lineage
from churnlake.indicators import calls
from churnlake.indicators.checks import refuse_wrong

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    f"{folder}/{name}": code
    for folder, name, code in re.findall(r"^In `([\w/]+)/`, `(\w+)\.py`.*?\n\n```python\n(.*?)^```", PAGE, re.M | re.S)
}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of the page, in its order, as if they were files."""
    made = {}
    for path, code in FILES.items():
        name = path.removeprefix("lib/").replace("/", ".")
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, f"docs/extending.md, {path}", "exec"), module.__dict__)
        made[path] = module
    return made


def test_the_indicator_of_the_page_follows_the_rules() -> None:
    (code,) = re.findall(r"^```python\n    (Indicator\(.*?)^```", PAGE, re.M | re.S)
    (indicator,) = eval(code, dict(calls.__dict__))
    assert isinstance(indicator, Indicator)
    refuse_wrong([indicator])


def test_table_function_and_job_of_the_page_work(spark: SparkSession, added: dict[str, ModuleType]) -> None:
    added["tests/unit/test_texters"].test_who_sends_is_counted_by_brand(spark)
    job = added["jobs/count_texters"].count_texters
    assert isinstance(job, Job)
    lineage = Lineage.of([*Lineage.of_package().jobs, job])
    assert list(lineage.upstream(job)) == ["build_features"]
    assert lineage.makers["features.texters"] == "count_texters"
