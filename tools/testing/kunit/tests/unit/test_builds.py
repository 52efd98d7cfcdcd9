# SPDX-License-Identifier: GPL-2.0
"""When make revision uses a stored result again, and when it builds and boots."""

import shutil
import tempfile
import unittest
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from harness.base import process
from harness.base.archive import Archive
from harness.base.errors import DiskSpaceError
from harness.kernel.finding import Status
from harness.kernel.kernel import require_healthy_machine
from harness.request.settings import Settings
from harness.revision import ending
from harness.revision.builds import Builds, Limits
from harness.revision.ending import Ending
from harness.trees.git import Git
from harness.trees.source import Base
from harness.trees.stack import Patch
from harness.trees.worktree import Stacked
from harness.verdict import remarks
from harness.verdict.results import CaseResult


class Kept(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="kunit-test-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.done: list[str] = []
        # How the fake kernel behaves: boot time, build log, whether it hangs or prints nothing.
        self.boot_seconds, self.build_log, self.hangs, self.is_silent = 0.0, "", False, False
        self.stacked = Stacked(Git(self.top), Base("commit", False), "tree")
        patches = ExitStack()
        self.addCleanup(patches.close)
        for where, stand_in in (
            ("harness.revision.builds.Builds.stack", lambda builds, patches: self.stacked),
            ("harness.revision.builds.Builds._bring", lambda builds, stacked: self.top),
            ("harness.revision.builds.Kernel", self.kernel),
            ("harness.revision.builds.Stopwatch", lambda: mock.Mock(seconds=self.boot_seconds)),
            ("harness.revision.builds.say", lambda words: None),
            ("harness.revision.builds.remarks.warnings", lambda *args: ("a warning",)),
            ("harness.revision.builds.remarks.checkpatch", self.checkpatch),
        ):
            patches.enter_context(mock.patch(where, stand_in))

    def builds(self) -> Builds:
        return Builds(Settings("stock", "4k", "6.12", self.top), Archive(self.top / "kept"))

    def kernel(self, _tree: Path, _wanted: Settings, part: Path, _name: str) -> mock.Mock:
        (part / "build.log").write_text(self.build_log)

        def build(_limit: float) -> Any:
            if self.hangs:
                raise process.TimedOut("make: not done", "see the log")
            require_healthy_machine(self.build_log)
            return CaseResult("build", Status.FAILED) if self.build_log else None

        def boot(limit: int) -> None:
            self.done.append(f"boot {limit}")
            said = "" if self.is_silent else f"console of boot {len(self.done)}"
            (part / "kernel.console.log").write_text(said)

        return mock.Mock(
            build=build,
            boot=boot,
            log=lambda what: part / f"{'kernel.' if what == 'console' else ''}{what}.log",
        )

    def checkpatch(self, _tree: Path, _patch: Path) -> Any:
        self.done.append("checkpatch")
        return ()

    def calls(self, limit: int) -> list[str]:
        self.done.clear()
        self.builds().begin((), "4k", Limits(boot=limit))()
        return list(self.done)

    def test_a_guest_that_reached_its_limit_is_booted_with_a_higher_one(self) -> None:
        self.boot_seconds = 60.5
        self.assertEqual(["boot 60"], self.calls(60))
        self.assertEqual([], self.calls(60))
        self.assertEqual([], self.calls(50))
        self.assertEqual(["boot 90"], self.calls(90))
        # The guest ended within 90 s, so a larger limit would change nothing.
        self.assertEqual([], self.calls(500))

    def test_another_tree_is_another_kernel(self) -> None:
        self.assertEqual(["boot 60"], self.calls(60))
        self.stacked = Stacked(Git(self.top), Base("another commit", False), "tree")
        self.assertEqual([], self.calls(60))
        self.stacked = Stacked(Git(self.top), Base("commit", False), "another tree")
        self.assertEqual(["boot 60"], self.calls(60))

    def test_a_full_disk_leaves_no_result(self) -> None:
        self.build_log = "as: /tmp/x.s: No space left on device"
        with self.assertRaises(DiskSpaceError):
            self.builds().warnings((), "4k", ["mm/x.c"], Limits())
        self.build_log = ""
        self.assertEqual(("a warning",), self.builds().warnings((), "4k", ["mm/x.c"], Limits()))

    def test_a_build_that_hangs_is_not_stored(self) -> None:
        """A hang may be due to a busy machine, so it says nothing about the tree."""
        self.hangs = True
        self.assertIs(Ending.BUILD_HUNG, self.builds().begin((), "4k", Limits())().ending)
        self.hangs = False
        self.assertIs(Ending.RAN, self.builds().begin((), "4k", Limits())().ending)

    def test_a_second_boot_is_stored_beside_the_first(self) -> None:
        run = self.builds().begin((), "4k", Limits(boot=9))()
        self.assertIsNone(run.again)
        run = self.builds().repeat((), "4k", Limits(boot=9), run)
        self.assertEqual(["boot 9", "boot 9"], self.done)
        self.assertEqual("console of boot 2", run.again)
        known = self.builds().begin((), "4k", Limits(boot=9))()
        self.assertEqual(("console of boot 1", "console of boot 2"), (known.console, known.again))
        self.assertIs(known, self.builds().repeat((), "4k", Limits(boot=9), known))

    def test_a_second_boot_without_output_counts_as_a_boot(self) -> None:
        builds = self.builds()
        run = builds.begin((), "4k", Limits())()
        self.is_silent = True
        self.assertEqual("", builds.repeat((), "4k", Limits(), run).again)
        known = self.builds().begin((), "4k", Limits())()
        self.assertEqual("", known.again)
        self.assertIs(known, self.builds().repeat((), "4k", Limits(), known))

    def test_a_stored_result_can_be_replaced(self) -> None:
        run = self.builds().begin((), "4k", Limits())()
        self.builds().repeat((), "4k", Limits(), run)
        builds = self.builds()
        run = builds.begin((), "4k", Limits(), anew=True)()
        self.assertEqual(("console of boot 3", None, False), (run.console, run.again, run.is_kept))
        # The new result replaces the stored one.
        self.assertEqual("console of boot 3", builds.begin((), "4k", Limits())().console)

    def test_a_result_that_is_booted_again_is_of_this_run(self) -> None:
        self.builds().begin((), "4k", Limits())()
        builds = self.builds()
        run = builds.begin((), "4k", Limits())()
        self.assertTrue(run.is_kept)
        self.assertFalse(builds.repeat((), "4k", Limits(), run).is_kept)
        self.assertFalse(builds.begin((), "4k", Limits())().is_kept)
        self.assertTrue(self.builds().begin((), "4k", Limits())().is_kept)

    def test_why_a_build_failed(self) -> None:
        suite = "../mm/tests/x_kunit.c:9:2: error: too few arguments\n"
        link = "ld: mm/tests/x_kunit.o: in function `f':(.text+0x1): undefined reference to `g'\n"
        code = "../mm/memory.c:7:3: error: 'x' undeclared\n"
        for log, expected in (
            (suite, Ending.SUITES_STALE),
            (link, Ending.SUITES_STALE),
            (suite + link, Ending.SUITES_STALE),
            (code, Ending.BUILD_FAILED),
            (suite + code, Ending.BUILD_FAILED),
            ("", Ending.BUILD_FAILED),
        ):
            self.assertIs(expected, ending.read_failure(log)[0], log)

    def test_checkpatch_runs_again_if_settings_or_tree_change(self) -> None:
        patch = Patch(Path("x.patch"), b"a patch")

        def asks() -> bool:
            self.done.clear()
            self.builds().checkpatch(patch)
            return bool(self.done)

        self.assertTrue(asks())
        self.assertFalse(asks())
        settings: dict[str, str] = {"HOME": str(self.top)}
        (self.top / ".checkpatch.conf").write_text("--max-line-length=80\n")
        with mock.patch.dict("os.environ", settings):
            self.assertTrue(asks())
            self.assertFalse(asks())
            self.assertEqual("--max-line-length=80\n", remarks.checkpatch_settings())
        # checkpatch looks up names and maintainers in the tree.
        self.stacked = Stacked(Git(self.top), Base("commit", False), "another tree")
        self.assertTrue(asks())


if __name__ == "__main__":
    unittest.main()
