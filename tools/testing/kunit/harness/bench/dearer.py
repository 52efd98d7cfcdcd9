# SPDX-License-Identifier: GPL-2.0
"""Measurements that may exceed the general limit: data/expected/bench/dearer."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.base import archive
from harness.base.errors import UsageError
from harness.bench.costs import Change

_LINE = re.compile(r"(?P<flavour>\S+) (?P<config>\S+) (?P<percent>\d+)% (?P<name>[^:]+): \S")


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


def apply(changes: Iterable[Change], allowed: dict[str, float]) -> list[Change]:
    """The changes with these limits."""
    return [replace(c, allowed=allowed.get(c.name)) for c in changes]
