# SPDX-License-Identifier: GPL-2.0
"""make arches: compile each patch, and the suites, for other architectures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, packages
from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError
from harness.base.packages import Requirement
from harness.kernel import defaults, image, machine
from harness.kernel.finding import Finding, Kind, Status
from harness.request import settings
from harness.request.settings import CONFIG_DIR, OTHER_ARCHES, REPO, Settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, layers, worktree
from harness.trees.stack import Patch
from harness.verdict import remarks, results
from harness.verdict.results import CaseResult, RunResult

NAME = "arches"
# The base of the series, the series, and the patches after it.
ONTO = "baseline"
SERIES, FIXES = REPO / "patches/series", REPO / "patches/fixes"
# In seconds, for one make.
TIME = 1800
_GENERIC = "mm/sparse-vmemmap.o"
SUITES = "mm/tests/"


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
        """The directory of the suites that run there."""
        return (SUITES,) if self.arch in OTHER_ARCHES else ()

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


COMMAND = Command(
    "make arches",
    OWN_TREES | {"ARCHES"},
    "compile the series, patch by patch, and the suites for other architectures",
    "altmap arches x86_64 s390x",
    "ARCHES",
    own_trees="unset KSRC",
    lists="the architectures, with the objects to compile,",
)


def listed(environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The architectures in ARCHES, by default all. Raises UsageError."""
    return [(arch.name, *arch.objects, *arch.suites) for arch in choose(environ)]


def main(environ: Mapping[str, str]) -> int:
    """Compile and report. Returns 0 if there are no new warnings."""
    request = replace(settings.read(environ), flavour=ONTO)
    settings.check_flavour(ONTO, request.base)
    chosen = choose(environ)
    wanted = debian.resolve(request)
    needed = [arch.compiler for arch in chosen if not arch.missing]
    for arch in chosen:
        needed += packages.for_other(arch.arch, build=True, boot=False, cross=False)
    packages.ensure([*worktree.requirements(wanted), *packages.BUILD, *needed])
    out = builddir.results(wanted.build, NAME)
    found = compile_all(wanted, chosen, out)
    compilers = [
        line for a in chosen for line in machine.first_line([a.compiler.proof, "--version"])
    ]
    return results.publish(found, results.summary(found, "\n".join(compilers)), out / NAME)


def choose(environ: Mapping[str, str]) -> list[Arch]:
    """The architectures in ARCHES, by default all. Raises UsageError."""
    known = {arch.name: arch for arch in ARCHES}
    names = settings.choose("ARCHES", environ.get("ARCHES", ""), known)
    return [known[name] for name in names or known]


def states() -> Iterator[tuple[str, list[Patch]]]:
    """The states to compile: the base, the series patch by patch, and the fixes on top."""
    series = layers.read_patches(SERIES)
    yield ONTO, []
    for count, patch in enumerate(series, 1):
        yield f"patch {count}: {patch.path.stem}", series[:count]
    yield "with the fixes", [*series, *layers.read_patches(FIXES)]


def compile_all(wanted: Settings, chosen: Sequence[Arch], out: Path) -> list[RunResult]:
    """Compile each state for each architecture, and the suites in the last state.

    Each state's files are written once.
    """
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
            said, worked = build(wanted, tree, arch, arch.objects, log)
            if not worked and number == 0:
                raise CommandError(
                    f"{arch.name}: {title} itself does not compile",
                    f"see {log}; a header for one of the kernel's own tools may be missing",
                    "\n".join(line for line in said if "error: " in line),
                )
            new = remarks.new_warnings(before.setdefault(arch.name, said), said)
            cases[arch.name].append(judge(title, new, worked))
            seconds[arch.name] += watch.seconds
    for arch in there:
        if not arch.suites:
            continue
        say(f"{arch.name}: {SUITES} ...")
        watch = Stopwatch()
        said, worked = build(wanted, tree, arch, arch.suites, out / f"{arch.name}-suites.log")
        # Unlike the kernel, the suites must have no warnings at all.
        cases[arch.name].append(judge(SUITES, said, worked))
        seconds[arch.name] += watch.seconds
    return [RunResult(a.name, tuple(cases[a.name]), seconds[a.name]) for a in chosen]


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
