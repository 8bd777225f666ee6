"""What a person at the terminal sees while a chain runs: a line a job. Plain lines where the output is no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.table import Table as RichTable

from churnlake.core.job import Report
from churnlake.core.written import aside


class Console:
    """A line a job while it runs and one when it is done; a closing summary."""

    def __init__(self, rich: RichConsole | None = None) -> None:
        self._rich = rich or RichConsole(highlight=False, soft_wrap=True)

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Show that a job runs."""
        if self._rich.is_terminal:
            with self._rich.status(f"[bold]{name}[/bold] ..."):
                yield
        else:
            yield

    def done(self, report: Report, budget: float | None = None) -> None:
        """One line for a finished job: its days, rows in and out, seconds and its budget."""
        took = f"{report.seconds:6.1f} s" + (f" of {budget:.0f}" if budget else "")
        late = budget is not None and report.seconds > budget
        self._rich.print(
            f"[green]✓[/green] {report.job:<17} {report.days!s:<24} {report.rows_in:>11,} in {report.rows_out:>11,} out  "
            + (f"[yellow]{took}[/yellow]" if late else took)
        )
        for line in aside(report.written):
            self._rich.print(f"    {line}", highlight=False)
        for line in report.left_out:
            self._rich.print(f"    [dim]left out: {line}[/dim]")

    def say(self, text: str) -> None:
        """One line."""
        self._rich.print(text)

    def summary(self, title: str, lines: list[tuple[str, str]]) -> None:
        """A short table of names and values."""
        table = RichTable(title=title, show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in lines:
            table.add_row(name, value)
        self._rich.print()
        self._rich.print(table)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: int) -> None:
        """A table with a header; its last ``numeric`` columns are figures."""
        table = RichTable()
        for place, name in enumerate(columns):
            is_figure = place >= len(columns) - numeric
            table.add_column(
                name, style="cyan" if place == 0 else "", justify="right" if is_figure else "left", no_wrap=is_figure
            )
        for row in rows:
            table.add_row(*row)
        # above the table: in it a title would be folded to its width
        self._rich.print(f"\n{title}", style="bold")
        self._rich.print(table)
