# SPDX-License-Identifier: GPL-2.0
"""What the user says through the environment: FLAVOUR, CONFIG, KSRC and so on.

Reading it touches neither disk nor network. What that takes, suite.resolve() does.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError

REPO = Path(__file__).resolve().parents[5]
TOOLS = REPO / "tools/testing/kunit"
# What is not code: the cases that are expected, mutants, scenarios, the guest's scripts.
DATA = TOOLS / "data"

# The layers of each flavour, bottom to top. A name with a slash is a directory
# of patches; "suites" is the overlay of this repository's new files. The hooks
# build the suites and so come after them, for every commit must build.
SUITES = "suites"
FLAVOURS: dict[str, tuple[str, ...]] = {
    "series": ("patches/baseline", SUITES, "patches/hooks", "patches/series", "patches/fixes"),
    "baseline": ("patches/baseline", SUITES, "patches/hooks"),
    "stock": (SUITES, "patches/hooks"),
    "fixed": (SUITES, "patches/hooks", "patches/fixes"),
    "fast": (SUITES, "patches/hooks", "patches/fixes", "patches/speed"),
}

# The base that the series is made for: only there is the merged form of it taken out.
HOME_BASE = "6.12"
_HOME_LAYER = "patches/baseline"

# The layers that are no part of a kernel that anybody runs.
TESTS = (SUITES, "patches/hooks")

DEFAULT_CONFIG = "4k"
CONFIG_DIR = REPO / "lib/kunit-configs"
BASE_CONFIG = "base"
# What an architecture adds to it, by the name that kunit.py has for the architecture.
OTHER_ARCHES = ("riscv", "x86_64")
ARCH_CONFIGS = ("arm64", *OTHER_ARCHES)
# Fragments that stand in its place: kernels with a user space instead of suites.
OTHER_BASES = ("e2e",)
# What is off unless a fragment of that name turns it on: no-kaslr, for one.
_NO = "no-"

# Tells qemu_configs/arm64.py of another CPU: on a host with KVM, one more -cpu is not enough.
CPU_VARIABLE = "KUNIT_QEMU_CPU"


@dataclass(frozen=True)
class Wish:
    """What the environment says, as far as words alone can be checked.

    suite.resolve() makes Settings of it when work begins.
    """

    # "" if it depends on the kernel that a suite turns out to have.
    flavour: str
    config: str
    # A kernel version, or "" if suite names a Debian suite whose newest package is meant.
    base: str
    build: Path
    # Where Debian's linux-source packages put their archives.
    sources: Path
    ksrc: Path | None = None
    jobs: int | None = None
    suite: str = ""


@dataclass(frozen=True)
class Settings:
    """What the user wants, with the kernel that it is about."""

    flavour: str
    config: str
    base: str
    build: Path
    # Where Debian's linux-source packages put their archives.
    sources: Path = Path("/usr/src")
    ksrc: Path | None = None
    jobs: int | None = None
    # The Debian suite whose newest package is the base, if BASE names one.
    suite: str = ""
    # A commit that was made of ksrc, to start from instead of what is there now.
    start: str = ""

    @property
    def tarball(self) -> Path:
        """The Debian package's archive of the base kernel."""
        return self.sources / f"linux-source-{self.base}.tar.xz"

    @property
    def kunitconfigs(self) -> list[Path]:
        """The kunitconfig fragments that CONFIG stands for.

        With the base one and arm64's, and NO_FRAGMENT for each fragment that has such
        a counterpart and is not named. A fragment may stand in the place of the first two.
        """
        names = self.config.split("-")
        off = [p for p in _counterparts() if p.stem[len(_NO) :] not in names]
        base = [] if set(names) & set(OTHER_BASES) else arch_kunitconfigs("arm64")
        return [*base, *off, *map(config_path, names)]


def config_path(name: str) -> Path:
    """The kunitconfig fragment of that name."""
    return CONFIG_DIR / f"{name}.config"


def arch_kunitconfigs(arch: str) -> list[Path]:
    """What any kernel of an architecture in ARCH_CONFIGS has."""
    return [config_path(BASE_CONFIG), config_path(arch)]


def known_configs() -> list[str]:
    """The fragments that CONFIG can be made of."""
    stems = {p.stem for p in CONFIG_DIR.glob("*.config")}
    return sorted(stems - {BASE_CONFIG, *ARCH_CONFIGS} - {p.stem for p in _counterparts()})


def _counterparts() -> list[Path]:
    return sorted(CONFIG_DIR.glob(f"{_NO}*.config"))


def check_config(config: str) -> str:
    """Return config, fragment names joined by '-'. Raises UsageError if one is unknown."""
    known = known_configs()
    for name in config.split("-"):
        if name not in known:
            raise UsageError(
                f"CONFIG={config}: there is no kunitconfig fragment '{name}'",
                f"choose from: {' '.join(known)}; '-' joins several, as in 64k-kasan",
            )
    return config


def flavours_of(base: str) -> list[str]:
    """The flavours that there are of a base; all of them if it is "", not known yet."""
    is_home = base in ("", HOME_BASE)
    return [f for f, layers in FLAVOURS.items() if is_home or _HOME_LAYER not in layers]


def check_flavour(flavour: str, base: str = HOME_BASE) -> str:
    """Return flavour. Raises UsageError if it is unknown, or if the base has none such."""
    if flavour not in FLAVOURS:
        raise UsageError(
            f"FLAVOUR={flavour}: there is no such flavour", f"choose from: {' '.join(FLAVOURS)}"
        )
    if flavour not in flavours_of(base):
        raise UsageError(
            f"FLAVOUR={flavour} is there for Linux {HOME_BASE} only, and BASE is {base}",
            f"choose from: {' '.join(flavours_of(base))}",
        )
    return flavour


def read(environ: Mapping[str, str] = os.environ) -> Wish:
    """Read and check the variables; an empty one counts as unset.

    CONFIG is checked by those who use it (check_config), for a kunitconfig of
    the user's makes it meaningless. Raises UsageError.
    """
    ksrc = environ.get("KSRC")
    jobs = environ.get("JOBS")
    if jobs and not (jobs.isdigit() and int(jobs) > 0):
        raise UsageError(f"JOBS={jobs} is no number of jobs", "give a number, as in JOBS=4")
    base, suite = (HOME_BASE, "") if ksrc else _read_base(environ.get("BASE") or HOME_BASE)
    flavour = environ.get("FLAVOUR") or ("" if suite else default_flavour(ksrc, base))
    return Wish(
        flavour=check_flavour(flavour, base) if flavour else "",
        config=environ.get("CONFIG") or DEFAULT_CONFIG,
        base=base,
        build=Path(os.path.abspath(environ.get("BUILD") or REPO / "build")),
        sources=Path(os.path.abspath(environ.get("SOURCES") or "/usr/src")),
        ksrc=Path(os.path.abspath(ksrc)) if ksrc else None,
        jobs=int(jobs) if jobs else None,
        suite=suite,
    )


def _read_base(given: str) -> tuple[str, str]:
    """What BASE says: a kernel version, or the name of a Debian suite. Raises UsageError."""
    if re.fullmatch(r"\d+\.\d+", given):
        return given, ""
    if re.fullmatch(r"[a-z][a-z0-9-]*", given):
        return "", given
    raise UsageError(
        f"BASE={given} is no kernel version and no suite of Debian",
        "name a linux-source package, as in BASE=6.12, or a suite, as in BASE=sid; "
        "KSRC=DIR is for a tree",
    )


def default_flavour(ksrc: object | None, base: str) -> str:
    """The product where it can be had, else the kernel as it is."""
    return "series" if not ksrc and base == HOME_BASE else "stock"
