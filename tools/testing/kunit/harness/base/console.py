# SPDX-License-Identifier: GPL-2.0
"""What the user reads while something runs; stdout is left to the results."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

# 0: what is being done; -1: nothing but errors; 1: each program that is started as well.
_level = 0
# The line at the bottom of the terminal.
_status = ""
_lock = threading.Lock()
_CLEAR = "\x1b[K"
_COLOURS = {"red": "31;1", "green": "32;1", "yellow": "33"}


def set_level(level: int) -> None:
    """Say more or less from now on: -1, 0 or 1."""
    global _level
    _level = level


def say(message: str) -> None:
    """Tell the user what is going on."""
    if _level >= 0:
        _print(f"kunit: {message}")


def say_details(message: str) -> None:
    """Tell a user who wants to know everything."""
    if _level >= 1:
        _print(f"kunit: {message}")


def has_terminal() -> bool:
    """Whether what is said goes to a terminal that can take back a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def show_status(text: str) -> None:
    """Show a line that the next one replaces; "" takes it away. For terminals only."""
    global _status
    if has_terminal() and _level >= 0:
        with _lock:
            _status = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r{_CLEAR}{_status}", end="", file=sys.stderr, flush=True)


def paint(text: str, colour: str, stream: TextIO) -> str:
    """A text in a colour, if the stream is a terminal and the user has nothing against it."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def conclude(text: str, is_good: bool, *files: Path) -> None:
    """Say which files have the results, then print them; the last line is green or red."""
    if files:
        say(f"the results are in {', '.join(short(path) for path in files)}")
    body, newline, last = text.rpartition("\n")
    print(body + newline + paint(last, "green" if is_good else "red", sys.stdout), flush=True)


def short(path: Path) -> str:
    """A path as the user would type it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _print(line: str) -> None:
    with _lock:
        clear = f"\r{_CLEAR}" if _status else ""
        print(f"{clear}{line}\n{_status}", end="", file=sys.stderr, flush=True)


def tail(text: str, lines: int = 20) -> str:
    """The last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start
