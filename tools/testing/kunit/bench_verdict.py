# SPDX-License-Identifier: GPL-2.0
"""make bench-verdict: how long from an edit to a verdict, beside the kernel's own tool.

Both start from the packaged archive, with nothing built before and no compiler cache,
in a directory of their own. They take turns, so that what else the machine does
meets both.
"""

import json
import os
import shutil
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

import check
import options
import packages
import proc
import settings as settings_module
import suite
import tree
from errors import CommandError, UsageError
from proc import say
from settings import REPO, Settings
from variables import KERNEL, PRIVATE_VARIABLES, Command

# How often a way that takes seconds is gone at the least. The first time differs: git
# has yet to note what the files of a new tree look like.
WARM_RUNS = 3

# What either tool prints when the guest has reported.
_VERDICT = "Testing complete."
OURS, THEIRS = "ours", "the kernel's"

# A file that a line is added to before a run, for ours and for theirs.
Edited = Mapping[str, str]


@dataclass(frozen=True)
class Way:
    """A way to a verdict that is measured."""

    name: str
    edited: Edited = field(default_factory=dict)


COLD = Way("from the package")
WARM = (
    Way("nothing has changed"),
    Way(
        "a line of a test has",
        {OURS: "mm/tests/vmem_altmap_kunit.c", THEIRS: "lib/kunit/kunit-example-test.c"},
    ),
    Way(
        "a line of the code under test has",
        {OURS: "build/linux-{base}/series/mm/sparse-vmemmap.c", THEIRS: "mm/sparse-vmemmap.c"},
    ),
)

Measured = Dict[str, Dict[str, List[float]]]


COMMAND = Command("make bench-verdict", KERNEL | {"RUNS", "PLOTS"})


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Measure and tell; 0 when each run came to a verdict."""
    if argv:
        raise UsageError("bench_verdict.py takes no arguments", "use a variable, as in RUNS=5")
    environ = COMMAND.given(environ)
    wish = settings_module.read(environ)
    if wish.ksrc:
        raise UsageError("make bench-verdict starts from the kernel's package", "unset KSRC")
    runs = how_many(environ)
    wanted = suite.resolve(wish)
    check.ensure_tools(wanted)
    tree.mark(wanted.build)
    directory = wanted.build / "bench-verdict"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    try:
        measured = measure([Ours(wanted, directory), Theirs(wanted, directory)], runs)
        out = wanted.build / "results"
        out.mkdir(exist_ok=True)
        write_json(measured, wanted, out / "bench-verdict.json")
        shown = Path(environ.get("PLOTS") or out)
        shown.mkdir(parents=True, exist_ok=True)
        (shown / "bench-verdict.txt").write_text(table(measured) + "\n", encoding="utf-8")
        print(table(measured), flush=True)
        say(f"removing {directory} ...")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def how_many(environ: Mapping[str, str]) -> int:
    """How often to start from the package: RUNS. Raises UsageError."""
    given = environ.get("RUNS") or "3"
    if not (given.isdigit() and int(given) > 0):
        raise UsageError(f"RUNS={given} is no number of runs", "give a number, as in RUNS=3")
    return int(given)


# --- The two tools --------------------------------------------------------


class Tool:
    """A kunit.py with a kernel tree, both in a directory of their own."""

    name = ""

    def __init__(self, wanted: Settings, directory: Path) -> None:
        self.wanted = wanted
        self.top = directory / ("ours" if self.name == OURS else "theirs")
        self.log = directory / f"{self.top.name}.log"
        self.env = proc.clean_env(
            PRIVATE_VARIABLES,
            CCACHE_DIR=str(self.top / "ccache"),
            BASE=wanted.base,
            SOURCES=str(wanted.sources),
        )
        self._lines = 0

    def forget(self) -> None:
        """Go back to where nothing has been made."""
        shutil.rmtree(self.top, ignore_errors=True)
        self.top.mkdir()

    def cold(self) -> float:
        """Come to a verdict from the package; return the seconds."""
        raise NotImplementedError

    def warm(self, way: Way) -> float:
        """Edit what the way says, come to a verdict; return the seconds."""
        if way.edited:
            self._lines += 1
            path = self.tree / way.edited[self.name].format(base=self.wanted.base)
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"static int bench_line_{self._lines} __used = {self._lines};\n")
        return self.run()

    @property
    def tree(self) -> Path:
        """Where files are edited."""
        return self.top / "tree"

    def run(self) -> float:
        """Run the tool; return the seconds. Raises CommandError without a verdict."""
        argv = [
            sys.executable,
            str(self.tree / "tools/testing/kunit/kunit.py"),
            "run",
            "--arch=arm64",
            *self.arguments(),
        ]
        watch = proc.Stopwatch()
        status = proc.run_logged(argv, str(self.log), cwd=str(self.tree), env=self.env)
        seconds = watch.seconds
        said = self.log.read_text(errors="replace")
        # Among all the kernel's tests, some may fail; of ours, none.
        if _VERDICT not in said or (self.name == OURS and status != 0):
            no_verdict = "" if _VERDICT in said else ", and no verdict"
            raise CommandError(
                f"{self.name} kunit.py ended with status {status}{no_verdict}",
                "see what it says above",
                proc.tail(said),
            )
        return seconds

    def arguments(self) -> List[str]:
        """What it has to be told on this machine."""
        return []


class Ours(Tool):
    """The front end of this repository, in a copy of it."""

    name = OURS

    def forget(self) -> None:
        super().forget()
        listed = proc.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=str(REPO)
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (REPO / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPO / name, self.tree / name)

    def cold(self) -> float:
        return self.run()


class Theirs(Tool):
    """The kernel's own tool, in the unpacked archive, with its default config."""

    name = THEIRS

    def cold(self) -> float:
        watch = proc.Stopwatch()
        argv = ["tar", "--extract", "--file", str(self.wanted.tarball), f"--directory={self.top}"]
        proc.run([*argv, "--strip-components=1", "--one-top-level=tree"], cwd=str(self.top))
        self.run()
        return watch.seconds

    def arguments(self) -> List[str]:
        cross = not packages.host_is_arm64()
        return [f"--cross_compile={options.ARM64_PREFIX}"] if cross else []


def measure(tools: Sequence[Tool], runs: int) -> Measured:
    """Let the tools take turns; return the seconds of each run by way and tool."""
    watch = proc.Stopwatch()
    measured: Measured = {way.name: {tool.name: [] for tool in tools} for way in (COLD, *WARM)}
    for way in (COLD, *WARM):
        turns = runs if way is COLD else max(runs, WARM_RUNS)
        for turn in range(1, turns + 1):
            for tool in tools:
                say(f"[{watch.seconds:5.0f} s] {way.name}, {turn}/{turns}: {tool.name} ...")
                if way is COLD:
                    tool.forget()
                seconds = tool.cold() if way is COLD else tool.warm(way)
                measured[way.name][tool.name].append(seconds)
    say(f"[{watch.seconds:5.0f} s] done")
    return measured


# --- Telling it -----------------------------------------------------------


def ratio(seconds: Mapping[str, Sequence[float]]) -> float:
    """The median of ours, as a share of theirs."""
    return statistics.median(seconds[OURS]) / statistics.median(seconds[THEIRS])


def table(measured: Measured) -> str:
    """The medians, in a form that pastes into a mail."""
    lines = [
        f"To a verdict, in seconds; medians, on {os.cpu_count()} CPUs",
        "",
        f"{'':36}{'runs':>4}{OURS:>8}  {THEIRS:>12}  {'ratio':>6}",
    ]
    for name, seconds in measured.items():
        runs = len(seconds[OURS])
        ours, theirs = (statistics.median(seconds[tool]) for tool in (OURS, THEIRS))
        lines.append(f"{name:36}{runs:4}{ours:8.1f}  {theirs:12.1f}  {ratio(seconds):6.2f}")
    return "\n".join(lines)


def write_json(measured: Measured, wanted: Settings, path: Path) -> None:
    """Write each run, in seconds, as JSON."""
    document = {
        "base": wanted.base,
        "cpus": os.cpu_count(),
        "ways": {
            name: {"seconds": seconds, "ratio": round(ratio(seconds), 3)}
            for name, seconds in measured.items()
        },
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
