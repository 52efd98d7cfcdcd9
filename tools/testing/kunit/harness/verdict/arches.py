# SPDX-License-Identifier: GPL-2.0
"""Compile for other architectures, and judge the compiler's messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import CommandError
from harness.base.packages import Requirement
from harness.kernel import defaults, image
from harness.kernel.finding import Finding, Kind, Status
from harness.request import settings
from harness.request.settings import ARCH_SINCE, CONFIG_DIR, OTHER_ARCHES, Settings
from harness.verdict import remarks, results
from harness.verdict.results import CaseResult

# In seconds, for one make.
TIME = 1800
SUITES = "mm/tests/"
_GENERIC = "mm/sparse-vmemmap.o"


@dataclass(frozen=True)
class Arch:
    """An architecture: the kernel's name for it, its compiler, the objects to compile.

    missing says why the compiler may be missing.
    """

    name: str
    arch: str
    prefix: str
    objects: tuple[str, ...]
    missing: str = ""

    @property
    def compiler(self) -> Requirement:
        """The Debian package of its compiler."""
        proof = f"{self.prefix}gcc"
        return Requirement(proof, f"gcc-{self.prefix.rstrip('-').replace('_', '-')}")

    @property
    def suites(self) -> tuple[str, ...]:
        """The directory of the suites that run there with each base."""
        return (SUITES,) if self.arch in OTHER_ARCHES and self.arch not in ARCH_SINCE else ()

    @property
    def config(self) -> tuple[Path, ...]:
        """The options to turn on. All others are off."""
        if self.suites:
            return tuple(settings.arch_kunitconfigs(self.arch))
        return (CONFIG_DIR / "arch" / f"{self.name}.config",)


ARCHES = (
    Arch("x86_64", "x86_64", "x86_64-linux-gnu-", (_GENERIC, "arch/x86/mm/init_64.o")),
    Arch("riscv64", "riscv", "riscv64-linux-gnu-", (_GENERIC, "arch/riscv/mm/init.o")),
    Arch("s390x", "s390", "s390x-linux-gnu-", (_GENERIC, "arch/s390/mm/vmem.o")),
    Arch(
        "powerpc64le",
        "powerpc",
        "powerpc64le-linux-gnu-",
        (_GENERIC, "arch/powerpc/mm/init_64.o", "arch/powerpc/mm/book3s64/radix_pgtable.o"),
    ),
    Arch(
        "loongarch64",
        "loongarch",
        "loongarch64-linux-gnu-",
        (_GENERIC, "arch/loongarch/mm/init.o"),
        "Debian 12 has no compiler for it",
    ),
)


def compile_suites(wanted: Settings, tree: Path, arch: Arch, out: Path) -> CaseResult:
    """Compile the suites of a tree. Unlike the kernel, they must have no warnings at all.

    Raises CommandError, process.TimedOut.
    """
    log = out / f"{arch.name}-suites.log"
    return judge(SUITES, *build(wanted, tree, arch, arch.suites, log))


def judge(title: str, new: Sequence[str], worked: bool) -> CaseResult:
    """What is compiled passes if there is no new warning."""
    if not worked:
        return results.failed(title, Finding(Kind.BUILD, f"{title}: does not compile", tuple(new)))
    if new:
        found = Finding(Kind.WARNINGS, f"{title}: {len(new)} new warnings", tuple(new))
        return results.failed(title, found)
    return CaseResult(title, Status.PASSED)


def build(
    wanted: Settings, tree: Path, arch: Arch, objects: Sequence[str], log: Path
) -> tuple[tuple[str, ...], bool]:
    """Compile objects of a tree with W=1.

    Returns the compiler's messages, and whether it succeeded. Raises CommandError,
    process.TimedOut.
    """
    directory = tree / f".kunit-{arch.name}"
    directory.mkdir(exist_ok=True)
    variables = [f"ARCH={arch.arch}", f"CROSS_COMPILE={arch.prefix}", *defaults.ccache(arch.prefix)]
    variables.append(f"--jobs={wanted.at_once}")
    _configure(directory, variables, arch, log)
    return remarks.compile_objects(directory, [*variables, "W=1"], objects, log, TIME)


def _configure(directory: Path, variables: Sequence[str], arch: Arch, log: Path) -> None:
    """Turn on the options of the fragments. Raises CommandError if one stays off."""
    wanted = "".join(path.read_text(encoding="utf-8") for path in arch.config)
    kept = directory / "kunit.fragment"
    if kept.exists() and kept.read_text(encoding="utf-8") == wanted:
        return
    part = kept.with_suffix(".part")
    part.write_text(wanted, encoding="utf-8")
    words = [*variables, f"KCONFIG_ALLCONFIG={part}", "allnoconfig"]
    if image.make(directory, words, log, TIME) != 0:
        raise CommandError("make allnoconfig failed", f"see {log}")
    there = set((directory / ".config").read_text(encoding="utf-8").splitlines())
    lost = [x for x in wanted.splitlines() if x.startswith("CONFIG_") and x not in there]
    if lost:
        raise CommandError(
            f"{arch.name} cannot have {lost[0]}",
            f"find its dependencies and add them to {arch.config[-1]}",
        )
    part.replace(kept)
