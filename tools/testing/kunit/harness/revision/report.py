# SPDX-License-Identifier: GPL-2.0
"""Hold the results for the new series and the old one, and the changes between them."""

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass

from harness.revision.against import Changes
from harness.revision.blame import Fault
from harness.revision.causes import Cause, causes
from harness.revision.judged import Judged
from harness.revision.noticed import Noticed


class Word(enum.Enum):
    """A verdict in one word. FLAKY: no fault, but two boots differ."""

    GOOD = "good"
    FAULT = "fault"
    FLAKY = "flaky"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Report:
    """Everything that make revision reports. unfinished: RUNNING or STOPPED, or None at the end."""

    new: Judged
    patch_configs: tuple[str, ...]
    tip_configs: tuple[str, ...]
    tip_only: bool
    seconds: float
    old: Judged | None = None
    changes: Mapping[str, Changes] | None = None
    range_diff: str = ""
    unfinished: Word | None = None
    noticed: Noticed | None = None

    @property
    def faults(self) -> list[Fault]:
        """The faults sorted by patch, those without a patch last."""
        return sorted(self.new.faults, key=lambda f: (f.patch is None, f.patch or 0))

    @functools.cached_property
    def causes(self) -> tuple[Cause, ...]:
        """The faults, grouped by cause."""
        return causes(self.faults)

    @property
    def kept(self) -> tuple[int, int]:
        """The number of results from an earlier run, and of all results."""
        states = [outcome for state in self.new.states for outcome in state.outcomes.values()]
        runs = {o.run.key: o.run.is_kept for o in [*states, *self.new.tip.values()]}
        return sum(runs.values()), len(runs)

    @property
    def is_good(self) -> bool:
        return not self.new.faults and not self.new.flaky

    @property
    def progress(self) -> tuple[int, int]:
        """The number of kernels tried so far, and of all kernels to try."""
        last = len(self.new.states) - 1
        done = {(s.number, config) for s in self.new.states for config in s.outcomes}
        done |= {(last, config) for config in self.new.tip}
        wanted = {(last, config) for config in self.tip_configs}
        if not self.tip_only:
            wanted |= {(s.number, config) for s in self.new.states for config in self.patch_configs}
        return len(done), len(done | wanted)

    @property
    def word(self) -> Word:
        if self.unfinished:
            return self.unfinished
        if self.new.faults:
            return Word.FAULT
        return Word.FLAKY if self.new.flaky else Word.GOOD
