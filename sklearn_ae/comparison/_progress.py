"""Shows how far a comparison is: a bar where somebody watches, else a line per reducer."""

import sys
import time
from contextlib import contextmanager


def _interactive():
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def announce(time_in_words, verbose):
    """Say how long it will take, where somebody watches or lines are wanted."""
    if verbose >= 2 or (verbose and _interactive()):
        text = f"this takes about {time_in_words} on a machine that does nothing else"
        print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(n_steps, verbose):
    """Context that yields ``step(name)`` and ``finished(name, problem)``."""
    if verbose and _interactive():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        except ImportError:
            yield _Lines()
            return
        with Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} fits"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            yield _Bar(bar, bar.add_task("comparing", total=n_steps))
    else:
        yield _Lines() if verbose >= 2 else _Silence()


class _Silence:
    def start(self, name):
        """Nothing to show."""

    def step(self):
        """Nothing to show."""

    def finish(self, name, n_missing):
        """Nothing to show."""


class _Bar:
    def __init__(self, bar, task):
        self.bar, self.task = bar, task

    def start(self, name):
        """A reducer that runs now."""
        self.bar.update(self.task, description=name)

    def step(self):
        """One more fit is done."""
        self.bar.advance(self.task)

    def finish(self, name, n_missing):
        """A reducer ended; fits that it did not make are done too."""
        self.bar.advance(self.task, n_missing)


class _Lines:
    def __init__(self):
        self.since = {}

    def start(self, name):
        """A reducer that runs now."""
        self.since[name] = time.perf_counter()

    def step(self):
        """Single fits are not shown."""

    def finish(self, name, n_missing):
        """A reducer ended."""
        seconds = time.perf_counter() - self.since[name]
        state = "failed" if n_missing else "done"
        print(f"{name}: {state} after {seconds:.0f} s", file=sys.stderr, flush=True)
