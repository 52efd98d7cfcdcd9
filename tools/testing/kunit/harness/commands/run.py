# SPDX-License-Identifier: GPL-2.0
"""make run: run the suites on one kernel with the kernel's kunit.py."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.base.console import say
from harness.kernel import frontend
from harness.request import settings
from harness.trees import debian, worktree

COMMAND = replace(
    frontend.COMMAND,
    reads=frontend.COMMAND.reads | {"GDB"},
    summary="run the suites in a guest; also takes the options that kunit.py run --help lists",
    example="altmap run --config 64k --raw_output 'arm64_vmemmap.*'",
    hands_over=True,
)
# In seconds: the guest's time limit while the user debugs.
_DAY = 24 * 3600


def main(environ: Mapping[str, str], rest: Sequence[str]) -> int:
    """Run the kernel's kunit.py with the arguments that follow our own options."""
    known = {name: value for name, value in environ.items() if name != "GDB"}
    if environ.get("GDB"):
        rest = [*_stopped(known), *rest]
    return frontend.main(["run", *rest], known)


def _stopped(environ: Mapping[str, str]) -> list[str]:
    """The options for a kernel with debug information that waits for gdb."""
    wanted = debian.resolve(settings.read(environ))
    directory = worktree.path(wanted) / f".kunit-{wanted.config}-gdb"
    say("the guest waits for gdb at its first instruction. In another terminal, run:")
    say(f"  gdb-multiarch {directory / 'vmlinux'} -ex 'target remote :1234'")
    return [
        f"--build_dir={directory}",
        "--kconfig_add=CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y",
        "--qemu_args=-s -S",
        f"--timeout={_DAY}",
    ]
