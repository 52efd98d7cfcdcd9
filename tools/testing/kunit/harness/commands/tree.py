# SPDX-License-Identifier: GPL-2.0
"""make tree: prepare a kernel tree."""

from collections.abc import Mapping

from harness.base import packages
from harness.request import settings
from harness.request.variables import TREE, Command
from harness.trees import debian, worktree

COMMAND = Command(
    "make tree",
    TREE | {"FLAVOUR"},
    "prepare a kernel tree and print its path",
    "altmap tree --flavour stock",
    helps={"KSRC": "start from the kernel tree in DIR; nothing is written to DIR"},
)


def main(environ: Mapping[str, str]) -> int:
    """Prepare the tree and print its path."""
    wanted = debian.resolve(settings.read(environ))
    packages.ensure(worktree.requirements(wanted))
    print(worktree.prepare(wanted))
    return 0
