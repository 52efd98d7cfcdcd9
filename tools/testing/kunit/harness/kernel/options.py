# SPDX-License-Identifier: GPL-2.0
"""The kernel's kunit.py command line, as far as we must understand it.

It runs in the kernel tree, so paths that the user typed elsewhere are made
absolute, and what he left open gets our defaults. All else goes through as it is.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import packages
from harness.base.errors import UsageError
from harness.request.settings import ARCH_CONFIGS, REPO, Settings, arch_kunitconfigs, check_config

CONFIGURING = frozenset({"run", "config", "build", "exec"})
BUILDING = frozenset({"run", "config", "build"})
COMPILING = frozenset({"run", "build"})
BOOTING = frozenset({"run", "exec"})
SUBCOMMANDS = CONFIGURING | {"parse"}

# Options that take a value, and the subcommands that know them.
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
# Options that take a value only as --option=value.
_OPTIONAL_VALUE = {"--raw_output": BOOTING | {"parse"}, "--json": BOOTING | {"parse"}}
_FLAGS = {
    "--alltests": CONFIGURING,
    "--list_tests": BOOTING,
    "--list_tests_attr": BOOTING,
    "--help": SUBCOMMANDS,
}
_KNOWN = {**_VALUED, **_OPTIONAL_VALUE, **_FLAGS}

_QEMU_CONFIGS = REPO / "tools/testing/kunit/qemu_configs"
ARM64_QEMU_CONFIG = _QEMU_CONFIGS / "arm64.py"
ARM64_PREFIX = "aarch64-linux-gnu-"
OWN_CONFIG_DIR = ".kunit-custom"


@dataclass(frozen=True)
class Word:
    """A piece of the command line: an option with its value, or anything else.

    option is its full name, None for what is no option that we know; argv is
    how the piece goes on to the kernel's tool.
    """

    argv: Sequence[str]
    option: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class CommandLine:
    """The user's command line, taken apart."""

    subcommand: str | None
    words: Sequence[Word]

    @property
    def wants_help(self) -> bool:
        """Whether the kernel's tool would do nothing but print help."""
        return self.subcommand is None or self.has("--help")

    def has(self, option: str) -> bool:
        """Whether the user gave that option."""
        return any(word.option == option for word in self.words)

    def values(self, option: str) -> list[str]:
        """The values that the user gave an option."""
        return [w.value for w in self.words if w.option == option and w.value is not None]

    @property
    def arch(self) -> str:
        """The architecture; arm64 unless the user says otherwise."""
        return (self.values("--arch") or ["arm64"])[-1]

    def argv(self) -> list[str]:
        """The words as they go to the kernel's tool."""
        return [part for word in self.words for part in word.argv]


def take_apart(argv: Sequence[str]) -> CommandLine:
    """Read a command line the way the kernel's tool will read it."""
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
    """Make a word of arg, and of what it takes from the rest."""
    name, equals, value = arg.partition("=")
    option = _full_name(name, subcommand)
    if option is None:
        return Word([arg])
    if equals:
        return Word([arg], option, value)
    # The kernel's tool takes a value from the next argument, but not for --json
    # and --raw_output when they are written out.
    takes_next = option in _VALUED or (option in _OPTIONAL_VALUE and name != option)
    if takes_next and rest and (option in _VALUED or not rest[0].startswith("-")):
        value = rest.pop(0)
        return Word([arg, value], option, value)
    return Word([arg], option)


def _full_name(name: str, subcommand: str | None) -> str | None:
    """What argparse takes an option for: any unambiguous beginning will do."""
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
    """Make absolute what the user meant relative to cwd.

    A kunitconfig or qemu_config that is not there is a path in the kernel
    tree, as with the kernel's tool; with tree given, it must be there.
    Raises UsageError.
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
            f"{word.option}={word.value}: neither in {cwd} nor in {tree}",
            "give the path of a file (for --kunitconfig also of a directory with a .kunitconfig)",
        )


def _require_arch(line: CommandLine, tree: Path) -> None:
    configs = tree / "tools/testing/kunit/qemu_configs"
    known = sorted(["um", *ARCH_CONFIGS, *(p.stem for p in configs.glob("[!_]*.py"))])
    if line.arch not in known and not line.has("--qemu_config"):
        raise UsageError(
            f"--arch={line.arch}: kunit.py knows no such architecture",
            f"choose from: {' '.join(dict.fromkeys(known))}, or give --qemu_config=FILE",
        )


def _resolve_positional(words: Sequence[Word], cwd: Path) -> list[Word]:
    """The file that "parse" reads: the first positional word after the subcommand."""
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
    """Whether CONFIG says what kernel it is, and not an option or the architecture."""
    own = line.has("--kunitconfig") or line.has("--alltests")
    return line.subcommand in CONFIGURING and line.arch == "arm64" and not own


def with_defaults(
    line: CommandLine, settings: Settings, environ: Mapping[str, str] = os.environ
) -> CommandLine:
    """Add what the user left open. Raises UsageError on an unknown CONFIG."""
    if line.subcommand not in CONFIGURING:
        return line
    added: dict[str, list[str]] = {}
    if not line.has("--arch"):
        added["--arch"] = ["arm64"]
    own_config = line.has("--kunitconfig") or line.has("--alltests")
    if line.arch == "arm64":
        _arm64_defaults(line, settings, environ, own_config, added)
    elif line.arch in ARCH_CONFIGS:
        _arch_defaults(line, environ, own_config, added)
    elif not own_config:
        added["--kunitconfig"] = ["mm/tests"]
    if settings.jobs and line.subcommand in COMPILING and not line.has("--jobs"):
        added["--jobs"] = [str(settings.jobs)]
    extra = [Word([f"{o}={v}"], o, v) for o, values in added.items() for v in values]
    # After the subcommand, before the user's own: the last one counts.
    position = [list(w.argv) for w in line.words].index([line.subcommand]) + 1
    return CommandLine(line.subcommand, [*line.words[:position], *extra, *line.words[position:]])


def _arm64_defaults(
    line: CommandLine,
    settings: Settings,
    environ: Mapping[str, str],
    own_config: bool,
    added: dict[str, list[str]],
) -> None:
    if not own_config:
        check_config(settings.config)
        added["--kunitconfig"] = [str(path) for path in settings.kunitconfigs]
    if not line.has("--build_dir"):
        # Below the tree, so that the kernel's build uses relative paths and ccache
        # finds the same objects in all trees.
        added["--build_dir"] = [OWN_CONFIG_DIR if own_config else f".kunit-{settings.config}"]
    if not line.has("--qemu_config"):
        added["--qemu_config"] = [str(ARM64_QEMU_CONFIG)]
    prefix = cross_prefix(line, environ)
    if prefix and not line.has("--cross_compile"):
        added["--cross_compile"] = [prefix]
    _ccache_default(line, environ, prefix, added)


def _arch_defaults(
    line: CommandLine, environ: Mapping[str, str], own_config: bool, added: dict[str, list[str]]
) -> None:
    """What an architecture gets that is not the one that this is about: CONFIG is arm64's."""
    if not own_config:
        added["--kunitconfig"] = [str(path) for path in arch_kunitconfigs(line.arch)]
    if not line.has("--build_dir"):
        added["--build_dir"] = [OWN_CONFIG_DIR if own_config else f".kunit-{line.arch}"]
    if not line.has("--qemu_config"):
        added["--qemu_config"] = [str(_QEMU_CONFIGS / f"{line.arch}.py")]
    compiler = packages.other_compiler(line.arch)
    if compiler and not _names_toolchain(line, environ) and not line.has("--cross_compile"):
        added["--cross_compile"] = [compiler.proof[: -len("gcc")]]
    _ccache_default(line, environ, (added.get("--cross_compile") or [""])[-1], added)


def _ccache_default(
    line: CommandLine, environ: Mapping[str, str], prefix: str, added: dict[str, list[str]]
) -> None:
    if shutil.which("ccache") and not _names_compiler(line, environ):
        compiler = (line.values("--cross_compile") or [prefix])[-1] + "gcc"
        added["--make_options"] = [f"CC=ccache {compiler}", "HOSTCC=ccache gcc"]


def cross_prefix(line: CommandLine, environ: Mapping[str, str] = os.environ) -> str:
    """The prefix of the arm64 compiler that we would choose: "" for the native one."""
    if packages.host_is_arm64() or _names_toolchain(line, environ):
        return environ.get("CROSS_COMPILE", "")
    return ARM64_PREFIX


def needs_cross_package(line: CommandLine, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether Debian's cross compiler for arm64 will be called."""
    return (
        line.arch == "arm64"
        and not packages.host_is_arm64()
        and not _names_toolchain(line, environ)
        and not line.has("--cross_compile")
    )


def _make_variables(line: CommandLine) -> list[str]:
    return [value.partition("=")[0] for value in line.values("--make_options")]


def _names_toolchain(line: CommandLine, environ: Mapping[str, str]) -> bool:
    given = _make_variables(line)
    return any(environ.get(n) or n in given for n in ("LLVM", "CROSS_COMPILE"))


def _names_compiler(line: CommandLine, environ: Mapping[str, str]) -> bool:
    given = _make_variables(line)
    if "CROSS_COMPILE" in given:
        return True
    return any(environ.get(n) or n in given for n in ("LLVM", "CC", "HOSTCC"))
