# SPDX-License-Identifier: GPL-2.0
"""The image that is booted, brought up to date by the kernel's own make."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.base import process
from harness.kernel.options import CommandLine
from harness.request.variables import PRIVATE_VARIABLES

IMAGE = "arch/arm64/boot/Image"

# ccache takes what a file includes from the compiler's own list of it. Otherwise it
# calls the preprocessor first, which costs a fifth of the time of an empty cache.
CCACHE_ENV = {"CCACHE_DEPEND": "1"}

# What a kernel says of its build, unless the user's environment does: the same code so
# makes the same image, and no file more has to be compiled in the midst of each link.
_VERSION_ENV = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
    "KBUILD_BUILD_VERSION": "1",
    "KBUILD_BUILD_USER": "kunit",
    "KBUILD_BUILD_HOST": "kunit",
}

# The variable of the top Makefile that limits which objects it looks at.
GOALS = "need-builtin=1 need-modorder=1 $(single-goals)"

# What the preprocessor says of a list of all system calls, each time make is called,
# costs as much as compiling a file. A full build warns about a missing one.
_NO_CHECKSYSCALLS = "cmd_syscalls=:"


def build_env(**extra: str) -> dict[str, str]:
    """The environment of a kernel build: the user's without our variables, and extra."""
    version = {name: os.environ.get(name, value) for name, value in _VERSION_ENV.items()}
    return process.clean_env(PRIVATE_VARIABLES, **{**CCACHE_ENV, **version, **extra})


def make_argv(line: CommandLine, build_dir: Path, jobs: int | None) -> list[str]:
    """The call of make that brings the image in build_dir up to date.

    line is a command line of kunit.py, with defaults.
    """
    argv = ["make", f"O={build_dir.name}", "ARCH=arm64", f"--jobs={jobs or os.cpu_count() or 1}"]
    argv += [f"CROSS_COMPILE={prefix}" for prefix in line.values("--cross_compile")]
    return [*argv, *line.values("--make_options"), "Image"]


def objects_of(tree: Path, build_dir: Path, changed: Sequence[str]) -> list[str] | None:
    """The objects that must be made again when these files of a tree have other content.

    None when make has to look at all there is: nothing is known of an earlier build
    that ended well, or something else than linked objects comes of a file. Most of the
    time of a build that has little to do is spent in directories without a change.
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
        # A thin archive names its members, each with a slash behind it. The parts of a
        # library, of the vdso and so on are not among them.
        if f"\n{made}/\n".encode() not in linked:
            return None
        found.add(str(made))
    return sorted(found)


def make_objects(
    tree: Path,
    argv: Sequence[str],
    build_dir: Path,
    log: Path,
    env: dict[str, str],
    timeout: float | None,
    objects: Sequence[str],
) -> int:
    """Call make for all that can be out of date, and the image; return its status.

    Raises proc.TimedOut.
    """
    # Who is to be linked again looks at the archive, whose list of members stays.
    (build_dir / "built-in.a").touch()
    narrow = [*argv, f"single-goals={shlex.join(objects)}", _NO_CHECKSYSCALLS]
    return process.run_logged(narrow, str(log), cwd=str(tree), env=env, timeout=timeout)
