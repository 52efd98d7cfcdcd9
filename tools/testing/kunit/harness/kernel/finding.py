# SPDX-License-Identifier: GPL-2.0
"""Findings: what is unexpected, where, a text for people, and a log excerpt.

Code decides by kinds, places and statuses, never by the text.
"""

import enum
import re
from dataclasses import dataclass


class Status(enum.Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    # The case did not report.
    MISSING = "missing"
    # The kernel printed a splat while the case ran, whatever the case reported.
    SPLAT = "splat"
    # The guest died during the case.
    DIED = "died"
    # Two boots of the same kernel gave different results.
    FLAKY = "flaky"


class Kind(enum.Enum):
    """What is wrong."""

    # There is no kernel to boot.
    PREPARATION = "preparation"
    CONFIG = "config"
    BUILD = "build"
    BUILD_HUNG = "build hung"
    STALE_SUITES = "stale suites"
    # The boot as a whole.
    PANIC = "panic"
    HANG = "hang"
    DIED = "died"
    NEVER_BOOTED = "never booted"
    NO_KUNIT = "no KUnit"
    SPLAT = "splat"
    KTAP = "malformed KTAP"
    DUPLICATE = "duplicate"
    # A case.
    FAILED = "failed"
    PASSED = "unexpected pass"
    SKIPPED = "unexpected skip"
    MISSING = "missing"
    UNKNOWN = "unknown case"
    # Two boots of the same kernel gave different results.
    FLAKY = "flaky"
    # Nothing ran.
    EMPTY = "empty"
    # A patch.
    APPLY = "apply"
    CHECKPATCH = "checkpatch"
    WARNINGS = "warnings"
    # Other checks.
    MUTANT_MISSED = "mutant missed"
    MUTANT_USELESS = "mutant useless"
    COST = "cost"
    UNCOVERED = "uncovered"
    UNUSED_REASON = "unused reason"
    HOST_TEST = "host test"
    TYPES = "types"


# The kernel did not survive its tests.
DEATHS = frozenset({Kind.PANIC, Kind.HANG, Kind.DIED, Kind.NEVER_BOOTED, Kind.NO_KUNIT})
# There is no kernel to boot.
NO_KERNEL = frozenset(
    {Kind.PREPARATION, Kind.CONFIG, Kind.BUILD, Kind.BUILD_HUNG, Kind.STALE_SUITES}
)


class Stage(enum.Enum):
    """How far a run got."""

    BUILD = "build"
    BOOT = "boot"
    TESTS = "tests"


@dataclass(frozen=True)
class Place:
    """Where a finding belongs. An empty field is unknown or does not apply.

    case is the name within the suite.
    """

    stage: Stage = Stage.TESTS
    suite: str = ""
    case: str = ""

    @property
    def name(self) -> str:
        """The case as "suite.case", or only the suite."""
        return ".".join(filter(None, (self.suite, self.case)))


def of_case(name: str) -> Place:
    """The place of the case "suite.case"."""
    suite, _, case = name.partition(".")
    return Place(suite=suite, case=case)


@dataclass(frozen=True)
class Finding:
    """Something unexpected.

    text is for people only. log has the lines that show it. subject is the message of the
    kernel or compiler if it distinguishes findings of the same kind and place.
    """

    kind: Kind
    text: str
    log: tuple[str, ...] = ()
    place: Place = Place()
    subject: str = ""

    @property
    def is_death(self) -> bool:
        """Whether the kernel did not survive its tests."""
        return self.kind in DEATHS

    @property
    def identity(self) -> tuple[Kind, str, str]:
        """A key that is equal for the same finding in another run."""
        return (self.kind, self.place.name, shape(self.subject))


def shape(words: str) -> str:
    """A kernel message without the addresses and numbers that differ between runs."""
    return re.sub(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+", "N", words)
