# SPDX-License-Identifier: GPL-2.0
"""The defaults for options of kunit.py that the user did not give."""

import os
import shutil

from harness.base import packages
from harness.kernel import options
from harness.kernel.options import CommandLine, Word
from harness.request.settings import ARCH_CONFIGS, Settings, arch_kunitconfigs, check_kernel

OWN_CONFIG_DIR = ".kunit-custom"


def command_line(settings: Settings, *args: str) -> CommandLine:
    """The command line of kunit.py with these arguments and the defaults."""
    return with_defaults(options.parse([*args, f"--arch={settings.arch}"]), settings)


def with_defaults(line: CommandLine, settings: Settings) -> CommandLine:
    """Add the defaults to a command line. Raises UsageError if CONFIG is unknown."""
    if line.subcommand not in options.CONFIGURING:
        return line
    added: dict[str, list[str]] = {}
    if not line.has("--arch"):
        added["--arch"] = ["arm64"]
    own_config = line.has("--kunitconfig") or line.has("--alltests")
    if line.arch in ARCH_CONFIGS:
        _arch_defaults(line, settings, own_config, added)
    elif not own_config:
        added["--kunitconfig"] = ["mm/tests"]
    if settings.jobs and line.subcommand in options.COMPILING and not line.has("--jobs"):
        added["--jobs"] = [str(settings.jobs)]
    extra = [Word([f"{o}={v}"], o, v) for o, values in added.items() for v in values]
    # After the subcommand, but before the user's options, as the last one wins.
    position = [list(w.argv) for w in line.words].index([line.subcommand]) + 1
    return CommandLine(line.subcommand, [*line.words[:position], *extra, *line.words[position:]])


def _arch_defaults(
    line: CommandLine, settings: Settings, own_config: bool, added: dict[str, list[str]]
) -> None:
    """The defaults for an architecture in ARCH_CONFIGS. CONFIG may be for another one."""
    config, fragments = line.arch, arch_kunitconfigs(line.arch)
    if line.arch == settings.arch:
        config, fragments = settings.config, settings.kunitconfigs
    if not own_config:
        if line.arch == settings.arch:
            check_kernel(config)
        added["--kunitconfig"] = [str(path) for path in fragments]
    if not line.has("--build_dir"):
        # Below the tree, so that the build uses relative paths and ccache finds objects
        # that were built in other trees.
        added["--build_dir"] = [OWN_CONFIG_DIR if own_config else f".kunit-{config}"]
    if not line.has("--qemu_config"):
        added["--qemu_config"] = [str(options.QEMU_CONFIGS / f"{line.arch}.py")]
    prefix = cross_prefix(line)
    if prefix and not line.has("--cross_compile"):
        added["--cross_compile"] = [prefix]
    if not _names_compiler(line):
        added["--make_options"] = ccache(line.last("--cross_compile", prefix))


def ccache(prefix: str) -> list[str]:
    """The variables of make that put ccache before the compilers, if it is installed."""
    return [f"CC=ccache {prefix}gcc", "HOSTCC=ccache gcc"] if shutil.which("ccache") else []


def cross_prefix(line: CommandLine) -> str:
    """The prefix of the default compiler, or "" for the native one."""
    if _names_toolchain(line):
        return os.environ.get("CROSS_COMPILE", "")
    if line.arch == "arm64":
        return "" if packages.host_is_arm64() else options.ARM64_PREFIX
    compiler = packages.other_compiler(line.arch)
    return compiler.proof.removesuffix("gcc") if compiler else ""


def cross_tool(name: str) -> str:
    """A program of the default arm64 compiler, such as "nm"."""
    return cross_prefix(options.parse(["build"])) + name


def needs_cross_package(line: CommandLine) -> bool:
    """Whether the build uses Debian's cross compiler for arm64."""
    return (
        line.arch == "arm64"
        and not packages.host_is_arm64()
        and not _names_toolchain(line)
        and not line.has("--cross_compile")
    )


def _names_toolchain(line: CommandLine) -> bool:
    return _is_set(line, "LLVM", "CROSS_COMPILE")


def _names_compiler(line: CommandLine) -> bool:
    return "CROSS_COMPILE" in line.make_variables or _is_set(line, "LLVM", "CC", "HOSTCC")


def _is_set(line: CommandLine, *names: str) -> bool:
    """Whether one of these variables is in the environment or among make's options."""
    return any(os.environ.get(name) or name in line.make_variables for name in names)
