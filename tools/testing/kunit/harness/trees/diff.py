# SPDX-License-Identifier: GPL-2.0
"""Read unified diffs without git."""

import re
from collections.abc import Mapping

# File names with their prefix. quilt uses other prefixes than a/ and b/.
_FILE = re.compile(
    rb"^(?:diff --git a/(?P<same>.+) b/(?P=same)$"
    rb"|(?:(?:---|\+\+\+) [^\s/]+/|rename (?:from|to) |copy (?:from|to) )(?P<name>[^\t\n]+))",
    re.MULTILINE,
)
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def files(patch: bytes) -> tuple[str, ...]:
    """The files that a patch changes, adds, removes or renames, sorted."""
    names = {found["same"] or found["name"] for found in _FILE.finditer(patch)}
    return tuple(sorted(name.decode("utf-8", "surrogateescape") for name in names))


def added(text: str) -> Mapping[str, Mapping[int, str]]:
    """The lines that a diff adds, by file and line number."""
    found: dict[str, dict[int, str]] = {}
    name, number, end = "", 0, 0
    # splitlines() would also split at form feeds.
    for line in text.split("\n"):
        hunk = _HUNK.match(line)
        if number < end and line.startswith("+"):
            found.setdefault(name, {})[number] = line[1:]
        if number < end and not line.startswith(("-", "\\")):
            number += 1
        elif hunk:
            number = int(hunk[1])
            end = number + int(hunk[2] or 1)
        elif line.startswith("+++ "):
            name = line.removeprefix("+++ b/").partition("\t")[0]
    return found
