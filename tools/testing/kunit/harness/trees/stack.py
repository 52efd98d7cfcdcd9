# SPDX-License-Identifier: GPL-2.0
"""Build a stack of commits on a base: patches and this repository's new files.

No work tree is needed. The index has only the files that the steps touch: with all of a
kernel's files, each git command would take a third of a second.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path

from harness.base.console import say
from harness.base.errors import PatchError
from harness.request.settings import REPO
from harness.trees import diff, source
from harness.trees.git import Git
from harness.trees.source import Base

# The references to steps. Their names are hashes over the base and all steps so far.
LAYERS = "refs/kunit/layers/"
TESTED_ON = "patches/tested-on"


@dataclass(frozen=True)
class Patch:
    """A commit that comes from a file."""

    path: Path
    data: bytes

    @property
    def name(self) -> str:
        """The directory and the file, as in fixes/0001-x.patch."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def identity(self) -> bytes:
        """What the hash of a stack has of this step."""
        return b"patch " + self.data

    @property
    def touched(self) -> tuple[str, ...]:
        """The files that the commit changes."""
        return diff.files(self.data)


@dataclass(frozen=True)
class Overlay:
    """The commit that adds this repository's new files."""

    files: tuple[Path, ...]
    identity: bytes = field(init=False)
    name = "the suites"

    def __post_init__(self) -> None:
        digest = hashlib.sha256(b"overlay")
        for path in self.files:
            data = (REPO / path).read_bytes()
            digest.update(f"{path} {self.mode(path)} {len(data)}\n".encode() + data)
        object.__setattr__(self, "identity", digest.digest())

    @property
    def touched(self) -> tuple[str, ...]:
        """The files that the commit adds."""
        return tuple(map(str, self.files))

    def mode(self, path: Path) -> str:
        """The git mode of a file."""
        return "100755" if os.access(REPO / path, os.X_OK) else "100644"


Step = Patch | Overlay

# The files of an index, with mode and blob.
Files = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Commit:
    """Author and message of a commit."""

    who: Mapping[str, str]
    message: str


class Stack:
    """Applies steps to a base."""

    def __init__(self, git: Git, base: Base) -> None:
        self._git = replace(git, index=git.git_dir / "stack.index")
        self._base = base
        self._files: Files = {}

    def build(self, steps: Sequence[Step]) -> tuple[Base, str]:
        """Return the commit with all steps on the base, and its git tree.

        Known steps are not repeated. Raises PatchError.
        """
        keys = self._keys(steps)
        names = [self._base.commit, *(LAYERS + key for key in keys[1:])]
        top = (names[-1], f"{names[-1]}^{{tree}}")
        known = self._git.lookup(*names, top[1])
        start = max((n for n, name in enumerate(names) if name in known), default=0)
        commit = known.get(names[start], self._base.commit)
        if start == len(steps):
            return replace(self._base, commit=commit, key=keys[-1]), known[top[1]]
        self._open(commit, steps[start:])
        stream: list[bytes] = []
        for number in range(start, len(steps)):
            before = dict(self._files)
            made = self._add(steps[number], f"{number + 1}/{len(steps)}")
            stream.append(self._import(names[number + 1], commit, before, made))
            commit = names[number + 1]
        self._git.run("fast-import", "--quiet", "--done", data=b"".join(stream) + b"done\n")
        known = self._git.lookup(*top)
        return replace(self._base, commit=known[top[0]], key=keys[-1]), known[top[1]]

    def _keys(self, steps: Sequence[Step]) -> list[str]:
        """The key of the base, and of each step on it."""
        keys = [self._base.key or self._base.commit]
        for step in steps:
            keys.append(hashlib.sha256(keys[-1].encode() + step.identity).hexdigest())
        return keys

    # --- The index ---

    def _open(self, commit: str, steps: Sequence[Step]) -> None:
        """Fill the index with the files of a commit that the steps touch."""
        names = sorted({name for step in steps for name in step.touched})
        (self._git.git_dir / "stack.index.lock").unlink(missing_ok=True)
        self._fill(_entries(self._git.run("ls-tree", "-r", "-z", commit, *names).stdout))

    def _fill(self, files: Files) -> None:
        """Set the content of the index."""
        (self._git.git_dir / "stack.index").unlink(missing_ok=True)
        self._store(files)

    def _store(self, files: Files) -> None:
        lines = "".join(f"{mode} {blob}\t{name}\0" for name, (mode, blob) in files.items())
        self._git.run("update-index", "-z", "--index-info", data=lines.encode())
        self._files = {**self._files, **files}

    # --- A step ---

    def _add(self, step: Step, progress: str) -> Commit:
        say(f"applying {progress}: {step.name}")
        return self._overlay(step) if isinstance(step, Overlay) else self._patch(step)

    def _overlay(self, overlay: Overlay) -> Commit:
        there = sorted(str(path) for path in overlay.files if str(path) in self._files)
        wanted = [path for path in overlay.files if str(path) not in there]
        if there and not self._base.is_users:
            raise PatchError(
                f"the suites would replace a file of the kernel: {there[0]}",
                "rename the file; a change to a kernel file must be a patch",
            )
        if there:
            say(f"  the tree already has {len(there)} of the {len(overlay.files)} files")
        paths = "".join(f"{REPO / path}\n" for path in wanted).encode()
        hashing = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
        blobs = self._git.out(*hashing, data=paths).split()
        self._store({str(p): (overlay.mode(p), blob) for p, blob in zip(wanted, blobs)})
        return Commit(source.IDENTITY, "mm: add KUnit suites\n")

    def _patch(self, patch: Patch) -> Commit:
        who, message = read_mail(self._git, patch)
        if self._git.apply(patch.data, "--3way").status == 0:
            self._files = _entries(self._git.run("ls-files", "--stage", "-z").stdout)
            return Commit(who, message)
        self._fill(self._files)
        if self._base.is_users and not self._git.apply(patch.data, "--check", "--reverse").status:
            say("  the tree already has it")
            return Commit(who, message)
        words = self._git.apply(patch.data, "--check").stderr
        tested = " and ".join((REPO / TESTED_ON).read_text(encoding="ascii").split())
        found = source.version(self._git, self._base.commit)
        raise PatchError(
            f"{patch.name} does not apply to Linux {found} (tested on {tested})",
            f"adapt {patch.path} to this kernel, or use a kernel that it was tested on",
            words or "it applies only with conflicts",
        )

    # --- The commits ---

    def _import(self, ref: str, parent: str, before: Files, made: Commit) -> bytes:
        """Commands for git fast-import: a commit of the changes, or the parent if there are
        none.
        """
        changed = {n: entry for n, entry in self._files.items() if before.get(n) != entry}
        gone = before.keys() - self._files.keys()
        if not (changed or gone):
            return f"reset {ref}\nfrom {parent}\n\n".encode()
        message = made.message.encode()
        lines = [f"commit {ref}"]
        for role in ("author", "committer"):
            name, email, date = (
                made.who[f"GIT_{role.upper()}_{w}"] for w in ("NAME", "EMAIL", "DATE")
            )
            lines.append(f"{role} {name} <{email}> {date}")
        lines.append(f"data {len(message)}")
        files = [f"M {mode} {blob} {_quoted(name)}" for name, (mode, blob) in changed.items()]
        files += [f"D {_quoted(name)}" for name in sorted(gone)]
        head = "\n".join(lines).encode() + b"\n" + message
        return head + "\n".join([f"from {parent}", *files, "", ""]).encode()


def _entries(listing: str) -> Files:
    """Parse the output of ls-tree or ls-files --stage: mode, words that include the blob, name."""
    files: Files = {}
    for line in filter(None, listing.split("\0")):
        words, _, name = line.partition("\t")
        files[name] = (words.split()[0], next(w for w in words.split() if len(w) >= 40))
    return files


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def read_mail(git: Git, patch: Patch) -> tuple[dict[str, str], str]:
    """The author (as git's variables) and message of a mailed patch. Raises PatchError."""
    # Named after the index, so that each user of a repository has its own files.
    stem = git.index or git.git_dir / "mail"
    body, diff = stem.with_suffix(".body"), stem.with_suffix(".diff")
    header = git.run("mailinfo", str(body), str(diff), data=patch.data).stdout
    found = dict(re.findall(r"^(Author|Email|Subject|Date): (.*)$", header, re.MULTILINE))
    date = parsedate_tz(found.get("Date", ""))
    if len(found) != 4 or date is None or not diff.read_bytes().strip():
        raise PatchError(
            f"{patch.name} does not look like output of git format-patch",
            f"{patch.path} needs From:, Date: and Subject: lines and a diff",
        )
    hours, seconds = divmod(abs(date[9] or 0), 3600)
    zone = f"{'-' if (date[9] or 0) < 0 else '+'}{hours:02}{seconds // 60:02}"
    when = f"{mktime_tz(date)} {zone}"
    author = {
        **source.IDENTITY,
        "GIT_AUTHOR_NAME": found["Author"],
        "GIT_AUTHOR_EMAIL": found["Email"],
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_DATE": when,
    }
    text = body.read_text(encoding="utf-8", errors="replace").strip()
    return author, f"{found['Subject']}\n\n{text}".strip() + "\n"
