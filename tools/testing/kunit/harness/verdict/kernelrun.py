# SPDX-License-Identifier: GPL-2.0
"""Build, boot and judge one kernel: a flavour with a config."""

from collections.abc import Sequence
from pathlib import Path

from harness.base.console import say
from harness.kernel.kernel import GUEST_TIME, Kernel
from harness.request.settings import Settings
from harness.trees import versions, worktree
from harness.verdict import flaky, judge, results
from harness.verdict.results import CaseResult, RunResult


class KernelRun:
    """A run of one kernel.

    expected defaults to the files of expected/. arguments are passed to kunit.py exec.
    guest_time is in seconds.
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
        """Build, boot and judge. Errors are part of the result."""
        return results.guarded(self.name, self._run)

    def _run(self) -> tuple[CaseResult, ...]:
        name = self.name.replace(" ", "-")
        prepared = worktree.prepare(self._wanted)
        kernel = Kernel(prepared, self._wanted, self._out, name)
        failed = kernel.build()
        if failed:
            return (results.failed("build", failed),)
        return case_results(judged(kernel, self._expected, self._guest_time, self._arguments))


def expectation(wanted: Settings, arguments: str = "", cpu: str = "max") -> judge.Expectation:
    """The expected results of a flavour, from the files of expected/. Raises UsageError.

    arguments and cpu are those of the boot.
    """
    version, how = versions.parse(wanted.base), arguments.split()
    if wanted.arch != "arm64":
        return judge.read_arch_expectation(
            judge.EXPECTED, wanted.config, wanted.flavour, version, how
        )
    config = "-".join((wanted.config, *how))
    return judge.read_expectation(judge.EXPECTED, wanted.flavour, config, version, cpu)


def judged(
    kernel: Kernel,
    expected: judge.Expectation,
    guest_time: int,
    arguments: Sequence[str] = (),
    cpu: str = "",
) -> judge.Verdict:
    """Boot a kernel. Boot it again if anything is unexpected.

    See Kernel.boot() for the parameters. Raises CommandError, process.TimedOut.
    """

    def boot(attempt: int) -> judge.Verdict:
        return judge.judge(kernel.boot(guest_time, arguments, cpu, attempt), expected)

    def again() -> judge.Verdict:
        say("  unexpected result: booting again ...")
        return boot(2)

    return flaky.confirmed(boot(1), again)


def case_results(verdict: judge.Verdict) -> tuple[CaseResult, ...]:
    """A verdict as results: findings about the run first, then the cases."""
    found = [results.failed("the run", finding) for finding in verdict.findings]
    return (*found, *verdict.cases)
