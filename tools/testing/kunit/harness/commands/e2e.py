# SPDX-License-Identifier: GPL-2.0
"""make e2e: a real driver and Debian's own tools in a booted guest."""

import fnmatch
import os
import sys
from typing import Dict, List, Mapping, Sequence, Tuple

import check
import e2e_mutants
import e2e_run
import e2e_scenario
import journal
import packages
import proc
import results
import settings as settings_module
import suite
import tree
from e2e_run import STATUSES, Plan
from e2e_scenario import Scenario
from errors import UsageError
from finding import Status
from results import RunResult
from settings import check_flavour
from variables import KERNEL, Command

ALL = ("*",)
# What is run unless FLAVOURS or CONFIGS say otherwise: where the feature works, where
# devices share a page of the memmap and what becomes of them without the fixes, where the
# scenarios must notice that the feature is not there. A few of the variants are enough
# with 4K pages, where they never share one, and to show what stock does.
RUNS = (
    ("series", "4k", ("*", "!geometry-pair/[!4]*", "!geometry-triple/2M,*")),
    ("series", "64k", ("*", "!geometry-labels")),
    ("stock", "64k", ("geometry-pair", "!geometry-pair/[236]*")),
    ("baseline", "4k", ("evidence", "ram-spent", "system-ram")),
)
# Where FLAVOURS or CONFIGS says something, and the other one nothing.
FLAVOURS, PAGES = ("series",), ("4k", "64k")


COMMAND = Command("make e2e", KERNEL | {"FLAVOURS", "CONFIGS", "SCENARIOS", "MUTANTS"})


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run the scenarios, tell everything; 0 only when all is as expected."""
    if argv:
        raise UsageError("make e2e takes no arguments", 'narrow it with SCENARIOS="ram-*"')
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    if wish.ksrc:
        raise UsageError(
            "make e2e judges this repository's own trees, not KSRC",
            "unset KSRC, and choose among them with FLAVOURS",
        )
    scenarios = e2e_scenario.load()
    mutants = e2e_mutants.choose(scenarios, environ)
    plans = [] if environ.get("MUTANTS") else choose(scenarios, environ)
    chosen = [s for plan in plans for s in plan.scenarios]
    wanted = suite.resolve(wish)
    check.ensure_tools(wanted, *packages.for_guest(any(s.has_firmware for s in chosen)))
    out = wanted.build / "results"
    tree.mark(wanted.build)
    (out / "e2e").mkdir(parents=True, exist_ok=True)
    key = journal.key(wanted, "make e2e", environ, *(tool.proof for tool in packages.for_guest(True)))
    with journal.opened(out / "e2e.partial", "make e2e", key) as kept:
        found = list(e2e_run.run(wanted, plans, out / "e2e", kept))
        shown = list(found)
        found += e2e_mutants.run(wanted, mutants, scenarios, out / "e2e", kept)
        results.write_json(found, out / "e2e.json")
        results.write_junit(found, out / "e2e.xml")
    print(results.in_words(found, heading("make e2e"), table(found)))
    for lines in (figures(shown), grids(shown)):
        if lines:
            print("\n" + "\n".join(lines))
    return int(results.status(found))


def choose(scenarios: Sequence[Scenario], environ: Mapping[str, str]) -> List[Plan]:
    """What SCENARIOS, FLAVOURS and CONFIGS leave. Raises UsageError."""
    patterns = environ.get("SCENARIOS", "").split() or ALL
    names = dict.fromkeys(s.name for s in scenarios)
    for pattern in patterns:
        if not any(_matches(s, [pattern.lstrip("!")]) for s in scenarios):
            raise UsageError(
                f"SCENARIOS: no scenario is called '{pattern}'", f"choose from: {' '.join(names)}"
            )
    chosen = matching(scenarios, patterns)
    if not chosen:
        raise UsageError(
            f"SCENARIOS={' '.join(patterns)} leaves no scenario", f"choose from: {' '.join(names)}"
        )
    flavours = [check_flavour(name) for name in environ.get("FLAVOURS", "").split()]
    pages = environ.get("CONFIGS", "").split()
    for page in pages:
        if page not in e2e_scenario.PAGES:
            raise UsageError(f"CONFIGS: make e2e has no '{page}'",
                             f"choose from: {' '.join(e2e_scenario.PAGES)}")  # fmt: skip
    asked = [(f, p, ALL) for f in flavours or FLAVOURS for p in pages or PAGES]
    plans = (
        Plan(f, p, tuple(s for s in matching(chosen, globs) if p in s.pages))
        for f, p, globs in (asked if flavours or pages else RUNS)
    )
    found = [plan for plan in plans if plan.scenarios]
    if not found:
        raise UsageError("none of these scenarios goes with these page sizes",
                         "see the lines 'pages' in tools/testing/kunit/scenarios")  # fmt: skip
    return found


def matching(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> List[Scenario]:
    """Those whose name, or name and values, a pattern matches, and none that begins with !."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")] or ALL
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return [s for s in scenarios if _matches(s, wanted) and not _matches(s, unwanted)]


def _matches(scenario: Scenario, patterns: Sequence[str]) -> bool:
    names = (scenario.name, scenario.variant)
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)


# --- Telling --------------------------------------------------------------


def table(runs: Sequence[RunResult]) -> List[str]:
    """A line for each scenario with each kernel."""
    layout = "{:34} {:>6} {:>6} {:>6} {:>5} {:>10} {:>4}"
    lines = [layout.format("", *(s.value for s in STATUSES), "unexpected", "s")]
    for found in runs:
        counts = [found.count(status) for status in STATUSES]
        lines.append(layout.format(found.name, *counts, len(found.wrong), f"{found.seconds:.0f}"))
    return lines


def figures(runs: Sequence[RunResult]) -> List[str]:
    """What was measured: a line for each figure, a column for each kernel."""
    found: Dict[str, Dict[str, str]] = {}
    columns: Dict[str, None] = {}
    for result in runs:
        column = " ".join(result.name.split()[:2])
        for case in result.cases:
            for what, value in case.figures:
                found.setdefault(f"{case.suite} {what}", {})[column] = str(value)
                columns[column] = None
    if not found:
        return []
    lines = [" ".join([f"{'':38}", *(f"{c:>12}" for c in columns)])]
    for what, values in found.items():
        lines.append(" ".join([f"{what:38}", *(f"{values.get(c, '-'):>12}" for c in columns)]))
    return lines


def grids(runs: Sequence[RunResult]) -> List[str]:
    """Of scenarios with variants, not all of which passed: the worst of each variant.

    The last value that tells variants apart goes across, those before it down.
    """
    lines: List[str] = []
    for found in runs:
        worst: Dict[Tuple[str, str], Status] = {}
        for case in found.cases:
            name, _, values = case.suite.partition("/")
            down, _, across = values.rpartition(",")
            known = worst.get((down, across), Status.PASSED)
            if values:
                worst[down, across] = max(known, case.status, key=STATUSES.index)
        if set(worst.values()) <= {Status.PASSED}:
            continue
        columns = list(dict.fromkeys(across for _, across in worst))
        lines += [*([""] if lines else []), f"{found.name}, the worst of each variant:"]
        lines.append(" ".join([f"{'':14}", *(f"{c:>7}" for c in columns)]))
        for row in dict.fromkeys(down for down, _ in worst):
            there = [worst.get((row, c)) for c in columns]
            cells = [status.value if status else "-" for status in there]
            lines.append(" ".join([f"{row:14}", *(f"{cell:>7}" for cell in cells)]))
        lines.append(f'to see one: make e2e {_choice(found.name)} SCENARIOS="{name}/VALUES"')
    return lines


def _choice(run: str) -> str:
    """The variables that choose the kernel of a run."""
    flavour, page = run.split()[:2]
    return f"FLAVOURS={flavour} CONFIGS={page}"


def heading(command: str) -> str:
    """On what all this ran."""
    words = [f"{command} on {os.cpu_count()} CPUs, {sys.platform}"]
    for argv in (["aarch64-linux-gnu-gcc", "--version"], [packages.QEMU.proof, "--version"]):
        words += check.first_line(argv)
    return "\n".join(words)


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
