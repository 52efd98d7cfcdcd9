# SPDX-License-Identifier: GPL-2.0
"""The results of mutants, and the cases that caught them."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.console import Stopwatch, counted, say
from harness.base.errors import CommandError
from harness.kernel.finding import Finding, Kind, Stage, Status
from harness.kernel.qemu import Ran
from harness.mutation.mutant import Mutant
from harness.mutation.notice import case_of_first_splat
from harness.request.settings import Settings
from harness.verdict import judge, ktap, results
from harness.verdict.results import CaseResult, RunResult


class MutantVerdict(enum.Enum):
    """The result of a mutant, with one config or with all."""

    CAUGHT = "caught"
    TIMED_OUT = "timed out"
    DIED = "died in a case"
    DIED_AT_BOOT = "died at boot"
    MISSED = "missed"
    # No case reaches the code.
    UNREACHED = "not reached"
    # The config does not include the code.
    ABSENT = "not in the kernel"
    SAME = "same code"
    UNVIABLE = "unviable"
    EQUIVALENT = "equivalent"


CATCHES = (
    MutantVerdict.CAUGHT,
    MutantVerdict.DIED,
    MutantVerdict.TIMED_OUT,
    MutantVerdict.DIED_AT_BOOT,
)
MISSES = (MutantVerdict.MISSED, MutantVerdict.UNREACHED)


@dataclass(frozen=True)
class Tried:
    """The result of a mutant with one config. by: the cases that failed, or in which it died."""

    verdict: MutantVerdict
    by: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    seconds: float = 0.0
    # It comes from an earlier run.
    is_kept: bool = False


@dataclass
class MutantReport:
    """All results, by mutant and config. cases has the cases that ran, by config."""

    mutants: list[Mutant]
    found: dict[str, dict[str, Tried]] = field(default_factory=dict)
    cases: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 0

    def add(self, mutant: Mutant, config: str, finding: Tried) -> None:
        """Add a result."""
        if mutant.name not in self.found:
            self.mutants.append(mutant)
        self.found.setdefault(mutant.name, {})[config] = finding

    def wants(self, mutant: Mutant, config: str) -> bool:
        """Whether a mutant must be tried with a config, given the results so far."""
        if config not in mutant.configs:
            return False
        known = self.found.get(mutant.name, {})
        if config in known:
            return False
        caught = any(f.verdict in CATCHES for f in known.values())
        return mutant.everywhere or bool(mutant.equivalent) or not caught

    def verdict(self, mutant: Mutant) -> MutantVerdict:
        """The result over all configs: the worst, if each config must catch the mutant."""
        known = [f.verdict for f in self.found.get(mutant.name, {}).values()]
        caught = [v for v in known if v in CATCHES]
        if mutant.everywhere and not mutant.equivalent:
            order = (MutantVerdict.UNVIABLE, MutantVerdict.MISSED, MutantVerdict.SAME, *CATCHES)
            return next(v for v in order if v in known)
        if caught:
            return next(v for v in CATCHES if v in caught)
        if mutant.equivalent:
            return MutantVerdict.EQUIVALENT
        worst = (*MISSES, MutantVerdict.UNVIABLE, MutantVerdict.SAME, MutantVerdict.ABSENT)
        return next((v for v in worst if v in known), MutantVerdict.MISSED)

    def complaint(self, mutant: Mutant) -> str:
        """What is wrong with the result of a mutant, or ""."""
        verdict = self.verdict(mutant)
        if mutant.equivalent:
            if verdict in CATCHES:
                return f"{mutant.name} is caught, but declared equivalent"
            return ""
        if verdict is MutantVerdict.MISSED:
            return f"{mutant.name} is missed: {mutant.title}"
        if verdict is MutantVerdict.UNREACHED:
            return f"no case reaches the code of {mutant.name}: {mutant.title}"
        if verdict is MutantVerdict.UNVIABLE and mutant.everywhere:
            return f"{mutant.name} does not build"
        if verdict is MutantVerdict.SAME and mutant.everywhere:
            return f"{mutant.name} does not change the compiled code"
        return ""

    def count(self, verdict: MutantVerdict) -> int:
        """The number of mutants with this result."""
        return sum(self.verdict(mutant) is verdict for mutant in self.mutants)

    @property
    def kept(self) -> tuple[int, int]:
        """The number of results from an earlier run, and of all results."""
        tried = [t for known in self.found.values() for t in known.values()]
        return sum(t.is_kept for t in tried), len(tried)

    def idle_cases(self) -> list[str]:
        """The cases that caught no mutant with any config."""
        caught = {name for known in self.found.values() for f in known.values() for name in f.by}
        return sorted({name for names in self.cases.values() for name in names} - caught)


class Countdown:
    """Collects the results of mutants with one config, and prints how many are left."""

    def __init__(
        self, report: MutantReport, config: str, what: str, wanted: int, left: int, watch: Stopwatch
    ) -> None:
        say(f"{config}: {counted(wanted, what)}, {wanted - left} known already")
        self._report = report
        self._config = config
        self._watch = watch
        self._first = 0.0
        self._done, self._all = 0, left

    def take(self, mutant: Mutant, tried: Tried) -> None:
        """Add a result to the report."""
        self._report.add(mutant, self._config, tried)
        self._report.runs += 1
        self._done += 1
        place = f"{self._config} {self._done}/{self._all}"
        # The first result takes longer than the others: it waits for the kernel.
        if self._done == 1:
            self._first = self._watch.seconds
        else:
            each = (self._watch.seconds - self._first) / (self._done - 1)
            place += f", {each * (self._all - self._done) / 60:.0f} min left"
        by = f" by {len(tried.by)}: {tried.by[0]}" if tried.by else ""
        self._watch.say(f"{place}: {mutant.name}: {tried.verdict.value}{by}")


def not_built(config: str, failed: Finding | None, *logs: Path) -> CommandError:
    """The error for an unmutated kernel that cannot be built."""
    return CommandError(
        f"the unmutated kernel cannot be built with {config}",
        f"see {' and '.join(map(str, logs))}",
        "\n".join(failed.log if failed else ()),
    )


def not_green(wanted: Settings, complaints: Sequence[str], suite: str = "") -> CommandError:
    """The error if the suites, or one of them, fail without a mutant."""
    what = f": suite {suite}" if suite else ""
    return CommandError(
        f"{wanted.flavour} {wanted.config} fails without a mutant{what}",
        f"find out why: CONFIG={wanted.config} make run",
        "\n".join(complaints[:5]),
    )


def expectation_from(console: str) -> judge.Expectation:
    """Expect the results in a console log again."""
    names = frozenset(name for name, _ in ktap.read(console.splitlines()).cases)
    cases = judge.judge(console, judge.Expectation(names)).cases
    failing = frozenset(c.name for c in cases if c.status is Status.FAILED)
    return judge.Expectation(
        names,
        failing,
        {c.name: "also skipped without a mutant" for c in cases if c.status is Status.SKIPPED},
    )


def judge_boot(ran: Ran, expected: judge.Expectation, order: Sequence[str]) -> Tried:
    """The result of a boot. order: the cases in the order in which the original runs them."""
    found = judge.judge(ran.console, expected)
    # If we ended the guest, its log ends early, but the kernel did not die.
    findings = [f for f in found.findings if not (f.is_death and ran.is_stopped)]
    death = next((f for f in findings if f.is_death), None)
    by = [c.name for c in found.cases if c.finding and c.status is not Status.MISSING]
    verdict = MutantVerdict.CAUGHT if found.unexpected else MutantVerdict.MISSED
    if death and not by:
        verdict = MutantVerdict.TIMED_OUT if ran.is_late else MutantVerdict.DIED
    if death and death.place.stage is Stage.BOOT:
        verdict = MutantVerdict.DIED_AT_BOOT
    elif death:
        by.append(_died_in(ran.console, [name for name in order if name in expected.cases]))
    elif verdict is MutantVerdict.CAUGHT and not by:
        by.append(case_of_first_splat(ran.console) or "the console")
    return Tried(verdict, tuple(by), tuple(f.text for f in findings[:5]), ran.seconds)


def _died_in(console: str, order: Sequence[str]) -> str:
    """The case in which a kernel died: the first one of its suite without a result."""
    report = ktap.read(console.splitlines())
    suite = report.suites[-1].name if report.suites else ""
    left = [name for name in order if name not in dict(report.cases)]
    if report.open_tests:
        left = [name for name in left if name.startswith(f"{suite}.")]
    return left[0] if left else f"{suite}.its exit"


def as_results(report: MutantReport) -> list[RunResult]:
    """A run for each config, with a case for each mutant."""
    runs = []
    for config in dict.fromkeys(c for known in report.found.values() for c in known):
        cases = []
        seconds, kept = 0.0, 0
        for mutant in report.mutants:
            finding = report.found.get(mutant.name, {}).get(config)
            if finding is None:
                continue
            seconds += finding.seconds
            kept += finding.is_kept
            complaint = report.complaint(mutant)
            fine = finding.verdict in CATCHES and not mutant.equivalent
            if fine or not complaint:
                cases.append(CaseResult(mutant.name, Status.PASSED))
                continue
            kind = (
                Kind.MUTANT_MISSED
                if finding.verdict is MutantVerdict.MISSED
                else Kind.MUTANT_USELESS
            )
            log = (*finding.log, *mutant.diff.decode().splitlines())
            cases.append(results.failed(mutant.name, Finding(kind, complaint, log)))
        if cases:
            runs.append(RunResult(f"mutants {config}", tuple(cases), seconds, kept))
    return runs
