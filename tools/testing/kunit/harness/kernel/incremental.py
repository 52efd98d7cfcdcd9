# SPDX-License-Identifier: GPL-2.0
"""Rebuild only the objects whose sources changed since the last run.

The kernel's kunit.py configures and builds everything each time. After a run that booted a
guest, this module records the inputs of the image. If only the content of sources changed since
then, the next run makes their objects, and kunit.py only boots. Otherwise, kunit.py does a full
build.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.base import archive
from harness.base.console import say
from harness.kernel import identity, image, options
from harness.kernel.image import IMAGE
from harness.kernel.options import CommandLine, Word
from harness.trees import checkout, git

RECORD = ".kunit-image.json"

# Files with other endings may decide which objects are built.
_SOURCES = (".c", ".h", ".S", ".rst", ".txt")


@dataclass(frozen=True)
class Inputs:
    """The inputs of an image, and the image itself.

    commit is HEAD, and edited lists the files that differ from it. config and image identify
    these files. how is a hash of everything else that the build depends on.
    """

    commit: str
    edited: list[str]
    how: str
    config: str
    image: str


class Build:
    """The build of a command line in a tree."""

    def __init__(
        self, line: CommandLine, tree: Path, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._line = line
        self._tree = tree
        self._environ = environ
        self._git = git.of_tree(tree)
        self._directory = tree / line.build_dir
        self._record = self._directory / RECORD

    def is_supported(self) -> bool:
        """Whether this module supports it: arm64, with our own QEMU config."""
        configs = self._line.values("--qemu_config")
        known = self._line.arch == "arm64" and configs == [str(options.ARM64_QEMU_CONFIG)]
        return known and self._directory.parent == self._tree

    def inputs(self) -> Inputs | None:
        """The present inputs, or None if a full build is needed.

        Prints a note about uncommitted changes.
        """
        commit, entries = self._git.status()
        if any(not entry.startswith("? ") for entry in entries):
            checkout.note_changes(self._tree)
        # "1" is a tracked file, and "M" is changed content. See git status --porcelain=v2.
        if any(not re.match("1 [.M]{2} ", entry) for entry in entries):
            return None
        edited = [entry.split(" ", 8)[-1] for entry in entries]
        if not all(name.endswith(_SOURCES) for name in edited):
            return None
        try:
            how = archive.key(*identity.of_build(self._line, self._tree, self._environ))
        except OSError:
            return None
        return Inputs(commit, edited, how, self._config(), _stamp(self._directory / IMAGE))

    def remember(self, inputs: Inputs | None) -> None:
        """Record that the image has just been built from these inputs."""
        if inputs is None or not (self._directory / IMAGE).exists():
            return
        now = {"config": self._config(), "image": _stamp(self._directory / IMAGE)}
        archive.write_whole(self._record, json.dumps({**asdict(inputs), **now}))

    def forget(self) -> None:
        """Remove the record, before a build that may fail."""
        self._record.unlink(missing_ok=True)

    def is_up_to_date(self, now: Inputs | None) -> bool:
        """Whether nothing changed since the image was built."""
        return self._changes(now) == []

    def bring_up_to_date(self, now: Inputs | None) -> bool:
        """Make the objects of changed files. Return whether the image is up to date now."""
        changed = self._changes(now)
        if now is None or changed is None:
            return False
        if not changed:
            say("the image is up to date")
            return True
        objects = image.objects_of(self._tree, self._directory, changed)
        if not objects:
            return False
        say(f"making {objects[0] if len(objects) == 1 else f'{len(objects)} objects'} ...")
        self.forget()
        if not self._make(objects):
            return False
        self.remember(now)
        return True

    def _remembered(self) -> Inputs | None:
        try:
            return Inputs(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _changes(self, now: Inputs | None) -> list[str] | None:
        """The files that may differ from the image, or None if more than content changed."""
        then = self._remembered()
        if then is None or now is None:
            return None
        if (then.how, then.config, then.image) != (now.how, now.config, now.image):
            return None
        changed = {*then.edited, *now.edited}
        if then.commit != now.commit:
            argv = ["diff-tree", "-r", "--name-status", "--no-renames", "-z"]
            done = self._git.run(*argv, then.commit, now.commit, expect=(0, 128))
            words = done.stdout.split("\0")[:-1]
            if done.status or set(words[::2]) - {"M"}:
                return None
            changed |= set(words[1::2])
        return sorted(changed) if all(name.endswith(_SOURCES) for name in changed) else None

    def _make(self, objects: list[str]) -> bool:
        log = self._directory / "kunit-make.log"
        status = image.make_image(self._directory, self._line, log, objects=objects)
        for line in log.read_text(errors="replace").splitlines() if status == 0 else ():
            if "warning: " in line:
                say(line)
        return status == 0

    def _config(self) -> str:
        try:
            return archive.digest(self._directory / ".config")
        except FileNotFoundError:
            return ""


def just_boot(line: CommandLine) -> CommandLine:
    """The same command line with "exec" instead of "run"."""
    words: list[Word] = []
    for word in line.words:
        if word.option is None and list(word.argv) == [line.subcommand] and not words:
            words.append(Word(["exec"]))
        elif word.option != "--jobs":
            words.append(word)
    return CommandLine("exec", words)


def _stamp(path: Path) -> str:
    try:
        return f"{path} {archive.stamp(path)}"
    except FileNotFoundError:
        return ""
