# SPDX-License-Identifier: GPL-2.0
"""Messages to the user on stderr. Only results go to stdout."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

# -1: print errors only. 0: also print progress. 1: also print each program that is started.
_level = 0
# The status line at the bottom of the terminal.
_status = ""
_lock = threading.Lock()
_CLEAR = "\x1b[K"
_COLOURS = {"red": "31;1", "green": "32;1", "yellow": "33"}


def set_level(level: int) -> None:
    """Set how much to print: -1, 0 or 1."""
    global _level
    _level = level


def say(message: str) -> None:
    """Print a progress message."""
    if _level >= 0:
        _print(f"kunit: {message}")


def say_details(message: str) -> None:
    """Print a message for verbose mode only."""
    if _level >= 1:
        _print(f"kunit: {message}")


def has_terminal() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def show_status(text: str) -> None:
    """Replace the status line; an empty text removes it. Does nothing without a terminal."""
    global _status
    if has_terminal() and _level >= 0:
        with _lock:
            _status = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r{_CLEAR}{_status}", end="", file=sys.stderr, flush=True)


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Colour a text if the stream is a terminal and NO_COLOR is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def conclude(text: str, is_good: bool, *files: Path) -> None:
    """Print where the results are, then the results with a green or red last line."""
    if files:
        say(f"the results are in {', '.join(short(path) for path in files)}")
    body, newline, last = text.rpartition("\n")
    print(body + newline + paint(last, "green" if is_good else "red", sys.stdout), flush=True)


def short(path: Path) -> str:
    """Return the path relative to the current directory, if it is below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _print(line: str) -> None:
    with _lock:
        clear = f"\r{_CLEAR}" if _status else ""
        print(f"{clear}{line}\n{_status}", end="", file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """A number of things: "1 case", "2 cases", "2 patches"."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number} {noun}{ending}"


def tail(text: str, lines: int = 20) -> str:
    """The last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


class Stopwatch:
    """Measures the seconds since its creation."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def say(self, message: str) -> None:
        """Print a progress message with the seconds."""
        say(f"[{self.seconds:4.0f} s] {message}")
