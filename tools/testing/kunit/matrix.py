# SPDX-License-Identifier: GPL-2.0
"""make matrix: the suites over translation regimes, CPUs and debug options."""

import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import cell
import check
import judge
import packages
import proc
import rebased
import report
import rows as rows_module
import settings as settings_module
import tree
from errors import KunitError, UsageError
from kernel import Kernel, slowness
from proc import say
from report import Part
from results import CaseResult, RunResult
from rows import Row
from settings import HOME_BASE, REPO, Settings

# In seconds.
GUEST_TIME = 300
# What QEMU calls the CPUs whose name is not enough.
_MODELS = {rows_module.MAX: "max,pauth-impdef=on"}


def main(argv: List[str]) -> int:
    """Run the rows of this shard, tell everything; 0 only when all is as expected."""
    if argv:
        raise UsageError("make matrix takes no arguments", 'narrow it with CONFIGS="4k 64k-kasan"')
    wanted = settings_module.read()
    if wanted.ksrc:
        raise UsageError(
            "make matrix judges this repository's own trees, not KSRC",
            "unset KSRC; CONFIG=64k-va42 kunit.py run tests a tree of yours",
        )
    matrix = rows_module.choose(os.environ, wanted.base)
    shard = rows_module.read_shard(os.environ)
    check.ensure_tools(wanted)
    out = wanted.build / "results"
    tree.mark(wanted.build)
    out.mkdir(exist_ok=True)
    kernels = [Build(wanted, group, out) for group in rows_module.groups(shard.take(matrix))]
    path = out / report.part_name(shard)
    path.unlink(missing_ok=True)  # An old one must not pass for ours if we are ended.
    part = Part(shard, revision(), heading(wanted), tuple(matrix), tuple(run_all(kernels)))
    report.write_part(part, path)
    return report.tell([part], out / path.stem)


def run_all(kernels: Sequence["Build"]) -> Iterator[RunResult]:
    """Build each kernel, boot it in all its ways, whatever the outcome of each."""
    watch = proc.Stopwatch()
    for number, kernel in enumerate(kernels, 1):
        say(f"[{watch.seconds:5.0f} s] {number}/{len(kernels)}: {kernel.name} ...")
        for result in kernel.run():
            say(f"[{watch.seconds:5.0f} s]   {result.name}: {len(result.wrong)} unexpected")
            for case in result.wrong:
                say(f"    {case.failure}")
            yield result


class Build:
    """The rows that share a kernel: it is built once and booted for each.

    Raises UsageError when what is expected of it cannot be read.
    """

    def __init__(self, wanted: Settings, group: Sequence[Row], out: Path) -> None:
        self._rows = group
        self._out = out
        first = group[0]
        self._wanted = replace(wanted, flavour=first.flavour, config=first.config)
        self._expected = judge.read_expectation(
            cell.EXPECTED, first.flavour, first.config, rebased.parse(wanted.base)
        )
        self.name = f"{first.flavour} {first.config}"

    def run(self) -> Iterator[RunResult]:
        """One result for each row. Whatever goes wrong is in there; the first has the build's time."""
        watch = proc.Stopwatch()
        try:
            directory = tree.prepare(self._wanted)
            failed = self._kernel(directory, self.name.replace(" ", "-")).build()
        except (KunitError, proc.CommandFailed, proc.TimedOut) as error:
            failed = _preparation(error)
        for row in self._rows:
            cases = (failed,) if failed else self._boot(directory, row)
            yield RunResult(row.name, cases, watch.seconds)
            watch = proc.Stopwatch()

    def _kernel(self, directory: Path, log_name: str) -> Kernel:
        return Kernel(directory, self._wanted, self._out, log_name)

    def _boot(self, directory: Path, row: Row) -> Tuple[CaseResult, ...]:
        arguments = [f"--kernel_args={word}" for word in row.arguments.split()]
        if row.cpus > 1:
            arguments.append(f"--qemu_args=-smp {row.cpus}")
        try:
            console = self._kernel(directory, row.file_name).boot(
                GUEST_TIME * slowness(row.config),
                arguments,
                cpu=model(row.cpu),
            )
        except (KunitError, proc.CommandFailed, proc.TimedOut) as error:
            return (_preparation(error),)
        return cell.case_results(judge.judge(console, self._expected))


def model(cpu: str) -> str:
    """What QEMU calls a CPU of the matrix."""
    return _MODELS.get(cpu, cpu)


def _preparation(error: Exception) -> CaseResult:
    cause, *detail = str(error).splitlines()
    return CaseResult("preparation", "failed", cause, tuple(detail))


def revision() -> str:
    """What of this repository is tested: parts of different ones do not belong together."""
    described = proc.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=str(REPO), expect=(0, 128)
    )
    return described.stdout.strip() or "unknown"


def heading(wanted: Settings) -> str:
    """On what all this ran."""
    words = [f"{platform.machine()}, {os.cpu_count()} CPUs"]
    if wanted.base != HOME_BASE:
        words.append(f"Linux {wanted.base}" + (f" of {wanted.suite}" if wanted.suite else ""))
    for argv in (["aarch64-linux-gnu-gcc", "--version"], [packages.QEMU.proof, "--version"]):
        words += check.first_line(argv)
    return "\n".join(words)


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
