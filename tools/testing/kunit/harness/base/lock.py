# SPDX-License-Identifier: GPL-2.0
"""Keeps a second run of the same program away from what the first one works on."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from harness.base import process
from harness.base.console import say
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


@contextlib.contextmanager
def waiting(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file path for the block; wait for the process that has it.

    what says what that one does, as in "prepares a tree". Programs that are started in the
    block hold the lock as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for process {lock.read().strip()}, which {what} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        process.shared_files.append(lock.fileno())
        try:
            yield
        finally:
            process.shared_files.remove(lock.fileno())
