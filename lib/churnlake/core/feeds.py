"""Landing feeds: the feed file that maps an operator's files to a contract.

Files are listed, hashed and counted in :mod:`churnlake.core.landing_files`, and read in :mod:`churnlake.core.feed_rows`.
"""

from __future__ import annotations

import codecs
import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pyspark.sql.types import DateType, StringType, TimestampType

from churnlake.core import texts
from churnlake.core.contract import Column, Table
from churnlake.core.errors import SettingsError
from churnlake.core.settings import Model, known_zone, read_yaml


class Source(Model):
    """Where one canonical column comes from: a column of the file, or a constant ``value``.

    ``codes`` map texts to ours; a text not listed becomes ``otherwise``, or stays as it is where that is not given. ``scale``
    multiplies a number. Times are read by ``format`` in ``zone``, or counted in seconds from ``epoch_from``, a local time there.
    """

    column: str | None = None
    value: str | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    scale: float | None = None
    format: str | None = None
    zone: str | None = None
    epoch_from: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Source:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either column: or value:")
        if self.otherwise is not None and not self.codes:
            raise ValueError("otherwise: needs codes:")
        if self.zone is not None:
            known_zone(self.zone)
        if self.epoch_from is not None and (self.format or not self.zone):
            raise ValueError("epoch_from: needs zone: and no format:")
        if self.epoch_from is not None:
            dt.datetime.fromisoformat(self.epoch_from)
        return self


def _source(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class Feed(Model):
    """What a feed file says: how the files are written and which of their columns fill the contract.

    Every line yields one row per entry of ``rows``. ``numbers`` tells the domain whether identifiers are written out or are
    opaque ids.
    """

    feed: str
    format: Literal["csv", "parquet"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "UTF-8"
    header: bool | list[str] = True
    missing: list[str] = Field(default_factory=lambda: [""])
    numbers: Literal["dialled", "opaque"]
    rows: list[dict[str, Annotated[Source, BeforeValidator(_source)]]] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Feed:
        try:
            codec = codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError(f"there is no encoding '{self.encoding}'") from error
        if codec.encode("\n,")[0] != b"\n,":
            raise ValueError(f"encoding '{self.encoding}' does not write line ends as one byte; deliver UTF-8")
        if self.format == "csv" and self.header is False:
            raise ValueError("header: must be true or the list of names of the columns")
        if self.delimiter in '"\n\r':
            raise ValueError("delimiter: can not be a quote or a line end")
        return self

    @property
    def is_utf8(self) -> bool:
        """Whether its files are written in UTF-8."""
        return codecs.lookup(self.encoding).name == "utf-8"

    @property
    def is_opaque(self) -> bool:
        """Whether its identifiers are ids that stand for themselves."""
        return self.numbers == "opaque"

    @property
    def has_record_id(self) -> bool:
        """Whether the operator's own record ids are delivered."""
        return any("record_id" in entry for entry in self.rows)

    @property
    def columns(self) -> list[str]:
        """The columns of the file that the mapping names, each once, in order."""
        return list(dict.fromkeys(s.column for entry in self.rows for s in entry.values() if s.column is not None))


def load_feed(path: Path, table: Table) -> Feed:
    """The feed file at ``path``, checked against the contract it fills.

    Raises SettingsError naming the file and the culprit: unknown keys, formats or zones, a column the contract does not
    have, a required one that is not mapped, a mapping that does not fit the type.
    """

    def wrong(what: str) -> SettingsError:
        return SettingsError(f"feed file {path}: {what}")

    if not path.is_file():
        raise wrong(f"does not exist; write it to map an operator's files to {table.name}")
    try:
        feed = Feed.model_validate(read_yaml(path))
    except SettingsError as error:
        raise wrong(str(error)) from error
    except ValidationError as error:
        raise wrong("; ".join(_explain(e["loc"], e["type"], e["msg"]) for e in error.errors())) from error
    noun = table.name.partition(".")[2]
    if feed.feed != noun:
        raise wrong(f"feed: is '{feed.feed}', but {path.name} maps {noun}; write feed: {noun}, or rename the file")
    given = feed.header if isinstance(feed.header, list) else None
    for place, entry in enumerate(feed.rows, start=1):
        unknown = sorted(set(entry) - set(table.names))
        if unknown:
            raise wrong(f"{table.name} has no column {', '.join(unknown)}; it has {', '.join(table.names)}")
        unmapped = [c.name for c in table.columns if not c.optional and c.name not in entry]
        if unmapped:
            raise wrong(f"rows entry {place} does not map {', '.join(unmapped)}, which {table.name} requires")
        if ("record_id" in entry) != feed.has_record_id:
            raise wrong("record_id must be mapped in every entry of rows or in none")
        for name, source in entry.items():
            why = _misfit(source, table.column(name), feed.format)
            if why:
                raise wrong(f"{name}: {why}")
            if given is not None and source.column is not None and source.column not in given:
                raise wrong(f"{name}: column {source.column} is not in header: {', '.join(given)}")
    return feed


def _explain(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc if part not in ("bool", "list[str]"))
    if kind == "extra_forbidden":
        known = sorted(Source.model_fields if len(loc) > 1 else Feed.model_fields)
        return f"unknown key '{key}'; there are {', '.join(known)}"
    if kind == "missing":
        return f"key '{key}' is missing"
    message = message.removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}" if key else message


def _misfit(source: Source, column: Column, file_format: str) -> str:
    """Why a source can not fill this column; empty when it can."""
    kind = column.type
    told = [*source.codes.values(), *(text for text in (source.otherwise, source.value) if text is not None)]
    if column.one_of and (strange := [text for text in told if text and text not in column.one_of]):
        return f"'{strange[0]}' is none of {', '.join(column.one_of)}"
    is_time, is_day = isinstance(kind, TimestampType), isinstance(kind, DateType)
    if is_time and file_format == "csv" and source.value is None and source.zone is None:
        return "a time needs zone:, the zone it is written in"
    if not is_time and (source.zone or source.epoch_from):
        return "zone: and epoch_from: are for times only"
    if not (is_time or is_day) and source.format:
        return "format: is for times and dates only"
    if (is_time or is_day) and source.format and not texts.is_format(source.format):
        return f"format '{source.format}' is not a date pattern such as yyyyMMddHHmmss"
    if source.scale is not None and (is_time or is_day or isinstance(kind, StringType)):
        return "scale: is for numbers only"
    return ""
