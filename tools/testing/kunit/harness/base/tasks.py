# SPDX-License-Identifier: GPL-2.0
"""Functions that run in threads, and end with the block that they are used in."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from harness.base.process import Children
from harness.base.signals import signals_held

T = TypeVar("T")


class Pool:
    """So many threads at most. What they have started ends when the block is left."""

    def __init__(self, at_once: int) -> None:
        self._children = Children()
        self._executor = ThreadPoolExecutor(at_once, initializer=self._children.adopt)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        with signals_held():
            self._children.end()
            self._executor.shutdown(cancel_futures=True)

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """Call a function in a thread, as soon as one is free."""
        with signals_held():
            return self._executor.submit(function)


def in_turn(functions: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
    """Call functions in threads, so many at once; what they return, in their order."""
    with Pool(at_once) as pool:
        for future in [pool.submit(function) for function in functions]:
            yield future.result()


def ahead(functions: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
    """Call functions one after the other, each in a thread while the caller is busy with
    what the one before returned; what they return, in their order.

    Close it when not all is taken.
    """
    with Pool(1) as pool:
        last: Future[T] | None = None
        for function in functions:
            done = [last.result()] if last else []
            last = pool.submit(function)
            yield from done
        if last:
            yield last.result()
