# SPDX-License-Identifier: GPL-2.0
"""Compile the programs that a guest runs: ours, and selftests from the kernel's tree."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.base import packages, process
from harness.base.errors import CommandError
from harness.base.packages import Requirement
from harness.e2e.rootfs import GUEST
from harness.e2e.scenario import Scenario
from harness.kernel import defaults

SELFTESTS = Path("tools/testing/selftests")
# These access a device through a mapping.
_OURS = (GUEST / "mapped.c", GUEST / "dax_user.c")
_BARE = ("-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wall", "-Werror")


def needed(scenarios: Iterable[Scenario]) -> tuple[Requirement, ...]:
    """The packages for the guests of these scenarios."""
    every = list(scenarios)
    firmware = any(scenario.has_firmware for scenario in every)
    return packages.for_guest(firmware, any(scenario.selftests for scenario in every))


def build(out: Path, tree: Path, selftests: Iterable[str]) -> list[Path]:
    """Put our programs and the selftests of a kernel tree into the directory out.

    A selftest is the path of a script below tools/testing/selftests, or that of a C file without
    its ending. Returns the programs. Raises CommandError.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = [_compiled(code, out, *_BARE) for code in _OURS]
    for name in selftests:
        script, code = tree / SELFTESTS / name, tree / SELFTESTS / f"{name}.c"
        if script.is_file():
            found.append(Path(shutil.copy(script, out)))
        elif code.is_file():
            found.append(_compiled(code, out, "-static", "-pthread", f"-I{tree}"))
        else:
            raise CommandError(
                f"the kernel tree has no {SELFTESTS / name}",
                f"look for it in {tree / SELFTESTS}, and correct the scenario",
            )
    return found


def _compiled(code: Path, out: Path, *flags: str) -> Path:
    """Compile a C file for the guest. Raises CommandError."""
    program = out / code.stem
    process.run([defaults.cross_tool("gcc"), "-O2", *flags, "-o", str(program), str(code)])
    return program
