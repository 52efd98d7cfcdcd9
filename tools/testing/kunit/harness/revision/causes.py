# SPDX-License-Identifier: GPL-2.0
"""Group faults by cause, so that one bug in thirty cases is one entry.

Cases have the same cause if the kernel printed the same WARN or the same message in them. If a
patch is blamed for that WARN or message, it is also blamed for cases that fail with it only at
the tip.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.kernel.finding import DEATHS, Kind, shape
from harness.revision.blame import Fault
from harness.verdict import splats

# What an assertion of KUnit begins with, and what a case of the kernel's prints around it.
_FAILED_AT = re.compile(r"# \w+: (?:EXPECTATION|ASSERTION) FAILED at (\S+)")

# What a patch did, by the worst that it did.
_SEVERE = {
    Kind.APPLY: "does not apply",
    Kind.BUILD: "does not build",
    Kind.CONFIG: "does not build",
    Kind.BUILD_HUNG: "makes the build hang",
    Kind.STALE_SUITES: "changes an interface that the suites use",
    Kind.NEVER_BOOTED: "keeps the kernel from booting",
    Kind.NO_KUNIT: "keeps the suites from running",
    Kind.PANIC: "makes the kernel panic",
    Kind.HANG: "makes the kernel hang",
    Kind.DIED: "makes the kernel die",
}
_MINOR = {
    Kind.SPLAT: "makes the kernel complain",
    Kind.KTAP: "spoils the report of the suites",
    Kind.DUPLICATE: "makes cases report twice",
    Kind.CHECKPATCH: "has checkpatch errors",
    Kind.WARNINGS: "adds compiler warnings",
}


@dataclass(frozen=True)
class Cause:
    """A cause and its faults. patch is None if no patch can be blamed."""

    patch: int | None
    faults: tuple[Fault, ...]

    @property
    def first(self) -> Fault:
        """The most telling fault: a death or a WARN before a failed case."""
        return self.faults[0]

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that fail for this cause."""
        return tuple(dict.fromkeys(f.case for f in self.faults if f.case))

    @property
    def configs(self) -> tuple[str, ...]:
        """The configs in which it was seen."""
        return tuple(dict.fromkeys(f.config for f in self.faults if f.config))

    @property
    def what(self) -> str:
        """The cause as text, with the kernel's own line if there is one."""
        finding = self.first.finding
        return finding.subject if finding.kind is Kind.SPLAT else self.first.text

    @property
    def evidence(self) -> tuple[str, ...]:
        """The output of the kernel, compiler or tool, without the lines before the failure."""
        log = [line.strip() for line in self.first.finding.log if line.strip()]
        log = [line for line in log if "[ cut here ]" not in line and line != self.what]
        start = next((n for n, line in enumerate(log) if _FAILED_AT.search(line)), 0)
        return tuple(log[start:])


def causes(faults: Sequence[Fault]) -> tuple[Cause, ...]:
    """Return the causes, sorted by patch and then by severity."""
    together: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        together.setdefault(_reason(fault), []).append(fault)
    found: list[Cause] = []
    for group in together.values():
        patches = sorted({fault.patch for fault in group if fault.patch})
        blamed: list[int | None] = [*patches] or [None]
        found += [
            Cause(patch, tuple(sorted((f for f in group if _is_of(f, patch, patches)), key=_rank)))
            for patch in blamed
        ]
    return tuple(sorted(found, key=lambda c: (c.patch or 1 << 30, _rank(c.first), -len(c.cases))))


def summary(found: Sequence[Cause]) -> str:
    """Describe what a patch did wrong, as in "patch 2 does not build"."""
    kinds = [fault.finding.kind for cause in found for fault in cause.faults]
    worst = next((words for kind, words in _SEVERE.items() if kind in kinds), "")
    cases = len({name for cause in found for name in cause.cases})
    breaks = f"breaks {cases} case{'s' * (cases > 1)}" if cases else ""
    minor = next((words for kind, words in _MINOR.items() if kind in kinds), "")
    return worst or breaks or minor or "is at fault"


def _is_of(fault: Fault, patch: int | None, patches: Sequence[int]) -> bool:
    """Whether a fault belongs to a patch. Faults without a patch belong to the first one."""
    return fault.patch == patch or (fault.patch is None and patch == patches[0])


def _rank(fault: Fault) -> int:
    kind = fault.finding.kind
    if kind in _SEVERE:
        return 0
    return 1 if kind is Kind.SPLAT else 3 if kind in _MINOR else 2


def _reason(fault: Fault) -> tuple[str, str]:
    """A key that faults with the same cause share."""
    finding = fault.finding
    if finding.kind is Kind.BUILD:
        errors = [line for line in finding.log if "error:" in line]
        return finding.kind.value, shape(errors[0] if errors else finding.identity[-1])
    if finding.kind in DEATHS or not (fault.is_of_case or finding.kind is Kind.SPLAT):
        return finding.kind.value, f"{fault.patch} {finding.identity}"
    found = [finding] if finding.kind is Kind.SPLAT else splats.find(finding.log)
    if found:
        return "splat", shape(found[0].subject)
    log = list(finding.log)
    for number, line in enumerate(log):
        if _FAILED_AT.search(line):
            return "message", shape(" ".join(log[number + 1 : number + 2]).strip())
    return "case", fault.case
