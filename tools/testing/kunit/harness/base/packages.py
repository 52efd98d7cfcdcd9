# SPDX-License-Identifier: GPL-2.0
"""The Debian packages that commands need, and their installation."""

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
    """A command on PATH, or a file given by its full path, and the package that has it.

    otherwise is an alternative to installing the package.
    """

    proof: str
    package: str
    optional: bool = False
    otherwise: str = ""

    def is_met(self) -> bool:
        """Whether the command or the file exists."""
        if self.proof.startswith("/"):
            return os.path.exists(self.proof)
        return shutil.which(self.proof) is not None


GIT = Requirement("git", "git")
XZ = Requirement("xz", "xz-utils")
MAKE = Requirement("make", "make")
PERL = Requirement("perl", "perl")
MYPY = Requirement("mypy", "mypy")
PYTEST = Requirement("pytest-3", "python3-pytest")
# Modules of the system's Python. xdist lets pytest use all CPUs.
XDIST = Requirement("/usr/lib/python3/dist-packages/xdist/__init__.py", "python3-pytest-xdist")
# Completes command lines in the shell.
ARGCOMPLETE = Requirement(
    "/usr/lib/python3/dist-packages/argcomplete/__init__.py", "python3-argcomplete"
)
MATPLOTLIB = Requirement(
    "/usr/lib/python3/dist-packages/matplotlib/__init__.py", "python3-matplotlib"
)
# Fetches series from the archives of mailing lists.
B4 = Requirement("b4", "b4")
# .ci/poll uses these to query a patchwork server.
POLL = (Requirement("curl", "curl"), Requirement("jq", "jq"), Requirement("flock", "util-linux"))
HOST_TESTS = (MYPY, PYTEST, XDIST, ARGCOMPLETE, MATPLOTLIB, B4, *POLL)
QEMU = Requirement("qemu-system-aarch64", "qemu-system-arm")
# Build a guest's user space and its device tree.
GUEST = (
    Requirement("dtc", "device-tree-compiler"),
    Requirement("mmdebstrap", "mmdebstrap"),
    Requirement("cpio", "cpio"),
)
# Selftests of the kernel are linked with the C library.
_LIBC = Requirement("/usr/include/stdio.h", "libc6-dev")
_CROSS_LIBC = Requirement("/usr/aarch64-linux-gnu/lib/libc.a", "libc6-dev-arm64-cross")
FIRMWARE = Requirement("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "qemu-efi-aarch64")
# Reads gcov's counters and writes tables and HTML.
LCOV = Requirement("lcov", "lcov")
CROSS_COMPILER = Requirement("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
# Other architectures that can run the suites: emulator and compiler.
_OTHERS = {
    "powerpc": (
        Requirement("qemu-system-ppc64", "qemu-system-ppc"),
        Requirement("powerpc64le-linux-gnu-gcc", "gcc-powerpc64le-linux-gnu"),
    ),
    "riscv": (
        Requirement("qemu-system-riscv64", "qemu-system-misc"),
        Requirement("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    ),
    "s390": (
        Requirement("qemu-system-s390x", "qemu-system-misc"),
        Requirement("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu"),
    ),
    "x86_64": (
        Requirement("qemu-system-x86_64", "qemu-system-x86"),
        Requirement("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
    ),
}
# The x86 build needs it for objtool.
LIBELF = Requirement("/usr/include/libelf.h", "libelf-dev")
BUILD = (
    MAKE,
    Requirement("gcc", "gcc"),
    # Host tools need the C library's headers.
    _LIBC,
    Requirement("flex", "flex"),
    Requirement("bison", "bison"),
    Requirement("bc", "bc"),
    PERL,
    Requirement("ccache", "ccache", optional=True),
)
SPHINX = Requirement("sphinx-build", "python3-sphinx")
DOCS = (SPHINX, PERL)


def host_is_arm64() -> bool:
    """Whether the native compiler builds arm64 kernels."""
    return platform.machine() in ("aarch64", "arm64")


def for_build(cross: bool) -> tuple[Requirement, ...]:
    """The packages for building a kernel. cross adds Debian's arm64 cross compiler."""
    return (*BUILD, CROSS_COMPILER) if cross else BUILD


def for_guest(firmware: bool, selftests: bool) -> tuple[Requirement, ...]:
    """The packages for a guest with a user space. firmware adds UEFI, selftests a C library."""
    libc = _LIBC if host_is_arm64() else _CROSS_LIBC
    return (*GUEST, *([FIRMWARE] if firmware else []), *([libc] if selftests else []))


def other_compiler(arch: str) -> Requirement | None:
    """The cross compiler for another architecture, or None if the native one will do."""
    compiler = _OTHERS[arch][1] if arch in _OTHERS else None
    native = compiler and compiler.proof.startswith(f"{platform.machine()}-")
    return None if native else compiler


def for_other(arch: str, build: bool, boot: bool, cross: bool) -> list[Requirement]:
    """The packages for building and booting a kernel of another architecture."""
    needed = [_OTHERS[arch][0]] if boot and arch in _OTHERS else []
    compiler = other_compiler(arch)
    if build and cross and compiler:
        needed.append(compiler)
    return [*needed, LIBELF] if build and arch == "x86_64" else needed


def ensure(requirements: Iterable[Requirement]) -> None:
    """Install missing packages.

    Root installs at once. Another user on a terminal is asked first. Optional packages are
    installed only along with required ones. Raises MissingToolError, which names the command to
    type.
    """
    missing = [r for r in requirements if not r.is_met()]
    vital = [r for r in missing if not r.optional]
    if not vital:
        return
    packages = list(dict.fromkeys(r.package for r in missing))
    what = ", ".join(r.proof for r in vital)
    if shutil.which("apt-get") is None:
        raise MissingToolError(
            f"missing: {what}",
            "this system has no apt-get: install them with its own package manager; "
            f"the Debian packages are {' '.join(r.package for r in vital)}",
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
    """The prefix for apt-get: none for root, sudo if the user agrees. Raises MissingToolError."""
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
    """Install packages. Run apt-get update first if needed."""
    env = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*prefix, *env, "apt-get", "install", "-y", "--no-install-recommends", *packages]
    update = [*prefix, *env, "apt-get", "update"]
    say(f"installing {' '.join(packages)}")
    if any(APT_LISTS.glob("*_Packages*")) and _apt(install) == 0:
        return
    if _apt(update) != 0 or _apt(install) != 0:
        raise MissingToolError(
            f"apt-get could not install {' '.join(packages)}",
            f"see its messages above, then run: {_command(prefix, packages)}"
            + (f", {otherwise}" if otherwise else ""),
        )


def _apt(argv: Sequence[str]) -> int:
    """Run apt-get with its output on stderr. Return its status."""
    say(f"$ {shlex.join(argv)}")
    with process.started(argv, stdin=None, stdout=sys.stderr) as child:
        return process.wait(child)


def version(program: str) -> tuple[int, int]:
    """The version that a program prints, or zeros if it prints none."""
    found = re.search(r"version (\d+)\.(\d+)", process.run([program, "--version"]).stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def check_qemu() -> None:
    """Raise MissingToolError if QEMU is older than the oldest tested version."""
    found = version(QEMU.proof)
    if found < QEMU_NEEDED:
        needed = "{}.{}".format(*QEMU_NEEDED)
        shown = "{}.{}".format(*found) if any(found) else "of unknown version"
        raise MissingToolError(
            f"{shutil.which(QEMU.proof)} is QEMU {shown}; {needed} or later is needed",
            f"install a newer {QEMU.package}, or put one first on PATH",
        )
