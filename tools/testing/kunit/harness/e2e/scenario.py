# SPDX-License-Identifier: GPL-2.0
"""Scenarios as data: a machine, its devices, commands in the guest, expected output.

Documentation/dev-tools/kunit/scenarios.rst describes the files.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.request.settings import DATA, PAGE_SIZES

DIRECTORY = DATA / "scenarios"
SUFFIX = ".scenario"
PAGES = PAGE_SIZES


# The start of a guest's RAM, and the upper limit for its devices.
RAM_START = 1 << 30
RAM_LIMIT = 64 << 30
ALIGNMENT = 2 << 20


class ScenarioError(UsageError):
    """A scenario file has an error."""

    def __init__(self, path: Path, line: int, cause: str, next_step: str) -> None:
        super().__init__(f"{path}:{line}: {cause}", next_step)


@dataclass(frozen=True)
class Device:
    """Persistent memory: size bytes at a physical address, on a NUMA node.

    is_described: the device tree describes it. Otherwise the guest's kernel does not know it.
    """

    size: int
    address: int
    is_described: bool = True
    node: int = 0

    @property
    def end(self) -> int:
        """The first address after the device."""
        return self.address + self.size


@dataclass(frozen=True)
class Line:
    """A line of a case: "run" a command, "see" or "unseen" text in its output."""

    kind: str
    text: str


@dataclass(frozen=True)
class Case:
    """Commands that belong together, and the page sizes that they run with."""

    name: str
    lines: tuple[Line, ...]
    pages: tuple[str, ...] = PAGES


@dataclass(frozen=True)
class PowerCut:
    """End the guest without notice and boot it again."""


Step = Case | PowerCut


@dataclass(frozen=True)
class Scenario:
    """One boot, or several with power cuts in between.

    variables has the values of this variant. seconds is how long the guest may be silent.
    failing has the cases that must fail, by flavour. On recorded flavours, results are written
    down but never count as failures. nvdimms and dimms are sizes of memory in slots: NVDIMMs
    have labels and exist from the start, DIMMs are plugged by the guest. selftests are paths below
    the kernel's tools/testing/selftests.
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
    selftests: tuple[str, ...] = ()

    @property
    def has_firmware(self) -> bool:
        """Whether the machine has UEFI and ACPI, which memory slots require."""
        return bool(self.nvdimms or self.dimms)

    @property
    def nodes(self) -> int:
        """The number of NUMA nodes. The first one has all CPUs and all RAM."""
        return 1 + max((device.node for device in self.devices), default=0)

    @property
    def variant(self) -> str:
        """The name with the values: geometry-pair/2M,16M."""
        values = ",".join(self.variables.values())
        return f"{self.name}/{values}" if values else self.name

    @property
    def looks_from_outside(self) -> bool:
        """Whether the host reads devices, or their content must survive a boot."""
        lines = (line for s in self.steps if isinstance(s, Case) for line in s.lines)
        calls = any(line.kind == "run" and "host " in line.text for line in lines)
        return calls or any(isinstance(step, PowerCut) for step in self.steps)

    def cases(self, page: str) -> list[Case]:
        """The cases that run with a page size."""
        return [s for s in self.steps if isinstance(s, Case) and page in s.pages]

    def boots(self, page: str) -> list[list[Case]]:
        """The cases that run with a page size, split at power cuts."""
        found: list[list[Case]] = [[]]
        for step in self.steps:
            if isinstance(step, PowerCut):
                found.append([])
            elif page in step.pages:
                found[-1].append(step)
        return found

    def misplaced(self) -> tuple[int, str, str] | None:
        """The first device at an impossible place: its number, the reason, and what to do."""
        ram_end = RAM_START + self.memory
        for number, device in enumerate(self.devices):
            if device.size == 0 or device.size % ALIGNMENT or device.address % ALIGNMENT:
                cause = "size and address of a device must be multiples of 2 MiB"
                return number, cause, "correct size or address"
            if device.address < ram_end:
                cause = f"the device does not fit: the guest's RAM ends at {ram_end:#x}"
                return number, cause, "use a higher address, or give the guest less memory"
            for other in self.devices[:number]:
                if device.address < other.end and other.address < device.end:
                    cause = f"the device overlaps the one at {other.address:#x}"
                    return number, cause, "correct one of the addresses"
            if device.end > RAM_LIMIT:
                return number, "the device does not fit: it ends above 64G", "use a lower address"
        return None


def script(scenario: Scenario, cases: Sequence[Case], cut: bool) -> str:
    """The script for the guest's init: some cases, then a power cut if cut is set."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in scenario.variables.items()]
    lines.append(f"plan {shlex.quote(scenario.name)} {len(cases)}")
    for case in cases:
        lines.append(f"begin {case.name}")
        lines += [f"{line.kind} {shlex.quote(line.text)}" for line in case.lines]
        lines.append("finish")
    lines.append("cut" if cut else "end")
    return "\n".join(lines) + "\n"
