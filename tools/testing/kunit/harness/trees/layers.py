# SPDX-License-Identifier: GPL-2.0
"""What a flavour is made of: patches, and the files that are new."""

from dataclasses import replace
from pathlib import Path

from harness.base.errors import PatchError
from harness.request.settings import FLAVOURS, REPO, SUITES, TESTS
from harness.trees import versions
from harness.trees.git import Git
from harness.trees.stack import Overlay, Patch, Step

# The directories whose new files are laid over a kernel tree. Files directly in
# Documentation/ serve our own Sphinx run; the kernel has its own of those names.
OVERLAY = ("mm", "arch", "Documentation")


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
            "restore it from git: git status shows what changed",
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
