"""A progress bar on stderr, only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def open_progress(name: str, size: int | None) -> Iterator[Callable[[], None]]:
    """Gives the function to call after each of `size` steps; None: nobody knows how many."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - not worth loading without a terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=size)
        yield lambda: progress.advance(task)
