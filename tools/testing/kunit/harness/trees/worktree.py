# SPDX-License-Identifier: GPL-2.0
"""Prepared kernel trees: a base with patches and suites on it, one commit each.

All flavours share one bare repository, BUILD/linux-BASE/git; the work tree of
a flavour is BUILD/linux-BASE/FLAVOUR. References below refs/kunit/ remember
what was done:

    base/ID           the base, by the identity of its archive
    layers/KEY        the commit that a step of a stack led to; the key is a
                      hash over the base and all steps up to that one
    prepared/FLAVOUR  what the work tree was last brought to
    making/FLAVOUR    the work tree is being made: not the user's yet
    moving/FLAVOUR    the work tree is being brought to this commit

The last two outlive an interruption, and tell the next run what to repair.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, process
from harness.base.console import say
from harness.base.errors import PatchError, WorkTreeError
from harness.request.settings import FLAVOURS, REPO, SUITES, TESTS, Settings, Wish, check_flavour
from harness.trees import debian, source, versions
from harness.trees.git import Git
from harness.trees.source import Base
from harness.trees.stack import Overlay, Patch, Stack, Step

PREPARED = "refs/kunit/prepared/"
MAKING = "refs/kunit/making/"
MOVING = "refs/kunit/moving/"

# The directories whose new files are laid over a kernel tree. Files directly in
# Documentation/ serve our own Sphinx run; the kernel has its own of those names.
OVERLAY = ("mm", "arch", "Documentation")


def prepare(
    settings: Settings, name: str = "", more: Sequence["Patch"] = (), note_changes: bool = True
) -> Path:
    """Bring the work tree that the settings ask for up to date; return its path.

    With more patches on top of the flavour's, the work tree has a name of its own. The
    user is told if there are changes in it that are not committed, unless the caller does.
    Only what changed is done again, and only files that differ are written.
    Raises KunitError of some kind; what is there stays whole.
    """
    name = name or settings.flavour
    with _opened(settings) as (git, root):
        commit = _stack(git, settings, more)
        tree = WorkTree(git, root / name, name)
        tree.bring_to(commit)
        if note_changes:
            tell_changes(tree.path)
        return tree.path


def tell_changes(path: Path, there_are: bool | None = None) -> None:
    """Say if a tree has changes that are not committed. Who knows need not let us look."""
    if there_are is None:
        there_are = not Git(path / ".git", work_tree=path).succeeds("diff", "--quiet", "HEAD")
    if there_are:
        say(f"note: {path} has changes that are not committed; they are used as they are")


@dataclass(frozen=True)
class Stacked:
    """A commit of the shared repository, and the git tree that it holds."""

    git: Git
    commit: str
    tree: str


def stack(settings: Settings, more: Sequence["Patch"] = (), with_tests: bool = True) -> Stacked:
    """Put a flavour and more patches together, without any work tree.

    Without tests, neither suites nor hooks are in it. Raises KunitError of some
    kind, PatchError among them.
    """
    with _opened(settings) as (git, _):
        commit = _stack(git, settings, more, with_tests)
        return Stacked(git, commit, git.out("rev-parse", f"{commit}^{{tree}}"))


def show(settings: Settings, name: str, stacked: Stacked) -> Path:
    """Bring the work tree of that name to what was stacked; return its path."""
    with _opened(settings) as (git, root):
        tree = WorkTree(git, root / name, name)
        tree.bring_to(stacked.commit)
        return tree.path


def fix_start(settings: Settings, commit: str = "") -> Settings:
    """Settings that start from KSRC as it is now, whatever is done there later.

    With a commit of KSRC, they start from that. Raises SourceError.
    """
    if not settings.ksrc:
        return settings
    with _opened(settings) as (git, _):
        if commit:
            base = source.import_commit(git, settings.ksrc, commit)
        else:
            base = source.snapshot(git, settings.ksrc)
    return replace(settings, start=base.commit)


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Git, Path]]:
    """The shared repository, locked, and the directory of its work trees."""
    if settings.ksrc:
        digest = hashlib.sha256(str(settings.ksrc).encode()).hexdigest()[:10]
        root = settings.build / f"ksrc-{digest}"
    else:
        root = settings.build / f"linux-{settings.base}"
    builddir.mark(settings.build)
    with _locked(root):
        yield _open_repository(root / "git"), root


def _stack(git: Git, settings: Settings, more: Sequence["Patch"], with_tests: bool = True) -> str:
    if settings.start:
        base = Base(settings.start, is_users=True)
    elif settings.ksrc:
        base = source.snapshot(git, settings.ksrc)
    else:
        check_flavour(settings.flavour, settings.base)
        if settings.suite:
            debian.fetch(settings.suite, settings.build, settings.tarball)
        base = source.import_package(git, settings.tarball)
    version = source.numbers(git, base.commit)
    return Stack(git, base).build([*read_steps(settings.flavour, git, with_tests, version), *more])


def has_own_work(path: Path) -> bool:
    """Whether a prepared tree holds changes or commits that only it has."""
    git = Git(path / ".git", work_tree=path)
    if not git.succeeds("diff", "--quiet", "HEAD"):
        return True
    if git.out("ls-files", "--others", "--exclude-standard"):
        return True
    ours = "--glob=refs/kunit/*"
    return git.out("rev-list", "--max-count=1", "HEAD", "--branches", "--not", ours) != ""


def any_tree(wish: Wish) -> Path | None:
    """A tree that is there already, whatever its state, or None."""
    if wish.ksrc:
        return wish.ksrc
    roots = sorted(wish.build.glob(f"linux-{wish.base or '*'}"), reverse=True)
    trees = [root / flavour for root in roots for flavour in (wish.flavour, *FLAVOURS) if flavour]
    return next((t for t in trees if (t / "tools/testing/kunit/kunit.py").exists()), None)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep other commands from preparing the same trees at the same time."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for process {lock.read().strip()}, which prepares a tree in {root} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        process.shared_files.append(lock.fileno())
        try:
            yield
        finally:
            process.shared_files.remove(lock.fileno())


def _open_repository(git_dir: Path) -> Git:
    """The shared repository, made if it is not there."""
    git = Git(git_dir)
    if not (git_dir / "kunit-ready").exists():
        git_dir.mkdir(exist_ok=True)
        git.run("init", "--quiet", "--bare", str(git_dir))
        git.run("config", "gc.auto", "0")
        git.run("config", "log.excludeDecoration", "refs/kunit/*")
        (git_dir / "kunit-ready").touch()
    return git


# --- What a flavour is made of --------------------------------------------


def read_steps(
    flavour: str, git: Git, with_tests: bool = True, version: tuple[int, ...] = ()
) -> list[Step]:
    """The steps from a base of that version to a flavour, read from this repository's files."""
    steps: list[Step] = []
    for layer in FLAVOURS[flavour]:
        if layer in TESTS and not with_tests:
            continue
        if layer == SUITES:
            steps.append(read_overlay(git))
        else:
            steps.extend(read_patches(REPO / layer, version))
    return steps


def read_patches(directory: Path, version: tuple[int, ...] = ()) -> list[Patch]:
    """The patches that a quilt series file lists. Raises PatchError.

    Those for a kernel of some version may be different ones: see rebased.py.
    """
    try:
        listing = versions.find(directory, "series", version)
        names = [line.split("#")[0].strip() for line in listing.read_text("utf-8").splitlines()]
        paths = [versions.find(directory, name, version) for name in names if name]
        return [Patch(path, path.read_bytes()) for path in paths]
    except OSError as error:
        raise PatchError(
            f"{error.filename} cannot be read: {error.strerror}",
            "restore it from git: git status tells what changed",
        ) from error


def read_overlay(git: Git) -> Overlay:
    """The new files of this repository, as they are on the disk."""
    # To an index that is not there every file is new, but for the ignored ones.
    fresh = replace(git, work_tree=REPO, index=git.git_dir / "no.index")
    listing = fresh.run(
        "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore", *OVERLAY
    ).stdout
    paths = sorted(Path(name) for name in listing.split("\0") if name)
    return Overlay(tuple(p for p in paths if p.parent != Path("Documentation")))


# --- The work tree --------------------------------------------------------


class WorkTree:
    """A work tree, on a branch of its name: a flavour, or what has more on top."""

    def __init__(self, shared: Git, path: Path, name: str) -> None:
        self._shared = shared
        self.path = path
        self._name = name
        self._git = Git(path / ".git", work_tree=path)

    def bring_to(self, commit: str) -> None:
        """Let the work tree show a commit; what the user changed there is kept.

        Raises WorkTreeError if that cannot be.
        """
        refs = self._own_refs()
        if MAKING + self._name in refs or not self.path.exists():
            self._make(commit)
        elif PREPARED + self._name not in refs:
            raise WorkTreeError(
                f"{self.path} is not a tree that was prepared here",
                "move it out of the way, or let BUILD=DIR name another place",
            )
        else:
            if MOVING + self._name in refs:
                self._finish_move(refs[PREPARED + self._name], refs[MOVING + self._name])
                refs = self._own_refs()
            self._move(refs[PREPARED + self._name], commit)

    def _own_refs(self) -> dict[str, str]:
        return self._shared.lookup(*(kind + self._name for kind in (PREPARED, MAKING, MOVING)))

    def _make(self, commit: str) -> None:
        """Make the work tree from nothing."""
        self._shared.set_ref(MAKING + self._name, commit)
        if self.path.exists():
            say(f"removing {self.path}, whose making was interrupted ...")
            shutil.rmtree(self.path)
        self._shared.run("worktree", "prune")
        self._require_space()
        say(f"writing the files of {self.path} ...")
        self._shared.run(
            "worktree", "add", "--quiet", "--force", "-B", self._name, str(self.path), commit
        )
        self._shared.set_ref(PREPARED + self._name, commit)
        self._shared.delete_ref(MAKING + self._name)

    def _require_space(self) -> None:
        packs = (self._shared.git_dir / "objects/pack").glob("*.pack")
        repository = sum(pack.stat().st_size for pack in packs)
        ratio = source.TREE_RATIO / source.REPOSITORY_RATIO
        source.require_space(self._shared.git_dir, int(repository * ratio))

    def _move(self, prepared: str, commit: str) -> None:
        """Bring an existing work tree from one stack to another, if it can be done."""
        head = self._git.out("rev-parse", "HEAD")
        if head == prepared != commit:
            self._switch(prepared, commit)
        elif head != prepared and commit != prepared:
            self._accept_own_commits(head, commit)
        elif head != prepared:
            say(f"note: {self.path} is at {head[:12]}, not where it was prepared; used as it is")

    def _switch(self, prepared: str, commit: str) -> None:
        self._shared.set_ref(MOVING + self._name, commit)
        done = self._git.run("read-tree", "-m", "-u", prepared, commit, expect=(0, 1, 128))
        if done.status != 0:
            self._shared.delete_ref(MOVING + self._name)
            if "No space left" in done.stderr:
                raise process.failure(["git", "read-tree"], done.status, done.stderr)
            if self._index_lock().exists():
                raise WorkTreeError(
                    f"another git command is at work in {self.path}",
                    f"wait for it; if there is none, remove {self._index_lock()}",
                )
            raise WorkTreeError(
                f"{self.path} has changes of yours where the new patches want to write",
                f"commit them elsewhere or set them aside (git -C {self.path} stash), try again",
                done.stderr,
            )
        self._moved(commit)

    def _moved(self, commit: str) -> None:
        self._git.run("update-ref", "-m", "prepared", "HEAD", commit)
        self._shared.set_ref(PREPARED + self._name, commit)
        self._shared.delete_ref(MOVING + self._name)

    def _finish_move(self, prepared: str, commit: str) -> None:
        """Repair a move that was interrupted while files were being written.

        Git had found nothing of the user's in the way before it began, so the
        files that differ between the two stacks are ours to write.
        """
        say(f"repairing {self.path}: an earlier run was interrupted")
        self._index_lock().unlink(missing_ok=True)
        listing = self._git.run("diff", "-z", "--name-only", "--no-renames", prepared, commit)
        ours = {name for name in listing.stdout.split("\0") if name}
        # In the index a new file may be there or not; make it that of the new stack.
        self._git.run("read-tree", commit)
        wanted = ours & set(self._git.run("ls-files", "-z").stdout.split("\0"))
        for name in ours - wanted:
            (self.path / name).unlink(missing_ok=True)
        names = "".join(f"{name}\0" for name in sorted(wanted))
        self._git.run("checkout-index", "--force", "-z", "--stdin", data=names.encode())
        self._git.run("update-index", "-q", "--refresh", expect=(0, 1))
        self._moved(commit)

    def _index_lock(self) -> Path:
        return Path(self._git.out("rev-parse", "--absolute-git-dir")) / "index.lock"

    def _accept_own_commits(self, head: str, commit: str) -> None:
        """The user has commits of his own, and the stack below them changed."""
        if not self._git.succeeds("merge-base", "--is-ancestor", commit, head):
            prepared = self._own_refs()[PREPARED + self._name]
            raise WorkTreeError(
                f"{self.path} has commits of yours, and the patches below them changed",
                f"git -C {self.path} rebase --onto {commit[:12]} {prepared[:12]} keeps them, "
                f"git -C {self.path} reset --hard {commit[:12]} drops them; then try again",
            )
        self._shared.set_ref(PREPARED + self._name, commit)
