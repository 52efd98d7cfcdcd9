# SPDX-License-Identifier: GPL-2.0
"""How programs are started, and how what goes wrong reaches the user."""

import contextlib
import errno
import importlib
import io
import tempfile
import unittest
from pathlib import Path
from typing import List, Tuple, Type
from unittest import mock

import proc
from errors import ExitStatus, KunitError
from tests.fake import TOOLS


def every_error() -> List[Type[KunitError]]:
    """KunitError and each class below it, in whatever module."""
    for path in sorted(TOOLS.glob("*.py")):
        importlib.import_module(path.stem)
    found = [KunitError]
    for known in found:
        found += known.__subclasses__()
    return list(dict.fromkeys(found))


def guarded(error: BaseException) -> Tuple[int, str]:
    """The exit status and the message of a program whose main function raises error."""

    def main(_argv: List[str]) -> int:
        raise error

    # The tests keep their own ways with signals.
    held = mock.patch.object(proc, "catch_signals")
    with held, contextlib.redirect_stderr(io.StringIO()) as said:
        return proc.main_guard(main, []), said.getvalue()


class Messages(unittest.TestCase):
    def assert_message(self, error: BaseException, *words: str) -> int:
        """A cause and a next step come out, no traceback; return the status."""
        status, said = guarded(error)
        first, *_, last = said.splitlines()
        self.assertRegex(first, r"^error: \S")
        self.assertRegex(last, r"^next: \S")
        for word in words:
            self.assertIn(word, said)
        return status

    def test_every_error_of_ours(self) -> None:
        for kind in every_error():
            with self.subTest(kind.__name__):
                error = kind.__new__(kind)
                KunitError.__init__(error, "the cause", "the next step", "a tool's words")
                status = self.assert_message(error, "the cause", "the next step", "    a tool's words")
                self.assertEqual(int(kind.status), status)
                self.assertIn(status, (int(ExitStatus.ERROR), int(ExitStatus.CANNOT_BUILD)))

    def test_a_program_that_failed(self) -> None:
        error = proc.CommandFailed(["git", "frobnicate"], 7, "no such command")
        status = self.assert_message(error, "git frobnicate failed with status 7", "no such command")
        self.assertEqual(2, status)

    def test_a_program_that_took_too_long(self) -> None:
        with tempfile.TemporaryDirectory() as top:
            log = Path(top) / "log"
            with self.assertRaises(KunitError) as caught:
                proc.run_logged(["sleep", "60"], str(log), timeout=0.01)
        self.assertEqual(2, self.assert_message(caught.exception, "sleep 60", str(log)))

    def test_what_the_system_refuses(self) -> None:
        for number, advice in (
            (errno.ENOSPC, "make room"),
            (errno.EDQUOT, "make room"),
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

    def test_a_refusal_that_names_nothing(self) -> None:
        self.assert_message(OSError("odd"), "odd")
        self.assert_message(OSError(errno.ENOSPC, "No space left on device"), "No space left")


if __name__ == "__main__":
    unittest.main()
