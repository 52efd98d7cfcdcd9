# SPDX-License-Identifier: GPL-2.0
"""Misspelled and unknown variables are refused. Variables of other programs are not."""

import importlib
import os
import re
import subprocess
import tempfile
import unittest

from harness import cli
from harness.base.errors import UsageError
from harness.request import build_variables, variables
from harness.request.variables import TYPED, Command
from tests.unit import test_commands
from tests.world.fake import TOOLS

# Each command of altmap, by its name.
COMMANDS: dict[str, Command] = {
    name: importlib.import_module(f"harness.commands.{name}").COMMAND for name in cli.NAMES
}
CALLED = {command.name: command for command in COMMANDS.values()}
CALLED["make run"] = CALLED["kunit.py"]

# A variable in the text or a table of a document, as in ``PLOTS=DIR``, and those that a page
# shows as mistakes.
VARIABLE = re.compile(r"`([A-Z][A-Z_]+)=[^`\n]*`")
MISTAKES = {"FLAVOR"}

# Variables of CI systems, shells and other programs. None of them is meant for altmap.
STRANGERS: dict[str, str] = {
    # GitHub, GitLab, Jenkins, Travis, CircleCI, Buildkite, Azure, Debian's builders
    **{
        name: "1"
        for name in (
            "CI",
            "GITHUB_ACTIONS",
            "GITHUB_REF",
            "GITHUB_BASE_REF",
            "GITHUB_JOB",
            "GITHUB_SHA",
            "RUNNER_OS",
            "RUNNER_TEMP",
            "RUNNER_DEBUG",
            "GITLAB_CI",
            "CI_JOB_NAME",
            "CI_CONFIG_PATH",
            "CI_PIPELINE_SOURCE",
            "CI_PROJECT_DIR",
            "CI_NODE_INDEX",
            "CI_NODE_TOTAL",
            "CI_BUILDS_DIR",
            "BUILD_NUMBER",
            "BUILD_ID",
            "BUILD_URL",
            "BUILD_TAG",
            "JOB_NAME",
            "JOB_BASE_NAME",
            "WORKSPACE",
            "NODE_NAME",
            "EXECUTOR_NUMBER",
            "TRAVIS_BRANCH",
            "CIRCLE_JOB",
            "BUILDKITE_JOB_ID",
            "AGENT_NAME",
            "BUILD_SOURCEBRANCH",
            "SYSTEM_JOBID",
            "TF_BUILD",
            "DEB_BUILD_OPTIONS",
            "SOURCE_DATE_EPOCH",
        )
    },
    # shells and kernel builds
    "HOME": "/root",
    "PATH": "/bin",
    "SHELL": "/bin/sh",
    "LANG": "C",
    "TERM": "xterm",
    "PWD": "/",
    "ARCH": "arm64",
    "CROSS_COMPILE": "aarch64-linux-gnu-",
    "KCFLAGS": "-g",
    "LLVM": "1",
    "V": "1",
    "KCONFIG": "/etc/kernel/config",
    "KBUILD_OUTPUT": "/tmp/o",
    "KCONFIG_CONFIG": ".config",
    "PYTHON": "python3",
    "PYTHONPATH": "/x",
    "CCACHE_DIR": "/x",
    # names that resemble those of altmap, but mean something else
    "FLAVOR": "m1.small",
    "FLAVORS": "debug release",
    "flavor": "vanilla",
    "FLAVOUR_NAME": "stock",
    "CONFIG": "/etc/app.conf",
    "CONFIGS": "/etc/app.d",
    "config": "debug",
    "SOURCE": "/usr/src/x",
    "RESOURCES": "/x",
    "JOB": "check",
    "RUN": "7",
    "PART": "2",
    "PLOT": "x",
    "MAPS": "/maps",
    "BUILDS": "/builds",
    "build": "release",
    "base": "/srv",
    "series": "noble",
    "SERIE": "1",
    "BARRIER": "/x",
    "SHARDS": "4",
    "KERNEL_ARG": "quiet",
    "DONTO": "1",
    "SHORTS": "1",
}


def refusal(command: Command, typed: str = "", **environ: str) -> UsageError | None:
    """The error for an environment, or None. typed: the names on make's command line."""
    try:
        command.given({TYPED: typed, **environ})
    except UsageError as error:
        return error
    return None


class Refusals(unittest.TestCase):
    def assert_meant(self, name: str, typed: str, value: str, meant: str, in_shell: bool) -> None:
        """Check that the error for a typed variable names the right one.

        in_shell: whether the variable is also refused in the environment.
        """
        error = refusal(CALLED[name], typed, **{typed: value})
        assert error, f"{name} {typed}={value} is not refused"
        self.assertIn(f"takes {meant}, not {typed}", error.cause)
        self.assertIn(f'{meant}="{value}"', error.next_step)
        self.assertEqual(in_shell, bool(refusal(CALLED[name], "", **{typed: value})))
        # If the right variable is set as well, the other one is not a mistake.
        both = {typed: value, meant: value}
        self.assertIsNone(refusal(CALLED[name], "", **both))

    def test_singular_and_plural(self) -> None:
        for name in ("make check", "make matrix", "make bench", "make e2e", "make map"):
            self.assert_meant(name, "CONFIG", "64k", "CONFIGS", True)
            self.assert_meant(name, "CONFIG", "64k-va42", "CONFIGS", True)
            self.assert_meant(name, "FLAVOUR", "stock", "FLAVOURS", True)
        for name in ("make run", "make soak"):
            self.assert_meant(name, "CONFIGS", "64k", "CONFIG", True)
            self.assert_meant(name, "FLAVOURS", "stock", "FLAVOUR", True)
        self.assert_meant("make matrix", "SHARDS", "4", "SHARD", False)
        self.assert_meant("make mutants", "MUTANT", "alloc-*", "MUTANTS", True)
        self.assert_meant("make arches", "ARCHE", "s390x", "ARCHES", False)
        self.assert_meant("make check", "JOB", "4", "JOBS", False)

    def test_american_spelling(self) -> None:
        self.assert_meant("make run", "FLAVOR", "stock", "FLAVOUR", True)
        self.assert_meant("make tree", "FLAVOR", "stock", "FLAVOUR", True)
        self.assert_meant("make matrix", "FLAVORS", "stock fixed", "FLAVOURS", True)
        self.assert_meant("make check", "FLAVOR", "stock", "FLAVOURS", True)

    def test_wrong_case(self) -> None:
        self.assert_meant("make run", "flavour", "stock", "FLAVOUR", True)
        self.assert_meant("make run", "Config", "64k", "CONFIG", True)
        self.assert_meant("make run", "ksrc", "/x", "KSRC", False)

    def test_one_letter(self) -> None:
        for name in ("FLAVUOR", "FLAVOURE", "FLAVOR", "FLAVPUR", "LAVOUR"):
            self.assert_meant("make run", name, "stock", "FLAVOUR", True)
        self.assert_meant("make e2e", "SCENARIOES", "ram-*", "SCENARIOS", True)
        self.assert_meant("make revision", "TIP_CONFIG", "4k", "TIP_CONFIGS", True)
        self.assert_meant("make revision", "AGIANST", "v3.mbx", "AGAINST", True)
        # A short name resembles too many other names.
        for name in ("BASES", "BSE", "KSCR", "SHORTER"):
            self.assertIsNone(refusal(CALLED["make run"], "", **{name: "x"}))

    def test_a_variable_of_another_program(self) -> None:
        error = refusal(CALLED["make check"], "SHARD", SHARD="1/4")
        assert error
        self.assertEqual("make check does not take SHARD", error.cause)
        self.assertIn("takes ALL, BASE, BUILD, CONFIGS, FLAVOURS, JOBS, SOURCES", error.next_step)
        self.assertIsNone(refusal(CALLED["make check"], "", SHARD="1/4"))

    def test_an_unknown_variable(self) -> None:
        error = refusal(CALLED["make clean"], "BUILD FOO", FOO="1", BUILD="/x")
        assert error
        self.assertEqual("make clean has no variable FOO", error.cause)
        self.assertIn("make clean takes BUILD", error.next_step)

    def test_every_known_variable_is_read_or_refused(self) -> None:
        for name, command in CALLED.items():
            for variable in variables.VARIABLES:
                with self.subTest(f"{name} {variable.name}"):
                    refused = refusal(command, variable.name, **{variable.name: "1"})
                    self.assertEqual(variable.name not in command.reads, bool(refused))

    def test_variables_of_make_and_kbuild_are_accepted(self) -> None:
        names = (
            "KCFLAGS",
            "LLVM",
            "LLVM_IAS",
            "CC",
            "HOSTCC",
            "V",
            "W",
            "C",
            "ARCH",
            "PYTHON",
            "CROSS_COMPILE",
            "KBUILD_BUILD_USER",
            "SHELL",
            "MAKE",
            "LOCALVERSION",
        )
        for command in CALLED.values():
            self.assertIsNone(refusal(command, " ".join(names), **{name: "1" for name in names}))

    def test_an_empty_variable_counts_as_unset(self) -> None:
        self.assertIsNone(refusal(CALLED["make check"], "CONFIG FOO", CONFIG="", FOO="", FLAVOR=""))

    def test_variables_of_other_programs_are_not_refused(self) -> None:
        for name, command in CALLED.items():
            strangers = {n: v for n, v in STRANGERS.items() if n not in command.reads}
            with self.subTest(name):
                self.assertIsNone(refusal(command, "", **strangers))

    def test_a_program_sees_what_it_declares_and_nothing_else(self) -> None:
        found = CALLED["make check"].given(
            {"CONFIGS": "4k", "SHARD": "1/4", "BASE": "", "HOME": "/"}
        )
        self.assertEqual({"CONFIGS": "4k"}, found)


class Declarations(unittest.TestCase):
    def test_each_command_says_what_it_does(self) -> None:
        for name, command in COMMANDS.items():
            with self.subTest(name):
                self.assertTrue(command.summary)
                self.assertTrue(command.example.startswith(f"altmap {name}"))
                self.assertLessEqual({command.positional, *command.helps}, {"", *command.reads})

    def test_each_variable_has_a_reader(self) -> None:
        read = {name for command in COMMANDS.values() for name in command.reads}
        self.assertEqual({variable.name for variable in variables.VARIABLES}, read)

    def test_no_variable_of_altmap_reaches_the_kernel_build(self) -> None:
        for variable in variables.VARIABLES:
            self.assertIn(variable.name, variables.PRIVATE_VARIABLES)
            self.assertFalse(build_variables.BUILD_VARIABLES.fullmatch(variable.name))

    def test_documented_commands_are_accepted(self) -> None:
        calls = []
        for where, (before, target, after) in test_commands.found(test_commands.MAKE):
            calls.append((where, f"make {target}", before + after))
        for where, (before, program) in test_commands.found(test_commands.PROGRAM):
            if program.endswith("kunit.py"):
                calls.append((where, "make run", before))
        self.assertGreater(len(calls), 50)
        for where, name, text in calls:
            given = re.findall(r"([A-Z_]+)=(\S*)", text)
            if given and name in CALLED:
                with self.subTest(f"{where}: {name} {text}"):
                    typed = " ".join(variable for variable, _ in given)
                    self.assertIsNone(refusal(CALLED[name], typed, **dict(given)))

    def test_each_variable_is_documented(self) -> None:
        text = "\n".join(path.read_text(encoding="utf-8") for path in test_commands.documents())
        for variable in variables.VARIABLES:
            with self.subTest(variable.name):
                used = rf"\b{variable.name}\b|altmap [^`\n]*{variable.option}\b"
                self.assertTrue(re.search(used, text))

    def test_variables_in_the_documents_exist(self) -> None:
        known = {variable.name for variable in variables.VARIABLES}
        named = set()
        for where, (name,) in test_commands.found(VARIABLE):
            named.add(name)
            with self.subTest(f"{where}: {name}"):
                self.assertTrue(
                    name in known or name in MISTAKES or build_variables.is_of_build(name)
                )
        self.assertGreater(len(named & known), 15)


class Make(unittest.TestCase):
    """The Makefile tells altmap which variables are on its own command line."""

    def make(self, *args: str, **env: str) -> str:
        """Run make, which must fail before it creates a file. Return its error message."""
        with tempfile.TemporaryDirectory() as top:
            done = subprocess.run(
                ["make", *args],
                cwd=TOOLS.parents[2],
                text=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PATH": os.environ["PATH"], "BUILD": f"{top}/build", **env},
            )
            self.assertEqual(2, done.returncode, done.stderr)
            self.assertEqual([], os.listdir(top))
        return done.stderr

    def test_variables_on_the_command_line_are_refused(self) -> None:
        self.assertIn("takes CONFIGS, not CONFIG", self.make("check", "CONFIG=64k"))
        self.assertIn("takes FLAVOUR, not FLAVOR", self.make("-j2", "run", "FLAVOR=vanilla"))
        self.assertIn("has no variable NAME", self.make("tree", "NAME=a b", "FLAVOUR=vanilla"))

    def test_variables_in_the_environment_are_not_refused(self) -> None:
        self.assertIn("SHARD=0", self.make("matrix", "SHARD=0", FOO="1", SHARDS="4"))

    def test_variables_of_a_calling_make_are_not_refused(self) -> None:
        self.assertIn("SHARD=0", self.make("matrix", "FOO=1", "SHARD=0", MAKELEVEL="1"))


if __name__ == "__main__":
    unittest.main()
