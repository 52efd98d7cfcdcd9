# SPDX-License-Identifier: GPL-2.0
"""make arches: every patch compiles for the other architectures that the series touches."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, packages, process
from harness.base.console import Stopwatch, conclude, say, tail
from harness.base.errors import CommandError, UsageError
from harness.base.packages import Requirement
from harness.kernel import image
from harness.kernel.finding import Finding, Kind, Status
from harness.request import settings
from harness.request.settings import CONFIG_DIR, REPO, Settings
from harness.request.variables import KERNEL, Command
from harness.trees import debian, layers, worktree
from harness.trees.stack import Patch
from harness.verdict import remarks, results
from harness.verdict.results import CaseResult, RunResult

NAME = "arches"
# What the series goes onto, and what is put on it when it is complete.
ONTO = "baseline"
SERIES, FIXES = REPO / "patches/series", REPO / "patches/fixes"
# In seconds, for one make.
TIME = 1800
_GENERIC = "mm/sparse-vmemmap.o"


@dataclass(frozen=True)
class Arch:
    """An architecture: what the kernel calls it, its compiler, the objects of interest.

    A compiler that Debian 12 has not may be missing: missing says so.
    """

    name: str
    arch: str
    prefix: str
    objects: tuple[str, ...]
    missing: str = ""

    @property
    def compiler(self) -> Requirement:
        """Debian's package of its compiler."""
        proof = f"{self.prefix}gcc"
        return Requirement(proof, f"gcc-{self.prefix.rstrip('-').replace('_', '-')}")

    @property
    def config(self) -> Path:
        """What must be on; all else is off."""
        return CONFIG_DIR / "arch" / f"{self.name}.config"


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


COMMAND = Command(
    "make arches",
    KERNEL | {"ARCHES"},
    "compile the series, patch by patch, for the other architectures",
    "altmap arches x86_64 s390x",
    "ARCHES",
)


def listed(_environ: Mapping[str, str]) -> list[str]:
    """The architectures."""
    return [arch.name for arch in ARCHES]


def main(environ: Mapping[str, str]) -> int:
    """Compile and report; 0 if there is no new warning."""
    wish = replace(settings.read(environ), flavour=ONTO)
    if wish.ksrc:
        raise UsageError("make arches is about patches/series, not KSRC", "unset KSRC")
    settings.check_flavour(ONTO, wish.base)
    chosen = choose(environ)
    wanted = debian.resolve(wish)
    needed = [arch.compiler for arch in chosen if not arch.missing]
    for arch in chosen:
        needed += packages.for_other(arch.arch, build=True, boot=False, cross=False)
    packages.ensure([*worktree.requirements(wanted), *packages.BUILD, *needed])
    out = wanted.build / "results" / NAME
    builddir.mark(wanted.build)
    out.mkdir(parents=True, exist_ok=True)
    found = compile_all(wanted, chosen, out)
    results.write_json(found, out / "arches.json")
    results.write_junit(found, out / "arches.xml")
    status = results.status(found)
    text = results.summary(found, "\n".join(_compilers(chosen)))
    conclude(text, not status, out / "arches.json", out / "arches.xml")
    return int(status)


def choose(environ: Mapping[str, str]) -> list[Arch]:
    """The architectures that ARCHES names, all without it. Raises UsageError."""
    known = {arch.name: arch for arch in ARCHES}
    names = environ.get("ARCHES", "").split() or list(known)
    for name in names:
        if name not in known:
            raise UsageError(f"ARCHES: there is no '{name}'", f"choose from: {' '.join(known)}")
    return [known[name] for name in names]


def states() -> Iterator[tuple[str, list[Patch]]]:
    """What is compiled: the base, the series patch by patch, and the fixes on top of it."""
    series = layers.read_patches(SERIES)
    yield ONTO, []
    for count, patch in enumerate(series, 1):
        yield f"patch {count}: {patch.path.stem}", series[:count]
    yield "with the fixes", [*series, *layers.read_patches(FIXES)]


def compile_all(wanted: Settings, chosen: Sequence[Arch], out: Path) -> list[RunResult]:
    """Compile each state for each architecture; a state's files are written once."""
    cases: dict[str, list[CaseResult]] = {arch.name: [] for arch in chosen}
    seconds = {arch.name: 0.0 for arch in chosen}
    before: dict[str, tuple[str, ...]] = {}
    there = [arch for arch in chosen if not arch.missing or arch.compiler.is_met()]
    for arch in chosen:
        if arch not in there:
            cases[arch.name].append(CaseResult(arch.missing, Status.SKIPPED))
    for number, (title, patches) in enumerate(states()):
        tree = worktree.prepare(wanted, NAME, patches)
        for arch in there:
            say(f"{arch.name}: {title} ...")
            watch = Stopwatch()
            log = out / f"{arch.name}-{number}.log"
            said, worked = Build(wanted, tree, arch, log).make()
            if not worked and number == 0:
                raise CommandError(
                    f"{arch.name}: {title} itself does not compile",
                    f"see {log}; the header that a tool of the kernel's wants may be missing",
                    "\n".join(line for line in said if "error: " in line),
                )
            new = remarks.new_warnings(before.setdefault(arch.name, said), said)
            cases[arch.name].append(judge(title, new, worked))
            seconds[arch.name] += watch.seconds
    return [RunResult(a.name, tuple(cases[a.name]), seconds[a.name]) for a in chosen]


def judge(title: str, new: Sequence[str], worked: bool) -> CaseResult:
    """A state passes if it compiles, with no warning that the base has not."""
    if not worked:
        return results.failed(
            title, Finding(Kind.BUILD, f"{title}: it does not compile", tuple(new))
        )
    if new:
        found = Finding(Kind.WARNINGS, f"{title}: {len(new)} new warnings", tuple(new))
        return results.failed(title, found)
    return CaseResult(title, Status.PASSED)


class Build:
    """A state of the tree, for one architecture."""

    def __init__(self, wanted: Settings, tree: Path, arch: Arch, log: Path) -> None:
        self._tree = tree
        self._arch = arch
        self._log = log
        self._dir = tree / f".kunit-{arch.name}"
        compiler = f"{arch.prefix}gcc"
        ccache = bool(shutil.which("ccache"))
        self._make = [
            "make",
            f"O={self._dir.name}",
            f"ARCH={arch.arch}",
            f"CROSS_COMPILE={arch.prefix}",
            *([f"CC=ccache {compiler}", "HOSTCC=ccache gcc"] if ccache else []),
            f"--jobs={wanted.jobs or os.cpu_count() or 1}",
        ]

    def make(self) -> tuple[tuple[str, ...], bool]:
        """Compile the objects with W=1; what the compiler says, and whether it worked.

        Raises CommandError, proc.TimedOut.
        """
        self._dir.mkdir(exist_ok=True)
        self._configure()
        for name in self._arch.objects:
            (self._dir / name).unlink(missing_ok=True)
        status = self._run("W=1", *self._arch.objects)
        text = self._log.read_text(errors="replace")
        said = remarks.read_warnings(text)
        if status != 0 and not any("error: " in line for line in said):
            raise CommandError(
                f"make failed for {self._arch.name}", f"see {self._log}", tail(text, 5)
            )
        return said, status == 0

    def _configure(self) -> None:
        """Turn on what the fragment says. Raises CommandError if that is not possible."""
        wanted = self._arch.config.read_text(encoding="utf-8")
        kept = self._dir / "kunit.fragment"
        if kept.exists() and kept.read_text(encoding="utf-8") == wanted:
            return
        if self._run(f"KCONFIG_ALLCONFIG={self._arch.config}", "allnoconfig") != 0:
            raise CommandError("make allnoconfig failed", f"see {self._log}")
        there = set((self._dir / ".config").read_text(encoding="utf-8").splitlines())
        lost = [x for x in wanted.splitlines() if x.startswith("CONFIG_") and x not in there]
        if lost:
            raise CommandError(
                f"{self._arch.name} cannot have {lost[0]}",
                f"see what it depends on, and put that into {self._arch.config}",
            )
        kept.write_text(wanted, encoding="utf-8")

    def _run(self, *args: str) -> int:
        return process.run_logged(
            [*self._make, *args],
            str(self._log),
            cwd=str(self._tree),
            env=image.build_env(),
            timeout=TIME,
        )


def _compilers(chosen: Sequence[Arch]) -> Iterator[str]:
    for arch in chosen:
        if arch.compiler.is_met():
            yield process.run([arch.compiler.proof, "--version"]).stdout.partition("\n")[0]
