# SPDX-License-Identifier: GPL-2.0
"""Locks that keep two runs from working on the same files."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from harness.base import process
from harness.base.console import say
from harness.base.errors import WorkTreeError


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file. Raises WorkTreeError if another run holds it.

    what is the name of the command, as in "make mutants".
    """
    with _opened(path) as (_, is_held):
        if not is_held:
            raise WorkTreeError(
                f"another {what} is running and holds {path}",
                "wait until it ends, or set BUILD=DIR to another directory",
            )
        yield


@contextlib.contextmanager
def waiting(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file. Wait if another process holds it.

    what describes the work of that process, as in "prepares a tree". Programs that are
    started in the block inherit the lock.
    """
    with _opened(path) as (lock, is_held):
        if not is_held:
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


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, bool]]:
    """Open a lock file and try to lock it. Yields the file and whether the lock is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = True
        except BlockingIOError:
            is_held = False
        yield lock, is_held
