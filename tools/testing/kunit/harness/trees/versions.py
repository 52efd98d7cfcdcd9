# SPDX-License-Identifier: GPL-2.0
"""Files that differ between the kernels that are supported.

A directory has what goes for the oldest of them. Its subdirectory 7.2 has what is
different for Linux 7.2 and later: a file there goes before the one of the same
name in the directory itself.
"""

import re
from pathlib import Path

Version = tuple[int, ...]


def parse(base: str) -> Version:
    """What a version is compared by: (7, 2) for 7.2."""
    return tuple(map(int, base.split(".")))


def release(words: str) -> Version:
    """The same of a kernel's own version: (7, 2) for 7.2.1-rc3. Raises ValueError."""
    match = re.match(r"(\d+)\.(\d+)", words)
    if not match:
        raise ValueError(f"'{words}' is no version of a kernel")
    return int(match[1]), int(match[2])


def find(directory: Path, name: str, version: Version) -> Path:
    """The file of that name for a kernel; it may be that there is none."""
    for place in _places(directory, version):
        if (place / name).exists():
            return place / name
    return directory / name


def _places(directory: Path, version: Version) -> list[Path]:
    """The subdirectories for kernels up to that version, the newest first."""
    if not directory.is_dir():
        return []
    named = [path for path in directory.iterdir() if re.fullmatch(r"\d+\.\d+", path.name)]
    found = [(parse(path.name), path) for path in named]
    return [path for since, path in sorted(found, reverse=True) if since <= version]
