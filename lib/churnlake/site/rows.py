"""A frame's rows as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def plain_rows(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    """One entry per row, by the column's name: None for what pandas calls missing, a list for an array; none without a frame."""
    if frame is None:
        return []
    return [{str(name): _value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return list(value)
    return None if pd.isna(value) else value
