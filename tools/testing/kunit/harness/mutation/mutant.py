# SPDX-License-Identifier: GPL-2.0
"""Mutants: small changes to the kernel code under test that the tests must notice."""

import fnmatch
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive
from harness.base.errors import UsageError
from harness.request.settings import DATA

PATCHES = DATA / "mutants"
EQUIVALENT = PATCHES / "equivalent"

# The configs in which the code under test differs most: blocks or none, shared pages or none.
CONFIGS = ("4k", "64k")
# The flavour of a mutant that names none.
FLAVOUR = "series"
FLAVOURS = (FLAVOUR, "fast")
# Few mutants need the other two. In one, any allocation can be made to fail. In the other,
# sections do not fill the PMDs of their memmap.
ALL_CONFIGS = (*CONFIGS, "4k-debug", "4k-kasan", "4k-page80")

_FIELD = re.compile(
    r"^(Breaks|Configs|Cpus|Fast|Flavour|Equivalent|Scenarios): *(.*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Mutant:
    """A change, and what must notice it.

    breaks: the rules of the contract that it breaks. equivalent: why no test can distinguish it
    from the original, or "". configs: the suites must catch it with these. everywhere: with each
    of them, not just one. scenarios: those of make e2e that must catch it. flavour: the kernel
    that has the code. cpus: the CPUs that the guest has.
    """

    name: str
    title: str
    diff: bytes
    breaks: tuple[str, ...] = ()
    configs: tuple[str, ...] = CONFIGS
    fast: bool = False
    equivalent: str = ""
    everywhere: bool = True
    scenarios: tuple[str, ...] = ()
    flavour: str = FLAVOUR
    cpus: int = 1

    @property
    def identity(self) -> str:
        """A hash of the change, with the number of CPUs if there are several."""
        change = hashlib.sha256(self.diff).hexdigest()
        return change if self.cpus == 1 else f"{change} smp={self.cpus}"

    @property
    def files(self) -> list[str]:
        """The files that it changes, relative to the tree."""
        return re.findall(r"^\+\+\+ b/(\S+)$", self.diff.decode(), re.MULTILINE)


def read_patches(directory: Path = PATCHES) -> list[Mutant]:
    """The handwritten mutants, by name. Raises UsageError."""
    return [_read_patch(path) for path in sorted(directory.glob("*.patch"))]


def written(flavour: str) -> list[Mutant]:
    """The handwritten mutants of a flavour, or of FLAVOUR if it has none."""
    flavour = flavour if flavour in FLAVOURS else FLAVOUR
    return [mutant for mutant in read_patches() if mutant.flavour == flavour]


def _read_patch(path: Path) -> Mutant:
    data = path.read_bytes()
    head, _, diff = data.partition(b"\n---\n")
    text = head.decode("utf-8")
    subject = re.match(r"Subject: (.+)\n", text)
    fields: dict[str, str] = dict(_FIELD.findall(text))
    scenarios = tuple(fields.get("Scenarios", "").split())
    configs = tuple(fields.get("Configs", "").split()) or (() if scenarios else CONFIGS)
    if not subject or not diff.startswith(b"diff --git ") or "Breaks" not in fields:
        raise UsageError(
            f"{path} is not a mutant",
            "write Subject:, a blank line, a description, Breaks: with rules, ---, and a git diff",
        )
    if fields.get("Flavour", FLAVOUR) not in FLAVOURS:
        raise UsageError(
            f"{path}: Flavour: {fields['Flavour']}", f"choose from: {' '.join(FLAVOURS)}"
        )
    if not set(configs) <= set(ALL_CONFIGS):
        raise UsageError(
            f"{path}: Configs: {' '.join(configs)}", f"choose from: {' '.join(ALL_CONFIGS)}"
        )
    cpus = fields.get("Cpus", "1")
    if not re.fullmatch("[1-9][0-9]*", cpus):
        raise UsageError(f"{path}: Cpus: {cpus} is not a number of CPUs", "write: Cpus: 4")
    return Mutant(
        path.stem,
        subject.group(1),
        diff,
        tuple(fields["Breaks"].split()),
        configs,
        "Fast" in fields,
        fields.get("Equivalent", ""),
        scenarios=scenarios,
        flavour=fields.get("Flavour", FLAVOUR),
        cpus=int(cpus),
    )


def read_equivalent() -> dict[str, str]:
    """The patterns of equivalent generated mutants, with the reasons: "PATTERN reason"."""
    found: dict[str, str] = {}
    for line in archive.read_list(EQUIVALENT):
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise UsageError(
                f"{EQUIVALENT}: {name} has no reason", "write: name, a space, the reason"
            )
        found[name] = reason.strip()
    return found


def declare(mutants: Sequence[Mutant], reasons: dict[str, str]) -> list[Mutant]:
    """Mark the equivalent mutants. Raises UsageError if a pattern matches none."""
    found: dict[str, str] = {}
    names = [mutant.name for mutant in mutants]
    for pattern, reason in reasons.items():
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise UsageError(
                f"{EQUIVALENT.name} names a mutant that is not generated: {pattern}",
                f"the line of code has changed: correct the name in {EQUIVALENT}",
            )
        found.update(dict.fromkeys(matching, reason))
    return [replace(m, equivalent=found.get(m.name, m.equivalent)) for m in mutants]


def choose(mutants: Sequence[Mutant], globs: str) -> list[Mutant]:
    """The mutants that match a pattern, or all if there is none. Raises UsageError."""
    if not mutants:
        raise UsageError("there are no mutants", f"restore {PATCHES} from git")
    patterns = globs.split()
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(m.name, pattern) for m in mutants):
            raise UsageError(
                f"MUTANTS: there is no mutant '{pattern}'",
                "see altmap mutants --list; the name of a generated mutant is file:function:hash:operator, "
                'as in MUTANTS="*mmu.c:vmemmap_free:*"',
            )
    return [
        m for m in mutants if not patterns or any(fnmatch.fnmatchcase(m.name, p) for p in patterns)
    ]
