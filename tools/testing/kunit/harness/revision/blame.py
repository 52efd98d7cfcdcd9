# SPDX-License-Identifier: GPL-2.0
"""Decide which patch is at fault, and what changed between two revisions."""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from harness.kernel.finding import Finding, Kind, Status, of_case
from harness.revision.ending import Ending
from harness.revision.outcomes import OF_CASES, Case, Identity, Outcome, not_built, same
from harness.verdict import judge, ktap, splats
from harness.verdict.remarks import Remark


class Shown(enum.Enum):
    """Where a fault was seen: after a patch, or only at the tip."""

    PATCH = "patch"
    TIP = "tip"


@dataclass(frozen=True)
class Fault:
    """A defect of the series.

    shown: where it was seen. patch: the patch to blame, or None if unknown. by_against: the
    patch is known from the older revision. seen_at: the patch after which it was seen, if
    that patch is the same in the older revision, which does not have the fault.
    """

    finding: Finding
    shown: Shown
    patch: int | None = None
    config: str = ""
    by_against: bool = False
    seen_at: int | None = None

    @property
    def case(self) -> str:
        """The name of the failing case, or an empty string."""
        return self.finding.place.name if self.finding.place.case else ""

    @property
    def is_of_case(self) -> bool:
        """Whether a case failed and the kernel survived it."""
        return self.finding.kind in OF_CASES

    @property
    def text(self) -> str:
        """The finding as text."""
        more = "; the patch is known from AGAINST" if self.by_against else ""
        if self.seen_at:
            more = f"; seen at patch {self.seen_at}, which is the same in AGAINST"
        return f"{self.finding.text}{more}"

    @property
    def identity(self) -> tuple[str, Identity]:
        """The same for the same fault anywhere in the series."""
        return self.config, same(self.finding)


@dataclass
class State:
    """The tree with the first patches applied. Number 0 is the base."""

    number: int
    title: str
    applies: str = "not tried"
    remarks: tuple[Remark, ...] | None = None
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    green: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, tuple[str, ...]] = field(default_factory=dict)


# --- One patch after another ----------------------------------------------


class Progress:
    """The cases and findings known before a patch, with one config."""

    def __init__(self, base: Outcome) -> None:
        self._good: dict[str, bool] = {}
        self._findings: set[Identity] = set()
        # What was seen in one boot of two, whatever kind it was of.
        self._flaky: set[tuple[str, str]] = set()
        self._not_built: Identity | None = None
        self._learn(base)

    def step(self, state: State, outcome: Outcome) -> list[Fault]:
        """Record the outcome of the next state and return the faults of its patch."""
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
        """The faults of the patch with that number, given its outcome."""
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
    """The finding for a case that failed, was skipped or did not run."""
    kind = _KINDS.get(case.status, Kind.FAILED)
    return Finding(kind, f"{name} {words} {case.status.value}", case.log, of_case(name))


# --- The tip --------------------------------------------------------------


def tolerated(onto: str, base: Outcome | None, expected: judge.Expectation) -> frozenset[str]:
    """The cases that may fail at the tip because the base already has those bugs.

    These are the cases that fail on the base. On the baseline, most cases fail because the
    feature is missing. There, only the cases that stock also fails may fail, and expected is
    the expectation of stock.
    """
    if base is None:
        return expected.failing
    failing = frozenset(base.cases) - base.good
    return failing & expected.failing if onto == "baseline" else failing


def judge_tip(
    outcome: Outcome, may_fail: Collection[str], base: Outcome | None, found: Sequence[Fault]
) -> list[Fault]:
    """The faults of the whole series, without those already blamed on single patches."""
    config = outcome.run.config
    known = {fault.identity for fault in found}
    blamed = {f.case: f.patch for f in reversed(found) if f.case}
    if outcome.run.ending is not Ending.RAN:
        faults = [Fault(not_built(outcome.run), Shown.TIP, None, config)]
    else:
        known_before = {same(f) for f in base.findings} if base else set()
        known_before |= _of_expected_death(outcome, may_fail)
        faults = [
            Fault(f, Shown.TIP, None, config)
            for f in outcome.findings
            if f.kind is not Kind.FLAKY and same(f) not in known_before
        ]
        for name, case in outcome.cases.items():
            if not case.is_good and name not in may_fail and name not in outcome.unknown:
                finding = _of_case(name, case, "at the tip:")
                faults.append(Fault(finding, Shown.TIP, blamed.get(name), config))
    return [fault for fault in faults if fault.identity not in known]


def _of_expected_death(outcome: Outcome, may_fail: Collection[str]) -> frozenset[Identity]:
    """The findings from the death of a kernel, if it died in a case that may fail."""
    death = outcome.death
    if death is None or not death.place.case or death.place.name not in may_fail:
        return frozenset()
    lines = outcome.run.console.splitlines()
    ended = [n for n, line in enumerate(lines) if ktap.is_result(ktap.strip_timestamp(line))]
    before = {same(f) for f in splats.find(lines[: ended[-1] if ended else 0])}
    return frozenset({same(death), *(same(f) for f in splats.find(lines))} - before)
