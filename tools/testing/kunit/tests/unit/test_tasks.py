# SPDX-License-Identifier: GPL-2.0
"""Functions that run in threads: results, exceptions, order, and the processes they start."""

import functools
import sys
import threading
import time
import unittest
from collections.abc import Callable, Iterator

from harness.base import children, process, tasks
from harness.base.errors import UsageError


class Pools(unittest.TestCase):
    def test_a_result_and_an_error(self) -> None:
        def fails() -> None:
            raise UsageError("cause", "next")

        with tasks.Pool(2) as pool:
            self.assertEqual(7, pool.submit(lambda: 7).result())
            with self.assertRaises(UsageError):
                pool.submit(fails).result()

    def test_processes_end_with_the_block(self) -> None:
        began = time.monotonic()
        with tasks.Pool(2) as pool:
            sleepers = [pool.submit(lambda: process.run(["sleep", "1000"])) for _ in range(2)]
            while not all(future.running() for future in sleepers):
                time.sleep(0.01)
            time.sleep(0.2)
        self.assertLess(time.monotonic() - began, 60)
        for future in sleepers:
            with self.assertRaises((process.CommandFailed, children.Abandoned)):
                future.result()

    def test_no_process_starts_after_the_block(self) -> None:
        def late() -> None:
            time.sleep(0.3)
            process.run([sys.executable, "-c", ""])

        with tasks.Pool(1) as pool:
            future = pool.submit(late)
            while not future.running():
                time.sleep(0.01)
        with self.assertRaises(children.Abandoned):
            future.result()

    def test_results_come_in_order(self) -> None:
        def slow(number: int) -> int:
            time.sleep(0.1 / (number + 1))
            return number

        found = list(tasks.in_turn([functools.partial(slow, n) for n in range(5)], 3))
        self.assertEqual([0, 1, 2, 3, 4], found)

    def test_results_come_as_functions_end(self) -> None:
        """The third function is not even taken before one of the first two has ended."""
        is_over, taken = threading.Event(), []

        def functions() -> Iterator[Callable[[], int]]:
            for number in range(4):
                taken.append(number)
                yield functools.partial(self.wait_if_first, number, is_over)

        found = tasks.as_they_end(functions(), 2)
        self.assertEqual((1, [0, 1]), (next(found), taken))
        is_over.set()
        self.assertEqual([0, 2, 3], sorted(found))

    @staticmethod
    def wait_if_first(number: int, is_over: threading.Event) -> int:
        if number == 0:
            is_over.wait(60)
        return number

    def test_one_function_runs_ahead(self) -> None:
        begun: list[int] = []

        def begin(number: int) -> int:
            begun.append(number)
            return number

        for number in tasks.ahead(functools.partial(begin, n) for n in range(4)):
            time.sleep(0.05)
            self.assertEqual(min(number + 2, 4), len(begun))


if __name__ == "__main__":
    unittest.main()
