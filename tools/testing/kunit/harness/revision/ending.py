# SPDX-License-Identifier: GPL-2.0
"""Tell how far a state got, and why its build failed."""

import enum
import re

from harness.kernel.kernel import compiler_messages

_SUITE_ERROR = re.compile(
    r"^(?:\.\./)*((?:mm|arch/arm64/mm)/tests/\S+?:\d+)(?::\d+)?: (?:fatal )?(error: .*)$", re.M
)
_LINK_ERROR = re.compile(r"((?:mm|arch/arm64/mm)/tests/\S+?):.*(undefined reference to .*)$", re.M)
_ANY_ERROR = re.compile(
    r"^(\S+?:\d+(?::\d+)?: (?:fatal )?error: .*|.*undefined reference .*)$", re.M
)


class Ending(enum.Enum):
    """How far a state got."""

    RAN = "ran"
    BUILD_FAILED = "build failed"
    BUILD_HUNG = "build hung"
    SUITES_STALE = "suites do not compile"


def read_failure(log: str) -> tuple[Ending, tuple[str, ...]]:
    """Tell whether the series broke the build or the suites are too old for it."""
    ours = [f"{m[1]} {m[2]}" for m in (*_SUITE_ERROR.finditer(log), *_LINK_ERROR.finditer(log))]
    others = [
        line
        for line in (m[1] for m in _ANY_ERROR.finditer(log))
        if not _SUITE_ERROR.match(line) and not _LINK_ERROR.search(line)
    ]
    if ours and not others:
        return Ending.SUITES_STALE, tuple(ours[:5])
    return Ending.BUILD_FAILED, compiler_messages(log)
