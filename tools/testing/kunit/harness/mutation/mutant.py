# SPDX-License-Identifier: GPL-2.0
"""A mutant: a small change to the kernel code under test that must not go unseen."""

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

# Where the code under test differs most: blocks or none, shared pages or none.
CONFIGS = ("4k", "64k")
# The kernel that mutants are made of, unless they say another one.
FLAVOUR = "series"
FLAVOURS = (FLAVOUR, "fast")
# For the few that need them: where any allocation can be made to fail, and where sections
# do not fill the PMDs of their memmap.
ALL_CONFIGS = (*CONFIGS, "4k-debug", "4k-page80")

_FIELD = re.compile(r"^(Breaks|Configs|Fast|Flavour|Equivalent|Scenarios): *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """A change, and where it must be noticed.

    breaks: the rules of the contract that it offends against; equivalent: why no
    test can distinguish it from the original, or ""; everywhere: it must be
    caught in each of its configs, not just in one of them; scenarios: those of make e2e
    that must notice it, too; flavour: the kernel that has the code.
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

    @property
    def identity(self) -> str:
        """A hash of the change."""
        return hashlib.sha256(self.diff).hexdigest()

    @property
    def files(self) -> list[str]:
        """The files that it changes, below the tree."""
        return re.findall(r"^\+\+\+ b/(\S+)$", self.diff.decode(), re.MULTILINE)


def read_patches(directory: Path = PATCHES) -> list[Mutant]:
    """The mutants that are written down, by name. Raises UsageError."""
    return [_read_patch(path) for path in sorted(directory.glob("*.patch"))]


def written(flavour: str) -> list[Mutant]:
    """Those of a flavour: of the one that most are for, unless another one has some."""
    flavour = flavour if flavour in FLAVOURS else FLAVOUR
    return [mutant for mutant in read_patches() if mutant.flavour == flavour]


def _read_patch(path: Path) -> Mutant:
    data = path.read_bytes()
    head, _, diff = data.partition(b"\n---\n")
    text = head.decode("utf-8")
    subject = re.match(r"Subject: (.+)\n", text)
    fields: dict[str, str] = dict(_FIELD.findall(text))
    configs = tuple(fields.get("Configs", "").split()) or CONFIGS
    if not subject or not diff.startswith(b"diff --git ") or "Breaks" not in fields:
        raise UsageError(
            f"{path} is no mutant",
            "write Subject:, a blank line, the story, Breaks: with rules, a line ---, a git diff",
        )
    if fields.get("Flavour", FLAVOUR) not in FLAVOURS:
        raise UsageError(
            f"{path}: Flavour: {fields['Flavour']}", f"choose from: {' '.join(FLAVOURS)}"
        )
    if not set(configs) <= set(ALL_CONFIGS):
        raise UsageError(
            f"{path}: Configs: {' '.join(configs)}", f"choose from: {' '.join(ALL_CONFIGS)}"
        )
    return Mutant(
        path.stem,
        subject.group(1),
        diff,
        tuple(fields["Breaks"].split()),
        configs,
        "Fast" in fields,
        fields.get("Equivalent", ""),
        scenarios=tuple(fields.get("Scenarios", "").split()),
        flavour=fields.get("Flavour", FLAVOUR),
    )


def read_equivalent(path: Path = EQUIVALENT) -> dict[str, str]:
    """The generated mutants that no test can notice, with the reasons: "PATTERN reason"."""
    found: dict[str, str] = {}
    for line in archive.read_list(path):
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise UsageError(f"{path}: {name} has no reason", "write: name, a blank, the reason")
        found[name] = reason.strip()
    return found


def declare(mutants: Sequence[Mutant], reasons: dict[str, str]) -> list[Mutant]:
    """Mark the generated mutants that are equivalent, by names or patterns. Raises UsageError."""
    found: dict[str, str] = {}
    names = [mutant.name for mutant in mutants]
    for pattern, reason in reasons.items():
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise UsageError(
                f"{EQUIVALENT.name} names a mutant that is not generated: {pattern}",
                f"the line that it changed is another one now: see to it in {EQUIVALENT}",
            )
        found.update(dict.fromkeys(matching, reason))
    return [replace(m, equivalent=found.get(m.name, m.equivalent)) for m in mutants]


def choose(mutants: Sequence[Mutant], globs: str) -> list[Mutant]:
    """Those whose names match one of the patterns; all without any. Raises UsageError."""
    if not mutants:
        raise UsageError("there is no mutant at all", f"restore {PATCHES} from git")
    patterns = globs.split()
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(m.name, pattern) for m in mutants):
            raise UsageError(
                f"MUTANTS: no mutant is called '{pattern}'",
                f"see {PATCHES}; a generated one is called file:function:hash:operator, "
                'as in MUTANTS="*mmu.c:vmemmap_free:*"',
            )
    return [
        m for m in mutants if not patterns or any(fnmatch.fnmatchcase(m.name, p) for p in patterns)
    ]
