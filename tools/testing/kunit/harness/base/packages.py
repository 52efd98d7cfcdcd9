# SPDX-License-Identifier: GPL-2.0
"""The Debian packages that a command needs: found, offered, installed."""

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.base.console import say
from harness.base.errors import MissingToolError

APT_LISTS = Path("/var/lib/apt/lists")
QEMU_NEEDED = (7, 0)


@dataclass(frozen=True)
class Requirement:
    """Something that must be there: a command on PATH, or a file by its full path.

    otherwise: what else there is to do, if this system has no such package.
    """

    proof: str
    package: str
    optional: bool = False
    otherwise: str = ""

    def is_met(self) -> bool:
        """Whether it is there."""
        if self.proof.startswith("/"):
            return os.path.exists(self.proof)
        return shutil.which(self.proof) is not None


GIT = Requirement("git", "git")
XZ = Requirement("xz", "xz-utils")
MAKE = Requirement("make", "make")
PERL = Requirement("perl", "perl")
MYPY = Requirement("mypy", "mypy")
PYTEST = Requirement("pytest-3", "python3-pytest")
# What lets pytest use all CPUs; a module of the system's Python.
XDIST = Requirement("/usr/lib/python3/dist-packages/xdist/__init__.py", "python3-pytest-xdist")
# What completes a command line on the Tab key, for those who switch it on.
ARGCOMPLETE = Requirement(
    "/usr/lib/python3/dist-packages/argcomplete/__init__.py", "python3-argcomplete"
)
# What draws, for the system's Python.
MATPLOTLIB = Requirement(
    "/usr/lib/python3/dist-packages/matplotlib/__init__.py", "python3-matplotlib"
)
# Fetches series from the archives of mailing lists.
B4 = Requirement("b4", "b4")
# What .ci/poll asks a patchwork server with.
POLL = (Requirement("curl", "curl"), Requirement("jq", "jq"), Requirement("flock", "util-linux"))
HOST_TESTS = (MYPY, PYTEST, XDIST, ARGCOMPLETE, MATPLOTLIB, B4, *POLL)
QEMU = Requirement("qemu-system-aarch64", "qemu-system-arm")
# What makes a guest with a user space, and its devices.
GUEST = (
    Requirement("dtc", "device-tree-compiler"),
    Requirement("mmdebstrap", "mmdebstrap"),
    Requirement("cpio", "cpio"),
)
FIRMWARE = Requirement("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "qemu-efi-aarch64")
# Makes tables and pages of what gcov counts.
LCOV = Requirement("lcov", "lcov")
CROSS_COMPILER = Requirement("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
# Only a package that has the header proves a C library to build host tools with.
# The other architectures that there are suites for: an emulator, a compiler.
_OTHERS = {
    "riscv": (
        Requirement("qemu-system-riscv64", "qemu-system-misc"),
        Requirement("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    ),
    "x86_64": (
        Requirement("qemu-system-x86_64", "qemu-system-x86"),
        Requirement("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
    ),
}
# x86 checks what it has compiled with a tool that is built first.
LIBELF = Requirement("/usr/include/libelf.h", "libelf-dev")
BUILD = (
    MAKE,
    Requirement("gcc", "gcc"),
    Requirement("/usr/include/stdio.h", "libc6-dev"),
    Requirement("flex", "flex"),
    Requirement("bison", "bison"),
    Requirement("bc", "bc"),
    PERL,
    Requirement("ccache", "ccache", optional=True),
)
SPHINX = Requirement("sphinx-build", "python3-sphinx")
DOCS = (SPHINX, PERL)


def host_is_arm64() -> bool:
    """Whether arm64 kernels are built here with the native compiler."""
    return platform.machine() in ("aarch64", "arm64")


def for_build(cross: bool) -> tuple[Requirement, ...]:
    """What building a kernel needs; cross: for arm64, with Debian's cross compiler."""
    return (*BUILD, CROSS_COMPILER) if cross else BUILD


def for_guest(firmware: bool) -> tuple[Requirement, ...]:
    """What makes a guest with a user space; firmware: and one with UEFI."""
    return (*GUEST, FIRMWARE) if firmware else GUEST


def other_compiler(arch: str) -> Requirement | None:
    """The cross compiler for an architecture that is not arm64, if we know of one to use."""
    compiler = _OTHERS[arch][1] if arch in _OTHERS else None
    native = compiler and compiler.proof.startswith(f"{platform.machine()}-")
    return None if native else compiler


def for_other(arch: str, build: bool, boot: bool, cross: bool) -> list[Requirement]:
    """What it takes to build and boot a kernel of an architecture that is not arm64."""
    needed = [_OTHERS[arch][0]] if boot and arch in _OTHERS else []
    compiler = other_compiler(arch)
    if build and cross and compiler:
        needed.append(compiler)
    return [*needed, LIBELF] if build and arch == "x86_64" else needed


def ensure(requirements: Iterable[Requirement]) -> None:
    """See to it that everything is there, by installing packages if need be.

    Root installs at once; another user on a terminal is asked first. Raises
    MissingToolError, which names the command to type, when that is not possible.
    An optional requirement that cannot be had is only mentioned.
    """
    missing = [r for r in requirements if not r.is_met()]
    vital = [r for r in missing if not r.optional]
    if not vital:
        # Nothing that is only nice to have is worth an installation.
        return
    packages = list(dict.fromkeys(r.package for r in missing))
    what = ", ".join(r.proof for r in vital)
    if shutil.which("apt-get") is None:
        raise MissingToolError(
            f"missing: {what}",
            "install them by this system's own means (there is no apt-get here); "
            f"Debian's packages are called {' '.join(r.package for r in vital)}",
        )
    prefix = _privilege(packages, what)
    _install(prefix, packages, "; ".join(r.otherwise for r in vital if r.otherwise))
    still = [r for r in vital if not r.is_met()]
    if still:
        raise MissingToolError(
            f"missing after the installation: {', '.join(r.proof for r in still)}",
            f"install the packages by hand: {_command(prefix, packages)}",
        )


def _command(prefix: Sequence[str], packages: Sequence[str]) -> str:
    return shlex.join([*prefix, "apt-get", "install", "--no-install-recommends", *packages])


def _privilege(packages: Sequence[str], what: str) -> list[str]:
    """What to put before apt-get, once the user agrees. Raises MissingToolError."""
    if os.geteuid() == 0:
        return []
    command = _command(["sudo"], packages)
    if sys.stdin.isatty() and sys.stderr.isatty() and shutil.which("sudo"):
        print(f"kunit: missing: {what}\nkunit: run '{command}'? [Y/n] ", end="", file=sys.stderr)
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("", "y", "yes"):
            return ["sudo"]
    raise MissingToolError(f"missing: {what}", f"run: {command}")


def _install(prefix: Sequence[str], packages: Sequence[str], otherwise: str) -> None:
    """Install packages, after an apt-get update if the first try needs one."""
    env = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*prefix, *env, "apt-get", "install", "-y", "--no-install-recommends", *packages]
    update = [*prefix, *env, "apt-get", "update"]
    say(f"installing {' '.join(packages)}")
    if any(APT_LISTS.glob("*_Packages*")) and _apt(install) == 0:
        return
    if _apt(update) != 0 or _apt(install) != 0:
        raise MissingToolError(
            f"apt-get could not install {' '.join(packages)}",
            f"see what it says above, then run: {_command(prefix, packages)}"
            + (f", {otherwise}" if otherwise else ""),
        )


def _apt(argv: Sequence[str]) -> int:
    """Run apt-get on the terminal, with its output on stderr; return its status."""
    say(f"$ {shlex.join(argv)}")
    with process.started(argv, stdin=None, stdout=sys.stderr) as child:
        return child.wait()


def check_qemu() -> None:
    """Raise MissingToolError if QEMU is older than what was tried."""
    words = process.run([QEMU.proof, "--version"]).stdout
    match = re.search(r"version (\d+)\.(\d+)", words)
    found = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if found < QEMU_NEEDED:
        needed = "{}.{}".format(*QEMU_NEEDED)
        shown = "{}.{}".format(*found) if match else "of unknown version"
        raise MissingToolError(
            f"{shutil.which(QEMU.proof)} is QEMU {shown}; {needed} or later is needed",
            f"install a newer {QEMU.package}, or put one first on PATH",
        )
