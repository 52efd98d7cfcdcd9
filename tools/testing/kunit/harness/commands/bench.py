# SPDX-License-Identifier: GPL-2.0
"""make bench: the cost of adding and removing memory, compared with stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive, builddir, picture
from harness.base.console import Stopwatch, say
from harness.base.errors import KunitError
from harness.bench import barriers as bench_barriers
from harness.bench import costs as bench_costs
from harness.bench import growth, plot, text
from harness.bench.costs import Barriers, BenchError, Costs
from harness.bench.text import Measured
from harness.kernel import image, machine
from harness.kernel.finding import Finding, Kind, Status
from harness.kernel.kernel import Kernel
from harness.kernel.qemu import MAX_CPU
from harness.matrix import rows as matrix_rows
from harness.request import settings
from harness.request.settings import Settings, check_flavour
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, tested, versions, worktree
from harness.verdict import journal, judge, kernelrun, results
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult

SUITE = "memmap_bench"
EXPECTED = judge.EXPECTED / "bench"
GROWTH = EXPECTED / "growth"
FRAGMENT = "bench"
STOCK = "stock"
FLAVOURS = "stock series fixed fast"
CONFIGS = "4k 16k 64k"
# The picture shows the parts of this flavour's costs.
PARTS_OF = "series"

# Each instruction takes a nanosecond of the guest's time. Only idling takes time besides.
COUNTING = "-icount shift=0,sleep=off"
# KVM cannot count instructions, so use QEMU's CPU even on arm64 hosts.
CPU = MAX_CPU
# In seconds.
GUEST_TIME = 600


COMMAND = Command(
    "make bench",
    OWN_TREES | {"FLAVOURS", "CONFIGS", "PLOTS", "KERNEL_ARGS", "BARRIERS"},
    "measure the cost of adding and removing memory, compared with stock",
    "altmap bench --configs 4k --no-barriers",
    own_trees="unset KSRC; CONFIG=4k-bench kunit.py run memmap_bench measures your own tree",
    helps={
        "FLAVOURS": f"the flavours to measure; {STOCK} always is (default: {FLAVOURS})",
        "CONFIGS": f"the page sizes (default: {CONFIGS})",
    },
)


def main(environ: Mapping[str, str]) -> int:
    """Measure FLAVOURS with CONFIGS. Returns 0 only if nothing became more expensive."""
    request = settings.read(environ)
    flavours, configs = choose(environ.get("FLAVOURS", ""), environ.get("CONFIGS", ""))
    wanted = debian.resolve(request)
    options = Options(tuple(environ.get("KERNEL_ARGS", "").split()), environ.get("BARRIERS") != "0")
    machine.ensure_tools(wanted, *picture.needs())
    out = builddir.results(wanted.build, "bench")
    shown = Path(environ.get("PLOTS") or out)
    shown.mkdir(parents=True, exist_ok=True)
    with journal.of_command("make bench", wanted, environ) as kept:
        found = [
            kept_or_measured(
                replace(wanted, flavour=flavour, config=f"{config}-{FRAGMENT}"), options, out, kept
            )
            for config in configs
            for flavour in flavours
        ]
        return publish(wanted, found, options, out, shown)


def publish(
    wanted: Settings, found: Sequence[Measured], options: "Options", out: Path, shown: Path
) -> int:
    """Write the results to out, tables and pictures to the directory shown. Return the status."""
    judged = judge_all(found)
    heading = f"make bench of {tested.revision(wanted)} on {machine.description()}"
    if options.arguments:
        heading += f"\nkernel arguments: {' '.join(options.arguments)}"
    text.write_json(found, heading, out / "bench.json")
    results.write_junit(judged, out / "bench.xml")
    table = text.tables(found)
    archive.write_whole(shown / "bench.txt", "\n".join(table) + "\n")
    for config in dict.fromkeys(m.config for m in found):
        draw(config, [m for m in found if m.config == config], shown)
    words = results.in_words(judged, heading, table)
    return results.conclude(judged, words, out / "bench.json", shown)


def choose(flavours: str, configs: str) -> tuple[list[str], list[str]]:
    """The FLAVOURS, stock first, and CONFIGS. Raises UsageError."""
    chosen = [check_flavour(f, variable="FLAVOURS") for f in (flavours or FLAVOURS).split()]
    sizes = [matrix_rows.check_page_size(name) for name in (configs or CONFIGS).split()]
    return list(dict.fromkeys([STOCK, *chosen])), list(dict.fromkeys(sizes))


@dataclass(frozen=True)
class Options:
    """Kernel arguments, and whether to count barriers."""

    arguments: tuple[str, ...]
    barriers: bool


def kept_or_measured(wanted: Settings, options: Options, out: Path, kept: Journal) -> Measured:
    """The measurements of the interrupted run, or new ones."""
    name = f"{wanted.flavour} {wanted.config}"
    known = kept.find(name, Measured)
    if known:
        return replace(known, run=replace(known.run, kept=len(known.run.cases)))
    found = measure(wanted, options, out)
    if journal.is_worth_keeping(found.run):
        kept.put(name, found)
    return found


def measure(wanted: Settings, options: Options, out: Path) -> Measured:
    """Build and boot a kernel and read its measurements. Errors are part of the result."""
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
            version = versions.parse(wanted.base)
            expected = judge.read_expectation(EXPECTED, wanted.flavour, config, version)
            how_to_boot = boot_arguments(COUNTING, options.arguments)
            verdict = kernelrun.judged(kernel, expected, GUEST_TIME, how_to_boot, CPU)
            cases = kernelrun.case_results(verdict)
            costs = bench_costs.read(kernel.log("console").read_text(errors="replace"))
            if options.barriers:
                barriers = trace(wanted, options, kernel.build_dir, costs.facts.section, out)
    except KunitError as error:
        cases = (results.preparation(error),)
    say(f"{name}: {len(costs.rows)} measurements in {watch.seconds:.0f} s")
    return Measured(wanted.flavour, config, RunResult(name, cases, watch.seconds), costs, barriers)


def build(wanted: Settings, config: str, out: Path, name: str) -> tuple[Kernel, Finding | None]:
    """Build in the directory that other commands use for this page size.

    ccache misses all objects if the config has one more symbol. So build without the suite
    first if there is no image yet. make then compiles only the suite.
    """
    directory = worktree.prepare(wanted)
    build_dir = directory / f".kunit-{config}"
    if not (build_dir / image.IMAGE).exists():
        Kernel(directory, replace(wanted, config=config), out, f"{name}-plain").build()
    kernel = Kernel(directory, wanted, out, name, build_dir)
    return kernel, kernel.build()


def boot_arguments(qemu: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of kunit.py exec for the suite."""
    return [SUITE, f"--qemu_args={qemu}", *(f"--kernel_args={word}" for word in arguments)]


def trace(wanted: Settings, options: Options, build_dir: Path, section: int, out: Path) -> Barriers:
    """Boot again, with devices up to one section, and count the barriers of each measurement.

    Raises KunitError.
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
        qemu = f"{COUNTING} {bench_barriers.arguments(functions, log)}"
        console = kernel.boot(GUEST_TIME, boot_arguments(qemu, [*few, *options.arguments]), CPU)
        with log.open(encoding="utf-8", errors="replace") as lines:
            windows = bench_barriers.count(lines, functions)
    finally:
        log.unlink(missing_ok=True)
    rows = bench_costs.read(console).rows
    if max(row.window for row in rows.values()) >= len(windows):
        raise BenchError(
            f"the trace has only {len(windows)} measurements, the console more",
            f"see the logs of {name} in {out}",
        )
    return {
        key: {what: windows[row.window][what] for what in bench_barriers.KINDS}
        for key, row in rows.items()
    }


def draw(config: str, found: Sequence[Measured], directory: Path) -> None:
    """Write the picture of a page size, if there are measurements."""
    kernels = {m.flavour: m.costs for m in found if m.costs.rows}
    if not kernels:
        return
    title = f"What a device costs the kernel, {config.upper()} pages"
    drawn = PARTS_OF if PARTS_OF in kernels else list(kernels)[-1]
    path = directory / f"bench-{config}.svg"
    path.write_text(plot.figure(title, kernels, drawn), encoding="utf-8")
    say(f"wrote {path}")


def judge_all(found: Sequence[Measured]) -> list[RunResult]:
    """The runs, with a case for each count that stock has too."""
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
    allowed = growth.read(GROWTH, other.flavour, other.config)
    found = [
        results.failed(c.name, Finding(Kind.COST, c.fault, (c.numbers,)))
        if c.fault
        else CaseResult(c.name, Status.PASSED)
        for c in growth.apply(changes, allowed)
    ]
    for name in growth.unknown(changes, allowed, bool(other.barriers)):
        found.append(results.failed(name, Finding(Kind.COST, f"{name}: listed, but not measured")))
    return found
