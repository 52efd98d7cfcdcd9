# SPDX-License-Identifier: GPL-2.0
"""altmap run: the suites on one kernel, by the kernel's kunit.py."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.kernel import frontend

COMMAND = replace(
    frontend.COMMAND,
    summary="boot the suites in a kernel; any option of the kernel's kunit.py goes to it",
    example="altmap run --config 64k --raw_output 'arm64_vmemmap.*'",
    hands_over=True,
)


def main(environ: Mapping[str, str], rest: Sequence[str]) -> int:
    """Run the kernel's kunit.py with what the user typed behind our own options."""
    return frontend.main(["run", *rest], environ)
