# SPDX-License-Identifier: GPL-2.0
"""Who notices a mutant first, from the lines of a console."""

import re

from harness.verdict import ktap, splats

_FAILED = re.compile(r"^    not ok \d+ (\S+)")
_SUITE = re.compile(r"^    # Subtest: (\S+)")
_RESULT = re.compile(r"^    (?:not )?ok \d+ (\S+)")


def nothing(_line: str) -> bool:
    """No line is of interest."""
    return False


class FirstFailure:
    """Finds the first case that fails and should not."""

    def __init__(self, failing: frozenset[str]) -> None:
        self._failing = failing
        self._suite = ""
        self.case = ""

    def __call__(self, line: str) -> bool:
        """Take in the next line; return whether a case has failed by now."""
        line = ktap.strip_timestamp(line)
        suite, failed = _SUITE.match(line), _FAILED.match(line)
        if suite:
            self._suite = suite.group(1)
        if failed and f"{self._suite}.{failed.group(1)}" not in self._failing:
            self.case = f"{self._suite}.{failed.group(1)}"
        return bool(self.case)


def noisy(console: str) -> str:
    """The case during which the kernel first complained of itself."""
    suite, complained = "", False
    for line in map(ktap.strip_timestamp, console.splitlines()):
        found = _SUITE.match(line)
        suite = found.group(1) if found else suite
        complained = complained or (bool(splats.SPLAT.search(line)) and not ktap.is_ktap(line))
        result = _RESULT.match(line)
        if complained and result:
            return f"{suite}.{result.group(1)}"
    return ""
