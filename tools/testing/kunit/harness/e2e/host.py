# SPDX-License-Identifier: GPL-2.0
"""Answer a guest's requests: cut its power, read a device, plug or unplug a DIMM."""

import collections
import struct
from collections import Counter
from pathlib import Path

from harness.base.errors import CommandError
from harness.e2e import qmp
from harness.e2e.guest import Memory
from harness.e2e.scenario import Scenario

# A device's struct page begins with the flags and a pointer, either to the device's struct
# dev_pagemap or to the head page.
STRUCT_PAGE = 64
_KERNEL_ADDRESSES = 0xFFF0 << 48


def answer(scenario: Scenario, request: str, memory: Memory) -> str | None:
    """Handle a request. None cuts the power. An answer that begins with "error" makes the case
    fail.
    """
    words = request.split()
    if words == ["power", "cut"]:
        return None
    if len(words) == 3 and words[0] == "struct-pages" and words[1].isdigit() and words[2].isdigit():
        number, size = int(words[1]), int(words[2])
        if number < len(scenario.devices):
            return str(struct_pages(memory.read(scenario.devices[number], size)))
    if len(words) == 2 and words[0] in ("plug", "unplug") and words[1].isdigit():
        number = int(words[1])
        if number < len(scenario.dimms):
            change = plug if words[0] == "plug" else unplug
            return change(memory.control, number, scenario.dimms[number])
    return f"error: the host cannot '{request}'"


def plug(control: Path, number: int, size: int) -> str:
    """Plug a DIMM into the guest. Returns the answer for it."""
    memory = {"qom-type": "memory-backend-ram", "id": f"dimm{number}-memory", "size": size}
    dimm = {"driver": "pc-dimm", "id": f"dimm{number}", "memdev": memory["id"]}
    try:
        with qmp.connected(control) as qemu:
            qemu.execute("object-add", memory)
            qemu.execute("device_add", dimm)
    except CommandError as error:
        return f"error: {error.cause}"
    return "plugged"


def unplug(control: Path, number: int, _size: int) -> str:
    """Ask the guest to release a DIMM and wait for that. Returns the answer for it."""
    name = f"dimm{number}"
    try:
        with qmp.connected(control) as qemu:
            qemu.execute("device_del", {"id": name})
            event = qemu.wait_for("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", device=name)
            if event != "DEVICE_DELETED":
                return f"error: the guest does not release {name}"
            qemu.execute("object-del", {"id": f"{name}-memory"})
    except CommandError as error:
        return f"error: {error.cause}"
    return "unplugged"


def struct_pages(data: bytes) -> int:
    """The number of 64-byte pieces of data that look like struct pages of one device.

    Nothing is known about the kernel's structures, except that all of its struct pages have the
    same flags, followed by a kernel pointer.
    """
    found: Counter[int] = collections.Counter()
    whole = len(data) // STRUCT_PAGE * STRUCT_PAGE
    for flags, pointer in struct.iter_unpack(f"<QQ{STRUCT_PAGE - 16}x", data[:whole]):
        if flags and pointer >= _KERNEL_ADDRESSES:
            found[flags] += 1
    return max(found.values(), default=0)
