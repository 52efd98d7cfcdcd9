# SPDX-License-Identifier: GPL-2.0
"""The command line of altmap. Each module in commands/ is a subcommand.

Each option has a variable of the same name: "altmap check --configs 4k" equals "make check
CONFIGS=4k". The variables are the defaults of the options.
"""

import argparse
import importlib
import os
from collections.abc import Mapping
from types import ModuleType
from typing import NoReturn

from harness.base import console
from harness.base.errors import UsageError
from harness.base.table import table
from harness.request.variables import Command, Variable

# In the order of the help text, the most common first.
NAMES = tuple(
    "run check revision tree matrix report mutants soak e2e coverage bench map arches lint export "
    "docs clean".split()
)
_HELP = """\
examples:
  altmap run --config 64k              boot the suites, with 64K pages
  altmap revision v4.mbx               judge a patch series, patch by patch
  altmap check                         the quick tests of this repository

"make COMMAND VARIABLE=value" calls altmap, where most variables are options.
"""


class _Parser(argparse.ArgumentParser):
    """A parser that reports errors the way the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see {self.prog} --help")


def main(argv: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run the subcommand in argv. Return the exit status."""
    parser, modules = _parser(argv, environ)
    if "_ARGCOMPLETE" in environ:
        # The variable is set only where argcomplete is installed.
        importlib.import_module("argcomplete").autocomplete(parser)
    given, rest = parser.parse_known_args(argv)
    module = modules[given.command]
    command: Command = module.COMMAND
    if rest and not command.hands_over:
        what = f"altmap {given.command} does not take {' '.join(rest)}"
        raise UsageError(what, f"see altmap {given.command} --help")
    console.set_level(given.verbose - given.quiet)
    known = command.given({**environ, **_options(command, given)})
    if getattr(given, "list", False):
        print("\n".join(table(module.listed(known), "l")))
        return 0
    status: int = module.main(known, rest) if command.hands_over else module.main(known)
    return status


def _parser(
    argv: list[str], environ: Mapping[str, str]
) -> tuple[argparse.ArgumentParser, dict[str, ModuleType]]:
    """The parser, and the modules behind its subcommands.

    Importing a module takes time, so import only the one that argv names, if any.
    """
    named = next((word for word in argv if not word.startswith("-")), "")
    wanted = (named,) if named in NAMES and "_ARGCOMPLETE" not in environ else NAMES
    modules = {name: importlib.import_module(f"harness.commands.{name}") for name in wanted}
    parser = _Parser(
        "altmap",
        description="Test where arm64 puts the struct pages of hot-added memory, and test patches.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in modules.items():
        _add(commands, name, module)
    return parser, modules


def _add(commands: "argparse._SubParsersAction[_Parser]", name: str, module: ModuleType) -> None:
    command: Command = module.COMMAND
    one = commands.add_parser(
        name,
        help=command.summary,
        description=command.summary[0].upper() + command.summary[1:] + ".",
        epilog=f"example:\n  {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for variable in command.variables():
        _add_option(one, variable, variable.name == command.positional)
    if hasattr(module, "listed"):
        words = f"print {command.lists} and exit"
        one.add_argument("--list", action="store_true", help=words)
    one.add_argument(
        "-v", "--verbose", action="count", default=0, help="print each program that is started"
    )
    one.add_argument(
        "-q", "--quiet", action="count", default=0, help="print results and errors only"
    )


def _add_option(parser: argparse.ArgumentParser, variable: Variable, is_positional: bool) -> None:
    if is_positional:
        # Not required: make passes it as a variable.
        parser.add_argument(
            variable.name,
            nargs="*" if variable.is_list else "?",
            metavar=variable.value,
            help=variable.help,
        )
    elif variable.is_flag:
        parser.add_argument(
            variable.option,
            dest=variable.name,
            action="store_const",
            const=variable.value,
            help=variable.help,
        )
    else:
        parser.add_argument(
            variable.option, dest=variable.name, metavar=variable.value, help=variable.help
        )


def _options(command: Command, given: argparse.Namespace) -> dict[str, str]:
    """The options as variables."""
    found: dict[str, str] = {}
    for variable in command.variables():
        value = getattr(given, variable.name, None)
        if isinstance(value, list):
            value = " ".join(value)
        if value:
            found[variable.name] = value.replace(",", " ") if variable.is_list else value
    return found
