# SPDX-License-Identifier: GPL-2.0
"""What the user reads while something runs; stdout is left to the results."""

import sys
import time

# 0: what is being done; -1: nothing but errors; 1: each program that is started as well.
_level = 0


def set_level(level: int) -> None:
    """Say more or less from now on: -1, 0 or 1."""
    global _level
    _level = level


def say(message: str) -> None:
    """Tell the user what is going on."""
    if _level >= 0:
        print(f"kunit: {message}", file=sys.stderr, flush=True)


def say_details(message: str) -> None:
    """Tell a user who wants to know everything."""
    if _level >= 1:
        print(f"kunit: {message}", file=sys.stderr, flush=True)


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
