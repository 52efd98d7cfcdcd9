# SPDX-License-Identifier: GPL-2.0
"""Report the patched lines that ran, and explain the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.table import table
from harness.coverage.gcov import Ran, Trace
from harness.kernel.finding import Finding, Kind, Status
from harness.trees.git import Git
from harness.verdict import judge, results
from harness.verdict.results import CaseResult, RunResult

REASONS = judge.EXPECTED / "uncovered"
NAME = "what the series and the fixes touch"

# The lines that patches add, with their text, by file.
Touched = Mapping[str, Mapping[int, str]]

# Why a line did not run or a branch was not taken, by file and text.
Reasons = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class CoverageReport:
    """Lines for a terminal, and a result with a case for each file and each unused reason."""

    lines: tuple[str, ...]
    result: RunResult


def added(git: Git, below: str, above: str) -> Touched:
    """The lines that differ between two commits, in C files that arm64 compiles."""
    return {
        name: lines
        for name, lines in git.added(below, above, "--", "*.c").items()
        if not name.startswith("arch/") or name.startswith("arch/arm64/")
    }


def read_reasons(path: Path = REASONS) -> Reasons:
    """Read the lines that need not run, with reasons. Raises UsageError.

    A file name is not indented. A line of that file is indented by one tab, its reason by two.
    """
    found: dict[tuple[str, str], str] = {}
    name, text = "", ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        rest = line.strip()
        if not rest or rest.startswith("#"):
            continue
        if not line.startswith("\t"):
            name, text = rest, ""
        elif name and not line.startswith("\t\t"):
            text = rest
            found[name, text] = ""
        elif text:
            found[name, text] = f"{found[name, text]} {rest}".strip()
        else:
            raise UsageError(
                f"{path}:{number}: a reason without a line",
                "add the file name, and its line indented by a tab, above the reason",
            )
    bare = [text for (_, text), reason in found.items() if not reason]
    if bare:
        raise UsageError(f"{path}: no reason why '{bare[0]}' does not run", "write one below it")
    return found


def compare(touched: Touched, seen: Mapping[str, Trace], reasons: Reasons) -> CoverageReport:
    """Compare touched lines with coverage. The last entry of seen is the total."""
    everything = list(seen.values())[-1]
    before = [""] * (len(seen) - 1)
    rows = [["", *before, "lines run", *before, "branches"], ["", *seen, *seen]]
    cases: list[CaseResult] = []
    used: dict[tuple[str, str], None] = {}
    gaps: list[str] = []
    for name, texts in touched.items():
        counts = [_count(trace.get(name, Ran()), texts) for trace in seen.values()]
        rows.append([name, *(c[0] for c in counts), *(c[1] for c in counts)])
        open_lines: list[str] = []
        for number, what in _gaps(everything.get(name, Ran()), texts):
            key = (name, texts[number].strip())
            reason = reasons.get(key)
            used[key] = None
            shown = [f"{name}:{number}: {what}", f"    {key[1]}"]
            gaps += [*shown, f"    # {reason or 'not explained'}"]
            if reason is None:
                open_lines += shown
        if open_lines:
            text = f"{name}: {len(open_lines) // 2} lines or branches are not explained"
            cases.append(results.failed(name, Finding(Kind.UNCOVERED, text, tuple(open_lines))))
        else:
            cases.append(CaseResult(name, Status.PASSED))
    for name, text in reasons:
        if (name, text) not in used:
            what = f"{name}: expected/uncovered has a line that ran or does not exist: {text}"
            cases.append(
                results.failed(f"{name}: an unused reason", Finding(Kind.UNUSED_REASON, what))
            )
    return CoverageReport(
        (*table(rows), *([""] if gaps else []), *gaps), RunResult(NAME, tuple(cases), 0.0)
    )


def _count(ran: Ran, texts: Mapping[int, str]) -> tuple[str, str]:
    """The shares of lines that ran, and of branches that were taken."""
    counts = [ran.lines[n] for n in texts if n in ran.lines]
    branches = [taken for n in texts for taken in ran.branches.get(n, [])]
    return _share(counts), _share(branches)


def _share(counts: Sequence[int]) -> str:
    return f"{sum(c > 0 for c in counts)}/{len(counts)}"


def _gaps(ran: Ran, texts: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    for number in texts:
        what = _gap(ran.lines.get(number), ran.branches.get(number, []))
        if what:
            yield number, what


def _gap(count: int | None, branches: Sequence[int]) -> str:
    if count == 0:
        return "did not run"
    if 0 in branches:
        return f"{sum(b > 0 for b in branches)} of {len(branches)} branches taken"
    return ""
