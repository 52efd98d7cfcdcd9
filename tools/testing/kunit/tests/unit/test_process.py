# SPDX-License-Identifier: GPL-2.0
"""How programs are started, and what the user sees when one fails."""

import contextlib
import errno
import importlib
import io
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from harness.base import process, program, signals
from harness.base.errors import ExitStatus, KunitError
from tests.world.fake import TOOLS


def every_error() -> list[type[KunitError]]:
    """KunitError and all its subclasses, in any module."""
    for path in sorted(TOOLS.glob("harness/*/*.py")):
        importlib.import_module(".".join(path.relative_to(TOOLS).with_suffix("").parts))
    found = [KunitError]
    for known in found:
        found += known.__subclasses__()
    return list(dict.fromkeys(found))


def guarded(error: BaseException) -> tuple[int, str]:
    """The exit status and the message of a program whose main function raises error."""

    def main(_argv: list[str]) -> int:
        raise error

    # Do not replace the signal handlers of the test runner.
    held = mock.patch.object(signals, "catch_signals")
    with held, contextlib.redirect_stderr(io.StringIO()) as said:
        return program.main_guard(main, []), said.getvalue()


class Messages(unittest.TestCase):
    def assert_message(self, error: BaseException, *words: str) -> int:
        """The message must have a cause and a next step, and no traceback. Return the status."""
        status, said = guarded(error)
        first, *_, last = said.splitlines()
        self.assertRegex(first, r"^error: \S")
        self.assertRegex(last, r"^next: \S")
        for word in words:
            self.assertIn(word, said)
        return status

    def test_every_subclass_of_KunitError(self) -> None:
        for kind in every_error():
            with self.subTest(kind.__name__):
                error = kind.__new__(kind)
                KunitError.__init__(error, "the cause", "the next step", "a tool's words")
                status = self.assert_message(
                    error, "the cause", "the next step", "    a tool's words"
                )
                self.assertEqual(int(kind.status), status)
                self.assertIn(status, (int(ExitStatus.ERROR), int(ExitStatus.CANNOT_BUILD)))

    def test_a_program_that_failed(self) -> None:
        error = process.CommandFailed(["git", "frobnicate"], 7, "no such command")
        status = self.assert_message(
            error, "git frobnicate failed with status 7", "no such command"
        )
        self.assertEqual(2, status)

    def test_a_program_that_took_too_long(self) -> None:
        with tempfile.TemporaryDirectory() as top:
            log = Path(top) / "log"
            with self.assertRaises(KunitError) as caught:
                process.run_logged(["sleep", "60"], str(log), timeout=0.01)
        self.assertEqual(2, self.assert_message(caught.exception, "sleep 60", str(log)))

    def test_errors_of_the_operating_system(self) -> None:
        for number, advice in (
            (errno.ENOSPC, "free some space"),
            (errno.EDQUOT, "free some space"),
            (errno.EROFS, "BUILD=DIR"),
            (errno.EACCES, "ls -ld /some/file"),
            (errno.EPERM, "ls -ld /some/file"),
            (errno.ENOENT, "ls -ld /some"),
            (errno.EIO, "dmesg"),
            (errno.EXDEV, "/some/file"),
        ):
            with self.subTest(errno.errorcode[number]):
                error = OSError(number, "the system's words", "/some/file")
                said = self.assert_message(error, "/some/file: the system's words", advice)
                self.assertEqual(2, said)

    def test_an_operating_system_error_without_a_file(self) -> None:
        self.assert_message(OSError("odd"), "odd")
        self.assert_message(OSError(errno.ENOSPC, "No space left on device"), "No space left")


class Starting(unittest.TestCase):
    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = Path(top.name)

    def assert_refused(self, call: Callable[[], object], *words: str) -> None:
        with self.assertRaises(KunitError) as caught:
            call()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_a_program_that_is_missing(self) -> None:
        self.assert_refused(lambda: process.run(["no-such-program"]), "install no-such-program")
        self.assert_refused(
            lambda: process.run(["no-such-program"], cwd=str(self.top)), "install no-such-program"
        )

    def test_a_directory_that_is_missing(self) -> None:
        gone = self.top / "gone"
        with self.assertRaises(KunitError) as caught:
            process.run([sys.executable, "--version"], cwd=str(gone))
        self.assertIn(f"{gone}: No such file or directory", str(caught.exception))
        self.assertNotIn("install", str(caught.exception))

    def test_a_file_in_the_place_of_a_directory(self) -> None:
        plain = self.top / "plain"
        plain.touch()
        self.assert_refused(
            lambda: process.run([sys.executable, "--version"], cwd=str(plain)),
            f"{plain}: Not a directory",
        )

    def test_a_program_that_cannot_be_executed(self) -> None:
        script = self.top / "script"
        script.write_text("not for this machine")
        self.assert_refused(lambda: process.run([str(script)]), f"ls -ld {script}")
        script.chmod(0o755)
        self.assert_refused(lambda: process.run([str(script)]), str(script), "Exec format error")


if __name__ == "__main__":
    unittest.main()
