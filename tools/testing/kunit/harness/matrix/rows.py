# SPDX-License-Identifier: GPL-2.0
"""The matrix as data: the kernels, and the boots of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.base.errors import UsageError
from harness.kernel import qemu
from harness.request.settings import (
    HOME_BASE,
    PAGE_SIZES,
    arch_of,
    check_arch,
    check_config,
    check_flavour,
    check_kernel,
    flavours_of,
)

# A CPU with all features, and for each page size one without large virtual addresses
# (LPA2, LVA). Few older cores support 16K pages.
MAX = "max"
OLDER: dict[str, str] = {"4k": "cortex-a57", "16k": "neoverse-n1", "64k": "cortex-a57"}
OLD = "old"


@dataclass(frozen=True)
class Boot:
    """A boot of a kernel: the CPU (MAX or OLD), kernel arguments, the number of CPUs."""

    cpu: str
    arguments: str = ""
    cpus: int = 1


@dataclass(frozen=True)
class Row:
    """A row of the matrix: a flavour with a config, in one boot.

    For other architectures, config begins with the name of the architecture and cpu is "". base
    is a Debian suite whose newest kernel is tested, or "" for the base that all other rows share.
    """

    flavour: str
    config: str
    cpu: str
    arguments: str = ""
    cpus: int = 1
    base: str = ""

    @property
    def arch(self) -> str:
        """The architecture's name in kunit.py."""
        return arch_of(self.config)

    @property
    def name(self) -> str:
        """The unique name."""
        words = [self.base, self.flavour, self.config, self.cpu, self.arguments]
        words.append(f"smp={self.cpus}" if self.cpus > 1 else "")
        return " ".join(filter(None, words))

    @property
    def file_name(self) -> str:
        """The unique name, for file names."""
        return self.name.replace(" ", "_")


_PLAIN = (Boot(MAX),)
_BOTH = (Boot(MAX), Boot(OLD))
# rodata= selects pages or blocks for the linear mapping.
_ALL_BOOTS = (
    *_BOTH,
    Boot(MAX, "rodata=full"),
    Boot(MAX, "rodata=on"),
    Boot(MAX, cpus=4),
    Boot(OLD, "rodata=on", 4),
)
# With 4K pages, one entry can then map a gigabyte of it.
_BLOCKS = (Boot(MAX), Boot(MAX, "rodata=off"))
_DEBUG = (Boot(MAX), Boot(MAX, cpus=4), Boot(OLD, "rodata=on", 4))
# The kernel divides its memory between the nodes.
TWO_NODES = "numa=fake=2"
_NODES = (Boot(MAX, TWO_NODES),)

# The matrix: flavour, config, boots. Each line is one build.
MATRIX: tuple[tuple[str, str, tuple[Boot, ...]], ...] = (
    ("series", "4k-va39", _BOTH),
    ("series", "4k-va48", _BOTH),
    ("series", "4k-va52", _ALL_BOOTS),
    ("series", "16k-va36", _BOTH),
    ("series", "16k-va47", _BOTH),
    ("series", "16k-va48", _BOTH),
    ("series", "16k-va52", _ALL_BOOTS),
    ("series", "64k-va42", _BOTH),
    ("series", "64k-va48", _BOTH),
    ("series", "64k-va52", _ALL_BOOTS),
    ("series", "4k-kaslr", _BOTH),
    ("series", "16k-kaslr", _BOTH),
    ("series", "64k-kaslr", _BOTH),
    ("series", "4k-debug", _DEBUG),
    ("series", "64k-debug", _DEBUG),
    ("series", "4k-kasan", _DEBUG),
    ("series", "64k-kasan", _DEBUG),
    ("series", "4k-page80", _PLAIN),
    ("series", "4k-numa", _NODES),
    ("fixed", "4k", _BLOCKS),
    ("fixed", "16k", _PLAIN),
    ("fixed", "64k", _PLAIN),
    ("fixed", "4k-page80", _PLAIN),
    ("fixed", "4k-numa", _NODES),
    ("fixed", "4k-kcsan", (Boot(MAX, cpus=4),)),
    ("fast", "4k", _PLAIN),
    ("fast", "16k", _PLAIN),
    ("fast", "64k", _PLAIN),
    ("stock", "4k", _BLOCKS),
    ("stock", "16k", _PLAIN),
    ("stock", "64k", _PLAIN),
    ("stock", "4k-debug", _PLAIN),
    ("stock", "4k-page80", _PLAIN),
)

# Other architectures, which run the suites in mm/: flavour, config.
OTHERS: tuple[tuple[str, str], ...] = (
    ("series", "x86_64"),
    ("stock", "x86_64"),
    ("series", "riscv"),
    ("stock", "riscv"),
    ("series", "riscv-debug"),
    ("fixed", "powerpc"),
    ("stock", "powerpc"),
)
# The Debian suites with the newest kernels, and what is tested of these: flavour, configs, boots.
NEWEST_BASES = ("sid", "experimental")
NEWEST: tuple[tuple[str, tuple[str, ...], tuple[Boot, ...]], ...] = (
    ("fixed", ("s390",), ()),
    ("stock", ("s390",), ()),
    ("series", PAGE_SIZES, _PLAIN),
    ("baseline", PAGE_SIZES, _PLAIN),
    ("fixed", ("4k",), _BLOCKS),
    ("fixed", ("16k", "64k"), _PLAIN),
    ("fast", PAGE_SIZES, _PLAIN),
    ("stock", PAGE_SIZES, _PLAIN),
)

# The architectures that are booted in more than one way. powerpc has two MMUs, and riscv page
# tables with five or four levels.
_OTHER_BOOTS: dict[str, tuple[Boot, ...]] = {
    "powerpc": (Boot(""), Boot("", "disable_radix")),
    "riscv": (Boot(""), Boot("", "no5lvl")),
}


def choose(environ: Mapping[str, str], base: str = HOME_BASE) -> list[Row]:
    """The rows that FLAVOURS and CONFIGS select. The default is the whole matrix.

    FLAVOURS alone selects all arm64 configs of the matrix's first flavour. CONFIGS alone
    selects that flavour, or those that exist for another base. BASE selects one kernel; the
    whole matrix of a base other than the home base is NEWEST. Raises UsageError.
    """
    flavours = [
        check_flavour(name, base, "FLAVOURS") for name in environ.get("FLAVOURS", "").split()
    ]
    there = flavours_of(base)
    configs = [_bootable(name, base) for name in environ.get("CONFIGS", "").split()]
    if not flavours and not configs:
        if {base, environ.get("BASE") or HOME_BASE} - {"", HOME_BASE}:
            return [row for row in _newest("") if row.flavour in there]
        chosen = [row for f, c, boots in MATRIX for row in _rows(f, c, boots)]
        chosen += [row for f, c in OTHERS for row in _rows(f, c, ())]
        others = () if environ.get("BASE") else NEWEST_BASES
        return chosen + [row for suite in others for row in _newest(suite)]
    boots_of = {c: boots for f, c, boots in MATRIX if f == MATRIX[0][0]}
    configs = configs or default_configs()
    return [
        row
        for flavour in dict.fromkeys(flavours or _default_flavours(there))
        for config in dict.fromkeys(configs)
        for row in _rows(flavour, config, boots_of.get(config, _BOTH))
    ]


def _newest(suite: str) -> list[Row]:
    """The rows for the newest kernel of a suite."""
    return [
        replace(row, base=suite)
        for flavour, configs, boots in NEWEST
        for config in configs
        for row in _rows(flavour, config, boots)
    ]


def _default_flavours(there: Sequence[str]) -> list[str]:
    """The matrix's first flavour, or all of its flavours that exist for the base."""
    if MATRIX[0][0] in there:
        return [MATRIX[0][0]]
    return [flavour for flavour in dict.fromkeys(f for f, _, _ in MATRIX) if flavour in there]


def _bootable(config: str, base: str) -> str:
    if arch_of(config) == "arm64":
        return check_page_size(config)
    check_arch(arch_of(config), base)
    return check_kernel(config, "CONFIGS")


def check_page_size(config: str) -> str:
    """Return config, whose first fragment must be a page size. Raises UsageError.

    The page size decides which CPUs can boot the kernel.
    """
    if check_config(config, "CONFIGS").split("-")[0] not in OLDER:
        raise UsageError(
            f"CONFIGS: '{config}' does not start with a page size",
            f"start with one of: {' '.join(OLDER)}; as in 64k-va42-kasan",
        )
    return config


def _rows(flavour: str, config: str, boots: Sequence[Boot]) -> list[Row]:
    if arch_of(config) != "arm64":
        boots = _OTHER_BOOTS.get(arch_of(config), (Boot(""),))
        return [Row(flavour, config, b.cpu, b.arguments, b.cpus) for b in boots]
    older = OLDER[config.split("-")[0]]
    return [
        Row(flavour, config, older if b.cpu == OLD else b.cpu, b.arguments, b.cpus) for b in boots
    ]


def model(cpu: str) -> str:
    """QEMU's model for a CPU of the matrix."""
    return qemu.MAX_CPU if cpu == MAX else cpu


def default_configs() -> list[str]:
    """The configs of the matrix's first flavour."""
    return [config for flavour, config, _ in MATRIX if flavour == MATRIX[0][0]]


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows by kernel, that is by base, flavour and config."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.base, row.flavour, row.config), []).append(row)
    return list(found.values())


@dataclass(frozen=True)
class Shard:
    """Part number of of a matrix."""

    number: int = 1
    of: int = 1

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of this shard. Kernels are dealt out in turn, which spreads expensive ones.

        Raises UsageError if there are none: a shard that runs nothing proves nothing.
        """
        kernels = len(groups(rows))
        if self.number > kernels:
            raise UsageError(
                f"SHARD={self.number}/{self.of} has no rows: there are only {kernels} kernels",
                f"use {kernels} shards or fewer",
            )
        return [row for group in groups(rows)[self.number - 1 :: self.of] for row in group]


def read_shard(environ: Mapping[str, str]) -> Shard:
    """The shard that SHARD names, or the whole matrix. Raises UsageError."""
    given = environ.get("SHARD") or "1/1"
    number, _, of = given.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise UsageError(
            f"SHARD={given} is not a shard", "give number/count, as in SHARD=1/4 to SHARD=4/4"
        )
    return Shard(int(number), int(of))
