# SPDX-License-Identifier: GPL-2.0
"""The results of a run that has not ended yet, so that the next one can carry on.

Each result is written the moment that it is there, whole or not at all. A run that is
ended in the middle leaves its results in a directory of its own. The next run of the same
thing takes them over; a run of anything else removes them.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.base import archive, lock, signals
from harness.base.console import say
from harness.kernel import defaults, identity, options
from harness.request.settings import REPO, Settings
from harness.trees import tested
from harness.verdict import results
from harness.verdict.results import RunResult

_KEY = "key.json"
_UNIT = ".unit.json"
# Variables that change nothing in a result.
_NO_CHOICE = frozenset({"BUILD", "JOBS", "PLOTS", "MAP"})


class Journal:
    """The results that are there, by name. directory: where they, and files of theirs, are."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, name: str) -> dict[str, Any] | None:
        """What put() was given for that name, if all of it is there."""
        try:
            found = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("name") != name:
            return None
        unit = found.get("unit")
        return unit if isinstance(unit, dict) else None

    def put(self, name: str, unit: Mapping[str, Any]) -> None:
        """Keep what json.dump() can write, under a name."""
        archive.write_whole(self._path(name), json.dumps({"name": name, "unit": unit}))

    def run(self, name: str, do: Callable[[], RunResult]) -> RunResult:
        """A result from the run before, or that of do().

        A result is kept if it says something about the kernel: not one whose kernel could
        not be made, which may be the machine's fault, and not one that two boots disagree on.
        """
        known = self.known(name)
        if known:
            return known
        result = do()
        if is_worth_keeping(result):
            self.put(name, results.as_json(result))
        return result

    def known(self, name: str) -> RunResult | None:
        """A result from the run before, marked as such."""
        found = self.find(name)
        if found is None:
            return None
        try:
            result = results.from_json(found)
        except (KeyError, TypeError, ValueError):
            return None
        return replace(result, kept=len(result.cases))

    def count(self) -> int:
        """How many results there are."""
        return len(list(self.directory.glob(f"*{_UNIT}")))

    def _path(self, name: str) -> Path:
        return self.directory / f"{archive.key(name)}{_UNIT}"


class NoJournal(Journal):
    """One that keeps nothing, for a part of something larger that is kept as a whole."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def put(self, name: str, unit: Mapping[str, Any]) -> None:
        """Forget it."""


def is_worth_keeping(result: RunResult) -> bool:
    """Whether a result says something about the kernel, and not about the machine."""
    return result.has_kernel and not result.flaky


def key(wanted: Settings, command: str, given: Mapping[str, str], *programs: str) -> str:
    """What makes two runs the same: the command, the choice, all that is tested, the tools.

    given are the variables that the user set; programs: those besides the ones for arm64.
    Raises OSError.
    """
    line = defaults.with_defaults(options.take_apart(["run", "--arch=arm64"]), wanted)
    return archive.key(
        command,
        *(f"{name}={value}" for name, value in sorted(given.items()) if name not in _NO_CHOICE),
        tested.revision(wanted),
        *identity.of_build(line, REPO),
        *identity.of_boot(line, REPO),
        *map(identity.program, programs),
    )


@contextlib.contextmanager
def opened(directory: Path, command: str, name: str) -> Iterator[Journal]:
    """The journal of a command in a directory; name is what key() returned.

    If the block ends well, all is done, and the journal goes. Raises WorkTreeError if
    another run of the same command is at work.
    """
    with lock.alone(directory.with_suffix(".lock"), command):
        since = _since(directory, name)
        if since is None:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            record = {"key": name, "began": time.strftime("%Y-%m-%d %H:%M")}
            archive.write_whole(directory / _KEY, json.dumps(record))
        journal = Journal(directory)
        if since and journal.count():
            say(
                f"carrying on from the run of {since}, which was ended; results kept: {journal.count()}"
            )
        yield journal
        with signals.signals_held():
            # The key goes first: without it, what is left is nobody's.
            (directory / _KEY).unlink(missing_ok=True)
            shutil.rmtree(directory, ignore_errors=True)


def _since(directory: Path, name: str) -> str | None:
    """When the run began that left a journal of that name; None if there is none."""
    try:
        record = json.loads((directory / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("key") != name:
        return None
    return str(record.get("began"))
