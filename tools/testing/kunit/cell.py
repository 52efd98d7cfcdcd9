# SPDX-License-Identifier: GPL-2.0
"""A cell of a table of runs: a flavour with a config, built, booted and judged."""

from pathlib import Path
from typing import Optional, Sequence, Tuple

import judge
import proc
import rebased
import tree
from errors import KunitError
from kernel import GUEST_TIME, Kernel
from results import CaseResult, RunResult
from settings import Settings

EXPECTED = Path(__file__).resolve().parent / "expected"


class Cell:
    """One of the runs.

    expected is what it must show, the files of expected/ unless given;
    arguments are further ones for kunit.py exec; guest_time is in seconds.
    """

    def __init__(
        self,
        wanted: Settings,
        out: Path,
        expected: Optional[judge.Expectation] = None,
        arguments: Sequence[str] = (),
        guest_time: int = GUEST_TIME,
        arch: str = "arm64",
    ) -> None:
        self._wanted = wanted
        self._out = out
        self._expected = expected or judge.read_expectation(
            EXPECTED, wanted.flavour, wanted.config, rebased.parse(wanted.base)
        )
        self._arguments = arguments
        self._guest_time = guest_time
        self._arch = arch
        self.name = f"{wanted.flavour} {wanted.config if arch == 'arm64' else arch}"

    def run(self) -> RunResult:
        """Build, boot, judge. Whatever goes wrong is in the result."""
        watch = proc.Stopwatch()
        try:
            cases = self._run()
        except (KunitError, proc.CommandFailed, proc.TimedOut) as error:
            cause, *detail = str(error).splitlines()
            cases = (CaseResult("preparation", "failed", cause, tuple(detail)),)
        return RunResult(self.name, cases, watch.seconds)

    def _run(self) -> Tuple[CaseResult, ...]:
        name = self.name.replace(" ", "-")
        prepared = tree.prepare(self._wanted)
        kernel = Kernel(prepared, self._wanted, self._out, name, arch=self._arch)
        failed = kernel.build()
        if failed:
            return (failed,)
        console = kernel.boot(self._guest_time, self._arguments)
        return case_results(judge.judge(console, self._expected))


def case_results(verdict: judge.Verdict) -> Tuple[CaseResult, ...]:
    """A verdict as results: findings about the whole run, then the cases."""
    found = [CaseResult("the run", "failed", f.what, f.log) for f in verdict.findings]
    for case in verdict.cases:
        status = case.status.value if case.status else "missing"
        finding = case.finding or judge.Finding("")
        found.append(CaseResult(case.name, status, finding.what, finding.log))
    return tuple(found)
