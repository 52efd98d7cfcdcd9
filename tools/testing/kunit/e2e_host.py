# SPDX-License-Identifier: GPL-2.0
"""What a guest can ask of its host: to lose its power, and to look at a device from outside."""

import collections
import struct
from typing import Counter, Optional

from e2e_guest import Memory
from e2e_scenario import Scenario

# A struct page begins with its flags and, for a page of a device, an address: of the
# device's struct dev_pagemap, or of the first of the pages that form one with it.
STRUCT_PAGE = 64
_KERNEL_ADDRESSES = 0xFFF0 << 48


def answer(scenario: Scenario, wish: str, memory: Memory) -> Optional[str]:
    """Do what the guest asks for; None ends it. What begins with "error" is a failure there."""
    words = wish.split()
    if words == ["power", "cut"]:
        return None
    if len(words) == 3 and words[0] == "struct-pages" and words[1].isdigit() and words[2].isdigit():
        number, size = int(words[1]), int(words[2])
        if number < len(scenario.devices):
            return str(struct_pages(memory.read(scenario.devices[number], size)))
    return f"error: the host cannot '{wish}'"


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
