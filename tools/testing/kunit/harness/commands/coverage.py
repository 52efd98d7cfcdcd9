# SPDX-License-Identifier: GPL-2.0
"""make coverage: the lines of the series and the fixes that suites and scenarios run."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import archive, builddir, packages
from harness.base.console import say
from harness.base.errors import UsageError
from harness.coverage import gcov, text
from harness.coverage.text import Touched
from harness.e2e import choice, programs, reader, rootfs
from harness.e2e import run as e2e_run
from harness.e2e import text as e2e_text
from harness.e2e.guest import Guest
from harness.e2e.run import Selection
from harness.e2e.scenario import Device, Scenario
from harness.kernel import image, machine, qemu
from harness.kernel.options import ARM64_QEMU_CONFIG
from harness.request import settings
from harness.request.settings import Settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, worktree
from harness.verdict import journal, judge, kernelrun, results
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult

# The flavour with the patches, the one without them, and the page sizes.
FLAVOUR, BELOW = "series", "baseline"
PAGES = ("4k", "64k")
FRAGMENTS = ("e2e", "coverage")

# What qemu_configs/arm64.py gives the kernel: RAM, the suites' memory, and more arguments.
_ARGUMENTS = re.compile(r".* mem=(\d+)M (vmemmap_kunit\.memory=(\d+)M@(0x\w+) .*)")
# In seconds: how long the console may be silent. Coverage makes the kernel slower.
SUITES_SILENCE = 120
# The script for the guest's init, which starts after the suites have run.
SUITES_SCRIPT = "counters\npoweroff -f\n"


COMMAND = Command(
    "make coverage",
    OWN_TREES | {"CONFIGS", "SCENARIOS"},
    "find the lines of the series and the fixes that no test executes",
    "altmap coverage --configs 4k",
    own_trees="unset KSRC",
    helps={"CONFIGS": f"the page sizes: 4k, 16k, 64k (default: {' '.join(PAGES)})"},
)


def main(environ: Mapping[str, str]) -> int:
    """Run everything with counters and report. Returns 0 only if no line is unexplained."""
    request = settings.read(environ)
    if request.base != settings.HOME_BASE:
        what = f"make coverage tests the series on Linux {settings.HOME_BASE}"
        raise UsageError(what, "unset BASE")
    selections = choose(environ)
    wanted = debian.resolve(request)
    chosen = [s for selection in selections for s in selection.scenarios]
    guest = programs.needed(chosen)
    machine.ensure_tools(wanted, *guest, packages.LCOV)
    out = builddir.results(wanted.build) / "coverage"
    tools = [tool.proof for tool in guest]
    with journal.of_command("make coverage", wanted, environ, *tools) as kept:
        return measure(wanted, selections, out, kept)


def measure(wanted: Settings, selections: Sequence[Selection], out: Path, kept: Journal) -> int:
    """Measure and report. out is replaced at the end."""
    shown, out = out, kept.directory / "all"
    out.mkdir(exist_ok=True)
    reasons = text.read_reasons()
    touched = what_is_touched(wanted)
    source = worktree.prepare(replace(wanted, flavour=FLAVOUR))
    options = tuple(f"GCOV_PROFILE_{Path(name).stem}.o=y" for name in touched)
    found: list[RunResult] = []
    traces: dict[str, list[Path]] = {"suites": [], "scenarios": [], "both": []}
    for selection in selections:
        run_with = replace(selection, make_options=options)
        ran = list(e2e_run.run(wanted, [run_with], out, kept))
        found += ran
        if not all(run.has_kernel for run in ran):
            continue
        suites = functools.partial(run_suites, wanted, run_with, out)
        name = f"{selection.name} suites"
        found.append(kept.run(name, functools.partial(results.guarded, name, suites)))
        for what, logs in logs_of(run_with, out).items():
            say(f"{selection.name}: reading the counters of the {what} ...")
            work = out / f"{selection.directory}-{what}"
            directory = source / f".kunit-{selection.config}"
            traces[what].append(gcov.capture(logs, source, directory, work))
            traces["both"].append(traces[what][-1])
    lines = e2e_text.table(found)
    if traces["both"]:
        seen = {
            what: gcov.merge(paths, source, out / f"{what}.info") for what, paths in traces.items()
        }
        gcov.pages([out / "both.info"], source, out / "html")
        report = text.compare(touched, seen, reasons)
        found.append(report.result)
        lines += ["", *report.lines, "", f"line by line: {shown / 'html/index.html'}"]
    results.write(found, out / "coverage")
    archive.replace_directory(out, shown)
    words = results.in_words(found, f"make coverage on {machine.description()}", lines)
    return results.conclude(found, words, shown / "coverage.json", shown / "html/index.html")


def choose(environ: Mapping[str, str]) -> list[Selection]:
    """The kernels and scenarios that SCENARIOS and CONFIGS select. Raises UsageError."""
    pages = environ.get("CONFIGS") or " ".join(PAGES)
    chosen = choice.choose(reader.load(), {**environ, "FLAVOURS": FLAVOUR, "CONFIGS": pages})
    return [replace(selection, fragments=FRAGMENTS) for selection in chosen]


def what_is_touched(wanted: Settings) -> Touched:
    """The lines that the series and the fixes add to files that arm64 compiles."""
    below = worktree.stack(replace(wanted, flavour=BELOW))
    above = worktree.stack(replace(wanted, flavour=FLAVOUR))
    return text.added(above.git, below.commit, above.commit)


def run_suites(wanted: Settings, selection: Selection, out: Path) -> tuple[CaseResult, ...]:
    """Boot the kernel of a selection with its suites. Raises KunitError."""
    log = out / selection.directory / "suites.console.log"
    say(f"{selection.name} suites ...")
    built = replace(wanted, flavour=selection.flavour, config=selection.config)
    kernel = worktree.prepare(built) / f".kunit-{selection.config}" / image.IMAGE
    guest = Guest(kernel, rootfs.base(wanted), suites_scenario(), wanted.build / "e2e")
    with guest.memory() as memory:
        overlay = rootfs.overlay(SUITES_SCRIPT, ())
        guest.boot(overlay, memory, log, lambda _: "error: the host does not answer")
    expected = kernelrun.expectation(
        replace(wanted, flavour=selection.flavour, config=selection.page)
    )
    return kernelrun.case_results(judge.judge(gcov.without_counters(log), expected))


def suites_scenario() -> Scenario:
    """The machine in qemu_configs/arm64.py."""
    found = _ARGUMENTS.fullmatch(qemu.parameters(ARM64_QEMU_CONFIG).kernel_command_line)
    assert found, "qemu_configs/arm64.py has another form"
    ram, arguments, size, address = found.groups()
    return Scenario(
        name="suites",
        title="The suites",
        variables={},
        memory=int(ram) << 20,
        cpus=1,
        seconds=SUITES_SILENCE,
        arguments=f"kunit.enable=1 {arguments}",
        devices=(Device(int(size) << 20, int(address, 16), is_described=False),),
        pages=PAGES,
        failing={},
        recorded=(),
        steps=(),
    )


def logs_of(selection: Selection, out: Path) -> dict[str, Sequence[Path]]:
    """The console logs of a selection."""
    logs = sorted((out / selection.directory).glob("*.console.log"))
    return {
        "suites": [log for log in logs if log.name == "suites.console.log"],
        "scenarios": [log for log in logs if log.name != "suites.console.log"],
    }
