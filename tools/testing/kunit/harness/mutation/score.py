# SPDX-License-Identifier: GPL-2.0
"""Count how many generated mutants the suites catch, by function and by rule."""

from collections.abc import Callable, Iterable, Sequence

from harness.base.table import table
from harness.mutation.generated import Generated
from harness.mutation.outcomes import MISSES, MutantReport, MutantVerdict

_COLUMNS = (
    MutantVerdict.CAUGHT,
    MutantVerdict.DIED,
    MutantVerdict.TIMED_OUT,
    MutantVerdict.DIED_AT_BOOT,
)
_LAST = (MutantVerdict.EQUIVALENT, *MISSES)
_NOT_COUNTED = (MutantVerdict.UNVIABLE, MutantVerdict.ABSENT, MutantVerdict.SAME)


def score(report: MutantReport, mutants: Sequence[Generated]) -> str:
    """Tables by function and by rule, and a list of what no case noticed: reStructuredText."""
    tried = [one for one in mutants if report.verdict(one.mutant) not in _NOT_COUNTED]
    parts = [
        _table(report, tried, "function", lambda one: [f"``{one.function}()``"]),
        _table(report, tried, "rule", lambda one: one.mutant.breaks),
    ]
    missed = [one.mutant for one in tried if report.verdict(one.mutant) in MISSES]
    if missed:
        heading = "Mutants that were missed or not reached"
        parts.append(f"{heading}\n{'=' * len(heading)}")
        parts.append("\n".join(f"- ``{mutant.name}``: ``{mutant.title}``" for mutant in missed))
    return "\n\n".join(parts) + "\n"


def _table(
    report: MutantReport,
    mutants: Sequence[Generated],
    what: str,
    names: Callable[[Generated], Iterable[str]],
) -> str:
    rows: dict[str, list[MutantVerdict]] = {}
    for one in mutants:
        for name in names(one):
            rows.setdefault(name, []).append(report.verdict(one.mutant))
    every = [report.verdict(one.mutant) for one in mutants]
    lines = [_row(name, verdicts) for name, verdicts in (*sorted(rows.items()), ("all", every))]
    head = [what, "mutants", *(v.value for v in (*_COLUMNS, *_LAST))]
    return _rst([head, *lines])


def _row(name: str, verdicts: Sequence[MutantVerdict]) -> list[str]:
    counts = [verdicts.count(verdict) for verdict in (*_COLUMNS, *_LAST)]
    return [name, str(len(verdicts)), *(str(count) if count else "" for count in counts)]


def _rst(rows: Sequence[Sequence[str]]) -> str:
    """A simple table."""
    line = ["=" * max(map(len, column)) for column in zip(*rows)]
    return "\n".join(table([line, rows[0], line, *rows[1:], line], "l"))
