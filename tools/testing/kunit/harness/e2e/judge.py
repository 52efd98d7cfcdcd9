# SPDX-License-Identifier: GPL-2.0
"""The result of each case in a boot, from its console log.

A case passes if it reports so and the kernel printed no splat meanwhile. The end of the report
marks the end of the boot. A guest that stops before it has hung or died, whatever QEMU's exit
status is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.base.console import tail
from harness.e2e.guest import Ended
from harness.e2e.scenario import Case
from harness.kernel.finding import Finding, Kind, Place, Stage, Status
from harness.verdict import judge, ktap, splats
from harness.verdict.results import CaseResult

_RESULT = re.compile(r"^    (ok|not ok) \d+ (\S+)$")
_FIGURE = re.compile(r"^    #   figure (\S+) (-?\d+)$")
_MISSED = re.compile(r"^    # failed: (.*)$")
_START = re.compile(r"^    1\.\.\d+$")
_LOG_LINES = 20


@dataclass(frozen=True)
class Seen:
    """The results of a boot. trouble has the findings that belong to no case."""

    outcomes: tuple[CaseResult, ...]
    trouble: tuple[Finding, ...] = ()


def read(ended: Ended, cases: Sequence[Case]) -> Seen:
    """The results of all cases up to the one in which the guest died, if it did."""
    lines = [ktap.strip_timestamp(line.rstrip()) for line in ended.console.splitlines()]
    start = next((n for n, line in enumerate(lines) if _START.match(line)), None)
    if start is None:
        return Seen((), (_no_start(ended),))
    trouble = splats.find(lines[:start])
    outcomes: list[CaseResult] = []
    part: list[str] = []
    for line in lines[start + 1 :]:
        part.append(line)
        match = _RESULT.match(line)
        if match and len(outcomes) < len(cases):
            outcomes.append(_outcome(cases[len(outcomes)].name, match, part))
            part = []
    report = ktap.read(lines)
    trouble += judge.malformed(report)
    if len(outcomes) < len(cases):
        outcomes.append(_death(cases[len(outcomes)].name, ended, part))
    elif report.open_tests or report.is_cut_short:
        trouble.append(Finding(Kind.DIED, "the guest died after its last case", _tail(lines)))
    else:
        trouble += splats.find(part)
    return Seen(tuple(outcomes), tuple(trouble))


def _no_start(ended: Ended) -> Finding:
    if not ended.console.strip():
        return judge.EMPTY_CONSOLE
    place, end = Place(Stage.BOOT), _tail(ended.console.splitlines())
    if ended.timed_out:
        return Finding(Kind.HANG, "the kernel hung before the first case", end, place)
    return Finding(Kind.DIED, "the kernel died before the first case", end, place)


def _outcome(name: str, match: "re.Match[str]", part: Sequence[str]) -> CaseResult:
    figures = tuple((m.group(1), int(m.group(2))) for m in map(_FIGURE.match, part) if m)
    found = splats.find(part)
    place = Place(case=name)
    if found:
        # Drop the line number, which counts within this part of the log.
        splat = replace(found[0], text=f"{name}: {found[0].subject}", place=place)
        return CaseResult(name, Status.SPLAT, splat, figures=figures)
    if match.group(2) != name:
        text = f"{name}: '{match.group(2)}' reported instead"
        return CaseResult(name, Status.FAILED, Finding(Kind.MISSING, text, _tail(part), place))
    if match.group(1) == "not ok":
        missed = next((m.group(1) for m in map(_MISSED.match, part) if m), "no reason given")
        failure = Finding(Kind.FAILED, f"{name}: {missed}", _tail(part), place, missed)
        return CaseResult(name, Status.FAILED, failure, figures=figures)
    return CaseResult(name, Status.PASSED, figures=figures)


def _death(name: str, ended: Ended, part: Sequence[str]) -> CaseResult:
    """The result of a case in which the guest died."""
    place = Place(case=name)
    found = splats.find(part)
    if ended.timed_out:
        death = Finding(Kind.HANG, f"{name}: the guest hung and was ended", _tail(part), place)
    elif found:
        words = found[0].subject
        text = f"{name}: the kernel died: {words}"
        death = Finding(Kind.PANIC, text, found[0].log, place, words)
    else:
        death = Finding(Kind.DIED, f"{name}: the guest stopped", _tail(part), place)
    return CaseResult(name, Status.DIED, death)


def _tail(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(tail("\n".join(lines), _LOG_LINES).splitlines())
