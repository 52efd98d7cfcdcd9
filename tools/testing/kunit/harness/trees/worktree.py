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

The last two survive an interruption and show the next run what to repair.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, lock
from harness.request.settings import FLAVOURS, Settings, Wish, check_flavour
from harness.trees import debian, linux_source, source
from harness.trees.checkout import WorkTree, tell_changes
from harness.trees.git import Git
from harness.trees.layers import read_steps
from harness.trees.source import Base
from harness.trees.stack import Patch, Stack


def prepare(
    settings: Settings, name: str = "", more: Sequence["Patch"] = (), note_changes: bool = True
) -> Path:
    """Bring the work tree that the settings ask for up to date; return its path.

    With more patches on top of the flavour's, the work tree has a name of its own. The
    user gets a note about uncommitted changes, unless note_changes is False.
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


def path(settings: Settings) -> Path:
    """Where the work tree of a flavour is, or will be."""
    return _root(settings) / settings.flavour


def _root(settings: Settings) -> Path:
    if not settings.ksrc:
        return settings.build / f"linux-{settings.base}"
    digest = hashlib.sha256(str(settings.ksrc).encode()).hexdigest()[:10]
    return settings.build / f"ksrc-{digest}"


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Git, Path]]:
    """The shared repository, locked, and the directory of its work trees."""
    root = _root(settings)
    builddir.mark(settings.build)
    with lock.waiting(root / "lock", f"prepares a tree in {root}"):
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
        base = linux_source.import_package(git, settings.tarball)
    version = source.numbers(git, base.commit)
    return Stack(git, base).build([*read_steps(settings.flavour, git, with_tests, version), *more])


def any_tree(wish: Wish) -> Path | None:
    """A tree that is there already, whatever its state, or None."""
    if wish.ksrc:
        return wish.ksrc
    roots = sorted(wish.build.glob(f"linux-{wish.base or '*'}"), reverse=True)
    trees = [root / flavour for root in roots for flavour in (wish.flavour, *FLAVOURS) if flavour]
    return next((t for t in trees if (t / "tools/testing/kunit/kunit.py").exists()), None)


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


# --- The work tree --------------------------------------------------------
