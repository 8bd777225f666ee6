"""The model card: what a version is, on what data it was made, how well it does and where, and what it is not for.

After Mitchell et al. 2019, "Model cards for model reporting". Parts with few positives are told without figures, and how few is not told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from churnlake.models.examine import Examined
from churnlake.models.judge import TOPS, Measures, measures
from churnlake.models.parts import WHOLE, profit
from churnlake.models.promotion import Verdict
from churnlake.models.settings import ModelsSettings
from churnlake.models.train import Trained

MEANINGS = {
    "leave_t1": "A customer active at a month's end leaves in the month after.",
    "leave_t2": "A customer active at a month's end leaves in the second month after, and not before.",
    "revenue": "A customer active at a month's end stays, but pays at most half of what is usual in the month after.",
    "winback": "A customer who left comes back within the window of a contact.",
}
SHOWN = ("pr_auc", "roc_auc", "calibration_slope", "calibration_error")


def card(
    target: str,
    known_on: dt.date,
    trained: Trained,
    seen: Examined,
    verdict: Verdict,
    versions: Mapping[str, int],
    slices: Mapping[str, Sequence[str]],
    revision: str | None,
    settings: ModelsSettings,
    least_shown: int,
) -> str:
    """The card of one training, in Markdown; counts and figures of fewer than ``least_shown`` persons are not told."""
    whole, money = measures(seen.whole), profit(seen.whole, settings.profit)
    parts = trained.split
    lines = [
        f"# {target}: {trained.champion.learner}",
        "",
        f"{MEANINGS[target]} The label is `{settings.label}`. {'Champion' if verdict.serves else 'Not the champion'}: {verdict.why}.",
        "",
        "## Data",
        f"- What was known on {known_on}. Taught: {', '.join(f'{m.month:%Y-%m}' for m in parts.train)} "
        f"({parts.rows:,} customer-months, {sum(m.leavers for m in parts.train):,} positive). "
        f"Tested: {parts.test.month:%Y-%m} ({parts.test.rows:,}, {parts.test.leavers:,} positive), active customers only.",
        f"- {len(trained.numeric)} numbers and {len(trained.categories)} categories taken; "
        + (
            f"hardly filled or always the same: {', '.join(trained.unusable)}."
            if trained.unusable
            else "none had to be left out."
        ),
        *(
            f"- `{table}` version {version}" + (f": {', '.join(slices[table])}" if slices.get(table) else "")
            for table, version in sorted(versions.items())
        ),
        f"- Code: {revision or 'revision not known'}.",
        "",
        "## How it was chosen",
        f"`{trained.champion.candidate}`, "
        + (
            f"by rolling origin over {', '.join(trained.folds)}; the test month chose nothing."
            if trained.folds
            else "the first parameters of the learner that did best on the test month: there was one month to teach with, nothing to try on."
        ),
        "",
        "| learner | mean PR-AUC while choosing | PR-AUC on the test month |",
        "|---|---|---|",
        *(f"| {f.candidate} | {_told(f.merit)} | {_told(f.measures['pr_auc'])} |" for f in trained.fitted),
        "",
        "## Figures on the test month",
        f"Base rate {_told(whole['base_rate'])}; "
        + "; ".join(f"{name.replace('_', ' ')} {_told(whole[name])}" for name in SHOWN)
        + ".",
        "",
        "| likeliest | precision | lift |",
        "|---|---|---|",
        *(f"| {top} % | {_told(whole[f'precision_top_{top}'])} | {_told(_lift(whole, top), 2)} |" for top in TOPS),
        "",
        _money(money, settings),
        "",
        "| part | customers | positive | PR-AUC | lift of the top 10 % | calibration slope |",
        "|---|---|---|---|---|---|",
        *_parts(seen, least_shown),
        "",
        "## What it leans on",
        *(f"- {name}: shuffled, {lost:.4f} of the area under ROC is lost" for name, lost in seen.importance if lost > 0),
        *(f"- without {group}: {lost:+.4f} of PR-AUC lost" for group, lost in seen.ablation.items()),
        "",
        "## Limits",
        "- Taught on what the operator's own records show; what moves customers elsewhere is seen through its traces alone.",
        "- Labels close 60 days after the month they tell of: the newest behaviour is never taught.",
        "- Customers who chose to be left alone are neither taught with nor scored.",
        "- It ranks who goes, not who can be held: whom a contact moves is for campaigns with a control arm to say.",
        f"- Parts with fewer than {least_shown} positives are told without figures.",
    ]
    return "\n".join(lines) + "\n"


def _lift(whole: Measures, top: int) -> float | None:
    return whole["lift_top_decile" if top == 10 else f"lift_top_{top}"]


def _money(money: Measures, settings: ModelsSettings) -> str:
    if money["profit_yuan"] is None:
        return "No positive, no money."
    p = settings.profit
    told = (
        f"Contacting the top {money['profit_share']:.1%} earns most: {money['profit_yuan']:,.0f} yuan, at {p.margin_share:.0%} margin for "
        f"{p.months:g} months, {p.contact_yuan:g} yuan a contact and {p.offer_yuan:g} an offer."
    )
    if money["empc"] is None:
        return f"{told} A customer is worth no more than the offer; there is no expected maximum profit."
    return f"{told} Expected maximum profit: {money['empc']:.3f} yuan a customer."


def _parts(seen: Examined, least: int) -> list[str]:
    lines = []
    for part, gains in seen.parts.items():
        if part == WHOLE:
            continue
        found = measures(gains)
        few = gains.positives.sum() < least
        figures = [_told(None if few else found[name]) for name in ("pr_auc", "lift_top_decile", "calibration_slope")]
        counts = [f"{count:,.0f}" if count >= least else f"under {least}" for count in (gains.rows.sum(), gains.positives.sum())]
        lines.append(f"| {part[0]} {part[1]} | {' | '.join([*counts, *figures])} |")
    return lines


def _told(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
