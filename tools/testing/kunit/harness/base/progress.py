# SPDX-License-Identifier: GPL-2.0
"""Show how long a program has been running, next to how long it took last time."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from harness.base import archive, console
from harness.base.console import Stopwatch, say

# In seconds. Shorter activities are neither shown nor recorded.
_SHORT = 5.0
# In seconds: the interval between updates on a terminal, and in a log.
_TERMINAL, _LOG = 1.0, 60.0

_lock = threading.Lock()
_records: Path | None = None
_running: list["_Activity"] = []


def remember_in(directory: Path) -> None:
    """Keep the durations in this directory."""
    global _records
    _records = directory / "durations.json"


@contextlib.contextmanager
def activity(name: str) -> Iterator[None]:
    """Show progress while the block runs. Record its duration if it succeeds."""
    current = _Activity(name)
    current.start()
    try:
        yield
    finally:
        current.stop()
    if current.seconds >= _SHORT:
        _remember(name, current.seconds)


class _Activity:
    """An activity of this name, with a thread that shows how long it has been running."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._watch = Stopwatch()
        self._expected = _known().get(name)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return self._watch.seconds

    def start(self) -> None:
        with _lock:
            _running.append(self)
        self._thread.start()

    def stop(self) -> None:
        with _lock:
            _running.remove(self)
        self._over.set()
        self._thread.join()
        if not _running:
            console.show_status("")

    def __str__(self) -> str:
        usual = f" of about {self._expected:.0f}" if self._expected else ""
        return f"{self.name}: {self.seconds:.0f}{usual} s"

    def _show(self) -> None:
        interval = _TERMINAL if console.has_terminal() else _LOG
        while not self._over.wait(interval):
            if not console.has_terminal():
                say(f"  {self} so far")
            elif self.seconds >= _SHORT and _running[:1] == [self]:
                more = f", and {len(_running) - 1} more" if len(_running) > 1 else ""
                console.show_status(f"{self}{more}")


def _known() -> dict[str, float]:
    """The recorded durations, by name."""
    if _records is None:
        return {}
    try:
        found = json.loads(_records.read_text(encoding="utf-8"))
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(name: str, seconds: float) -> None:
    with _lock:
        if _records is not None and _records.parent.is_dir():
            text = json.dumps({**_known(), name: round(seconds, 1)}, indent=1)
            archive.write_whole(_records, text + "\n")
