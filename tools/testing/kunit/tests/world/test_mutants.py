# SPDX-License-Identifier: GPL-2.0
"""make mutants, from end to end in the small world, and its parts."""

import json
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any, cast

from harness.base.errors import UsageError
from harness.kernel.kernel import Kernel
from harness.mutation import generate, mutant, outcomes
from harness.mutation.kernels import Fate, Outcome, boot
from harness.mutation.mutant import Mutant
from harness.mutation.outcomes import Report, Tried, Verdict
from harness.request.settings import REPO
from harness.verdict.judge import Expectation
from tests.unit.test_judge import CASES
from tests.world import changes
from tests.world.fake import DATA, MAIL, Ran, World, diff, patch

CONTRACT = REPO / "Documentation/mm/vmemmap_altmap.rst"

HEADER = "Subject: {name} is broken\n\nOnce upon a time.\n\nBreaks: A1\n{fields}---\n"


class Mutants(World):
    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        self.write("tools/testing/kunit/data/expected/skips", "")
        self.env["FAKE_CONSOLE"] = str(DATA / "pass.log")
        self.tree = self.build / "linux-6.12/mutants"

    def mutant(self, name: str, new: str, fields: str = "", number: int = 30) -> None:
        """Write a mutant down that changes a line of mm/sparse-vmemmap.c."""
        change = diff(
            "mm/sparse-vmemmap.c",
            f"int vmemmap_{number};",
            new,
            f"int vmemmap_{number - 1};",
            f"int vmemmap_{number + 1};",
        ).replace("@@ -1,3 +1,3 @@", f"@@ -{number},3 +{number},3 @@")
        text = HEADER.format(name=name, fields=fields) + change
        self.write(f"tools/testing/kunit/data/mutants/{name}.patch", text)

    def mutants(self, **env: str) -> Ran:
        return self.program("mutants", **env)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.build / "results/mutants.json").read_text())
        return found

    def verdicts(self) -> dict[str, str]:
        return {m["name"]: m["verdict"] for m in self.document()["mutants"]}

    def assert_clean(self) -> None:
        self.assertEqual("", self.git(self.tree, "status", "--short"))

    def test_each_verdict(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.mutant("b-missed", "int console_pass;")
        self.mutant("c-unviable", "syntax error;")
        self.mutant("d-elsewhere", "int x;", number=99)
        self.mutant("e-same", "int vmemmap_30; // a comment")
        ran = self.mutants()
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        expected = {
            "a-caught": "caught",
            "b-missed": "missed",
            "c-unviable": "unviable",
            "d-elsewhere": "unviable",
            "e-same": "same code",
        }
        self.assertEqual(expected, self.verdicts())
        self.assertIn("b-missed is missed: b-missed is broken\n    diff --git", ran.stdout)
        self.assertIn("c-unviable does not build", ran.stdout)
        self.assertIn("e-same changes nothing in the code", ran.stdout)
        self.assertIn("caught     a-caught (4k 1, 64k 1)\n", ran.stdout)
        self.assertIn("missed     b-missed (4k missed, 64k missed)\n", ran.stdout)
        [caught] = [m for m in self.document()["mutants"] if m["name"] == "a-caught"]
        self.assertEqual(["4k", "64k"], sorted(caught["configs"]))
        self.assertEqual(["vmemmap_basepages.maps_altmap_pages"], caught["configs"]["4k"]["by"])
        self.assertIn("vmemmap_basepages.short_altmap", ran.stdout)
        suites = ElementTree.parse(self.build / "results/mutants.xml").getroot()
        self.assertEqual(["4", "4"], [s.get("failures") for s in suites])
        self.assert_clean()

    def test_all_caught(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.mutant("b-panics", "int console_panic;", "Configs: 64k\n")
        ran = self.mutants()
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertTrue(ran.stdout.splitlines()[-1].startswith("2 mutants: 2 caught, "))
        [panics] = [m for m in self.document()["mutants"] if m["name"] == "b-panics"]
        self.assertEqual(["64k"], list(panics["configs"]))

    def test_what_is_known_is_not_tried_again(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assertEqual(0, self.mutants().status)
        ran = self.mutants(FAKE_TOOL="build fails")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("4k: 1 mutants, 1 known already", ran.stderr)
        self.mutant("a-caught", "int console_pass;")
        self.assertEqual(1, self.mutants().status)

    def test_other_code_is_tried_again(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assertEqual(0, self.mutants().status)
        self.write("Documentation/mm/altmap.rst", "another page\n")
        self.assertIn("1 known already", self.mutants().stderr)
        self.write("mm/tests/vmemmap_kunit.c", "/* another suite */\n")
        self.assertIn("0 known already", self.mutants().stderr)

    def test_what_else_a_result_depends_on(self) -> None:
        self.mutant("a-caught", "int console_failure;", "Configs: 4k\n")
        self.tool(changes.LINKER, "exit 0")
        self.assertEqual(0, self.mutants().status)
        self.assertEqual(False, self.kept())
        for what, change in changes.relevant(self).items():
            with self.subTest(what), change():
                ran = self.mutants(FAKE_TOOL="build fails")
                self.assert_error(ran, 2, "cannot be built with 4k")
        ran = self.mutants(FAKE_TOOL="build fails", UNRELATED="x")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertEqual(True, self.kept())
        self.assertIn("1 of 1 results is from an earlier run\n", ran.stdout)
        [suite] = ElementTree.parse(self.build / "results/mutants.xml").getroot()
        found = {p.get("name"): p.get("value") for p in suite.iter("property")}
        self.assertEqual({"from an earlier run": "1"}, found)

    def kept(self) -> object:
        """Whether the one result is from an earlier run."""
        [mutant] = self.document()["mutants"]
        return mutant["configs"]["4k"]["kept"]

    def series(self, *lines: str) -> str:
        """A patch of the user's that adds a function to a file."""
        body = "\n".join(f"+{line}" for line in ("int added(int x)", "{", *lines, "}"))
        hunk = f"@@ -40,1 +40,{len(lines) + 4} @@\n int memory_39;\n{body}\n"
        change = (
            f"diff --git a/mm/memory.c b/mm/memory.c\n--- a/mm/memory.c\n+++ b/mm/memory.c\n{hunk}"
        )
        mail = MAIL.format(author="A. Developer", subject="add a function", diff=change)
        return str(self.write("../v1.patch", mail))

    def test_a_series_of_the_users(self) -> None:
        path = self.series("\tif (x > 1)", "\t\treturn 2;", "\treturn x;")
        self.mutant("a-caught", "int console_failure;")
        ran = self.program("mutants", SERIES=path, CONFIGS="4k", ONTO="stock")
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        found = self.verdicts()
        self.assertTrue(all(name.startswith("memory.c:added:") for name in found), found)
        self.assertGreater(len(found), 3)
        self.assertEqual({"missed"}, set(found.values()))
        [suite] = ElementTree.parse(self.build / "results/mutants.xml").getroot()
        self.assertEqual("mutants 4k", suite.get("name"))

    def test_what_a_series_fails_by_itself(self) -> None:
        path = self.series("\treturn x;")
        env = {"FAKE_CONSOLE": str(DATA / "failure.log"), "CONFIGS": "4k"}
        self.assertEqual(1, self.program("mutants", SERIES=path, **env).status)
        self.assertEqual({"missed"}, set(self.verdicts().values()))
        path = self.series("\treturn -x;")
        env["FAKE_CONSOLE"] = str(DATA / "panic.log")
        ran = self.program("mutants", SERIES=path, **env)
        self.assert_error(ran, 2, "is not green without a mutant")

    def test_a_series_without_code(self) -> None:
        path = str(self.write("../v1.patch", patch("mm/memory.c", "memory", 20, "int x;")))
        self.assert_error(self.program("mutants", SERIES=path), 2, "nothing to mutate")
        self.assert_error(
            self.program("mutants", KSRC=str(self.unpack_kernel())), 2, "SERIES=FROM..TO"
        )

    def test_an_original_that_is_not_green(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        ran = self.mutants(FAKE_CONSOLE=str(DATA / "failure.log"))
        self.assert_error(ran, 2, "series 4k is not green", "maps_altmap_pages failed")

    def test_an_original_that_does_not_build(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        ran = self.mutants(FAKE_TOOL="build fails")
        self.assert_error(ran, 2, "cannot be built with 4k", "'x' undeclared")

    def test_equivalents(self) -> None:
        self.mutant("a-missed", "int console_pass;", "Equivalent: nobody can tell\n")
        self.assertEqual(0, self.mutants().status)
        self.assertEqual({"a-missed": "equivalent"}, self.verdicts())
        self.mutant("b-caught", "int console_failure;", "Equivalent: nobody can tell\n")
        ran = self.mutants()
        self.assertEqual(1, ran.status)
        self.assertIn("b-caught is caught, and declared equivalent", ran.stdout)

    def test_bad_input(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assert_error(self.mutants(MUTANTS="b-*"), 2, "no mutant is called 'b-*'")
        self.assert_error(self.mutants(KSRC=str(self.top)), 2, "SERIES=FROM..TO")
        self.write("tools/testing/kunit/data/mutants/equivalent", "mmu.c:f:123456:delete why not\n")
        self.assert_error(self.mutants(), 2, "not generated: mmu.c:f:123456:delete")
        self.write("tools/testing/kunit/data/mutants/bad.patch", "TODO\n")
        self.assert_error(self.mutants(), 2, "bad.patch is no mutant")

    def test_changes_of_the_users_are_kept(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assertEqual(0, self.mutants().status)
        (self.tree / "mm/memory.c").write_text("mine\n")
        self.assert_error(self.mutants(), 2, "changes of yours")
        self.assertEqual("mine\n", (self.tree / "mm/memory.c").read_text())

    def test_ctrl_c_while_making(self) -> None:
        self.assert_interruptible("make hangs")

    def test_ctrl_c_while_the_guest_runs(self) -> None:
        self.assert_interruptible("guest hangs")

    def assert_interruptible(self, what: str) -> None:
        self.mutant("a-caught", "int console_failure;")
        child = self.start("mutants", env={"FAKE_MUTANT": what})
        pids = self.wait_for_hang(child)
        ran = self.interrupt(child)
        self.assertEqual(130, ran.status, ran.stderr)
        self.assert_gone(pids)
        self.assert_clean()
        self.assertEqual(0, self.mutants().status)

    def test_a_run_that_was_killed_is_repaired(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        child = self.start("mutants", env={"FAKE_MUTANT": "make hangs"})
        pids = self.wait_for_hang(child)
        child.kill()
        child.wait()
        subprocess.run(["kill", "-9", *map(str, pids)], check=False, capture_output=True)
        self.assertIn("console_failure", (self.tree / "mm/sparse-vmemmap.c").read_text())
        self.assertEqual(0, self.mutants().status)
        self.assert_clean()

    def test_fast_ones_in_make_check(self) -> None:
        self.mutant("a-fast", "int console_failure;", "Fast: yes\n")
        self.mutant("b-slow", "int console_pass;")
        env = {"FLAVOURS": "series", "CONFIGS": "4k"}
        ran = self.program("check", **env)
        document = json.loads((self.build / "results/check.json").read_text())
        (fast,) = (run for run in document["runs"] if run["name"] == outcomes.FAST_NAME)
        self.assertEqual([("a-fast", None)], [(c["name"], c["finding"]) for c in fast["cases"]])
        self.mutant("a-fast", "int console_pass;", "Fast: yes\n")
        ran = self.program("check", **env)
        self.assertIn("a-fast is missed", ran.stdout)
        self.write("mm/tests/vmemmap_kunit.c", "/* another suite */\n")
        ran = self.program("check", **env, FAKE_CONSOLE=str(DATA / "failure.log"))
        self.assertIn("series 4k is not green", ran.stdout)


CODE = """\
/* f() <= 0 */
static int f(struct vmem_altmap *altmap,
	     int n)
{
	const int start = n;
	char *p;

	/* a comment
	 * n = 0;
	 */
	if (n > 0 && n)
		n = g(altmap,
		      false);
	return n;
}
"""


class Generator(unittest.TestCase):
    def names(self, before: str, after: str) -> list[str]:
        made = generate.generate("mm/f.c", before, after)
        return [re.sub(r":[0-9a-f]{6}:", ":", m.name) for m in made]

    def test_operators(self) -> None:
        expected = [
            "f.c:f:negate",
            "f.c:f:gt-ge",
            "f.c:f:and-or",
            "f.c:f:constant",
            "f.c:f:null",
            "f.c:f:delete",
            "f.c:f:flip",
            "f.c:f:delete",
        ]
        self.assertEqual(expected, self.names("", CODE))

    def test_only_what_is_new(self) -> None:
        before = CODE.replace("n > 0", "n > 1")
        self.assertEqual(
            ["f.c:f:negate", "f.c:f:gt-ge", "f.c:f:and-or", "f.c:f:constant"],
            self.names(before, CODE),
        )
        self.assertEqual([], self.names(CODE, CODE))

    def test_lines_stay_where_they_are(self) -> None:
        for made in generate.generate("mm/f.c", "", CODE):
            lines = made.diff.decode().splitlines()[3:]
            count = {sign: sum(line.startswith(sign) for line in lines) for sign in "+-"}
            self.assertEqual(count["+"], count["-"], made)

    def test_names_do_not_depend_on_other_lines(self) -> None:
        shifted = CODE.replace("	char *p;", "	char *p;\n	char *q;")
        names = [m.name for m in generate.generate("mm/f.c", "", CODE)]
        self.assertEqual(names, [m.name for m in generate.generate("mm/f.c", "", shifted)])
        self.assertEqual(len(names), len(set(names)))


class Choice(unittest.TestCase):
    def test_what_names_no_mutant(self) -> None:
        one = Mutant("alloc-all", "t", b"")
        self.assertEqual([one], mutant.choose([one], "alloc-*"))
        choices: list[tuple[list[Mutant], str]] = [
            ([one], "alloc-* free-*"),
            ([], ""),
            ([], "alloc-*"),
        ]
        for mutants, globs in choices:
            with self.assertRaises(UsageError):
                mutant.choose(mutants, globs)


class Verdicts(unittest.TestCase):
    def report(self, changed: Mutant, **found: Verdict) -> Report:
        report = Report([changed])
        for config, verdict in found.items():
            report.add(changed, config[1:], Tried(verdict, ("suite.case",)))
        return report

    def test_to_be_caught_everywhere(self) -> None:
        one = Mutant("m", "t", b"")
        report = self.report(one, _4k=Verdict.CAUGHT, _64k=Verdict.MISSED)
        self.assertIs(Verdict.MISSED, report.verdict(one))
        report = self.report(one, _4k=Verdict.CAUGHT)
        self.assertTrue(report.wants(one, "64k"))

    def test_to_be_caught_anywhere(self) -> None:
        one = Mutant("m", "t", b"", everywhere=False)
        report = self.report(one, _4k=Verdict.MISSED, _64k=Verdict.TIMED_OUT)
        self.assertIs(Verdict.TIMED_OUT, report.verdict(one))
        self.assertEqual("", report.complaint(one))
        report = self.report(one, _4k=Verdict.SAME, _64k=Verdict.MISSED)
        self.assertIs(Verdict.MISSED, report.verdict(one))
        report = self.report(one, _4k=Verdict.CAUGHT)
        self.assertFalse(report.wants(one, "64k"))
        report = self.report(one, _4k=Verdict.SAME, _64k=Verdict.SAME)
        self.assertEqual("", report.complaint(one))

    def test_what_does_not_compile(self) -> None:
        written, by_rote = Mutant("m", "t", b""), Mutant("m", "t", b"", everywhere=False)
        for one, complaint in (written, "m does not build"), (by_rote, ""):
            report = self.report(one, _4k=Verdict.UNVIABLE, _64k=Verdict.UNVIABLE)
            self.assertEqual(complaint, report.complaint(one))
            self.assertIs(Verdict.UNVIABLE, report.verdict(one))

    def judged(self, name: str, fate: Fate) -> Tried:
        expected = Expectation(CASES)
        order = [
            "vmem_altmap.takes_from_altmap",
            "vmem_altmap.follows_model",
            "vmem_altmap.gives_pages_back",
            "vmemmap_basepages.maps_altmap_pages",
            "vmemmap_basepages.short_altmap",
        ]
        outcome = Outcome(fate, (DATA / f"{name}.log").read_text())
        return outcomes.judge_outcome(outcome, expected, order)

    def test_a_hang_is_told_apart(self) -> None:
        found = self.judged("hang", Fate.TIMED_OUT)
        self.assertIs(Verdict.TIMED_OUT, found.verdict)
        self.assertEqual(1, len(found.by))
        found = self.judged("panic", Fate.BOOTED)
        self.assertIs(Verdict.CAUGHT, found.verdict)
        self.assertEqual(("vmem_altmap.follows_model",), found.by)
        self.assertIs(Verdict.MISSED, self.judged("pass", Fate.BOOTED).verdict)


class Guest:
    """Stands for a kernel.Kernel."""

    boots = 0

    def boot(self, _timeout: int, _arguments: Sequence[str]) -> str:
        self.boots += 1
        return "console"


class Boots(unittest.TestCase):
    def test_a_guest_that_is_late_gets_another_chance(self) -> None:
        guest = Guest()
        self.assertIs(Fate.BOOTED, boot(cast(Kernel, guest), 100).fate)
        self.assertEqual(1, guest.boots)
        self.assertIs(Fate.TIMED_OUT, boot(cast(Kernel, guest), 0).fate)
        self.assertEqual(3, guest.boots)


class Written(unittest.TestCase):
    """The mutants that are there."""

    def test_they_can_be_read(self) -> None:
        found = mutant.read_patches()
        self.assertGreaterEqual(len(found), 60)
        self.assertTrue(6 <= sum(m.fast for m in found) <= 8)
        self.assertEqual([], [m.name for m in found if m.fast and "4k" not in m.configs])
        self.assertEqual(len(found), len({m.change for m in found}))

    def test_they_cite_the_contract(self) -> None:
        rules = set(re.findall(r"^([A-Z]\d+)$", CONTRACT.read_text(), re.MULTILINE))
        for written in mutant.read_patches():
            self.assertTrue(written.breaks, written.name)
            self.assertEqual(set(), set(written.breaks) - rules, written.name)

    def test_equivalents_have_reasons(self) -> None:
        for name, reason in mutant.read_equivalent().items():
            self.assertGreater(len(reason.split()), 3, name)


if __name__ == "__main__":
    unittest.main()
