# SPDX-License-Identifier: GPL-2.0
"""The variables of all commands, and the errors for wrong ones.

Each command names the variables that it reads and sees no others. A variable typed on make's
command line must mean something to the command or to the kernel's build. The environment has
many unrelated variables. There, a name is an error only if it is nearly one of ours and its
value is valid for ours.
"""

import difflib
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.base.errors import UsageError
from harness.request.build_variables import is_of_build
from harness.request.settings import CPU_VARIABLE, FLAVOURS, HOME_BASE, PAGE_SIZES

# The Makefile passes the names of the variables on make's command line in this variable.
TYPED = "KUNIT_TYPED"

_FLAVOUR = "|".join(FLAVOURS)
_CONFIG = rf"(?:{'|'.join(PAGE_SIZES)})(?:-[a-z0-9-]+)?"


@dataclass(frozen=True)
class Variable:
    """A variable that a command reads, and the altmap option that sets it.

    value is the placeholder for the value in a help text, help is the explanation. values is a
    regular expression for values that identify the variable; "" means there are none. is_list:
    it holds several words. is_flag: the option takes no value and sets this one.
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
        """The option of altmap, as in --tip-configs for TIP_CONFIGS."""
        return "--" + (self.option_name or self.name.lower().replace("_", "-"))


VARIABLES = (
    Variable(
        "FLAVOUR",
        "NAME",
        f"the kernel: {', '.join(FLAVOURS)} (default: series, or stock with KSRC or BASE)",
        _FLAVOUR,
    ),
    Variable(
        "CONFIG", "NAME", "kunitconfig fragments, joined by '-': 4k (default), 64k, ...", _CONFIG
    ),
    Variable("KSRC", "DIR", "test the kernel tree in DIR; nothing is written to DIR"),
    Variable(
        "BASE",
        "NAME",
        f"the linux-source package to use: a version (default: {HOME_BASE}), or a Debian suite, "
        "such as sid, for the newest one in it",
    ),
    Variable(
        "SOURCES",
        "DIR",
        "the directory of that package's archive (default: where the package puts it)",
    ),
    Variable("BUILD", "DIR", "the directory for trees, kernels and results (default: build/)"),
    Variable("JOBS", "N", "run N compilers or guests at a time (default: one per CPU)"),
    Variable("GDB", "1", "make the guest wait for gdb, and print the gdb command", is_flag=True),
    Variable(
        "FLAVOURS",
        "NAMES",
        "only these flavours",
        f"(?:{_FLAVOUR})(?: (?:{_FLAVOUR}))*",
        is_list=True,
    ),
    Variable("CONFIGS", "NAMES", "only these configs", f"{_CONFIG}(?: {_CONFIG})*", is_list=True),
    Variable(
        "ALL",
        "1",
        "run every kernel of the check and the smoke test of make e2e, and compile the suites for "
        "riscv",
        is_flag=True,
    ),
    Variable("SHARD", "I/N", "run only part I of N"),
    Variable("PARTS", "DIR", "search DIR for the results of the shards (default: BUILD/results)"),
    Variable("ARCHES", "NAMES", "the architectures to compile for (default: all)", is_list=True),
    Variable("MAP", "FILE", "the file for the picture (default: BUILD/results/origin-map.svg)"),
    Variable(
        "PLOTS", "DIR", "the directory for pictures and tables (default: BUILD/results/bench)"
    ),
    Variable("KERNEL_ARGS", "WORDS", "extra kernel arguments"),
    Variable(
        "BARRIERS", "0", "do not count barriers", "0", is_flag=True, option_name="no-barriers"
    ),
    Variable(
        "SCENARIOS",
        "GLOBS",
        "the scenarios to run (default: all); !GLOB excludes",
        ".*",
        is_list=True,
    ),
    Variable(
        "GUEST_SHELL",
        "1",
        "boot the first scenario's guest and open a shell in it",
        is_flag=True,
        option_name="shell",
    ),
    Variable("MUTANTS", "GLOBS", "the mutants to try", ".*", is_list=True),
    Variable(
        "WITH_MUTANTS",
        "1",
        "also change each line of the series, and see which changes the suites notice",
        is_flag=True,
        option_name="mutants",
    ),
    Variable("SAMPLE", "N", "try N generated mutants, or all (default: 300)", r"\d+|all"),
    Variable(
        "EQUIVALENT", "1", "also try generated mutants that are declared equivalent", is_flag=True
    ),
    Variable(
        "SOAK_SECONDS",
        "N",
        "run random sequences for N seconds (default: 600)",
        r"\d+",
        option_name="seconds",
    ),
    Variable("SERIES", "NAME", "the series: a message-id, a directory, an mbox, or FROM..TO"),
    Variable(
        "AGAINST",
        "NAME",
        "the older revision to compare with, or none (default: the previous version, if known)",
        ".*",
    ),
    Variable(
        "ONTO",
        "NAME",
        "the flavour to apply the series to (default: stock, or baseline for a revision of "
        "patches/series)",
    ),
    Variable(
        "TIP_CONFIGS", "NAMES", "the configs to test the complete series with", ".*", is_list=True
    ),
    Variable("TIP_ONLY", "1", "test the complete series only, not each patch", ".*", is_flag=True),
    Variable("ALONE", "1", "test each patch alone on the base, and record that", is_flag=True),
    Variable("SHORT", "1", "print a summary short enough for a reply", is_flag=True),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}

# These variables of ours and of make must not reach the kernel's build.
_OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
PRIVATE_VARIABLES = (*_BY_NAME, CPU_VARIABLE, TYPED, *_OF_MAKE)

# The variables of each command that prepares a tree, and of each that builds a kernel.
TREE = frozenset({"KSRC", "BASE", "SOURCES", "BUILD"})
KERNEL = TREE | {"JOBS"}
OWN_TREES = KERNEL - {"KSRC"}


@dataclass(frozen=True)
class Command:
    """A command by its public name, and the variables that it reads.

    summary describes it in one line, example is a call of it. positional is the variable that
    its arguments set. hands_over: it passes unknown arguments on to another program. If it
    tests only this repository's own trees, own_trees says what to do instead of setting KSRC.
    helps has explanations of variables that are more precise here than those in VARIABLES.
    lists says what its option --list prints.
    """

    name: str
    reads: frozenset[str]
    summary: str = ""
    example: str = ""
    positional: str = ""
    hands_over: bool = False
    own_trees: str = ""
    helps: Mapping[str, str] = field(default_factory=dict)
    lists: str = "what you can choose from"

    def variables(self) -> list[Variable]:
        """The variables that it reads, in the order of VARIABLES."""
        return [
            replace(one, help=self.helps.get(one.name, one.help))
            for one in VARIABLES
            if one.name in self.reads
        ]

    def given(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables that this command reads and that are set to a value.

        Raises UsageError if another variable must be a mistake.
        """
        if self.own_trees and environ.get("KSRC"):
            what = f"{self.name} tests this repository's own trees, not KSRC"
            raise UsageError(what, self.own_trees)
        typed = environ.get(TYPED, "").split()
        for name in sorted(environ, key=lambda name: name not in typed):
            if environ[name] and name not in self.reads and not is_of_build(name):
                self._check(name, environ, name in typed)
        return {name: environ[name] for name in sorted(self.reads) if environ.get(name)}

    def _check(self, name: str, environ: Mapping[str, str], is_typed: bool) -> None:
        """Raise UsageError if a variable that the command does not read must be a mistake."""
        meant, value = self._meant(name), environ[name]
        # If the right variable is set too, one in the environment is for something else.
        if meant and (is_typed or not environ.get(meant) and _is_for(meant, value)):
            raise UsageError(
                f"{self.name} takes {meant}, not {name}",
                f'did you mean {meant}? as in {meant}="{value}"',
            )
        if is_typed:
            what = f"does not take {name}" if name in _BY_NAME else f"has no variable {name}"
            raise UsageError(
                f"{self.name} {what}",
                f"leave it out; {self.name} takes {', '.join(sorted(self.reads))}",
            )

    def _meant(self, name: str) -> str | None:
        """The variable of this command that the user probably meant, or None."""
        if name in _BY_NAME:
            near = [name]
        else:
            near = _near(name.upper())
        return next((n for one in near for n in (one, *_siblings(one)) if n in self.reads), None)


def help_lines(names: Collection[str]) -> list[str]:
    """The help text for these variables, in the order of VARIABLES."""
    lines: list[str] = []
    for variable in VARIABLES:
        if variable.name in names:
            head = f"  {variable.name}={variable.value}".ljust(16)
            lines += textwrap.wrap(
                head + variable.help, 78, subsequent_indent=" " * 16, break_on_hyphens=False
            )
    return lines


def _is_for(name: str, value: str) -> bool:
    """Whether a value identifies the variable of this name."""
    return re.fullmatch(_BY_NAME[name].values or "(?!)", value) is not None


def _siblings(name: str) -> Iterator[str]:
    """The plural of a name, or its singular."""
    yield name[:-1] if name.endswith("S") else name + "S"


def _near(name: str) -> list[str]:
    """The known names that are the plural or singular of a name, or nearly the same.

    Nearly: one letter is missing, added, wrong or swapped with the next. Only long names
    count, since short ones often differ in one letter.
    """
    found = [known for known in _BY_NAME if known in (name, *_siblings(name))]
    if len(name) < 6:
        return found
    long = [known for known in _BY_NAME if len(known) >= 6]
    return found + difflib.get_close_matches(name, long, cutoff=0.83)
