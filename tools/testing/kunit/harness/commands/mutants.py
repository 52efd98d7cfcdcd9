# SPDX-License-Identifier: GPL-2.0
"""make mutants: break the kernel code in known ways; each must turn the suites red."""

import json
from collections.abc import Mapping
from pathlib import Path

from harness.base import archive
from harness.base.console import conclude
from harness.base.errors import UsageError
from harness.kernel import machine
from harness.mutation import mutant as mutation_mutant
from harness.mutation.mutant import ALL_CONFIGS, Mutant
from harness.mutation.outcomes import Report, Verdict, as_results, generate, try_mutants
from harness.mutation.tree import MutatedTree
from harness.request import settings
from harness.request.settings import Wish
from harness.request.variables import KERNEL, Command
from harness.trees import debian
from harness.verdict import results

COMMAND = Command(
    "make mutants",
    KERNEL | {"MUTANTS"},
    "break the kernel in known ways; the suites must notice each",
    'altmap mutants "alloc-*" "free-*"',
    "MUTANTS",
)


def listed(_environ: Mapping[str, str]) -> list[str]:
    """The written mutants, each with what it does. The generated ones need a tree."""
    written = [f"{one.name:40} {one.title}" for one in mutation_mutant.read_patches()]
    return [*written, "and those that are generated from the lines that the patches touch"]


def main(environ: Mapping[str, str]) -> int:
    """Try the mutants that MUTANTS names, or all; 0 only when none is missed."""
    wish = settings.read(environ)
    globs = environ.get("MUTANTS", "")
    refuse_user_tree(wish)
    wanted = debian.resolve(wish)
    written = mutation_mutant.read_patches()
    machine.ensure_tools(wanted)
    tree = MutatedTree(wanted)
    with tree.opened():
        every = [*written, *generate(tree, written)]
        chosen = mutation_mutant.choose(every, globs)
        report = try_mutants(tree, chosen, ALL_CONFIGS)
    out = wanted.build / "results"
    write_json(report, out / "mutants.json")
    results.write_junit(as_results(report), out / "mutants.xml")
    is_good = not any(report.complaint(m) for m in chosen)
    conclude(summary(report, whole=not globs), is_good, out / "mutants.json", out / "mutants.xml")
    return 0 if is_good else 1


def refuse_user_tree(wish: Wish) -> None:
    """Mutants are of our own series. Raises UsageError."""
    if wish.ksrc:
        raise UsageError(
            "make mutants breaks this repository's own series, not KSRC",
            "unset KSRC; to break a tree of yours, edit it and run kunit.py",
        )


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
