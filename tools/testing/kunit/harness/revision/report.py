# SPDX-License-Identifier: GPL-2.0
"""What make revision found out: the new series, the old one, and what became of cases."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from harness.revision.blame import Changes, Fault
from harness.revision.causes import Cause, causes
from harness.revision.judged import Judged


@dataclass(frozen=True)
class Report:
    """Everything that make revision reports."""

    new: Judged
    patch_configs: tuple[str, ...]
    tip_configs: tuple[str, ...]
    tip_only: bool
    seconds: float
    old: Judged | None = None
    changes: Mapping[str, Changes] | None = None
    range_diff: str = ""

    @property
    def faults(self) -> list[Fault]:
        """The faults, patch by patch; those of no single patch last."""
        return sorted(self.new.faults, key=lambda f: (f.patch is None, f.patch or 0))

    @functools.cached_property
    def causes(self) -> tuple[Cause, ...]:
        """The faults, those with one reason together."""
        return causes(self.faults)

    @property
    def kept(self) -> tuple[int, int]:
        """How many builds and boots are from an earlier run, and how many there are."""
        states = [outcome for state in self.new.states for outcome in state.outcomes.values()]
        runs = {o.run.key: o.run.is_kept for o in [*states, *self.new.tip.values()]}
        return sum(runs.values()), len(runs)

    @property
    def is_good(self) -> bool:
        return not self.new.faults and not self.new.flaky

    @property
    def word(self) -> str:
        """The verdict: good, fault or flaky."""
        if self.new.faults:
            return "fault"
        return "flaky" if self.new.flaky else "good"
