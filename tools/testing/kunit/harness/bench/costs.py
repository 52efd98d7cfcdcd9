# SPDX-License-Identifier: GPL-2.0
"""What a kernel's adding and removing of memory costs: read from its console log, compared.

mm/tests/memmap_bench_kunit.c has the format of the lines.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.base.errors import KunitError
from harness.originmap.draw import size

# The calls that a driver, or memory hot-plug, makes. All others are parts of these.
WHOLE = (
    "memremap_pages",
    "memunmap_pages",
    "add_memory",
    "device_online",
    "device_offline",
    "remove_memory",
)
# By how much a call may be dearer than in the stock kernel: one of these, and mapping or
# unmapping a piece of the memmap alone. A part of the former may be by any amount: if
# that matters, the whole is dearer.
WHOLE_LIMIT = 0.02
ALONE_LIMIT = 0.10

# What is added and removed; what is mapped alone is a piece of the memmap.
_MEMORY = ("device", "dimm")

DEVICE, RAM = "device", "ram"

_LINE = re.compile(r"bench: (kernel|row) (.*)$")
_NUMBERS = ("own", "insns", "ns", "ram", "device", "window")


# What the virtual clock may be off by, in nanoseconds.
_CLOCK = 64

# How many barriers of each kind a measurement executes.
Barriers = Mapping["Key", Mapping[str, int]]


class BenchError(KunitError):
    """A log's measurements cannot be read."""


@dataclass(frozen=True)
class Key:
    """What was measured: a call, on what, where the memmap lies, and how large it is."""

    call: str
    of: str
    origin: str
    bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether that is something that a driver asks for."""
        return self.call in WHOLE

    @property
    def limit(self) -> float | None:
        """By how much it may be dearer than in the stock kernel, if that is limited."""
        if self.is_whole:
            return WHOLE_LIMIT
        return None if self.of in _MEMORY else ALONE_LIMIT

    @property
    def name(self) -> str:
        """The same in words."""
        of = f"{self.of} of {size(self.bytes)}" if self.of in _MEMORY else self.of
        return f"{self.call} of a {of}, {self.where}"

    @property
    def where(self) -> str:
        """Where the memmap lies, in words."""
        return f"memmap in {'the device' if self.origin == DEVICE else 'system RAM'}"


@dataclass(frozen=True)
class Row:
    """A measurement: instructions of the calling task and of all, virtual time, pages spent."""

    key: Key
    own: int
    insns: int
    ns: int
    ram: int
    device: int
    window: int

    @property
    def work(self) -> int:
        """The instructions that count.

        Those of all tasks, unless somebody waited: others do little then, a few thousand
        for each switch, and the scheduler's account is off by far more. It need not look
        at the clock for a switch after a wakeup, and what the calling task did since the
        wakeup counts for the next one.
        """
        return self.own if self.key.is_whole and self.waiting > _CLOCK else self.insns

    @property
    def waiting(self) -> int:
        """Virtual nanoseconds in which nobody had anything to do."""
        return max(0, self.ns - self.insns)


@dataclass(frozen=True)
class Facts:
    """The kernel's geometry, in bytes. block: what an entry of a PMD table maps."""

    page: int
    section: int
    subsection: int
    struct_page: int
    block: int


@dataclass(frozen=True)
class Costs:
    """All that one kernel told."""

    facts: Facts
    rows: Mapping[Key, Row]

    @staticmethod
    def none() -> "Costs":
        """Those of a kernel that told nothing."""
        return Costs(Facts(0, 0, 0, 0, 0), {})

    def work(self, call: str, of: str, origin: str, count: int) -> int:
        """The instructions of a measurement. Raises BenchError if it was not made."""
        key = Key(call, of, origin, count)
        if key not in self.rows:
            raise BenchError(f"no measurement of {key.name}", "see the console log")
        return self.rows[key].work

    def sizes(self, call: str, origin: str) -> list[int]:
        """For which sizes a call was measured."""
        return sorted(k.bytes for k in self.rows if (k.call, k.origin) == (call, origin))


def read(log_text: str) -> Costs:
    """The measurements in a console log. Raises BenchError."""
    facts: Facts | None = None
    rows: dict[Key, Row] = {}
    for line in log_text.splitlines():
        match = _LINE.search(line.rstrip())
        if not match:
            continue
        fields = dict(word.split("=", 1) for word in match[2].split() if "=" in word)
        try:
            if match[1] == "kernel":
                facts = Facts(*(int(fields[name]) for name in Facts.__annotations__))
                continue
            key = Key(fields["call"], fields["of"], fields["origin"], int(fields["bytes"]))
            if key.origin not in (DEVICE, RAM) or key in rows:
                raise ValueError(key.name)
            rows[key] = Row(key, *(int(fields[name]) for name in _NUMBERS))
        except (KeyError, ValueError) as error:
            raise BenchError(
                f"not a measurement: {line.strip()}",
                "see mm/tests/memmap_bench_kunit.c for the format; is the log of that suite?",
            ) from error
    if facts is None or not rows:
        raise BenchError("the log tells no measurements", "see the console log for the reason")
    return Costs(facts, rows)


# --- Comparing ------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A count in the stock kernel and in another one; None where it is missing.

    against is what was measured in the stock kernel, if that is not the same.
    """

    key: Key
    before: int | None
    after: int | None
    unit: str = "instructions"
    against: Key | None = None

    @property
    def name(self) -> str:
        """What is counted."""
        return self.key.name if self.unit == "instructions" else f"{self.unit} in {self.key.name}"

    @property
    def ratio(self) -> float | None:
        """The growth: 0.02 is two percent more."""
        if not self.before or self.after is None:
            return None
        return self.after / self.before - 1

    @property
    def fault(self) -> str:
        """Why it is too dear, or nothing."""
        if self.after is None:
            return f"{self.name}: not measured"
        limit = self.key.limit
        if self.before is None or limit is None or self.after <= self.before * (1 + limit):
            return ""
        grown = "from nothing" if self.ratio is None else f"{self.ratio:+.1%}"
        return f"{self.name}: {grown}"

    @property
    def numbers(self) -> str:
        """The same in numbers."""
        before, after = ("none" if n is None else f"{n:,}" for n in (self.before, self.after))
        stock = f"stock, {self.against.where}" if self.against else "stock"
        limit = "" if self.key.limit is None else f"; {self.key.limit:.0%} is the limit"
        return f"{after} {self.unit} for {before} in {stock}{limit}"


def compare(stock: Costs, other: Costs) -> tuple[Change, ...]:
    """Each measurement of either kernel."""
    keys = [*stock.rows, *(key for key in other.rows if key not in stock.rows)]
    return tuple(_change(key, stock, other) for key in keys)


def _change(key: Key, stock: Costs, other: Costs) -> Change:
    if lies_in_ram_instead(key, stock, other):
        against = replace(key, origin=RAM)
        return Change(key, _work(stock, against), _work(other, key), against=against)
    return Change(key, _work(stock, key), _work(other, key))


def lies_in_ram_instead(key: Key, stock: Costs, other: Costs) -> bool:
    """Whether a device's memmap is smaller than a page, and so in system RAM, but for stock.

    Others may have struct pages in such a page, so it must not go with the device, even
    if that has an altmap. It costs what system RAM costs. A larger memmap has no excuse.
    """
    if key.call not in ("memremap_pages", "memunmap_pages") or key.origin != DEVICE:
        return False
    facts = stock.facts
    if key.bytes // facts.page * facts.struct_page >= facts.page:
        return False
    whole = replace(key, call="memremap_pages")
    rows = [costs.rows[whole] for costs in (stock, other) if whole in costs.rows]
    return [bool(row.device) for row in rows] == [True, False]


def compare_barriers(stock: Barriers, other: Barriers) -> tuple[Change, ...]:
    """Each count of barriers and TLB invalidations that stock has."""
    return tuple(
        Change(key, before, other.get(key, {}).get(unit), unit)
        for key, counts in stock.items()
        for unit, before in counts.items()
    )


def _work(costs: Costs, key: Key) -> int | None:
    row = costs.rows.get(key)
    return row.work if row else None


# --- What it consists of --------------------------------------------------


def adding(costs: Costs, origin: str, count: int) -> dict[str, int]:
    """The parts of memremap_pages() of a device of count bytes, in instructions."""

    def of(call: str) -> int:
        return costs.work(call, "device", origin, count)

    pages = of("memmap_init_zone_device") + of("move_pfn_range_to_zone")
    return {
        "struct pages": pages,
        "linear mapping": of("arch_add_memory") - of("__add_pages"),
        "vmemmap mapping": of("vmemmap_populate"),
        "the rest": of("memremap_pages")
        - of("arch_add_memory")
        - pages
        + of("__add_pages")
        - of("vmemmap_populate"),
    }


def removing(costs: Costs, origin: str, count: int) -> dict[str, int]:
    """The parts of memunmap_pages(), likewise. Nobody has anything to do with struct pages."""

    def of(call: str) -> int:
        return costs.work(call, "device", origin, count)

    return {
        "struct pages": 0,
        "linear mapping": of("arch_remove_memory") - of("__remove_pages"),
        "vmemmap mapping": of("vmemmap_free"),
        "the rest": of("memunmap_pages")
        - of("arch_remove_memory")
        + of("__remove_pages")
        - of("vmemmap_free"),
    }
