# SPDX-License-Identifier: GPL-2.0
"""What scenarios found, as tables."""

from collections.abc import Sequence

from harness.e2e.run import STATUSES
from harness.kernel.finding import Status
from harness.verdict.results import RunResult


def table(runs: Sequence[RunResult]) -> list[str]:
    """A line for each scenario with each kernel."""
    layout = "{:34} {:>6} {:>6} {:>6} {:>5} {:>10} {:>4}"
    lines = [layout.format("", *(s.value for s in STATUSES), "unexpected", "s")]
    for found in runs:
        counts = [found.count(status) for status in STATUSES]
        lines.append(layout.format(found.name, *counts, len(found.wrong), f"{found.seconds:.0f}"))
    return lines


def figures(runs: Sequence[RunResult]) -> list[str]:
    """What was measured: a line for each figure, a column for each kernel."""
    found: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
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


def grids(runs: Sequence[RunResult]) -> list[str]:
    """Of scenarios with variants, not all of which passed: the worst of each variant.

    The last value that distinguishes variants goes across, those before it down.
    """
    lines: list[str] = []
    for found in runs:
        worst: dict[tuple[str, str], Status] = {}
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
