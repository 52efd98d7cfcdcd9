# SPDX-License-Identifier: GPL-2.0
"""What a guest can ask of its host.

To lose its power, to look at a device from outside, and to plug or unplug a DIMM.
"""

import collections
import struct
from collections import Counter
from pathlib import Path

from harness.base.errors import CommandError
from harness.e2e import qmp
from harness.e2e.guest import Memory
from harness.e2e.scenario import Scenario

# A struct page begins with its flags and, for a page of a device, an address: of the
# device's struct dev_pagemap, or of the first of the pages that form one with it.
STRUCT_PAGE = 64
_KERNEL_ADDRESSES = 0xFFF0 << 48


def answer(scenario: Scenario, wish: str, memory: Memory) -> str | None:
    """Do what the guest asks for; None ends it. What begins with "error" is a failure there."""
    words = wish.split()
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
    return f"error: the host cannot '{wish}'"


def plug(control: Path, number: int, size: int) -> str:
    """Put a DIMM into the guest; whether that worked, in words for it."""
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
    """Ask the guest to let a DIMM go, and wait until it does; whether it did, in words for it."""
    name = f"dimm{number}"
    try:
        with qmp.connected(control) as qemu:
            qemu.execute("device_del", {"id": name})
            event = qemu.wait_for("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", device=name)
            if event != "DEVICE_DELETED":
                return f"error: the guest does not let {name} go"
            qemu.execute("object-del", {"id": f"{name}-memory"})
    except CommandError as error:
        return f"error: {error.cause}"
    return "unplugged"


def struct_pages(data: bytes) -> int:
    """How many of the pieces of data look like struct pages of one device.

    Nothing is known of the kernel that made them, but that its struct pages are alike:
    the same flags, and a pointer into the kernel behind them.
    """
    found: Counter[int] = collections.Counter()
    whole = len(data) // STRUCT_PAGE * STRUCT_PAGE
    for flags, pointer in struct.iter_unpack(f"<QQ{STRUCT_PAGE - 16}x", data[:whole]):
        if flags and pointer >= _KERNEL_ADDRESSES:
            found[flags] += 1
    return max(found.values(), default=0)
