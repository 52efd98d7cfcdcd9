# SPDX-License-Identifier: GPL-2.0
"""Findings as data: what is not as expected, where, in words for people, and the log.

Everything that decides looks at kinds, places and statuses. Nothing reads the text.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class Status(enum.Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    # It did not report.
    MISSING = "missing"
    # The kernel complained while it ran, whatever it reported.
    SPLAT = "splat"
    # The guest did not survive it.
    DIED = "died"
    # It ended differently in two boots of the same kernel.
    FLAKY = "flaky"


class Kind(enum.Enum):
    """What is wrong."""

    # Before there is a kernel to boot.
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
    # Two boots of one kernel disagree.
    FLAKY = "flaky"
    # Nothing ran that could have failed.
    EMPTY = "empty"
    # A patch.
    APPLY = "apply"
    CHECKPATCH = "checkpatch"
    WARNINGS = "warnings"
    # What else is judged here.
    MUTANT_MISSED = "mutant missed"
    MUTANT_USELESS = "mutant useless"
    COST = "cost"
    UNCOVERED = "uncovered"
    EXCUSE = "useless excuse"
    HOST_TEST = "host test"
    TYPES = "types"


# A kernel that did not live to the end of its tests.
DEATHS = frozenset({Kind.PANIC, Kind.HANG, Kind.DIED, Kind.NEVER_BOOTED, Kind.NO_KUNIT})
# What keeps a kernel from being booted.
NO_KERNEL = frozenset(
    {Kind.PREPARATION, Kind.CONFIG, Kind.BUILD, Kind.BUILD_HUNG, Kind.STALE_SUITES}
)


class Stage(enum.Enum):
    """How far a run had come."""

    BUILD = "build"
    BOOT = "boot"
    TESTS = "tests"


@dataclass(frozen=True)
class Place:
    """Where something was found; what is empty is not known, or does not apply.

    run: the kernel and how it was booted; case: its name within the suite.
    """

    stage: Stage = Stage.TESTS
    suite: str = ""
    case: str = ""
    run: str = ""

    @property
    def name(self) -> str:
        """The case as "suite.case", or the suite alone."""
        return ".".join(filter(None, (self.suite, self.case)))


def of_case(name: str) -> Place:
    """The place of a case that is called "suite.case"."""
    suite, _, case = name.partition(".")
    return Place(suite=suite, case=case)


@dataclass(frozen=True)
class Finding:
    """Something that is not as expected.

    text is for people, and only for them. log: the lines that show it. subject: what the
    kernel or a compiler said, if several findings of a kind at a place differ in that.
    """

    kind: Kind
    text: str
    log: tuple[str, ...] = ()
    place: Place = Place()
    subject: str = ""

    @property
    def is_death(self) -> bool:
        """Whether the kernel did not live to the end of its tests."""
        return self.kind in DEATHS

    @property
    def identity(self) -> tuple[Kind, str, str]:
        """What it has in common with the same finding in another run."""
        return (self.kind, self.place.name, shape(self.subject))


def shape(words: str) -> str:
    """Words of a kernel without what differs from run to run: addresses and numbers."""
    return re.sub(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+", "N", words)


def as_json(finding: Finding) -> Mapping[str, Any]:
    """A finding for json.dump()."""
    place = {**asdict(finding.place), "stage": finding.place.stage.value}
    return {**asdict(finding), "kind": finding.kind.value, "place": place}


def from_json(document: Mapping[str, Any]) -> Finding:
    """What as_json() made. Raises KeyError, TypeError, ValueError."""
    where = document["place"]
    place = Place(Stage(where["stage"]), where["suite"], where["case"], where["run"])
    return Finding(
        Kind(document["kind"]), document["text"], tuple(document["log"]), place, document["subject"]
    )
