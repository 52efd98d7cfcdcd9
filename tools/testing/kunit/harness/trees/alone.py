# SPDX-License-Identifier: GPL-2.0
"""Patches that are said to stand alone: what "altmap revision DIR --alone" has seen of them.

A directory of patches keeps that in its file "alone", a line for each patch: its file, a
hash of its change, the base, and per config how many cases the patch turns green by itself.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base import archive
from harness.base.console import say
from harness.trees import layers
from harness.trees.stack import Patch

NAME = "alone"
_HEAD = """\
# SPDX-License-Identifier: GPL-2.0
# Written by "altmap revision {directory} --alone", when no patch did any harm alone on its base.
# Patch, hash of its change, base, and how many cases it turns green there, by config.
"""
_DIGITS = 16

_Key = tuple[str, str, str]


def write(directory: Path, green: Sequence[Mapping[str, int]], base: str) -> None:
    """Note what was seen, in a directory that has a list of its patches.

    green: for each of them, how many cases it turns green by itself, by config. What was
    seen of the same patches with other configs stays.
    """
    if not (directory / "series").is_file():
        return
    seen = _read(directory)
    lines = []
    for patch, counts in zip(layers.read_patches(directory), green):
        key = _key(patch, base)
        known = dict(word.split(":") for word in seen.get(key, ()))
        known.update({config: str(count) for config, count in counts.items()})
        lines.append(" ".join([*key, *map(":".join, known.items())]) + "\n")
    head = _HEAD.format(directory=f"{directory.parent.name}/{directory.name}")
    (directory / NAME).write_text(head + "".join(lines), encoding="ascii")
    say(f"noted in {directory / NAME}")


def not_seen(directory: Path, base: str, only: tuple[str, ...] = ()) -> list[str]:
    """The patches of a directory that were not tried alone on that base as they are now.

    If only says how names begin, of those patches.
    """
    seen = _read(directory)
    names = [p.path.name for p in layers.read_patches(directory) if _key(p, base) not in seen]
    return [name for name in names if not only or name.startswith(only)]


def _read(directory: Path) -> dict[_Key, list[str]]:
    words = [line.split() for line in archive.read_list(directory / NAME)]
    return {(name, digest, base): counts for name, digest, base, *counts in words}


def _key(patch: Patch, base: str) -> _Key:
    # The message may change.
    change = patch.data[patch.data.find(b"\ndiff --git ") :]
    return patch.path.name, hashlib.sha256(change).hexdigest()[:_DIGITS], base
