# SPDX-License-Identifier: GPL-2.0
"""Turn SIGINT, SIGTERM and SIGHUP into an exception, outside of critical sections."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """One of the caught signals arrived.

    signum says which. is_kept says whether the next run uses the results so far.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.is_kept = False


class _Held:
    """State of signals_held(): the nesting depth, and a signal that arrived meanwhile."""

    depth = 0
    pending: int | None = None


def _on_signal(signum: int, _frame: FrameType | None) -> None:
    if _Held.depth:
        _Held.pending = signum
    else:
        raise Interrupted(signum)


def catch_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise Interrupted. Ignored signals stay ignored."""
    for signum in _CAUGHT:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _on_signal)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """A critical section. A signal that arrives in it is raised at its end.

    Only the main thread receives signals, so this does nothing in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        if _Held.depth == 0 and _Held.pending is not None:
            signum, _Held.pending = _Held.pending, None
            raise Interrupted(signum)


@contextlib.contextmanager
def results_kept() -> Iterator[None]:
    """A block whose results the next run uses if this one is interrupted."""
    try:
        yield
    except Interrupted as interruption:
        interruption.is_kept = True
        raise
