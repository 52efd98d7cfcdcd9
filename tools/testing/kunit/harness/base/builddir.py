# SPDX-License-Identifier: GPL-2.0
"""The mark on a directory for what is built: it was made here."""

from pathlib import Path

from harness.base import progress

# A directory with this file in it was made here, and "make clean" may remove it.
MARKER = ".made-by-kunit"


def mark(build: Path) -> None:
    """Make the directory for all that is built. An older one is left unmarked.

    How long things take is kept there from now on.
    """
    progress.remember_in(build)
    if not build.exists():
        build.mkdir(parents=True)
        (build / MARKER).touch()
