# SPDX-License-Identifier: GPL-2.0
"""Measuring the way to a verdict: turns, edits, and runs that come to none."""

import json
import unittest
from typing import Dict, List, Tuple
from unittest import mock

import bench_verdict
from bench_verdict import COLD, OURS, THEIRS, WARM
from errors import UsageError
from tests.fake import KERNEL, World


class FakeTool(bench_verdict.Tool):
    """Says what is asked of it, and takes the times that it is given."""

    # pylint: disable=super-init-not-called
    def __init__(self, name: str, times: List[float], seen: List[Tuple[str, str]]) -> None:
        self.name = name
        self.times = iter(times)
        self.seen = seen

    def forget(self) -> None:
        self.seen.append((self.name, "forget"))

    def cold(self) -> float:
        return self.warm(COLD)

    def warm(self, way: bench_verdict.Way) -> float:
        self.seen.append((self.name, way.name))
        return next(self.times)


class Turns(unittest.TestCase):
    """The order of runs, and what is made of their times."""

    def measure(self, runs: int, seconds: Dict[str, List[float]]) -> bench_verdict.Measured:
        self.seen: List[Tuple[str, str]] = []
        with mock.patch("bench_verdict.say"):
            tools = [FakeTool(name, times, self.seen) for name, times in seconds.items()]
            return bench_verdict.measure(tools, runs)

    def test_they_take_turns_and_begin_from_nothing(self) -> None:
        self.measure(2, {OURS: [1.0] * 11, THEIRS: [1.0] * 11})
        turn = [(tool, what) for tool in (OURS, THEIRS) for what in ("forget", COLD.name)]
        self.assertEqual(turn * 2, self.seen[:8])
        warm = [(tool, way.name) for way in WARM for _ in range(3) for tool in (OURS, THEIRS)]
        self.assertEqual(warm, self.seen[8:])

    def test_the_median_counts(self) -> None:
        measured = self.measure(
            3,
            {
                OURS: [90.0, 10.0, 20.0, *[2.0] * 9],
                THEIRS: [80.0, 70.0, 900.0, *[8.0] * 9],
            },
        )
        self.assertEqual(0.25, bench_verdict.ratio(measured[COLD.name]))
        table = bench_verdict.table(measured).splitlines()
        self.assertEqual(["3", "20.0", "80.0", "0.25"], table[3].split()[-4:])
        self.assertEqual(["2.0", "8.0", "0.25"], table[-1].split()[-3:])
        self.assertLessEqual(max(map(len, table)), 78)

    def test_the_number_of_runs(self) -> None:
        self.assertEqual(3, bench_verdict.how_many({}))
        self.assertEqual(5, bench_verdict.how_many({"RUNS": "5"}))
        for given in ("0", "-1", "many"):
            with self.subTest(given), self.assertRaises(UsageError):
                bench_verdict.how_many({"RUNS": given})


class Program(World):
    """The whole, with tools that obey."""

    def setUp(self) -> None:
        super().setUp()
        example = {"lib/kunit/kunit-example-test.c": "int example;\n"}
        self.pack_kernel({**KERNEL, **example})
        self.write("mm/tests/vmem_altmap_kunit.c", "int altmap;\n")
        self.tool("tar", 'exec /bin/tar "$@"')
        self.git(self.repo, "init", "--quiet")
        self.env["FAKE_SAYS"] = "Testing complete. Ran 0 tests"

    def test_it(self) -> None:
        ran = self.program("bench_verdict.py", RUNS="2")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("from the package, 2/2: the kernel's", ran.stderr)
        shown = (self.build / "results/bench-verdict.txt").read_text()
        self.assertEqual(shown, ran.stdout)
        found = json.loads((self.build / "results/bench-verdict.json").read_text())
        self.assertEqual([COLD.name, *(way.name for way in WARM)], list(found["ways"]))
        for name, way in found["ways"].items():
            runs = 2 if name == COLD.name else bench_verdict.WARM_RUNS
            self.assertEqual([runs] * 2, [len(way["seconds"][tool]) for tool in (OURS, THEIRS)])
        self.assertFalse((self.build / "bench-verdict").exists())

    def test_a_run_without_a_verdict(self) -> None:
        ran = self.program("bench_verdict.py", FAKE_SAYS="none")
        self.assert_error(ran, 2, "ours kunit.py ended with status 0, and no verdict")
        self.assertFalse((self.build / "bench-verdict").exists())

    def test_a_case_of_ours_that_fails(self) -> None:
        ran = self.program("bench_verdict.py", FAKE_TOOL="tests fail")
        self.assert_error(ran, 2, "ours kunit.py ended with status 1")

    def test_a_tree_of_the_user(self) -> None:
        ran = self.program("bench_verdict.py", KSRC=str(self.unpack_kernel()))
        self.assert_error(ran, 2, "KSRC")


if __name__ == "__main__":
    unittest.main()
