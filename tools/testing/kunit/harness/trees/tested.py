# SPDX-License-Identifier: GPL-2.0
"""Identify what was tested: this repository's files and the kernel."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness.base import archive, process
from harness.request.settings import HOME_BASE, REPO, Settings
from harness.trees.git import environment

# The directories that can change a result: suites, patches, configs, expectations, tools.
_DIRECTORIES = ("arch", "lib", "mm", "patches", "tools")
_CACHES = ("__pycache__", ".mypy_cache")
_DIGITS = 12


def revision(wanted: Settings, *packages: str) -> str:
    """A name of what is tested, for people. Two names are equal only if everything tested is.

    It starts with the commit, if there is a git repository. A hash of the files follows, as
    there may be no repository, or uncommitted changes. packages: kernel packages that are
    tested besides that of wanted. Raises OSError.
    """
    digest = hashlib.sha256()
    for path in files(REPO):
        digest.update(f"{path.relative_to(REPO)}\0".encode())
        digest.update(archive.digest(path).encode())
    if wanted.debian_suite:
        # The archive may not exist yet, but its directory names the package's version.
        digest.update(wanted.sources.name.encode())
    else:
        digest.update(archive.digest(wanted.tarball).encode())
    for package in packages:
        digest.update(f"{package}\0".encode())
    words = f"{_commit()}files {digest.hexdigest()[:_DIGITS]}"
    if wanted.base == HOME_BASE:
        return words
    return f"{words} with Linux {wanted.base}" + (
        f" of {wanted.debian_suite}" if wanted.debian_suite else ""
    )


def files(repo: Path) -> Iterator[Path]:
    """The files of a copy of this repository that can change a result, in a fixed order."""
    for name in _DIRECTORIES:
        for directory, subdirectories, names in os.walk(repo / name):
            subdirectories[:] = sorted(d for d in subdirectories if d not in _CACHES)
            yield from (Path(directory, n) for n in sorted(names) if not n.endswith("~"))


def _commit() -> str:
    """The commit of this repository, marked if there are changes; "" without a repository."""
    # In a container, the files often belong to another user. Reading is safe anyway.
    argv = ["git", "-c", f"safe.directory={REPO}", "describe", "--always", "--dirty"]
    argv.append(f"--abbrev={_DIGITS}")
    words = process.run(argv, cwd=str(REPO), env=environment(), expect=(0, 128)).stdout.strip()
    return f"{words}, " if words else ""
