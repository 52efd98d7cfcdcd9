# SPDX-License-Identifier: GPL-2.0
"""Messages and progress: what a terminal shows, and what a log file gets."""

import contextlib
import io
import tempfile
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from harness.base import console, progress


class Stream(io.StringIO):
    """Standard error that is a terminal or a file."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@contextlib.contextmanager
def stderr(is_terminal: bool, **env: str) -> Iterator[Stream]:
    """Record what is written to standard error."""
    stream = Stream(is_terminal)
    environ = mock.patch.dict("os.environ", {"TERM": "xterm", **env})
    with environ, mock.patch("sys.stderr", stream):
        yield stream


class Status(unittest.TestCase):
    def test_a_message_goes_above_the_status(self) -> None:
        with stderr(True) as seen:
            console.show_status("building: 7 s")
            console.say("hello")
            console.show_status("")
        self.assertEqual(
            "\r\x1b[Kbuilding: 7 s\r\x1b[Kkunit: hello\nbuilding: 7 s\r\x1b[K", seen.getvalue()
        )

    def test_a_file_gets_no_status(self) -> None:
        with stderr(False) as seen:
            console.show_status("building: 7 s")
            console.say("hello")
        self.assertEqual("kunit: hello\n", seen.getvalue())

    def test_colours_are_for_terminals(self) -> None:
        with stderr(True) as seen:
            self.assertEqual("\x1b[31;1mx\x1b[0m", console.paint("x", "red", seen))
        with stderr(True, NO_COLOR="1") as seen:
            self.assertEqual("x", console.paint("x", "red", seen))
        with stderr(False) as seen:
            self.assertEqual("x", console.paint("x", "red", seen))

    def test_quiet_and_verbose(self) -> None:
        self.addCleanup(console.set_level, 0)
        for level, words in ((-1, ""), (0, "kunit: say\n"), (1, "kunit: say\nkunit: details\n")):
            console.set_level(level)
            with stderr(False) as seen:
                console.say("say")
                console.say_details("details")
            self.assertEqual(words, seen.getvalue())


class Progress(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name)
        for name, value in (
            ("_SHORT", 0.05),
            ("_TERMINAL", 0.02),
            ("_LOG", 0.1),
            ("_records", None),
        ):
            patch = mock.patch.object(progress, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        progress.remember_in(self.top)

    def run_once(self, is_terminal: bool, seconds: float = 0.25) -> str:
        with stderr(is_terminal) as seen:
            with progress.activity("series-4k.build"):
                time.sleep(seconds)
        return seen.getvalue()

    def test_the_second_run_shows_the_expected_duration(self) -> None:
        self.assertNotIn("of about", self.run_once(True))
        self.assertRegex(self.run_once(True), r"\r\x1b\[Kseries-4k.build: 0 of about 0 s")

    def test_the_status_line_is_cleared(self) -> None:
        self.assertTrue(self.run_once(True).endswith("\r\x1b[K"))

    def test_a_log_gets_whole_lines(self) -> None:
        lines = self.run_once(False).splitlines()
        self.assertEqual({"kunit:   series-4k.build: 0 s so far"}, set(lines))
        self.assertLessEqual(len(lines), 2)

    def test_a_short_duration_is_not_recorded(self) -> None:
        self.run_once(False, seconds=0.0)
        self.assertEqual([], list(self.top.iterdir()))

    def test_the_duration_of_a_failure_is_not_recorded(self) -> None:
        with self.assertRaises(ValueError), progress.activity("x"):
            time.sleep(0.1)
            raise ValueError
        self.assertEqual([], list(self.top.iterdir()))

    def test_a_damaged_record_is_ignored(self) -> None:
        for text in ("", "[]", "{", '{"series-4k.build": "long"}'):
            (self.top / "durations.json").write_text(text)
            self.run_once(False, seconds=0.1)
            self.assertNotIn("long", (self.top / "durations.json").read_text())


if __name__ == "__main__":
    unittest.main()
