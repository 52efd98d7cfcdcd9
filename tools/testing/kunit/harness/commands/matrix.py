# SPDX-License-Identifier: GPL-2.0
"""make matrix: run the suites with all page and address sizes, CPUs and debug options."""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import builddir, packages, tasks
from harness.base.console import Stopwatch, counted, say
from harness.base.errors import KunitError
from harness.kernel import machine
from harness.kernel.kernel import Kernel, slowness
from harness.matrix import rows, shards
from harness.matrix.rows import Row, Shard
from harness.matrix.shards import Part
from harness.request import settings
from harness.request.settings import OTHER_ARCHES, Settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, tested, worktree
from harness.verdict import journal, kernelrun, results
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult

# In seconds.
GUEST_TIME = 300

COMMAND = Command(
    "make matrix",
    OWN_TREES | {"FLAVOURS", "CONFIGS", "SHARD"},
    "run the suites with all page and address sizes, CPUs and debug options",
    "altmap matrix --shard 1/4",
    own_trees="unset KSRC; CONFIG=64k-va42 kunit.py run tests your own tree",
    helps={
        "FLAVOURS": "test these flavours, with all configs unless --configs is given",
        "CONFIGS": "test these configs or architectures, with series unless --flavours is given",
    },
    lists="the selected rows",
)


def listed(environ: Mapping[str, str]) -> list[tuple[str]]:
    """The selected rows."""
    shard = rows.read_shard(environ)
    chosen = rows.choose(environ, settings.read(environ).base)
    return [(row.name,) for row in shard.take(chosen)]


def main(environ: Mapping[str, str]) -> int:
    """Run the rows of this shard and report. Returns 0 only if all results are as expected."""
    request = settings.read(environ)
    shard = rows.read_shard(environ)
    rows.choose(environ, request.base)
    wanted = debian.resolve(request)
    matrix = rows.choose(environ, wanted.base)
    ours = shard.take(matrix)
    machine.ensure_tools(wanted, *other_tools(ours))
    say(_part(shard, ours, matrix))
    out = builddir.results(wanted.build)
    suites = newest(environ, matrix)
    packages = {base: _package(found) for base, found in suites.items()}
    revision = tested.revision(wanted, *packages.values())
    name = Path(shards.part_name(shard)).stem
    others = [tool.proof for tool in other_tools(ours)]
    given = {**environ, **packages}
    with journal.of_command("make matrix", wanted, given, *others, name=name) as kept:
        kernels = [
            Build(suites.get(group[0].base, wanted), group, out, kept)
            for group in rows.groups(ours)
        ]
        part = Part(shard, revision, machine.description(), tuple(matrix), tuple(run_all(kernels)))
        return shards.publish([part], out / name)


def newest(environ: Mapping[str, str], matrix: Sequence[Row]) -> dict[str, Settings | KunitError]:
    """The settings for each Debian suite in the matrix, or why its kernel is not known."""
    found: dict[str, Settings | KunitError] = {}
    for base in dict.fromkeys(row.base for row in matrix if row.base):
        try:
            found[base] = debian.resolve(settings.read({**environ, "BASE": base}))
        except KunitError as error:
            found[base] = error
    return found


def _package(found: Settings | KunitError) -> str:
    """The version of a suite's kernel package."""
    return found.sources.name if isinstance(found, Settings) else "unknown"


def _part(shard: Shard, ours: Sequence[Row], matrix: Sequence[Row]) -> str:
    """What this run covers, in words."""
    kernels, every = len(rows.groups(ours)), len(rows.groups(matrix))
    if shard.of == 1:
        return f"the matrix has {counted(every, 'kernel')} and {counted(len(matrix), 'boot')}"
    share = (
        f"{kernels} of {counted(every, 'kernel')} and {len(ours)} of {counted(len(matrix), 'boot')}"
    )
    return f"shard {shard.number} of {shard.of} has {share}"


def other_tools(matrix: Sequence[Row]) -> list[packages.Requirement]:
    """The packages for rows of other architectures."""
    return [
        tool
        for arch in OTHER_ARCHES
        if any(row.arch == arch for row in matrix)
        for tool in packages.for_other(arch, build=True, boot=True, cross=True)
    ]


def run_all(kernels: Sequence["Build"]) -> list[RunResult]:
    """Build each kernel and boot it in all ways, also after failures.

    A kernel is built while the previous one boots, as a guest keeps only one CPU busy.
    """
    watch = Stopwatch()

    def report(result: RunResult) -> None:
        watch.say(f"  {result.name}: {len(result.unexpected)} unexpected")
        for finding in result.findings:
            say(f"    {finding.text}")

    def build(number: int, kernel: "Build") -> "Build":
        watch.say(f"{number}/{len(kernels)}: {kernel.name} ...")
        kernel.build()
        return kernel

    steps = (functools.partial(build, *step) for step in enumerate(kernels, 1))
    with contextlib.closing(tasks.ahead(steps)) as built:
        return [result for kernel in built for result in kernel.boots(report)]


class Build:
    """The rows that share a kernel. It is built once and booted for each row.

    wanted: the settings of its base, or why there are none. Raises UsageError if its expected
    results cannot be read.
    """

    def __init__(
        self, wanted: Settings | KunitError, group: Sequence[Row], out: Path, kept: Journal
    ) -> None:
        self._rows = group
        self._out = out
        self._kept = kept
        first = group[0]
        self.name = " ".join(filter(None, (first.base, first.flavour, first.config)))
        self._directory = Path()
        self._seconds = 0.0
        self._failed: CaseResult | None = None
        if isinstance(wanted, KunitError):
            self._failed = results.preparation(wanted)
            return
        self._wanted = replace(wanted, flavour=first.flavour, config=first.config)
        self._expected = {
            row: kernelrun.expectation(self._wanted, row.arguments, row.cpu) for row in group
        }

    def build(self) -> None:
        """Build the kernel if a row needs it. boots() reports errors."""
        watch = Stopwatch()
        if self._failed or all(self._kept.known(row.name) for row in self._rows):
            return
        try:
            self._directory = worktree.prepare(self._wanted)
            failed = self._kernel(self.name.replace(" ", "-")).build()
            self._failed = results.failed("build", failed) if failed else None
        except KunitError as error:
            self._failed = results.preparation(error)
        self._seconds = watch.seconds

    def boots(self, report: Callable[[RunResult], None]) -> list[RunResult]:
        """A result for each row. The first includes the time of the build. report gets each at
        once.
        """
        found: list[RunResult] = []
        for row in self._rows:
            built = 0.0 if found else self._seconds
            found.append(self._kept.run(row.name, functools.partial(self._result, row, built)))
            report(found[-1])
        return found

    def _result(self, row: Row, built: float) -> RunResult:
        ran = results.guarded(row.name, lambda: self._boot(row))
        return replace(ran, seconds=ran.seconds + built)

    def _kernel(self, log_name: str) -> Kernel:
        return Kernel(self._directory, self._wanted, self._out, log_name)

    def _boot(self, row: Row) -> tuple[CaseResult, ...]:
        if self._failed:
            return (self._failed,)
        arguments = [f"--kernel_args={word}" for word in row.arguments.split()]
        if row.cpus > 1:
            arguments.append(f"--qemu_args=-smp {row.cpus}")
        kernel, cpu = self._kernel(row.file_name), rows.model(row.cpu)
        limit = GUEST_TIME * slowness(row.config)
        verdict = kernelrun.judged(kernel, self._expected[row], limit, arguments, cpu)
        return kernelrun.case_results(verdict)
