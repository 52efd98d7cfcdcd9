# SPDX-License-Identifier: GPL-2.0
"""Run functions in threads that end with the block that uses them."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import TypeVar

from harness.base.children import Children
from harness.base.signals import signals_held

T = TypeVar("T")


class Pool:
    """A pool of threads. Leaving the block ends the programs that they have started."""

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
        """Call a function in a thread as soon as one is free."""
        with signals_held():
            return self._executor.submit(function)


def in_turn(functions: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
    """Call functions in at_once threads. Yield their results in order."""
    with Pool(at_once) as pool:
        for future in [pool.submit(function) for function in functions]:
            yield future.result()


def as_they_end(functions: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
    """Call functions in at_once threads. Yield each result as soon as possible, in any order.

    A function is taken from the iterable only when a thread is free.
    """
    with Pool(at_once) as pool:
        running: set[Future[T]] = set()
        for function in functions:
            running.add(pool.submit(function))
            timeout = None if len(running) == at_once else 0
            ended, running = wait(running, timeout, FIRST_COMPLETED)
            yield from (one.result() for one in ended)
        yield from (one.result() for one in as_completed(running))


def ahead(functions: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
    """Call functions one at a time in a thread, each while the caller works on the result of
    the previous one. Yield their results in order.

    Close the generator if not all results are needed.
    """
    with Pool(1) as pool:
        last: Future[T] | None = None
        for function in functions:
            done = [last.result()] if last else []
            last = pool.submit(function)
            yield from done
        if last:
            yield last.result()
