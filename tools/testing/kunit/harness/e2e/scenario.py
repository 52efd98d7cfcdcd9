# SPDX-License-Identifier: GPL-2.0
"""Scenarios as data: a machine, its devices, commands in the guest, what must be seen.

Documentation/dev-tools/kunit/scenarios.rst describes the files.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.request.settings import DATA

DIRECTORY = DATA / "scenarios"
SUFFIX = ".scenario"
PAGES = ("4k", "16k", "64k")


# Where a guest's RAM begins, and how far this machine's may reach.
RAM_START = 1 << 30
RAM_LIMIT = 64 << 30
ALIGNMENT = 2 << 20


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

    variables: the values that distinguish this variant from others. seconds: how long the guest
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

    def misplaced(self) -> tuple[int, str, str] | None:
        """The first device that cannot be where it is: its number, why, and what to do."""
        ram_end = RAM_START + self.memory
        for number, device in enumerate(self.devices):
            if device.size == 0 or device.size % ALIGNMENT or device.address % ALIGNMENT:
                return number, "a device is made of whole 2 MiB", "correct size or address"
            if device.address < ram_end:
                cause = f"the device does not fit: the guest's RAM ends at {ram_end:#x}"
                return number, cause, "put it higher up, or give the guest less memory"
            for other in self.devices[:number]:
                if device.address < other.end and other.address < device.end:
                    cause = f"the device lies on the one at {other.address:#x}"
                    return number, cause, "correct one of the addresses"
            if device.end > RAM_LIMIT:
                return number, "the device does not fit: it ends behind 64G", "put it lower down"
        return None


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
