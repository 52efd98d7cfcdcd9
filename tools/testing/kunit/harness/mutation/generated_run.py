# SPDX-License-Identifier: GPL-2.0
"""Try generated mutants with each config."""

from collections.abc import Sequence

from harness.base.archive import Archive
from harness.base.console import Stopwatch
from harness.mutation.boots import MutantBoots
from harness.mutation.generated import Generated
from harness.mutation.mutant_kernel import MutantKernel
from harness.mutation.outcomes import Countdown, MutantReport, MutantVerdict, Tried
from harness.mutation.tree import MutatedTree


def try_generated(
    tree: MutatedTree,
    every: Sequence[Generated],
    chosen: Sequence[Generated],
    configs: Sequence[str],
    report: MutantReport,
    with_equivalent: bool = False,
) -> None:
    """Try some of the mutants. A mutant that one config caught is not tried with the next.

    with_equivalent: also boot mutants that are declared equivalent. Raises CommandError if the
    suites fail without a mutant.
    """
    watch = Stopwatch()
    for config in configs:
        wanted = [one for one in chosen if report.wants(one.mutant, config)]
        if wanted:
            _try_config(tree, every, wanted, config, report, watch, with_equivalent)
    report.seconds += watch.seconds


def _try_config(
    tree: MutatedTree,
    every: Sequence[Generated],
    wanted: Sequence[Generated],
    config: str,
    report: MutantReport,
    watch: Stopwatch,
    with_equivalent: bool,
) -> None:
    kernel = MutantKernel(tree, config, every)
    built = kernel.build()
    boots = MutantBoots(kernel, built, tree.is_ours, Archive(tree.out / "generated"))
    rest: list[Generated] = []
    for one in wanted:
        known = boots.known(one)
        if one.mutant.name in built.unviable:
            report.add(one.mutant, config, Tried(MutantVerdict.UNVIABLE))
        elif one.mutant.name in built.absent:
            report.add(one.mutant, config, Tried(MutantVerdict.ABSENT))
        elif one.mutant.equivalent and not with_equivalent:
            report.add(one.mutant, config, Tried(MutantVerdict.EQUIVALENT))
        elif known:
            report.add(one.mutant, config, known)
        else:
            rest.append(one)
    countdown = Countdown(report, config, "generated mutant", len(wanted), len(rest), watch)
    boots.run(rest, lambda one, tried: countdown.take(one.mutant, tried))
