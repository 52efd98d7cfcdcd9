# SPDX-License-Identifier: GPL-2.0
"""Build and boot the states of a series in one work tree.

Results are stored by git tree and config, and used again when the same tree comes back.
Because there is only one work tree, each build is incremental.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.base import archive, process
from harness.base.archive import Archive
from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError
from harness.kernel import defaults, identity, options
from harness.kernel.kernel import BUILD_TIME, GUEST_TIME, Kernel, slowness
from harness.request.settings import Settings
from harness.revision.ending import Ending, read_failure
from harness.trees import checkout, worktree
from harness.trees.stack import Patch
from harness.trees.worktree import Stacked
from harness.verdict import remarks
from harness.verdict.remarks import Remark

NAME = "revision"
# The console of a second boot, beside that of the first.
_AGAIN = "kernel.console-2.log"
# Part of each key, so that records of another form are not found.
_FORM = "2"

# A build or a boot may take so many times what the base took, and in any case
# so many seconds: that build may have been an incremental one, and a patch to
# linux/mm.h is followed by a whole one.
FACTOR = 10
BUILD_FLOOR = 3600.0
BOOT_FLOOR = 120


@dataclass(frozen=True)
class Run:
    """The result of a state with a config. console is empty if it was not booted. again is the
    console of a second boot, or None."""

    config: str
    tree: str
    key: str
    ending: Ending
    build_seconds: float
    boot_seconds: float
    said: tuple[str, ...] = ()
    console: str = ""
    # Whether an earlier run of this program did it.
    is_kept: bool = False
    again: str | None = None


@dataclass(frozen=True)
class Limits:
    """The time limits of a build and a boot, in seconds."""

    build: float = BUILD_TIME
    boot: int = GUEST_TIME


def limits(base: Run | None) -> Limits:
    """The time limits of a state, derived from the time its base took."""
    if base is None or base.ending is not Ending.RAN:
        return Limits()
    return Limits(
        max(BUILD_FLOOR, FACTOR * base.build_seconds),
        max(BOOT_FLOOR, int(FACTOR * base.boot_seconds)),
    )


class Builds:
    """Builds and boots the states of a series on one base."""

    def __init__(self, wanted: Settings, kept: Archive) -> None:
        self._wanted = wanted
        self._kept = kept
        self._stacked: dict[tuple[bytes, ...], Stacked] = {}

    def stack(self, patches: Sequence[Patch]) -> Stacked:
        """Return the commit of a state. Raises PatchError."""
        key = tuple(patch.data for patch in patches)
        if key not in self._stacked:
            if patches:
                made = worktree.put_on(self._wanted, self.stack(()), patches)
            else:
                made = worktree.stack(self._wanted)
            self._stacked[key] = made
        return self._stacked[key]

    def begin(
        self, patches: Sequence[Patch], config: str, limit: Limits, anew: bool = False
    ) -> Callable[[], Run]:
        """Build a state and return a function that boots it.

        The caller may begin another config before it calls that function. A stored result is
        returned instead, unless anew is set. Raises KunitError if the machine is to blame.
        """
        stacked = self.stack(patches)
        name = self._key("run", stacked.tree, config, boots=True)
        found = None if anew else self._kept.find(name)
        if found and not (found["timed_out"] and found["boot_limit"] < _boot_limit(limit, config)):
            return functools.partial(self._read, name, found, config)
        return self._build(stacked, config, name, limit)

    def repeat(self, patches: Sequence[Patch], config: str, limit: Limits, run: Run) -> Run:
        """Boot a state a second time, unless the result of a second boot is stored.

        run is the result of the first boot. Raises KunitError.
        """
        if run.again is not None or run.ending is not Ending.RAN:
            return run
        stacked = self.stack(patches)
        tree, wanted = self._bring(stacked), replace(self._wanted, config=config)
        say(f"  not as expected: booting {config} once more ...")
        with self._kept.adding(f"{run.key}.again") as part:
            kernel = Kernel(tree, wanted, part, "kernel")
            failed = kernel.build(limit.build)
            if failed:
                raise CommandError(
                    f"what was built before cannot be built again: {failed.text}",
                    "see what has changed meanwhile; then try again",
                    "\n".join(failed.log),
                )
            self._boot(kernel, _boot_limit(limit, config))
            console = kernel.log("console").read_text(errors="backslashreplace")
            self._kept.extend(run.key, _AGAIN, console)
        return replace(run, again=console, is_kept=False)

    def warnings(
        self, patches: Sequence[Patch], config: str, files: Sequence[str], limit: Limits
    ) -> tuple[str, ...]:
        """Return the W=1 warnings for some files in a state that builds."""
        stacked = self.stack(patches)
        name = self._key("W=1", stacked.tree, config, *sorted(files), boots=False)

        def ask(part: Path) -> dict[str, Any]:
            tree, wanted = self._bring(stacked), replace(self._wanted, config=config)
            kernel = Kernel(tree, wanted, part, "kernel")
            try:
                if kernel.build(limit.build):
                    return {"warnings": []}
                log = part / "w1.log"
                said = remarks.warnings(tree, kernel.build_dir, wanted, files, log, limit.build)
            except process.TimedOut as error:
                advice = "see what keeps make W=1 busy; then try again"
                raise CommandError(error.cause, advice) from error
            return {"warnings": list(said)}

        return tuple(self._cached(name, ask)["warnings"])

    def checkpatch(self, patch: Patch) -> tuple[Remark, ...] | None:
        """Return the remarks of the base's checkpatch about a patch, or None without checkpatch.

        Checking out each state instead would make the next build recompile what it touches.
        """
        stacked = self.stack(())
        perl, settings = identity.program("perl"), remarks.checkpatch_settings()
        name = archive.key(_FORM, "checkpatch", stacked.tree, patch.data, perl, settings)

        def ask(part: Path) -> dict[str, Any]:
            tree = self._bring(stacked)
            path = part / "a.patch"
            path.write_bytes(patch.data)
            said = remarks.checkpatch(tree, path)
            known = said is not None
            rows = [[r.level, r.kind, r.text, r.line] for r in said or ()]
            return {"known": known, "remarks": rows}

        found = self._cached(name, ask)
        return tuple(Remark(*row) for row in found["remarks"]) if found["known"] else None

    def _cached(self, name: str, ask: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        found = self._kept.find(name)
        if found is None:
            with self._kept.adding(name) as part:
                found = ask(part)
                archive.write_record(part, found)
        return found

    def _bring(self, stacked: Stacked) -> Path:
        """Check out a state in the work tree. Raises WorkTreeError if there are local changes."""
        tree = worktree.show(self._wanted, NAME, stacked)
        checkout.require(tree, stacked.commit, "only patches are judged")
        return tree

    def _build(self, stacked: Stacked, config: str, name: str, limit: Limits) -> Callable[[], Run]:
        tree, wanted = self._bring(stacked), replace(self._wanted, config=config)
        record: dict[str, Any] = {"config": config, "tree": stacked.tree, "said": []}
        record.update(boot_seconds=0.0, timed_out=False, boot_limit=_boot_limit(limit, config))
        # Without a record nothing is kept of this; the log goes on to where the boot's will be.
        with self._kept.adding(f"{name}.build") as part:
            kernel = Kernel(tree, wanted, part, "kernel")
            say(f"  building {config} ...")
            watch = Stopwatch()
            try:
                failed = kernel.build(limit.build)
            except process.TimedOut as error:
                # Not kept: a busy machine is no property of a tree.
                hung = Run(
                    config,
                    stacked.tree,
                    name,
                    Ending.BUILD_HUNG,
                    watch.seconds,
                    0.0,
                    (error.cause,),
                )
                return lambda: hung
            log = _read_build_log(kernel)
        record["build_seconds"] = round(watch.seconds, 1)
        if failed:
            ending, said = read_failure(log)
            record.update(ending=ending.value, said=said)
        return functools.partial(self._finish, tree, wanted, name, record, log)

    def _finish(
        self, tree: Path, wanted: Settings, name: str, record: dict[str, Any], log: str
    ) -> Run:
        """Boot the kernel and store the result."""
        config = wanted.config
        with self._kept.adding(name) as part:
            kernel = Kernel(tree, wanted, part, "kernel")
            kernel.log("build").write_text(log)
            if "ending" not in record:
                say(f"  built in {record['build_seconds']:.0f} s; booting {config} ...")
                record.update(self._boot(kernel, record["boot_limit"]))
            archive.write_record(part, record)
        return self._read(name, record, config)

    def _boot(self, kernel: Kernel, limit: int) -> dict[str, Any]:
        watch = Stopwatch()
        try:
            kernel.boot(limit)
        except process.TimedOut as error:
            raise CommandError(
                f"kunit.py did not end a guest that hung: {error.cause}",
                "see what keeps QEMU from ending; then try again",
            ) from error
        return {
            "ending": Ending.RAN.value,
            "boot_seconds": round(watch.seconds, 1),
            "timed_out": watch.seconds >= limit,
        }

    def _read(self, name: str, record: dict[str, Any], config: str) -> Run:
        console, again = (
            path.read_text(errors="backslashreplace") if path.exists() else None
            for path in (self._kept.path(name) / log for log in ("kernel.console.log", _AGAIN))
        )
        return Run(
            config,
            record["tree"],
            name,
            Ending(record["ending"]),
            record["build_seconds"],
            record["boot_seconds"],
            tuple(record["said"]),
            console or "",
            not self._kept.is_new(name),
            again,
        )

    def _key(self, what: str, git_tree: str, config: str, *more: str, boots: bool) -> str:
        wanted = replace(self._wanted, config=config)
        # All paths that are added to this line are absolute.
        given = options.parse(["run", f"--arch={wanted.arch}"])
        line, root = defaults.with_defaults(given, wanted), Path("/")
        parts = identity.of_build(line, root) + (identity.of_boot(line, root) if boots else ())
        return archive.key(_FORM, what, git_tree, config, *parts, *more)


def _read_build_log(kernel: Kernel) -> str:
    """The log of a build. There is none if a run that was interrupted had built the kernel."""
    path = kernel.log("build")
    return path.read_text(errors="replace") if path.exists() else "built by an earlier run\n"


def _boot_limit(limit: Limits, config: str) -> int:
    return limit.boot * slowness(config)
