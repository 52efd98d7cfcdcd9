# SPDX-License-Identifier: GPL-2.0
"""Builders of runs, outcomes, findings and console logs, for tests that judge a series."""

from collections.abc import Collection, Sequence
from pathlib import Path

from harness.kernel.finding import Finding, Kind, Place, Status, of_case
from harness.revision.blame import Fault, Shown, State
from harness.revision.builds import Run
from harness.revision.ending import Ending
from harness.revision.judged import Judged
from harness.revision.outcomes import Case, Outcome
from harness.revision.series import Member, Series
from harness.trees.stack import Patch

A, B, C = "s.a", "s.b", "s.c"


def run(
    config: str = "4k",
    ending: Ending = Ending.RAN,
    console: str = "",
    again: str | None = None,
    said: str = "x.c:1: error: no",
) -> Run:
    return Run(config, "tree", "key", ending, 1.0, 1.0, (said,), console, again=again)


def outcome(
    good: str = "",
    bad: str = "",
    *findings: Finding,
    missing: str = "",
    flaky: str = "",
    config: str = "4k",
) -> Outcome:
    """An outcome of suite s. Each letter is a case, and the argument says how it ended."""
    cases: dict[str, Case] = {}
    for letters, status in (
        (good, Status.PASSED),
        (bad, Status.FAILED),
        (missing, Status.MISSING),
        (flaky, Status.FLAKY),
    ):
        cases.update({f"s.{x}": Case(status, status is Status.PASSED, ("log",)) for x in letters})
    return Outcome(run(config), cases, findings)


def splat(line: str = "WARNING: at mm/memory.c:7") -> Finding:
    return Finding(Kind.SPLAT, f"splat: {line}", ("log",), subject=line)


def death(kind: Kind, case: str = "") -> Finding:
    return Finding(kind, f"the kernel {kind.value}", ("log",), of_case(case) if case else Place())


def brief(faults: Sequence[Fault]) -> list[tuple[int | None, Shown, Kind, str]]:
    return [(f.patch, f.shown, f.finding.kind, f.case) for f in faults]


def judged(*titles: str) -> Judged:
    members = [
        Member(n, title, Patch(Path(f"{n}.patch"), b"diff"), ())
        for n, title in enumerate(titles or ("one", "two"), 1)
    ]
    found = Judged(Series("v2.mbox", "mm: two patches", tuple(members)), "baseline", "6.12.117")
    found.states = [State(0, "base", "ok"), *(State(m.number, m.title, "ok") for m in members)]
    found.applied = len(members)
    return found


def ktap_of(cases: Collection[str], failing: Collection[str], skips: Collection[str]) -> str:
    """The console log of a kernel that ran these cases. failing and skips are subsets of them."""
    suites: dict[str, list[str]] = {}
    for name in sorted(cases):
        suites.setdefault(of_case(name).suite, []).append(name)
    lines = ["Linux version 6.12", "KTAP version 1", f"1..{len(suites)}"]
    for place, (suite, names) in enumerate(suites.items(), 1):
        lines += ["    KTAP version 1", f"    # Subtest: {suite}", f"    1..{len(names)}"]
        for number, name in enumerate(names, 1):
            word = "not ok" if name in failing else "ok"
            end = " # SKIP cannot" if name in skips else ""
            lines.append(f"    {word} {number} {of_case(name).case}{end}")
        word = "not ok" if set(names) & set(failing) else "ok"
        lines.append(f"{word} {place} {suite}")
    return "\n".join([*lines, "reboot: Restarting system"])
