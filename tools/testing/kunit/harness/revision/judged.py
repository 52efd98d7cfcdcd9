# SPDX-License-Identifier: GPL-2.0
"""Hold the results of a series, state by state."""

from dataclasses import dataclass, field

from harness.kernel.finding import Finding, Kind
from harness.revision.blame import Fault, Shown, State
from harness.revision.outcomes import Outcome
from harness.revision.series import Series

# What speaks against a patch, and lets each state be built and tested.
OF_STYLE = frozenset({Kind.CHECKPATCH, Kind.WARNINGS})


@dataclass
class Judged:
    """A series and its results so far."""

    series: Series
    onto: str
    version: str = ""
    states: list[State] = field(default_factory=list)
    tip: dict[str, Outcome] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    base_commit: str = ""
    tip_commit: str = ""
    # How many patches apply.
    applied: int = 0

    @property
    def base(self) -> State:
        return self.states[0]

    @property
    def flaky(self) -> list[tuple[str, Finding]]:
        """The findings that differ between two boots, each with its state and config."""
        found = [
            (f"patch {state.number} {config}" if state.number else f"base {config}", finding)
            for state in self.states
            for config, outcome in state.outcomes.items()
            for finding in outcome.flaky
        ]
        tried = self.states[-1].outcomes if self.states else {}
        for config, outcome in self.tip.items():
            if config not in tried:
                found += [(f"tip {config}", finding) for finding in outcome.flaky]
        return found

    @property
    def not_bisectable(self) -> tuple[int, ...]:
        """The patches after which the tree does not apply, build, boot or pass as before.

        A patch is listed even if an earlier one is to blame.
        """
        found = {
            f.seen_at or f.patch
            for f in self.faults
            if f.patch and f.shown is Shown.PATCH and f.finding.kind not in OF_STYLE
        }
        found |= {s.number for s in self.states if any(not o.lives for o in s.outcomes.values())}
        return tuple(sorted(found))

    @property
    def is_bisectable(self) -> bool | None:
        """None if unknown, because a state differs between two boots."""
        if self.not_bisectable:
            return False
        states = [outcome for state in self.states for outcome in state.outcomes.values()]
        return None if any(outcome.flaky for outcome in states) else True
