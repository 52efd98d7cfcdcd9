# SPDX-License-Identifier: GPL-2.0
"""What was found, by "make check" for one, for machines (JSON, JUnit XML) and for a mail."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

WIDTH = 78
_LOG_LINES = 12


@dataclass(frozen=True)
class CaseResult:
    """One thing that was judged. failure is empty when all is well."""

    name: str
    status: str
    failure: str = ""
    log: Tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """A run of one kernel, or of the host's tests."""

    name: str
    cases: Tuple[CaseResult, ...]
    seconds: float

    @property
    def wrong(self) -> List[CaseResult]:
        """What is not as expected."""
        return [case for case in self.cases if case.failure]

    def count(self, status: str) -> int:
        """How many cases have that status."""
        return sum(case.status == status for case in self.cases)


def totals(runs: Sequence[RunResult]) -> Tuple[int, int]:
    """How much is as expected, and how much is not."""
    failed = sum(len(run.wrong) for run in runs)
    return sum(len(run.cases) for run in runs) - failed, failed


def write_json(runs: Sequence[RunResult], path: Path) -> None:
    """Write everything as JSON."""
    passed, failed = totals(runs)
    document = {"passed": passed, "failed": failed, "runs": [asdict(run) for run in runs]}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_junit(runs: Sequence[RunResult], path: Path) -> None:
    """Write everything as JUnit XML. An expected failure is no failure there."""
    root = ElementTree.Element("testsuites")
    for run in runs:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=run.name,
            tests=str(len(run.cases)),
            failures=str(len(run.wrong)),
            skipped=str(run.count("skipped")),
            time=f"{run.seconds:.1f}",
        )
        for case in run.cases:
            element = ElementTree.SubElement(
                suite, "testcase", classname=run.name, name=_printable(case.name)
            )
            if case.failure:
                failure = ElementTree.SubElement(
                    element, "failure", message=_printable(case.failure)
                )
                failure.text = _printable("\n".join(case.log))
            elif case.status == "skipped":
                ElementTree.SubElement(element, "skipped")
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _printable(text: str) -> str:
    """XML allows no control characters, and a console may say anything."""
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)


def summary(runs: Sequence[RunResult], heading: str) -> str:
    """A summary that pastes into a mail: failures first, one plain line last."""
    table = [f"{'':20} {'passed':>7} {'failed':>7} {'skipped':>8} {'unexpected':>11} {'s':>6}"]
    for run in runs:
        table.append(
            f"{run.name:20} {run.count('passed'):7} {run.count('failed'):7} "
            f"{run.count('skipped'):8} {len(run.wrong):11} {run.seconds:6.0f}"
        )
    return in_words(runs, heading, table)


def in_words(runs: Sequence[RunResult], heading: str, table: Sequence[str]) -> str:
    """The heading, what is not as expected, the table, and the totals."""
    lines = [*map(_cut, heading.splitlines()), ""]
    for run in runs:
        if run.wrong:
            lines += _failures(run) + [""]
    passed, failed = totals(runs)
    lines += [*map(_cut, table), "", f"{passed} passed, {failed} failed"]
    return "\n".join(lines)


def _failures(run: RunResult) -> List[str]:
    lines = [f"{run.name}: {len(run.wrong)} not as expected"]
    missing = [case for case in run.wrong if case.status == "missing"]
    for case in run.wrong:
        if case.status != "missing" or len(missing) <= 3:
            lines.append(_cut(f"  {case.failure}"))
            lines += [_cut(f"    {line}") for line in case.log[-_LOG_LINES:]]
    if len(missing) > 3:
        lines.append(_cut(f"  {len(missing)} cases did not report, {missing[0].name} the first"))
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
