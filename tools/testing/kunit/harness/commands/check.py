# SPDX-License-Identifier: GPL-2.0
"""make check: run all tests of this repository and judge them strictly."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, packages
from harness.base.console import Stopwatch, say
from harness.base.errors import UsageError
from harness.e2e import run as e2e_run
from harness.kernel import machine
from harness.mutation import written_run
from harness.request import settings
from harness.request.settings import HOME_BASE, Settings, flavours_of
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, worktree
from harness.verdict import arches, host_tests, journal, results
from harness.verdict.journal import Journal
from harness.verdict.kernelrun import KernelRun
from harness.verdict.results import CaseResult, RunResult

# The runs: flavour, config. The quick ones are the default.
QUICK = (("series", "4k"), ("series", "64k"), ("baseline", "4k"))
RUNS = (
    *QUICK,
    ("stock", "4k"),
    ("series", "16k"),
    ("series", "4k-debug"),
    ("baseline", "64k"),
    ("stock", "64k"),
    ("fixed", "4k"),
    ("fixed", "64k"),
    ("fast", "4k"),
)
# Compiling the suites for another architecture finds a missing #include. It needs no boot.
OTHER = next(arch for arch in arches.ARCHES if arch.arch == "riscv")


@dataclass(frozen=True)
class Phase:
    """A part of the check."""

    name: str
    do: Callable[[], RunResult]


COMMAND = Command(
    "make check",
    OWN_TREES | {"ALL", "FLAVOURS", "CONFIGS"},
    "run the host tests, the suites with three kernels, and some mutants",
    "altmap check --all",
    own_trees="unset KSRC; kunit.py run tests your own tree",
)


def listed(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The kernels to choose from, or the chosen ones."""
    return choose_runs({"ALL": "1", **environ})


def main(environ: Mapping[str, str]) -> int:
    """Run everything and report. Returns 0 only if all results are as expected."""
    request = settings.read(environ)
    choose_runs(environ, request.base)
    wanted = debian.resolve(request)
    runs = choose_runs(environ, wanted.base)
    compiles = ("series", "4k") in runs and not _is_quick(environ)
    compiler = [OTHER.compiler] if compiles else []
    # A host test links a selftest of the kernel.
    guest = packages.for_guest(firmware=False, selftests=True)
    machine.ensure_tools(wanted, *packages.HOST_TESTS, *guest, *compiler)
    out = builddir.results(wanted.build)
    phases = [Phase(host_tests.NAME, lambda: host_tests.run(out))]
    phases.append(Phase("mypy --strict", host_tests.type_check))
    for flavour, config in runs:
        one = KernelRun(replace(wanted, flavour=flavour, config=config), out)
        phases.append(Phase(one.name, one.run))
    if ("series", written_run.FAST_CONFIG) in runs:
        phases.append(Phase(written_run.FAST_NAME, lambda: written_run.fast(wanted)))
    if ("series", e2e_run.SMOKE_PAGE) in runs and not _is_quick(environ):
        phases.append(Phase(e2e_run.SMOKE, lambda: e2e_run.smoke(wanted)))
    if compiles:
        name = f"{OTHER.name}, {arches.SUITES}"
        one_tree = replace(wanted, flavour="series")
        phases.append(Phase(name, lambda: results.guarded(name, lambda: _suites(one_tree, out))))
    programs = [need.proof for need in compiler]
    with journal.of_command("make check", wanted, environ, *programs) as kept:
        found = run_phases(phases, kept)
        text = results.summary(found, f"make check on {machine.description()}")
        return results.publish(found, text, out / "check")


def _suites(wanted: Settings, out: Path) -> Iterator[CaseResult]:
    """Compile the suites for another architecture. Raises KunitError."""
    yield arches.compile_suites(wanted, worktree.prepare(wanted), OTHER, out)


def choose_runs(environ: Mapping[str, str], base: str = HOME_BASE) -> list[tuple[str, str]]:
    """The runs that ALL, CONFIGS, FLAVOURS and the base select. Raises UsageError."""
    of = QUICK if _is_quick(environ) else RUNS
    chosen = [run for run in of if run[0] in flavours_of(base)]
    for variable, position in (("FLAVOURS", 0), ("CONFIGS", 1)):
        known = sorted({run[position] for run in RUNS})
        names = settings.choose(variable, environ.get(variable, ""), known)
        chosen = [run for run in chosen if not names or run[position] in names]
    if not chosen:
        raise UsageError(
            "FLAVOURS and CONFIGS together select no run",
            "choose from: " + ", ".join(f"{f} {c}" for f, c in RUNS),
        )
    return chosen


def _is_quick(environ: Mapping[str, str]) -> bool:
    return not any(environ.get(name) for name in ("ALL", "FLAVOURS", "CONFIGS"))


def run_phases(phases: Sequence[Phase], kept: Journal) -> list[RunResult]:
    """Run all phases, also after failures. Use the results in the journal."""
    found: list[RunResult] = []
    watch = Stopwatch()
    for number, phase in enumerate(phases, 1):
        watch.say(f"{number}/{len(phases)}: {phase.name} ...")
        found.append(kept.run(phase.name, phase.do))
        for finding in found[-1].findings:
            say(f"  {finding.text}")
    watch.say("done")
    return found
