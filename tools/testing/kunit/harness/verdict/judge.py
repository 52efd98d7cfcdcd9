# SPDX-License-Identifier: GPL-2.0
"""A strict verdict on a run of the suites, from its console log.

A run must show every expected case with its expected result, no other case, well-formed KTAP,
no splat, and a kernel that survives to the end.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.base import archive
from harness.base.console import tail
from harness.base.errors import UsageError
from harness.kernel.finding import Finding, Kind, Place, Stage, Status, of_case
from harness.request.settings import DATA, arch_of
from harness.trees import versions
from harness.verdict import ktap, splats
from harness.verdict.ktap import KtapReport, Test
from harness.verdict.results import CaseResult

EXPECTED = DATA / "expected"

_BOOTED = re.compile(r"Linux version \d|Booting Linux")
_PANIC = re.compile(r"Kernel panic - not syncing.*")

EMPTY_CONSOLE = Finding(
    Kind.NEVER_BOOTED, "the kernel never booted: the console is empty", place=Place(Stage.BOOT)
)


@dataclass(frozen=True)
class Expectation:
    """The expected results of a run.

    cases has every "suite.case". failing has those that must fail. skips has those that may be
    skipped, with the reason, and skipped those of them that must be.
    """

    cases: frozenset[str]
    failing: frozenset[str] = frozenset()
    skips: Mapping[str, str] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = (self.failing | frozenset(self.skips)) - self.cases
        if unknown:
            raise UsageError(
                f"expected/ names a case that is not in expected/cases: {min(unknown)}",
                "correct the name, or add the case to expected/cases",
            )


@dataclass(frozen=True)
class Verdict:
    """The cases of a run, and the findings that belong to no case."""

    cases: tuple[CaseResult, ...]
    findings: tuple[Finding, ...]

    @property
    def has_died(self) -> bool:
        """Whether the kernel did not survive its tests."""
        return any(finding.is_death for finding in self.findings)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is unexpected: the findings about the run, then those about cases."""
        of_cases = (case.finding.text for case in self.cases if case.finding)
        return (*(finding.text for finding in self.findings), *of_cases)

    @property
    def unexpected(self) -> int:
        """The number of unexpected cases, plus the findings about the run."""
        return len(self.complaints)

    def count(self, status: Status) -> int:
        """The number of cases with this status."""
        return sum(case.status is status for case in self.cases)


def judge(log: str, expected: Expectation) -> Verdict:
    """Judge a console log."""
    lines = log.splitlines()
    report = ktap.read(lines)
    findings = [*_death(log, report), *malformed(report), *splats.find(lines)]
    ran = [name for name, _ in report.cases]
    for name in sorted({name for name in ran if ran.count(name) > 1}):
        findings.append(
            Finding(Kind.DUPLICATE, f"{name} reports more than once", (), of_case(name))
        )
    by_name = dict(report.cases)
    names = sorted(expected.cases | set(by_name))
    return Verdict(
        tuple(_judge_case(name, by_name.get(name), expected) for name in names), tuple(findings)
    )


def _judge_case(name: str, case: Test | None, expected: Expectation) -> CaseResult:
    place = of_case(name)

    def wrong(kind: Kind, text: str, status: Status, log: tuple[str, ...] = ()) -> CaseResult:
        finding = Finding(kind, f"{name} {text}", log, place)
        return CaseResult(name, status, finding, place.suite)

    if case is None:
        return wrong(Kind.MISSING, "did not report", Status.MISSING)
    if name not in expected.cases:
        what = f"is not in expected/cases ({case.status.value})"
        return wrong(Kind.UNKNOWN, what, case.status, _failure_log(case))
    skipped = _first_skip(case)
    if skipped is not None and name not in expected.skips:
        what = f"must not be skipped: {skipped or 'no reason given'}"
        return wrong(Kind.SKIPPED, what, Status.SKIPPED)
    if skipped is None and name in expected.skipped:
        return wrong(Kind.SKIPPED, f"must be skipped: {expected.skips[name]}", case.status)
    must_fail = name in expected.failing
    if case.status is Status.FAILED and not must_fail:
        return wrong(Kind.FAILED, "failed", case.status, _failure_log(case))
    if case.status is Status.PASSED and must_fail:
        return wrong(Kind.PASSED, "passed, but should have failed", case.status)
    return CaseResult(name, case.status, None, place.suite)


def _first_skip(case: Test) -> str | None:
    """Why a case or one of its parameters was skipped, or None if none was.

    A case whose parameters were all skipped gives no reason itself.
    """
    reasons = [t.reason for t in (case, *case.children) if t.status is Status.SKIPPED]
    return next(filter(None, reasons), "") if reasons else None


def _failure_log(case: Test) -> tuple[str, ...]:
    """The log of a failed case, or of its first failed parameter."""
    for test in case.children:
        if test.status is Status.FAILED:
            return (f"parameter: {test.name}", *test.log)
    return case.log


def _death(log: str, report: KtapReport) -> list[Finding]:
    """The finding for a kernel that did not survive its tests."""
    end = tuple(tail(log, 20).splitlines())
    booting = Place(Stage.BOOT)
    if not log.strip():
        return [EMPTY_CONSOLE]
    suite, case = (*report.open_tests, "", "")[:2]
    place = Place(Stage.TESTS, suite, case) if report.started else booting
    where = f" in {place.name}" if suite else ""
    panic = _PANIC.search(log)
    if panic:
        text = f"the kernel panicked{where}: {panic.group()}"
        return [Finding(Kind.PANIC, text, end, place, panic.group())]
    if not report.started:
        if _BOOTED.search(log):
            return [
                Finding(Kind.NO_KUNIT, "the kernel booted but ran no KUnit tests", end, booting)
            ]
        return [Finding(Kind.NEVER_BOOTED, "the kernel never booted", end, booting)]
    if report.open_tests or report.is_cut_short:
        text = f"the kernel hung or died{where}: the log ends there"
        return [Finding(Kind.HANG, text, end, place)]
    return []


def malformed(report: KtapReport) -> list[Finding]:
    """A finding for each violation of the KTAP format."""
    return [
        Finding(Kind.KTAP, f"KTAP: {p.text}", subject=f"{p.kind.value} {p.name}")
        for p in report.problems
    ]


# --- The files of expected/ -----------------------------------------------


def read_expectation(
    directory: Path, flavour: str, config: str, version: versions.Version, cpu: str = "max"
) -> Expectation:
    """Read the expected results of a flavour with a config from the files of expected/.

    "cases" lists all cases, the file named after the flavour those that fail. A line may end
    with the configs that it is for. "skips" has lines "suite.case config reason". A config
    covers all configs with its fragments: 16k covers 16k-va36. The arguments of the kernel, the
    CPU and the kernel's version count as fragments: 4k-rodata=off, 64k-max, 7.2. A skip may name
    a flavour instead of a config, or both, as in stock-64k. Subdirectories have files for newer
    kernels: see versions.py. Raises UsageError.
    """

    def find(name: str) -> Path:
        return versions.find(directory, name, version)

    config = f"{config}-{cpu}-{versions.as_text(version)}"
    return Expectation(
        frozenset(_read_names(_read_list(find("cases"), must_exist=True), config)),
        frozenset(_read_names(_read_list(find(flavour)), config)),
        *_read_skips(find("skips"), f"{flavour}-{config}"),
    )


def read_arch_expectation(
    directory: Path, config: str, flavour: str, version: versions.Version, how: Sequence[str] = ()
) -> Expectation:
    """The expected results of another architecture, which has no arm64 suites.

    The file named after the architecture lists the failing cases, with the flavours in which
    they fail. cases.ARCH, if it exists, lists all cases. config begins with the architecture. how
    has kernel arguments. They and the version count as fragments: stock-disable_radix. A skip may
    name the flavour. Raises UsageError.
    """
    arch = arch_of(config)

    def find(name: str) -> Path:
        return versions.find(directory, name, version)

    own = find(f"cases.{arch}")
    listed = _read_list(own if own.exists() else find("cases"), must_exist=True)
    cases = frozenset(n for n in _read_names(listed, config) if not n.startswith("arm64_"))
    fragments = "-".join((flavour, config, *how, versions.as_text(version)))
    fails = _read_names(_read_list(find(arch)), fragments)
    # A skip of a flavour may be for a case that only arm64 has.
    skips, skipped = _read_skips(find("skips"), fragments)
    skips = {name: why for name, why in skips.items() if name in cases}
    return Expectation(cases, frozenset(fails), skips, skipped & cases)


def _read_names(lines: list[str], config: str) -> list[str]:
    """The first word of each line that applies to the config."""
    words = [line.split() for line in lines]
    return [
        name
        for name, *configs in words
        if not configs or any(_covers(listed, config) for listed in configs)
    ]


def _covers(listed: str, config: str) -> bool:
    """Whether a line for one config applies to another."""
    return set(listed.split("-")) <= set(config.split("-"))


def _read_list(path: Path, must_exist: bool = False) -> list[str]:
    if must_exist and not path.exists():
        raise UsageError(f"{path} does not exist", "restore it from git")
    return archive.read_list(path)


def _read_skips(path: Path, config: str) -> tuple[dict[str, str], frozenset[str]]:
    """The cases that may be skipped, with the reason, and those of them that must be."""
    skips: dict[str, str] = {}
    must = set[str]()
    for line in _read_list(path):
        words = line.split(None, 2)
        if len(words) != 3:
            raise UsageError(
                f"{path}: '{line}' lacks a config or a reason", "write: suite.case config reason"
            )
        where = words[1].removesuffix("!")
        if _covers(where, config):
            skips[words[0]] = words[2]
            must |= {words[0]} if where != words[1] else set()
    return skips, frozenset(must)
