# SPDX-License-Identifier: GPL-2.0
"""Read and check scenario files."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
_HEAD = "title memory cpus seconds arguments device nvdimm dimm pages each fails record".split()
_REPEATED = ("device", "nvdimm", "dimm", "each", "fails", "record")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SIZE = re.compile(r"(\d+)([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
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
    """A line "keyword rest" in the head of a file."""

    number: int
    rest: str


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
                    f"this is a second '{keyword}'", f"the first is in line {known[0].number}"
                )
            known.append(_Word(self._line, rest))
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
        self._check_pages(pages, self._line)
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
            name, *values = word.rest.split() or [""]
            if not _NAME.fullmatch(name) or not values:
                raise self._error(
                    "'each' needs a name and values", "write: each size 2M 16M", word.number
                )
            names.append(name)
            choices.append(values)
        return (dict(zip(names, values)) for values in itertools.product(*choices))

    def _scenario(self, values: Mapping[str, str]) -> Scenario:
        scenario = Scenario(
            name=self._path.name[: -len(SUFFIX)],
            title=self._one("title", values),
            variables=values,
            memory=self._size("memory", self._one("memory", values, "512M")),
            cpus=self._number("cpus", "1"),
            seconds=self._number("seconds", "120"),
            arguments=self._one("arguments", values, ""),
            devices=tuple(self._devices(values)),
            pages=tuple(self._one("pages", values, "4k 64k").split()),
            failing=dict(self._failing()),
            recorded=tuple(self._flavours()),
            steps=tuple(self._steps),
            nvdimms=tuple(self._slots("nvdimm", values)),
            dimms=tuple(self._slots("dimm", values)),
        )
        if scenario.has_firmware and scenario.devices:
            raise self._error(
                "a machine cannot have both devices and memory slots",
                "split the scenario in two",
                self._number_of("device"),
            )
        self._check_pages(scenario.pages, self._number_of("pages"))
        wrong = scenario.misplaced()
        if wrong:
            number, cause, next_step = wrong
            raise self._error(cause, next_step, self._head["device"][number].number)
        return scenario

    def _one(self, keyword: str, values: Mapping[str, str], default: str | None = None) -> str:
        """The value of a keyword that occurs once."""
        words = self._head.get(keyword)
        if not words:
            if default is None:
                raise self._error(f"the '{keyword}' line is missing", "add one at the top", 1)
            return default
        return self._filled_in(words[0], values)

    def _number_of(self, keyword: str) -> int:
        words = self._head.get(keyword)
        return words[0].number if words else 1

    def _filled_in(self, word: _Word, values: Mapping[str, str]) -> str:
        def value(match: "re.Match[str]") -> str:
            if match.group(1) not in values:
                raise self._error(
                    f"{match.group()} is not defined",
                    f"write: each {match.group(1)} VALUES",
                    word.number,
                )
            return values[match.group(1)]

        return _VARIABLE.sub(value, word.rest)

    def _number(self, keyword: str, default: str) -> int:
        text = self._one(keyword, {}, default)
        if not text.isdigit() or int(text) == 0:
            raise self._error(
                f"'{text}' is not a number", f"as in: {keyword} {default}", self._number_of(keyword)
            )
        return int(text)

    def _size(self, keyword: str, text: str, line: int = 0) -> int:
        """The value of a sum of sizes, as in 4G+16M."""
        total = 0
        for part in text.split("+"):
            match = _SIZE.fullmatch(part.strip())
            if not match:
                raise self._error(
                    f"'{part}' is not a size",
                    "write it as in 512M or 4G+16M",
                    line or self._number_of(keyword),
                )
            total += int(match.group(1)) * _UNITS[match.group(2)]
        return total

    def _devices(self, values: Mapping[str, str]) -> Iterator[Device]:
        for word in self._head.get("device", []):
            size, at, address = self._filled_in(word, values).partition(" at ")
            if not at:
                raise self._error(
                    "'device' needs a size and an address", "write: device 2G at 4G", word.number
                )
            yield Device(
                self._size("device", size, word.number), self._size("device", address, word.number)
            )

    def _slots(self, keyword: str, values: Mapping[str, str]) -> Iterator[int]:
        for word in self._head.get(keyword, []):
            size = self._size(keyword, self._filled_in(word, values), word.number)
            if size == 0 or size % ALIGNMENT:
                raise self._error(
                    f"the size of a {keyword} must be a multiple of 2 MiB",
                    "correct the size",
                    word.number,
                )
            yield size

    def _check_pages(self, pages: Sequence[str], line: int) -> None:
        for page in pages:
            if page not in PAGES:
                raise self._error(
                    f"'{page}' is not a page size", f"choose from: {' '.join(PAGES)}", line
                )

    def _failing(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The lines "fails FLAVOUR CASE...": known failures."""
        known = [step.name for step in self._steps if isinstance(step, Case)]
        for word in self._head.get("fails", []):
            flavour, *names = word.rest.split() or [""]
            self._check_flavour(flavour, word.number)
            for name in names:
                if name not in known:
                    raise self._error(
                        f"there is no case '{name}'", f"choose from: {' '.join(known)}", word.number
                    )
            yield flavour, tuple(names)

    def _flavours(self) -> Iterator[str]:
        for word in self._head.get("record", []):
            for flavour in word.rest.split():
                self._check_flavour(flavour, word.number)
                yield flavour

    def _check_flavour(self, flavour: str, line: int) -> None:
        if flavour not in FLAVOURS:
            raise self._error(
                f"'{flavour}' is not a flavour", f"choose from: {' '.join(FLAVOURS)}", line
            )
