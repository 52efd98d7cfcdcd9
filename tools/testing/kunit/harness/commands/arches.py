# SPDX-License-Identifier: GPL-2.0
"""make arches: compile each patch, and the suites, for other architectures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import builddir, packages
from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError
from harness.kernel import machine
from harness.kernel.finding import Status
from harness.request import settings
from harness.request.settings import REPO, Settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, layers, versions, worktree
from harness.trees.stack import Patch
from harness.verdict import remarks, results
from harness.verdict.arches import ARCHES, SUITES, Arch, build, compile_suites, judge
from harness.verdict.results import CaseResult, RunResult

NAME = "arches"
# The base of the series, the series, and the patches after it.
ONTO = "baseline"
SERIES, FIXES = REPO / "patches/series", REPO / "patches/fixes"

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


def states(base: str) -> Iterator[tuple[str, list[Patch]]]:
    """The states to compile: the base, the series patch by patch, and the fixes on top."""
    version = versions.parse(base)
    series = layers.read_patches(SERIES, version)
    yield ONTO, []
    for count, patch in enumerate(series, 1):
        yield f"patch {count}: {patch.path.stem}", series[:count]
    yield "with the fixes", [*series, *layers.read_patches(FIXES, version)]


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
    for number, (title, patches) in enumerate(states(wanted.base)):
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
        if arch.suites:
            say(f"{arch.name}: {SUITES} ...")
            watch = Stopwatch()
            cases[arch.name].append(compile_suites(wanted, tree, arch, out))
            seconds[arch.name] += watch.seconds
    return [RunResult(a.name, tuple(cases[a.name]), seconds[a.name]) for a in chosen]
