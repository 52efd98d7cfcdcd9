# SPDX-License-Identifier: GPL-2.0
"""Try handwritten mutants with each config."""

from collections.abc import Sequence
from dataclasses import replace

from harness.base.console import Stopwatch
from harness.base.errors import KunitError, UsageError
from harness.kernel.qemu import Ran
from harness.mutation import mutant as mutation_mutant
from harness.mutation.kernels import Fate, MutantBuilds, Outcome
from harness.mutation.mutant import Mutant
from harness.mutation.outcomes import (
    Countdown,
    MutantReport,
    MutantVerdict,
    Tried,
    as_results,
    judge_boot,
    not_green,
)
from harness.mutation.tree import MutatedTree
from harness.request.settings import Settings
from harness.verdict import judge, kernelrun, ktap, results
from harness.verdict.results import RunResult

FAST_CONFIG = "4k"
FAST_NAME = "mutants, the fast ones"


def fast(wanted: Settings) -> RunResult:
    """Try the mutants that make check includes. Errors are part of the result."""
    watch = Stopwatch()
    try:
        chosen = [m for m in mutation_mutant.written(wanted.flavour) if m.fast]
        if not chosen:
            raise UsageError("no mutant is marked Fast:", f"mark some in {mutation_mutant.PATCHES}")
        tree = MutatedTree(wanted)
        with tree.opened():
            report = MutantReport([])
            try_mutants(tree, chosen, [FAST_CONFIG], report)
        [ran] = as_results(report)
    except KunitError as error:
        ran = RunResult(FAST_NAME, (results.preparation(error),), 0.0)
    return replace(ran, name=FAST_NAME, seconds=watch.seconds)


def try_mutants(
    tree: MutatedTree, mutants: Sequence[Mutant], configs: Sequence[str], report: MutantReport
) -> None:
    """Try mutants with each config that must catch them."""
    watch = Stopwatch()
    for config in configs:
        wanted = [m for m in mutants if report.wants(m, config)]
        if wanted:
            _try_config(MutantBuilds(tree, config), wanted, report, watch)
    report.seconds += watch.seconds


def _try_config(
    builds: MutantBuilds, wanted: Sequence[Mutant], report: MutantReport, watch: Stopwatch
) -> None:
    """Look up known results and try the other mutants.

    Raises CommandError if the suites fail without a mutant.
    """
    expected = kernelrun.expectation(builds.wanted)
    known = {m.name: builds.known(m) for m in wanted}
    rest = [m for m in wanted if known[m.name] is None]
    original = builds.known(None)
    if rest or original is None:
        original = builds.original()
    numbers = sorted({mutant.cpus for mutant in rest} - {1})
    for outcome in (original, *map(builds.original_on, numbers)):
        verdict = judge.judge(outcome.console, expected)
        if verdict.unexpected:
            raise not_green(builds.wanted, verdict.complaints)
    order = [name for name, _ in ktap.read(original.console.splitlines()).cases]
    report.cases[builds.config] = order
    for mutant in wanted:
        found = known[mutant.name]
        if found:
            kept = replace(judge_outcome(found, expected, order), is_kept=True)
            report.add(mutant, builds.config, kept)
    countdown = Countdown(report, builds.config, "mutant", len(wanted), len(rest), watch)
    # Sort by file, so that fewer objects are rebuilt.
    rest.sort(key=lambda m: (len(m.files), m.files))
    builds.run(rest, lambda m, outcome: countdown.take(m, judge_outcome(outcome, expected, order)))


def judge_outcome(outcome: Outcome, expected: judge.Expectation, order: Sequence[str]) -> Tried:
    """The verdict on an outcome. order: the cases in the order in which the original runs them."""
    if outcome.fate is Fate.UNVIABLE:
        return Tried(MutantVerdict.UNVIABLE, (), outcome.log, outcome.seconds)
    if outcome.fate is Fate.SAME:
        return Tried(MutantVerdict.SAME, (), (), outcome.seconds)
    ran = Ran(outcome.console, outcome.seconds, outcome.fate is Fate.TIMED_OUT)
    return judge_boot(ran, expected, order)
