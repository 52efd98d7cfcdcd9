# SPDX-License-Identifier: GPL-2.0
"""One kernel, a flavour with a config: built, booted and judged."""

from collections.abc import Sequence
from pathlib import Path

from harness.base.console import Stopwatch, say
from harness.base.errors import KunitError
from harness.kernel.kernel import GUEST_TIME, Kernel
from harness.request.settings import Settings
from harness.trees import versions, worktree
from harness.verdict import flaky, judge, results
from harness.verdict.results import CaseResult, RunResult


class KernelRun:
    """One of the runs.

    expected is what it must show, the files of expected/ unless given;
    arguments are further ones for kunit.py exec; guest_time is in seconds.
    """

    def __init__(
        self,
        wanted: Settings,
        out: Path,
        expected: judge.Expectation | None = None,
        arguments: Sequence[str] = (),
        guest_time: int = GUEST_TIME,
    ) -> None:
        self._wanted = wanted
        self._out = out
        self._expected = expected or expectation(wanted)
        self._arguments = arguments
        self._guest_time = guest_time
        self.name = f"{wanted.flavour} {wanted.config}"

    def run(self) -> RunResult:
        """Build, boot, judge. Whatever goes wrong is in the result."""
        watch = Stopwatch()
        try:
            cases = self._run()
        except KunitError as error:
            cases = (results.preparation(error),)
        return RunResult(self.name, cases, watch.seconds)

    def _run(self) -> tuple[CaseResult, ...]:
        name = self.name.replace(" ", "-")
        prepared = worktree.prepare(self._wanted)
        kernel = Kernel(prepared, self._wanted, self._out, name)
        failed = kernel.build()
        if failed:
            return (results.failed("build", failed),)
        return case_results(judged(kernel, self._expected, self._guest_time, self._arguments))


def expectation(wanted: Settings, arch: str = "arm64") -> judge.Expectation:
    """What a flavour must show, as the files of expected/ say. Raises UsageError."""
    if arch != "arm64":
        return judge.read_arch_expectation(judge.EXPECTED, arch, wanted.flavour)
    version = versions.parse(wanted.base)
    return judge.read_expectation(judge.EXPECTED, wanted.flavour, wanted.config, version)


def judged(
    kernel: Kernel,
    expected: judge.Expectation,
    guest_time: int,
    arguments: Sequence[str] = (),
    cpu: str = "",
) -> judge.Verdict:
    """Boot a kernel, and once more if anything is not as expected.

    The parameters are those of Kernel.boot(). Raises CommandError, proc.TimedOut.
    """

    def boot(attempt: int) -> judge.Verdict:
        return judge.judge(kernel.boot(guest_time, arguments, cpu, attempt), expected)

    def again() -> judge.Verdict:
        say("  not as expected: booting it once more ...")
        return boot(2)

    return flaky.confirmed(boot(1), again)


def case_results(verdict: judge.Verdict) -> tuple[CaseResult, ...]:
    """A verdict as results: findings about the whole run, then the cases."""
    found = [results.failed("the run", finding) for finding in verdict.findings]
    return (*found, *verdict.cases)
