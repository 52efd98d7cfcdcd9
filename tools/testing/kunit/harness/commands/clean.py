# SPDX-License-Identifier: GPL-2.0
"""make clean: remove what was built, and nothing else."""

import os
import shutil
import sys
from pathlib import Path
from typing import List, Mapping

import proc
import settings as settings_module
import tree
from errors import UsageError, WorkTreeError
from proc import say
from variables import Command

COMMAND = Command("make clean", frozenset({"BUILD"}))


def main(argv: List[str], environ: Mapping[str, str] = os.environ) -> int:
    """Remove the directory BUILD, if it is ours and holds no work of the user's."""
    if argv:
        raise UsageError("clean.py takes no arguments", "BUILD=DIR says what to clean")
    environ = COMMAND.given(environ)
    build = settings_module.read(environ).build
    if not build.exists():
        return 0
    if not (build / tree.MARKER).exists():
        raise UsageError(
            f"{build} was not made here: it has no file {tree.MARKER}",
            "see that BUILD names the right directory, or remove it by hand",
        )
    trees = sorted(git.parent for git in build.glob("*/*/.git"))
    for path in trees:
        if tree.has_own_work(path):
            raise WorkTreeError(
                f"{path} holds changes or commits of yours",
                f"save them (git -C {path} status), or remove {build} by hand",
            )
    # The marker goes last, so that an interrupted cleaning can be repeated.
    for path in [*trees, *(p for p in sorted(build.iterdir()) if p.name != tree.MARKER)]:
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


if __name__ == "__main__":
    sys.exit(proc.main_guard(main, sys.argv[1:]))
