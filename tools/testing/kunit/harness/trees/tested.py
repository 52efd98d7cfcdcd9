# SPDX-License-Identifier: GPL-2.0
"""What a result is a result of: this repository's files and the kernel they go onto."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness.base import process
from harness.request.settings import HOME_BASE, REPO, Settings
from harness.trees.git import environment

# Where the files are that decide on a verdict: suites, patches, configs, expectations, tools.
_DIRECTORIES = ("arch", "lib", "mm", "patches", "tools")
_CACHES = ("__pycache__", ".mypy_cache")
_DIGITS = 12


def revision(wanted: Settings) -> str:
    """What is tested, in words for people. Two are equal only if all that is tested is.

    It names the commit where there is a git repository. That alone would not do: there may
    be none, and changes that are not committed count as well. Raises OSError.
    """
    digest = hashlib.sha256()
    for path in files(REPO):
        digest.update(f"{path.relative_to(REPO)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    if wanted.suite:
        # The archive is perhaps not fetched yet; its directory has the package's version.
        digest.update(wanted.sources.name.encode())
    else:
        digest.update(_hash_of(wanted.tarball))
    words = f"{_commit()}files {digest.hexdigest()[:_DIGITS]}"
    if wanted.base == HOME_BASE:
        return words
    return f"{words} with Linux {wanted.base}" + (f" of {wanted.suite}" if wanted.suite else "")


def files(repo: Path) -> Iterator[Path]:
    """The files of a copy of this repository that decide on a verdict, in a fixed order."""
    for name in _DIRECTORIES:
        for directory, subdirectories, names in os.walk(repo / name):
            subdirectories[:] = sorted(d for d in subdirectories if d not in _CACHES)
            yield from (Path(directory, n) for n in sorted(names) if not n.endswith("~"))


def _hash_of(path: Path) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _commit() -> str:
    """The commit of this repository, and whether there are changes; "" without git's help."""
    # In a container, the files often belong to another user. Reading is safe all the same.
    argv = ["git", "-c", f"safe.directory={REPO}", "describe", "--always", "--dirty"]
    argv.append(f"--abbrev={_DIGITS}")
    words = process.run(argv, cwd=str(REPO), env=environment(), expect=(0, 128)).stdout.strip()
    return f"{words}, " if words else ""
