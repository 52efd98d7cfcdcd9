# SPDX-License-Identifier: GPL-2.0
"""Find the first case in a console log that notices a mutant."""

import re

from harness.verdict import ktap, splats

_FAILED = re.compile(r"^    not ok \d+ (\S+)")
_SUITE = re.compile(r"^    # Subtest: (\S+)")
_RESULT = re.compile(r"^    (?:not )?ok \d+ (\S+)")


def never(_line: str) -> bool:
    """Do not end the guest at any line."""
    return False


class FirstFailure:
    """Finds the first unexpected failure of a case."""

    def __init__(self, failing: frozenset[str]) -> None:
        self._failing = failing
        self._suite = ""
        self.case = ""

    def __call__(self, line: str) -> bool:
        """Read the next line. Return whether a case has failed so far."""
        line = ktap.strip_timestamp(line)
        suite, failed = _SUITE.match(line), _FAILED.match(line)
        if suite:
            self._suite = suite.group(1)
        if failed and f"{self._suite}.{failed.group(1)}" not in self._failing:
            self.case = f"{self._suite}.{failed.group(1)}"
        return bool(self.case)


def case_of_first_splat(console: str) -> str:
    """The case in which the kernel first printed a splat."""
    suite, has_splat = "", False
    for line in map(ktap.strip_timestamp, console.splitlines()):
        found = _SUITE.match(line)
        suite = found.group(1) if found else suite
        has_splat = has_splat or (bool(splats.SPLAT.search(line)) and not ktap.is_ktap(line))
        result = _RESULT.match(line)
        if has_splat and result:
            return f"{suite}.{result.group(1)}"
    return ""
