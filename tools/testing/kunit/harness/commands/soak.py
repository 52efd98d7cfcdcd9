# SPDX-License-Identifier: GPL-2.0
"""make soak: add and remove devices in random order, each time with a new seed."""

import random
from collections.abc import Mapping

from harness.base import builddir
from harness.base.console import Stopwatch
from harness.base.errors import ExitStatus, UsageError
from harness.kernel import machine
from harness.request import settings
from harness.request.variables import KERNEL, Command
from harness.trees import debian
from harness.verdict import judge
from harness.verdict.kernelrun import KernelRun

CASE = "memremap_devices.random_sequence_follows_model"
STEPS = 10000
# In seconds: ten times the duration on two slow cores.
GUEST_TIME = 3600


COMMAND = Command(
    "make soak",
    KERNEL | {"FLAVOUR", "CONFIG", "SOAK_SECONDS"},
    "add and remove devices in random order, with new seeds",
    "altmap soak --config 64k --seconds 600",
)


def main(environ: Mapping[str, str]) -> int:
    """Run sequences until the time is over or one fails. Return the exit status.

    A failure is printed with its seed.
    """
    request = settings.read(environ)
    seconds = _seconds(environ)
    settings.check_config(request.config)
    wanted = debian.resolve(request)
    machine.ensure_tools(wanted)
    out = builddir.results(wanted.build)
    watch = Stopwatch()
    done = 0
    while done == 0 or watch.seconds < seconds:
        seed = random.SystemRandom().randrange(1, 1 << 32)
        arguments = (
            CASE,
            f"--kernel_args=vmemmap_kunit.seed={seed}",
            f"--kernel_args=vmemmap_kunit.steps={STEPS}",
        )
        expected = judge.Expectation(frozenset({CASE}))
        one = KernelRun(wanted, out, expected, arguments, GUEST_TIME)
        watch.say(f"{one.name}: seed {seed}, {STEPS} steps ...")
        result = one.run()
        for finding in result.findings:
            print("\n".join([f"{one.name}: seed {seed}: {finding.text}", *finding.log]))
        if result.unexpected:
            return int(ExitStatus.FAILED)
        done += 1
    print(f"{done} sequences of {STEPS} steps on {one.name}, none failed")
    return 0


def _seconds(environ: Mapping[str, str]) -> int:
    """The number in SOAK_SECONDS. Raises UsageError."""
    given = environ.get("SOAK_SECONDS") or "600"
    if not given.isdigit():
        raise UsageError(
            f"SOAK_SECONDS={given} is not a number of seconds", "give one, as in SOAK_SECONDS=3600"
        )
    return int(given)
