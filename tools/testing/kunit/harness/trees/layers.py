# SPDX-License-Identifier: GPL-2.0
"""Read the layers of a flavour: patches and new files."""

from dataclasses import replace
from pathlib import Path

from harness.base.errors import PatchError
from harness.request.settings import FLAVOURS, REPO, SUITES, TESTS
from harness.trees import versions
from harness.trees.git import Git
from harness.trees.stack import Overlay, Patch, Step

# The directories with new files for the kernel tree. Files directly in Documentation/ are
# not among them: they configure Sphinx here, and the kernel has its own.
OVERLAY = ("mm", "arch", "Documentation")


def read_steps(
    flavour: str, git: Git, with_tests: bool = True, version: tuple[int, ...] = ()
) -> list[Step]:
    """The steps from a base of this version to a flavour."""
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
    """The patches in a quilt series file. Raises PatchError.

    A patch may differ between kernel versions: see versions.py.
    """
    try:
        listing = versions.find(directory, "series", version)
        names = [line.split("#")[0].strip() for line in listing.read_text("utf-8").splitlines()]
        paths = [versions.find(directory, name, version) for name in names if name]
        return [Patch(path, path.read_bytes()) for path in paths]
    except OSError as error:
        raise PatchError(
            f"{error.filename} cannot be read: {error.strerror}",
            "restore it with git; git status shows what changed",
        ) from error


def read_overlay(git: Git) -> Overlay:
    """The new files of this repository, as they are on disk."""
    # With an empty index, --others lists every file that is not ignored.
    fresh = replace(git, work_tree=REPO, index=git.git_dir / "no.index")
    names = fresh.names("ls-files", "--others", "--exclude-per-directory=.gitignore", *OVERLAY)
    paths = sorted(map(Path, names))
    return Overlay(tuple(p for p in paths if p.parent != Path("Documentation")))
