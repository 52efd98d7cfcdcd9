# SPDX-License-Identifier: GPL-2.0
"""make coverage: which lines of the series and the fixes run in suites and scenarios."""

import functools
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

import archive
import cell
import check
import coverage_data
import coverage_report
import e2e
import e2e_root
import e2e_run
import e2e_scenario
import image
import journal
import judge
import packages
import proc
import results
import settings as settings_module
import suite
import tree
from coverage_report import Touched
from e2e_guest import Guest
from e2e_run import Plan
from e2e_scenario import Device, Scenario
from errors import KunitError, UsageError
from journal import Journal
from proc import say
from results import RunResult
from settings import Settings
from variables import KERNEL, Command

# The flavour whose patches are looked at, the one below it, and the page sizes.
FLAVOUR, BELOW = "series", "baseline"
PAGES = ("4k", "64k")
FRAGMENTS = ("e2e", "coverage")

# What qemu_configs/arm64.py gives the suites: the kernel's RAM, and memory of their own.
SUITES_RAM = 480 << 20
SUITES_MEMORY = Device(3616 << 20, 0x5E000000, is_told=False)
SUITES_ARGUMENTS = (
    "kunit.enable=1 vmemmap_kunit.memory=3616M@0x5e000000 memory_hotplug.memmap_on_memory=force"
)
# In seconds, without a word. What counts where it has been is slower for it.
SUITES_SILENCE = 120
# Written into the guest's first process: the suites have run before that.
SUITES_SCRIPT = "counters\npoweroff -f\n"


COMMAND = Command("make coverage", KERNEL | {"FLAVOURS", "CONFIGS", "SCENARIOS"})


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run everything with counters, tell what ran; 0 only when nothing is left unexplained."""
    if argv:
        raise UsageError("make coverage takes no arguments", 'narrow it with SCENARIOS="ram-*"')
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    if wish.ksrc or wish.base != settings_module.HOME_BASE:
        raise UsageError(
            f"make coverage is about the series on Linux {settings_module.HOME_BASE}",
            "unset KSRC and BASE",
        )
    plans = choose(environ)
    wanted = suite.resolve(wish)
    chosen = [s for plan in plans for s in plan.scenarios]
    guest = packages.for_guest(any(s.has_firmware for s in chosen))
    check.ensure_tools(wanted, *guest, packages.LCOV)
    tree.mark(wanted.build)
    out = wanted.build / "results/coverage"
    key = journal.key(wanted, "make coverage", environ, *(tool.proof for tool in guest))
    with journal.opened(out.with_name("coverage.partial"), "make coverage", key) as kept:
        return measure(wanted, plans, out, kept)


def measure(wanted: Settings, plans: Sequence[Plan], out: Path, kept: Journal) -> int:
    """Do so. out is replaced when all is there."""
    shown, out = out, kept.directory / "all"
    out.mkdir(exist_ok=True)
    excuses = coverage_report.read_excuses()
    touched = what_is_touched(wanted)
    source = tree.prepare(replace(wanted, flavour=FLAVOUR))
    options = tuple(f"GCOV_PROFILE_{Path(name).stem}.o=y" for name in touched)
    found: List[RunResult] = []
    traces: Dict[str, List[Path]] = {"suites": [], "scenarios": [], "both": []}
    for plan in plans:
        run_with = replace(plan, make_options=options)
        ran = list(e2e_run.run(wanted, [run_with], out, kept))
        found += ran
        if not all(run.has_kernel for run in ran):
            continue
        suites = functools.partial(run_suites, wanted, run_with, out)
        found.append(kept.run(f"{plan.name} suites", suites))
        for what, logs in logs_of(run_with, out).items():
            say(f"{plan.name}: reading the counters of the {what} ...")
            work = out / f"{plan.directory}-{what}"
            directory = source / f".kunit-{plan.config}"
            traces[what].append(coverage_data.capture(logs, source, directory, work))
            traces["both"].append(traces[what][-1])
    lines = e2e.table(found)
    if traces["both"]:
        seen = {
            what: coverage_data.merge(paths, source, out / f"{what}.info")
            for what, paths in traces.items()
        }
        coverage_data.pages([out / "both.info"], source, out / "html")
        report = coverage_report.look(touched, seen, excuses)
        found.append(report.result)
        lines += ["", *report.lines, "", f"line by line: {shown / 'html/index.html'}"]
    results.write_json(found, out / "coverage.json")
    results.write_junit(found, out / "coverage.xml")
    archive.replace_directory(out, shown)
    print(results.in_words(found, e2e.heading("make coverage"), lines))
    return int(results.status(found))


def choose(environ: Mapping[str, str]) -> List[Plan]:
    """What SCENARIOS and CONFIGS leave. Raises UsageError."""
    if environ.get("FLAVOURS", FLAVOUR) != FLAVOUR:
        raise UsageError("make coverage is about the flavour series", "unset FLAVOURS")
    pages = environ.get("CONFIGS") or " ".join(PAGES)
    chosen = e2e.choose(
        e2e_scenario.load(), {**environ, "FLAVOURS": FLAVOUR, "CONFIGS": pages}
    )
    return [replace(plan, fragments=FRAGMENTS) for plan in chosen]


def what_is_touched(wanted: Settings) -> Touched:
    """The lines that series and fixes add to files which arm64 compiles."""
    below = tree.stack(replace(wanted, flavour=BELOW))
    above = tree.stack(replace(wanted, flavour=FLAVOUR))
    return coverage_report.added(above.git, below.commit, above.commit)


def run_suites(wanted: Settings, plan: Plan, out: Path) -> RunResult:
    """Boot the kernel of a plan for its suites."""
    watch = proc.Stopwatch()
    name = f"{plan.name} suites"
    log = out / plan.directory / "suites.console.log"
    say(f"{name} ...")
    built = replace(wanted, flavour=plan.flavour, config=plan.config)
    try:
        kernel = tree.prepare(built) / f".kunit-{plan.config}" / image.IMAGE
        guest = Guest(kernel, e2e_root.base(wanted), suites_scenario(), wanted.build / "e2e")
        with guest.memory() as memory:
            overlay = e2e_root.overlay(SUITES_SCRIPT, e2e_root.compile_mapped(wanted))
            guest.boot(overlay, memory, log, lambda wish, memory: "error: nobody answers")
        expected = cell.expectation(replace(wanted, flavour=plan.flavour, config=plan.page))
        verdict = judge.judge(coverage_data.without_counters(log), expected)
        cases = cell.case_results(verdict)
    except (KunitError, OSError) as error:
        cases = (results.preparation(error),)
    return RunResult(name, cases, watch.seconds)


def suites_scenario() -> Scenario:
    """The machine that qemu_configs/arm64.py describes."""
    return Scenario(
        name="suites", title="The suites", variables={}, memory=SUITES_RAM, cpus=1,
        seconds=SUITES_SILENCE, arguments=SUITES_ARGUMENTS, devices=(SUITES_MEMORY,),
        pages=PAGES, failing={}, recorded=(), steps=(),
    )  # fmt: skip


def logs_of(plan: Plan, out: Path) -> Dict[str, Sequence[Path]]:
    """The console logs of a plan."""
    logs = sorted((out / plan.directory).glob("*.console.log"))
    return {
        "suites": [log for log in logs if log.name == "suites.console.log"],
        "scenarios": [log for log in logs if log.name != "suites.console.log"],
    }


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
