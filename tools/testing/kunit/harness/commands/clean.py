# SPDX-License-Identifier: GPL-2.0
"""make clean: remove everything that was built, and nothing else."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.base import builddir
from harness.base.console import say
from harness.base.errors import UsageError, WorkTreeError
from harness.request import settings
from harness.request.variables import Command
from harness.trees import checkout

COMMAND = Command(
    "make clean",
    frozenset({"BUILD"}),
    "remove the build directory with all trees, kernels and results",
    "altmap clean --build /tmp/build",
)


def main(environ: Mapping[str, str]) -> int:
    """Remove BUILD if it was created here and has no work of the user's."""
    build = settings.read(environ).build
    if not build.exists():
        return 0
    if not (build / builddir.MARKER).exists():
        raise UsageError(
            f"{build} was not created here: it has no file {builddir.MARKER}",
            "check BUILD, or remove the directory by hand",
        )
    trees = sorted(git.parent for git in build.glob("*/*/.git"))
    for path in trees:
        if checkout.has_own_work(path):
            raise WorkTreeError(
                f"{path} has changes or commits of yours",
                f"save them (git -C {path} status), or remove {build} by hand",
            )
    # Remove the marker last, so that an interrupted cleaning can be repeated.
    for path in [*trees, *(p for p in sorted(build.iterdir()) if p.name != builddir.MARKER)]:
        if path.exists():
            say(f"removing {path} ...")
            _remove(path)
    shutil.rmtree(build)
    return 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
