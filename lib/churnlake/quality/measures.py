"""What is measured of a day of records: shares, means, counts; each with the dimension of quality it speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from churnlake.core.contract import Table
from churnlake.core.quality import Dimension
from churnlake.tables.clean import VOICE

Scale = Literal["count", "mean", "share"]
"""How a measure varies: counts and means by factors, shares between 0 and 1."""
HOURS = tuple(f"hour_{hour:02d}_share" for hour in range(24))
"""Shares of a day's records by hour; judged together, as one drift."""
HOUR_DRIFT = "hour_drift"
"""PSI of the day's hours against past days of its class: known only once there are past days."""


@dataclass(frozen=True)
class Measure:
    """A measure that a band is learnt for: its scale, its dimension and what it is.

    ``only_more``: less of it is no fault. ``moves_with``: travel, when it changes with people away from home;
    holiday, when moreover people use the service much more or less on public holidays.
    """

    name: str
    scale: Scale
    dimension: Dimension
    meaning: str
    only_more: bool = False
    moves_with: Literal["", "holiday", "travel"] = ""


def _codes(column: str, codes: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {f"{name}_share": (f"state = 'good' and {column} = '{code}'", "state = 'good'") for name, code in codes.items()}


def shares(table: Table) -> dict[str, tuple[str, str]]:
    """By measure, two conditions on the codes of a record table's rows: which are counted, and of which."""
    names, good = set(table.names), "state = 'good'"
    found = {"bad_share": ("state = 'bad'", "true"), "duplicate_share": ("state = 'duplicate'", "true")}
    found |= {name: (f"{good} and hour = {hour}", good) for hour, name in enumerate(HOURS)}
    if "direction" in names:
        found |= _codes("direction", {"out": "out", "in": "in"})
    if table == VOICE:
        found |= _codes("direction", {"forwarded": "forwarded"})
        found |= _codes("call_class", {n: n for n in ("local", "long_distance", "international", "roaming")})
        found |= _codes("release_cause", {n: n for n in ("answered", "busy", "no_answer", "failed", "dropped")})
    if "peer_network" in names:
        found["on_net_share"] = (f"{good} and peer_network = 'own'", good)
    return found


def _more(name: str, dimension: Dimension, meaning: str, moves_with: Literal["", "travel"] = "") -> Measure:
    return Measure(name, "share", dimension, meaning, True, moves_with)


def sums(table: Table, late_days: int) -> dict[str, str]:
    """By name, SQL of a number per row that is summed over good rows: what shares and means are made of."""
    names = set(table.names)
    found = {
        "late": f"datediff(delivered_on, day) > {late_days}",
        "delayed": "datediff(delivered_on, day) > 1",
        "null_fee": "fee_yuan is null",
        "charged": "fee_yuan > 0",
        "fee": "if(fee_yuan between 0 and 10000, cast(fee_yuan as double), 0.0D)",
    }
    if "direction" in names:
        found["charged_in"] = "direction <> 'out' and fee_yuan > 0"
        # nobody is called by way of an IP prefix, or by a hotline: where such records are received, the codes are exchanged
        dialled = "peer_service is not null" + (" or is_ip" if "is_ip" in names else "")
        found["dialled_in"] = f"direction <> 'out' and ({dialled})"
    if "peer_key" in names:
        found["null_peer"] = "peer_key is null and peer_service is null"
    if "seconds" in names:
        found["seconds"] = "seconds"
    if "bytes" in names:
        found["bytes"] = "bytes"
    if "cell_id" in names:
        found["null_cell"] = "cell_id is null"
        found["unknown_cell"] = "is_unknown_cell"
    if "imei_key" in names:
        found["null_imei"] = "imei_key is null"
        found["unknown_tac"] = "is_unknown_tac"
        found["unread_imei"] = "imei_form = 'unreadable'"
    return found


RATIOS: Mapping[str, tuple[str, str]] = {
    "late_share": ("late", "rows"),
    "delayed_share": ("delayed", "rows"),
    "null_fee_share": ("null_fee", "rows"),
    "charged_share": ("charged", "rows"),
    "mean_fee": ("fee", "rows"),
    "charged_in_share": ("charged_in", "in_rows"),
    "dialled_in_share": ("dialled_in", "in_rows"),
    "null_peer_share": ("null_peer", "rows"),
    "mean_seconds": ("seconds", "rows"),
    "mean_bytes": ("bytes", "rows"),
    "null_cell_share": ("null_cell", "rows"),
    "unknown_cell_share": ("unknown_cell", "rows"),
    "null_imei_share": ("null_imei", "rows"),
    "unknown_tac_share": ("unknown_tac", "rows"),
    "unread_imei_share": ("unread_imei", "rows"),
}
"""By measure, the sum it is made of and the count it is taken over."""

BANDED: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("rows", "count", "completeness", "rows of the day", moves_with="holiday"),
        Measure("users", "count", "completeness", "numbers with a record", moves_with="holiday"),
        Measure("records_per_user", "mean", "consistency", "records a number", moves_with="holiday"),
        _more("bad_share", "validity", "rows set aside, of rows in"),
        _more("duplicate_share", "uniqueness", "rows delivered again, of rows in"),
        _more("delayed_share", "timeliness", "records delivered later than the day after"),
        _more("null_fee_share", "completeness", "records without a fee"),
        Measure("charged_share", "share", "accuracy", "records with a fee above zero"),
        Measure("charged_in_share", "share", "consistency", "received records with a fee above zero"),
        Measure("dialled_in_share", "share", "consistency", "received records that only a caller can have dialled"),
        Measure("mean_fee", "mean", "accuracy", "mean fee", moves_with="travel"),
        _more("null_peer_share", "completeness", "records without other party"),
        Measure("mean_seconds", "mean", "accuracy", "mean duration"),
        Measure("median_seconds", "mean", "accuracy", "median duration of those above zero"),
        Measure("mean_bytes", "mean", "accuracy", "mean volume"),
        _more("null_cell_share", "completeness", "records without cell", "travel"),
        _more("unknown_cell_share", "consistency", "records whose cell is in no register", "travel"),
        _more("null_imei_share", "completeness", "records without handset"),
        _more("unknown_tac_share", "consistency", "records whose handset type is in no register"),
        _more("unread_imei_share", "validity", "records whose handset can not be read"),
        Measure("users_per_imei", "count", "uniqueness", "most numbers on one handset", True),
        _more("stranger_share", "consistency", "numbers that are nobody's in reference.lives"),
        Measure("on_net_share", "share", "consistency", "records whose other party is ours"),
        *[Measure(f"{name}_share", "share", "consistency", f"records with direction {name}") for name in ("out", "in", "forwarded")],
        *[
            Measure(f"{name}_share", "share", "consistency", f"calls of class {name}", moves_with="travel")
            for name in ("local", "long_distance", "international", "roaming")
        ],
        *[
            Measure(f"{name}_share", "share", "consistency", f"calls ended {name}")
            for name in ("answered", "busy", "no_answer", "failed", "dropped")
        ],
    )
}  # fmt: skip
