# SPDX-License-Identifier: GPL-2.0
"""The command line of altmap: options, variables, --help, --list and completion."""

import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Mapping
from unittest import mock

from harness import cli
from harness.base.errors import UsageError
from harness.commands import check, revision, run
from tests.unit import test_commands
from tests.world.fake import TOOLS

# A call in the documents, without the path of the program.
ALTMAP = re.compile(r"(?:^\t|`)(?:\./tools/testing/kunit/)?(altmap [a-z0-9]+\b[^`\n]*)", re.M)
COMMANDS = {name: importlib.import_module(f"harness.commands.{name}") for name in cli.NAMES}


class Options(unittest.TestCase):
    def given(self, module: object, *argv: str, **environ: str) -> Mapping[str, str]:
        """Run a command with these arguments. Return what its main function receives."""
        with mock.patch.object(module, "main", return_value=7) as main:
            self.assertEqual(7, cli.main(list(argv), environ))
        found: Mapping[str, str] = main.call_args[0][0]
        return found

    def test_an_option_is_a_variable(self) -> None:
        found = self.given(
            check, "check", "--configs", "4k,64k", "--flavours=stock fixed", "--jobs", "3"
        )
        self.assertEqual({"CONFIGS": "4k 64k", "FLAVOURS": "stock fixed", "JOBS": "3"}, found)

    def test_an_option_overrides_a_variable(self) -> None:
        found = self.given(check, "check", "--configs=4k", CONFIGS="64k", FLAVOURS="stock")
        self.assertEqual({"CONFIGS": "4k", "FLAVOURS": "stock"}, found)

    def test_the_series_needs_no_option(self) -> None:
        found = self.given(revision, "revision", "v4.mbx", "--against", "v3.mbx", "--tip-only")
        self.assertEqual({"SERIES": "v4.mbx", "AGAINST": "v3.mbx", "TIP_ONLY": "1"}, found)

    def test_run_passes_on_unknown_options(self) -> None:
        with mock.patch.object(run, "main", return_value=0) as main:
            cli.main(["run", "--config=64k", "--raw_output", "arm64_*", "--qemu_args=-s"], {})
        self.assertEqual(
            ({"CONFIG": "64k"}, ["--raw_output", "arm64_*", "--qemu_args=-s"]), main.call_args[0]
        )

    def test_gdb_builds_its_own_kernel_in_the_tree(self) -> None:
        """The build directory is in the prepared tree, not in the current directory."""
        with mock.patch("harness.kernel.frontend.main", return_value=0) as main:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                cli.main(["run", "--gdb", "--config=64k", "--build=/b", "arm64_*"], {})
        argv, environ = main.call_args[0]
        self.assertIn("--build_dir=/b/linux-6.12/series/.kunit-64k-gdb", argv)
        self.assertIn("--qemu_args=-s -S", argv)
        self.assertEqual("arm64_*", argv[-1])
        self.assertEqual({"CONFIG": "64k", "BUILD": "/b"}, environ)
        self.assertIn("/b/linux-6.12/series/.kunit-64k-gdb/vmlinux", said.getvalue())

    def test_mistakes(self) -> None:
        mistakes: list[list[str]] = [["chek"], ["check", "64k"], ["check", "--flavor=x"], []]
        for argv in mistakes:
            with self.subTest(argv), self.assertRaises(UsageError) as caught:
                cli.main(argv, {})
            self.assertIn("--help", caught.exception.next_step)

    def test_documented_calls_are_accepted(self) -> None:
        calls = [(where, groups[0]) for where, groups in test_commands.found(ALTMAP)]
        self.assertGreater(len(calls), 15)
        calls += [(name, COMMANDS[name].COMMAND.example) for name in cli.NAMES]
        for where, call in calls:
            argv = shlex.split(call)[1:]
            module = COMMANDS[argv[0]]
            with self.subTest(f"{where}: {call}"), contextlib.ExitStack() as stack:
                stack.enter_context(mock.patch.object(module, "main", return_value=7))
                stack.enter_context(
                    mock.patch.object(module, "listed", return_value=(), create=True)
                )
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
                if "--help" in argv:
                    stack.enter_context(self.assertRaises(SystemExit))
                self.assertEqual(0 if "--list" in argv else 7, cli.main(argv, {}))

    def test_lists(self) -> None:
        for words_given, words in (
            (["e2e"], "ram-spent "),
            (["matrix", "--configs=64k-va42"], "series 64k-va42 max"),
            (["check"], "stock     64k\n"),
            (["matrix", "--shard=1/99"], "series 4k-va39 max\n"),
            (["arches"], "powerpc"),
            (["mutants"], "alloc-"),
        ):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(0, cli.main([*words_given, "--list"], {}))
            self.assertIn(words, said.getvalue())

    def test_a_list_of_an_unknown_name(self) -> None:
        for words in (["e2e", "nothing"], ["e2e", "--configs=5k"], ["arches", "vax"]):
            with self.subTest(words), self.assertRaises(UsageError):
                cli.main([*words, "--list"], {})

    def test_each_help_has_an_example(self) -> None:
        for name in cli.NAMES:
            with self.subTest(name), contextlib.redirect_stdout(io.StringIO()) as said:
                with self.assertRaises(SystemExit) as ended:
                    cli.main([name, "--help"], {})
            self.assertEqual(0, ended.exception.code)
            self.assertIn(f"example:\n  altmap {name}", said.getvalue())


class Completion(unittest.TestCase):
    def complete(self, line: str) -> set[str]:
        """The completions of a line, requested in the way argcomplete does it."""
        with tempfile.NamedTemporaryFile() as answer:
            env = {
                **os.environ,
                "_ARGCOMPLETE": "1",
                "COMP_LINE": line,
                "COMP_POINT": str(len(line)),
                "_ARGCOMPLETE_STDOUT_FILENAME": answer.name,
                "_ARGCOMPLETE_IFS": " ",
            }
            subprocess.run([sys.executable, str(TOOLS / "altmap")], env=env, check=True, timeout=60)
            return set(answer.read().decode().split())

    def test_commands_and_options(self) -> None:
        self.assertLessEqual({"revision", "report"}, self.complete("altmap re"))
        self.assertEqual({"--flavours"}, self.complete("altmap check --fl"))


if __name__ == "__main__":
    unittest.main()
