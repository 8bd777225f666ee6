"""Clean and daily tables against the same done by DuckDB from the same files."""

from pathlib import Path

from conftest import City
from pyspark.sql import SparkSession

from churnlake.core.runs import EVER
from churnlake.evaluate import duck
from churnlake.evaluate.bench import differing, results


def test_the_lake_holds_what_duckdb_makes_of_the_same_files(spark: SparkSession, city: City, tmp_path: Path) -> None:
    settings = city.settings
    key = Path(str(settings.store.key_file)).read_bytes()
    store = settings.store
    task = duck.Task(Path(store.landing), tmp_path, key, 2, "2GB", settings.landing, settings.usage, store.looks_back_days)
    ours, theirs = results(spark, settings, EVER), duck.measure(task)["results"]
    assert ours["clean.voice"]["good"] > 1000
    assert ours["clean.voice"]["duplicate"] > 0
    assert ours.keys() == theirs.keys()
    assert differing(ours, theirs) == []
