# SPDX-License-Identifier: GPL-2.0
"""Run scenarios on mutants that name them. A scenario must fail."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base.console import Stopwatch, say
from harness.base.errors import KunitError, UsageError
from harness.e2e import run as e2e_run
from harness.e2e.run import Selection
from harness.e2e.scenario import Scenario
from harness.kernel.finding import Finding, Kind
from harness.mutation import mutant as mutation_mutant
from harness.mutation.mutant import Mutant
from harness.mutation.tree import MutatedTree
from harness.request.settings import Settings
from harness.verdict import results
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult

# The kernel to mutate, and the variables without which all of these mutants run.
FLAVOUR, PAGE = "series", "4k"
_NARROWING = ("SCENARIOS", "FLAVOURS", "CONFIGS")


def choose(scenarios: Sequence[Scenario], environ: Mapping[str, str]) -> list[Mutant]:
    """The mutants that name scenarios, limited by MUTANTS. Raises UsageError.

    There are none if the user selects scenarios or kernels, but no mutants.
    """
    globs = environ.get("MUTANTS", "")
    given = [name for name in _NARROWING if environ.get(name)]
    if globs and given and not environ.get("GUEST_SHELL"):
        raise UsageError(
            f"MUTANTS and {given[0]} exclude each other: each mutant names its scenarios",
            f"leave {given[0]} or MUTANTS out",
        )
    if given and not globs:
        return []
    known = {scenario.name for scenario in scenarios if PAGE in scenario.pages}
    found = [m for m in mutation_mutant.read_patches() if m.scenarios]
    for mutant in found:
        unknown = sorted(set(mutant.scenarios) - known)
        if unknown:
            raise UsageError(
                f"{mutant.name}: there is no scenario '{unknown[0]}' for {PAGE}",
                f"choose from: {' '.join(sorted(known))}",
            )
    return mutation_mutant.choose(found, globs) if found else []


def run(
    wanted: Settings,
    mutants: Sequence[Mutant],
    scenarios: Sequence[Scenario],
    out: Path,
    kept: Journal,
) -> Iterator[RunResult]:
    """Boot each mutant for its scenarios. A mutant that no scenario notices is a failure.

    Kept results are not repeated.
    """
    if not mutants:
        return
    tree = MutatedTree(replace(wanted, flavour=FLAVOUR))
    with tree.opened():
        for mutant in mutants:
            chosen = tuple(s for s in scenarios if s.name in mutant.scenarios)
            # Some need fewer fragments, but make e2e has compiled a kernel with these before.
            fragments = (e2e_run.FRAGMENT, e2e_run.SLOTS)
            selection = Selection(FLAVOUR, PAGE, chosen, fragments, source=tree.path)
            do = functools.partial(_try, tree, mutant, selection, out)
            yield kept.run(f"mutant {mutant.name}", do)


def _try(tree: MutatedTree, mutant: Mutant, selection: Selection, out: Path) -> RunResult:
    watch = Stopwatch()
    name = f"mutant {mutant.name}"
    say(f"{name} ...")
    logs = out / mutant.name
    logs.mkdir(parents=True, exist_ok=True)
    cases: list[CaseResult] = []
    with tree.mutated(mutant) as complaint:
        if complaint:
            error = KunitError(
                f"{mutant.name} does not apply",
                f"update {mutation_mutant.PATCHES / mutant.name}.patch",
                complaint,
            )
            cases.append(results.preparation(error))
        else:
            for result in e2e_run.run(tree.wanted, [selection], logs):
                cases += result.cases
    ran = RunResult(name, tuple(cases), watch.seconds)
    if not ran.has_kernel:
        return ran
    if ran.findings:
        return replace(ran, cases=tuple(replace(case, finding=None) for case in cases))
    text = f"{mutant.name}: no scenario notices it: {mutant.title}"
    missed = results.failed(mutant.name, Finding(Kind.MUTANT_MISSED, text))
    return replace(ran, cases=(*cases, missed))
