# SPDX-License-Identifier: GPL-2.0
"""The kernel image, brought up to date by the kernel's own make."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.base import process
from harness.kernel.options import CommandLine
from harness.request.settings import USUAL_JOBS
from harness.request.variables import PRIVATE_VARIABLES

IMAGE = "arch/arm64/boot/Image"

# Let ccache use the compiler's list of included files. Otherwise it calls the preprocessor
# first, which makes a build with an empty cache a fifth slower.
CCACHE_ENV = {"CCACHE_DEPEND": "1"}

# Fixed build information, unless the user sets it. The same code then gives the same image,
# and linking does not have to compile init/version-timestamp.c again.
_VERSION_ENV = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
    "KBUILD_BUILD_VERSION": "1",
    "KBUILD_BUILD_USER": "kunit",
    "KBUILD_BUILD_HOST": "kunit",
}

# The line of the top Makefile that lets single-goals limit the objects to check.
GOALS = "need-builtin=1 need-modorder=1 $(single-goals)"

# make checks for missing system calls each time, which takes as long as compiling a file.
# Full builds do so anyway.
_NO_CHECKSYSCALLS = "cmd_syscalls=:"


def build_env(**extra: str) -> dict[str, str]:
    """The environment of a kernel build: the user's without our variables, plus extra."""
    version = {name: os.environ.get(name, value) for name, value in _VERSION_ENV.items()}
    return process.clean_env(PRIVATE_VARIABLES, **{**CCACHE_ENV, **version, **extra})


def make_variables(line: CommandLine) -> list[str]:
    """The arguments of make for a kunit.py command line with defaults."""
    found = [f"ARCH={line.arch}"]
    found += [f"CROSS_COMPILE={prefix}" for prefix in line.values("--cross_compile")]
    jobs = line.last("--jobs", str(USUAL_JOBS))
    return [*found, *line.values("--make_options"), f"--jobs={jobs}"]


def make(build_dir: Path, words: Sequence[str], log: Path, timeout: float | None = None) -> int:
    """Run make for a build directory in its tree. Return make's status.

    Raises process.TimedOut.
    """
    argv, tree = ["make", f"O={build_dir.name}", *words], str(build_dir.parent)
    return process.run_logged(argv, str(log), cwd=tree, env=build_env(), timeout=timeout)


def make_image(
    build_dir: Path,
    line: CommandLine,
    log: Path,
    timeout: float | None = None,
    objects: Sequence[str] = (),
) -> int:
    """Bring the image up to date. Return make's status.

    line is a command line of kunit.py with defaults. If objects is set, make checks only these.
    Raises process.TimedOut.
    """
    words = [*make_variables(line), "Image"]
    if objects:
        # The archive's list of members does not change. Touch it, so that make links again.
        (build_dir / "built-in.a").touch()
        words += [f"single-goals={shlex.join(objects)}", _NO_CHECKSYSCALLS]
    return make(build_dir, words, log, timeout)


def objects_of(tree: Path, build_dir: Path, changed: Sequence[str]) -> list[str] | None:
    """The objects to rebuild if the content of these files in a tree changed.

    None means that make has to check everything: there was no complete build, or a file is part
    of something other than linked objects. Otherwise make visits only the directories of these
    objects, which saves most of the time of a small build.
    """
    try:
        goals = GOALS.encode() in (tree / "Makefile").read_bytes()
        linked = (build_dir / "built-in.a").read_bytes()
    except FileNotFoundError:
        return None
    if not goals or build_dir.parent != tree:
        return None
    found = set()
    words = [f" ../{name}{end}".encode() for name in changed for end in ("\n", " ")]
    for record in build_dir.rglob(".*.cmd"):
        text = record.read_bytes()
        if not any(word in text for word in words):
            continue
        made = record.relative_to(build_dir).with_name(record.name[1 : -len(".cmd")])
        # A thin archive lists its members, each followed by a slash. Parts of libraries
        # and of the vdso are not among them.
        if f"\n{made}/\n".encode() not in linked:
            return None
        found.add(str(made))
    return sorted(found)
