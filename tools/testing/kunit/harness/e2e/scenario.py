# SPDX-License-Identifier: GPL-2.0
"""Scenarios as data: a machine, its devices, commands in the guest, what must be seen.

Documentation/dev-tools/kunit/e2e.rst describes the files.
"""

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.request.settings import DATA, FLAVOURS

DIRECTORY = DATA / "scenarios"
SUFFIX = ".scenario"
PAGES = ("4k", "16k", "64k")

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"(\d+)([KMG]?)")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_VARIABLE = re.compile(r"\$\{?([a-z_]+)\}?")


# Where a guest's RAM begins, and how far this machine's may reach.
RAM_START = 1 << 30
RAM_LIMIT = 64 << 30
ALIGNMENT = 2 << 20

_HEAD = (
    "title",
    "memory",
    "cpus",
    "seconds",
    "arguments",
    "device",
    "nvdimm",
    "dimm",
    "pages",
    "each",
    "fails",
    "record",
)
_REPEATED = ("device", "nvdimm", "dimm", "each", "fails", "record")


class ScenarioError(UsageError):
    """A scenario file says something that means nothing."""

    def __init__(self, path: Path, line: int, cause: str, next_step: str) -> None:
        super().__init__(f"{path}:{line}: {cause}", next_step)


@dataclass(frozen=True)
class Device:
    """Persistent memory: size bytes at a physical address.

    is_told: whether the guest's kernel hears of it. If not, it is just there.
    """

    size: int
    address: int
    is_told: bool = True

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size


@dataclass(frozen=True)
class Line:
    """A line of a case. kind: "run" a command; "see" or "unseen" in what it said."""

    kind: str
    text: str


@dataclass(frozen=True)
class Case:
    """Commands that belong together, and with which page sizes they are run."""

    name: str
    lines: tuple[Line, ...]
    pages: tuple[str, ...] = PAGES


@dataclass(frozen=True)
class PowerCut:
    """The guest is ended, without notice, and booted again."""


Step = Case | PowerCut


@dataclass(frozen=True)
class Scenario:
    """One boot, or several with power cuts in between.

    variables: the values that tell this variant from others. seconds: how long the guest
    may say nothing. failing: the cases that
    must fail, by flavour. recorded: the flavours whose outcome is no fault of anybody's,
    but is written down. nvdimms, dimms: sizes of memory in slots, with labels and there
    from the beginning, or plugged by the guest's wish.
    """

    name: str
    title: str
    variables: Mapping[str, str]
    memory: int
    cpus: int
    seconds: int
    arguments: str
    devices: tuple[Device, ...]
    pages: tuple[str, ...]
    failing: Mapping[str, tuple[str, ...]]
    recorded: tuple[str, ...]
    steps: tuple[Step, ...]
    nvdimms: tuple[int, ...] = ()
    dimms: tuple[int, ...] = ()

    @property
    def has_firmware(self) -> bool:
        """Whether the machine has UEFI and ACPI: without them, there are no slots."""
        return bool(self.nvdimms or self.dimms)

    @property
    def variant(self) -> str:
        """The name with the values: geometry-pair/2M,16M."""
        values = ",".join(self.variables.values())
        return f"{self.name}/{values}" if values else self.name

    @property
    def looks_from_outside(self) -> bool:
        """Whether the devices' content is wanted outside of a boot."""
        lines = (line for s in self.steps if isinstance(s, Case) for line in s.lines)
        calls = any(line.kind == "run" and "host " in line.text for line in lines)
        return calls or any(isinstance(step, PowerCut) for step in self.steps)

    def cases(self, page: str) -> list[Case]:
        """The cases that are run with a page size."""
        return [s for s in self.steps if isinstance(s, Case) and page in s.pages]

    def boots(self, page: str) -> list[list[Case]]:
        """The same, divided by the power cuts."""
        found: list[list[Case]] = [[]]
        for step in self.steps:
            if isinstance(step, PowerCut):
                found.append([])
            elif page in step.pages:
                found[-1].append(step)
        return found


def script(scenario: Scenario, cases: Sequence[Case], cut: bool) -> str:
    """What the guest's first process does: some cases; cut: and then loses its power."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in scenario.variables.items()]
    lines.append(f"plan {shlex.quote(scenario.name)} {len(cases)}")
    for case in cases:
        lines.append(f"begin {case.name}")
        lines += [f"{line.kind} {shlex.quote(line.text)}" for line in case.lines]
        lines.append("finish")
    lines.append("cut" if cut else "end")
    return "\n".join(lines) + "\n"


# --- Reading --------------------------------------------------------------


def load(directory: Path = DIRECTORY) -> list[Scenario]:
    """All scenarios, every variant. Raises ScenarioError."""
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    if not paths:
        raise UsageError(f"{directory} holds no scenario", "restore it from git")
    return [scenario for path in paths for scenario in read(path)]


def read(path: Path) -> list[Scenario]:
    """The variants of the scenario in a file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", "give a readable scenario file") from error
    return _Reader(path).read(text)


@dataclass(frozen=True)
class _Word:
    """A line "keyword rest" of a file's head."""

    number: int
    rest: str


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._head: dict[str, list[_Word]] = {}
        self._steps: list[Step] = []
        # The case that is being read: its name, its page sizes, its lines.
        self._open: tuple[str, tuple[str, ...], list[Line]] | None = None

    def read(self, text: str) -> list[Scenario]:
        """Take in the whole file."""
        for number, raw in enumerate(text.splitlines(), 1):
            self._line = number
            line = raw.strip()
            if line and not line.startswith("#"):
                self._feed(line)
        self._close()
        if not self._steps:
            raise self._error("there is no case in it", "write: case NAME, and commands below it")
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
                raise self._error("a power cut before the first case", "put it between two cases")
            self._steps.append(PowerCut())
        elif keyword in _HEAD:
            if self._open or self._steps:
                raise self._error(f"'{keyword}' below the first case", "move it to the top")
            known = self._head.setdefault(keyword, [])
            if known and keyword not in _REPEATED:
                raise self._error(f"a second '{keyword}'", f"line {known[0].number} has one")
            known.append(_Word(self._line, rest))
        else:
            raise self._error(
                f"'{keyword}' means nothing",
                f"begin a line with: {' '.join(_HEAD)} case $ > !, or write: power cut",
            )

    def _begin(self, rest: str) -> None:
        name, _, condition = rest.partition(" on ")
        pages = tuple(condition.split()) or PAGES
        if not _NAME.fullmatch(name.strip()):
            raise self._error(f"'{name}' is no name for a case", "use a-z, 0-9 and _")
        if name in [s.name for s in self._steps if isinstance(s, Case)]:
            raise self._error(f"a second case '{name}'", "give each a name of its own")
        self._check_pages(pages, self._line)
        self._open = (name.strip(), pages, [])

    def _add(self, line: Line) -> None:
        if self._open is None:
            raise self._error("a command outside of any case", "write: case NAME, above it")
        if not line.text:
            raise self._error("there is nothing behind the sign", "write what to run or see")
        if line.kind != "run" and not self._open[2]:
            raise self._error("nothing was run that could have said this", "put a '$' line first")
        self._open[2].append(line)

    def _close(self) -> None:
        if self._open:
            name, pages, lines = self._open
            if not lines:
                raise self._error(f"case '{name}' does nothing", "write '$ COMMAND' below it")
            self._steps.append(Case(name, tuple(lines), pages))
        self._open = None

    # --- the head ---

    def _variants(self) -> Iterator[dict[str, str]]:
        """What "each" lines say: every combination of their values."""
        names, choices = [], []
        for word in self._head.get("each", []):
            name, *values = word.rest.split() or [""]
            if not _NAME.fullmatch(name) or not values:
                raise self._error(
                    "'each' lacks a name or values", "write: each size 2M 16M", word.number
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
                "a device, and memory in slots: a machine has one kind",
                "make two scenarios of it",
                self._number_of("device"),
            )
        self._check_pages(scenario.pages, self._number_of("pages"))
        self._check_places(scenario)
        return scenario

    def _one(self, keyword: str, values: Mapping[str, str], default: str | None = None) -> str:
        """What is said behind a keyword that stands there once."""
        words = self._head.get(keyword)
        if not words:
            if default is None:
                raise self._error(f"there is no '{keyword}' line", "put one at the top", 1)
            return default
        return self._filled_in(words[0], values)

    def _number_of(self, keyword: str) -> int:
        words = self._head.get(keyword)
        return words[0].number if words else 1

    def _filled_in(self, word: _Word, values: Mapping[str, str]) -> str:
        def value(match: "re.Match[str]") -> str:
            if match.group(1) not in values:
                raise self._error(
                    f"nothing says what {match.group()} is",
                    f"write: each {match.group(1)} VALUES",
                    word.number,
                )
            return values[match.group(1)]

        return _VARIABLE.sub(value, word.rest)

    def _number(self, keyword: str, default: str) -> int:
        text = self._one(keyword, {}, default)
        if not text.isdigit() or int(text) == 0:
            raise self._error(
                f"'{text}' is no number", f"as in: {keyword} {default}", self._number_of(keyword)
            )
        return int(text)

    def _size(self, keyword: str, text: str, line: int = 0) -> int:
        """The value of a sum of sizes, as in 4G+16M."""
        total = 0
        for part in text.split("+"):
            match = _SIZE.fullmatch(part.strip())
            if not match:
                raise self._error(
                    f"'{part}' is no size",
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
                    "'device' lacks a size or an address", "write: device 2G at 4G", word.number
                )
            yield Device(
                self._size("device", size, word.number), self._size("device", address, word.number)
            )

    def _slots(self, keyword: str, values: Mapping[str, str]) -> Iterator[int]:
        for word in self._head.get(keyword, []):
            size = self._size(keyword, self._filled_in(word, values), word.number)
            if size == 0 or size % ALIGNMENT:
                raise self._error(
                    f"an {keyword} is made of whole 2 MiB", "correct its size", word.number
                )
            yield size

    def _check_places(self, scenario: Scenario) -> None:
        """No device may lie on another one, or where the kernel's RAM is."""
        lines = [word.number for word in self._head.get("device", [])]
        ram_end = RAM_START + scenario.memory
        taken: list[tuple[Device, int]] = []
        for device, line in zip(scenario.devices, lines):
            if device.size == 0 or device.size % ALIGNMENT or device.address % ALIGNMENT:
                raise self._error(
                    "a device is made of whole 2 MiB", "correct size or address", line
                )
            if device.address < ram_end:
                raise self._error(
                    f"the device does not fit: the guest's RAM ends at {ram_end:#x}",
                    "put it higher up, or give the guest less memory",
                    line,
                )
            for other, other_line in taken:
                if device.address < other.end and other.address < device.end:
                    raise self._error(
                        f"the device lies on that of line {other_line}",
                        "correct one of the addresses",
                        line,
                    )
            if device.end > RAM_LIMIT:
                raise self._error(
                    "the device does not fit: it ends behind 64G", "put it lower down", line
                )
            taken.append((device, line))

    def _check_pages(self, pages: Sequence[str], line: int) -> None:
        for page in pages:
            if page not in PAGES:
                raise self._error(
                    f"'{page}' is no page size", f"choose from: {' '.join(PAGES)}", line
                )

    def _failing(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Lines "fails FLAVOUR CASE...": what is known to fail."""
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
                f"'{flavour}' is no flavour", f"choose from: {' '.join(FLAVOURS)}", line
            )
