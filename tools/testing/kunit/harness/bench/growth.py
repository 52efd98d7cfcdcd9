# SPDX-License-Identifier: GPL-2.0
"""Measurements that may exceed the general limit: data/expected/bench/growth."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.base import archive
from harness.base.errors import UsageError
from harness.bench.costs import Change

_LINE = re.compile(r"(?P<flavour>\S+) (?P<config>\S+) (?P<percent>\d+)% (?P<name>[^:]+): \S")

_BARRIER = re.compile("(dsb|isb|tlbi) in ")


def read(path: Path, flavour: str, config: str) -> dict[str, float]:
    """How much more a measurement may cost than in stock, by its name.

    A line for one config also applies to configs with more fragments. Raises UsageError.
    """
    allowed: dict[str, float] = {}
    for line in archive.read_list(path):
        found = _LINE.match(line)
        if not found:
            raise UsageError(
                f"{path}: '{line}' is unreadable",
                "write: flavour config percent% measurement: reason",
            )
        if found["flavour"] == flavour and found["config"] in config.split("-"):
            allowed[found["name"]] = int(found["percent"]) / 100
    return allowed


def apply(changes: Iterable[Change], allowed: Mapping[str, float]) -> list[Change]:
    """The changes with these limits."""
    return [replace(c, allowed=allowed.get(c.name)) for c in changes]


def unknown(
    changes: Collection[Change], allowed: Mapping[str, float], has_barriers: bool
) -> list[str]:
    """The names in allowed that no change has. Barriers may not have been counted."""
    names = {c.name for c in changes}
    return [n for n in allowed if n not in names and (has_barriers or not _BARRIER.match(n))]
