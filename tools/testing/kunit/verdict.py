# SPDX-License-Identifier: GPL-2.0
"""What the runs of a series mean: which patch is at fault, and what changed."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Collection, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple

import judge
import ktap
from judge import Finding
from ktap import Status
from lint import Remark
from workshop import Ending, Run

MISSING = "missing"

_DEATH = re.compile(r"the kernel (?:panicked|hung|never|booted, but)")
_WHERE = re.compile(r"the kernel (?:panicked|hung or died) in ([^\s:]+)")


@dataclass(frozen=True)
class Case:
    """How a case ended; whether that is well; what the kernel said about it."""

    status: str
    is_good: bool
    log: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A run and what its console tells."""

    run: Run
    cases: Mapping[str, Case] = field(default_factory=dict)
    findings: Tuple[Finding, ...] = ()

    @property
    def good(self) -> FrozenSet[str]:
        """The cases that passed, or were skipped with leave."""
        return frozenset(name for name, case in self.cases.items() if case.is_good)

    @property
    def death(self) -> Optional[Finding]:
        """That the kernel did not live to the end of its tests, if so."""
        return next((f for f in self.findings if _DEATH.match(f.what)), None)

    def count(self, status: str) -> int:
        """How many cases ended so."""
        return sum(case.status == status for case in self.cases.values())


@dataclass(frozen=True)
class Fault:
    """Something that speaks against the series.

    kind: apply, checkpatch, warnings, build, suites, run or case. A fault that
    cannot be laid at the door of one patch has none: it shows at the tip.
    """

    kind: str
    what: str
    patch: Optional[int] = None
    config: str = ""
    case: str = ""
    log: Tuple[str, ...] = ()


@dataclass
class State:
    """The tree with the patches up to one; number 0 is the base."""

    number: int
    title: str
    applies: str = "not tried"
    remarks: Optional[Tuple[Remark, ...]] = None
    warnings: Dict[str, Tuple[str, ...]] = field(default_factory=dict)
    outcomes: Dict[str, Outcome] = field(default_factory=dict)
    green: Dict[str, Tuple[str, ...]] = field(default_factory=dict)
    broken: Dict[str, Tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """What differs between the tips of two revisions, with one config."""

    fixed: Tuple[str, ...]
    broken: Tuple[str, ...]
    new: Tuple[str, ...]
    gone: Tuple[str, ...]


def read_outcome(run: Run, expected_dir: Path) -> Outcome:
    """Read the console of a run."""
    if run.ending is not Ending.RAN:
        return Outcome(run)
    # No flavour's failures are expected: each case is taken as it is.
    expected = judge.read_expectation(expected_dir, "series", run.config)
    found = judge.judge(run.console, expected)
    logs = _logs(run.console)
    cases: Dict[str, Case] = {}
    for case in found.cases:
        status = case.status.value if case.status else MISSING
        is_known = case.name in expected.cases
        is_good = case.finding is None if is_known else case.status is not Status.FAILED
        log = case.finding.log if case.finding and case.finding.log else logs.get(case.name, ())
        cases[case.name] = Case(status, is_good, log)
    return Outcome(run, cases, found.findings)


def _logs(console: str) -> Dict[str, Tuple[str, ...]]:
    """What the kernel said during each case, its parameters included."""
    found: Dict[str, Tuple[str, ...]] = {}
    for suite in ktap.read(console.splitlines()).suites:
        for case in suite.children:
            lines = list(case.log)
            for child in case.children:
                lines += [*child.log, f"{child.status.value}: {child.name}"]
            if case.reason:
                lines.append(f"skipped: {case.reason}")
            found[f"{suite.name}.{case.name}"] = tuple(lines)
    return found


# --- One patch after another ----------------------------------------------


class Progress:
    """What is known of the cases and findings before a patch, with one config."""

    def __init__(self, base: Outcome) -> None:
        self._good: Dict[str, bool] = {}
        self._findings: Set[str] = set()
        self._learn(base)

    def step(self, state: State, outcome: Outcome) -> List[Fault]:
        """Take in the next state; tell what its patch is at fault for."""
        config = outcome.run.config
        state.outcomes[config] = outcome
        if outcome.run.ending is not Ending.RAN:
            return [_not_built(state.number, outcome.run)]
        good, death = outcome.good, outcome.death
        green = [c for c in outcome.cases if c in good and self._good.get(c) is False]
        broken = [
            name for name, case in outcome.cases.items()
            if name not in good and self._good.get(name) and not (death and case.status == MISSING)
        ]  # fmt: skip
        state.green[config], state.broken[config] = tuple(green), tuple(broken)
        faults = [
            _run_fault(f, state.number, config)
            for f in outcome.findings
            if shape(f.what) not in self._findings
        ]
        for name in broken:
            case = outcome.cases[name]
            what = f"{name} passed before, now {case.status}"
            faults.append(Fault("case", what, state.number, config, name, case.log))
        self._learn(outcome)
        return faults

    def _learn(self, outcome: Outcome) -> None:
        for name, case in outcome.cases.items():
            if case.status != MISSING or name not in self._good:
                self._good[name] = case.is_good
        self._findings = {shape(f.what) for f in outcome.findings}


def _not_built(number: Optional[int], run: Run) -> Fault:
    if run.ending is Ending.SUITES_STALE:
        first = run.said[0] if run.said else ""
        what = f"the suites no longer compile against it: {first}"
        return Fault("suites", what, number, run.config, log=run.said)
    if run.ending is Ending.BUILD_HUNG:
        return Fault("build", "the build hung, and was ended", number, run.config, log=run.said)
    return Fault("build", "it does not build", number, run.config, log=run.said)


def _run_fault(finding: Finding, number: Optional[int], config: str) -> Fault:
    where = _WHERE.match(finding.what)
    case = where.group(1) if where else ""
    return Fault("run", finding.what, number, config, case, finding.log)


def shape(what: str) -> str:
    """A finding without what differs from run to run."""
    return re.sub(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+", "N", what)


# --- The tip --------------------------------------------------------------


def tolerated(
    onto: str, base: Optional[Outcome], expected: judge.Expectation
) -> FrozenSet[str]:
    """The cases that may fail at the tip, for the base has those bugs already.

    They are those that fail on the base. On the baseline most fail for want of
    the feature that the series brings: there, only what fails on stock too, and
    expected is that of stock.
    """
    if base is None:
        return expected.failing
    failing = frozenset(base.cases) - base.good
    return failing & expected.failing if onto == "baseline" else failing


def judge_tip(
    outcome: Outcome, may_fail: Collection[str], base: Optional[Outcome], found: Sequence[Fault]
) -> List[Fault]:
    """What is wrong with the whole series, less what single patches were found guilty of."""
    config = outcome.run.config
    told = {(f.config, f.case or shape(f.what)) for f in found}
    guilty = {f.case: f.patch for f in reversed(found) if f.case}
    if outcome.run.ending is not Ending.RAN:
        faults = [_not_built(None, outcome.run)]
        return faults if (config, shape(faults[0].what)) not in told else []
    known = {shape(f.what) for f in base.findings} if base else set()
    excused = _last_words(outcome, may_fail)
    faults = [
        _run_fault(f, None, config)
        for f in outcome.findings
        if shape(f.what) not in known and f.what not in excused
    ]
    for name, case in outcome.cases.items():
        silent = case.status == MISSING and outcome.death is not None
        if not case.is_good and name not in may_fail and not silent:
            what = f"{name} {case.status} at the tip"
            faults.append(Fault("case", what, guilty.get(name), config, name, case.log))
    return [f for f in faults if (config, f.case or shape(f.what)) not in told]


def _last_words(outcome: Outcome, may_fail: Collection[str]) -> FrozenSet[str]:
    """What a kernel is found to have said as it died, if in a case that may fail."""
    death = outcome.death
    where = _WHERE.match(death.what) if death else None
    if death is None or where is None or where.group(1) not in may_fail:
        return frozenset()
    lines = outcome.run.console.splitlines()
    ended = [n for n, line in enumerate(lines) if ktap.is_result(ktap.strip_timestamp(line))]
    before = {f.what for f in judge.splats(lines[: ended[-1] if ended else 0])}
    return frozenset({death.what, *(f.what for f in judge.splats(lines))} - before)


# --- Two revisions --------------------------------------------------------


def compare(old: Outcome, new: Outcome) -> Changes:
    """What became of the cases from an old tip to a new one."""
    was = {n for n, c in old.cases.items() if c.status != MISSING}
    now = {n for n, c in new.cases.items() if c.status != MISSING}
    both = was & now
    return Changes(
        fixed=tuple(sorted(n for n in both if n in new.good and n not in old.good)),
        broken=tuple(sorted(n for n in both if n in old.good and n not in new.good)),
        new=tuple(sorted(now - was)),
        gone=tuple(sorted(was - now)),
    )
