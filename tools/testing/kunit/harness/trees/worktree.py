# SPDX-License-Identifier: GPL-2.0
"""Prepared kernel trees: a base plus patches and suites, one commit each.

All flavours share one bare repository, BUILD/linux-BASE/git. The work tree of a flavour is
BUILD/linux-BASE/FLAVOUR. References below refs/kunit/ record the state:

    base/ID           the base, by the identity of its archive
    layers/KEY        the commit after a step; the key is a hash over the base and
                      all steps so far
    prepared/FLAVOUR  the commit that the work tree was last updated to
    making/FLAVOUR    the work tree is being created
    moving/FLAVOUR    the work tree is being updated to this commit

The last two remain after an interruption and tell the next run what to repair.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, lock
from harness.base.errors import UsageError
from harness.base.packages import GIT, XZ, Requirement
from harness.request.settings import FLAVOURS, HOME_BASE, SOURCES, Request, Settings, check_flavour
from harness.trees import debian, linux_source, source
from harness.trees.checkout import WorkTree, report_changes
from harness.trees.git import Git
from harness.trees.layers import read_steps
from harness.trees.source import Base
from harness.trees.stack import Patch, Stack


def prepare(
    settings: Settings, name: str = "", more: Sequence["Patch"] = (), note_changes: bool = True
) -> Path:
    """Prepare the work tree for these settings and return its path.

    A work tree with more patches on top of the flavour needs a name. note_changes prints a note
    about uncommitted changes. Only changed steps are applied again, and only changed files are
    written. Raises KunitError. On an error, the work tree stays as it was.
    """
    name = name or settings.flavour
    with _opened(settings) as (git, root):
        tree = _updated(git, root, name, _stack(git, settings, more).commit)
        if note_changes:
            report_changes(tree)
        return tree


@dataclass(frozen=True)
class Stacked:
    """A commit in the shared repository, and its git tree."""

    git: Git
    base: Base
    tree: str

    @property
    def commit(self) -> str:
        """The hash of the commit."""
        return self.base.commit


def stack(settings: Settings, more: Sequence["Patch"] = (), with_tests: bool = True) -> Stacked:
    """Put a flavour and more patches together without a work tree.

    with_tests=False leaves out suites and hooks. Raises KunitError, for example PatchError.
    """
    with _opened(settings) as (git, _):
        return _stack(git, settings, more, with_tests)


def put_on(settings: Settings, below: Stacked, more: Sequence["Patch"]) -> Stacked:
    """Put more patches on a stacked commit of these settings. Raises KunitError."""
    with _opened(settings) as (git, _):
        return Stacked(git, *Stack(git, below.base).build(more))


def show(settings: Settings, name: str, stacked: Stacked) -> Path:
    """Update the work tree of this name to a stacked commit and return its path."""
    with _opened(settings) as (git, root):
        return _updated(git, root, name, stacked.commit)


def _updated(git: Git, root: Path, name: str, commit: str) -> Path:
    tree = WorkTree(git, root / name, name)
    tree.bring_to(commit)
    return tree.path


def fix_start(settings: Settings, commit: str = "") -> Settings:
    """Settings that start from the present state of KSRC, or from a commit in it.

    Later changes in KSRC then have no effect. Raises SourceError.
    """
    if not settings.ksrc:
        return settings
    with _opened(settings) as (git, _):
        if commit:
            base = source.import_commit(git, settings.ksrc, commit)
        else:
            base = source.snapshot(git, settings.ksrc)
    return replace(settings, start=base.commit)


def requirements(settings: Settings) -> tuple[Requirement, ...]:
    """The packages that preparing a tree needs.

    Raises UsageError if SOURCES names a directory without the archive: no package puts it there.
    """
    if settings.ksrc:
        return (GIT,)
    if settings.debian_suite:
        return GIT, XZ
    otherwise = "" if settings.base == HOME_BASE else "or use BASE=sid, which installs nothing"
    package = source.package_of(settings.tarball)
    if settings.sources != SOURCES and not settings.tarball.exists():
        raise UsageError(
            f"SOURCES={settings.sources} has no {settings.tarball.name}",
            f"copy the archive of {package} there, or leave SOURCES out",
        )
    return GIT, XZ, Requirement(str(settings.tarball), package, otherwise=otherwise)


def path(settings: Settings) -> Path:
    """The path of a flavour's work tree, whether or not it exists."""
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


def _stack(
    git: Git, settings: Settings, more: Sequence["Patch"], with_tests: bool = True
) -> Stacked:
    if settings.start:
        base = Base(settings.start, is_users=True)
    elif settings.ksrc:
        base = source.snapshot(git, settings.ksrc)
    else:
        check_flavour(settings.flavour, settings.base)
        if settings.debian_suite:
            debian.fetch(settings.debian_suite, settings.build, settings.tarball)
        base = linux_source.import_package(git, settings.tarball)
    version = source.numbers(git, base.commit)
    steps = read_steps(settings.flavour, git, with_tests, version)
    return Stacked(git, *Stack(git, base).build([*steps, *more]))


def any_tree(request: Request) -> Path | None:
    """A tree that already exists, in any state, or None."""
    if request.ksrc:
        return request.ksrc
    roots = sorted(request.build.glob(f"linux-{request.base or '*'}"), reverse=True)
    trees = [
        root / flavour for root in roots for flavour in (request.flavour, *FLAVOURS) if flavour
    ]
    return next((t for t in trees if (t / "tools/testing/kunit/kunit.py").exists()), None)


def _open_repository(git_dir: Path) -> Git:
    """The shared repository. Created if necessary."""
    git = Git(git_dir)
    if not (git_dir / "kunit-ready").exists():
        git_dir.mkdir(exist_ok=True)
        git.run("init", "--quiet", "--bare", "--template=", str(git_dir))
        with open(git_dir / "config", "a", encoding="ascii") as config:
            config.write("[gc]\n\tauto = 0\n")
        (git_dir / "kunit-ready").touch()
    return git
