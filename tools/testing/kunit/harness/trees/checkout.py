# SPDX-License-Identifier: GPL-2.0
"""The work tree of a flavour. Updates never lose the user's changes."""

import shutil
from pathlib import Path

from harness.base import process
from harness.base.console import say
from harness.base.errors import WorkTreeError
from harness.trees import git, source
from harness.trees.git import Git

MAKING = "refs/kunit/making/"

MOVING = "refs/kunit/moving/"

PREPARED = "refs/kunit/prepared/"


def report_changes(path: Path) -> None:
    """Print a note if a tree has uncommitted changes."""
    if not git.of_tree(path).is_clean:
        note_changes(path)


def note_changes(path: Path) -> None:
    """Print a note about a tree that has uncommitted changes."""
    say(f"note: {path} has uncommitted changes; they are part of this run")


def has_own_work(path: Path) -> bool:
    """Whether a prepared tree has changes or commits of the user's."""
    own = git.of_tree(path)
    if not own.is_clean or own.out("ls-files", "--others", "--exclude-standard"):
        return True
    ours = "--glob=refs/kunit/*"
    return own.out("rev-list", "--max-count=1", "HEAD", "--branches", "--not", ours) != ""


def require(path: Path, commit: str, why: str) -> None:
    """Raise WorkTreeError unless the files of a work tree are those of a commit."""
    if not git.of_tree(path).succeeds("diff", "--quiet", commit):
        raise WorkTreeError(
            f"{path} has changes of yours, and {why}",
            f"save them elsewhere; git -C {path} reset --hard {commit[:12]} drops them",
        )


class WorkTree:
    """A work tree, on a branch of the same name."""

    def __init__(self, shared: Git, path: Path, name: str) -> None:
        self._shared = shared
        self.path = path
        self._name = name
        self._git = git.of_tree(path)

    def bring_to(self, commit: str) -> None:
        """Update the work tree to a commit and keep the user's changes.

        Raises WorkTreeError if that is impossible.
        """
        refs = self._own_refs()
        if MAKING + self._name in refs or not self.path.exists():
            self._make(commit)
        elif PREPARED + self._name not in refs:
            raise WorkTreeError(
                f"{self.path} is not a tree that was prepared here",
                "move it away, or set BUILD=DIR to another directory",
            )
        else:
            if MOVING + self._name in refs:
                self._finish_move(refs[PREPARED + self._name], refs[MOVING + self._name])
                refs = self._own_refs()
            head = refs.get(self._head()) or self._git.out("rev-parse", "HEAD")
            self._move(head, refs[PREPARED + self._name], commit)

    def _own_refs(self) -> dict[str, str]:
        own = (kind + self._name for kind in (PREPARED, MAKING, MOVING))
        return self._shared.lookup(*own, self._head())

    def _head(self) -> str:
        """What the shared repository calls the work tree's HEAD."""
        try:
            place = (self.path / ".git").read_text(encoding="utf-8").strip()
        except OSError:
            place = self._name
        return f"worktrees/{Path(place).name}/HEAD"

    def _make(self, commit: str) -> None:
        """Create the work tree."""
        self._shared.set_refs({MAKING + self._name: commit})
        if self.path.exists():
            say(f"removing {self.path}, which is incomplete ...")
            shutil.rmtree(self.path)
        self._forget()
        self._require_space()
        say(f"writing the files of {self.path} ...")
        self._shared.run(
            "worktree", "add", "--quiet", "--force", "-B", self._name, str(self.path), commit
        )
        self._shared.set_refs({PREPARED + self._name: commit, MAKING + self._name: ""})

    def _forget(self) -> None:
        """Remove git's record of an earlier work tree at this path.

        git worktree prune keeps the record of one that is incomplete.
        """
        for known in self._shared.git_dir.glob("worktrees/*/gitdir"):
            if Path(known.read_text(encoding="utf-8").strip()) == self.path.resolve() / ".git":
                shutil.rmtree(known.parent)

    def _require_space(self) -> None:
        packs = (self._shared.git_dir / "objects/pack").glob("*.pack")
        repository = sum(pack.stat().st_size for pack in packs)
        ratio = source.TREE_RATIO / source.REPOSITORY_RATIO
        source.require_space(self._shared.git_dir, int(repository * ratio))

    def _move(self, head: str, prepared: str, commit: str) -> None:
        """Update an existing work tree."""
        if head == prepared != commit:
            self._switch(prepared, commit)
        elif head != prepared and commit != prepared:
            self._accept_own_commits(head, commit)
        elif head != prepared:
            say(f"note: {self.path} is at {head[:12]}, not at the prepared commit; used as it is")

    def _switch(self, prepared: str, commit: str) -> None:
        self._shared.set_refs({MOVING + self._name: commit})
        argv = ["read-tree", "-m", "-u", prepared, commit]
        done = self._git.run(*argv, expect=(0, 1, 128))
        if done.status != 0:
            # Without its content, git takes a file that was only touched for a changed one.
            self._git.run("update-index", "-q", "--refresh", expect=(0, 1, 128))
            done = self._git.run(*argv, expect=(0, 1, 128))
        if done.status != 0:
            self._shared.set_refs({MOVING + self._name: ""})
            if "No space left" in done.stderr:
                raise process.failure(["git", "read-tree"], done.status, done.stderr)
            if self._index_lock().exists():
                raise WorkTreeError(
                    f"another git command is running in {self.path}",
                    f"wait for it; if there is none, remove {self._index_lock()}",
                )
            raise WorkTreeError(
                f"{self.path} has changes of yours in files that the new patches change",
                f"commit them elsewhere or stash them (git -C {self.path} stash), then try again",
                done.stderr,
            )
        self._moved(commit)

    def _moved(self, commit: str) -> None:
        self._git.set_refs({"HEAD": commit, PREPARED + self._name: commit, MOVING + self._name: ""})

    def _finish_move(self, prepared: str, commit: str) -> None:
        """Repair an update that was interrupted while git wrote files.

        Git checked before it started that none of the files had changes of the user's. It is
        safe to overwrite every file that differs between the two commits.
        """
        say(f"repairing {self.path} after an interrupted run")
        self._index_lock().unlink(missing_ok=True)
        ours = set(self._git.names("diff", "--name-only", "--no-renames", prepared, commit))
        # The index may have any mix of old and new entries.
        self._git.run("read-tree", commit)
        wanted = ours & set(self._git.names("ls-files"))
        for name in ours - wanted:
            (self.path / name).unlink(missing_ok=True)
        names = "".join(f"{name}\0" for name in sorted(wanted))
        self._git.run("checkout-index", "--force", "-z", "--stdin", data=names.encode())
        self._git.run("update-index", "-q", "--refresh", expect=(0, 1))
        self._moved(commit)

    def _index_lock(self) -> Path:
        return Path(self._git.out("rev-parse", "--absolute-git-dir")) / "index.lock"

    def _accept_own_commits(self, head: str, commit: str) -> None:
        """Keep the user's commits if the new commit is below them. Raises WorkTreeError."""
        if not self._git.succeeds("merge-base", "--is-ancestor", commit, head):
            prepared = self._own_refs()[PREPARED + self._name]
            raise WorkTreeError(
                f"{self.path} has commits of yours, and the patches below them changed",
                f"git -C {self.path} rebase --onto {commit[:12]} {prepared[:12]} keeps them, "
                f"git -C {self.path} reset --hard {commit[:12]} drops them; then try again",
            )
        self._shared.set_refs({PREPARED + self._name: commit})
