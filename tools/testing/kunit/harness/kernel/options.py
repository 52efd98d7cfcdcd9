# SPDX-License-Identifier: GPL-2.0
"""Parse the command line of the kernel's kunit.py as far as necessary.

kunit.py runs in the kernel tree. Relative paths of the user's become absolute, and missing
options get our defaults. Everything else is passed on unchanged.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.request.settings import ARCH_CONFIGS, REPO

CONFIGURING = frozenset({"run", "config", "build", "exec"})
BUILDING = frozenset({"run", "config", "build"})
COMPILING = frozenset({"run", "build"})
BOOTING = frozenset({"run", "exec"})
SUBCOMMANDS = CONFIGURING | {"parse"}

# Options that take a value, and the subcommands that have them.
_VALUED: dict[str, frozenset[str]] = {
    "--build_dir": CONFIGURING,
    "--make_options": CONFIGURING,
    "--kunitconfig": CONFIGURING,
    "--kconfig_add": CONFIGURING,
    "--arch": CONFIGURING,
    "--cross_compile": CONFIGURING,
    "--qemu_config": CONFIGURING,
    "--qemu_args": CONFIGURING,
    "--jobs": COMPILING,
    "--timeout": BOOTING,
    "--filter": BOOTING,
    "--filter_action": BOOTING,
    "--kernel_args": BOOTING,
    "--run_isolated": BOOTING,
}
# Options whose value is optional and follows a "=".
_OPTIONAL_VALUE = {"--raw_output": BOOTING | {"parse"}, "--json": BOOTING | {"parse"}}
_FLAGS = {
    "--alltests": CONFIGURING,
    "--list_tests": BOOTING,
    "--list_tests_attr": BOOTING,
    "--help": SUBCOMMANDS,
}
_KNOWN = {**_VALUED, **_OPTIONAL_VALUE, **_FLAGS}

QEMU_CONFIGS = REPO / "tools/testing/kunit/qemu_configs"
ARM64_QEMU_CONFIG = QEMU_CONFIGS / "arm64.py"
ARM64_PREFIX = "aarch64-linux-gnu-"


@dataclass(frozen=True)
class Word:
    """A part of the command line: an option with its value, or anything else.

    option is the full name of a known option, else None. argv is what the kernel's tool gets.
    """

    argv: Sequence[str]
    option: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class CommandLine:
    """The user's command line, parsed."""

    subcommand: str | None
    words: Sequence[Word]

    @property
    def wants_help(self) -> bool:
        """Whether the kernel's tool would only print help."""
        return self.subcommand is None or self.has("--help")

    def has(self, option: str) -> bool:
        """Whether the user gave that option."""
        return any(word.option == option for word in self.words)

    def values(self, option: str) -> list[str]:
        """The values that the user gave an option."""
        return [w.value for w in self.words if w.option == option and w.value is not None]

    def last(self, option: str, default: str) -> str:
        """The value that counts if an option is given several times, or the default."""
        return (self.values(option) or [default])[-1]

    @property
    def make_variables(self) -> dict[str, str]:
        """The variables in --make_options."""
        options = [option.partition("=") for option in self.values("--make_options")]
        return {name: value for name, _, value in options}

    @property
    def arch(self) -> str:
        """The architecture. The default is arm64."""
        return self.last("--arch", "arm64")

    @property
    def build_dir(self) -> str:
        """The build directory, absolute or below the tree."""
        return self.last("--build_dir", ".kunit")

    def argv(self) -> list[str]:
        """The words as the kernel's tool gets them."""
        return [part for word in self.words for part in word.argv]


def parse(argv: Sequence[str]) -> CommandLine:
    """Parse a command line as the kernel's tool does."""
    subcommand = next((arg for arg in argv if not arg.startswith("-")), None)
    if subcommand not in SUBCOMMANDS:
        subcommand = None
    words: list[Word] = []
    rest = list(argv)
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            words += [Word([arg])] + [Word([positional]) for positional in rest]
            break
        words.append(_read_word(arg, rest, subcommand))
    return CommandLine(subcommand, words)


def _read_word(arg: str, rest: list[str], subcommand: str | None) -> Word:
    """Make a word of arg and of the value that follows it, if any."""
    name, equals, value = arg.partition("=")
    option = _full_name(name, subcommand)
    if option is None:
        return Word([arg])
    if equals:
        return Word([arg], option, value)
    # argparse takes the value from the next argument. The kernel's tool prevents that for
    # --json and --raw_output unless they are abbreviated.
    takes_next = option in _VALUED or (option in _OPTIONAL_VALUE and name != option)
    if takes_next and rest and (option in _VALUED or not rest[0].startswith("-")):
        value = rest.pop(0)
        return Word([arg, value], option, value)
    return Word([arg], option)


def _full_name(name: str, subcommand: str | None) -> str | None:
    """The full name of an option. Like argparse, accept any unambiguous abbreviation."""
    if name == "-h":
        return "--help"
    if not name.startswith("--") or name == "--":
        return None
    known = [o for o, subcommands in _KNOWN.items() if subcommand in subcommands]
    if name in known:
        return name
    matches = [option for option in known if option.startswith(name)]
    return matches[0] if len(matches) == 1 else None


def resolve_paths(line: CommandLine, cwd: Path, tree: Path | None = None) -> CommandLine:
    """Make the user's relative paths absolute.

    A kunitconfig or qemu_config that does not exist in cwd is a path in the kernel tree. If
    tree is given, it must exist there. Raises UsageError.
    """
    if tree and line.subcommand in CONFIGURING:
        _require_arch(line, tree)
    words = [_resolve_word(word, cwd, tree) for word in line.words]
    if line.subcommand == "parse":
        words = _resolve_positional(words, cwd)
    return CommandLine(line.subcommand, words)


def _resolve_word(word: Word, cwd: Path, tree: Path | None) -> Word:
    option, value = word.option, word.value
    if option is None or not value:
        return word
    path = os.path.abspath(cwd / value)
    if option in ("--kunitconfig", "--qemu_config"):
        if not os.path.exists(path):
            _require(word, cwd, tree)
            return word
    elif option == "--json":
        if value == "stdout":
            return word
    elif option == "--cross_compile":
        if "/" not in value:
            return word
    elif option != "--build_dir":
        return word
    return Word([f"{option}={path}"], option, path)


def _require(word: Word, cwd: Path, tree: Path | None) -> None:
    if tree and not (tree / str(word.value)).exists():
        raise UsageError(
            f"{word.option}={word.value} is neither in {cwd} nor in {tree}",
            "give the path of a file, or for --kunitconfig of a directory with a .kunitconfig",
        )


def _require_arch(line: CommandLine, tree: Path) -> None:
    configs = tree / "tools/testing/kunit/qemu_configs"
    known = sorted(["um", *ARCH_CONFIGS, *(p.stem for p in configs.glob("[!_]*.py"))])
    if line.arch not in known and not line.has("--qemu_config"):
        raise UsageError(
            f"--arch={line.arch}: kunit.py does not know this architecture",
            f"choose from: {' '.join(dict.fromkeys(known))}, or give --qemu_config=FILE",
        )


def _resolve_positional(words: Sequence[Word], cwd: Path) -> list[Word]:
    """Resolve the file for "parse": the first positional word after the subcommand."""
    resolved: list[Word] = []
    positionals = 0
    literal = False
    for word in words:
        text = word.argv[0]
        if word.option is None and (literal or not text.startswith("-")):
            positionals += 1
            if positionals == 2:
                word = Word([os.path.abspath(cwd / text)])
        literal = literal or text == "--"
        resolved.append(word)
    return resolved


def uses_config(line: CommandLine) -> bool:
    """Whether CONFIG selects the config, rather than an option or the architecture."""
    own = line.has("--kunitconfig") or line.has("--alltests")
    return line.subcommand in CONFIGURING and line.arch == "arm64" and not own
