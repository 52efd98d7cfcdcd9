# SPDX-License-Identifier: GPL-2.0
"""How the run of a guest ends: by itself, by a failed case, by silence, or after a panic."""

import os
import subprocess
import time
import unittest
import unittest.mock as mock

from harness.kernel import qemu


class Ends(unittest.TestCase):
    def boot(self, script: str, timeout: float = 60, silence: float = 60) -> qemu.Ran:
        return qemu.boot(["sh", "-c", script], timeout, silence, lambda line: line == "enough")

    def test_a_guest_that_ends(self) -> None:
        ran = self.boot("echo one; sleep 0.1; printf 'two\\r\\nthree'")
        self.assertEqual("one\ntwo\nthree", ran.console)
        self.assertEqual((False, False), (ran.is_late, ran.is_stopped))

    def test_a_guest_that_said_enough(self) -> None:
        ran = self.boot("printf eno; sleep 0.1; echo ugh; exec sleep 60")
        self.assertEqual(("enough\n", False, True), (ran.console, ran.is_late, ran.is_stopped))

    def test_a_silent_guest_hangs(self) -> None:
        self.assertTrue(self.boot("echo one; exec sleep 60", silence=0.2).is_late)

    def test_time_without_a_cpu_does_not_count(self) -> None:
        waits = iter((0.5, 1.0, 1.5, 0.0, 0.0))
        with mock.patch.object(qemu, "waited", lambda _: next(waits)):
            ran = self.boot("exec sleep 1.5", timeout=0.2)
        self.assertEqual((False, True), (ran.is_late, ran.seconds > 1))

    def test_a_process_that_waits_for_a_cpu(self) -> None:
        cpu = str(min(os.sched_getaffinity(0)))
        busy = ["taskset", "-c", cpu, "sh", "-c", "while :; do :; done"]
        with subprocess.Popen(busy) as one, subprocess.Popen(busy) as other:
            time.sleep(1)
            each = [qemu.waited(pid) for pid in (one.pid, other.pid)]
            one.kill()
            other.kill()
        self.assertGreater(sum(each), 0.5)
        self.assertEqual(0, qemu.waited(one.pid))

    def test_a_guest_with_a_lot_to_say_hangs(self) -> None:
        self.assertTrue(self.boot("while :; do echo; sleep 0.05; done", timeout=0.5).is_late)

    def test_a_guest_that_panicked_has_not_hung(self) -> None:
        ran = self.boot("echo 'Kernel panic - not syncing'; exec sleep 60")
        self.assertLess(ran.seconds, 30)
        self.assertEqual((False, False), (ran.is_late, ran.is_stopped))
