# SPDX-License-Identifier: GPL-2.0
"""The front end of the kernel's kunit.py. It prepares the kernel tree first."""

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.base import packages, process
from harness.base.console import say
from harness.base.errors import ExitStatus, UsageError
from harness.kernel import defaults, image, incremental, options
from harness.kernel.options import CommandLine
from harness.request import settings
from harness.request.settings import Request, Settings
from harness.request.variables import KERNEL, PRIVATE_VARIABLES, Command, help_lines
from harness.trees import checkout, debian, linux_source, worktree

TOOL = "tools/testing/kunit/kunit.py"

COMMAND = Command("kunit.py", KERNEL | {"FLAVOUR", "CONFIG"})
VARIABLES = "\n".join(help_lines(COMMAND.reads))

OUR_HELP = f"""\
This front end prepares a kernel tree, then calls that tree's own kunit.py with
all of your options. The defaults are --arch=arm64, the kunitconfigs in
lib/kunit-configs, the QEMU config tools/testing/kunit/qemu_configs/arm64.py and
the cross compiler aarch64-linux-gnu-gcc. Other architectures in these
directories have similar defaults. Environment variables:

{VARIABLES}

The exit status is that of the kernel's kunit.py, except for 125 if the kernel
cannot be prepared or built (for git bisect run), and 2 for other errors.
"""


def main(argv: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run the command line and return the exit status."""
    environ = COMMAND.given(environ)
    request = settings.read(environ)
    line = options.parse(argv)
    if line.wants_help:
        return _help(line, request)
    cwd = Path.cwd()
    if line.subcommand == "parse":
        return _parse(options.resolve_paths(line, cwd), request)
    if options.uses_config(line):
        settings.check_config(request.config)
    wanted = debian.resolve(request)
    if line.subcommand in options.CONFIGURING and not (line.has("--kunitconfig") or wanted.ksrc):
        settings.check_arch(line.arch, wanted.base)
    _ensure_packages(line, wanted)
    tree = worktree.prepare(wanted, note_changes=False)
    line = defaults.with_defaults(options.resolve_paths(line, cwd, tree), wanted)
    return _call(line, tree)


def _parse(line: CommandLine, request: Request) -> int:
    """Let the kernel's kunit.py read a log. Take it from the package if there is no tree.

    This neither creates nor changes a tree.
    """
    tree = worktree.any_tree(request)
    if tree:
        return _without_traces(line, tree)
    wanted = debian.resolve(request)
    packages.ensure(worktree.requirements(wanted))
    say(f"extracting kunit.py from {wanted.tarball} ...")
    with tempfile.TemporaryDirectory() as directory:
        linux_source.extract(wanted.tarball, TOOL.rpartition("/")[0], Path(directory))
        return _without_traces(line, Path(directory))


def _without_traces(line: CommandLine, tree: Path) -> int:
    """Run a tree's kunit.py without writing Python caches, as the tree may be the user's."""
    argv = [sys.executable, "-B", str(tree / TOOL), *line.argv()]
    return process.hand_over(argv, cwd=os.getcwd(), env=process.clean_env(PRIVATE_VARIABLES))


def _ensure_packages(line: CommandLine, wanted: Settings) -> None:
    needed = list(worktree.requirements(wanted))
    if line.subcommand in options.BUILDING:
        needed += packages.for_build(cross=defaults.needs_cross_package(line))
    boots_arm64 = line.subcommand in options.BOOTING and line.arch == "arm64"
    if boots_arm64:
        needed.append(packages.QEMU)
    needed += packages.for_other(
        line.arch,
        build=line.subcommand in options.BUILDING,
        boot=line.subcommand in options.BOOTING,
        cross=not line.has("--cross_compile"),
    )
    packages.ensure(needed)
    if boots_arm64:
        packages.check_qemu()


def _call(line: CommandLine, tree: Path) -> int:
    """Run the tree's kunit.py. Return its status, or 125 for a failed build."""
    build = incremental.Build(line, tree)
    if line.subcommand not in options.BUILDING or not build.is_supported():
        checkout.report_changes(tree)
        return _hand_over(line, tree)[0]
    inputs = build.inputs()
    if line.subcommand == "run" and build.bring_up_to_date(inputs):
        return _hand_over(incremental.just_boot(line), tree)[0]
    build.forget()
    status, built = _hand_over(line, tree)
    if built and line.subcommand == "run":
        build.remember(inputs)
    return status


def _hand_over(line: CommandLine, tree: Path) -> tuple[int, bool]:
    """Run the tree's kunit.py. Return its exit status and whether it built the kernel."""
    argv = [sys.executable, str(tree / TOOL), *line.argv()]
    say(f"$ {shlex.join(argv)}")
    log = tree / line.build_dir / "test.log"
    before = _mtime(log)
    status = process.hand_over(argv, cwd=str(tree), env=image.build_env())
    # The tool's status 1 means a failed build or a failed test. It opens the guest's log
    # only when the guest starts.
    built = line.subcommand not in options.BUILDING or _mtime(log) != before
    if status == ExitStatus.FAILED and not built:
        return int(ExitStatus.CANNOT_BUILD), False
    return status, built


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _help(line: CommandLine, request: Request) -> int:
    """Print our help, and the kernel tool's own if there is a prepared tree.

    Raises UsageError for an unknown subcommand if there is no kernel tool to judge it.
    """
    tree = worktree.any_tree(request)
    unknown = [w.argv[0] for w in line.words if not w.argv[0].startswith("-")]
    if tree is None and line.subcommand is None and unknown:
        raise UsageError(
            f"kunit.py has no subcommand '{unknown[0]}'",
            f"choose from: {' '.join(sorted(options.SUBCOMMANDS))}",
        )
    print(OUR_HELP, flush=True)
    if tree is None:
        print("To see the help of the kernel's kunit.py too, prepare a tree: make tree")
        return 0
    return _without_traces(line, tree)
