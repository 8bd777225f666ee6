"""Settings as a person may see them: each on a line, what differs marked, what is secret left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from churnlake.core import pseudonyms

SECRET = re.compile(r"secret|passw|token|credential|access[._-]?key|account\.key|private", re.IGNORECASE)
"""Names of settings whose value is nobody's business, as of Hadoop's file systems in spark.conf."""
IN_TEXT = re.compile(r"((?:secret|passw|token|credential|key)[\w.]*=)\S+", re.IGNORECASE)
IN_ADDRESS = re.compile(r"(://[^/@:]*:)[^/@]*@")
HIDDEN = "***"


def differing(settings: BaseModel, base: BaseModel) -> list[str]:
    """One line per setting, those that differ from ``base`` marked with an asterisk and what it says there."""
    now, then = dict(_flat(settings.model_dump(mode="json"))), dict(_flat(base.model_dump(mode="json")))
    lines = []
    for name, value in now.items():
        told = f"{name} = {shown(name, value)}"
        is_new = name not in then
        same = not is_new and then[name] == value
        lines.append(f"  {told}" if same else f"* {told}  ({'not there' if is_new else shown(name, then[name])})")
    return lines


def shown(name: str, value: Any) -> str:
    """A value as it may be shown: no password, no key, no name of a person to be erased."""
    if name == "store.key_file":
        return ", ".join(map(_place, [value] if isinstance(value, str) else value)) or '""'
    if name == "privacy.erase_users":
        return f"{len(value)} users"
    if SECRET.search(name) and value:
        return HIDDEN
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return IN_ADDRESS.sub(rf"\1{HIDDEN}@", IN_TEXT.sub(rf"\1{HIDDEN}", text))


def _place(place: str) -> str:
    """Where a key lies; what is no place may be the key itself."""
    is_place = place.startswith(pseudonyms.ENVIRONMENT) or pseudonyms.is_remote(place) or "/" in place or Path(place).is_file()
    return place if is_place or not place else HIDDEN


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting by its whole name, as --set writes it; lists and what is in them are one."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
