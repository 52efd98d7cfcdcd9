# SPDX-License-Identifier: GPL-2.0
"""make mutants: break the kernel in many ways, and check that the suites notice each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import archive
from harness.base.console import conclude, counted
from harness.base.errors import UsageError
from harness.kernel import machine
from harness.matrix import rows
from harness.mutation import generated
from harness.mutation import mutant as mutation_mutant
from harness.mutation import score
from harness.mutation.generated import Generated
from harness.mutation.generated_run import try_generated
from harness.mutation.mutant import ALL_CONFIGS, CONFIGS, Mutant
from harness.mutation.outcomes import MutantReport, MutantVerdict, as_results
from harness.mutation.tree import MutatedTree
from harness.mutation.written_run import try_mutants
from harness.request import settings
from harness.request.settings import Settings
from harness.request.variables import KERNEL, Command
from harness.revision import onto
from harness.revision import series as revision_series
from harness.trees import debian, worktree
from harness.trees.stack import Patch
from harness.verdict import results

COMMAND = Command(
    "make mutants",
    KERNEL | {"FLAVOUR", "MUTANTS", "CONFIGS", "SERIES", "ONTO", "SAMPLE", "SHARD", "EQUIVALENT"},
    "break the kernel in many ways; the suites must notice each",
    'altmap mutants "alloc-*" "free-*"',
    "MUTANTS",
    helps={
        "FLAVOUR": "try handwritten mutants of series (default) or fast",
        "KSRC": "with --series: apply it to the kernel tree in DIR; nothing is written to DIR",
        "CONFIGS": "only these configs (default: those of each mutant)",
        "SHARD": "try only part I of N of the generated mutants",
        "MUTANTS": "the mutants to try (default: handwritten ones and a sample of generated ones)",
        "SERIES": "mutate the lines that a series adds: a message-id, a directory, an mbox, or "
        "FROM..TO with --ksrc",
    },
    lists="all mutants",
)


# The flavour of the generated mutants, and the default size of the sample.
FLAVOUR = "fixed"
_SAMPLE = 300


def listed(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """All mutants, with their changes. The generated ones need a tree."""
    found = mutation_mutant.read_patches()
    tree = MutatedTree(debian.resolve(settings.read(environ)), flavour=FLAVOUR)
    more = [("generated mutants", "once a run has prepared their tree")]
    if tree.path.exists() and generated.read_functions():
        found += [one.mutant for one in generated.ours(tree)]
        more = []
    return [*((one.name, one.title) for one in found), *more]


def main(environ: Mapping[str, str]) -> int:
    """Try the mutants in MUTANTS, or all. Returns 0 if none is missed."""
    request = settings.read(environ)
    configs = [settings.check_config(c, "CONFIGS") for c in environ.get("CONFIGS", "").split()]
    flavour = _flavour(environ)
    rows.read_shard(environ)
    _sample(environ)
    patches: Sequence[Patch] = ()
    start = ""
    if environ.get("SERIES"):
        if environ.get("MUTANTS") and _globs(environ, True) is None:
            raise UsageError(
                f"MUTANTS={environ['MUTANTS']} names handwritten mutants, "
                "and those of SERIES are generated",
                'leave it out, or give patterns with a colon, as in MUTANTS="*:vmemmap_free:*"',
            )
        series = revision_series.read(environ["SERIES"], request.ksrc)
        request = replace(request, flavour=onto.choose(environ, request, series))
        patches, start = series.patches(len(series.members)), series.start
    elif request.ksrc:
        raise UsageError(
            "make mutants with KSRC needs to know which patches to mutate",
            "name them, as in SERIES=FROM..TO",
        )
    elif environ.get("ONTO"):
        raise UsageError("ONTO is where SERIES goes, and SERIES is not set", "set SERIES too")
    wanted = debian.resolve(request)
    machine.ensure_tools(wanted)
    # Start below the commits of a range, as they are applied again.
    wanted = worktree.fix_start(wanted, start) if start else wanted
    report = MutantReport([])
    if not patches:
        _try_written(wanted, environ, flavour, configs, report)
    made: list[Generated] = []
    if patches or flavour == mutation_mutant.FLAVOUR:
        made = _try_generated(wanted, environ, patches, configs, report)
    if not report.mutants:
        raise UsageError(
            f"none of these mutants is for {' '.join(configs) or 'this shard'}",
            "see altmap mutants --list; make e2e tries those that only scenarios must catch",
        )
    if report.count(MutantVerdict.ABSENT) == len(report.mutants):
        raise UsageError(
            f"none of {len(report.mutants)} mutants is in a kernel with "
            f"{' '.join(configs or CONFIGS)}",
            "choose CONFIGS that compile these lines",
        )
    out = wanted.build / "results"
    write_json(report, out / "mutants.json")
    results.write_junit(as_results(report), out / "mutants.xml")
    archive.write_whole(out / "mutants-score.rst", score.score(report, made))
    is_good = not any(report.complaint(m) for m in report.mutants)
    whole = not environ.get("MUTANTS")
    conclude(summary(report, whole), is_good, out / "mutants.json", out / "mutants.xml")
    return 0 if is_good else 1


def _globs(environ: Mapping[str, str], are_generated: bool) -> str | None:
    """The patterns for one kind of mutants, or None if all are for the other kind."""
    every = environ.get("MUTANTS", "").split()
    found = [glob for glob in every if (":" in glob) == are_generated]
    return " ".join(found) if found or not every else None


def _flavour(environ: Mapping[str, str]) -> str:
    """The flavour of the handwritten mutants to try. Raises UsageError."""
    flavour = environ.get("FLAVOUR") or mutation_mutant.FLAVOUR
    if flavour not in mutation_mutant.FLAVOURS:
        raise UsageError(
            f"FLAVOUR={flavour} has no mutants",
            f"choose from: {' '.join(mutation_mutant.FLAVOURS)}",
        )
    return flavour


def _try_written(
    wanted: Settings,
    environ: Mapping[str, str],
    flavour: str,
    configs: Sequence[str],
    report: MutantReport,
) -> None:
    """Add the results of the handwritten mutants to report. Raises KunitError."""
    globs = _globs(environ, False)
    if globs is None or rows.read_shard(environ).number > 1:
        return
    chosen = mutation_mutant.choose(mutation_mutant.written(flavour), globs)
    chosen = [m for m in chosen if set(configs or m.configs) & set(m.configs)]
    tree = MutatedTree(wanted, flavour=flavour)
    with tree.opened():
        try_mutants(tree, chosen, configs or ALL_CONFIGS, report)


def _try_generated(
    wanted: Settings,
    environ: Mapping[str, str],
    patches: Sequence[Patch],
    configs: Sequence[str],
    report: MutantReport,
) -> list[Generated]:
    """Add the results of the generated mutants to report, and return them. Raises KunitError."""
    globs = _globs(environ, True)
    if globs is None or not (patches or generated.read_functions()):
        return []
    tree = MutatedTree(wanted, patches, FLAVOUR)
    with tree.opened():
        every = generated.of_series(tree, patches) if patches else generated.ours(tree)
        if not every:
            raise UsageError(
                f"there is nothing to mutate in {environ.get('SERIES')}",
                "it must add lines to functions in C files",
            )
        named = {m.name for m in mutation_mutant.choose([one.mutant for one in every], globs)}
        chosen = [one for one in every if one.mutant.name in named]
        if environ.get("SAMPLE") or not (globs or patches):
            chosen = generated.sample(chosen, _sample(environ) or len(chosen))
        shard = rows.read_shard(environ)
        chosen = [
            replace(one, mutant=replace(one.mutant, configs=tuple(configs or CONFIGS)))
            for one in chosen[shard.number - 1 :: shard.of]
        ]
        also = bool(environ.get("EQUIVALENT"))
        try_generated(tree, every, chosen, configs or CONFIGS, report, with_equivalent=also)
    return chosen


def _sample(environ: Mapping[str, str]) -> int | None:
    """The number of generated mutants to try, or None for all. Raises UsageError."""
    given = environ.get("SAMPLE") or str(_SAMPLE)
    if given == "all":
        return None
    if not (given.isdigit() and int(given) > 0):
        raise UsageError(
            f"SAMPLE={given} is not a number of mutants", "give a number, as in SAMPLE=1000, or all"
        )
    return int(given)


# --- Output ---------------------------------------------------------------


def write_json(report: MutantReport, path: Path) -> None:
    """Write all results as JSON."""
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
        "counts": {verdict.value: report.count(verdict) for verdict in MutantVerdict},
        "seconds": round(report.seconds),
        "kept": report.kept[0],
        "mutants": mutants,
        "cases that caught nothing": report.idle_cases(),
    }
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def summary(report: MutantReport, whole: bool) -> str:
    """A line for each mutant, then what is wrong, then the totals."""
    lines = [_line(report, mutant) for mutant in report.mutants]
    for mutant in report.mutants:
        complaint = report.complaint(mutant)
        if complaint:
            lines += ["", complaint, *(f"    {line}" for line in mutant.diff.decode().splitlines())]
    if whole:
        idle = report.idle_cases()
        lines += ["", f"{counted(len(idle), 'case')} caught nothing" + (":" if idle else "")]
        lines += [f"    {name}" for name in idle]
    if report.runs:
        rate = report.runs / report.seconds * 3600
        lines += [
            "",
            f"{counted(report.runs, 'run')} in {report.seconds:.0f} s, {rate:.0f} an hour",
        ]
    if report.kept[0]:
        lines += ["", results.from_earlier(*report.kept)]
    shown = [v for v in MutantVerdict if report.count(v) or v is MutantVerdict.MISSED]
    counts = ", ".join(f"{report.count(v)} {v.value}" for v in shown)
    lines += ["", f"{counted(len(report.mutants), 'mutant')}: {counts}"]
    return "\n".join(lines)


def _line(report: MutantReport, mutant: Mutant) -> str:
    """The verdict on a mutant, and for each config the number of cases, or the verdict."""
    cells = []
    for config in ALL_CONFIGS:
        finding = report.found.get(mutant.name, {}).get(config)
        if finding:
            caught = finding.verdict is MutantVerdict.CAUGHT
            what = str(len(finding.by)) if caught else finding.verdict.value
            cells.append(f"{config} {what}")
    return f"{report.verdict(mutant).value:10} {mutant.name} ({', '.join(cells)})"
