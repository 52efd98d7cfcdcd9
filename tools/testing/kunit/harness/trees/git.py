# SPDX-License-Identifier: GPL-2.0
"""Git as we use it: never with the user's configuration, hooks or identity."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.base import process

# Command scope, and so stronger than any file.
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
    """An environment for git in which nothing of the user's has a say."""
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
    """A repository, with a work tree and an index where they are wanted.

    The methods raise what proc.run() raises.
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
        """The environment of this repository's commands."""
        env = environment(GIT_DIR=str(self.git_dir), **self.extra_env)
        if self.work_tree:
            env["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index:
            env["GIT_INDEX_FILE"] = str(self.index)
        return env

    def out(self, *args: str, data: bytes | None = None) -> str:
        """Run a git command; return its output, stripped."""
        return self.run(*args, data=data).stdout.strip()

    def succeeds(self, *args: str, data: bytes | None = None) -> bool:
        """Run a git command that answers yes (0) or no (1)."""
        return self.run(*args, data=data, expect=(0, 1)).status == 0

    def lookup(self, *refs: str) -> dict[str, str]:
        """Those of the references that are there, and the commits that they name.

        However many others there are, they are not looked at.
        """
        asked = "".join(f"{ref}\n" for ref in refs).encode()
        lines = self.out("cat-file", "--batch-check=%(objectname)", data=asked).splitlines()
        return {ref: line for ref, line in zip(refs, lines) if not line.endswith(" missing")}

    def set_ref(self, ref: str, commit: str) -> None:
        """Create or move a reference."""
        self.run("update-ref", ref, commit)

    def delete_ref(self, ref: str) -> None:
        """Delete a reference, if it is there."""
        self.run("update-ref", "-d", ref)
