# SPDX-License-Identifier: GPL-2.0
"""The variables that the programs read, and what is said to a user who mistakes one.

Each program has a Command that names the variables it reads, and sees no others. What is
typed on make's command line has to mean something to the program or to the kernel's
build. The environment is full of variables that are none of our business: there, only a
name nearly like one of ours, with a value that ours can have, is a mistake.
"""

import os
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from harness.base.errors import UsageError
from harness.request.settings import CPU_VARIABLE, FLAVOURS

# The Makefile puts the names here that were given on make's own command line.
TYPED = "KUNIT_TYPED"

# Variables that reach a build through the environment. make sees all of them, so a variable
# counts if a Makefile of the kernel reads it without setting it first.
BUILD_VARIABLES = re.compile(
    # make, kbuild and Kconfig
    r"MAKEFILES|\w*FLAGS(_\w+)?|ARCH|CROSS_COMPILE(_\w+)?|LLVM(_\w+)?|LOCALVERSION"
    r"|K(BUILD|CONFIG)_\w+|CONFIG_\w*|KALLSYMS_\w+|(KASAN|KCSAN|KMSAN|UBSAN|KCOV|GCOV)_\w+"
    # The kernel's Makefile sets these, but GNUMAKEFLAGS may tell make to ignore that.
    r"|(HOST)?(CC|CXX|LD|AR)|CPP|NM|OBJCOPY|OBJDUMP|READELF|STRIP|HOSTLDLIBS"
    # Debian's kernel puts these into its version.
    r"|DISTRIBUT(OR|ION_\w+)"
    # gcc, clang, ld
    r"|CPATH|\w+_INCLUDE_PATH|(COMPILER|LIBRARY)_PATH|GCC_\w+|COLLECT_\w+|CCC_\w+"
    r"|SOURCE_DATE_EPOCH|LDEMULATION|GNUTARGET|LD_\w+"
    # The language of their messages, which are kept as well.
    r"|LANG|LANGUAGE|LC_\w+"
)
# What else make, our Makefile and the kernel's read. It does not change what is built.
_ALSO_OF_BUILD = re.compile(
    r"MAKE\w*|MFLAGS|SHELL|PYTHON|PATH|CF|CHECK|[WVC]|CCACHE_\w+|PAHOLE|RUSTC"
)

_FLAVOUR = "|".join(FLAVOURS)
_CONFIG = r"(?:4k|16k|64k)(?:-[a-z0-9-]+)?"


@dataclass(frozen=True)
class Variable:
    """A variable that some program reads, and the option of altmap that sets it.

    value: what stands behind the "=" in a help; help: what it does. values: a regular
    expression for values that are unmistakably meant for it, "" if there are none such.
    is_list: it holds several words. is_flag: the option takes no value, it sets this one.
    """

    name: str
    value: str
    help: str
    values: str = ""
    is_list: bool = False
    is_flag: bool = False
    option_name: str = ""

    @property
    def option(self) -> str:
        """The option of altmap: --tip-configs for TIP_CONFIGS."""
        return "--" + (self.option_name or self.name.lower().replace("_", "-"))


VARIABLES = (
    Variable(
        "FLAVOUR", "NAME", f"the tree: {', '.join(FLAVOURS)}; the first is the default", _FLAVOUR
    ),
    Variable(
        "CONFIG", "NAME", "kunitconfig fragments, joined by '-': 4k (default), 64k, ...", _CONFIG
    ),
    Variable("KSRC", "DIR", "test this kernel tree, as it stands; DIR is not written to"),
    Variable(
        "BASE",
        "6.12",
        "the linux-source package to start from; BASE=sid: the newest in " "that suite of Debian",
    ),
    Variable("SOURCES", "DIR", "where that package's archive is (default: /usr/src)"),
    Variable("BUILD", "DIR", "where trees and kernels are made (default: build/)"),
    Variable("JOBS", "N", "compile N files at a time"),
    Variable("GDB", "1", "let the guest wait for gdb, and print how to call it", is_flag=True),
    Variable(
        "FLAVOURS",
        "NAMES",
        "the flavours to run",
        f"(?:{_FLAVOUR})(?: (?:{_FLAVOUR}))*",
        is_list=True,
    ),
    Variable(
        "CONFIGS", "NAMES", "the configs to run with", f"{_CONFIG}(?: {_CONFIG})*", is_list=True
    ),
    Variable("SHARD", "I/N", "this part of the matrix"),
    Variable("PARTS", "DIR", "where the results of the parts are"),
    Variable("ARCHES", "NAMES", "the architectures to compile for", is_list=True),
    Variable("MAP", "FILE", "where the picture goes"),
    Variable("PLOTS", "DIR", "where pictures and tables go"),
    Variable("KERNEL_ARGS", "WORDS", "further arguments for the kernels"),
    Variable(
        "BARRIERS", "0", "do not count barriers", "0", is_flag=True, option_name="no-barriers"
    ),
    Variable("SCENARIOS", "GLOBS", "the scenarios to run", ".*", is_list=True),
    Variable(
        "GUEST_SHELL",
        "1",
        "boot the first of them and give its console to you",
        is_flag=True,
        option_name="shell",
    ),
    Variable("MUTANTS", "GLOBS", "the mutants to try", ".*", is_list=True),
    Variable(
        "SOAK_SECONDS", "N", "how long to run random sequences", r"\d+", option_name="seconds"
    ),
    Variable("SERIES", "NAME", "the series: a message-id, a directory, an mbox, or FROM..TO"),
    Variable("AGAINST", "NAME", "the older revision to compare with, or none", ".*"),
    Variable("ONTO", "NAME", "the flavour that the series goes onto"),
    Variable(
        "TIP_CONFIGS", "NAMES", "the configs to run the whole series with", ".*", is_list=True
    ),
    Variable("TIP_ONLY", "1", "run the whole series only, not each patch", ".*", is_flag=True),
    Variable("SHORT", "1", "print what fits into a reply", is_flag=True),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}

# Ours, or make's: none of them may reach the kernel's own build.
PRIVATE_VARIABLES = (
    *_BY_NAME,
    CPU_VARIABLE,
    TYPED,
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
)

# What each program reads that prepares a tree; and each that builds a kernel.
TREE = frozenset({"KSRC", "BASE", "SOURCES", "BUILD"})
KERNEL = TREE | {"JOBS"}


@dataclass(frozen=True)
class Command:
    """A program, by the name that its users know, and the variables that it reads.

    summary: what it does, in a line; example: a call of it. positional: the variable that
    its arguments set. hands_over: arguments that it does not know are another program's.
    """

    name: str
    reads: frozenset[str]
    summary: str = ""
    example: str = ""
    positional: str = ""
    hands_over: bool = False

    def variables(self) -> list[Variable]:
        """Those that it reads, in the order of VARIABLES."""
        return [variable for variable in VARIABLES if variable.name in self.reads]

    def given(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables that this program reads, of those that are set and not empty.

        Raises UsageError if another one can only be a mistake.
        """
        typed = environ.get(TYPED, "").split()
        for name in typed:
            self._check_typed(name, environ.get(name, ""))
        for name, value in environ.items():
            if name not in typed:
                self._check_found(name, value, environ)
        return {name: environ[name] for name in sorted(self.reads) if environ.get(name)}

    def _check_typed(self, name: str, value: str) -> None:
        if not value or name in self.reads or _is_of_build(name):
            return
        meant = self._meant(name)
        if meant:
            raise self._mistake(name, meant, value)
        what = f"takes no {name}" if name in _BY_NAME else f"knows no variable {name}"
        raise UsageError(
            f"{self.name} {what}",
            f"leave it out; {self.name} takes {', '.join(sorted(self.reads))}",
        )

    def _check_found(self, name: str, value: str, environ: Mapping[str, str]) -> None:
        if not value or name in self.reads or _is_of_build(name):
            return
        meant = self._meant(name)
        # Whoever has set the right one as well uses this one for something else.
        if (
            meant
            and not environ.get(meant)
            and re.fullmatch(_BY_NAME[meant].values or "(?!)", value)
        ):
            raise self._mistake(name, meant, value)

    def _mistake(self, name: str, meant: str, value: str) -> UsageError:
        return UsageError(
            f"{self.name} takes {meant}, not {name}",
            f'did you mean {meant}? as in {meant}="{value}"',
        )

    def _meant(self, name: str) -> str | None:
        """The variable of this program that a name can be taken for."""
        if name in _BY_NAME:
            near = [name]
        else:
            near = [known for known in _BY_NAME if _is_near(name.upper(), known)]
        return next((n for one in near for n in (one, *_siblings(one)) if n in self.reads), None)


def help_lines(names: Collection[str]) -> list[str]:
    """What these variables do, for a help, in the order of VARIABLES."""
    lines: list[str] = []
    for variable in VARIABLES:
        if variable.name in names:
            head = f"  {variable.name}={variable.value}".ljust(16)
            lines += textwrap.wrap(
                head + variable.help, 78, subsequent_indent=" " * 16, break_on_hyphens=False
            )
    return lines


def _is_of_build(name: str) -> bool:
    return any(p.fullmatch(name) for p in (BUILD_VARIABLES, _ALSO_OF_BUILD))


def _siblings(name: str) -> Iterator[str]:
    """The plural of a name, or its singular."""
    yield name[:-1] if name.endswith("S") else name + "S"


def _is_near(name: str, known: str) -> bool:
    """Whether a name is a known one in the singular or plural, or, if it is long enough for
    that to be no accident, with one letter missing, added, wrong or swapped with the next."""
    if name == known or known in _siblings(name):
        return True
    if min(len(name), len(known)) < 6:
        return False
    same = len(os.path.commonprefix([name, known]))
    a, b = name[same:], known[same:]
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:]
    return a[1:] == b[1:] or a == b[1:] or a[1:] == b or swapped
