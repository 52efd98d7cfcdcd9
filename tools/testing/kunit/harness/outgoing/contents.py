# SPDX-License-Identifier: GPL-2.0
"""Which files and patches form each commit of an exported series.

A directory below patches/ is either a quilt directory, with a commit for each patch, or has a
file "plan". The plan turns this repository's new files into a series. It has blocks separated
by lines "%%". A block has headers and, after an empty line, a message:

    From: NAME <ADDRESS>    in the first block: the author of commits with a message here
    Stays: PATTERN ...      in the first block: new files that are not sent
    Subject: TITLE          of a commit with its own message
    Patch: DIR/NAME ...     patches to apply; a single one needs no Subject
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
from harness.request.settings import REPO
from harness.trees import layers, versions
from harness.trees.git import Git
from harness.trees.source import IDENTITY
from harness.trees.stack import Overlay, Patch, read_mail
from harness.trees.versions import Version

PLAN = "plan"
# Placeholder for the exporting user, in patches that only the export applies.
SENDER = b"@SENDER@"

_HEADERS = frozenset({"From", "Stays", "Subject", "Patch", "Files"})


class PlanError(KunitError):
    """patches/ cannot be turned into a series."""


@dataclass(frozen=True)
class Change:
    """A commit to make from patches and new files. Without a message, it takes its patch's."""

    patches: tuple[Patch, ...]
    files: tuple[Path, ...] = ()
    message: str = ""
    author: str = ""

    @property
    def title(self) -> str:
        """The first line of the message, or the name of the patch."""
        return self.message.partition("\n")[0] or self.patches[0].name


def read(
    directory: Path, overlay: Overlay, version: Version, only: tuple[str, ...] = ()
) -> tuple[Change, ...]:
    """Read a directory below patches/, or the patches in it whose names begin with one of only.

    Patches can differ between kernel versions. Raises PlanError, PatchError.
    """
    if not (directory / PLAN).exists():
        patches = layers.read_patches(directory, version)
        return tuple(Change((p,)) for p in patches if not only or p.path.name.startswith(only))
    path = directory / PLAN
    head, *blocks = (_headers(path, b) for b in re.split(r"^%%\n", path.read_text(), flags=re.M))
    changes = [_change(path, head.get("From", ""), block, version) for block in blocks]
    _require_whole(path, changes, overlay, head.get("Stays", "").split(), version)
    return tuple(changes)


def _headers(path: Path, block: str) -> dict[str, str]:
    """The headers of a block. The key "" has its text."""
    lines = [line for line in block.splitlines(keepends=True) if not line.startswith("#")]
    message = email.message_from_string("".join(lines))
    unknown = sorted(set(message.keys()) - _HEADERS)
    if unknown:
        raise _error(path, f"'{unknown[0]}:' is not a header", f"choose from {sorted(_HEADERS)}")
    found = {name: re.sub(r"\s+", " ", str(value)).strip() for name, value in message.items()}
    return {**found, "": str(message.get_payload()).strip()}


def _change(path: Path, author: str, block: dict[str, str], version: Version) -> Change:
    patches: list[Patch] = []
    for name in block.get("Patch", "").split():
        at = path.parents[1] / name
        file = versions.find(at.parent, at.name, version)
        if not file.is_file():
            raise _error(path, f"there is no patch {name}", "correct the name or remove it")
        patches.append(Patch(file, file.read_bytes()))
    files = tuple(Path(name) for name in block.get("Files", "").split())
    if "Subject" not in block:
        if files or len(patches) != 1 or block[""]:
            raise _error(path, "a block without Subject: must be one patch", "add a Subject:")
        return Change(tuple(patches))
    if not parseaddr(author)[1] or not block[""]:
        what = "has no message" if author else "has no author"
        raise _error(
            path,
            f"'{block['Subject']}' {what}",
            "add a From: line to the first block, and a message to this one",
        )
    return Change(tuple(patches), files, f"{block['Subject']}\n\n{block['']}\n", author)


def _require_whole(
    path: Path, changes: Sequence[Change], overlay: Overlay, stays: Sequence[str], version: Version
) -> None:
    """Raise PlanError unless each new file and each hook is sent once or stays."""
    listed = [file for change in changes for file in change.files]
    patches = [patch.path for change in changes for patch in change.patches]
    hooks = [patch.path for patch in layers.read_patches(path.parents[1] / "hooks", version)]
    kept = {f for f in overlay.files if any(fnmatchcase(str(f), pattern) for pattern in stays)}
    for kind, there, sent in (
        ("file", set(overlay.files) - kept, listed),
        ("hook", set(hooks), [p for p in patches if p in hooks]),
    ):
        twice = sorted(item for item in set(sent) if sent.count(item) > 1)
        if twice:
            raise _error(path, f"{_short(twice[0])} is in it twice", "remove one")
        if set(sent) - there:
            name = _short(sorted(set(sent) - there)[0])
            raise _error(path, f"there is no {kind} {name}", "correct the name or remove it")
        if there - set(sent):
            name = _short(sorted(there - set(sent))[0])
            raise _error(
                path,
                f"no patch has the {kind} {name}",
                "add it to Files: or Patch: of a block, or to Stays:",
            )


def _short(name: Path) -> str:
    return f"{name.parent.name}/{name.name}" if name.is_absolute() else str(name)


def _error(path: Path, what: str, next_step: str) -> PlanError:
    return PlanError(f"{path}: {what}", next_step)


class Chain:
    """Makes a commit of each change without a work tree.

    index is a file for git's index. sender is the exporting user, NAME <ADDRESS>.
    """

    def __init__(self, git: Git, overlay: Overlay, index: Path, sender: str) -> None:
        self._git = replace(git, index=index)
        self._overlay = overlay
        self._sender = sender.encode()

    def build(self, base: str, changes: Sequence[Change]) -> str:
        """Apply the changes to a commit and return the last one. Raises PlanError."""
        self._git.run("read-tree", base)
        commit = base
        for change in changes:
            commit = self._add(commit, change)
        return commit

    def _add(self, parent: str, change: Change) -> str:
        for patch in change.patches:
            done = self._git.apply(patch.data.replace(SENDER, self._sender), "--3way")
            if done.status != 0:
                raise PlanError(
                    f"{patch.name} does not apply at its place in the exported series",
                    f"adapt {patch.path}, or change the order",
                    done.stderr,
                )
        for path in change.files:
            data = (REPO / path).read_bytes()
            if path.suffix == ".rst":
                data = listed_page(data)
            self._store(path, data)
        # Makefile and Kconfig may name only files that exist at this commit.
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
        whole = (REPO / path).read_text()
        part = partial_makefile(whole, sources)
        self._store(path, part.encode())
        kconfig = path.with_name("Kconfig")
        if kconfig in there:
            unused = symbols(whole) - symbols(part)
            text = (REPO / kconfig).read_text()
            self._store(kconfig, partial_kconfig(text, unused).encode())

    def _present(self) -> set[Path]:
        """The new files that exist so far."""
        return set(map(Path, self._git.names("ls-files", *map(str, self._overlay.files))))

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
    """A Makefile without the lines for objects whose source does not exist yet.

    Each line must name one object.
    """
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        objects = re.findall(r"(\S+)\.o\b", line) if "+=" in line else []
        if all(f"{PurePosixPath(name).name}.c" in there for name in objects):
            kept.append(line)
    left = re.sub(r"^ifdef [^\n]*\nendif\n", "", "".join(kept), flags=re.M)
    return left.rstrip("\n") + "\n"


def symbols(makefile: str) -> frozenset[str]:
    """The config symbols that select an object."""
    return frozenset(re.findall(r"^obj-\$\(CONFIG_(\w+)\)", makefile, re.MULTILINE))


def partial_kconfig(text: str, unused: frozenset[str]) -> str:
    """A Kconfig file without the symbols that select nothing yet."""
    block = r"(?:^#[^\n]*\n)*^config (\w+)\n(?:[ \t][^\n]*\n|\n)*"
    kept = re.sub(block, lambda m: "" if m[1] in unused else m[0], text, flags=re.MULTILINE)
    return kept.rstrip("\n") + "\n"


def listed_page(data: bytes) -> bytes:
    """The page without ":orphan:", as the kernel has an index that lists it."""
    return data.replace(b":orphan:\n\n", b"", 1)
