# SPDX-License-Identifier: GPL-2.0
"""Boot a kernel with a mutant."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.kernel import qemu
from harness.kernel.options import CommandLine
from harness.kernel.qemu import Ran

# After an oops, locks may be held. After a panic, nothing more happens. End the guest at once.
# A mutant may panic before there is a console.
WORDS = ("oops=panic", "panic=-1", "earlycon")
# On a busy machine, a healthy guest can be late. If it waited for a CPU for more than this part
# of the time, a second boot gets so many times as long.
_BUSY, _PATIENCE = 0.1, 5


def call(
    line: CommandLine,
    tree: Path,
    image: Path,
    words: Sequence[str] = (),
    cpu: str = "",
    cpus: int = 1,
) -> list[str]:
    """The command line of QEMU that boots an image.

    line is a command line of kunit.py with defaults, for tree. words are added to WORDS on the
    kernel's command line. cpu is a model other than the default.
    """
    [config] = line.values("--qemu_config")[-1:]
    return qemu.argv(tree / config, image, [*WORDS, *words], cpu, cpus)


def boot(
    command: Sequence[str], timeout: float, silence: float, is_enough: Callable[[str], bool]
) -> Ran:
    """Run a guest as qemu.boot() does. If it is late on a busy machine, boot it once more.

    The duration in the result is that of both boots.
    """
    ran = qemu.boot(command, timeout, silence, is_enough)
    if not ran.is_late or ran.waited <= _BUSY * ran.seconds:
        return ran
    again = qemu.boot(command, _PATIENCE * timeout, _PATIENCE * silence, is_enough)
    return replace(again, seconds=ran.seconds + again.seconds)
