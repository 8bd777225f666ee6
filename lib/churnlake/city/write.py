"""Landing files, the truth beside them, and the manifest by which a city is made once only."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city.settings import CityScenario
from churnlake.core.errors import ContractError

MANIFEST = "_manifest.json"
BUILDING = "_building"
GENERATOR = 7
"""Raised when the same scenario and seed come to mean other files."""


def identity(scenario: CityScenario, seed: int) -> str:
    """The hash of all that decides a city's bytes."""
    text = json.dumps([GENERATOR, seed, scenario.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def made(landing: Path, truth: Path, scenario: CityScenario, seed: int) -> dict[str, int] | None:
    """The counts of the city in the folder, None when the folder is free. Raises ContractError when another one lies there."""
    manifest = landing / MANIFEST
    if manifest.is_file():
        known = json.loads(manifest.read_text(encoding="utf-8"))
        if known["identity"] != identity(scenario, seed):
            raise ContractError(
                f"{landing} holds the city '{known['scenario']}' of seed {known['seed']}, not '{scenario.name}' as "
                f"described now with seed {seed}; "
                "remove that folder (and its truth), or choose another with --set store.landing=..."
            )
        if not (truth / "users").is_dir():
            raise ContractError(
                f"{landing} holds the city '{scenario.name}' but its truth is not at {truth}; remove {landing} and generate again"
            )
        return {str(key): int(value) for key, value in known["counts"].items()}
    if landing.is_dir() and any(path.name != BUILDING for path in landing.iterdir()):
        raise ContractError(
            f"{landing} holds files that are not of a generated city; remove it or choose another with --set store.landing=..."
        )
    return None


def sign(landing: Path, scenario: CityScenario, seed: int, counts: dict[str, int]) -> None:
    """Write the manifest: last of all, so that a city half made is never taken for a whole one."""
    content = {"identity": identity(scenario, seed), "scenario": scenario.name, "seed": seed, "counts": counts}
    part = landing / f"{MANIFEST}.part"
    part.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(landing / MANIFEST)


def register_lines(frame: DataFrame, feed: str) -> DataFrame:
    """One row per line of a register: its columns but ``delivered`` in order, empty where null."""
    columns = [column for column in frame.columns if column != "delivered"]
    fields = ", ".join(f"coalesce(cast(`{column}` as string), '')" for column in columns)
    # a register is long: it is put in order by a number
    orders = {"PAY_TIME": "cast(PAY_TIME as bigint)", "USER_ID": "cast(substring(USER_ID, 2) as bigint)"}
    place = next((sql for name, sql in orders.items() if name in columns), "0L")
    return frame.selectExpr(
        f"'{feed}' as feed", "delivered", "0 as part", f"{place} as place", f"concat_ws(',', {fields}) as line"
    )


def header(frame: DataFrame) -> str:
    """The header line of a register's file."""
    return ",".join(column for column in frame.columns if column != "delivered")


def path(landing: Path, feed: str, day: str, part: int = 0, parts: int = 1) -> Path:
    """Where a feed's file of a delivery lies, or one of its ``parts``."""
    suffix = f"_{part:03d}" if parts > 1 else ""
    return landing / feed / f"date={day}" / f"{feed}_{day.replace('-', '')}{suffix}.csv.gz"


def files(
    lines: DataFrame, headers: dict[str, str], due: dict[str, list[str]], landing: Path, name: str, parts: int = 1
) -> dict[str, int]:
    """Write lines (feed, delivered, part, place, line) as date=<delivered>/<feed>_<day>.csv.gz below each feed; returns lines by feed.

    One file per feed, delivery ``due`` and part of ``parts``, with its header even when nothing happened, sorted by place and
    line, so the bytes are the same whatever the partitioning. Needs a local landing folder.
    """
    staged = landing / BUILDING / name
    targets = [(feed, day, part) for feed, days in due.items() for day in days for part in range(parts)]
    spark = lines.sparkSession
    numbered = spark.createDataFrame(
        [(*target, file) for file, target in enumerate(targets)], "feed string, delivered string, part int, file int"
    )
    heads = spark.createDataFrame(
        [(file, -1, headers[feed]) for file, (feed, _, _) in enumerate(targets)], "file int, place bigint, line string"
    )
    body = lines.join(F.broadcast(numbered), on=["feed", "delivered", "part"], how="inner").select("file", "place", "line")
    (
        body.unionByName(heads)
        # a task for each file: what a file holds is sorted in memory and written once
        .repartitionById(len(targets), "file")
        .sortWithinPartitions("place", "line")
        .select("line")
        .write.mode("overwrite")
        .option("compression", "gzip")
        .option("zlib.compress.level", "BEST_SPEED")
        .text(str(staged))
    )
    found = sorted(staged.glob("part-*.txt.gz"))
    if len(found) != len(targets):
        raise RuntimeError(f"{len(found)} files written below {staged}, not {len(targets)}")

    def moved(file: int) -> int:
        feed, day, part = targets[file]
        target = path(landing, feed, day, part, parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        found[file].replace(target)
        with gzip.open(target, "rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1

    counts = dict.fromkeys(headers, 0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (feed, _, _), count in zip(targets, pool.map(moved, range(len(targets))), strict=True):
            counts[feed] += count
    shutil.rmtree(staged)
    return counts
