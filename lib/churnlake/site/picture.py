"""The picture of lineage: one card per job with the tables it writes, left to right in the order data flows.

A table read further right than the next column keeps a lane through the columns between, so that lines pass beside cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from churnlake.site.data import Step

CARD_WIDTH, ROW_HEIGHT, HEAD_HEIGHT = 164, 20, 30
GAP_ACROSS, GAP_DOWN, LANE_HEIGHT, MARGIN = 66, 22, 11, 10
SOURCES = "landing files"


@dataclass(frozen=True)
class Card:
    """A job placed in the picture: its column and the top left corner."""

    step: Step
    column: int
    x: float
    y: float

    @property
    def height(self) -> float:
        """Head and one row per table."""
        return _height(self.step)

    def row(self, table: str) -> float:
        """The middle of a table's row."""
        return self.y + HEAD_HEIGHT + ROW_HEIGHT * (self.step.writes.index(table) + 0.5)


@dataclass(frozen=True)
class Layout:
    """Where everything stands: the cards, and by table and column the height of the table's lane there."""

    cards: tuple[Card, ...]
    lanes: Mapping[tuple[str, int], float]
    height: float


def with_sources(steps: Sequence[Step]) -> list[Step]:
    """The steps, behind one that stands for landing files: the tables read that no job writes."""
    written = {table for step in steps for table in step.writes}
    outside = tuple(sorted({table for step in steps for table in step.reads} - written))
    source = Step(SOURCES, (), outside, "What the operator delivers.")
    return [*([source] if outside else []), *[step for step in steps if step.reads or step.writes]]


def columns(steps: Sequence[Step]) -> dict[str, int]:
    """By job, its column: one right of the furthest job whose tables it reads."""
    maker = {table: step.job for step in steps for table in step.writes}
    by_job = {step.job: step for step in steps}
    found: dict[str, int] = {}

    def place(job: str) -> int:
        if job not in found:
            before = {maker[table] for table in by_job[job].reads if table in maker} - {job}
            found[job] = 1 + max((place(other) for other in sorted(before)), default=-1)
        return found[job]

    for step in steps:
        place(step.job)
    return found


def arranged(steps: Sequence[Step]) -> Layout:
    """The layout: in each column cards and lanes stand in the order of what they come from, so that few lines cross."""
    at = columns(steps)
    maker = {table: step.job for step in steps for table in step.writes}
    furthest = {table: max([at[step.job] for step in steps if table in step.reads], default=0) for table in maker}
    stacks: list[list[Step | str]] = []
    for column in range(max(at.values(), default=-1) + 1):
        passing = [table for table in maker if at[maker[table]] < column < furthest[table]]
        stacks.append([*[step for step in steps if at[step.job] == column], *passing])
    tallest = max((_stack_height(stack) for stack in stacks), default=0.0)
    placed: dict[str, Card] = {}
    lanes: dict[tuple[str, int], float] = {}

    def source(table: str, column: int) -> float:
        """Where the table's line stands when it reaches the column."""
        return lanes.get((table, column - 1), placed[maker[table]].row(table))

    for column, stack in enumerate(stacks):

        def pull(one: Step | str, column: int = column) -> tuple[float, str]:
            if isinstance(one, str):
                return source(one, column), one
            before = [source(table, column) for table in one.reads if maker.get(table) in placed]
            return (sum(before) / len(before) if before else 0.0), one.job

        y = MARGIN + (tallest - _stack_height(stack)) / 2
        for one in sorted(stack, key=pull):
            if isinstance(one, str):
                lanes[one, column] = y + LANE_HEIGHT / 2
                y += LANE_HEIGHT
            else:
                y += GAP_DOWN / 2
                placed[one.job] = Card(one, column, MARGIN + column * (CARD_WIDTH + GAP_ACROSS), y)
                y += _height(one) + GAP_DOWN / 2
    return Layout(tuple(placed[step.job] for step in steps), lanes, tallest + 2 * MARGIN)


def picture(steps: Sequence[Step], colours: Mapping[str, str]) -> str:
    """An SVG of the lineage. ``colours`` maps a layer (the part of a table's name before the dot) to its colour."""
    layout = arranged(with_sources(steps))
    if not layout.cards:
        return ""
    maker = {table: card for card in layout.cards for table in card.step.writes}
    width = max(card.x for card in layout.cards) + CARD_WIDTH + MARGIN
    lines = [
        _line(maker[table], card, table, layout, colours)
        for card in layout.cards
        for table in sorted(set(card.step.reads))
        if table in maker and maker[table] is not card
    ]
    return (
        f'<svg class="lineage" viewBox="0 0 {width:.0f} {layout.height:.0f}" role="group" '
        f'aria-label="Lineage: {len(layout.cards)} jobs and the tables they read and write">'
        + "".join(lines)
        + "".join(_card(card, colours) for card in layout.cards)
        + "</svg>"
    )


def _line(start: Card, end: Card, table: str, layout: Layout, colours: Mapping[str, str]) -> str:
    x, y = start.x + CARD_WIDTH, start.row(table)
    curve = f"M{x:.1f} {y:.1f}"
    for column in range(start.column + 1, end.column):
        lane, left = layout.lanes[table, column], MARGIN + column * (CARD_WIDTH + GAP_ACROSS)
        curve += f"{_bend(x, y, left, lane)}H{left + CARD_WIDTH:.1f}"
        x, y = left + CARD_WIDTH, lane
    curve += _bend(x, y, end.x, end.y + HEAD_HEIGHT / 2)
    ends = f'data-from="{escape(start.step.job)}" data-to="{escape(end.step.job)}"'
    told = f"<title>{escape(table)} → {escape(end.step.job)}</title>"
    return f'<path class="flow" {ends} stroke="{_colour(table, colours)}" d="{curve}">{told}</path>'


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _height(step: Step) -> float:
    return HEAD_HEIGHT + ROW_HEIGHT * max(len(step.writes), 1) + 6


def _stack_height(stack: Sequence[Step | str]) -> float:
    return sum(LANE_HEIGHT if isinstance(one, str) else _height(one) + GAP_DOWN for one in stack)


def _card(card: Card, colours: Mapping[str, str]) -> str:
    dot, text = card.x + CARD_WIDTH, card.x + 12
    rows = [
        f'<g class="table"><circle cx="{dot:.1f}" cy="{card.row(table):.1f}" r="3.2" fill="{_colour(table, colours)}"/>'
        f'<text x="{text:.1f}" y="{card.row(table) + 4:.1f}">{escape(table)}</text></g>'
        for table in card.step.writes
    ]
    if not card.step.writes:
        at = f'x="{card.x + 12:.1f}" y="{card.y + HEAD_HEIGHT + 14:.1f}"'
        rows = [f'<text class="none" {at}>reports and files</text>']
    kind = "source" if card.step.job == SOURCES else "job"
    x, y, side = card.x, card.y, HEAD_HEIGHT - 12
    head = f"M{x:.1f} {y + HEAD_HEIGHT - 4:.1f}v-{side}q0-8 8-8h{CARD_WIDTH - 16}q8 0 8 8v{side}z"
    # a job's card leads to its row in the table below; landing files have none
    way, back = ("", "") if kind == "source" else (f'<a href="#job-{escape(card.step.job)}">', "</a>")
    return (
        f'<g class="card {kind}" data-job="{escape(card.step.job)}">{way}'
        f"<title>{escape(card.step.meaning or card.step.job)}</title>"
        f'<rect class="body" x="{x:.1f}" y="{y:.1f}" width="{CARD_WIDTH}" height="{card.height:.1f}" rx="8"/>'
        f'<path class="head" d="{head}"/>'
        f'<text class="name" x="{x + 12:.1f}" y="{y + 18:.1f}">{escape(card.step.job)}</text>' + "".join(rows) + f"{back}</g>"
    )


def _colour(table: str, colours: Mapping[str, str]) -> str:
    return colours.get(table.partition(".")[0], "#8fa3b5")
