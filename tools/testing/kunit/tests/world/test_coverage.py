# SPDX-License-Identifier: GPL-2.0
"""make coverage: reading gcov counters from console logs, and reporting lines that never ran."""

import base64
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from harness.base.errors import CommandError, UsageError
from harness.commands import coverage
from harness.coverage import gcov
from harness.coverage import text as coverage_text
from harness.coverage.gcov import Ran
from harness.e2e.scenario import RAM_START
from harness.kernel.finding import Kind
from harness.request import settings
from harness.trees.git import Git
from tests.unit.test_judge import CASES
from tests.world.fake import DATA
from tests.world.fake import Ran as Finished
from tests.world.test_e2e import CONSOLE, GuestWorld

OBJECT = "/build/.kunit-4k-e2e-coverage/mm/sparse"


def printed(data: bytes, name: str = OBJECT) -> str:
    """The output of counters() in the guest."""
    lines = base64.encodebytes(data).decode().splitlines()
    head = f"# counters {len(data)} /sys/kernel/debug/gcov{name}.gcda\n"
    return head + "".join(f"#   {line}\n" for line in lines)


class Directory(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def file(self, text: str, name: str = "log") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


class Counters(Directory):
    def test_counters_are_found_between_other_lines(self) -> None:
        data, more = bytes(range(200)), b"x"
        log = self.file(f"    ok 1 first\n{printed(data)}{printed(more, OBJECT + '2')}ok 1 suite\n")
        self.assertEqual({OBJECT: data, f"{OBJECT}2": more}, gcov.counters(log))
        self.assertEqual("    ok 1 first\nok 1 suite\n", gcov.without_counters(log))

    def test_a_log_without_counters(self) -> None:
        self.assertEqual({}, gcov.counters(self.file(CONSOLE)))

    def test_incomplete_counters_are_an_error(self) -> None:
        text = printed(bytes(200))
        for broken in (text[:-40], text.replace("\n#   ", "\n[    1.0] random: crng\n", 1)):
            with self.assertRaisesRegex(CommandError, "sparse are incomplete"):
                gcov.counters(self.file(broken))

    def test_no_counters_in_any_log(self) -> None:
        with self.assertRaisesRegex(CommandError, "no guest printed counters"):
            gcov.capture([self.file(CONSOLE)], Path("/t"), Path("/b"), self.directory / "w")


class Traces(unittest.TestCase):
    def test_lines_and_branches(self) -> None:
        text = (
            "TN:suites\nSF:/tree/mm/sparse.c\nDA:3,0\nDA:4,17\nBRDA:4,0,0,17\nBRDA:4,0,1,0\n"
            "BRDA:5,0,0,-\nLF:2\nend_of_record\nSF:/tree/mm/memremap.c\nDA:3,1\nend_of_record\n"
        )
        trace = gcov.read(text, Path("/tree"))
        self.assertEqual(Ran({3: 0, 4: 17}, {4: [17, 0], 5: [0]}), trace["mm/sparse.c"])
        self.assertEqual({3: 1}, trace["mm/memremap.c"].lines)


class Touched(Directory):
    def test_added_lines(self) -> None:
        git = Git(self.directory / ".git", work_tree=self.directory)
        git.run("init", "--quiet")
        commits = []
        for texts in (("a\nb\nc\n", "x\n"), ("a\nB1\nB2\nc\nd\n", "y\n")):
            for name, text in zip(("mm/sparse.c", "arch/riscv/mm/init.c"), texts):
                path = self.directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            git.run("add", ".")
            git.run("-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "-")
            commits.append(git.out("rev-parse", "HEAD"))
        self.assertEqual(
            {"mm/sparse.c": {2: "B1", 3: "B2", 5: "d"}}, coverage_text.added(git, *commits)
        )


class Report(Directory):
    touched = {"mm/sparse.c": {7: "\tif (altmap)", 8: "\t\treturn;", 9: "\t/* why */"}}

    def look(self, ran: Ran, reasons: str = "") -> coverage_text.CoverageReport:
        seen: dict[str, gcov.Trace] = {"suites": {"mm/sparse.c": ran}}
        seen["both"] = seen["suites"]
        found = coverage_text.read_reasons(self.file(reasons, "uncovered"))
        return coverage_text.compare(self.touched, seen, found)

    def test_all_ran(self) -> None:
        report = self.look(Ran({7: 2, 8: 1}, {7: [1, 1]}))
        self.assertEqual([], report.result.unexpected)
        self.assertRegex(report.lines[-1], r"mm/sparse.c +2/2 +2/2 +2/2 +2/2")

    def test_a_line_that_did_not_run_needs_a_reason(self) -> None:
        report = self.look(Ran({7: 2, 8: 0}, {7: [2, 0]}))
        (finding,) = report.result.findings
        self.assertIs(Kind.UNCOVERED, finding.kind)
        self.assertIn("mm/sparse.c:7: 1 of 2 branches taken", finding.log)
        self.assertIn("mm/sparse.c:8: did not run", finding.log)

    def test_a_line_with_a_reason(self) -> None:
        reasons = "mm/sparse.c\n\tif (altmap)\n\t\tAlways.\n\treturn;\n\t\tNever,\n\t\tas said.\n"
        report = self.look(Ran({7: 2, 8: 0}, {7: [2, 0]}), reasons)
        self.assertEqual([], report.result.unexpected)
        self.assertIn("    # Never, as said.", report.lines)

    def test_a_reason_for_a_line_that_ran(self) -> None:
        report = self.look(Ran({7: 2, 8: 1}, {}), "mm/sparse.c\n\treturn;\n\t\tNever.\n")
        (finding,) = report.result.findings
        self.assertIs(Kind.UNUSED_REASON, finding.kind)
        self.assertIn("return;", finding.text)

    def test_malformed_reasons(self) -> None:
        for text, words in (
            ("mm/sparse.c\n\t\tNever.\n", "uncovered:2: a reason without a line"),
            ("\t\tNever.\n", "uncovered:1: a reason without a line"),
            ("mm/sparse.c\n\treturn;\n", "no reason why 'return;'"),
        ):
            with self.assertRaisesRegex(UsageError, words):
                self.look(Ran(), text)

    def test_the_files_of_this_repository_can_be_read(self) -> None:
        coverage_text.read_reasons()


class Machine(unittest.TestCase):
    def test_the_machine_is_that_of_kunit_py(self) -> None:
        text = (settings.REPO / "tools/testing/kunit/qemu_configs/arm64.py").read_text()
        scenario = coverage.suites_scenario()
        [memory] = scenario.devices
        self.assertIn(f"={memory.size >> 20}M@{memory.address:#x}", scenario.arguments)
        self.assertIn(f"mem={scenario.memory >> 20}M", text)
        size = re.search(r"'-m', '(\d+)'", text)
        assert size
        self.assertEqual(RAM_START + (int(size.group(1)) << 20), memory.end)


class Running(GuestWorld):
    """Whole runs with fake tools."""

    def setUp(self) -> None:
        super().setUp()
        self.write("lib/kunit-configs/coverage.config", "")
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in ("skips", "baseline", "stock"):
            self.write(f"tools/testing/kunit/data/expected/{name}", "")
        self.write("tools/testing/kunit/data/expected/uncovered", "")
        self.tool("aarch64-linux-gnu-gcov", "exit 0")
        self.tool("aarch64-linux-gnu-gcov-tool", "exit 1")
        self.tool("genhtml", "exit 0")
        self.counts("DA:21,$n")

    def counts(self, lines: str) -> None:
        """Let lcov report this for the line that each of the two patches adds."""
        self.tool(
            "lcov",
            'while [ "$1" != --output-file ]; do shift; done; tree=$PWD/build/linux-6.12/series\n'
            f'n=1; for f in mm/sparse-vmemmap arch/arm64/mm/mmu; do printf "SF:$tree/$f.c\\n'
            f'{lines}\\nend_of_record\\n"; n=0; done > "$2"',
        )

    def coverage(self, **env: str) -> Finished:
        gcda = self.build / "linux-6.12/series/.kunit-4k-e2e-coverage/mm/sparse-vmemmap"
        suites = (DATA / "pass.log").read_text()
        self.console(
            CONSOLE.replace("not ok", "ok") + printed(b"x", str(gcda)),
            suites + printed(b"x", str(gcda)),
        )
        return self.program("coverage", CONFIGS="4k", FAKE_APT="", FAKE_GUEST="", **env)

    def test_a_line_without_a_reason_fails(self) -> None:
        ran = self.coverage()
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("arch/arm64/mm/mmu.c: 1 lines or branches are not explained", ran.stdout)
        self.assertRegex(ran.stdout, r"mm/sparse-vmemmap.c +1/1 +1/1 +1/1 ")
        self.assertIn("--make_options=GCOV_PROFILE_mmu.o=y", self.recorded()["argv"])

    def test_a_kernel_that_cannot_be_built(self) -> None:
        ran = self.coverage(FAKE_TOOL="build fails")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stdout)
        self.assertIn("0 passed, 1 failed", ran.stdout)


if __name__ == "__main__":
    unittest.main()
