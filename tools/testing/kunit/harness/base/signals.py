# SPDX-License-Identifier: GPL-2.0
"""Ctrl-C and its like: an exception where we are, but never in the midst of something whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM arrived. signum says which."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _Held:
    """Signals that arrive while a child is being started or ended wait."""

    depth = 0
    pending: int | None = None


def _on_signal(signum: int, _frame: FrameType | None) -> None:
    if _Held.depth:
        _Held.pending = signum
    else:
        raise Interrupted(signum)


def catch_signals() -> None:
    """Turn Ctrl-C, SIGTERM and SIGHUP into Interrupted, raised where we are."""
    for signum in _CAUGHT:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _on_signal)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Do something whole: an interruption is raised when the block is left.

    Signals are the main thread's business: in another one there is nothing to hold.
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
