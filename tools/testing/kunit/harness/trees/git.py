# SPDX-License-Identifier: GPL-2.0
"""Run git without the user's configuration, hooks and identity."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.base import process
from harness.trees import diff

# Passed in the environment, which overrides configuration files.
_CONFIG = {
    "core.autocrlf": "false",
    "core.fsyncMethod": "batch",
    "core.hooksPath": "/dev/null",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "advice.detachedHead": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "safe.directory": "*",
}


def environment(**extra: str) -> dict[str, str]:
    """An environment for git without the user's settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env.update(
        GIT_CONFIG_GLOBAL="/dev/null",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_COUNT=str(len(_CONFIG)),
        GIT_TERMINAL_PROMPT="0",
        LC_ALL="C",
    )
    for number, (key, value) in enumerate(_CONFIG.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    env.update(extra)
    return env


@dataclass(frozen=True)
class Git:
    """A repository, optionally with a work tree and an index.

    The methods raise the exceptions of process.run().
    """

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    extra_env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *args: str, data: bytes | None = None, expect: Sequence[int] = (0,)
    ) -> process.Completed:
        """Run a git command."""
        return process.run(
            ["git", *args],
            cwd=str(self.work_tree or self.git_dir),
            env=self.env(),
            data=data,
            expect=expect,
        )

    def env(self) -> dict[str, str]:
        """The environment of commands in this repository."""
        env = environment(GIT_DIR=str(self.git_dir), **self.extra_env)
        if self.work_tree:
            env["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index:
            env["GIT_INDEX_FILE"] = str(self.index)
        return env

    def out(self, *args: str, data: bytes | None = None) -> str:
        """Run a git command and return its stripped output."""
        return self.run(*args, data=data).stdout.strip()

    def names(self, command: str, *args: str) -> list[str]:
        """Run a git command that lists files with -z, and return the names."""
        return [name for name in self.run(command, "-z", *args).stdout.split("\0") if name]

    def status(self) -> tuple[str, list[str]]:
        """The commit of HEAD, and an entry of git status for each changed file."""
        done = self.run("status", "--porcelain=v2", "--branch", "--no-renames", "-z")
        head, *entries = done.stdout.split("\0")[:-1]
        changed = [entry for entry in entries if not entry.startswith("# ")]
        return head.removeprefix("# branch.oid "), changed

    def added(self, *args: str) -> Mapping[str, Mapping[int, str]]:
        """The lines that git diff adds with these arguments, by file and line number."""
        options = ("--unified=0", "--no-renames", "--no-color", "--no-ext-diff")
        return diff.added(self.run("diff", *options, *args).stdout)

    def apply(self, patch: bytes, *options: str) -> process.Completed:
        """Apply a patch to the index. The caller checks the status."""
        argv = ["apply", "--cached", "--whitespace=nowarn", *options]
        return self.run(*argv, data=patch, expect=(0, 1, 128))

    def succeeds(self, *args: str) -> bool:
        """Run a git command that answers yes (status 0) or no (status 1)."""
        return self.run(*args, expect=(0, 1)).status == 0

    @property
    def is_clean(self) -> bool:
        """Whether the work tree has no changes in files that git knows."""
        return self.succeeds("diff", "--quiet", "HEAD")

    def lookup(self, *refs: str) -> dict[str, str]:
        """The commits of those references that exist.

        The cost does not depend on the number of references in the repository.
        """
        asked = "".join(f"{ref}\n" for ref in refs).encode()
        lines = self.out("cat-file", "--batch-check=%(objectname)", data=asked).splitlines()
        return {ref: line for ref, line in zip(refs, lines) if not line.endswith(" missing")}

    def set_refs(self, new: Mapping[str, str]) -> None:
        """Create, move or delete references, all at once. "" deletes one, if it exists."""
        lines = [
            f"update {ref} {commit}" if commit else f"delete {ref}" for ref, commit in new.items()
        ]
        self.run("update-ref", "--stdin", "-m", "prepared", data="\n".join([*lines, ""]).encode())


def of_tree(path: Path, **extra_env: str) -> Git:
    """The repository of a work tree."""
    return Git(path / ".git", work_tree=path, extra_env=extra_env)
