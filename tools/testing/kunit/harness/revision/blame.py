# SPDX-License-Identifier: GPL-2.0
"""What the runs of a series mean: which patch is at fault, and what changed."""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from harness.kernel.finding import Finding, Kind, Status, of_case
from harness.revision.ending import Ending
from harness.revision.outcomes import OF_CASES, Case, Identity, Outcome, not_built, same
from harness.verdict import judge, ktap
from harness.verdict.remarks import Remark


class Shown(enum.Enum):
    """Where in a series a fault shows."""

    PATCH = "patch"
    TIP = "tip"


@dataclass(frozen=True)
class Fault:
    """Something that speaks against the series.

    shown: at a patch, or only at the tip; patch: the one to blame, None if it cannot be
    told; by_against: the older revision told which.
    """

    finding: Finding
    shown: Shown
    patch: int | None = None
    config: str = ""
    by_against: bool = False

    @property
    def case(self) -> str:
        """The case that it is about, if it is about one."""
        return self.finding.place.name if self.finding.place.case else ""

    @property
    def is_of_case(self) -> bool:
        """Whether a case ended as it should not, and the kernel lived on."""
        return self.finding.kind in OF_CASES

    @property
    def text(self) -> str:
        """The finding in words."""
        more = "; in AGAINST it turned green with this patch" if self.by_against else ""
        return f"{self.finding.text}{more}"

    @property
    def identity(self) -> tuple[str, Identity]:
        """What distinguishes it from other faults, wherever in the series it shows."""
        return self.config, same(self.finding)


@dataclass
class State:
    """The tree with the patches up to one; number 0 is the base."""

    number: int
    title: str
    applies: str = "not tried"
    remarks: tuple[Remark, ...] | None = None
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    green: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """What differs between the tips of two revisions, with one config."""

    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


# --- One patch after another ----------------------------------------------


class Progress:
    """What is known of the cases and findings before a patch, with one config."""

    def __init__(self, base: Outcome) -> None:
        self._good: dict[str, bool] = {}
        self._findings: set[Identity] = set()
        # What was seen in one boot of two, whatever kind it was of.
        self._flaky: set[tuple[str, str]] = set()
        self._not_built: Identity | None = None
        self._learn(base)

    def step(self, state: State, outcome: Outcome) -> list[Fault]:
        """Take in the next state; return what its patch is at fault for."""
        config = outcome.run.config
        found = self.faults(state.number, outcome)
        state.outcomes[config] = outcome
        if outcome.run.ending is not Ending.RAN:
            self._not_built = same(not_built(outcome.run))
        else:
            green = [c for c in outcome.cases if c in outcome.good and self._good.get(c) is False]
            state.green[config], state.broken[config] = tuple(green), self._broken(outcome)
            self._learn(outcome)
        return found

    def faults(self, number: int, outcome: Outcome) -> list[Fault]:
        """What the patch of that number is at fault for, if this is its outcome."""
        config = outcome.run.config
        if outcome.run.ending is not Ending.RAN:
            finding = not_built(outcome.run)
            is_new = same(finding) != self._not_built
            return [Fault(finding, Shown.PATCH, number, config)] if is_new else []
        found = [
            f
            for f in outcome.findings
            if f.kind is not Kind.FLAKY
            and same(f) not in self._findings
            and same(f)[1:] not in self._flaky
        ]
        broken = self._broken(outcome)
        found += [_of_case(name, outcome.cases[name], "passed before, now") for name in broken]
        return [Fault(finding, Shown.PATCH, number, config) for finding in found]

    def _broken(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(
            name
            for name, case in outcome.cases.items()
            if not case.is_good and self._good.get(name) and name not in outcome.unknown
        )

    def _learn(self, outcome: Outcome) -> None:
        for name, case in outcome.cases.items():
            if case.status is Status.FLAKY:
                # Nobody knows whether a later patch breaks it.
                self._good.pop(name, None)
            elif case.status is not Status.MISSING or name not in self._good:
                self._good[name] = case.is_good
        seen = {same(f) for f in outcome.findings}
        shaky = {f.identity[1:] for f in outcome.findings if f.kind is Kind.FLAKY}
        if outcome.death:
            # The case that it died in is not well. What comes behind is hidden.
            if outcome.death.place.case:
                self._good[outcome.death.place.name] = False
            self._findings |= seen
            self._flaky |= shaky
        else:
            self._findings, self._flaky = seen, shaky
        self._not_built = None


_KINDS = {Status.SKIPPED: Kind.SKIPPED, Status.MISSING: Kind.MISSING}


def _of_case(name: str, case: Case, words: str) -> Finding:
    """What is wrong with a case that is not well."""
    kind = _KINDS.get(case.status, Kind.FAILED)
    return Finding(kind, f"{name} {words} {case.status.value}", case.log, of_case(name))


# --- The tip --------------------------------------------------------------


def tolerated(onto: str, base: Outcome | None, expected: judge.Expectation) -> frozenset[str]:
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
    outcome: Outcome, may_fail: Collection[str], base: Outcome | None, found: Sequence[Fault]
) -> list[Fault]:
    """What is wrong with the whole series, less what single patches were found guilty of."""
    config = outcome.run.config
    known = {fault.identity for fault in found}
    guilty = {f.case: f.patch for f in reversed(found) if f.case}
    if outcome.run.ending is not Ending.RAN:
        faults = [Fault(not_built(outcome.run), Shown.TIP, None, config)]
    else:
        excused = {same(f) for f in base.findings} if base else set()
        excused |= _last_words(outcome, may_fail)
        faults = [
            Fault(f, Shown.TIP, None, config)
            for f in outcome.findings
            if f.kind is not Kind.FLAKY and same(f) not in excused
        ]
        for name, case in outcome.cases.items():
            if not case.is_good and name not in may_fail and name not in outcome.unknown:
                finding = _of_case(name, case, "at the tip:")
                faults.append(Fault(finding, Shown.TIP, guilty.get(name), config))
    return [fault for fault in faults if fault.identity not in known]


def _last_words(outcome: Outcome, may_fail: Collection[str]) -> frozenset[Identity]:
    """What a kernel is found to have said as it died, if in a case that may fail."""
    death = outcome.death
    if death is None or not death.place.case or death.place.name not in may_fail:
        return frozenset()
    lines = outcome.run.console.splitlines()
    ended = [n for n, line in enumerate(lines) if ktap.is_result(ktap.strip_timestamp(line))]
    before = {same(f) for f in judge.splats(lines[: ended[-1] if ended else 0])}
    return frozenset({same(death), *(same(f) for f in judge.splats(lines))} - before)


# --- Two revisions --------------------------------------------------------


def compare(old: Outcome, new: Outcome) -> Changes:
    """What became of the cases from an old tip to a new one.

    Nothing is said of a case that either of them leaves unknown.
    """
    if any(tip.run.ending is not Ending.RAN for tip in (old, new)):
        return Changes((), (), (), ())
    unknown = old.unknown | new.unknown
    was, now = (
        {n for n, c in tip.cases.items() if c.status is not Status.MISSING} - unknown
        for tip in (old, new)
    )
    both = was & now
    return Changes(
        fixed=tuple(sorted(n for n in both if n in new.good and n not in old.good)),
        broken=tuple(sorted(n for n in both if n in old.good and n not in new.good)),
        new=tuple(sorted(now - was)),
        gone=tuple(sorted(was - now)),
    )
