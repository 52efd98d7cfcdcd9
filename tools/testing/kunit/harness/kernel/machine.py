# SPDX-License-Identifier: GPL-2.0
"""The tools of this machine for building and booting kernels."""

import os
import platform
import shutil
from collections.abc import Sequence

from harness.base import packages, process
from harness.kernel import defaults, options
from harness.request.settings import Settings
from harness.trees import worktree


def for_build(wanted: Settings) -> list[packages.Requirement]:
    """The packages for preparing a tree and building an arm64 kernel."""
    cross = defaults.needs_cross_package(options.parse(["build"]))
    return [*worktree.requirements(wanted), *packages.for_build(cross)]


def ensure_tools(wanted: Settings, *more: packages.Requirement) -> None:
    """Install everything that building and booting need, plus more."""
    packages.ensure([*for_build(wanted), packages.QEMU, *more])
    packages.check_qemu()


def description() -> str:
    """The CPUs, compiler and emulator, for a heading."""
    words = [f"{platform.machine()}, {os.cpu_count()} CPUs"]
    for argv in ([defaults.cross_tool("gcc"), "--version"], [packages.QEMU.proof, "--version"]):
        words += first_line(argv)
    return "\n".join(words)


def first_line(argv: Sequence[str]) -> list[str]:
    """The first line of a program's output, if the program exists."""
    return [process.run(argv).stdout.partition("\n")[0]] if shutil.which(argv[0]) else []
