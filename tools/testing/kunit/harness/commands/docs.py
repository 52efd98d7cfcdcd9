# SPDX-License-Identifier: GPL-2.0
"""make docs: build Documentation/ as HTML with Sphinx. Warnings are errors."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.base import archive, packages, process
from harness.base.console import say, tail
from harness.base.errors import CommandError, ExitStatus
from harness.request import settings
from harness.request.settings import REPO
from harness.request.variables import PRIVATE_VARIABLES, TREE, Command
from harness.trees import debian, worktree

PAGES = REPO / "Documentation"
# The pages quote comments in this flavour's source.
FLAVOUR = "series"


COMMAND = Command(
    "make docs",
    TREE,
    "build the pages of Documentation/ as HTML",
    "altmap docs",
    helps={"KSRC": "quote the sources in the kernel tree in DIR; nothing is written to DIR"},
)


def main(environ: Mapping[str, str]) -> int:
    """Build all pages and print the warnings. Returns 0 if there are none."""
    wanted = debian.resolve(settings.read(environ))
    packages.ensure([*worktree.requirements(wanted), *packages.DOCS])
    prepared = worktree.prepare(replace(wanted, flavour=FLAVOUR))
    found = build(prepared, wanted.build / "docs")
    for line in found:
        print(line)
    if found:
        return int(ExitStatus.FAILED)
    say(f"wrote {wanted.build / 'docs/html/index.html'}")
    return int(ExitStatus.OK)


def build(prepared: Path, out: Path) -> tuple[str, ...]:
    """Build out/html. Return the warnings; on a warning, out/html stays. Raises CommandError."""
    new, work = out / "html.new", out / "doctrees"
    out.mkdir(parents=True, exist_ok=True)
    for leftover in (new, work):
        shutil.rmtree(leftover, ignore_errors=True)
    say(f"building the pages of {PAGES} ...")
    argv = [packages.SPHINX.proof, "-q", "-W", "--keep-going", "-b", "html"]
    argv += ["-d", str(work), str(PAGES), str(new)]
    # Sphinx imports conf.py. Leave no __pycache__ beside it.
    env = process.clean_env(PRIVATE_VARIABLES, srctree=str(prepared), PYTHONDONTWRITEBYTECODE="1")
    done = process.run(argv, env=env, expect=range(256))
    said = tuple(line for line in done.stderr.splitlines() if line.strip())
    if done.status == 0:
        archive.replace_directory(new, out / "html")
        return ()
    if done.status != 1 or not any("WARNING: " in line or "ERROR: " in line for line in said):
        raise CommandError(
            f"{argv[0]} failed with status {done.status}",
            "see its output above, then try again",
            tail(done.stderr + done.stdout, 10),
        )
    return tuple(line for line in said if not line.startswith("build finished"))
