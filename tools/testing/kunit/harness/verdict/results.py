# SPDX-License-Identifier: GPL-2.0
"""The results of all commands, for machines (JSON, JUnit XML) and for people."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import archive, asjson, console
from harness.base.console import Stopwatch
from harness.base.errors import ExitStatus, KunitError
from harness.base.table import cut, printable
from harness.base.table import table as columns
from harness.kernel.finding import NO_KERNEL, Finding, Kind, Place, Stage, Status

_LOG_LINES = 12


@dataclass(frozen=True)
class CaseResult:
    """The result of one case or check.

    suite is the suite or the variant of a scenario. log is an excerpt for cases without a
    finding. figures are measurements.
    """

    name: str
    status: Status
    finding: Finding | None = None
    suite: str = ""
    log: tuple[str, ...] = ()
    figures: tuple[tuple[str, int], ...] = ()

    @property
    def is_flaky(self) -> bool:
        """Whether two boots of the same kernel gave different results."""
        return self.finding is not None and self.finding.kind is Kind.FLAKY


@dataclass(frozen=True)
class RunResult:
    """A run of one kernel or of the host tests. A run without cases is a failure."""

    name: str
    cases: tuple[CaseResult, ...]
    seconds: float
    # The number of cases that come from an interrupted run.
    kept: int = 0

    def __post_init__(self) -> None:
        if not self.cases:
            finding = Finding(Kind.EMPTY, f"{self.name}: nothing ran")
            object.__setattr__(self, "cases", (failed("nothing ran", finding),))

    @property
    def unexpected(self) -> list[CaseResult]:
        """The unexpected results that are not flaky."""
        return [case for case in self.cases if case.finding and not case.is_flaky]

    @property
    def flaky(self) -> list[CaseResult]:
        """The flaky results. They are neither right nor wrong."""
        return [case for case in self.cases if case.is_flaky]

    @property
    def findings(self) -> list[Finding]:
        """All findings, flaky ones too."""
        return [case.finding for case in self.cases if case.finding]

    @property
    def has_kernel(self) -> bool:
        """Whether there was a kernel to boot."""
        return not any(finding.kind in NO_KERNEL for finding in self.findings)

    def count(self, status: Status) -> int:
        """The number of cases with this status."""
        return sum(case.status is status for case in self.cases)


def failed(name: str, finding: Finding) -> CaseResult:
    """A result for a finding about the whole run, the build or the host."""
    status = Status.FLAKY if finding.kind is Kind.FLAKY else Status.FAILED
    return CaseResult(name, status, finding)


def preparation(error: Exception) -> CaseResult:
    """The result of a run that failed before there was a kernel."""
    cause, *detail = str(error).splitlines()
    return failed(
        "preparation", Finding(Kind.PREPARATION, cause, tuple(detail), Place(Stage.BUILD))
    )


def guarded(name: str, do: Callable[[], Iterable[CaseResult]]) -> RunResult:
    """Run do() and measure its time. An error becomes the result."""
    watch = Stopwatch()
    try:
        cases = tuple(do())
    except KunitError as error:
        cases = (preparation(error),)
    return RunResult(name, cases, watch.seconds)


def totals(runs: Sequence[RunResult]) -> tuple[int, int]:
    """The numbers of expected and unexpected results. Flaky ones are neither."""
    failed = sum(len(run.unexpected) for run in runs)
    flaky = sum(len(run.flaky) for run in runs)
    return sum(len(run.cases) for run in runs) - failed - flaky, failed


def status(runs: Sequence[RunResult]) -> ExitStatus:
    """The exit status. Flaky results prove nothing and make it 2."""
    if totals(runs)[1]:
        return ExitStatus.FAILED
    return ExitStatus.ERROR if not runs or any(run.flaky for run in runs) else ExitStatus.OK


def publish(runs: Sequence[RunResult], words: str, path: Path) -> int:
    """Write path with .json and .xml, print words, and return the exit status."""
    return conclude(runs, words, *write(runs, path))


def conclude(runs: Sequence[RunResult], words: str, *files: Path) -> int:
    """Print where the results are, then words. Return the exit status."""
    console.conclude(words, not status(runs), *files)
    return int(status(runs))


def write(runs: Sequence[RunResult], path: Path) -> tuple[Path, Path]:
    """Write the results to path with .json and .xml. Return both paths."""
    document, xml = path.with_suffix(".json"), path.with_suffix(".xml")
    write_json(runs, document)
    write_junit(runs, xml)
    return document, xml


def write_json(runs: Sequence[RunResult], path: Path) -> None:
    """Write all results as JSON."""
    passed, failed = totals(runs)
    document = {"passed": passed, "failed": failed, "runs": asjson.encode(runs)}
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def write_junit(runs: Sequence[RunResult], path: Path) -> None:
    """Write all results as JUnit XML. An expected failure is not a failure there."""
    root = ElementTree.Element("testsuites")
    for run in runs:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(run.name),
            tests=str(len(run.cases)),
            failures=str(len(run.unexpected)),
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
    """A plain-text summary for a mail. Failures come first, the totals last."""
    return in_words(runs, heading, table(runs, (Status.PASSED, Status.FAILED, Status.SKIPPED)))


def table(runs: Sequence[RunResult], statuses: Sequence[Status]) -> list[str]:
    """A row for each run: the number of cases with each status, and of unexpected ones."""
    rows: list[tuple[object, ...]] = [("", *(s.value for s in statuses), "unexpected", "s")]
    for run in runs:
        counts = [run.count(status) for status in statuses]
        rows.append((run.name, *counts, len(run.unexpected), f"{run.seconds:.0f}"))
    return columns(rows)


def in_words(runs: Sequence[RunResult], heading: str, figures: Sequence[str]) -> str:
    """The heading, the unexpected results, the table and the totals."""
    lines = [*map(cut, heading.splitlines()), ""]
    for run in runs:
        if run.findings:
            lines += _failures(run) + [""]
    passed, failed = totals(runs)
    lines += [*map(cut, figures), ""]
    lines += [f"{r.name}: {from_earlier(r.kept, len(r.cases))}" for r in runs if r.kept]
    flaky = sum(len(run.flaky) for run in runs)
    if flaky:
        lines += [f"{flaky} flaky: two boots of the same kernel differ, which proves nothing", ""]
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def from_earlier(kept: int, total: int) -> str:
    """The note about results from an interrupted run."""
    return f"{kept} of {total} results {'is' if kept == 1 else 'are'} from an earlier run"


def _failures(run: RunResult) -> list[str]:
    flaky = f", {len(run.flaky)} flaky" if run.flaky else ""
    lines = [f"{run.name}: {len(run.unexpected)} unexpected{flaky}"]
    missing = [found for found in run.findings if found.kind is Kind.MISSING]
    for found in run.findings:
        if found.kind is not Kind.MISSING or len(missing) <= 3:
            lines.append(cut(f"  {found.text}"))
            lines += [cut(f"    {line}") for line in found.log[-_LOG_LINES:]]
    if len(missing) > 3:
        first = missing[0].place.name
        lines.append(cut(f"  {len(missing)} cases did not report; the first is {first}"))
    return lines
