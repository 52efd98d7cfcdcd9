# SPDX-License-Identifier: GPL-2.0
"""Run the tests of the Python code with pytest, and read its JUnit file."""

import compileall
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from harness.base import packages, process
from harness.base.console import Stopwatch, counted, tail
from harness.kernel.finding import Finding, Kind, Status
from harness.request.settings import TOOLS
from harness.request.variables import PRIVATE_VARIABLES
from harness.verdict import results
from harness.verdict.results import CaseResult, RunResult

NAME = "host tests"

# In seconds.
TIME = 1800


def run(out: Path) -> RunResult:
    """Run all host tests. Each is a case. Logs go to out."""
    watch = Stopwatch()
    log, xml = out / "host-tests.log", out / "host-tests.xml"
    xml.unlink(missing_ok=True)
    # Each test has a copy of the tools, and copies these files as well.
    compileall.compile_dir(TOOLS / "harness", quiet=1)
    # One process more than there are CPUs, because some tests wait for a time-out.
    argv = [packages.PYTEST.proof, "-n", str((os.cpu_count() or 1) + 1), "-q"]
    argv += ["-p", "no:cacheprovider", f"--junitxml={xml}", "tests"]
    env = process.clean_env(PRIVATE_VARIABLES)
    try:
        status = process.run_logged(argv, str(log), cwd=str(TOOLS), env=env, timeout=TIME)
    except process.TimedOut as error:
        found = Finding(Kind.HANG, error.cause, _end_of(log))
        return RunResult(NAME, (results.failed(NAME, found),), watch.seconds)
    return RunResult(NAME, read(xml, status, log), watch.seconds)


def read(xml: Path, status: int, log: Path) -> tuple[CaseResult, ...]:
    """The results in a JUnit file. status is pytest's exit status.

    A skipped test is a failure: the machine lacks something that it needs. No tests at all, or
    a status that no failure explains, are failures too.
    """
    try:
        elements = list(ElementTree.parse(xml).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        elements = []
    cases = [_result(element) for element in elements]
    if not cases or (status != 0 and not any(case.finding for case in cases)):
        found = Finding(Kind.EMPTY, f"the host tests did not run: see {log}", _end_of(log))
        cases.append(results.failed("pytest", found))
    return tuple(cases)


def _result(element: ElementTree.Element) -> CaseResult:
    name = f"{element.get('classname')}.{element.get('name')}"
    for tag, kind in (
        ("failure", Kind.HOST_TEST),
        ("error", Kind.HOST_TEST),
        ("skipped", Kind.SKIPPED),
    ):
        found = element.find(tag)
        if found is not None:
            lines = (found.text or found.get("message") or "").splitlines()
            return results.failed(name, Finding(kind, f"host test: {name}", tuple(lines)))
    return CaseResult(name, Status.PASSED)


def _end_of(log: Path) -> tuple[str, ...]:
    try:
        return tuple(tail(log.read_text(errors="replace")).splitlines())
    except OSError:
        return ()


def type_check() -> RunResult:
    """Run mypy on the Python code."""
    watch = Stopwatch()
    checked = ("altmap", "kunit.py", "harness", "tests")
    argv = [packages.MYPY.proof, "--no-error-summary", *checked]
    done = process.run(argv, cwd=str(TOOLS), expect=(0, 1, 2))
    said = tuple((done.stdout + done.stderr).strip().splitlines())
    case = CaseResult("mypy --strict", Status.PASSED)
    if done.status != 0:
        found = Finding(Kind.TYPES, f"mypy --strict: {counted(len(said), 'error')}", said)
        case = results.failed("mypy --strict", found)
    return RunResult("mypy --strict", (case,), watch.seconds)
