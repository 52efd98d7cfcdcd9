# SPDX-License-Identifier: GPL-2.0
"""A strict KTAP parser for console logs.

The kernel's own parser is lenient. This one reports every deviation from what KUnit writes:
numbers, plans, names, nesting, a missing end. Documentation/dev-tools/ktap.rst describes the
format.
"""

import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.kernel.finding import Status

_INDENT = 4
_TIMESTAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
_HEADER = re.compile(r"^( *)KTAP version 1$")
_SUBTEST = re.compile(r"^( *)# Subtest: (.+)$")
_PLAN = re.compile(r"^( *)1\.\.(\d+)$")
_RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: -)?(?: ([^#]*?))?(?: # ?(.*))?$")
_DIAGNOSTIC = re.compile(r"^ *#")


class Violation(enum.Enum):
    """A violation of the format."""

    LATE_RESULT = "result after the end"
    SECOND_START = "second start"
    HEADER_INDENT = "indent of a header"
    PLAN = "misplaced plan"
    WRONG_END = "wrong end"
    RESULT_INDENT = "indent of a result"
    NUMBER = "number"
    FAILED_CHILD = "parent against child"
    NO_PLAN = "no plan"
    WRONG_PLAN = "wrong plan"


@dataclass(frozen=True)
class Problem:
    """A violation of the format: the line, the test, and a text."""

    kind: Violation
    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Test:
    """An "ok" or "not ok" line and everything that belongs to it."""

    name: str
    status: Status
    reason: str = ""
    children: tuple["Test", ...] = ()
    # Other console lines since the previous result.
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class KtapReport:
    """Everything that a log reports about tests.

    open_tests has the names of tests without a result, the innermost last. is_cut_short: the
    log ends before the last planned suite does.
    """

    started: bool
    suites: tuple[Test, ...]
    problems: tuple[Problem, ...]
    open_tests: tuple[str, ...]
    is_cut_short: bool = False

    @property
    def cases(self) -> list[tuple[str, Test]]:
        """Each case, with its name as "suite.case"."""
        return [
            (f"{suite.name}.{case.name}", case) for suite in self.suites for case in suite.children
        ]


@dataclass
class _Level:
    """A block of results under one header."""

    indent: int
    name: str | None = None
    plan: int | None = None
    tests: list[Test] = field(default_factory=list)


def read(lines: Iterable[str]) -> KtapReport:
    """Parse a console log. Errors are part of the report."""
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        reader.feed(number, strip_timestamp(line.rstrip()))
    return reader.finish()


def strip_timestamp(line: str) -> str:
    """A console line without printk's timestamp."""
    return _TIMESTAMP.sub("", line, count=1)


def is_result(line: str) -> bool:
    """Whether a line without timestamp is a test result."""
    return _RESULT.match(line) is not None


def is_ktap(line: str) -> bool:
    """Whether a line without timestamp is KTAP rather than a kernel message."""
    patterns = (_HEADER, _PLAN, _RESULT, _DIAGNOSTIC)
    return any(pattern.match(line) for pattern in patterns)


def records(log: str, prefix: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The lines "prefix: KIND NAME=VALUE ..." of a suite: the line, its kind, its values."""
    pattern = re.compile(rf"{prefix}: (\w+) (.*)$")
    for line in log.splitlines():
        match = pattern.search(line.rstrip())
        if match:
            words = (word.partition("=") for word in match[2].split() if "=" in word)
            yield line.strip(), match[1], {name: value for name, _, value in words}


class _Reader:
    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._done: _Level | None = None
        self._problems: list[Problem] = []
        self._log: list[str] = []
        self._line = 0

    def feed(self, number: int, line: str) -> None:
        """Parse the next line."""
        self._line = number
        header, subtest = _HEADER.match(line), _SUBTEST.match(line)
        plan, result = _PLAN.match(line), _RESULT.match(line)
        if header:
            self._open(len(header.group(1)))
        elif not self._levels:
            # The kernel may print anything before and after KTAP.
            if result and self._done:
                self._problem(Violation.LATE_RESULT, result.group(4) or "", "result after the end")
        elif subtest and len(subtest.group(1)) == self._levels[-1].indent:
            self._levels[-1].name = subtest.group(2)
        elif plan:
            self._plan(len(plan.group(1)), int(plan.group(2)))
        elif result:
            self._result(result)
        else:
            self._log.append(line)

    def finish(self) -> KtapReport:
        """Close open levels and return the report."""
        open_tests = tuple(level.name or "?" for level in self._levels[1:])
        top = self._levels[0] if self._levels else self._done
        suites = list(top.tests) if top else []
        if len(self._levels) > 1:
            # An unfinished suite keeps its finished cases.
            cases = tuple(self._levels[1].tests)
            suites.append(Test(open_tests[0], Status.FAILED, children=cases))
        return KtapReport(
            top is not None, tuple(suites), tuple(self._problems), open_tests, bool(self._levels)
        )

    def _problem(self, kind: Violation, name: str, text: str) -> None:
        self._problems.append(Problem(kind, self._line, name, f"line {self._line}: {text}"))

    def _open(self, indent: int) -> None:
        expected = len(self._levels) * _INDENT
        if self._done or (indent == 0 and self._levels):
            self._problem(Violation.SECOND_START, "", "the tests start again")
            return
        if indent != expected:
            text = f"a header is indented by {indent}, not by {expected}"
            self._problem(Violation.HEADER_INDENT, "", text)
        self._levels.append(_Level(expected))
        self._log = []

    def _plan(self, indent: int, count: int) -> None:
        level = self._levels[-1]
        if indent != level.indent or level.plan is not None or level.tests:
            self._problem(Violation.PLAN, level.name or "", f"misplaced plan 1..{count}")
        else:
            level.plan = count
            self._log = []

    def _result(self, match: "re.Match[str]") -> None:
        indent = len(match.group(1))
        children: tuple[Test, ...] = ()
        if len(self._levels) > 1 and indent == self._levels[-2].indent:
            closed = self._levels.pop()
            self._check_plan(closed)
            children = tuple(closed.tests)
            if closed.name != match.group(4):
                text = f"'{closed.name}' ends as '{match.group(4)}'"
                self._problem(Violation.WRONG_END, closed.name or "", text)
        level = self._levels[-1]
        if indent != level.indent:
            text = f"a result is indented by {indent}, not by {level.indent}"
            self._problem(Violation.RESULT_INDENT, match.group(4) or "", text)
            return
        self._add(level, match, children)

    def _add(self, level: _Level, match: "re.Match[str]", children: tuple[Test, ...]) -> None:
        name, directive = match.group(4) or "", match.group(5) or ""
        number, expected = int(match.group(3)), len(level.tests) + 1
        if number != expected:
            text = f"'{name}' has number {number}, not {expected}"
            self._problem(Violation.NUMBER, name, text)
        status, reason = Status.PASSED, ""
        if match.group(2) == "not ok":
            status = Status.FAILED
        elif directive.upper().startswith("SKIP"):
            status, reason = Status.SKIPPED, directive[len("SKIP") :].strip()
        if status is Status.SKIPPED or children:
            self._check_children(name, status, children)
        level.tests.append(Test(name, status, reason, children, tuple(self._log)))
        self._log = []
        if len(self._levels) == 1 and level.plan == len(level.tests):
            self._done = self._levels.pop()

    def _check_children(self, name: str, status: Status, children: tuple[Test, ...]) -> None:
        failed = any(child.status is Status.FAILED for child in children)
        if failed and status is not Status.FAILED:
            text = f"'{name}' {status.value}, but a test in it failed"
            self._problem(Violation.FAILED_CHILD, name, text)

    def _check_plan(self, level: _Level) -> None:
        """Check a plan. Not every kernel prints plans for parameters."""
        seen, name = len(level.tests), level.name or "the run"
        if level.plan is None and level.indent < 2 * _INDENT:
            self._problem(Violation.NO_PLAN, name, f"'{name}' has no plan")
        elif level.plan is not None and level.plan != seen:
            text = f"'{name}' planned {level.plan} tests and ran {seen}"
            self._problem(Violation.WRONG_PLAN, name, text)
