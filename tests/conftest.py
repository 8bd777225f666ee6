"""One shared Spark session for all tests: 2 shuffle partitions, no UI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from churnlake.core.session import get_session
from churnlake.core.settings import load
from churnlake.settings import Settings

DATA = Path(os.environ.get("CHURNLAKE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The public data sets; tests that need them are skipped, saying so, where they are absent."""
    if not DATA.is_dir():
        pytest.skip(f"public data sets not found at {DATA}; set CHURNLAKE_DATA to their folder")
    return DATA


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one session of the test run."""
    settings = load(Settings, "local").spark
    settings = settings.model_copy(update={"master": "local[2]", "shuffle_partitions": 2, "driver_memory": "3g"})
    session, _ = get_session(settings, tmp_path_factory.mktemp("logs"))
    yield session
    session.stop()
