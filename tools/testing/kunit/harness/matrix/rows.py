# SPDX-License-Identifier: GPL-2.0
"""The matrix as data: which kernels, and the boots that are made with each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.base.errors import UsageError
from harness.request.settings import (
    HOME_BASE,
    OTHER_ARCHES,
    check_config,
    check_flavour,
    flavours_of,
)

# The CPU that has all features, and by page size one without the large virtual
# addresses (LPA2, LVA). Few older cores can do 16K pages.
MAX = "max"
OLDER: dict[str, str] = {"4k": "cortex-a57", "16k": "neoverse-n1", "64k": "cortex-a57"}
OLD = "old"
# What QEMU calls the CPUs whose name is not enough.
_MODELS = {MAX: "max,pauth-impdef=on"}


@dataclass(frozen=True)
class Boot:
    """How a kernel is booted: on which CPU (MAX or OLD), with which arguments, on how many."""

    cpu: str
    arguments: str = ""
    cpus: int = 1


@dataclass(frozen=True)
class Row:
    """A row of the table: a flavour with a config, in one boot.

    The name of another architecture than arm64 stands for its config, and no CPU then.
    """

    flavour: str
    config: str
    cpu: str
    arguments: str = ""
    cpus: int = 1

    @property
    def arch(self) -> str:
        """What kunit.py calls its architecture."""
        return self.config if self.config in OTHER_ARCHES else "arm64"

    @property
    def name(self) -> str:
        """Its unique name."""
        words = [self.flavour, self.config, self.cpu, self.arguments]
        words.append(f"smp={self.cpus}" if self.cpus > 1 else "")
        return " ".join(filter(None, words))

    @property
    def file_name(self) -> str:
        """The same, for files."""
        return self.name.replace(" ", "_")


_PLAIN = (Boot(MAX),)
_BOTH = (Boot(MAX), Boot(OLD))
# rodata= decides whether the linear mapping consists of pages or of blocks.
_CLOSE = (
    *_BOTH,
    Boot(MAX, "rodata=full"),
    Boot(MAX, "rodata=on"),
    Boot(MAX, cpus=4),
    Boot(OLD, "rodata=on", 4),
)
_DEBUG = (Boot(MAX), Boot(MAX, cpus=4), Boot(OLD, "rodata=on", 4))

# What the matrix is made of: flavour, config, boots. One line is one build.
MATRIX: tuple[tuple[str, str, tuple[Boot, ...]], ...] = (
    ("series", "4k-va39", _BOTH),
    ("series", "4k-va48", _BOTH),
    ("series", "4k-va52", _CLOSE),
    ("series", "16k-va36", _BOTH),
    ("series", "16k-va47", _BOTH),
    ("series", "16k-va48", _BOTH),
    ("series", "16k-va52", _CLOSE),
    ("series", "64k-va42", _BOTH),
    ("series", "64k-va48", _BOTH),
    ("series", "64k-va52", _CLOSE),
    ("series", "4k-kaslr", _BOTH),
    ("series", "16k-kaslr", _BOTH),
    ("series", "64k-kaslr", _BOTH),
    ("series", "4k-debug", _DEBUG),
    ("series", "64k-debug", _DEBUG),
    ("series", "4k-kasan", _DEBUG),
    ("series", "64k-kasan", _DEBUG),
    ("series", "4k-page80", _PLAIN),
    ("fixed", "4k", _PLAIN),
    ("fixed", "16k", _PLAIN),
    ("fixed", "64k", _PLAIN),
    ("fixed", "4k-page80", _PLAIN),
    ("fast", "4k", _PLAIN),
    ("fast", "64k", _PLAIN),
    ("stock", "4k", _PLAIN),
    ("stock", "16k", _PLAIN),
    ("stock", "64k", _PLAIN),
)

# What it has of other architectures, for the suites in mm/: flavour, architecture.
OTHERS: tuple[tuple[str, str], ...] = (
    ("series", "x86_64"),
    ("stock", "x86_64"),
    ("series", "riscv"),
    ("stock", "riscv"),
)


def choose(environ: Mapping[str, str], base: str = HOME_BASE) -> list[Row]:
    """The rows that FLAVOURS and CONFIGS ask for; without them, the whole matrix.

    CONFIGS are any that there are, FLAVOURS likewise: alone, a flavour goes
    through all of arm64's configs of the default one. On another base than the series' own,
    both default to what there is of the flavours that it has. Raises UsageError.
    """
    flavours = [check_flavour(name, base) for name in environ.get("FLAVOURS", "").split()]
    there = flavours_of(base)
    configs = [_bootable(name) for name in environ.get("CONFIGS", "").split()]
    if not flavours and not configs:
        chosen = [row for f, c, boots in MATRIX if f in there for row in _rows(f, c, boots)]
        return chosen + [Row(f, arch, "") for f, arch in OTHERS if f in there]
    boots_of = {c: boots for f, c, boots in MATRIX if f == MATRIX[0][0]}
    configs = configs or default_configs()
    return [
        row
        for flavour in dict.fromkeys(flavours or _default_flavours(there))
        for config in dict.fromkeys(configs)
        for row in _rows(flavour, config, boots_of.get(config, _BOTH))
    ]


def _default_flavours(there: Sequence[str]) -> list[str]:
    """The matrix's first flavour, or all that it has of those that are there."""
    if MATRIX[0][0] in there:
        return [MATRIX[0][0]]
    return [flavour for flavour, _, _ in MATRIX if flavour in there]


def _bootable(config: str) -> str:
    """Return config: another architecture, or fragments of which the first must be a
    page size, for that decides which CPU can."""
    if config in OTHER_ARCHES:
        return config
    if check_config(config).split("-")[0] not in OLDER:
        raise UsageError(
            f"CONFIGS: '{config}' does not begin with a page size",
            f"begin with one of: {' '.join(OLDER)}; as in 64k-va42-kasan; "
            f"or name an architecture: {' '.join(OTHER_ARCHES)}",
        )
    return config


def _rows(flavour: str, config: str, boots: Sequence[Boot]) -> list[Row]:
    if config in OTHER_ARCHES:
        return [Row(flavour, config, "")]
    older = OLDER[config.split("-")[0]]
    return [
        Row(flavour, config, older if b.cpu == OLD else b.cpu, b.arguments, b.cpus) for b in boots
    ]


def model(cpu: str) -> str:
    """What QEMU calls a CPU of the matrix."""
    return _MODELS.get(cpu, cpu)


def default_configs() -> list[str]:
    """The configs that the matrix has for its first flavour."""
    return [config for flavour, config, _ in MATRIX if flavour == MATRIX[0][0]]


def most_telling_first(configs: Sequence[str]) -> list[str]:
    """Configs so that those with a new page size, or of a new kind, come before the others."""
    seen: set[str] = set()
    early: list[str] = []
    for config in configs:
        size, _, kind = config.partition("-")
        words = {size, kind.rstrip("0123456789")}
        if not words <= seen:
            early.append(config)
        seen |= words
    return [*early, *(config for config in configs if config not in early)]


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows by build: those of a flavour with a config stay together."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.flavour, row.config), []).append(row)
    return list(found.values())


@dataclass(frozen=True)
class Shard:
    """A part of a matrix: number i of n."""

    number: int = 1
    of: int = 1

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Its rows. Builds are dealt out in turn, so that costly neighbours are spread.

        Raises UsageError if there are none: a shard that runs nothing proves nothing.
        """
        kernels = len(groups(rows))
        if self.number > kernels:
            raise UsageError(
                f"SHARD={self.number}/{self.of} has no row: there are only {kernels} kernels",
                f"use {kernels} shards or fewer",
            )
        return [row for group in groups(rows)[self.number - 1 :: self.of] for row in group]


def read_shard(environ: Mapping[str, str]) -> Shard:
    """What SHARD says, or all of it. Raises UsageError."""
    given = environ.get("SHARD") or "1/1"
    number, _, of = given.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise UsageError(
            f"SHARD={given} is no part of anything",
            "give number/count, as in SHARD=1/4 to SHARD=4/4",
        )
    return Shard(int(number), int(of))
