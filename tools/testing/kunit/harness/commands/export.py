# SPDX-License-Identifier: GPL-2.0
"""make export: write patches/ as mails with cover letters, to build/outgoing."""

from collections.abc import Mapping

from harness.base.console import counted, say
from harness.base.errors import ExitStatus
from harness.outgoing import mails
from harness.request import settings
from harness.request.variables import TREE, Command
from harness.trees import debian

COMMAND = Command(
    "make export",
    TREE - {"KSRC"},
    "write patches/ as mails with cover letters",
    "altmap export",
    own_trees="unset KSRC; git format-patch exports patches in your own tree",
)


def main(environ: Mapping[str, str]) -> int:
    """Export all series."""
    wanted = debian.resolve(settings.read(environ))
    for series in mails.export(wanted):
        say(f"{counted(len(series.mails), 'patch')} and a cover letter in {series.directory}")
    say(f"to send one: git send-email {wanted.build / 'outgoing/NAME'}/*.patch")
    return int(ExitStatus.OK)
