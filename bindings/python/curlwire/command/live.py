# SPDX-License-Identifier: MIT
"""What moves on a terminal: a progress bar, and a table that grows. rich draws both (the extra curlwire[cli]).

Without rich, or without a terminal, nothing moves: the verbs then write only their results.
"""

import os
from types import TracebackType
from typing import Any, Self

_FRAMES_PER_S = 5


class Live:
    """A context manager that shows one thing of rich, and gives the terminal back at its end."""

    def __init__(self, shown: Any) -> None:
        self.shown: Any = shown  # rich.progress.Progress, rich.live.Live, or None

    def __enter__(self) -> Self:
        if self.shown:
            self.shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it, so that the caller can write. It may be called again."""
        if self.shown:
            self.shown.stop()


class Bar(Live):
    """The progress of a transfer, on stderr. It disappears at the end."""

    def __init__(self, is_wanted: bool, total_bytes: int | None) -> None:
        super().__init__(_bar() if is_wanted and os.isatty(2) else None)
        self.task: Any = self.shown.add_task("", total=total_bytes) if self.shown else None

    def advance(self, count_bytes: int) -> None:
        """Adds bytes that were transferred."""
        if self.shown:
            self.shown.advance(self.task, count_bytes)


class Table(Live):
    """A table on stdout, which stays at the end. is_shown is False where the caller must write its rows."""

    def __init__(self, is_wanted: bool, head: list[str]) -> None:
        super().__init__(_table() if is_wanted and os.isatty(1) else None)
        self.head: list[str] = head
        self.is_shown: bool = self.shown is not None

    def show(self, rows: list[list[str]]) -> None:
        """Shows these rows instead of those before."""
        from rich.table import Table as Rows

        drawn = Rows(box=None)
        for number, word in enumerate(self.head):
            drawn.add_column(word, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*row)
        self.shown.update(drawn)


def _bar() -> Any:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
    except ImportError:
        return None
    return Progress(
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=_FRAMES_PER_S,
    )


def _table() -> Any:
    try:
        from rich.live import Live as Drawn
    except ImportError:
        return None
    return Drawn(redirect_stdout=False, redirect_stderr=False, refresh_per_second=_FRAMES_PER_S)
