# SPDX-License-Identifier: GPL-2.0
"""The cost of adding and removing memory: read from a console log, compared.

mm/tests/memmap_bench_kunit.c describes the format of the log lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.base.errors import KunitError
from harness.base.table import size
from harness.verdict import ktap

# The calls of drivers and memory hot-plug. All other calls are parts of these.
WHOLE = (
    "memremap_pages",
    "memunmap_pages",
    "add_memory",
    "device_online",
    "device_offline",
    "remove_memory",
)
# How much more a call may cost than in stock: a call in WHOLE, and mapping or unmapping a
# piece of the memmap alone. Parts of WHOLE have no limit: they count in the whole.
WHOLE_LIMIT = 0.02
ALONE_LIMIT = 0.10

# Measurements of memory that is added and removed. Others map a piece of the memmap.
MEMORY = ("device", "compound", "dimm")

DEVICE, RAM = "device", "ram"

_NUMBERS = ("own", "insns", "ns", "ram", "device", "window")


# The error of the virtual clock, in nanoseconds.
_CLOCK = 64

# The number of barriers of each kind in each measurement.
Barriers = Mapping["Key", Mapping[str, int]]


class BenchError(KunitError):
    """The measurements in a log are unreadable."""


@dataclass(frozen=True)
class Key:
    """What was measured: a call, its object, the memmap's origin and the size."""

    call: str
    of: str
    origin: str
    bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether drivers or memory hot-plug make this call."""
        return self.call in WHOLE

    @property
    def limit(self) -> float | None:
        """How much more it may cost than in stock, or None if there is no limit."""
        if self.is_whole:
            return WHOLE_LIMIT
        return None if self.of in MEMORY else ALONE_LIMIT

    @property
    def name(self) -> str:
        """The key as a text."""
        of = f"{self.of} of {size(self.bytes)}" if self.of in MEMORY else self.of
        return f"{self.call} of a {of}, {self.where}"

    @property
    def where(self) -> str:
        """The memmap's origin as a text."""
        return f"memmap in {'the device' if self.origin == DEVICE else 'system RAM'}"


@dataclass(frozen=True)
class Row:
    """A measurement: instructions of the calling task and of all tasks, virtual time, pages
    used.
    """

    key: Key
    own: int
    insns: int
    ns: int
    ram: int
    device: int
    window: int

    @property
    def work(self) -> int:
        """The instructions to compare.

        These are the instructions of all tasks. If tasks slept, only those of the calling task
        count: the scheduler's own instructions then vary by more than other tasks execute.
        """
        return self.own if self.key.is_whole and self.waiting > _CLOCK else self.insns

    @property
    def waiting(self) -> int:
        """Virtual nanoseconds in which the CPU was idle."""
        return max(0, self.ns - self.insns)


@dataclass(frozen=True)
class Facts:
    """The kernel's geometry, in bytes."""

    page: int
    section: int
    struct_page: int


@dataclass(frozen=True)
class Costs:
    """All measurements of one kernel."""

    facts: Facts
    rows: Mapping[Key, Row]

    @staticmethod
    def none() -> "Costs":
        """The costs of a kernel without measurements."""
        return Costs(Facts(0, 0, 0), {})

    def work(self, call: str, of: str, origin: str, count: int) -> int:
        """The instructions of a measurement. Raises BenchError if it is missing."""
        key = Key(call, of, origin, count)
        if key not in self.rows:
            raise BenchError(f"no measurement of {key.name}", "see the console log")
        return self.rows[key].work

    def sizes(self, call: str, origin: str) -> list[int]:
        """The sizes for which a call was measured, of single pages."""
        wanted = (k for k in self.rows if (k.call, k.origin) == (call, origin))
        return sorted(k.bytes for k in wanted if k.of != "compound")


def read(log_text: str) -> Costs:
    """The measurements in a console log. Raises BenchError."""
    facts: Facts | None = None
    rows: dict[Key, Row] = {}
    for line, kind, fields in ktap.records(log_text, "bench"):
        try:
            if kind == "kernel":
                facts = Facts(*(int(fields[name]) for name in Facts.__annotations__))
                continue
            key = Key(fields["call"], fields["of"], fields["origin"], int(fields["bytes"]))
            if key.origin not in (DEVICE, RAM) or key in rows:
                raise ValueError(key.name)
            rows[key] = Row(key, *(int(fields[name]) for name in _NUMBERS))
        except (KeyError, ValueError) as error:
            raise BenchError(
                f"not a measurement: {line}",
                "check that the log is from memmap_bench; its source describes the format",
            ) from error
    if facts is None or not rows:
        raise BenchError("the log has no measurements", "see the console log for the reason")
    return Costs(facts, rows)


@dataclass(frozen=True)
class Change:
    """A count in stock and in another kernel. None means that it is missing.

    against is the measurement in stock to compare with, if it has another key. allowed is the
    growth that is known and accepted, if that is above the limit.
    """

    key: Key
    before: int | None
    after: int | None
    unit: str = "instructions"
    against: Key | None = None
    allowed: float | None = None

    @property
    def name(self) -> str:
        """The name of the count."""
        return self.key.name if self.unit == "instructions" else f"{self.unit} in {self.key.name}"

    @property
    def ratio(self) -> float | None:
        """The growth: 0.02 is two percent more."""
        if not self.before or self.after is None:
            return None
        return self.after / self.before - 1

    @property
    def fault(self) -> str:
        """Why it is too expensive, or ""."""
        if self.after is None:
            return f"{self.name}: not measured"
        limit = self.key.limit
        if self.before is None or limit is None:
            return ""
        if self.after <= self.before * (1 + limit):
            return f"{self.name}: within the limit, but listed" if self.allowed else ""
        if self.allowed and self.after <= self.before * (1 + self.allowed):
            return ""
        grown = "from nothing" if self.ratio is None else f"{self.ratio:+.1%}"
        return f"{self.name}: {grown}"

    @property
    def numbers(self) -> str:
        """The counts as a text."""
        before, after = ("none" if n is None else f"{n:,}" for n in (self.before, self.after))
        stock = f"stock, {self.against.where}" if self.against else "stock"
        most = self.allowed or self.key.limit
        limit = "" if most is None else f"; {most:.0%} is the limit"
        return f"{after} {self.unit} for {before} in {stock}{limit}"


def compare(stock: Costs, other: Costs) -> tuple[Change, ...]:
    """A change for each measurement of either kernel."""
    keys = [*stock.rows, *(key for key in other.rows if key not in stock.rows)]
    return tuple(_change(key, stock, other) for key in keys)


def _change(key: Key, stock: Costs, other: Costs) -> Change:
    if lies_in_ram_instead(key, stock, other):
        against = replace(key, origin=RAM)
        return Change(key, _work(stock, against), _work(other, key), against=against)
    return Change(key, _work(stock, key), _work(other, key))


def lies_in_ram_instead(key: Key, stock: Costs, other: Costs) -> bool:
    """Whether a device's memmap lies in the device in stock, but in system RAM elsewhere
    because it is smaller than a page.

    Such a page may hold struct pages of other devices and must not disappear with this one. The
    memmap then costs as much as one in system RAM. Larger ones do not.
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
    """A change for each count of barriers and TLB invalidations in stock."""
    return tuple(
        Change(key, before, other.get(key, {}).get(unit), unit)
        for key, counts in stock.items()
        for unit, before in counts.items()
    )


def _work(costs: Costs, key: Key) -> int | None:
    row = costs.rows.get(key)
    return row.work if row else None


def adding(costs: Costs, origin: str, count: int) -> dict[str, int]:
    """The parts of memremap_pages() for a device of count bytes, in instructions."""

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
    """The parts of memunmap_pages(). Struct pages are not touched there."""

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
