# SPDX-License-Identifier: GPL-2.0
"""The results of "altmap revision DIR --alone", which tests each patch by itself on its base.

They are in the file "alone" of the directory. Each patch has a line: its file, a hash of its
change, the base, and for each config the number of cases that it makes pass.
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
# Written by "altmap revision {directory} --alone", which found no fault in any patch.
# Patch, hash of its change, base, and the number of cases that it makes pass, by config.
"""
_DIGITS = 16

_Key = tuple[str, str, str]


def write(directory: Path, green: Sequence[Mapping[str, int]], base: str) -> None:
    """Record results, if the directory has a quilt series file.

    green has the number of cases that each patch makes pass, by config. Results of the same
    patches with other configs are kept.
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
    say(f"recorded the results in {directory / NAME}")


def not_seen(directory: Path, base: str, only: tuple[str, ...] = ()) -> list[str]:
    """The patches of a directory that have no result on a base as they are now.

    only limits this to patches whose names begin with one of these strings.
    """
    seen = _read(directory)
    names = [p.path.name for p in layers.read_patches(directory) if _key(p, base) not in seen]
    return [name for name in names if not only or name.startswith(only)]


def _read(directory: Path) -> dict[_Key, list[str]]:
    words = [line.split() for line in archive.read_list(directory / NAME)]
    return {(name, digest, base): counts for name, digest, base, *counts in words}


def _key(patch: Patch, base: str) -> _Key:
    # The message of the patch may change.
    change = patch.data[patch.data.find(b"\ndiff --git ") :]
    return patch.path.name, hashlib.sha256(change).hexdigest()[:_DIGITS], base
