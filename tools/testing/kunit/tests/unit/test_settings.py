# SPDX-License-Identifier: GPL-2.0
"""The values of variables: how they are read, and which are refused."""

import contextlib
import io
import os
import sys
import tempfile
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from harness import cli
from harness.base.errors import KunitError, UsageError
from harness.kernel import frontend
from harness.request import settings
from tests.world.fake import TOOLS

MAKEFILE = (TOOLS.parents[2] / "Makefile").read_text(encoding="utf-8")


class Flavours(unittest.TestCase):
    """settings.FLAVOURS is the only list of flavours."""

    def test_the_help_of_kunit_py(self) -> None:
        self.assertIn(", ".join(settings.FLAVOURS), " ".join(frontend.OUR_HELP.split()))

    def test_the_error(self) -> None:
        with self.assertRaises(UsageError) as caught:
            settings.read({"FLAVOUR": "vanilla"})
        self.assertTrue(caught.exception.next_step.endswith(" ".join(settings.FLAVOURS)))


class Variables(unittest.TestCase):
    """An error names the variable that the user set."""

    def assert_names(self, variable: str, args: Sequence[str]) -> None:
        with self.subTest(args), contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                self.assertEqual(2, cli.main([*args], {}))
            except UsageError as error:
                print(error, file=sys.stderr)
        self.assertTrue(said.getvalue().startswith(f"error: {variable}="), said.getvalue())

    def test_the_plural_of_a_name(self) -> None:
        series = str(TOOLS.parents[2] / "patches/series")
        self.assert_names("FLAVOURS", ["matrix", "--flavours=vanilla"])
        self.assert_names("FLAVOURS", ["e2e", "--flavours=vanilla"])
        self.assert_names("FLAVOURS", ["bench", "--flavours=vanilla"])
        self.assert_names("FLAVOURS", ["map", "--flavours=vanilla"])
        self.assert_names("CONFIGS", ["map", "--configs=5k"])
        self.assert_names("CONFIGS", ["matrix", "--configs=4k-64k"])
        self.assert_names("CONFIGS", ["mutants", "--configs=5k"])
        self.assert_names("TIP_CONFIGS", ["revision", series, "--tip-configs=5k"])
        self.assert_names("ONTO", ["revision", series, "--onto=vanilla"])


class NoWork(unittest.TestCase):
    """A command that fails early or prints help does not use the disk or the network."""

    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = Path(top.name)
        self.build = self.top / "build"
        self.calls = self.top / "calls"
        for name in ("apt-get", "apt-cache"):
            path = self.top / name
            path.write_text(f'#!/bin/sh\necho "$0 $*" >>{self.calls}\n')
            path.chmod(0o755)
        patched = mock.patch.dict(os.environ, PATH=f"{self.top}:{os.environ['PATH']}")
        patched.start()
        self.addCleanup(patched.stop)

    def run_main(self, name: str, args: Sequence[str], env: Mapping[str, str]) -> int:
        """Call a program's main function with BASE=sid."""
        environ = {"BASE": "sid", "BUILD": str(self.build), **env}
        if name == "kunit":
            return frontend.main(list(args), environ)
        return cli.main([name, *args], environ)

    def assert_untouched(self) -> None:
        self.assertFalse(self.calls.exists(), "apt-get was called")
        self.assertFalse(self.build.exists(), "BUILD was made")

    def test_help(self) -> None:
        for args in ((), ("--help",), ("run", "--help")):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(0, self.run_main("kunit", args, {}))
            self.assertIn("FLAVOUR=NAME", said.getvalue())
            self.assert_untouched()

    def test_an_unknown_subcommand(self) -> None:
        with self.assertRaises(UsageError) as caught:
            self.run_main("kunit", ["rnu", "--arch=arm64"], {})
        self.assertIn("'rnu'", caught.exception.cause)
        self.assert_untouched()

    def test_clean(self) -> None:
        self.assertEqual(0, self.run_main("clean", (), {}))
        self.assert_untouched()

    def test_unknown_options(self) -> None:
        for name in cli.NAMES:
            if name != "run":
                with self.subTest(name), self.assertRaises(UsageError) as caught:
                    self.run_main(name, ["--flavuor=stock"], {})
                self.assertIn("--flavuor", caught.exception.cause)
                self.assert_untouched()

    def test_bad_values(self) -> None:
        series = str(TOOLS.parents[2] / "patches/series")
        cases: list[tuple[str, dict[str, str]]] = [
            ("kunit", {"CONFIG": "5k"}),
            ("kunit", {"FLAVOUR": "vanilla"}),
            ("kunit", {"JOBS": "many"}),
            ("tree", {"FLAVOUR": "vanilla"}),
            ("check", {"CONFIGS": "5k"}),
            ("check", {"FLAVOURS": "vanilla"}),
            ("matrix", {"CONFIGS": "5k"}),
            ("matrix", {"SHARD": "5/4"}),
            ("revision", {}),
            ("revision", {"SERIES": "no-such-file"}),
            ("revision", {"SERIES": series, "ONTO": "vanilla"}),
            ("revision", {"SERIES": series, "AGAINST": "no-such-file"}),
            ("bench", {"CONFIGS": "5k"}),
            ("arches", {"ARCHES": "vax"}),
            ("map", {"CONFIGS": "5k"}),
            ("map", {"CONFIGS": "4k-64k"}),
            ("map", {"MAP": "/nonexistent/map.svg"}),
            ("mutants", {"SAMPLE": "-5"}),
            ("mutants", {"SHARD": "3/2"}),
            ("mutants", {"ONTO": "fixed"}),
            ("mutants", {"SERIES": series, "MUTANTS": "alloc-*"}),
            ("revision", {"SERIES": series, "ALONE": "1", "TIP_ONLY": "1"}),
            ("revision", {"SERIES": series, "ALONE": "1", "AGAINST": series}),
            ("e2e", {"SCENARIOS": "ram-spent", "MUTANTS": "*"}),
            ("kunit", {"BASE": "6.1"}),
            ("soak", {"SOAK_SECONDS": "many"}),
            ("soak", {"CONFIG": "5k"}),
            ("coverage", {}),
            ("e2e", {"SCENARIOS": "nothing"}),
            ("e2e", {"CONFIGS": "5k"}),
        ]
        for name, env in cases:
            with self.subTest(f"{name} {env}"):
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    try:
                        status = self.run_main(name, ["run"] if name == "kunit" else [], env)
                    except KunitError as error:
                        status = int(error.status)
                        print(error, file=sys.stderr)
                self.assertEqual(2, status, said.getvalue())
                self.assertIn("error: ", said.getvalue())
                self.assert_untouched()

    def test_reading_settings_does_no_work(self) -> None:
        request = settings.read({"BASE": "sid", "BUILD": str(self.build)})
        self.assertEqual(("sid", "", ""), (request.debian_suite, request.base, request.flavour))
        self.assert_untouched()


if __name__ == "__main__":
    unittest.main()
