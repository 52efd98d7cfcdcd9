# SPDX-License-Identifier: GPL-2.0
"""Results of a run in progress, so that the next run can continue after an interruption.

Each result is written as soon as it exists. An interrupted run leaves its results in a
directory. The next run of the same thing reuses them; any other run removes them.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ContextManager, TypeVar

from harness.base import archive, asjson, builddir, lock, signals
from harness.base.console import say
from harness.kernel import defaults, identity
from harness.request.settings import REPO, Settings
from harness.trees import tested
from harness.verdict.results import RunResult

T = TypeVar("T")

_KEY = "key.json"
_UNIT = ".unit.json"
# Variables that do not affect results.
_NO_CHOICE = frozenset({"BUILD", "JOBS", "PLOTS", "MAP"})


class Journal:
    """The results so far, by name. Results and their files are in directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, name: str, kind: type[T]) -> T | None:
        """The dataclass that put() stored under a name, or None."""
        try:
            found = json.loads(self._path(name).read_text(encoding="utf-8"))
            return asjson.decode(kind, found["unit"]) if found["name"] == name else None
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def put(self, name: str, unit: object) -> None:
        """Store a dataclass under a name."""
        document = {"name": name, "unit": asjson.encode(unit)}
        archive.write_whole(self._path(name), json.dumps(document))

    def run(self, name: str, do: Callable[[], RunResult]) -> RunResult:
        """A result of the interrupted run, or that of do().

        Keep the new result if it is about the kernel. A failed build may be the machine's
        fault, and a flaky result proves nothing.
        """
        known = self.known(name)
        if known:
            return known
        result = do()
        if is_worth_keeping(result):
            self.put(name, result)
        return result

    def known(self, name: str) -> RunResult | None:
        """A result of the interrupted run, marked as such."""
        found = self.find(name, RunResult)
        return replace(found, kept=len(found.cases)) if found else None

    def count(self) -> int:
        """The number of results."""
        return len(list(self.directory.glob(f"*{_UNIT}")))

    def _path(self, name: str) -> Path:
        return self.directory / f"{archive.key(name)}{_UNIT}"


class NoJournal(Journal):
    """A journal that stores nothing, for parts of something that is stored as a whole."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def put(self, name: str, unit: object) -> None:
        """Do nothing."""


def is_worth_keeping(result: RunResult) -> bool:
    """Whether a result is about the kernel rather than the machine."""
    return result.has_kernel and not result.flaky


def key(command: str, wanted: Settings, given: Mapping[str, str], *programs: str) -> str:
    """A key that is equal for equal runs: command, choices, tested files and tools.

    given has the user's variables. programs are tools besides those for arm64. Raises
    OSError.
    """
    line = defaults.command_line(wanted, "run")
    return archive.key(
        command,
        *(f"{name}={value}" for name, value in sorted(given.items()) if name not in _NO_CHOICE),
        tested.revision(wanted),
        *identity.of_build(line, REPO),
        *identity.of_boot(line, REPO),
        *map(identity.program, programs),
    )


def of_command(
    command: str, wanted: Settings, given: Mapping[str, str], *programs: str, name: str = ""
) -> ContextManager[Journal]:
    """The journal of a command with these choices, in BUILD/results.

    See key() and opened(). name is that of the command's results.
    """
    name = name or command.removeprefix("make ")
    directory = builddir.results(wanted.build) / f"{name}.partial"
    return opened(directory, command, key(command, wanted, given, *programs))


@contextlib.contextmanager
def opened(directory: Path, command: str, name: str) -> Iterator[Journal]:
    """The journal of a command in a directory. name is a key().

    The journal is removed when the block succeeds. Raises WorkTreeError if another run of the
    same command is active.
    """
    with lock.exclusive(directory.with_suffix(".lock"), command):
        since = _since(directory, name)
        if since is None:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            record = {"key": name, "began": time.strftime("%Y-%m-%d %H:%M")}
            archive.write_whole(directory / _KEY, json.dumps(record))
        journal = Journal(directory)
        if since and journal.count():
            say(f"continuing the interrupted run of {since}; results kept: {journal.count()}")
        with signals.results_kept():
            yield journal
        with signals.signals_held():
            # Remove the key first. Without it, the next run ignores the rest.
            (directory / _KEY).unlink(missing_ok=True)
            shutil.rmtree(directory, ignore_errors=True)


def _since(directory: Path, name: str) -> str | None:
    """The start of the interrupted run with this key, or None."""
    try:
        record = json.loads((directory / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("key") != name:
        return None
    return str(record.get("began"))
