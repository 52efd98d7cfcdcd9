# SPDX-License-Identifier: GPL-2.0
"""The work tree in which mutants are made."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.base import archive, builddir, lock, signals
from harness.mutation.mutant import FLAVOUR, Mutant
from harness.request.settings import Settings
from harness.trees import checkout, git, worktree
from harness.trees.stack import Patch

NAME = "mutants"

# Directories that do not affect the kernel.
_NOT_CODE = ("Documentation",)


class MutatedTree:
    """A work tree for mutants only. Users must not edit it.

    It has a flavour of this repository, or the flavour that is wanted with more patches on top.
    """

    def __init__(
        self, wanted: Settings, more: Sequence[Patch] = (), flavour: str = FLAVOUR
    ) -> None:
        self.is_ours = not more
        self.wanted = replace(wanted, flavour=flavour) if self.is_ours else wanted
        self.out = wanted.build / "results" / NAME
        self._more = tuple(more)
        ours = NAME if flavour == FLAVOUR else f"{NAME}-of-{flavour}"
        self._name = ours if self.is_ours else f"{NAME}-of-series"
        self._mutated = self.out / f"mutated.{self._name}"
        self.path = worktree.path(replace(self.wanted, flavour=self._name))
        self._git = git.of_tree(self.path)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Prepare and lock the tree for the block. Raises WorkTreeError."""
        builddir.mark(self.wanted.build)
        self.out.mkdir(parents=True, exist_ok=True)
        with lock.exclusive(self.out / "lock", "make mutants"):
            if self.path.exists():
                self.repair()
            worktree.prepare(self.wanted, self._name, self._more, note_changes=False)
            checkout.require(self.path, "HEAD", "mutants are made there")
            with signals.results_kept():
                yield

    def source(self) -> str:
        """A hash of the unmutated kernel's source."""
        listing = self._git.out("ls-tree", "HEAD").splitlines()
        kept = [line for line in listing if line.split("\t")[1] not in _NOT_CODE]
        return hashlib.sha256("\n".join(kept).encode()).hexdigest()

    def added(self) -> Mapping[str, Mapping[int, str]]:
        """The lines that the patches on top add, by file and line number."""
        return self._git.added(f"HEAD~{len(self._more)}", "HEAD")

    def original(self, path: str) -> str:
        """The content of a file without a mutant."""
        return self._git.run("show", f"HEAD:{path}").stdout

    @contextlib.contextmanager
    def restoring(self, paths: Sequence[str]) -> Iterator[None]:
        """Let the block write to some files, then restore them."""
        self._mutated.write_text("\n".join(paths), encoding="utf-8")
        try:
            yield
        finally:
            with signals.signals_held():
                self.repair()

    @contextlib.contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[str]:
        """Apply a mutant for the block. Yields git's error message, or "" if it applies."""
        with self.restoring(mutant.files):
            done = self._git.run(
                "apply", "--whitespace=nowarn", data=mutant.diff, expect=(0, 1, 128)
            )
            yield done.stderr.strip() or "git apply failed" if done.status else ""

    def repair(self) -> None:
        """Restore the files of a mutant, which an interrupted run may have left."""
        if not self._mutated.exists():
            return
        paths = self._mutated.read_text(encoding="utf-8").split()
        for path in paths:
            text = self._git.run("show", f"HEAD:{path}", expect=(0, 128))
            file = self.path / path
            if text.status == 0 and file.read_bytes() != text.stdout.encode():
                mode = file.stat().st_mode
                archive.write_whole(file, text.stdout)
                file.chmod(mode)
        # The files have new times. Without this, git would report them as changed.
        self._git.run("add", "--refresh", "--", *paths, expect=(0, 1, 128))
        self._mutated.unlink()
