# SPDX-License-Identifier: GPL-2.0
"""From the counters that guests print to coverage, with gcov-tool, lcov and genhtml."""

import base64
import binascii
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.base import process
from harness.base.errors import CommandError
from harness.kernel.defaults import cross_tool

# The format of counters() in the guest: a head with size and path, then the content.
_HEAD = re.compile(r"# counters (\d+) /sys/kernel/debug/gcov(/.*)\.gcda")
_CONTENT = re.compile(r"#   ([A-Za-z0-9+/=]+)")
_PREFIX = re.compile(r"^#   [A-Za-z0-9+/=]+\r?\n|^# counters .*\n", re.MULTILINE)

_BRANCHES = ("--rc", "lcov_branch_coverage=1")
_LCOV = ("lcov", "--quiet", *_BRANCHES, "--output-file")


@dataclass
class Ran:
    """How often each line of a file ran, and how often each branch of a line was taken."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[int, list[int]] = field(default_factory=dict)


# By the file's path in the kernel tree.
Trace = dict[str, Ran]


def counters(log: Path) -> dict[str, bytes]:
    """The .gcda files in a console log, by object path without suffix.

    Raises CommandError if one is incomplete.
    """
    found: dict[str, bytes] = {}
    name, size, text = "", 0, ""

    def close() -> None:
        if not name:
            return
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            data = b""
        if len(data) != size:
            raise CommandError(
                f"{log}: the counters of {name} are incomplete",
                "check the log for messages between them, and run it again",
            )
        found[name] = data

    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        head, content = _HEAD.search(line), _CONTENT.fullmatch(line)
        if head:
            close()
            name, size, text = head.group(2), int(head.group(1)), ""
        elif content and name:
            text += content.group(1)
    close()
    return found


def without_counters(log: Path) -> str:
    """The console log without the counters."""
    return _PREFIX.sub("", log.read_text(encoding="utf-8", errors="backslashreplace"))


def capture(logs: Sequence[Path], tree: Path, build_dir: Path, directory: Path) -> Path:
    """Add up the counters in all logs of a kernel. Return lcov's trace file.

    tree is the kernel's source and build_dir its build directory. directory is overwritten.
    Raises CommandError if there are no counters, and the exceptions of process.run().
    """
    shutil.rmtree(directory, ignore_errors=True)
    total = directory / "sum"
    for log in logs:
        found = counters(log)
        if not found:
            continue
        one = directory / ("one" if total.exists() else total.name)
        for name, data in found.items():
            path = one / Path(name).relative_to(build_dir).with_suffix(".gcda")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if one != total:
            merged = directory / "merged"
            process.run([cross_tool("gcov-tool"), "merge", "-o", str(merged), str(total), str(one)])
            shutil.rmtree(total)
            merged.rename(total)
    if not total.exists():
        raise CommandError(
            f"no guest printed counters: see {directory.parent}",
            "check that the kernel's config includes lib/kunit-configs/coverage.config",
        )
    for path in list(total.rglob("*.gcda")):
        notes = path.with_suffix(".gcno").relative_to(total)
        (total / notes).symlink_to(build_dir / notes)
    info = directory / "all.info"
    places = ["--directory", str(total), "--base-directory", str(build_dir)]
    process.run([*_LCOV, str(info), "--capture", "--gcov-tool", cross_tool("gcov"), *places])
    # Leave out headers, whose functions are mostly not part of the series.
    chosen = directory / "chosen.info"
    process.run([*_LCOV, str(chosen), "--extract", str(info), f"{tree}/*.c"])
    return chosen


def merge(traces: Sequence[Path], tree: Path, out: Path) -> Trace:
    """Add up the trace files of several kernels."""
    added = [word for path in traces for word in ("--add-tracefile", str(path))]
    process.run([*_LCOV, str(out), *added])
    return read(out.read_text(encoding="utf-8"), tree)


def read(text: str, tree: Path) -> Trace:
    """Parse lcov's trace of files in a tree."""
    trace: Trace = {}
    ran = Ran()
    for line in text.splitlines():
        what, _, rest = line.partition(":")
        if what == "SF":
            ran = trace.setdefault(os.path.relpath(rest, tree), Ran())
        elif what == "DA":
            number, count = rest.split(",")[:2]
            ran.lines[int(number)] = int(count)
        elif what == "BRDA":
            # "-" means that the branch was never reached.
            number, _, _, count = rest.split(",")
            ran.branches.setdefault(int(number), []).append(int(count.replace("-", "0")))
    return trace


def pages(traces: Sequence[Path], tree: Path, out: Path) -> None:
    """Write HTML pages with sources and counts."""
    genhtml = ["genhtml", "--quiet", "--branch-coverage", *_BRANCHES]
    places = ["--prefix", str(tree), "--output-directory", str(out)]
    process.run([*genhtml, *places, *map(str, traces)])
