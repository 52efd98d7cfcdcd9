# SPDX-License-Identifier: GPL-2.0
"""Missing packages: root installs them, a user is asked or gets the command to type."""

import io
import shutil
import sys
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from harness.base import packages
from harness.base.errors import MissingToolError
from harness.base.packages import Requirement

ABSENT = Requirement("no-such-tool-anywhere", "no-such-package")
NICE = Requirement("no-such-nicety", "nicety", optional=True)


class Apt:
    """A fake apt-get that records its calls."""

    def __init__(self, *statuses: int) -> None:
        self.calls: list[list[str]] = []
        self._statuses = list(statuses)

    def __call__(self, argv: Sequence[str]) -> int:
        self.calls.append([a for a in argv if "=" not in a and a != "env"])
        return self._statuses.pop(0)


class Terminal(io.StringIO):
    """Standard input or output that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Ensure(unittest.TestCase):
    def setUp(self) -> None:
        self.lists = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.lists)
        (self.lists / "debian_Packages").touch()
        for target, replacement in (
            ("harness.base.packages.APT_LISTS", self.lists),
            ("harness.base.packages.say", mock.Mock()),
            ("harness.base.packages.shutil.which", self.which),
        ):
            patch = mock.patch(target, replacement)
            patch.start()
            self.addCleanup(patch.stop)
        self.commands = {"apt-get", "sudo"}

    def which(self, name: str) -> "str | None":
        return f"/usr/bin/{name}" if name in self.commands else None

    def ensure(self, apt: Apt, uid: int, *more: Requirement) -> None:
        def installing(argv: Sequence[str]) -> int:
            status = apt(argv)
            if status == 0 and "install" in argv:
                self.commands.add(ABSENT.proof)
            return status

        with mock.patch("harness.base.packages._apt", installing), mock.patch(
            "os.geteuid", lambda: uid
        ):
            packages.ensure([ABSENT, *more])

    def test_nothing_is_missing(self) -> None:
        self.commands.add(ABSENT.proof)
        apt = Apt()
        self.ensure(apt, 0, NICE)
        self.assertEqual([], apt.calls)

    def test_root_installs_at_once(self) -> None:
        apt = Apt(0)
        self.ensure(apt, 0, NICE)
        install = "apt-get install -y --no-install-recommends no-such-package nicety"
        self.assertEqual([install.split()], apt.calls)

    def test_empty_lists_are_updated_first(self) -> None:
        (self.lists / "debian_Packages").unlink()
        apt = Apt(0, 0)
        self.ensure(apt, 0)
        self.assertEqual(["update", "install"], [call[1] for call in apt.calls])

    def test_old_lists_are_updated(self) -> None:
        apt = Apt(100, 0, 0)
        self.ensure(apt, 0)
        self.assertEqual(["install", "update", "install"], [call[1] for call in apt.calls])

    def test_an_installation_that_fails(self) -> None:
        with self.assertRaisesRegex(MissingToolError, "could not install no-such-package"):
            self.ensure(Apt(100, 0, 100), 0)

    def test_an_error_names_the_alternative(self) -> None:
        kernel = Requirement("/no/such/archive", "linux-source-9.9", otherwise="or wait")
        with self.assertRaises(MissingToolError) as caught:
            self.ensure(Apt(100, 0, 100), 0, kernel)
        self.assertTrue(str(caught.exception).endswith("linux-source-9.9, or wait"))

    def test_a_user_without_a_terminal_gets_the_command(self) -> None:
        with mock.patch.object(sys, "stdin", io.StringIO()):
            with self.assertRaises(MissingToolError) as caught:
                self.ensure(Apt(), 1000)
        self.assertEqual(
            "run: sudo apt-get install --no-install-recommends no-such-package",
            caught.exception.next_step,
        )

    def answer(self, text: str, apt: Apt) -> None:
        with mock.patch.object(sys, "stdin", Terminal(text)):
            with mock.patch.object(sys, "stderr", Terminal()):
                self.ensure(apt, 1000)

    def test_a_user_who_agrees(self) -> None:
        apt = Apt(0)
        self.answer("y\n", apt)
        self.assertEqual(["sudo", "apt-get"], apt.calls[0][:2])

    def test_a_user_who_does_not(self) -> None:
        apt = Apt()
        with self.assertRaises(MissingToolError):
            self.answer("n\n", apt)
        self.assertEqual([], apt.calls)

    def test_no_apt_get(self) -> None:
        self.commands.remove("apt-get")
        with self.assertRaisesRegex(MissingToolError, "missing: no-such-tool-anywhere"):
            self.ensure(Apt(), 0)


class Arm64Host(unittest.TestCase):
    def test_no_cross_compiler_there(self) -> None:
        needed = packages.for_build(cross=False)
        self.assertNotIn(packages.CROSS_COMPILER, needed)
        self.assertIn(packages.CROSS_COMPILER, packages.for_build(cross=True))


if __name__ == "__main__":
    unittest.main()
