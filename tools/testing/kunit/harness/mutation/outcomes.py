# SPDX-License-Identifier: GPL-2.0
"""Tries mutants and judges what came out: who noticed which, and what nobody did."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError, KunitError, UsageError
from harness.kernel.finding import Finding, Kind, Status
from harness.mutation import mutant as mutation_mutant
from harness.mutation.kernels import Fate, MutantBuilds, Outcome
from harness.mutation.mutant import Mutant
from harness.mutation.tree import MutatedTree
from harness.request.settings import Settings
from harness.verdict import judge, kernelrun, ktap, results
from harness.verdict.results import CaseResult, RunResult

FAST_CONFIG = "4k"
FAST_NAME = "mutants, the fast ones"


class Verdict(enum.Enum):
    """What a mutant came to, in one config or over all."""

    CAUGHT = "caught"
    TIMED_OUT = "timed out"
    DIED = "died in a case"
    DIED_AT_BOOT = "died at boot"
    MISSED = "missed"
    # No case runs the code.
    UNREACHED = "not reached"
    # The code is not in the kernel of this config.
    ABSENT = "not in the kernel"
    SAME = "same code"
    UNVIABLE = "unviable"
    EQUIVALENT = "equivalent"


CATCHES = (Verdict.CAUGHT, Verdict.DIED, Verdict.TIMED_OUT, Verdict.DIED_AT_BOOT)
MISSES = (Verdict.MISSED, Verdict.UNREACHED)


@dataclass(frozen=True)
class Tried:
    """A mutant with one config. by: the cases that noticed, or died of it."""

    verdict: Verdict
    by: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    seconds: float = 0.0
    # Whether it is from an earlier run.
    is_kept: bool = False


@dataclass
class Report:
    """All findings, by mutant and config."""

    mutants: list[Mutant]
    found: dict[str, dict[str, Tried]] = field(default_factory=dict)
    cases: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 0

    def add(self, mutant: Mutant, config: str, finding: Tried) -> None:
        """Take note of a finding."""
        if mutant.name not in self.found:
            self.mutants.append(mutant)
        self.found.setdefault(mutant.name, {})[config] = finding

    def wants(self, mutant: Mutant, config: str) -> bool:
        """Whether a mutant is to be tried with a config, after what is known so far."""
        if config not in mutant.configs:
            return False
        known = self.found.get(mutant.name, {})
        if config in known:
            return False
        caught = any(f.verdict in CATCHES for f in known.values())
        return mutant.everywhere or bool(mutant.equivalent) or not caught

    def verdict(self, mutant: Mutant) -> Verdict:
        """Over all configs: a mutant that is to be caught everywhere is as good as its worst."""
        known = [f.verdict for f in self.found.get(mutant.name, {}).values()]
        caught = [v for v in known if v in CATCHES]
        if mutant.everywhere and not mutant.equivalent:
            order = (Verdict.UNVIABLE, Verdict.MISSED, Verdict.SAME, Verdict.CAUGHT)
            return next((v for v in order if v in known), Verdict.TIMED_OUT)
        if caught:
            return next(v for v in CATCHES if v in caught)
        if mutant.equivalent:
            return Verdict.EQUIVALENT
        worst = (*MISSES, Verdict.UNVIABLE, Verdict.SAME, Verdict.ABSENT)
        return next((v for v in worst if v in known), Verdict.MISSED)

    def complaint(self, mutant: Mutant) -> str:
        """What is wrong with the outcome of a mutant; empty if nothing is."""
        verdict = self.verdict(mutant)
        if mutant.equivalent:
            if verdict in CATCHES:
                return f"{mutant.name} is caught, and declared equivalent"
            return ""
        if verdict is Verdict.MISSED:
            return f"{mutant.name} is missed: {mutant.title}"
        if verdict is Verdict.UNREACHED:
            return f"no case runs the code of {mutant.name}: {mutant.title}"
        if verdict is Verdict.UNVIABLE and mutant.everywhere:
            return f"{mutant.name} does not build"
        if verdict is Verdict.SAME and mutant.everywhere:
            return f"{mutant.name} changes nothing in the code"
        return ""

    def count(self, verdict: Verdict) -> int:
        """How many mutants came to that."""
        return sum(self.verdict(mutant) is verdict for mutant in self.mutants)

    @property
    def kept(self) -> tuple[int, int]:
        """How many of the results are from an earlier run, and how many there are."""
        tried = [t for known in self.found.values() for t in known.values()]
        return sum(t.is_kept for t in tried), len(tried)

    def idle_cases(self) -> list[str]:
        """The cases that have caught nothing, in any config."""
        caught = {name for known in self.found.values() for f in known.values() for name in f.by}
        return sorted({name for names in self.cases.values() for name in names} - caught)


def fast(wanted: Settings) -> RunResult:
    """A few mutants, for make check. Whatever goes wrong is in the result."""
    watch = Stopwatch()
    try:
        chosen = [m for m in mutation_mutant.written(wanted.flavour) if m.fast]
        if not chosen:
            raise UsageError("no mutant is marked Fast:", f"mark some in {mutation_mutant.PATCHES}")
        tree = MutatedTree(wanted)
        with tree.opened():
            report = Report([])
            try_mutants(tree, chosen, [FAST_CONFIG], report)
        [ran] = as_results(report)
    except KunitError as error:
        ran = RunResult(FAST_NAME, (results.preparation(error),), 0.0)
    return replace(ran, name=FAST_NAME, seconds=watch.seconds)


def try_mutants(
    tree: MutatedTree, mutants: Sequence[Mutant], configs: Sequence[str], report: Report
) -> None:
    """Try mutants, config after config: what one has caught another need not always try."""
    watch = Stopwatch()
    for config in configs:
        wanted = [m for m in mutants if report.wants(m, config)]
        if wanted:
            _Trial(MutantBuilds(tree, config), report, watch).run(wanted)
    report.seconds += watch.seconds


class _Trial:
    """The part of a report that is about one config."""

    def __init__(self, lab: MutantBuilds, report: Report, watch: Stopwatch) -> None:
        self._lab = lab
        self._report = report
        self._watch = watch
        self._is_ours = lab.is_ours
        # That of another's kernel is read from what it does without a mutant.
        self._expected = judge.Expectation(frozenset())
        if self._is_ours:
            self._expected = kernelrun.expectation(lab.wanted)
        self._order: list[str] = []
        self._left = 0
        self._began, self._done = 0.0, 0

    def run(self, wanted: Sequence[Mutant]) -> None:
        """Look up what is known, and try the rest. Raises CommandError if even the
        original is not green."""
        known = {m.name: self._lab.known(m) for m in wanted}
        original = self._lab.known(None)
        rest = [m for m in wanted if known[m.name] is None]
        if rest or original is None:
            original = self._lab.original()
        self._require_green(original)
        for mutant in wanted:
            outcome = known[mutant.name]
            if outcome:
                kept = replace(self._judge(outcome), is_kept=True)
                self._report.add(mutant, self._lab.config, kept)
        say(f"{self._lab.config}: {len(wanted)} mutants, {len(wanted) - len(rest)} known already")
        self._left = len(rest)
        self._began = self._watch.seconds
        # Those in the same file one after the other: less is built.
        rest.sort(key=lambda m: (len(m.files), m.files))
        self._lab.run(rest, self._take)

    def _require_green(self, original: Outcome) -> None:
        if not self._is_ours:
            self._expected = as_it_was(original.console)
        verdict = judge.judge(original.console, self._expected)
        self._order = [name for name, _ in ktap.read(original.console.splitlines()).cases]
        self._report.cases[self._lab.config] = self._order
        if verdict.wrong:
            raise not_green(self._lab.wanted, verdict.complaints)

    def _take(self, mutant: Mutant, outcome: Outcome) -> None:
        finding = self._judge(outcome)
        self._report.add(mutant, self._lab.config, finding)
        self._report.runs += 1
        self._done += 1
        spent = self._watch.seconds - self._began
        minutes = spent / self._done * (self._left - self._done) / 60
        by = f" by {len(finding.by)}: {finding.by[0]}" if finding.by else ""
        say(
            f"[{self._watch.seconds:4.0f} s] {self._lab.config} {self._done}/{self._left}, "
            f"{minutes:.0f} min left: {mutant.name}: {finding.verdict.value}{by}"
        )

    def _judge(self, outcome: Outcome) -> Tried:
        return judge_outcome(outcome, self._expected, self._order)


def not_green(wanted: Settings, complaints: Sequence[str], suite: str = "") -> CommandError:
    """The error for a kernel that fails without a mutant. suite: the one that was run, if one."""
    what = f": suite {suite}" if suite else ""
    return CommandError(
        f"{wanted.flavour} {wanted.config} is not green without a mutant{what}",
        f"see to it first: CONFIG={wanted.config} make run",
        "\n".join(complaints[:5]),
    )


def as_it_was(console: str) -> judge.Expectation:
    """What a kernel showed, as what it must show again."""
    names = frozenset(name for name, _ in ktap.read(console.splitlines()).cases)
    cases = judge.judge(console, judge.Expectation(names)).cases
    failing = frozenset(c.name for c in cases if c.status is Status.FAILED)
    return judge.Expectation(
        names,
        failing,
        {c.name: "without a mutant, too" for c in cases if c.status is Status.SKIPPED},
    )


def judge_outcome(outcome: Outcome, expected: judge.Expectation, order: Sequence[str]) -> Tried:
    """What an outcome means. order: the cases as the original runs them."""
    if outcome.fate in (Fate.UNVIABLE, Fate.NOT_BUILT):
        return Tried(Verdict.UNVIABLE, (), outcome.log, outcome.seconds)
    if outcome.fate is Fate.SAME:
        return Tried(Verdict.SAME, (), (), outcome.seconds)
    verdict = judge.judge(outcome.console, expected)
    if not verdict.wrong:
        return Tried(Verdict.MISSED, (), (), outcome.seconds)
    failed = [c.name for c in verdict.cases if c.finding and c.status is not Status.MISSING]
    last = _died_in(outcome.console, order)
    late = outcome.fate is Fate.TIMED_OUT
    return Tried(
        Verdict.TIMED_OUT if late and not failed else Verdict.CAUGHT,
        tuple([*failed, *([last] if last else [])]) or ("the console",),
        tuple(f.text for f in verdict.findings[:5]),
        outcome.seconds,
    )


def _died_in(console: str, order: Sequence[str]) -> str | None:
    """The case that a run which did not end was in: the first without a result."""
    report = ktap.read(console.splitlines())
    if not report.is_cut_short:
        return None
    seen = dict(report.cases)
    return next((name for name in order if name not in seen), None)


def as_results(report: Report) -> list[RunResult]:
    """One suite of results for each config, and each mutant a case of it."""
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
            kind = Kind.MUTANT_MISSED if finding.verdict is Verdict.MISSED else Kind.MUTANT_USELESS
            log = (*finding.log, *mutant.diff.decode().splitlines())
            cases.append(results.failed(mutant.name, Finding(kind, complaint, log)))
        if cases:
            runs.append(RunResult(f"mutants {config}", tuple(cases), seconds, kept))
    return runs
