"""Curves of a ranking as pictures (PNG): gains, precision and recall, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from churnlake.stats.gains import Gains

INK, MUTED, GRID, LINE = "#1b2a3a", "#5d6b7a", "#e6eaee", "#28557f"


def pictures(gains: Gains) -> dict[str, bytes]:
    """By file name, the three curves of one ranking."""
    base = gains.base_rate or 0.0
    share, found = zip(*gains.curve(), strict=True)
    recall, precision = gains.precision_recall()
    told, seen = gains.calibration()
    most = max([*told, *seen, 1e-6]) * 1.05
    return {
        "curves/gains.png": _drawn(
            "Gains", "share of active customers, likeliest first", "share of positives found", share, found, ([0, 1], [0, 1]), 1.0
        ),
        "curves/precision_recall.png": _drawn(
            "Precision and recall", "recall", "precision", recall, precision, ([0, 1], [base, base]), None
        ),
        "curves/calibration.png": _drawn(
            "Calibration", "probability told", "share seen", told, seen, ([0, most], [0, most]), most, marker="o"
        ),
    }


def _drawn(
    title: str,
    x: str,
    y: str,
    xs: Sequence[float],
    ys: Sequence[float],
    plain: tuple[list[float], list[float]],
    most: float | None,
    **style: Any,
) -> bytes:
    # a figure of its own: pyplot keeps all figures and asks for a screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.0), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot(*plain, color=MUTED, linewidth=1, linestyle="--")
    axes.plot(xs, ys, color=LINE, linewidth=2, **style)
    axes.set_title(title, color=INK, loc="left", fontsize=12)
    axes.set_xlabel(x, color=MUTED)
    axes.set_ylabel(y, color=MUTED)
    axes.grid(color=GRID)
    axes.set_xlim(left=0, right=1 if most is None else most)
    axes.set_ylim(bottom=0, top=most)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    whole = BytesIO()
    # no date inside: the same curve is the same file
    figure.savefig(whole, format="png", metadata={"Software": None})
    return whole.getvalue()
