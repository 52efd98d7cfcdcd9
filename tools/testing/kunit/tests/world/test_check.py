# SPDX-License-Identifier: GPL-2.0
"""make check, make soak and make clean, end to end in a fake world."""

import json
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from harness.base.errors import CommandError, DiskSpaceError, UsageError
from harness.commands import check
from harness.kernel import kernel
from harness.kernel.finding import Finding, Kind, Status
from harness.verdict import judge
from harness.verdict.results import CaseResult, RunResult, summary
from tests.unit.test_judge import CASES
from tests.world.fake import DATA, Ran, World


class Check(World):
    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in ("baseline", "stock", "skips"):
            self.write(f"tools/testing/kunit/data/expected/{name}", "")
        self.compiles_for_riscv()

    def check(self, log: str = "pass", **env: str) -> Ran:
        return self.program("check", FAKE_CONSOLE=str(DATA / f"{log}.log"), **env)

    def last_line(self, ran: Ran) -> str:
        return ran.stdout.splitlines()[-1]

    def test_everything_passes(self) -> None:
        ran = self.check(FLAVOURS="fixed stock")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        # Two host tests, mypy, and four runs of five cases.
        self.assertEqual("23 passed, 0 failed", self.last_line(ran))
        self.assertTrue(all(len(line) <= 78 for line in ran.stdout.splitlines()), ran.stdout)

    def test_baseline_must_fail(self) -> None:
        self.write(
            "tools/testing/kunit/data/expected/baseline", "vmemmap_basepages.maps_altmap_pages\n"
        )
        ran = self.check("failure", FLAVOURS="baseline")
        self.assertEqual(0, ran.status, ran.stdout)
        ran = self.check("pass", FLAVOURS="baseline")
        self.assertEqual(1, ran.status)
        self.assertIn("maps_altmap_pages", ran.stdout)
        self.assertEqual("11 passed, 2 failed", self.last_line(ran))

    def test_every_run_is_reported(self) -> None:
        ran = self.check("panic", FLAVOURS="fixed")
        self.assertEqual(1, ran.status)
        runs = json.loads((self.build / "results/check.json").read_text())["runs"]
        deaths = [
            run["name"]
            for run in runs
            for case in run["cases"]
            if case["finding"] and case["finding"]["kind"] == Kind.PANIC.value
        ]
        self.assertEqual(["fixed 4k", "fixed 64k"], deaths)
        self.assertLess(ran.stdout.index("Kernel panic"), ran.stdout.index("passed  failed"))

    def test_a_build_that_fails(self) -> None:
        ran = self.check(FLAVOURS="fixed", CONFIGS="4k", FAKE_TOOL="build fails")
        self.assertEqual(1, ran.status)
        self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stdout)
        self.assertIn("fixed-4k.build.log", ran.stdout + ran.stderr)
        self.assertEqual("3 passed, 1 failed", self.last_line(ran))

    def test_a_patch_that_does_not_apply(self) -> None:
        self.write("patches/baseline/0001-baseline.patch", "TODO\n")
        ran = self.check(CONFIGS="4k", FLAVOURS="baseline stock")
        self.assertEqual("8 passed, 1 failed", self.last_line(ran))
        self.assertIn("0001-baseline.patch does not look like", ran.stdout)

    def test_host_tests(self) -> None:
        """The real pytest runs three tests: one passes, one fails, one is skipped."""
        self.write("tools/testing/kunit/tests/__init__.py", "")
        self.write(
            "tools/testing/kunit/tests/test_it.py",
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
            "    def test_b(self): self.assertEqual(1, 2)\n"
            "    def test_c(self): self.skipTest('lazy')\n",
        )
        self.healthy("pytest-3")
        ran = self.check(CONFIGS="4k", FLAVOURS="fixed")
        self.assertEqual("7 passed, 2 failed", self.last_line(ran), ran.stderr)
        self.assertIn("AssertionError: 1 != 2", ran.stdout)

    def test_no_results_are_not_a_pass(self) -> None:
        """The clone has no fast mutant and no scenario, so both rows are empty."""
        ran = self.check(CONFIGS="4k", FLAVOURS="series")
        self.assertEqual(1, ran.status)
        self.assertEqual("9 passed, 2 failed", self.last_line(ran))

    def test_type_errors(self) -> None:
        self.tool("mypy", "echo 'tree.py:1: error: bad'; exit 1")
        ran = self.check(CONFIGS="4k", FLAVOURS="fixed")
        self.assertEqual(1, ran.status)
        self.assertIn("tree.py:1: error: bad", ran.stdout)

    def test_results_for_machines(self) -> None:
        self.check("failure", CONFIGS="4k", FLAVOURS="fixed")
        results = self.build / "results"
        document = json.loads((results / "check.json").read_text())
        self.assertEqual((7, 1), (document["passed"], document["failed"]))
        suites = ElementTree.parse(results / "check.xml").getroot()
        failures = [s.get("failures") for s in suites]
        self.assertEqual(["0", "0", "1"], failures)
        self.assertTrue((results / "fixed-4k.console.log").exists())

    def test_an_old_log_is_not_judged(self) -> None:
        self.assertEqual(0, self.check(CONFIGS="4k", FLAVOURS="fixed").status)
        tool = self.build / "linux-6.12/fixed/tools/testing/kunit/kunit.py"
        tool.write_text("die('QEMU is gone') if $ARGV[0] eq 'exec';\n")
        ran = self.check(CONFIGS="4k", FLAVOURS="fixed")
        self.assertEqual(1, ran.status)
        self.assertIn("QEMU is gone", ran.stdout)

    def test_quick_runs(self) -> None:
        """Without a selection, three kernels are built."""
        self.assertEqual(
            [("series", "4k"), ("series", "64k"), ("baseline", "4k")], check.choose_runs({})
        )
        self.assertEqual(list(check.RUNS), check.choose_runs({"ALL": "1"}))
        self.assertEqual(
            [("stock", "64k")], check.choose_runs({"FLAVOURS": "stock", "CONFIGS": "64k"})
        )

    def test_smoke_test_of_the_guest_needs_all(self) -> None:
        for name, value in ("ALL", ""), ("ALL", "1"), ("FLAVOURS", "series"):
            ran = self.check(**{name: value})
            self.assertEqual(bool(value), "e2e, the smoke test" in ran.stdout, ran.stdout)
            self.assertIn("mutants, the fast ones", ran.stdout)

    def test_the_suites_are_compiled_for_another_architecture(self) -> None:
        ran = self.check(FLAVOURS="series", CONFIGS="4k")
        self.assertRegex(ran.stdout, r"riscv64, mm/tests/ +1 +0 ")
        self.compiles_for_riscv("echo mm/tests/a.c:7:3: error: no\nexit 2")
        ran = self.check(FLAVOURS="series", CONFIGS="4k")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("mm/tests/: does not compile", ran.stdout)
        for flavours in ("", "fixed"):
            self.assertNotIn("riscv64", self.check(FLAVOURS=flavours).stdout)

    def test_unknown_names(self) -> None:
        self.assert_error(self.check(CONFIGS="5k"), 2, "5k", "16k 4k 4k-debug 64k")
        self.assert_error(self.check(FLAVOURS="vanilla"), 2, "vanilla")
        self.assert_error(self.check(FLAVOURS="stock", CONFIGS="16k"), 2, "select no run")
        self.assert_error(self.check(KSRC=str(self.top)), 2, "not KSRC")

    def test_ctrl_c(self) -> None:
        env = {"CONFIGS": "4k", "FLAVOURS": "fixed", "FAKE_TOOL": "guest hangs"}
        child = self.start("check", env=env)
        pids = self.wait_for_hang(child)
        self.assertEqual(130, self.interrupt(child).status)
        self.assert_gone(pids)


class Soak(World):
    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))

    def soak(self, log: str, seconds: str = "1") -> Ran:
        console = str(DATA / f"{log}.log")
        return self.program("soak", FAKE_CONSOLE=console, SOAK_SECONDS=seconds)

    def test_sequences_that_pass(self) -> None:
        ran = self.soak("soak")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"[1-9]\d* sequences of 10000 steps on series 4k, none failed")

    def test_a_failed_sequence_is_reported_with_its_seed(self) -> None:
        ran = self.soak("panic")
        self.assertEqual(1, ran.status)
        self.assertRegex(ran.stdout, r"series 4k: seed \d+: .*Kernel panic")

    def test_seconds_is_not_a_number(self) -> None:
        self.assert_error(self.soak("soak", "soon"), 2, "SOAK_SECONDS=soon")


class Clean(World):
    def test_clean_removes_the_build_directory(self) -> None:
        self.make_tree()
        self.make_tree(FLAVOUR="stock")
        self.assertEqual(0, self.program("clean").status)
        self.assertFalse(self.build.exists())
        self.assertEqual(0, self.program("clean").status)

    def test_clean_refuses_a_foreign_directory(self) -> None:
        home = self.top / "home"
        home.mkdir()
        (home / "thesis.tex").write_text("years of work\n")
        self.assert_error(self.program("clean", BUILD=str(home)), 2, "was not created here")
        self.assertTrue((home / "thesis.tex").exists())

    def test_clean_refuses_if_the_user_changed_a_tree(self) -> None:
        tree = self.make_tree()
        (tree / "mm/memory.c").write_text("mine\n")
        self.assert_error(self.program("clean"), 2, "changes or commits of yours")
        self.git(tree, "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "-qam", "mine")
        self.assert_error(self.program("clean"), 2, "changes or commits of yours")
        self.git(tree, "reset", "-q", "--hard", "HEAD~1")
        self.assertEqual(0, self.program("clean").status)


class Summary(unittest.TestCase):
    def test_long_lines_are_cut(self) -> None:
        finding = Finding(Kind.FAILED, "s.c failed " + "x" * 100, ("y" * 100,))
        case = CaseResult("s.c", Status.FAILED, finding)
        text = summary([RunResult("series 4k", (case,), 1.0)], "heading")
        self.assertTrue(all(len(line) <= 78 for line in text.splitlines()))
        self.assertTrue(text.endswith("\n0 passed, 1 failed"))

    def test_compiler_messages(self) -> None:
        log = "CC a\n../mm/x.c:1:2: error: no\nmake: *** [x] Error 1\nnoise\n"
        self.assertEqual(
            ("../mm/x.c:1:2: error: no", "make: *** [x] Error 1"), kernel.compiler_messages(log)
        )
        self.assertEqual(("noise",), kernel.compiler_messages("noise\n"))

    def test_a_lack_of_memory_or_disk_is_not_a_failed_build(self) -> None:
        for log, error in (
            ("gcc: fatal error: Killed signal terminated program cc1", CommandError),
            ("/tmp/x.s: No space left on device", DiskSpaceError),
        ):
            with self.assertRaises(error):
                kernel.require_healthy_machine(f"CC a\n{log}\nmake: *** [x] Error 1\n")
        kernel.require_healthy_machine("../mm/x.c:1:2: error: no\n")

    def test_an_unknown_config(self) -> None:
        with self.assertRaises(UsageError):
            check.choose_runs({"CONFIGS": "4k nonsense"})

    def test_the_list_of_cases_exists(self) -> None:
        self.assertTrue((Path(judge.EXPECTED) / "cases").exists())


if __name__ == "__main__":
    unittest.main()
