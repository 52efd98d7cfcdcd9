# SPDX-License-Identifier: GPL-2.0
"""The settings that every command shares: FLAVOUR, CONFIG, BASE, KSRC, BUILD and so on.

Reading them touches neither disk nor network. debian.resolve() does that later.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError

REPO = Path(__file__).resolve().parents[5]
TOOLS = REPO / "tools/testing/kunit"
# Expected results, mutants, scenarios and the guest's scripts.
DATA = TOOLS / "data"

# The layers of each flavour, bottom to top. A name with a slash is a directory of patches.
# "suites" is the overlay of this repository's new files. The hooks add the suites to
# Makefiles, so they come after them: each commit must build.
SUITES = "suites"
FLAVOURS: dict[str, tuple[str, ...]] = {
    "series": ("patches/baseline", SUITES, "patches/hooks", "patches/series", "patches/fixes"),
    "baseline": ("patches/baseline", SUITES, "patches/hooks"),
    "stock": (SUITES, "patches/hooks"),
    "fixed": (SUITES, "patches/hooks", "patches/fixes"),
    "fast": (SUITES, "patches/hooks", "patches/fixes", "patches/speed"),
}

# The base of the series.
HOME_BASE = "6.12"
# The oldest kernel that has what the suites need from KUnit.
OLDEST = (6, 12)
# Where Debian's linux-source packages put their archives.
SOURCES = Path("/usr/src")
# Layers that other kernels lack, with the first kernel that they were rebased to.
_REBASED_SINCE: dict[str, tuple[int, ...]] = {"patches/baseline": (7, 2), "patches/speed": (7, 2)}

# The layers that only test kernels have.
TESTS = (SUITES, "patches/hooks")

# The number of programs to run at the same time, unless JOBS says otherwise.
USUAL_JOBS = os.cpu_count() or 1
PAGE_SIZES = ("4k", "16k", "64k")
DEFAULT_CONFIG = "4k"
CONFIG_DIR = REPO / "lib/kunit-configs"
BASE_CONFIG = "base"
# Each architecture has a fragment on top of it, named as kunit.py names the architecture.
OTHER_ARCHES = ("powerpc", "riscv", "s390", "x86_64")
# The first kernel in which an architecture has ZONE_DEVICE, if that is not the oldest one.
ARCH_SINCE: dict[str, tuple[int, ...]] = {"s390": (6, 17)}
ARCH_CONFIGS = ("arm64", *OTHER_ARCHES)
# Fragments that replace it, for kernels with a user space.
OTHER_BASES = ("e2e",)
# The fragment no-X applies unless CONFIG names X, no-X-Y unless it names X or Y.
_NO = "no-"

# Selects the CPU in qemu_configs/arm64.py. With KVM, a further -cpu does not override its own.
CPU_VARIABLE = "KUNIT_QEMU_CPU"


@dataclass(frozen=True)
class Request:
    """The settings before BASE is resolved. debian.resolve() turns them into Settings."""

    # "" if it depends on the kernel version of a Debian suite.
    flavour: str
    config: str
    # A kernel version, or "" until the newest package of a Debian suite is known.
    base: str
    build: Path
    # The directory of the archives in Debian's linux-source packages.
    sources: Path = SOURCES
    ksrc: Path | None = None
    jobs: int | None = None
    # The Debian suite that BASE names, if any.
    debian_suite: str = ""


@dataclass(frozen=True)
class Settings(Request):
    """The settings with a kernel version and a flavour."""

    # A commit made from ksrc. It replaces the present state of that directory.
    start: str = ""

    @property
    def at_once(self) -> int:
        """The number of programs to run at the same time."""
        return self.jobs or USUAL_JOBS

    @property
    def arch(self) -> str:
        """The architecture. config begins with its name, or has only fragments for arm64."""
        return arch_of(self.config)

    @property
    def tarball(self) -> Path:
        """The archive of the base kernel in Debian's package."""
        return self.sources / f"linux-source-{self.base}.tar.xz"

    @property
    def kunitconfigs(self) -> list[Path]:
        """The kunitconfig fragments for CONFIG.

        These are the base fragment and arm64's (unless CONFIG names a replacement), every
        fragment no-X whose X is not named, and the named fragments. For another architecture,
        whose name CONFIG begins with, they are its fragments and the named ones.
        """
        names = self.config.split("-")
        if self.arch != "arm64":
            return [*arch_kunitconfigs(self.arch), *map(config_path, names[1:])]
        off = [p for p in _counterparts() if not set(p.stem[len(_NO) :].split("-")) & set(names)]
        base = [] if set(names) & set(OTHER_BASES) else arch_kunitconfigs("arm64")
        return [*base, *off, *map(config_path, names)]


def arch_of(config: str) -> str:
    """The architecture of a config, as kunit.py names it: the first name, or arm64."""
    first = config.split("-")[0]
    return first if first in OTHER_ARCHES else "arm64"


def config_path(name: str) -> Path:
    """The path of a kunitconfig fragment."""
    return CONFIG_DIR / f"{name}.config"


def arch_kunitconfigs(arch: str) -> list[Path]:
    """The fragments of every kernel of an architecture in ARCH_CONFIGS."""
    return [config_path(BASE_CONFIG), config_path(arch)]


def known_configs() -> list[str]:
    """The fragments that CONFIG can name."""
    stems = {p.stem for p in CONFIG_DIR.glob("*.config")}
    return sorted(stems - {BASE_CONFIG, *ARCH_CONFIGS} - {p.stem for p in _counterparts()})


def _counterparts() -> list[Path]:
    return sorted(CONFIG_DIR.glob(f"{_NO}*.config"))


def check_config(config: str, variable: str = "CONFIG") -> str:
    """Return config, fragment names joined by '-'. variable is where it comes from.

    Raises UsageError if a fragment is unknown, or if there are two page sizes.
    """
    known, names = known_configs(), config.split("-")
    for name in names:
        if name in OTHER_ARCHES:
            raise UsageError(
                f"{variable}={config} is not for arm64: {name} is another architecture",
                f"begin with {name}, and give kunit.py --arch={name}",
            )
        if name not in known:
            raise UsageError(
                f"{variable}={config}: there is no kunitconfig fragment '{name}'",
                f"choose from: {' '.join(known)}; '-' joins several, as in 64k-kasan",
            )
    sizes = [name for name in names if name in PAGE_SIZES]
    if len(sizes) > 1:
        raise UsageError(
            f"{variable}={config} has {len(sizes)} page sizes", f"keep one of: {' '.join(sizes)}"
        )
    return config


def check_kernel(name: str, variable: str = "CONFIG") -> str:
    """Return name: a config of arm64, or another architecture, with fragments as in riscv-debug.

    Raises UsageError.
    """
    arch = arch_of(name)
    own = name.removeprefix(arch).removeprefix("-")
    if own:
        check_config(own, variable)
    return name


def check_arch(arch: str, base: str) -> None:
    """Raise UsageError if the suites cannot run on an architecture with a base.

    base is "" if it is not known yet.
    """
    since = ARCH_SINCE.get(arch, OLDEST)
    if base and tuple(map(int, base.split("."))) < since:
        raise UsageError(
            f"{arch}: Linux {base} has no ZONE_DEVICE there, which the suites need",
            "use Linux {}.{} or later, as in BASE=sid".format(*since),
        )


def flavours_of(base: str) -> list[str]:
    """The flavours that exist for a base; all of them if base is "" (not known yet)."""
    return [f for f, layers in FLAVOURS.items() if all(_has(base, layer) for layer in layers)]


def _has(base: str, layer: str) -> bool:
    """Whether a layer exists for a base."""
    if base in ("", HOME_BASE) or layer not in _REBASED_SINCE:
        return True
    return tuple(map(int, base.split("."))) >= _REBASED_SINCE[layer]


def check_flavour(flavour: str, base: str = HOME_BASE, variable: str = "FLAVOUR") -> str:
    """Return flavour. variable is where it comes from.

    Raises UsageError if it is unknown or does not exist for the base.
    """
    if flavour not in FLAVOURS:
        raise UsageError(
            f"{variable}={flavour}: there is no such flavour", f"choose from: {' '.join(FLAVOURS)}"
        )
    if flavour not in flavours_of(base):
        raise UsageError(
            f"{variable}={flavour} does not exist for Linux {base}",
            f"choose from: {' '.join(flavours_of(base))}",
        )
    return flavour


def choose(variable: str, given: str, known: Collection[str]) -> list[str]:
    """The names in the value of a variable. Raises UsageError if one is not known."""
    names = given.split()
    for name in names:
        if name not in known:
            raise UsageError(f"{variable}: there is no '{name}'", f"choose from: {' '.join(known)}")
    return names


def read(environ: Mapping[str, str] = os.environ) -> Request:
    """Read and check the variables. An empty variable counts as unset.

    CONFIG is checked later, by its users: it has no effect if the user gives a kunitconfig.
    Raises UsageError.
    """
    ksrc = environ.get("KSRC")
    jobs = environ.get("JOBS")
    if jobs and not (jobs.isdigit() and int(jobs) > 0):
        raise UsageError(f"JOBS={jobs} is not a number of jobs", "give a number, as in JOBS=4")
    base, suite = (HOME_BASE, "") if ksrc else _read_base(environ.get("BASE") or HOME_BASE)
    flavour = environ.get("FLAVOUR") or ("" if suite else default_flavour(ksrc, base))
    return Request(
        flavour=check_flavour(flavour, base) if flavour else "",
        config=environ.get("CONFIG") or DEFAULT_CONFIG,
        base=base,
        build=Path(os.path.abspath(environ.get("BUILD") or REPO / "build")),
        sources=Path(os.path.abspath(environ.get("SOURCES") or SOURCES)),
        ksrc=Path(os.path.abspath(ksrc)) if ksrc else None,
        jobs=int(jobs) if jobs else None,
        debian_suite=suite,
    )


def _read_base(given: str) -> tuple[str, str]:
    """BASE as a kernel version and the name of a Debian suite. One is "". Raises UsageError."""
    if re.fullmatch(r"\d+\.\d+", given):
        if tuple(map(int, given.split("."))) < OLDEST:
            raise UsageError(
                f"BASE={given} is too old",
                "use Linux {}.{} or later: older kernels lack KUnit features".format(*OLDEST),
            )
        return given, ""
    if re.fullmatch(r"[a-z][a-z0-9-]*", given):
        return "", given
    raise UsageError(
        f"BASE={given} is neither a kernel version nor a Debian suite",
        "name a linux-source package, as in BASE=6.12, or a suite, as in BASE=sid; "
        "use KSRC=DIR for a kernel tree",
    )


def default_flavour(ksrc: object | None, base: str) -> str:
    """The flavour if FLAVOUR is not set: series if it exists for the base, else stock."""
    return "series" if not ksrc and base == HOME_BASE else "stock"
