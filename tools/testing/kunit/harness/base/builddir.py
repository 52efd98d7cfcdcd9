# SPDX-License-Identifier: GPL-2.0
"""The build directory. A marker file shows that this program created it."""

from pathlib import Path

from harness.base import progress

# "make clean" removes only a directory that has this file.
MARKER = ".made-by-kunit"


def mark(build: Path) -> None:
    """Create the build directory with its marker. An existing directory gets no marker.

    From now on, progress.py keeps the durations of programs there.
    """
    progress.remember_in(build)
    if not build.exists():
        build.mkdir(parents=True)
        (build / MARKER).touch()


def results(build: Path, name: str = "") -> Path:
    """Create a directory below BUILD/results and return it."""
    mark(build)
    directory = build / "results" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory
