# SPDX-License-Identifier: GPL-2.0
"""Read the result of each case, and how the kernel died, from a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.kernel.finding import Finding, Kind, Place, Stage, Status, of_case
from harness.request.settings import arch_of
from harness.revision.builds import Run
from harness.revision.ending import Ending
from harness.trees import versions
from harness.verdict import flaky, judge, ktap

# A finding without what differs from run to run.
Identity = tuple[Kind, str, str]

BAD = frozenset({Status.FAILED, Status.FLAKY})


@dataclass(frozen=True)
class Case:
    """The status of a case, whether that is good, and its log."""

    status: Status
    is_good: bool
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A run, and the cases and findings on its console."""

    run: Run
    cases: Mapping[str, Case] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def good(self) -> frozenset[str]:
        """The cases that passed, or that may be skipped."""
        return frozenset(name for name, case in self.cases.items() if case.is_good)

    @property
    def unknown(self) -> frozenset[str]:
        """The cases without a result: flaky, or not reached before the kernel died."""
        silent = {Status.FLAKY, *([Status.MISSING] if self.death else [])}
        return frozenset(name for name, case in self.cases.items() if case.status in silent)

    @property
    def flaky(self) -> list[Finding]:
        """The findings that differ between two boots, which count neither for nor against."""
        cases = [
            flaky_case(name, case)
            for name, case in self.cases.items()
            if case.status is Status.FLAKY
        ]
        return [*cases, *(f for f in self.findings if f.kind is Kind.FLAKY)]

    @property
    def death(self) -> Finding | None:
        """The finding that the kernel died before the end of its tests, or None."""
        return next((f for f in self.findings if f.is_death), None)

    @property
    def trouble(self) -> tuple[Finding, ...]:
        """The findings about the build or boot as a whole."""
        return self.findings if self.run.ending is Ending.RAN else (not_built(self.run),)

    @property
    def lives(self) -> bool:
        """Whether the kernel built and survived its tests."""
        return self.run.ending is Ending.RAN and self.death is None

    def count(self, status: Status) -> int:
        """The number of cases with that status."""
        return sum(case.status is status for case in self.cases.values())


def flaky_case(name: str, case: Case) -> Finding:
    """The finding for a case that differs between two boots."""
    return Finding(Kind.FLAKY, f"{name} ended differently in two boots", case.log, of_case(name))


OF_CASES = frozenset({Kind.FAILED, Kind.SKIPPED, Kind.MISSING})


def same(finding: Finding) -> Identity:
    """An identity that is the same for the same finding in another state.

    It does not depend on how a case fails.
    """
    if finding.kind in OF_CASES:
        return (Kind.FAILED, finding.place.name, "")
    return finding.identity


def read_outcome(
    run: Run, expected_dir: Path, version: versions.Version, onto: str = "series"
) -> Outcome:
    """Read the console of a run, or both consoles if it was booted twice.

    onto is the flavour below the series. What it may skip, the run may skip.
    """
    # A series may not skip what only the baseline has to.
    flavour = "series" if onto == "baseline" else onto
    if run.ending is not Ending.RAN:
        return Outcome(run)
    if arch_of(run.config) != "arm64":
        expected = judge.read_arch_expectation(expected_dir, run.config, flavour, version)
    else:
        expected = judge.read_expectation(expected_dir, flavour, run.config, version)
    # No failure is expected: each case is taken as it is.
    expected = replace(expected, failing=frozenset())
    found = judge.judge(run.console, expected)
    if run.again is not None:
        found = flaky.merge(found, judge.judge(run.again, expected))
    logs = _logs(run.console)
    cases: dict[str, Case] = {}
    for case in found.cases:
        is_known = case.name in expected.cases
        is_good = case.finding is None if is_known else case.status not in BAD
        log = case.finding.log if case.finding and case.finding.log else logs.get(case.name, ())
        cases[case.name] = Case(case.status, is_good, log)
    return Outcome(run, cases, found.findings)


def _logs(console: str) -> dict[str, tuple[str, ...]]:
    """The log of each case, including its parameters."""
    found: dict[str, tuple[str, ...]] = {}
    for name, case in ktap.read(console.splitlines()).cases:
        lines = list(case.log)
        for child in case.children:
            lines += [*child.log, f"{child.status.value}: {child.name}"]
        if case.reason:
            lines.append(f"skipped: {case.reason}")
        found[name] = tuple(lines)
    return found


def not_built(run: Run) -> Finding:
    """The finding for a state that could not be booted."""
    place = Place(Stage.BUILD)
    if run.ending is Ending.SUITES_STALE:
        first = run.said[0] if run.said else ""
        text = f"the suites no longer compile against it: {first}"
        return Finding(Kind.STALE_SUITES, text, run.said, place, "\n".join(run.said))
    if run.ending is Ending.BUILD_HUNG:
        return Finding(Kind.BUILD_HUNG, "the build hung, and was ended", run.said, place)
    return Finding(Kind.BUILD, "it does not build", run.said, place, "\n".join(run.said))
