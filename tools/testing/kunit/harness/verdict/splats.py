# SPDX-License-Identifier: GPL-2.0
"""Find splats in a console log: WARNs, oopses, reports of lockdep, KASAN and so on."""

import re
from collections.abc import Iterable, Sequence

from harness.kernel.finding import Finding, Kind
from harness.verdict import ktap

# Lines by which a kernel reports a problem with itself.
SPLAT = re.compile(
    r"cut here|\bWARNING: |\bBUG: |\bOops\b|Call [Tt]race:|Kernel panic|Unable to handle|"
    r"Internal error|\bKASAN: |\bKFENCE: |\bUBSAN: |\bKCSAN: |"
    r"possible (?:recursive|circular|irq lock|deadlock)|INFO: .*(?:deadlock|stall|lockdep|blocked)|"
    r"detected stall|soft lockup|Bad page state|Bad page map|page allocation failure|"
    r"DEBUG_LOCKS_WARN_ON|suspicious RCU usage|[Rr]efcount_t: |list_(?:add|del) corruption"
)
_END = "---[ end trace"
# Lines of a report that differ from run to run, such as register dumps.
_REGISTERS = re.compile(
    r"\s*(?:CPU: |Tainted: |Hardware name: |pstate: |(?:pc|lr|sp|x\d+|[a-z]\w{1,2}) ?: |R[A-Z0-9]{2}: )"
)
_CUT = "------------[ cut here ]------------"
# The line that identifies a report that begins with _CUT.
_WHICH = re.compile(r"\bWARNING: |\bkernel BUG at ")
# The number of lines of a report to show, and the longest report.
_SPLAT_LINES, _REPORT_LINES = 12, 100


def find(lines: Iterable[str]) -> list[Finding]:
    """Return a finding for each splat. Its log has the lines that follow, without registers."""
    plain = [ktap.strip_timestamp(line.rstrip()) for line in lines]
    findings: list[Finding] = []
    # Several lines of one report may match.
    end = 0
    for number, line in enumerate(plain):
        if not SPLAT.search(line) or ktap.is_ktap(line):
            continue
        if number >= end or _CUT in line:
            report = _report(plain[number : number + _REPORT_LINES])
            shown = tuple(line for line in report if not _REGISTERS.match(line))[:_SPLAT_LINES]
            subject = _subject(shown)
            text = f"splat at line {number + 1}: {subject}"
            findings.append(Finding(Kind.SPLAT, text, shown, subject=subject))
            end = number + len(report)
        end = max(end, number + _SPLAT_LINES)
    return findings


def _report(lines: Sequence[str]) -> Sequence[str]:
    """The lines of a report, up to its end marker if it has one."""
    if _CUT in lines[0]:
        for number, line in enumerate(lines):
            if _END in line:
                return lines[: number + 1]
    return lines[:_SPLAT_LINES]


def _subject(report: tuple[str, ...]) -> str:
    """The line that identifies a report. All WARN()s begin with the same line."""
    first, *more = report
    if _CUT not in first:
        return first
    return next((line for line in more if _WHICH.search(line)), more[0] if more else first)
