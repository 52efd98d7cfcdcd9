# SPDX-License-Identifier: GPL-2.0
"""What a boot of a scenario shows, case by case, from its console log.

A case is well when it says so, and the kernel said nothing of itself meanwhile. The
end of the report is the end marker: a guest that stops before that has hung or died,
whatever QEMU's exit status is.
"""

import re
from dataclasses import dataclass
from typing import List, Sequence, Tuple

import judge
import ktap
import proc
from e2e_guest import Ended
from e2e_scenario import Case
from judge import Finding

PASSED, FAILED, SPLAT, DIED = "passed", "failed", "splat", "died"

_RESULT = re.compile(r"^    (ok|not ok) \d+ (\S+)$")
_FIGURE = re.compile(r"^    #   figure (\S+) (-?\d+)$")
_MISSED = re.compile(r"^    # failed: (.*)$")
_START = re.compile(r"^    1\.\.\d+$")
_LOG_LINES = 20


@dataclass(frozen=True)
class Outcome:
    """How a case ended: one of the four words, and what shows it."""

    name: str
    status: str
    what: str = ""
    log: Tuple[str, ...] = ()
    figures: Tuple[Tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Seen:
    """All that a boot showed. trouble: what belongs to no case."""

    outcomes: Tuple[Outcome, ...]
    trouble: Tuple[Finding, ...] = ()


def look(ended: Ended, cases: Sequence[Case]) -> Seen:
    """Tell the outcome of each case up to the one in which the guest died, if it did."""
    lines = [ktap.strip_timestamp(line.rstrip()) for line in ended.console.splitlines()]
    start = next((n for n, line in enumerate(lines) if _START.match(line)), None)
    if start is None:
        return Seen((), (_no_start(ended),))
    trouble = judge.splats(lines[:start])
    outcomes: List[Outcome] = []
    part: List[str] = []
    for line in lines[start + 1 :]:
        part.append(line)
        match = _RESULT.match(line)
        if match and len(outcomes) < len(cases):
            outcomes.append(_outcome(cases[len(outcomes)].name, match, part))
            part = []
    report = ktap.read(lines)
    trouble += [Finding(f"KTAP: {p}") for p in report.problems if p != ktap.CUT_SHORT]
    if len(outcomes) < len(cases):
        outcomes.append(_death(cases[len(outcomes)].name, ended, part))
    elif report.open_tests or ktap.CUT_SHORT in report.problems:
        trouble.append(Finding("the guest died behind its last case", _tail(lines)))
    else:
        trouble += judge.splats(part)
    return Seen(tuple(outcomes), tuple(trouble))


def _no_start(ended: Ended) -> Finding:
    what = "the kernel hung before the first case" if ended.timed_out else (
        "the kernel died before the first case"
    )  # fmt: skip
    if not ended.console.strip():
        what = "the kernel never booted: its console stayed empty"
    return Finding(what, _tail(ended.console.splitlines()))


def _outcome(name: str, match: "re.Match[str]", part: Sequence[str]) -> Outcome:
    figures = tuple((m.group(1), int(m.group(2))) for m in map(_FIGURE.match, part) if m)
    found = judge.splats(part)
    if found:
        # A line number within the part of the log says nothing.
        what = found[0].what.partition(": ")[2]
        return Outcome(name, SPLAT, f"{name}: {what}", found[0].log, figures)
    if match.group(2) != name:
        return Outcome(name, FAILED, f"{name}: '{match.group(2)}' reported in its place", _tail(part))
    if match.group(1) == "not ok":
        missed = next((m.group(1) for m in map(_MISSED.match, part) if m), "no reason given")
        return Outcome(name, FAILED, f"{name}: {missed}", _tail(part), figures)
    return Outcome(name, PASSED, figures=figures)


def _death(name: str, ended: Ended, part: Sequence[str]) -> Outcome:
    """The guest did not live to the end of a case."""
    if ended.timed_out:
        return Outcome(name, DIED, f"{name}: the guest hung and was ended", _tail(part))
    found = judge.splats(part)
    if found:
        what = found[0].what.partition(": ")[2]
        return Outcome(name, DIED, f"{name}: the kernel died: {what}", found[0].log)
    return Outcome(name, DIED, f"{name}: the guest stopped", _tail(part))


def _tail(lines: Sequence[str]) -> Tuple[str, ...]:
    return tuple(proc.tail("\n".join(lines), _LOG_LINES).splitlines())
