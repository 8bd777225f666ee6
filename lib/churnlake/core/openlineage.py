"""Events of lineage in the OpenLineage format, where a session is asked for them: how it is made to send them, and what columns come from by them.

The listener of the OpenLineage project reads the plan of every query that Spark runs: which tables it reads and writes, at which
version, and which column comes from which. Nothing of it is ours but the settings and the reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from churnlake.core.errors import MissingInputError, SettingsError

LISTENER = "io.openlineage.spark.agent.OpenLineageSparkListener"
FILE = "openlineage.jsonl"
NAMESPACE = "churnlake"


def conf(where: str, log_folder: Path | None, given: Mapping[str, str]) -> dict[str, str]:
    """The settings ``given``, and those that make a new session send its events: ``where`` is file (in the folder of logs) or the URL of a receiver.

    What is given goes before our own; listeners given listen as well.
    """
    if where != "file":
        transport = {"type": "http", "url": where}
    elif log_folder is None:
        raise SettingsError("spark.openlineage=file needs a folder of logs; this command has none")
    else:
        transport = {"type": "file", "location": str(log_folder.resolve() / FILE)}
    return {
        "spark.openlineage.namespace": NAMESPACE,
        # a statement holds what it looks for: that of an erasure, users; the details of an application, who started it where
        "spark.openlineage.facets.sql.disabled": "true",
        "spark.openlineage.facets.spark_applicationDetails.disabled": "true",
        **{f"spark.openlineage.transport.{name}": value for name, value in transport.items()},
        **given,
        "spark.extraListeners": ",".join(filter(None, (given.get("spark.extraListeners"), LISTENER))),
    }


@dataclass(frozen=True)
class Columns:
    """What the columns of a table come from, by the event of one write of it.

    Attributes:
        at: When, as the event tells it.
        of: By column, the columns that its values are made of: name of table and column, and how.
        every: What decides which rows there are, and which belong together: joined, filtered, grouped or sorted by.
    """

    at: str
    of: Mapping[str, tuple[str, ...]]
    every: tuple[str, ...] = field(default=())


def by_table(events: Path, places: Mapping[str, str]) -> dict[str, Columns]:
    """By table, what its columns come from: by the newest of the events in a file that tells it. None where there is no file.

    A line that is no event is passed over: a run that was killed, or the session that reads this, left half of one.

    ``places``: by the path of a table or a folder of landing files, what the house calls it.
    """
    found: dict[str, Columns] = {}
    if not events.is_file():
        return found
    with events.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            for output in _outputs(line):
                told = output.get("facets", {}).get("columnLineage")
                if told and told.get("fields"):
                    of = {name: _told(one["inputFields"], places) for name, one in told["fields"].items()}
                    found[_called(output, places)] = Columns(output["eventTime"], of, _told(told.get("dataset", ()), places))
    return found


def _outputs(line: str) -> list[dict[str, Any]]:
    """What the event of a line wrote, each with the event's time; nothing where it tells no columns, as few do."""
    if '"columnLineage"' not in line:
        return []
    try:
        event = json.loads(line)
    except ValueError:
        return []
    return [{**output, "eventTime": event["eventTime"]} for output in event.get("outputs", ())]


def columns_of(table: str, events: Path, places: Mapping[str, str]) -> Columns:
    """What the columns of one table come from. Raises MissingInputError where no event tells it."""
    found = by_table(events, places)
    if table not in found:
        where = f"no event in {events} tells of the columns of {table}" if events.is_file() else f"no events at {events}"
        raise MissingInputError(f"{where}; run the job that makes {table} with --set spark.openlineage=file first")
    return found[table]


def _told(inputs: Iterable[Mapping[str, Any]], places: Mapping[str, str]) -> tuple[str, ...]:
    """Columns in words, each once: where it is and how it is used."""
    how: dict[str, set[str]] = {}
    for one in inputs:
        used = {str(by.get("subtype") or by.get("type", "")).lower().replace("_", " ") for by in one.get("transformations") or ()}
        how.setdefault(f"{_called(one, places)}.{one['field']}", set()).update(used - {"identity", ""})
    return tuple(f"{name} ({', '.join(sorted(used))})" if used else name for name, used in sorted(how.items()))


def _called(dataset: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """What the house calls a data set: of a path below a place, the place's name; else its path."""
    # of an object store it is named by its key, which begins with no slash
    path = f"/{str(dataset['name']).strip('/')}"
    inside = [place for place in places if path == place or path.startswith(f"{place}/")]
    return places[max(inside, key=len)] if inside else str(dataset["name"])
