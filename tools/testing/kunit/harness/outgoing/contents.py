# SPDX-License-Identifier: GPL-2.0
"""Which files and which patches go out together, as one commit of an exported series.

A directory below patches/ is either a quilt one, a commit for each patch, or has a
file "plan". That one says how the new files of this repository become a series:
blocks with headers and, after an empty line, a message, parted by lines "%%".

    From: NAME <ADDRESS>    in the first block: the author of what has a message here
    Stays: PATTERN ...      in the first block: new files that are not sent
    Subject: TITLE          of a commit with a message of its own
    Patch: DIR/NAME ...     patches to apply; one alone needs no Subject
    Files: PATH ...         new files to add
"""

import email
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from harness.base.errors import KunitError
from harness.trees import layers
from harness.trees.git import Git
from harness.trees.source import IDENTITY
from harness.trees.stack import Overlay, Patch, read_mail

PLAN = "plan"
# Stands for whoever exports, in a patch that only the export applies.
SENDER = b"@SENDER@"

_HEADERS = frozenset({"From", "Stays", "Subject", "Patch", "Files"})


class PlanError(KunitError):
    """A series cannot be made of what patches/ says."""


@dataclass(frozen=True)
class Change:
    """A commit to be: patches to apply and new files. Without a message, it has its patch's."""

    patches: tuple[Patch, ...]
    files: tuple[Path, ...] = ()
    message: str = ""
    author: str = ""

    @property
    def title(self) -> str:
        """The first line of its message, or else the name of its patch."""
        return self.message.partition("\n")[0] or self.patches[0].name


def read(directory: Path, overlay: Overlay) -> tuple[Change, ...]:
    """What a directory below patches/ says. Raises PlanError, PatchError."""
    if not (directory / PLAN).exists():
        return tuple(Change((patch,)) for patch in layers.read_patches(directory))
    path = directory / PLAN
    head, *blocks = (_headers(path, b) for b in re.split(r"^%%\n", path.read_text(), flags=re.M))
    changes = [_change(path, head.get("From", ""), block) for block in blocks]
    _require_whole(path, changes, overlay, head.get("Stays", "").split())
    return tuple(changes)


def _headers(path: Path, block: str) -> dict[str, str]:
    """The headers of a block; "" is its text."""
    lines = [line for line in block.splitlines(keepends=True) if not line.startswith("#")]
    message = email.message_from_string("".join(lines))
    unknown = sorted(set(message.keys()) - _HEADERS)
    if unknown:
        raise _error(path, f"'{unknown[0]}:' means nothing", f"choose from {sorted(_HEADERS)}")
    found = {name: re.sub(r"\s+", " ", str(value)).strip() for name, value in message.items()}
    return {**found, "": str(message.get_payload()).strip()}


def _change(path: Path, author: str, block: dict[str, str]) -> Change:
    patches: list[Patch] = []
    for name in block.get("Patch", "").split():
        file = path.parents[1] / name
        if not file.is_file():
            raise _error(path, f"there is no patch {name}", "see what became of it")
        patches.append(Patch(file, file.read_bytes()))
    files = tuple(Path(name) for name in block.get("Files", "").split())
    if "Subject" not in block:
        if files or len(patches) != 1 or block[""]:
            raise _error(path, "a block without Subject: is more than one patch", "give it one")
        return Change(tuple(patches))
    if not parseaddr(author)[1] or not block[""]:
        what = "has no message" if author else "has no author"
        raise _error(path, f"'{block['Subject']}' {what}", "the first block says From: for all")
    return Change(tuple(patches), files, f"{block['Subject']}\n\n{block['']}\n", author)


def _require_whole(
    path: Path, changes: Sequence[Change], overlay: Overlay, stays: Sequence[str]
) -> None:
    """Raise PlanError unless each new file and each hook goes out once, or is to stay."""
    listed = [file for change in changes for file in change.files]
    patches = [patch.path for change in changes for patch in change.patches]
    hooks = [patch.path for patch in layers.read_patches(path.parents[1] / "hooks")]
    kept = {f for f in overlay.files if any(fnmatchcase(str(f), pattern) for pattern in stays)}
    for kind, there, sent in (
        ("file", set(overlay.files) - kept, listed),
        ("hook", set(hooks), [p for p in patches if p in hooks]),
    ):
        twice = sorted(item for item in set(sent) if sent.count(item) > 1)
        if twice:
            raise _error(path, f"{_short(path, twice[0])} is in it twice", "take one out")
        if set(sent) - there:
            name = _short(path, sorted(set(sent) - there)[0])
            raise _error(path, f"there is no {kind} {name}", "see what became of it")
        if there - set(sent):
            name = _short(path, sorted(there - set(sent))[0])
            raise _error(
                path,
                f"the {kind} {name} goes out with no patch",
                "add it to the block that it belongs to, in Files: or Patch:, or to Stays:",
            )


def _short(path: Path, name: Path) -> str:
    return f"{name.parent.name}/{name.name}" if name.is_absolute() else str(name)


def _error(path: Path, what: str, next_step: str) -> PlanError:
    return PlanError(f"{path}: {what}", next_step)


# --- Making commits of it -------------------------------------------------


class Chain:
    """Makes a commit of each change, without any work tree.

    index is a file for git's index; sender is who exports, NAME <ADDRESS>.
    """

    def __init__(self, git: Git, overlay: Overlay, index: Path, sender: str) -> None:
        self._git = replace(git, index=index)
        self._overlay = overlay
        self._sender = sender.encode()

    def build(self, base: str, changes: Sequence[Change]) -> str:
        """Put the changes onto a commit; return the last one's. Raises PlanError."""
        self._git.run("read-tree", base)
        commit = base
        for change in changes:
            commit = self._add(commit, change)
        return commit

    def _add(self, parent: str, change: Change) -> str:
        for patch in change.patches:
            data = patch.data.replace(SENDER, self._sender)
            done = self._git.run(
                "apply", "--cached", "--whitespace=nowarn", "--3way", data=data, expect=(0, 1, 128)
            )
            if done.status != 0:
                raise PlanError(
                    f"{patch.name} does not apply where it is to go out",
                    f"adapt {patch.path}, or change the order",
                    done.stderr,
                )
        for path in change.files:
            data = (self._overlay.root / path).read_bytes()
            if path.suffix == ".rst":
                data = listed_page(data)
            self._store(path, data)
        # What Makefile and Kconfig name depends on what else is there by now.
        for path in self._makefiles(change):
            self._store_partial(path)
        who, message = self._head(change)
        git = replace(self._git, extra_env=who)
        return git.out("commit-tree", git.out("write-tree"), "-p", parent, data=message.encode())

    def _makefiles(self, change: Change) -> list[Path]:
        near = {path.parent / "Makefile" for path in change.files}
        return sorted(near & set(self._overlay.files) & (self._present() | set(change.files)))

    def _store_partial(self, path: Path) -> None:
        there = self._present()
        sources = frozenset(p.name for p in there if p.parent == path.parent)
        whole = (self._overlay.root / path).read_text()
        part = partial_makefile(whole, sources)
        self._store(path, part.encode())
        kconfig = path.with_name("Kconfig")
        if kconfig in there:
            unused = symbols(whole) - symbols(part)
            text = (self._overlay.root / kconfig).read_text()
            self._store(kconfig, partial_kconfig(text, unused).encode())

    def _present(self) -> set[Path]:
        """The new files that are there by now."""
        names = self._git.run("ls-files", "-z", *map(str, self._overlay.files)).stdout
        return {Path(name) for name in names.split("\0") if name}

    def _store(self, path: Path, data: bytes) -> None:
        blob = self._git.out("hash-object", "-w", "--no-filters", "--stdin", data=data)
        entry = f"{self._overlay.mode(path)} {blob}\t{path}\0"
        self._git.run("update-index", "-z", "--index-info", data=entry.encode())

    def _head(self, change: Change) -> tuple[dict[str, str], str]:
        if not change.message:
            return read_mail(self._git, change.patches[0])
        name, address = parseaddr(change.author)
        who = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": address}
        return {**IDENTITY, **who, "GIT_AUTHOR_DATE": f"{int(time.time())} +0000"}, change.message


def partial_makefile(text: str, there: frozenset[str]) -> str:
    """A Makefile without the lines that add an object whose source is not there yet.

    It has to say one object a line for that.
    """
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        objects = re.findall(r"(\S+)\.o\b", line) if "+=" in line else []
        if all(f"{PurePosixPath(name).name}.c" in there for name in objects):
            kept.append(line)
    left = re.sub(r"^ifdef [^\n]*\nendif\n", "", "".join(kept), flags=re.M)
    return left.rstrip("\n") + "\n"


def symbols(makefile: str) -> frozenset[str]:
    """The config symbols that decide about an object."""
    return frozenset(re.findall(r"^obj-\$\(CONFIG_(\w+)\)", makefile, re.MULTILINE))


def partial_kconfig(text: str, unused: frozenset[str]) -> str:
    """A Kconfig file without the symbols that decide about nothing yet."""
    block = r"(?:^#[^\n]*\n)*^config (\w+)\n(?:[ \t][^\n]*\n|\n)*"
    kept = re.sub(block, lambda m: "" if m[1] in unused else m[0], text, flags=re.MULTILINE)
    return kept.rstrip("\n") + "\n"


def listed_page(data: bytes) -> bytes:
    """A page as it is in the kernel, where an index lists it."""
    return data.replace(b":orphan:\n\n", b"", 1)
