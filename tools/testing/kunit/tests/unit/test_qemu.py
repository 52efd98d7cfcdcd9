# SPDX-License-Identifier: GPL-2.0
"""How the run of a guest ends: by itself, by a failed case, by silence, or after a panic."""

import unittest

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

    def test_a_guest_with_a_lot_to_say_hangs(self) -> None:
        self.assertTrue(self.boot("while :; do echo; sleep 0.05; done", timeout=0.5).is_late)

    def test_a_guest_that_panicked_has_not_hung(self) -> None:
        ran = self.boot("echo 'Kernel panic - not syncing'; exec sleep 60")
        self.assertLess(ran.seconds, 30)
        self.assertEqual((False, False), (ran.is_late, ran.is_stopped))
