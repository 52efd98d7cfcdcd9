# SPDX-License-Identifier: GPL-2.0
"""make e2e: test a real driver with Debian's own tools in a booted guest."""

from collections import Counter
from collections.abc import Mapping

from harness.base import builddir
from harness.e2e import choice, programs
from harness.e2e import reader as e2e_reader
from harness.e2e import run as e2e_run
from harness.e2e import text
from harness.kernel import machine
from harness.mutation import scenarios as mutation_scenarios
from harness.request import settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian
from harness.verdict import journal, results

COMMAND = Command(
    "make e2e",
    OWN_TREES | {"FLAVOURS", "CONFIGS", "SCENARIOS", "MUTANTS", "GUEST_SHELL"},
    "run a real driver with ndctl and daxctl in a booted guest",
    'altmap e2e "ram-*" --configs 4k',
    "SCENARIOS",
    own_trees="unset KSRC and choose trees with FLAVOURS",
    helps={
        "FLAVOURS": "the flavours to boot (default: series if only --configs is given; series, "
        "stock, baseline and fast if neither is)",
        "CONFIGS": "page sizes: 4k, 16k, 64k; add fragments as in 4k-kasan (default: 4k 64k if "
        "only --flavours is given; one or two for each flavour if neither is)",
        "MUTANTS": "run only these mutants, each with the scenarios that must notice it",
    },
    lists="the scenarios",
)


def listed(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The selected scenarios, with titles and the number of variants. Raises UsageError."""
    scenarios = e2e_reader.load()
    selections = choice.choose(scenarios, environ)
    chosen = {s.variant for selection in selections for s in selection.scenarios}
    counts = Counter((s.name, s.title) for s in scenarios if s.variant in chosen)
    return [
        (name, title + (f" ({count} variants)" if count > 1 else ""))
        for (name, title), count in counts.items()
    ]


def main(environ: Mapping[str, str]) -> int:
    """Run the scenarios and report. Returns 0 only if all results are as expected."""
    request = settings.read(environ)
    scenarios = e2e_reader.load()
    mutants = mutation_scenarios.choose(scenarios, environ)
    selections = (
        []
        if environ.get("MUTANTS") and not environ.get("GUEST_SHELL")
        else choice.choose(scenarios, environ)
    )
    chosen = [s for selection in selections for s in selection.scenarios]
    wanted = debian.resolve(request)
    machine.ensure_tools(wanted, *programs.needed(chosen))
    out = builddir.results(wanted.build, "e2e")
    if environ.get("GUEST_SHELL"):
        return e2e_run.shell(wanted, selections[0], out)
    tools = [tool.proof for tool in programs.needed(scenarios)]
    with journal.of_command("make e2e", wanted, environ, *tools) as kept:
        found = list(e2e_run.run(wanted, selections, out, kept))
        parts = (text.figures(found), text.grids(found))
        found += mutation_scenarios.run(wanted, mutants, scenarios, out, kept)
        more = [line for part in parts if part for line in ("", *part)]
        if more:
            print("\n".join([*more, ""]))
        words = results.in_words(found, f"make e2e on {machine.description()}", text.table(found))
        return results.publish(found, words, out)
