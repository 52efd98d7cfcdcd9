# SPDX-License-Identifier: GPL-2.0
"""Count the barriers and TLB invalidations of a kernel in a QEMU trace.

Instruction counts do not show their real cost. QEMU logs the translated blocks that it executes
("-d exec") and their code ("-d in_asm"). "-dfilter" limits the log to functions with such
instructions, and to the functions that begin and end a measurement.
"""

import re
import shlex
import sys
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.base import process
from harness.base.errors import KunitError
from harness.kernel import defaults

DSB, ISB, TLBI = "dsb", "isb", "tlbi"
KINDS = (DSB, ISB, TLBI)

# The functions in mm/tests/memmap_bench_kunit.c that begin and end a measurement.
BEGIN, END = "cost_begin", "cost_end"

# The objects that write page tables. Barriers elsewhere belong to timers, the scheduler
# and so on, and vary between runs.
OBJECTS = ("mm/sparse-vmemmap.o", "mm/memory.o", "arch/arm64/mm/mmu.o")

_SYMBOL = re.compile(r"^([0-9a-f]+) [tT] (\S+)$")
_ASM = re.compile(r"^0x([0-9a-f]+):  ([0-9a-f]{8}) ")
_EXEC = re.compile(r"^Trace 0: (0x[0-9a-f]+) \[[0-9a-f]+/([0-9a-f]+)/")
_STOPPED = re.compile(r"^Stopped execution of TB chain before (0x[0-9a-f]+) \[")


class TraceError(KunitError):
    """A trace cannot be recorded or read."""


def kind(word: int) -> str | None:
    """The kind of an A64 instruction, or None."""
    if word & 0xFFFFF0FF == 0xD503309F:
        return DSB
    if word & 0xFFFFF0FF == 0xD50330DF:
        return ISB
    if word & 0xFFF8F000 == 0xD5088000:
        return TLBI
    return None


class Function(NamedTuple):
    """A kernel function and its addresses."""

    name: str
    start: int
    end: int


def functions(system_map: str) -> list[Function]:
    """All functions in System.map, each up to the start of the next."""
    found = [(int(m[1], 16), m[2]) for m in map(_SYMBOL.match, system_map.splitlines()) if m]
    found.sort()
    return [
        Function(name, start, end)
        for (start, name), (end, _) in zip(found, found[1:])
        if end > start
    ]


def names(build_dir: Path) -> list[str]:
    """The functions in OBJECTS."""
    nm = defaults.cross_tool("nm")
    said = process.run([nm, "--defined-only", *OBJECTS], cwd=str(build_dir)).stdout
    return [words[2] for words in map(str.split, said.splitlines()) if words[1:2] in (["t"], ["T"])]


def watched(system_map: str, image: bytes, among: Iterable[str]) -> list[Function]:
    """The functions to trace: those of among that have barriers, and the two markers.

    Raises TraceError if the markers are missing.
    """
    known = functions(system_map)
    text = next((f.start for f in known if f.name == "_text"), known[0].start if known else 0)
    words = array("I", image[: len(image) // 4 * 4])
    if sys.byteorder == "big":
        words.byteswap()
    wanted = set(among)
    found: list[Function] = []
    for function in known:
        if function.name in (BEGIN, END):
            found.append(function._replace(end=function.start + 4))
        elif function.name in wanted:
            first, last = (function.start - text) // 4, (function.end - text) // 4
            if any(kind(word) for word in words[first:last]):
                found.append(function)
    if not {BEGIN, END} <= {function.name for function in found}:
        raise TraceError(
            f"this kernel has no {BEGIN}() and {END}()",
            "check that CONFIG_MEMMAP_BENCH_KUNIT_TEST is on and the compiler kept them",
        )
    return found


def arguments(found: Iterable[Function], log: Path) -> str:
    """QEMU's arguments for the trace."""
    ranges = ",".join(f"{f.start:#x}..{f.end - 1:#x}" for f in found)
    return f"-d in_asm,exec,nochain -D {shlex.quote(str(log))} -dfilter {ranges}"


@dataclass
class _Reader:
    """The state of reading a trace.

    code has the counted instructions of the block last translated at an address. fresh is true
    if that translation is newer than the known block. blocks has the address and the
    instructions of each block, by QEMU's own address of it.
    """

    begin: int
    end: int
    code: dict[int, tuple[str, ...]] = field(default_factory=dict)
    fresh: dict[int, bool] = field(default_factory=dict)
    blocks: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    windows: list["Counter[str]"] = field(default_factory=list)
    is_open: bool = False

    def executed(self, block: str, pc: int, times: int) -> None:
        """Count a block that was executed, or (times=-1) take it back."""
        known = self.blocks.get(block)
        if known is None or known[0] != pc or self.fresh.get(pc):
            known = (pc, self.code.get(pc, ()))
            self.blocks[block] = known
            self.fresh[pc] = False
        if pc == self.begin:
            if times > 0:
                self.windows.append(Counter())
            else:
                self.windows.pop()
            self.is_open = times > 0
        elif pc == self.end:
            self.is_open = times < 0
        elif self.is_open:
            for name in known[1]:
                self.windows[-1][name] += times


def count(lines: Iterable[str], found: Iterable[Function]) -> list["Counter[str]"]:
    """The instructions of each measurement, in order. Raises TraceError if there is none."""
    marks = {function.name: function.start for function in found}
    reader = _Reader(marks[BEGIN], marks[END])
    start = 0
    words: list[str] = []
    for line in lines:
        asm = _ASM.match(line)
        if asm:
            start = start or int(asm[1], 16)
            what = kind(int(asm[2], 16))
            words += [what] if what else []
            continue
        if start:
            reader.code[start] = tuple(words)
            reader.fresh[start] = True
            start, words = 0, []
        ran = _EXEC.match(line)
        if ran:
            reader.executed(ran[1], int(ran[2], 16), 1)
            continue
        stopped = _STOPPED.match(line)
        if stopped and stopped[1] in reader.blocks:
            reader.executed(stopped[1], reader.blocks[stopped[1]][0], -1)
    if not reader.windows:
        raise TraceError("the trace shows no measurement", "see the console log for the reason")
    return reader.windows
