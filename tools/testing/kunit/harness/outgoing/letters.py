# SPDX-License-Identifier: GPL-2.0
"""Read cover letters.

Each file cover-letter in a directory below patches/ becomes a series in BUILD/outgoing. A
directory whose patches go to several trees has a file cover-letter-TREE for each instead. A cover
letter has these headers:

    Subject: [PATCH v3] TITLE   the export adds the numbers
    Base: FLAVOUR               the tree that the series applies to, without hooks and suites
    Alone: 6.12                 each patch was built, booted and judged by itself on this kernel
    Order: any                  the patches apply alone and in any order
    Patches: 0001 0004          the patches of this series; default: all of the directory

A cover letter in a subdirectory, such as 7.2, replaces the one of the same name for Linux 7.2 and
later. A letter is left out for a kernel that needs none of its patches.
"""

import email
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.outgoing.contents import PlanError
from harness.request.settings import check_flavour
from harness.trees import layers, versions
from harness.trees.versions import Version

NAME = "cover-letter"
# Placeholder in a letter's text for the kernel that the series applies to.
BASE = "@BASE@"

_SUBJECT = re.compile(r"\[(PATCH[^\]/]*?)\]\s*(\S.*)")


@dataclass(frozen=True)
class Letter:
    """A cover letter: prefix and title of its subject, and its text."""

    path: Path
    # The directory of its series. For some kernels, the letter is in a subdirectory of it.
    directory: Path
    prefix: str
    title: str
    base: str
    # The kernel that each patch was judged alone on, or "".
    alone: str
    any_order: bool
    text: str
    # The beginnings of the names of its patches. Empty: all patches of the directory.
    patches: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the series: its directory, and the tree that it is for."""
        return self.directory.name + self.path.name[len(NAME) :]


def read_all(patches: Path, version: Version) -> list[Letter]:
    """Read the cover letters below a directory for a kernel version. Raises PlanError."""
    found = []
    for directory in sorted(path for path in patches.iterdir() if path.is_dir()):
        places = [*versions.places(directory, version), directory]
        names = {path.name for place in places for path in place.glob(f"{NAME}*")}
        paths = [versions.find(directory, name, version) for name in sorted(names)]
        written = [read(path, directory) for path in paths]
        _require_all(directory, written, version)
        found += [letter for letter in written if _is_needed(letter, version)]
    return found


def read(path: Path, directory: Path) -> Letter:
    """Read a cover letter of a series. Raises PlanError."""
    try:
        message = email.message_from_string(path.read_text(encoding="ascii"))
    except UnicodeDecodeError as error:
        raise PlanError(f"{path} is not plain ASCII", "replace the other characters") from error
    subject = _SUBJECT.fullmatch(re.sub(r"\s+", " ", str(message["Subject"])))
    if not subject:
        raise PlanError(f"{path} has no subject", "start with 'Subject: [PATCH] TITLE'")
    if not message["Base"]:
        raise PlanError(f"{path} does not name its base", "add a line 'Base: stock'")
    return Letter(
        path,
        directory,
        subject[1],
        subject[2],
        check_flavour(str(message["Base"])),
        str(message["Alone"] or ""),
        message["Order"] == "any",
        str(message.get_payload()).strip(),
        tuple(str(message["Patches"] or "").split()),
    )


def _is_needed(letter: Letter, version: Version) -> bool:
    if not letter.patches:
        return True
    patches = layers.read_patches(letter.directory, version)
    return any(patch.path.name.startswith(letter.patches) for patch in patches)


def _require_all(directory: Path, letters: Sequence[Letter], version: Version) -> None:
    """Raise PlanError unless each patch is in exactly one of its directory's letters."""
    begins = [begin for letter in letters for begin in letter.patches]
    for patch in layers.read_patches(directory, version) if begins else ():
        count = sum(patch.path.name.startswith(begin) for begin in begins)
        if count != 1:
            raise PlanError(
                f"{patch.name} is in {count} cover letters",
                f"see the lines 'Patches:' of {directory}/{NAME}-*",
            )
