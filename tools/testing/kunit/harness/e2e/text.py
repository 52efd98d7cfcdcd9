# SPDX-License-Identifier: GPL-2.0
"""The results of scenarios, as tables."""

from collections.abc import Sequence

from harness.base import table as base_table
from harness.e2e.run import STATUSES
from harness.kernel.finding import Status
from harness.verdict import results
from harness.verdict.results import RunResult


def table(runs: Sequence[RunResult]) -> list[str]:
    """A row for each scenario with each kernel."""
    return results.table(runs, STATUSES)


def figures(runs: Sequence[RunResult]) -> list[str]:
    """The measurements: a row for each figure, a column for each kernel."""
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
    rows = ([what, *(values.get(c, "-") for c in columns)] for what, values in found.items())
    return base_table.table([["", *columns], *rows])


def grids(runs: Sequence[RunResult]) -> list[str]:
    """The worst result of each variant, for scenarios with variants that did not all pass.

    The last value of a variant selects the column, the others the row.
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
        lines += [*([""] if lines else []), f"{found.name}, the worst result of each variant:"]
        rows = [["", *columns]]
        for row in dict.fromkeys(down for down, _ in worst):
            there = [worst.get((row, c)) for c in columns]
            rows.append([row, *(status.value if status else "-" for status in there)])
        lines += base_table.table(rows)
        lines.append(f'to run one: make e2e {_choice(found.name)} SCENARIOS="{name}/VALUES"')
    return lines


def _choice(run: str) -> str:
    """The variables that select the kernel of a run."""
    flavour, page = run.split()[:2]
    return f"FLAVOURS={flavour} CONFIGS={page}"
