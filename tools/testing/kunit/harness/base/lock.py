# SPDX-License-Identifier: GPL-2.0
"""Keeps a second run of the same program away from what the first one works on."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import WorkTreeError


@contextlib.contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file path for the block. Raises WorkTreeError: another run has it.

    what says whose it is, as in "make mutants".
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkTreeError(
                f"another {what} is at work, and holds {path}",
                "wait for its end, or let BUILD=DIR name another place",
            ) from error
        yield
