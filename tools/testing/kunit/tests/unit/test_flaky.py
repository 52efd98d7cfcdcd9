# SPDX-License-Identifier: GPL-2.0
"""A boot with an unexpected result is repeated. Results that differ are flaky."""

import contextlib
import io
import json
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from harness.base import asjson
from harness.base.errors import ExitStatus
from harness.kernel.finding import Finding, Kind, Place, Status
from harness.kernel.kernel import Kernel
from harness.verdict import kernelrun, results
from harness.verdict.flaky import merge
from harness.verdict.judge import Expectation, Verdict
from harness.verdict.results import CaseResult, RunResult
from tests.unit.test_judge import CASES, log

FAILS = "vmemmap_basepages.maps_altmap_pages"


class FakeKernel:
    """A fake kernel. The n-th boot prints the n-th of the given logs."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.attempts: list[int] = []

    def boot(self, _time: int, _arguments: Sequence[str], _cpu: str, attempt: int) -> str:
        self.attempts.append(attempt)
        return log(self._names[attempt - 1])


class Repeated(unittest.TestCase):
    def judged(self, *names: str) -> tuple[Verdict, list[int]]:
        kernel = FakeKernel(*names)
        with contextlib.redirect_stderr(io.StringIO()):
            verdict = kernelrun.judged(cast(Kernel, kernel), Expectation(CASES), 60)
        return verdict, kernel.attempts

    def kinds(self, verdict: Verdict) -> list[tuple[Kind, str]]:
        cases = [case.finding for case in verdict.cases if case.finding]
        return [(f.kind, f.place.name) for f in (*verdict.findings, *cases)]

    def test_a_good_boot_is_not_repeated(self) -> None:
        verdict, attempts = self.judged("pass")
        self.assertEqual(([1], 0), (attempts, verdict.unexpected))

    def test_a_case_that_fails_twice_has_failed(self) -> None:
        verdict, attempts = self.judged("failure", "failure")
        self.assertEqual([1, 2], attempts)
        self.assertEqual([(Kind.FAILED, FAILS)], self.kinds(verdict))

    def test_a_case_that_fails_once_is_flaky(self) -> None:
        verdict, _ = self.judged("failure", "pass")
        self.assertEqual([(Kind.FLAKY, FAILS)], self.kinds(verdict))
        (case,) = (case for case in verdict.cases if case.finding)
        self.assertIs(Status.FLAKY, case.status)
        assert case.finding
        self.assertIn("EXPECTATION FAILED", "".join(case.finding.log))

    def test_a_death_in_the_first_boot_only(self) -> None:
        """Only the second boot reaches the cases after the panic, so its results count."""
        verdict, _ = self.judged("panic", "pass")
        self.assertEqual([(Kind.FLAKY, "vmem_altmap"), (Kind.FLAKY, "")], self.kinds(verdict))
        self.assertEqual(5, verdict.count(Status.PASSED))

    def test_a_death_in_the_second_boot_only(self) -> None:
        verdict, _ = self.judged("failure", "panic")
        self.assertIn((Kind.FAILED, FAILS), self.kinds(verdict))
        self.assertIn((Kind.FLAKY, "vmem_altmap"), self.kinds(verdict))

    def test_a_death_in_both_boots(self) -> None:
        verdict, _ = self.judged("panic", "panic")
        self.assertIn((Kind.PANIC, "vmem_altmap"), self.kinds(verdict))
        self.assertIn((Kind.MISSING, "vmem_altmap.follows_model"), self.kinds(verdict))

    def test_two_different_deaths(self) -> None:
        """A kernel that dies in both boots is at fault, even if it dies in different ways."""
        verdict, _ = self.judged("panic", "hang")
        self.assertTrue(verdict.has_died)
        (death,) = (finding for finding in verdict.findings if finding.is_death)
        self.assertIs(Kind.PANIC, death.kind)
        self.assertIn("Kernel panic - not syncing: Oops: Fatal exception", "".join(death.log))
        self.assertIn("        ok 1 single pages", death.log)

    def test_a_case_that_only_one_boot_has(self) -> None:
        """No list expects this case, so it does not count as missing from the other boot."""
        extra = CaseResult("s.extra", Status.PASSED, Finding(Kind.UNKNOWN, "words"), "s")
        found, nothing = Verdict((extra,), ()), Verdict((), ())
        for merged in (merge(found, nothing), merge(nothing, found)):
            self.assertEqual([Status.FLAKY], [case.status for case in merged.cases])
        dead = Verdict((), (Finding(Kind.HANG, "words"),))
        self.assertEqual((extra,), merge(found, dead).cases)

    def test_a_splat_in_the_first_boot_only(self) -> None:
        verdict, _ = self.judged("splat", "pass")
        self.assertEqual([(Kind.FLAKY, "")], self.kinds(verdict))

    def test_a_splat_with_other_numbers_is_the_same(self) -> None:
        def splat(number: int) -> Verdict:
            line = f"WARNING: CPU: {number} PID: {number} at mm/memory.c:7 f+0x1{number}/0x20"
            return Verdict((), (Finding(Kind.SPLAT, line, subject=line),))

        self.assertEqual([Kind.SPLAT], [f.kind for f in merge(splat(1), splat(2)).findings])


class Told(unittest.TestCase):
    def run_with(self, *kinds: Kind) -> RunResult:
        cases = [
            CaseResult(
                f"s.c{n}",
                Status.FLAKY if kind is Kind.FLAKY else Status.FAILED,
                Finding(kind, "words", place=Place(suite="s", case=f"c{n}")),
            )
            for n, kind in enumerate(kinds)
        ]
        return RunResult("series 4k", (CaseResult("s.c", Status.PASSED), *cases), 1.0)

    def test_it_is_neither_a_pass_nor_a_failure(self) -> None:
        flaky = self.run_with(Kind.FLAKY)
        self.assertEqual((1, 0), results.totals([flaky]))
        self.assertIs(ExitStatus.ERROR, results.status([flaky]))
        self.assertIs(ExitStatus.FAILED, results.status([self.run_with(Kind.FLAKY, Kind.FAILED)]))
        self.assertIs(ExitStatus.OK, results.status([self.run_with()]))
        text = results.summary([flaky], "heading")
        self.assertIn("1 flaky", text)
        self.assertEqual("1 passed, 0 failed", text.splitlines()[-1])

    def test_no_results_are_not_a_success(self) -> None:
        self.assertIs(ExitStatus.ERROR, results.status([]))
        empty = RunResult("series 4k", (), 1.0)
        self.assertEqual([Kind.EMPTY], [finding.kind for finding in empty.findings])
        self.assertIs(ExitStatus.FAILED, results.status([empty]))

    def test_results_for_machines(self) -> None:
        run = self.run_with(Kind.FLAKY, Kind.PANIC)
        self.assertEqual(run, asjson.decode(RunResult, json.loads(json.dumps(asjson.encode(run)))))
        with TemporaryDirectory() as directory:
            path = Path(directory) / "x.xml"
            results.write_junit([run], path)
            (suite,) = ElementTree.parse(path).getroot()
        self.assertEqual(("1", "1"), (suite.get("failures"), suite.get("skipped")))
        self.assertEqual(["panic"], [f.get("type") for f in suite.iter("failure")])


if __name__ == "__main__":
    unittest.main()
