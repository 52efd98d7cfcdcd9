# SPDX-License-Identifier: GPL-2.0
"""make mutants: break the kernel code in known ways; each must turn the suites red."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import archive
from harness.base.console import conclude
from harness.base.errors import UsageError
from harness.kernel import machine
from harness.mutation import mutant as mutation_mutant
from harness.mutation.generated import generate, of_series
from harness.mutation.mutant import ALL_CONFIGS, CONFIGS, Mutant
from harness.mutation.outcomes import Report, Verdict, as_results, try_mutants
from harness.mutation.tree import MutatedTree
from harness.request import settings
from harness.request.variables import KERNEL, Command
from harness.revision import onto
from harness.revision import series as revision_series
from harness.trees import debian
from harness.trees.stack import Patch
from harness.verdict import results

COMMAND = Command(
    "make mutants",
    KERNEL | {"MUTANTS", "CONFIGS", "SERIES", "ONTO"},
    "break the kernel in known ways; the suites must notice each",
    'altmap mutants "alloc-*" "free-*"',
    "MUTANTS",
)


def listed(_environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The written mutants with what they do. The generated ones need a tree."""
    written = [(one.name, one.title) for one in mutation_mutant.read_patches()]
    return [*written, ("generated mutants", "of the lines that the patches touch")]


def main(environ: Mapping[str, str]) -> int:
    """Try the mutants that MUTANTS names, or all; 0 only when none is missed."""
    wish = settings.read(environ)
    globs = environ.get("MUTANTS", "")
    configs = [settings.check_config(c) for c in environ.get("CONFIGS", "").split()]
    patches: Sequence[Patch] = ()
    if environ.get("SERIES"):
        series = revision_series.read(environ["SERIES"], wish.ksrc)
        wish = replace(wish, flavour=onto.choose(environ, wish, series))
        patches = series.patches(len(series.members))
    elif wish.ksrc:
        raise UsageError(
            "make mutants has to know which patches of KSRC it shall mutate",
            "say which: SERIES=FROM..TO",
        )
    wanted = debian.resolve(wish)
    machine.ensure_tools(wanted)
    tree = MutatedTree(wanted, patches)
    with tree.opened():
        every = _mutants(tree, patches, configs)
        if not every:
            raise UsageError(
                f"there is nothing to mutate in {environ.get('SERIES')}",
                "see that it adds lines to functions in C files",
            )
        chosen = mutation_mutant.choose(every, globs)
        chosen = [m for m in chosen if not configs or set(configs) & set(m.configs)]
        if not chosen:
            raise UsageError(f"none of these mutants is for {' '.join(configs)}", "see --list")
        report = try_mutants(tree, chosen, configs or ALL_CONFIGS)
    out = wanted.build / "results"
    write_json(report, out / "mutants.json")
    results.write_junit(as_results(report), out / "mutants.xml")
    is_good = not any(report.complaint(m) for m in chosen)
    conclude(summary(report, whole=not globs), is_good, out / "mutants.json", out / "mutants.xml")
    return 0 if is_good else 1


def _mutants(tree: MutatedTree, patches: Sequence[Patch], configs: Sequence[str]) -> list[Mutant]:
    """All that there are: of the user's patches, or of our own series."""
    if patches:
        return of_series(tree, patches, configs or CONFIGS)
    written = mutation_mutant.read_patches()
    return [*written, *generate(tree, written)]


# --- Telling it -----------------------------------------------------------


def write_json(report: Report, path: Path) -> None:
    """Write everything as JSON."""
    mutants = [
        {
            "name": mutant.name,
            "title": mutant.title,
            "breaks": mutant.breaks,
            "equivalent": mutant.equivalent,
            "verdict": report.verdict(mutant).value,
            "complaint": report.complaint(mutant),
            "configs": {
                config: {
                    "verdict": finding.verdict.value,
                    "by": finding.by,
                    "log": finding.log,
                    "seconds": round(finding.seconds, 1),
                    "kept": finding.is_kept,
                }
                for config, finding in report.found.get(mutant.name, {}).items()
            },
        }
        for mutant in report.mutants
    ]
    document = {
        "counts": {verdict.value: report.count(verdict) for verdict in Verdict},
        "seconds": round(report.seconds),
        "kept": report.kept[0],
        "mutants": mutants,
        "cases that caught nothing": report.idle_cases(),
    }
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def summary(report: Report, whole: bool) -> str:
    """A line for each mutant, what is wrong, and one plain line last."""
    lines = [_line(report, mutant) for mutant in report.mutants]
    for mutant in report.mutants:
        complaint = report.complaint(mutant)
        if complaint:
            lines += ["", complaint, *(f"    {line}" for line in mutant.diff.decode().splitlines())]
    if whole:
        idle = report.idle_cases()
        lines += ["", f"{len(idle)} cases caught nothing" + (":" if idle else "")]
        lines += [f"    {name}" for name in idle]
    if report.runs:
        rate = report.runs / report.seconds * 3600
        lines += ["", f"{report.runs} runs in {report.seconds:.0f} s, {rate:.0f} an hour"]
    if report.kept[0]:
        lines += ["", results.from_earlier(*report.kept)]
    shown = [v for v in Verdict if report.count(v) or v is Verdict.MISSED]
    counts = ", ".join(f"{report.count(v)} {v.value}" for v in shown)
    lines += ["", f"{len(report.mutants)} mutants: {counts}"]
    return "\n".join(lines)


def _line(report: Report, mutant: Mutant) -> str:
    """A verdict, the mutant, and in each config how many cases caught it or what else."""
    cells = []
    for config in ALL_CONFIGS:
        finding = report.found.get(mutant.name, {}).get(config)
        if finding:
            caught = finding.verdict is Verdict.CAUGHT
            what = str(len(finding.by)) if caught else finding.verdict.value
            cells.append(f"{config} {what}")
    return f"{report.verdict(mutant).value:10} {mutant.name} ({', '.join(cells)})"
