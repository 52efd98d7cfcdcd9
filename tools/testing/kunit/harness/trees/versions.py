# SPDX-License-Identifier: GPL-2.0
"""Files that differ between kernel versions.

A directory has the files for the oldest supported kernel. A file in its subdirectory 7.2
replaces the one of the same name for Linux 7.2 and later.
"""

import re
from pathlib import Path

Version = tuple[int, ...]


def parse(base: str) -> Version:
    """A version as numbers: (7, 2) for 7.2. Raises ValueError."""
    return tuple(map(int, base.split(".")))


def release(words: str) -> Version:
    """The version in a kernel's release name: (7, 2) for 7.2.1-rc3. Raises ValueError."""
    match = re.match(r"(\d+)\.(\d+)", words)
    if not match:
        raise ValueError(f"'{words}' is not a kernel version")
    return int(match[1]), int(match[2])


def as_text(version: Version) -> str:
    """A version as text: 7.2 for (7, 2)."""
    return ".".join(map(str, version))


def find(directory: Path, name: str, version: Version) -> Path:
    """The path of a file for a kernel version. The file need not exist."""
    for place in places(directory, version):
        if (place / name).exists():
            return place / name
    return directory / name


def places(directory: Path, version: Version) -> list[Path]:
    """The subdirectories for kernels up to a version, newest first."""
    if not directory.is_dir():
        return []
    named = [path for path in directory.iterdir() if re.fullmatch(r"\d+\.\d+", path.name)]
    found = [(parse(path.name), path) for path in named]
    return [path for since, path in sorted(found, reverse=True) if since <= version]
