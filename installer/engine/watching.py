"""What somebody at a terminal sees while files are fetched and checked."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from installer.engine.storage import Report


class Watcher(Protocol):
    """Who is told what is done."""

    def say(self, sentence: str) -> None:
        """Take a sentence."""

    def task(self, what: str, total_bytes: int) -> AbstractContextManager[Report]:
        """Follow one piece of work, of so many bytes."""


class ConsoleWatcher:
    """Shows sentences and, one at a time, a progress bar with sizes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self._console.print(f"  {sentence}", markup=False)

    @contextmanager
    def task(self, what: str, total_bytes: int) -> Iterator[Report]:
        """Show a bar until the work is done."""
        columns = (
            TextColumn("  {task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=16),
            DownloadColumn(table_column=Column(no_wrap=True)),
            TransferSpeedColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        )
        # Into a file or a pipe, a bar would be a row of empty lines.
        is_shown = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not is_shown) as progress:
            task = progress.add_task(what, total=total_bytes)
            yield lambda done: progress.update(task, completed=done)
