# SPDX-License-Identifier: GPL-2.0
"""Read and check scenario files."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.errors import UsageError
from harness.e2e.scenario import (
    ALIGNMENT,
    DIRECTORY,
    PAGES,
    SUFFIX,
    Case,
    Device,
    Line,
    PowerCut,
    Scenario,
    ScenarioError,
    Step,
)
from harness.request.settings import FLAVOURS

# The keywords of a file's head.
_HEAD = (
    "title memory cpus seconds arguments device hidden nvdimm dimm selftest pages each fails record"
).split()
_REPEATED = ("device", "hidden", "nvdimm", "dimm", "selftest", "each", "fails", "record")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SIZE = re.compile(r"(\d+)([KMGT]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_VARIABLE = re.compile(r"\$\{?([a-z_]+)\}?")


def load(directory: Path = DIRECTORY) -> list[Scenario]:
    """All variants of all scenarios. Raises ScenarioError."""
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    if not paths:
        raise UsageError(f"{directory} has no scenarios", "restore them with git")
    return [scenario for path in paths for scenario in read(path)]


def read(path: Path) -> list[Scenario]:
    """The variants of the scenario in a file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", "name a readable scenario file") from error
    return _Reader(path).read(text)


@dataclass(frozen=True)
class _Word:
    """A line "keyword text" in the head of a file."""

    path: Path
    line: int
    keyword: str
    text: str

    def error(self, cause: str, next_step: str) -> ScenarioError:
        """An error in this line."""
        return ScenarioError(self.path, self.line, cause, next_step)

    def filled_in(self, values: Mapping[str, str]) -> "_Word":
        """The same line with the values of its variables."""

        def value(match: "re.Match[str]") -> str:
            if match[1] not in values:
                raise self.error(f"{match[0]} is not defined", f"write: each {match[1]} VALUES")
            return values[match[1]]

        return replace(self, text=_VARIABLE.sub(value, self.text))

    def number(self) -> int:
        """The value as a number."""
        if not self.text.isdigit() or int(self.text) == 0:
            raise self.error(f"'{self.text}' is not a number", f"as in: {self.keyword} 1")
        return int(self.text)

    def size(self, text: str) -> int:
        """The value of a sum of sizes, as in 4G+16M."""
        total = 0
        for part in text.split("+"):
            match = _SIZE.fullmatch(part.strip())
            if not match:
                raise self.error(f"'{part}' is not a size", "write it as in 512M or 4G+16M")
            total += int(match[1]) * _UNITS[match[2]]
        return total

    def device(self) -> Device:
        """The device that the line describes."""
        size, at, rest = self.text.partition(" at ")
        if not at:
            cause = f"'{self.keyword}' needs a size and an address"
            raise self.error(cause, f"write: {self.keyword} 2G at 4G")
        address, on, node = rest.partition(" on node ")
        if on and not node.isdigit():
            raise self.error(f"'{node}' is not a node", f"write: {self.keyword} 2G at 4G on node 1")
        return Device(self.size(size), self.size(address), self.keyword == "device", int(node or 0))

    def slot(self) -> int:
        """The size of a DIMM or an NVDIMM."""
        size = self.size(self.text)
        if size == 0 or size % ALIGNMENT:
            cause = f"the size of a {self.keyword} must be a multiple of 2 MiB"
            raise self.error(cause, "correct the size")
        return size

    def names(self, what: str, known: Sequence[str]) -> tuple[str, ...]:
        """The words of the line, all of which must be known."""
        names = tuple(self.text.split())
        for name in names:
            if name not in known:
                raise self.error(f"'{name}' is not a {what}", f"choose from: {' '.join(known)}")
        return names


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._head: dict[str, list[_Word]] = {}
        self._steps: list[Step] = []
        # The current case: name, page sizes, lines.
        self._open: tuple[str, tuple[str, ...], list[Line]] | None = None

    def read(self, text: str) -> list[Scenario]:
        """Read the whole file."""
        for number, raw in enumerate(text.splitlines(), 1):
            self._line = number
            line = raw.strip()
            if line and not line.startswith("#"):
                self._feed(line)
        self._close()
        if not self._steps:
            raise self._error("it has no case", "write: case NAME, and commands below it")
        return [self._scenario(values) for values in self._variants()]

    def _error(self, cause: str, next_step: str, line: int = 0) -> ScenarioError:
        return ScenarioError(self._path, line or self._line, cause, next_step)

    def _word(self, keyword: str, text: str, line: int) -> _Word:
        return _Word(self._path, line, keyword, text)

    def _feed(self, line: str) -> None:
        kind = {"$": "run", ">": "see", "!": "unseen"}.get(line[0])
        if kind:
            self._add(Line(kind, line[1:].strip()))
            return
        keyword, _, rest = line.partition(" ")
        rest = rest.split(" #")[0].strip()
        if keyword == "case":
            self._close()
            self._begin(rest)
        elif line == "power cut":
            self._close()
            if not self._steps:
                raise self._error(
                    "there is a power cut before the first case", "put it between two cases"
                )
            self._steps.append(PowerCut())
        elif keyword in _HEAD:
            if self._open or self._steps:
                raise self._error(f"'{keyword}' is below the first case", "move it to the top")
            known = self._head.setdefault(keyword, [])
            if known and keyword not in _REPEATED:
                raise self._error(
                    f"this is a second '{keyword}'", f"the first is in line {known[0].line}"
                )
            known.append(self._word(keyword, rest, self._line))
        else:
            raise self._error(
                f"'{keyword}' is not a keyword",
                f"start the line with: {' '.join(_HEAD)} case $ > !, or write: power cut",
            )

    def _begin(self, rest: str) -> None:
        name, _, condition = rest.partition(" on ")
        pages = tuple(condition.split()) or PAGES
        if not _NAME.fullmatch(name.strip()):
            raise self._error(f"'{name}' is not a valid name for a case", "use a-z, 0-9 and _")
        if name in [s.name for s in self._steps if isinstance(s, Case)]:
            raise self._error(f"this is a second case '{name}'", "give each case its own name")
        self._word("on", " ".join(pages), self._line).names("page size", PAGES)
        self._open = (name.strip(), pages, [])

    def _add(self, line: Line) -> None:
        if self._open is None:
            raise self._error("the command is outside of a case", "write: case NAME, above it")
        if not line.text:
            raise self._error("nothing follows the sign", "write what to run or to expect")
        if line.kind != "run" and not self._open[2]:
            raise self._error("there is no command above it", "put a '$' line first")
        self._open[2].append(line)

    def _close(self) -> None:
        if self._open:
            name, pages, lines = self._open
            if not lines:
                raise self._error(f"case '{name}' is empty", "write '$ COMMAND' below it")
            self._steps.append(Case(name, tuple(lines), pages))
        self._open = None

    def _variants(self) -> Iterator[dict[str, str]]:
        """Every combination of the values in "each" lines."""
        names, choices = [], []
        for word in self._head.get("each", []):
            name, *values = word.text.split() or [""]
            if not _NAME.fullmatch(name) or not values:
                raise word.error("'each' needs a name and values", "write: each size 2M 16M")
            names.append(name)
            choices.append(values)
        return (dict(zip(names, values)) for values in itertools.product(*choices))

    def _scenario(self, values: Mapping[str, str]) -> Scenario:
        def one(keyword: str, default: str) -> _Word:
            words = self._head.get(keyword) or [self._word(keyword, default, 1)]
            return words[0].filled_in(values)

        def all_of(keyword: str) -> list[_Word]:
            return [word.filled_in(values) for word in self._head.get(keyword, [])]

        if "title" not in self._head:
            raise self._error("the 'title' line is missing", "add one at the top", 1)
        memory = one("memory", "512M")
        devices = all_of("device") + all_of("hidden")
        scenario = Scenario(
            name=self._path.name[: -len(SUFFIX)],
            title=one("title", "").text,
            variables=values,
            memory=memory.size(memory.text),
            cpus=one("cpus", "1").number(),
            seconds=one("seconds", "120").number(),
            arguments=one("arguments", "").text,
            devices=tuple(word.device() for word in devices),
            pages=one("pages", "4k 64k").names("page size", PAGES),
            failing=dict(self._failing(word) for word in all_of("fails")),
            recorded=tuple(n for w in all_of("record") for n in w.names("flavour", [*FLAVOURS])),
            steps=tuple(self._steps),
            nvdimms=tuple(word.slot() for word in all_of("nvdimm")),
            dimms=tuple(word.slot() for word in all_of("dimm")),
            selftests=tuple(word.text for word in all_of("selftest")),
        )
        if scenario.has_firmware and scenario.devices:
            cause = "a machine cannot have both devices and memory slots"
            raise devices[0].error(cause, "split the scenario in two")
        wrong = scenario.misplaced()
        if wrong:
            number, cause, next_step = wrong
            raise devices[number].error(cause, next_step)
        return scenario

    def _failing(self, word: _Word) -> tuple[str, tuple[str, ...]]:
        """A line "fails FLAVOUR CASE...": known failures."""
        flavour, _, cases = word.text.partition(" ")
        if not cases:
            raise word.error("'fails' needs a flavour and cases", "write: fails baseline CASE")
        replace(word, text=flavour).names("flavour", [*FLAVOURS])
        known = [step.name for step in self._steps if isinstance(step, Case)]
        return flavour, replace(word, text=cases).names("case of this scenario", known)
