# SPDX-License-Identifier: GPL-2.0
"""What was found, by "make check" for one, for machines (JSON, JUnit XML) and for a mail."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.base import archive
from harness.base.errors import ExitStatus
from harness.base.table import cut, printable
from harness.base.table import table as columns
from harness.kernel import finding
from harness.kernel.finding import NO_KERNEL, Finding, Kind, Place, Stage, Status

_LOG_LINES = 12


@dataclass(frozen=True)
class CaseResult:
    """One thing that was judged, and what is wrong with it, if anything.

    suite: the suite, or the variant of a scenario, that it belongs to; log: what there
    is to show of one that is well; figures: what it measured.
    """

    name: str
    status: Status
    finding: Finding | None = None
    suite: str = ""
    log: tuple[str, ...] = ()
    figures: tuple[tuple[str, int], ...] = ()

    @property
    def is_flaky(self) -> bool:
        """Whether two boots of the same kernel disagree on it."""
        return self.finding is not None and self.finding.kind is Kind.FLAKY


@dataclass(frozen=True)
class RunResult:
    """A run of one kernel, or of the host's tests. One without a case is a failure."""

    name: str
    cases: tuple[CaseResult, ...]
    seconds: float
    # So many of the cases are from an earlier run of the program.
    kept: int = 0

    def __post_init__(self) -> None:
        if not self.cases:
            finding = Finding(Kind.EMPTY, f"{self.name}: nothing ran")
            object.__setattr__(self, "cases", (failed("nothing ran", finding),))

    @property
    def wrong(self) -> list[CaseResult]:
        """What is not as expected."""
        return [case for case in self.cases if case.finding and not case.is_flaky]

    @property
    def flaky(self) -> list[CaseResult]:
        """What two boots of the same kernel disagree on: neither well nor wrong."""
        return [case for case in self.cases if case.is_flaky]

    @property
    def findings(self) -> list[Finding]:
        """What is wrong or flaky."""
        return [case.finding for case in self.cases if case.finding]

    @property
    def has_kernel(self) -> bool:
        """Whether there was a kernel to boot."""
        return not any(finding.kind in NO_KERNEL for finding in self.findings)

    def count(self, status: Status) -> int:
        """How many cases have that status."""
        return sum(case.status is status for case in self.cases)


def failed(name: str, finding: Finding) -> CaseResult:
    """A result that is no case: a finding about the whole run, the build or the host."""
    status = Status.FLAKY if finding.kind is Kind.FLAKY else Status.FAILED
    return CaseResult(name, status, finding)


def preparation(error: Exception) -> CaseResult:
    """What stands in the results in the place of a run that did not come about."""
    cause, *detail = str(error).splitlines()
    return failed(
        "preparation", Finding(Kind.PREPARATION, cause, tuple(detail), Place(Stage.BUILD))
    )


def totals(runs: Sequence[RunResult]) -> tuple[int, int]:
    """How much is as expected, and how much is not. What is flaky is neither."""
    failed = sum(len(run.wrong) for run in runs)
    flaky = sum(len(run.flaky) for run in runs)
    return sum(len(run.cases) for run in runs) - failed - flaky, failed


def status(runs: Sequence[RunResult]) -> ExitStatus:
    """What a command ends with: nothing is proved by a kernel that passes in one boot of two."""
    if totals(runs)[1]:
        return ExitStatus.FAILED
    return ExitStatus.ERROR if not runs or any(run.flaky for run in runs) else ExitStatus.OK


def as_json(run: RunResult) -> dict[str, Any]:
    """A run for json.dump()."""
    cases = [
        {
            **asdict(case),
            "status": case.status.value,
            "finding": finding.as_json(case.finding) if case.finding else None,
        }
        for case in run.cases
    ]
    return {**asdict(run), "cases": cases}


def from_json(document: Mapping[str, Any]) -> RunResult:
    """What as_json() made. Raises KeyError, TypeError, ValueError."""
    cases = tuple(
        CaseResult(
            case["name"],
            Status(case["status"]),
            finding.from_json(case["finding"]) if case["finding"] else None,
            case["suite"],
            tuple(case["log"]),
            tuple((what, value) for what, value in case["figures"]),
        )
        for case in document["cases"]
    )
    return RunResult(
        document["name"], cases, float(document["seconds"]), int(document.get("kept", 0))
    )


def write_json(runs: Sequence[RunResult], path: Path) -> None:
    """Write everything as JSON."""
    passed, failed = totals(runs)
    document = {"passed": passed, "failed": failed, "runs": [as_json(run) for run in runs]}
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def write_junit(runs: Sequence[RunResult], path: Path) -> None:
    """Write everything as JUnit XML. An expected failure is no failure there."""
    root = ElementTree.Element("testsuites")
    for run in runs:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(run.name),
            tests=str(len(run.cases)),
            failures=str(len(run.wrong)),
            skipped=str(run.count(Status.SKIPPED) + len(run.flaky)),
            time=f"{run.seconds:.1f}",
        )
        if run.kept:
            properties = ElementTree.SubElement(suite, "properties")
            name, value = "from an earlier run", str(run.kept)
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for case in run.cases:
            element = ElementTree.SubElement(
                suite, "testcase", classname=printable(run.name), name=printable(case.name)
            )
            if case.finding and case.is_flaky:
                text = printable(case.finding.text)
                ElementTree.SubElement(element, "skipped", message=f"flaky: {text}")
            elif case.finding:
                failure = ElementTree.SubElement(
                    element,
                    "failure",
                    type=case.finding.kind.value,
                    message=printable(case.finding.text),
                )
                failure.text = printable("\n".join(case.finding.log))
            elif case.status is Status.SKIPPED:
                ElementTree.SubElement(element, "skipped")
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    archive.write_whole(path, text)


def summary(runs: Sequence[RunResult], heading: str) -> str:
    """A summary that pastes into a mail: failures first, one plain line last."""
    return in_words(runs, heading, table(runs, (Status.PASSED, Status.FAILED, Status.SKIPPED)))


def table(runs: Sequence[RunResult], statuses: Sequence[Status]) -> list[str]:
    """A line for each run: how many cases have these statuses, and how many are unexpected."""
    rows: list[tuple[object, ...]] = [("", *(s.value for s in statuses), "unexpected", "s")]
    for run in runs:
        counts = [run.count(status) for status in statuses]
        rows.append((run.name, *counts, len(run.wrong), f"{run.seconds:.0f}"))
    return columns(rows)


def in_words(runs: Sequence[RunResult], heading: str, told: Sequence[str]) -> str:
    """The heading, what is not as expected, the table, and the totals."""
    lines = [*map(cut, heading.splitlines()), ""]
    for run in runs:
        if run.findings:
            lines += _failures(run) + [""]
    passed, failed = totals(runs)
    lines += [*map(cut, told), ""]
    lines += [f"{r.name}: {from_earlier(r.kept, len(r.cases))}" for r in runs if r.kept]
    flaky = sum(len(run.flaky) for run in runs)
    if flaky:
        lines += [f"{flaky} flaky: two boots of one kernel differ, so that they prove nothing", ""]
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def from_earlier(kept: int, total: int) -> str:
    """The words for results that were looked up."""
    return f"{kept} of {total} results {'is' if kept == 1 else 'are'} from an earlier run"


def _failures(run: RunResult) -> list[str]:
    flaky = f", {len(run.flaky)} flaky" if run.flaky else ""
    lines = [f"{run.name}: {len(run.wrong)} not as expected{flaky}"]
    missing = [found for found in run.findings if found.kind is Kind.MISSING]
    for found in run.findings:
        if found.kind is not Kind.MISSING or len(missing) <= 3:
            lines.append(cut(f"  {found.text}"))
            lines += [cut(f"    {line}") for line in found.log[-_LOG_LINES:]]
    if len(missing) > 3:
        first = missing[0].place.name
        lines.append(cut(f"  {len(missing)} cases did not report, {first} the first"))
    return lines
