# SPDX-License-Identifier: GPL-2.0
"""make e2e: a real driver and Debian's own tools in a booted guest."""

from collections import Counter
from collections.abc import Mapping

from harness.base import builddir, packages
from harness.base.console import conclude
from harness.base.errors import UsageError
from harness.e2e import choice
from harness.e2e import reader as e2e_reader
from harness.e2e import run as e2e_run
from harness.e2e import text
from harness.kernel import machine
from harness.mutation import scenarios as mutation_scenarios
from harness.request import settings
from harness.request.variables import KERNEL, Command
from harness.trees import debian
from harness.verdict import journal, results

COMMAND = Command(
    "make e2e",
    KERNEL | {"FLAVOURS", "CONFIGS", "SCENARIOS", "MUTANTS", "GUEST_SHELL"},
    "run a real driver with ndctl and daxctl in a booted guest",
    'altmap e2e "ram-*" --configs 4k',
    "SCENARIOS",
)


def listed(_environ: Mapping[str, str]) -> list[str]:
    """The scenarios, each with its title and how many variants it has."""
    counts = Counter((s.name, s.title) for s in e2e_reader.load())
    return [
        f"{name:18} {title}" + (f" ({count} variants)" if count > 1 else "")
        for (name, title), count in counts.items()
    ]


def main(environ: Mapping[str, str]) -> int:
    """Run the scenarios and report them; 0 only when all is as expected."""
    wish = settings.read(environ)
    if wish.ksrc:
        raise UsageError(
            "make e2e judges this repository's own trees, not KSRC",
            "unset KSRC, and choose among them with FLAVOURS",
        )
    scenarios = e2e_reader.load()
    mutants = mutation_scenarios.choose(scenarios, environ)
    plans = (
        []
        if environ.get("MUTANTS") and not environ.get("GUEST_SHELL")
        else choice.choose(scenarios, environ)
    )
    chosen = [s for plan in plans for s in plan.scenarios]
    wanted = debian.resolve(wish)
    machine.ensure_tools(wanted, *packages.for_guest(any(s.has_firmware for s in chosen)))
    out = wanted.build / "results"
    builddir.mark(wanted.build)
    (out / "e2e").mkdir(parents=True, exist_ok=True)
    if environ.get("GUEST_SHELL"):
        return e2e_run.shell(wanted, plans[0], out / "e2e")
    key = journal.key(
        wanted, "make e2e", environ, *(tool.proof for tool in packages.for_guest(True))
    )
    with journal.opened(out / "e2e.partial", "make e2e", key) as kept:
        found = list(e2e_run.run(wanted, plans, out / "e2e", kept))
        shown = list(found)
        found += mutation_scenarios.run(wanted, mutants, scenarios, out / "e2e", kept)
        results.write_json(found, out / "e2e.json")
        results.write_junit(found, out / "e2e.xml")
    more = [
        line for part in (text.figures(shown), text.grids(shown)) if part for line in ("", *part)
    ]
    status = results.status(found)
    if more:
        print("\n".join([*more, ""]))
    words = results.in_words(found, f"make e2e on {machine.description()}", text.table(found))
    conclude(words, not status, out / "e2e.json", out / "e2e.xml")
    return int(status)
