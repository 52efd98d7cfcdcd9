# SPDX-License-Identifier: GPL-2.0
"""The programs that threads have started, so that the main thread can end them."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable


class Abandoned(Exception):
    """A thread tried to start a program after its pool was closed."""


class Children:
    """The programs that a group of threads has started.

    Python delivers signals to the main thread only, so the main thread ends the programs of
    other threads.
    """

    _local = threading.local()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set["subprocess.Popen[bytes]"] = set()
        self._is_over = False

    @staticmethod
    def current() -> "Children | None":
        """The group of the current thread, or None."""
        found: Children | None = getattr(Children._local, "children", None)
        return found

    def adopt(self) -> None:
        """Add the current thread to this group."""
        Children._local.children = self

    def start(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
        """Start a program. Raises Abandoned after end()."""
        with self._lock:
            if self._is_over:
                raise Abandoned
            child = start()
            self._running.add(child)
            return child

    def forget(self, child: "subprocess.Popen[bytes]") -> None:
        """Remove a program that its own thread is about to end."""
        with self._lock:
            self._running.discard(child)

    def end(self) -> None:
        """Send SIGTERM to all programs. Their threads wait for them."""
        with self._lock:
            self._is_over = True
            for child in self._running:
                signal_group(child.pid, signal.SIGTERM)


def signal_group(pgid: int, signum: int) -> None:
    """Send a signal to a process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)
