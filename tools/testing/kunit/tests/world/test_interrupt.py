# SPDX-License-Identifier: GPL-2.0
"""Ctrl-C in each phase ends all processes, and the next run succeeds."""

import os
import signal
import unittest

from tests.world.fake import World, patch


class Interruptible(World):
    def assert_interruptible(self, *args: str, signum: int = signal.SIGINT, **env: str) -> None:
        child = self.start("kunit.py", *args, env=env)
        pids = self.wait_for_hang(child)
        ran = self.interrupt(child, signum)
        self.assertEqual(128 + signum, ran.status, ran.stderr)
        self.assertTrue(ran.stderr.endswith("interrupted\n"), ran.stderr)
        self.assert_gone(pids)

    def assert_next_run_succeeds(self) -> None:
        ran = self.front_end("run")
        self.assertEqual(0, ran.status, ran.stderr)
        tree = self.build / "linux-6.12/series"
        self.assertEqual("", self.git(tree, "status", "--short"))
        self.assertIn("int two;", (tree / "arch/arm64/mm/mmu.c").read_text())


class WhilePreparing(Interruptible):
    is_prepared = False

    def test_while_unpacking(self) -> None:
        self.hanging("xz", "*decompress*")
        self.assert_interruptible("run")
        self.healthy("xz")
        self.assert_next_run_succeeds()

    def test_while_importing(self) -> None:
        self.hanging("git", "*fast-import*")
        self.assert_interruptible("run")
        self.healthy("git")
        self.assert_next_run_succeeds()

    def test_while_applying(self) -> None:
        self.hanging("git", "*apply\\ --cached*")
        self.assert_interruptible("run")
        self.healthy("git")
        self.assert_next_run_succeeds()

    def test_while_writing_the_tree(self) -> None:
        half = f"/bin/mkdir -p {self.build}/linux-6.12/series"
        self.hanging("git", "*worktree\\ add*", half)
        self.assert_interruptible("run")
        self.healthy("git")
        self.assert_next_run_succeeds()

    def test_while_waiting_for_another(self) -> None:
        self.hanging("git", "*fast-import*")
        first = self.start("tree")
        self.wait_for_hang(first)
        second = self.start("tree")
        assert second.stderr
        self.assertIn("waiting", second.stderr.readline())
        self.assertEqual(130, self.interrupt(second).status)
        self.interrupt(first)


class InAPreparedTree(Interruptible):
    def test_while_moving_the_tree(self) -> None:
        self.make_tree()
        better = patch("arch/arm64/mm/mmu.c", "mmu", 20, "int two; int better;")
        self.write("patches/series/0002-two.patch", better)
        self.hanging("git", "*read-tree\\ -m\\ -u*")
        self.assert_interruptible("run")
        self.healthy("git")
        self.assert_next_run_succeeds()

    def test_while_building(self) -> None:
        self.assert_interruptible("run", FAKE_TOOL="build hangs")
        self.assert_next_run_succeeds()

    def test_while_the_guest_runs(self) -> None:
        self.assert_interruptible("run", FAKE_TOOL="guest hangs")
        self.assert_next_run_succeeds()

    def test_the_same_with_sigterm(self) -> None:
        self.assert_interruptible("run", signum=signal.SIGTERM, FAKE_TOOL="guest hangs")

    def test_a_guest_ends_if_the_kernels_tool_is_killed(self) -> None:
        """If the kernel's kunit.py is killed, its guest ends as well."""
        child = self.start("kunit.py", "run", env={"FAKE_TOOL": "guest hangs"})
        tool, guest = self.wait_for_hang(child)
        os.kill(tool, signal.SIGKILL)
        self.assertNotEqual(0, self.finish(child).status)
        self.assert_gone([guest])


if __name__ == "__main__":
    unittest.main()
