# SPDX-License-Identifier: GPL-2.0
"""What a build depends on besides the tree, and a boot besides the image.

Cached results are stored under these lines. PATH is not among them, as it differs from shell to
shell. The programs that are found there are.
"""

import functools
import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base import archive, packages, process
from harness.kernel.options import CommandLine
from harness.request.build_variables import BUILD_VARIABLES
from harness.request.variables import PRIVATE_VARIABLES

# The programs that the kernel's Makefile calls by default.
_GNU = {name: name.lower() for name in ("LD", "AR", "NM", "OBJCOPY", "OBJDUMP", "READELF", "STRIP")}
_GNU["CC"] = "gcc"
_GNU_HOST = {"HOSTCC": "gcc", "HOSTCXX": "g++"}
_LLVM = {
    "CC": "clang",
    "LD": "ld.lld",
    "HOSTCC": "clang",
    "HOSTCXX": "clang++",
    **{name: f"llvm-{name.lower()}" for name in _GNU if name not in ("CC", "LD")},
}
# gcc is only a driver: these programs, which it starts, do the work.
_PARTS = ("cc1", "as")

_BOOT_ENV = re.compile(r"QEMU_\w+|LD_\w+")

_BUILD_OPTIONS = ("--kconfig_add", "--alltests")
_BOOT_OPTIONS = ("--qemu_args", "--kernel_args", "--filter", "--filter_action", "--run_isolated")


def of_build(
    line: CommandLine, tree: Path, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The options, environment and programs of a build.

    line is a command line of kunit.py with defaults. Its relative paths start in tree. Raises
    OSError if a kunitconfig cannot be read.
    """
    given = {**line.make_variables}
    given.update({"CROSS_COMPILE": prefix for prefix in line.values("--cross_compile")})
    found = [f"arch: {line.arch}", *_files(line, tree, "--kunitconfig", "--qemu_config")]
    found += _words(line, _BUILD_OPTIONS) + _variables(environ, BUILD_VARIABLES)
    for name, usual in _build_programs(given, environ).items():
        words = given.pop(name, usual).split()
        # ccache gives the same objects as the compiler.
        words = words[1:] if words and os.path.basename(words[0]) == "ccache" else words
        found.append(f"{name}={' '.join(words)}: {program(words[0] if words else '', environ)}")
        if name == "CC" and words:
            found += _parts(words[0], environ)
    found += [f"{name}={value}" for name, value in sorted(given.items())]
    others = [r.proof for r in packages.BUILD if "/" not in r.proof and not r.optional]
    return (*found, *(f"{name}: {_stamp(name, environ)}" for name in others))


def of_boot(
    line: CommandLine, tree: Path, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The QEMU, its arguments and the host's CPU for the boot of an arm64 image.

    See of_build() for line and tree. Time limits are left out: they matter only to guests that
    reach them. Raises OSError.
    """
    names = [w.argv[0] for w in line.words if w.option is None and w.argv[0] != line.subcommand]
    return (
        *_files(line, tree, "--qemu_config"),
        *_words(line, _BOOT_OPTIONS),
        *(f"suites: {name}" for name in names),
        *_variables(environ, _BOOT_ENV),
        f"QEMU: {program(packages.QEMU.proof, environ)}",
        f"CPU: {_kvm()}",
    )


def program(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The file and version of a program."""
    stamp = _stamp(name, environ)
    return f"{stamp} {_ask(_find(name, environ), stamp, '--version')}" if stamp else ""


def _stamp(name: str, environ: Mapping[str, str]) -> str:
    """Identify a program's file. Another build of the same version differs in size or time."""
    found = _find(name, environ)
    path = Path(found).resolve()
    return f"{path} {archive.stamp(path)}" if found else ""


def _find(name: str, environ: Mapping[str, str]) -> str:
    """The path of a program, but not a link to ccache; "" if there is none."""
    for directory in environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=directory)
        if found and Path(found).resolve().name != "ccache":
            return found
    return ""


@functools.cache
def _ask(path: str, _stamp_of_it: str, question: str) -> str:
    """A program's answer to an option. Cached as long as the file does not change."""
    done = process.run([path, question], env=process.clean_env(LC_ALL="C"), expect=range(-64, 256))
    return (done.stdout + done.stderr).strip()


def _parts(compiler: str, environ: Mapping[str, str]) -> list[str]:
    found, stamp = _find(compiler, environ), _stamp(compiler, environ)
    paths = [_ask(found, stamp, f"-print-prog-name={part}") for part in _PARTS if found]
    return [f"part of CC: {_stamp(path, environ)}" for path in paths if path]


def _build_programs(given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The programs of a build by make variable, chosen as the kernel's Makefile does."""
    prefix = given.get("CROSS_COMPILE", environ.get("CROSS_COMPILE", ""))
    llvm = given.get("LLVM", environ.get("LLVM", ""))
    # clang calls it with LLVM_IAS=0. gcc calls its own.
    assembler = {"AS": f"{prefix}as"}
    if llvm:
        directory = llvm if llvm.endswith("/") else ""
        suffix = llvm if llvm.startswith("-") else ""
        return {**{n: f"{directory}{tool}{suffix}" for n, tool in _LLVM.items()}, **assembler}
    return {**{n: f"{prefix}{tool}" for n, tool in _GNU.items()}, **_GNU_HOST, **assembler}


def _files(line: CommandLine, tree: Path, *options: str) -> list[str]:
    """The content of the files that options name. Their paths do not matter."""
    found = []
    for option in options:
        for value in line.values(option):
            path = tree / value
            path = path / ".kunitconfig" if path.is_dir() else path
            found.append(f"{option}: {path.read_text(errors='backslashreplace')}")
    return found


def _words(line: CommandLine, options: Sequence[str]) -> list[str]:
    return [f"{word.option}={word.value}" for word in line.words if word.option in options]


def _variables(environ: Mapping[str, str], pattern: "re.Pattern[str]") -> list[str]:
    return [
        f"environment: {name}={value}"
        for name, value in sorted(environ.items())
        if pattern.fullmatch(name) and name not in PRIVATE_VARIABLES
    ]


def has_kvm() -> bool:
    """Whether KVM can run an arm64 guest here."""
    return platform.machine() == "aarch64" and os.access("/dev/kvm", os.R_OK | os.W_OK)


def _kvm() -> str:
    """With KVM, a guest sees the host's CPU and depends on the host's kernel."""
    if not has_kvm():
        return "emulated"
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpus = sorted({line for line in lines if line.startswith(("CPU ", "Features"))})
    return f"KVM of {platform.release()}, {', '.join(cpus)}"
