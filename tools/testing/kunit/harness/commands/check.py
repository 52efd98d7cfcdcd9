# SPDX-License-Identifier: GPL-2.0
"""make check: all tests of this repository, judged strictly."""

import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import Callable, List, Mapping, Sequence, Tuple

import e2e_run
import host_tests
import journal
import mutant_trials
import options
import packages
import proc
import results
import settings as settings_module
import suite
import tree
from cell import Cell
from errors import UsageError
from journal import Journal
from proc import say
from results import RunResult
from settings import HOME_BASE, Settings, flavours_of
from variables import KERNEL, Command

# Every run: the flavour, the config.
RUNS = (
    ("series", "4k"),
    ("series", "16k"),
    ("series", "64k"),
    ("series", "4k-debug"),
    ("baseline", "4k"),
    ("baseline", "64k"),
    ("stock", "4k"),
    ("stock", "64k"),
    ("fixed", "4k"),
    ("fixed", "64k"),
)


@dataclass(frozen=True)
class Phase:
    """A part of the check, known by name."""

    name: str
    do: Callable[[], RunResult]


COMMAND = Command("make check", KERNEL | {"FLAVOURS", "CONFIGS"})


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run everything, tell everything; 0 only when all is as expected."""
    if argv:
        raise UsageError("make check takes no arguments", 'narrow it with CONFIGS="4k 64k"')
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    if wish.ksrc:
        raise UsageError(
            "make check judges this repository's own trees, not KSRC",
            "unset KSRC; kunit.py run tests a tree of yours",
        )
    choose_runs(environ, wish.base)
    wanted = suite.resolve(wish)
    runs = choose_runs(environ, wanted.base)
    ensure_tools(wanted, *packages.HOST_TESTS, *packages.GUEST)
    out = wanted.build / "results"
    tree.mark(wanted.build)
    out.mkdir(exist_ok=True)
    phases = [Phase(host_tests.NAME, lambda: host_tests.run(out))]
    phases.append(Phase("mypy --strict", host_tests.type_check))
    for flavour, config in runs:
        cell = Cell(replace(wanted, flavour=flavour, config=config), out)
        phases.append(Phase(cell.name, cell.run))
    if ("series", mutant_trials.FAST_CONFIG) in runs:
        phases.append(Phase(mutant_trials.FAST_NAME, lambda: mutant_trials.fast(wanted)))
    if ("series", e2e_run.SMOKE_PAGE) in runs:
        phases.append(Phase(e2e_run.SMOKE, lambda: e2e_run.smoke(wanted)))
    key = journal.key(wanted, "make check", environ)
    with journal.opened(out / "check.partial", "make check", key) as kept:
        found = run_phases(phases, kept)
        results.write_json(found, out / "check.json")
        results.write_junit(found, out / "check.xml")
    print(results.summary(found, _heading()))
    return int(results.status(found))


def choose_runs(environ: Mapping[str, str], base: str = HOME_BASE) -> List[Tuple[str, str]]:
    """The runs that CONFIGS, FLAVOURS and the base leave. Raises UsageError if one is unknown."""
    chosen = [run for run in RUNS if run[0] in flavours_of(base)]
    for variable, position in (("FLAVOURS", 0), ("CONFIGS", 1)):
        names = environ.get(variable, "").split()
        known = sorted({run[position] for run in RUNS})
        for name in names:
            if name not in known:
                raise UsageError(
                    f"{variable}: make check has no '{name}'", f"choose from: {' '.join(known)}"
                )
        chosen = [run for run in chosen if not names or run[position] in names]
    if not chosen:
        raise UsageError(
            "FLAVOURS and CONFIGS together leave nothing to run",
            "choose from: " + ", ".join(f"{f} {c}" for f, c in RUNS),
        )
    return chosen


def ensure_tools(wanted: Settings, *more: packages.Requirement) -> None:
    """See to everything that building and booting needs, and to more."""
    line = options.take_apart(["run"])
    cross = options.needs_cross_package(line)
    needed = [*packages.for_tree(wanted), *packages.for_build(cross), packages.QEMU, *more]
    packages.ensure(needed)
    packages.check_qemu()


def run_phases(phases: Sequence[Phase], kept: Journal) -> List[RunResult]:
    """Run all phases, whatever the outcome of each, but for those that a journal has."""
    found: List[RunResult] = []
    watch = proc.Stopwatch()
    for number, phase in enumerate(phases, 1):
        say(f"[{watch.seconds:4.0f} s] {number}/{len(phases)}: {phase.name} ...")
        found.append(_told(kept.run(phase.name, phase.do)))
    say(f"[{watch.seconds:4.0f} s] done")
    return found


def _told(result: RunResult) -> RunResult:
    for finding in result.findings:
        say(f"  {finding.text}")
    return result


def _heading() -> str:
    """On what all this ran."""
    words = [f"make check on {os.cpu_count()} CPUs, {sys.platform}"]
    for argv in (["aarch64-linux-gnu-gcc", "--version"], [packages.QEMU.proof, "--version"]):
        words += first_line(argv)
    return "\n".join(words)


def first_line(argv: List[str]) -> List[str]:
    """What a program says of itself, if it is there."""
    return [proc.run(argv).stdout.partition("\n")[0]] if shutil.which(argv[0]) else []


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
