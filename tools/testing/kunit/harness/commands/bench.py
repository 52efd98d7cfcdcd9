#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make bench: what adding and removing memory costs, beside the stock kernel."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive, asjson, builddir, picture
from harness.base.console import Stopwatch, conclude, say
from harness.base.errors import KunitError, UsageError
from harness.bench import barriers as bench_barriers
from harness.bench import costs as bench_costs
from harness.bench import plot, text
from harness.bench.costs import Barriers, BenchError, Costs
from harness.bench.text import Measured
from harness.kernel import image, machine
from harness.kernel.finding import Finding, Kind, Status
from harness.kernel.kernel import Kernel
from harness.matrix import rows as matrix_rows
from harness.request import settings
from harness.request.settings import DATA, Settings, check_config, check_flavour
from harness.request.variables import KERNEL, Command
from harness.trees import debian, tested, versions, worktree
from harness.verdict import flaky, journal, judge, kernelrun, results
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult

SUITE = "memmap_bench"
EXPECTED = DATA / "expected/bench"
FRAGMENT = "bench"
STOCK = "stock"
FLAVOURS = "stock series fixed fast"
CONFIGS = "4k 16k 64k"
# Whose parts the picture shows.
PARTS_OF = "series"

# A nanosecond of the guest's time is an instruction, and nothing else lets it pass but idling.
COUNTING = "-icount shift=0,sleep=off"
# In seconds.
GUEST_TIME = 600


COMMAND = Command(
    "make bench",
    KERNEL | {"FLAVOURS", "CONFIGS", "PLOTS", "KERNEL_ARGS", "BARRIERS"},
    "measure what adding and removing memory costs the kernel, beside stock",
    "altmap bench --configs 4k --no-barriers",
)


def main(environ: Mapping[str, str]) -> int:
    """Measure FLAVOURS with CONFIGS and report it; 0 only if nothing got more expensive."""
    wish = settings.read(environ)
    if wish.ksrc:
        raise UsageError(
            "make bench compares this repository's own trees, not KSRC",
            "unset KSRC; CONFIG=4k-bench kunit.py run memmap_bench measures a tree of yours",
        )
    flavours, configs = choose(environ.get("FLAVOURS", ""), environ.get("CONFIGS", ""))
    wanted = debian.resolve(wish)
    how = How(tuple(environ.get("KERNEL_ARGS", "").split()), environ.get("BARRIERS") != "0")
    machine.ensure_tools(wanted, *picture.needs())
    out = wanted.build / "results/bench"
    builddir.mark(wanted.build)
    out.mkdir(parents=True, exist_ok=True)
    key = journal.key(wanted, "make bench", environ)
    with journal.opened(out.with_name("bench.partial"), "make bench", key) as kept:
        found = [
            kept_or_measured(
                replace(wanted, flavour=flavour, config=f"{config}-{FRAGMENT}"), how, out, kept
            )
            for config in configs
            for flavour in flavours
        ]
        return tell(wanted, found, how, out, Path(environ.get("PLOTS") or out))


def tell(wanted: Settings, found: Sequence[Measured], how: "How", out: Path, shown: Path) -> int:
    """Write the results to out, tables and pictures to shown; return the exit status."""
    judged = judge_all(found)
    heading = f"make bench of {tested.revision(wanted)} on {machine.description()}"
    if how.arguments:
        heading += f"\nkernel arguments: {' '.join(how.arguments)}"
    text.write_json(found, heading, out / "bench.json")
    results.write_junit(judged, out / "bench.xml")
    table = text.tables(found)
    shown.mkdir(parents=True, exist_ok=True)
    archive.write_whole(shown / "bench.txt", "\n".join(table) + "\n")
    for config in dict.fromkeys(m.config for m in found):
        draw(config, [m for m in found if m.config == config], shown)
    status = results.status(judged)
    conclude(results.in_words(judged, heading, table), not status, out / "bench.json", shown)
    return int(status)


def choose(flavours: str, configs: str) -> tuple[list[str], list[str]]:
    """What FLAVOURS and CONFIGS say; stock comes first, always. Raises UsageError."""
    chosen = [check_flavour(name) for name in (flavours or FLAVOURS).split()]
    sizes = [check_config(name) for name in (configs or CONFIGS).split()]
    for name in sizes:
        if name.split("-")[0] not in matrix_rows.OLDER:
            raise UsageError(
                f"CONFIGS: '{name}' does not begin with a page size",
                f"begin with one of: {' '.join(matrix_rows.OLDER)}",
            )
    return list(dict.fromkeys([STOCK, *chosen])), list(dict.fromkeys(sizes))


@dataclass(frozen=True)
class How:
    """How to measure: further arguments for the kernels, and whether to count barriers."""

    arguments: tuple[str, ...]
    barriers: bool


def kept_or_measured(wanted: Settings, how: How, out: Path, kept: Journal) -> Measured:
    """What the run before has measured, or what is measured now."""
    name = f"{wanted.flavour} {wanted.config}"
    known = kept.find(name)
    if known:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found = asjson.decode(Measured, known)
            return replace(found, run=replace(found.run, kept=len(found.run.cases)))
    found = measure(wanted, how, out)
    if journal.is_worth_keeping(found.run):
        kept.put(name, asjson.encode(found))
    return found


def measure(wanted: Settings, how: How, out: Path) -> Measured:
    """Build a kernel, boot it, read its measurements. Whatever goes wrong is in the result."""
    watch = Stopwatch()
    config = wanted.config[: -len(FRAGMENT) - 1]
    name = f"{wanted.flavour} {config}"
    say(f"{name} ...")
    costs = Costs.none()
    barriers: Barriers = {}
    try:
        kernel, failed = build(wanted, config, out, name.replace(" ", "-"))
        if failed:
            cases: tuple[CaseResult, ...] = (results.failed("build", failed),)
        else:
            console = boot(kernel, COUNTING, how.arguments)
            version = versions.parse(wanted.base)
            expected = judge.read_expectation(EXPECTED, wanted.flavour, config, version)
            verdict = flaky.confirmed(
                judge.judge(console, expected),
                lambda: judge.judge(boot(kernel, COUNTING, how.arguments, attempt=2), expected),
            )
            cases = kernelrun.case_results(verdict)
            costs = bench_costs.read(console)
            if how.barriers:
                barriers = trace(wanted, how, kernel.build_dir, costs.facts.section, out)
    except KunitError as error:
        cases = (results.preparation(error),)
    say(f"{name}: {len(costs.rows)} measurements in {watch.seconds:.0f} s")
    return Measured(wanted.flavour, config, RunResult(name, cases, watch.seconds), costs, barriers)


def build(wanted: Settings, config: str, out: Path, name: str) -> tuple[Kernel, Finding | None]:
    """Build where other targets build that page size; the failure, if it is one.

    A compiler cache knows nothing of a config that has one symbol more. So the
    objects are made without it where there are none yet, and then make sees
    which of them it means: none but the suite.
    """
    directory = worktree.prepare(wanted)
    build_dir = directory / f".kunit-{config}"
    if not (build_dir / image.IMAGE).exists():
        Kernel(directory, replace(wanted, config=config), out, f"{name}-plain").build()
    kernel = Kernel(directory, wanted, out, name, build_dir)
    return kernel, kernel.build()


def boot(kernel: Kernel, qemu: str, arguments: Sequence[str], attempt: int = 1) -> str:
    """Run the suite; return what the console said.

    An emulator that counts cannot be KVM, not even on a host that has it.
    """
    given = [f"--kernel_args={word}" for word in arguments]
    model = matrix_rows.model(matrix_rows.MAX)
    given = [SUITE, f"--qemu_args={qemu}", *given]
    return kernel.boot(GUEST_TIME, given, model, attempt)


def trace(wanted: Settings, how: How, build_dir: Path, section: int, out: Path) -> Barriers:
    """Boot once more, with devices up to a section, and count barriers by measurement.

    Raises KunitError of some kind.
    """
    name = f"{build_dir.parent.name}-{build_dir.name[len('.kunit-'):]}-trace"
    log = out / f"{name}.qemu.log"
    system_map = (build_dir / "System.map").read_text(encoding="ascii")
    functions = bench_barriers.watched(
        system_map, (build_dir / image.IMAGE).read_bytes(), bench_barriers.names(build_dir)
    )
    kernel = Kernel(build_dir.parent, wanted, out, name, build_dir)
    few = ["memmap_bench.rounds=2", f"memmap_bench.largest={section >> 20}"]
    try:
        console = boot(
            kernel, f"{COUNTING} {bench_barriers.arguments(functions, log)}", [*few, *how.arguments]
        )
        with log.open(encoding="utf-8", errors="replace") as lines:
            windows = bench_barriers.count(lines, functions)
    finally:
        log.unlink(missing_ok=True)
    rows = bench_costs.read(console).rows
    if max(row.window for row in rows.values()) >= len(windows):
        raise BenchError(
            f"the trace shows {len(windows)} measurements, the console more",
            f"see the logs of {name} in {out}",
        )
    return {
        key: {what: windows[row.window][what] for what in bench_barriers.KINDS}
        for key, row in rows.items()
    }


def draw(config: str, found: Sequence[Measured], directory: Path) -> None:
    """Write the picture of a page size, if there is anything to show."""
    kernels = {m.flavour: m.costs for m in found if m.costs.rows}
    if not kernels:
        return
    title = f"What a device costs the kernel, {config.upper()} pages"
    drawn = PARTS_OF if PARTS_OF in kernels else list(kernels)[-1]
    path = directory / f"bench-{config}.svg"
    path.write_text(plot.figure(title, kernels, drawn), encoding="utf-8")
    say(f"{path} is written")


def judge_all(found: Sequence[Measured]) -> list[RunResult]:
    """The runs, with a case for each count that stock has as well."""
    stock = {m.config: m for m in found if m.flavour == STOCK}
    return [
        m.run
        if m.flavour == STOCK or not m.costs.rows or not stock[m.config].costs.rows
        else replace(m.run, cases=(*m.run.cases, *_cases(stock[m.config], m)))
        for m in found
    ]


def _cases(stock: Measured, other: Measured) -> list[CaseResult]:
    changes = [*bench_costs.compare(stock.costs, other.costs)]
    if other.barriers:
        changes += bench_costs.compare_barriers(stock.barriers, other.barriers)
    return [
        results.failed(c.name, Finding(Kind.COST, c.fault, (c.numbers,)))
        if c.fault
        else CaseResult(c.name, Status.PASSED)
        for c in changes
    ]
