# SPDX-License-Identifier: GPL-2.0
"""make mutants, from end to end in the small world, and its parts."""

import json
import re
import shutil
import subprocess
import unittest
import unittest.mock as mock
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from harness.base import archive
from harness.base.console import Stopwatch
from harness.base.errors import UsageError
from harness.kernel import qemu
from harness.mutation import (
    boots,
    generated,
    guest,
    mutant,
    outcomes,
    schemata,
    syntax,
    written_run,
)
from harness.mutation.kernels import Fate, Outcome
from harness.mutation.mutant import Mutant
from harness.mutation.notice import never
from harness.mutation.operators import Change
from harness.mutation.outcomes import Countdown, MutantReport, MutantVerdict, Tried
from harness.request.settings import REPO
from harness.verdict.judge import EXPECTED, Expectation
from tests.unit.test_judge import CASES
from tests.world import changes
from tests.world.fake import DATA, KERNEL, MAIL, Ran, World, diff, patch

CONTRACT = REPO / "Documentation/mm/vmemmap_altmap.rst"

HANG = (DATA / "hang.log").read_text()

HEADER = "Subject: {name} is broken\n\nOnce upon a time.\n\nBreaks: A1\n{fields}---\n"


class MutantWorld(World):
    """A world with a few cases and no mutant."""

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

    def wrong(self) -> set[str]:
        """The mutants whose result is wrong."""
        return {m["name"] for m in self.document()["mutants"] if m["complaint"]}

    def assert_clean(self) -> None:
        self.assertEqual("", self.git(self.tree, "status", "--short"))


class Mutants(MutantWorld):
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
        self.assertIn("b-missed is broken\n    diff --git", ran.stdout)
        self.assertEqual(set(expected) - {"a-caught"}, self.wrong())
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
        self.assertTrue(
            ran.stdout.splitlines()[-1].startswith("2 mutants: 1 caught, 1 died in a case, ")
        )
        [panics] = [m for m in self.document()["mutants"] if m["name"] == "b-panics"]
        self.assertEqual(["64k"], list(panics["configs"]))

    def test_number_of_cpus(self) -> None:
        calls, stand_in = self.top / "calls", self.bin / "stand-in"
        (self.bin / "qemu-system-aarch64").rename(stand_in)
        self.tool("qemu-system-aarch64", f'echo "$*" >>{calls}; exec {stand_in} "$@"')
        self.mutant("a-caught", "int console_failure;", "Configs: 4k\nCpus: 4\n")
        self.assertEqual(0, self.mutants().status)
        boots = [line for line in calls.read_text().splitlines() if "-smp" in line]
        # The original, and the original and the mutant with four CPUs.
        self.assertEqual([False, True, True], ["-smp 4" in line for line in boots])
        # With four CPUs, the original fails: what a mutant does there proves nothing.
        failure = DATA / "failure.log"
        self.tool(
            "qemu-system-aarch64",
            f'case "$*" in *"-smp 4"*) cat {failure}; exit;; esac; exec {stand_in} "$@"',
        )
        self.mutant("a-caught", "int console_failure; /* again */", "Configs: 4k\nCpus: 4\n")
        self.assert_error(self.mutants(), 2, "series 4k fails without a mutant")
        self.mutant("a-caught", "int console_failure;", "Configs: 4k\nCpus: few\n")
        self.assert_error(self.mutants(), 2, "Cpus: few is not a number", "Cpus: 4")

    def test_what_is_known_is_not_tried_again(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assertEqual(0, self.mutants().status)
        ran = self.mutants(FAKE_TOOL="build fails")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("4k: 1 mutant, 1 known already", ran.stderr)
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

    def test_an_original_that_is_not_green(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        ran = self.mutants(FAKE_CONSOLE=str(DATA / "failure.log"))
        self.assert_error(ran, 2, "series 4k", "maps_altmap_pages failed")

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
        self.assertEqual({"b-caught"}, self.wrong())

    def test_bad_input(self) -> None:
        self.mutant("a-caught", "int console_failure;")
        self.assert_error(self.mutants(MUTANTS="b-*"), 2, "'b-*'")
        self.assert_error(self.mutants(KSRC=str(self.top)), 2, "SERIES=FROM..TO")
        self.write("tools/testing/kunit/data/mutants/bad.patch", "TODO\n")
        self.assert_error(self.mutants(), 2, "bad.patch")

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
        self.compiles_for_riscv()
        env = {"FLAVOURS": "series", "CONFIGS": "4k"}
        ran = self.program("check", **env)
        document = json.loads((self.build / "results/check.json").read_text())
        (fast,) = (run for run in document["runs"] if run["name"] == written_run.FAST_NAME)
        self.assertEqual([("a-fast", None)], [(c["name"], c["finding"]) for c in fast["cases"]])
        self.mutant("a-fast", "int console_pass;", "Fast: yes\n")
        ran = self.program("check", **env)
        self.assertIn("a-fast is missed", ran.stdout)
        self.write("mm/tests/vmemmap_kunit.c", "/* another suite */\n")
        ran = self.program("check", **env, FAKE_CONSOLE=str(DATA / "failure.log"))
        self.assertIn("vmemmap_basepages.maps_altmap_pages failed", ran.stdout)


CODE = """\
/* f() <= 0 */
static int added(struct vmem_altmap *altmap,
	     int nr)
{
	/* a comment
	 * nr = 0;
	 */
	if (nr > 1 && altmap)
		oddity(nr);
	return nr;
}
"""


class GeneratedOnes(MutantWorld):
    """Those of functions, and of the lines of a user's series."""

    kernel = {**KERNEL, "mm/memory.c": KERNEL["mm/memory.c"] + CODE}

    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/mutants/functions", "mm/memory.c added A1 B2\n")
        self.tree = self.build / "linux-6.12/mutants-of-fixed"

    def generated(self, **env: str) -> Ran:
        return self.mutants(MUTANTS="*:*", CONFIGS="4k", **env)

    def short(self) -> dict[str, str]:
        """The verdicts by function and operator."""
        return {re.sub(r"^.*?:|:[0-9a-f]{6}", "", n): v for n, v in self.verdicts().items()}

    def test_each_verdict(self) -> None:
        env = {"FAKE_CAUGHT": "false", "FAKE_DIES": "true", "FAKE_UNREACHED": r"!\(nr"}
        ran = self.generated(**env)
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        expected = {
            "added:negate": "not reached",
            "added:always": "died in a case",
            "added:never": "caught",
            "added:and-left": "missed",
            "added:and-right": "missed",
            "added:bound": "missed",
            "added:bound-less": "missed",
            "added:drop": "missed",
            "added:double": "unviable",
            "added:one-more": "missed",
            "added:one-less": "missed",
        }
        self.assertLessEqual(expected.items(), self.short().items())
        [never] = [m for m in self.document()["mutants"] if m["name"].endswith(":never")]
        self.assertEqual(["vmemmap_basepages.maps_altmap_pages"], never["configs"]["4k"]["by"])
        unreached = {n for n, verdict in self.verdicts().items() if verdict == "not reached"}
        self.assertTrue(unreached and unreached <= self.wrong())
        score = (self.build / "results/mutants-score.rst").read_text()
        self.assertRegex(score, r"(?m)^``added\(\)`` +\d+ +1 +1")
        self.assertRegex(score, r"(?m)^B2 +\d+ +1 +1")
        head, found, left = score.partition("\nMutants that were missed or not reached\n=")
        self.assertTrue(found and "\n- " not in head)
        missed = {n for n, verdict in self.verdicts().items() if verdict == "missed"}
        self.assertEqual(missed | unreached, set(re.findall(r"(?m)^- ``(.*?)``: ``", left)))
        self.assert_clean()

    def test_a_second_run_boots_nothing(self) -> None:
        self.assertEqual(0, self.generated(FAKE_CAUGHT="MUTANT").status)
        ran = self.generated(FAKE_TOOL="build fails")
        self.assertEqual(0, ran.status, ran.stderr)
        count = len(self.verdicts())
        self.assertIn(f"4k: {count} generated mutants, {count} known already", ran.stderr)

    def test_samples_and_shards(self) -> None:
        env = {"FAKE_CAUGHT": "MUTANT", "CONFIGS": "4k", "SAMPLE": "6"}
        self.mutant("a-caught", "int console_failure;")
        self.assertEqual(0, self.mutants(**env).status)
        self.assertEqual(7, len(self.verdicts()))
        whole = set(self.verdicts())
        parts = []
        for shard in ("1/2", "2/2"):
            self.assertEqual(0, self.mutants(**env, SHARD=shard).status)
            parts.append(set(self.verdicts()))
        self.assertEqual((whole, set()), (parts[0] | parts[1], parts[0] & parts[1]))
        self.assertEqual([4, 3], [len(part) for part in parts])
        self.assertEqual(0, self.mutants(**env, MUTANTS="*.c:*").status)
        self.assertEqual(whole - {"a-caught"}, set(self.verdicts()))
        self.assert_error(self.mutants(SAMPLE="some"), 2, "SAMPLE=some")

    def test_equivalents(self) -> None:
        self.assertEqual(0, self.generated(FAKE_CAUGHT="MUTANT").status)
        names = [name for name, verdict in self.verdicts().items() if verdict == "caught"]
        lines = "".join(f"{name} nobody can tell\n" for name in names)
        equivalent = "tools/testing/kunit/data/mutants/equivalent"
        self.write(equivalent, lines)
        shutil.rmtree(self.build / "results/mutants/generated")
        ran = self.generated(FAKE_CAUGHT="MUTANT")
        self.assertEqual(0, ran.status, ran.stdout)
        self.assertNotIn("4k 1/", ran.stderr)
        self.assertEqual({"equivalent", "unviable"}, set(self.verdicts().values()))
        ran = self.generated(EQUIVALENT="1")
        self.assertEqual(0, ran.status, ran.stdout)
        self.assertIn(f"4k {len(names)}/{len(names)}", ran.stderr)
        self.assertEqual({"equivalent", "unviable"}, set(self.verdicts().values()))
        shutil.rmtree(self.build / "results/mutants/generated")
        ran = self.generated(EQUIVALENT="1", FAKE_CAUGHT="MUTANT")
        self.assertEqual(1, ran.status)
        self.assertEqual(set(names), self.wrong())
        self.write(equivalent, "mmu.c:f:123456:drop why not\n")
        self.assert_error(self.generated(), 2, "not generated: mmu.c:f:123456:drop")

    def test_functions_that_are_not_there(self) -> None:
        self.write("tools/testing/kunit/data/mutants/functions", "mm/memory.c gone A1\n")
        self.assert_error(self.generated(), 2, "names gone(), which mm/memory.c does not have")
        self.write("tools/testing/kunit/data/mutants/functions", "mm/memory.c added\n")
        self.assert_error(self.generated(), 2, "lacks a rule")

    def test_a_suite_that_is_not_green(self) -> None:
        ran = self.generated(FAKE_CONSOLE=str(DATA / "failure.log"))
        self.assert_error(ran, 2, "fixed 4k", "maps_altmap_pages")

    def test_ctrl_c_while_a_guest_runs(self) -> None:
        env = {"MUTANTS": "*:*", "CONFIGS": "4k", "FAKE_CAUGHT": "MUTANT", "FAKE_HANGS": "false"}
        child = self.start("mutants", env=env)
        pids = self.wait_for_hang(child)
        ran = self.interrupt(child)
        self.assertEqual(130, ran.status, ran.stderr)
        self.assert_gone(pids)
        self.assert_clean()


class Series(MutantWorld):
    """The lines that a series of the user's adds."""

    kernel = {**KERNEL, "arch/riscv/mm/init.c": KERNEL["mm/memory.c"]}

    def series(self, *lines: str, path: str = "mm/memory.c") -> str:
        """A patch of the user's that adds a function to a file."""
        body = "\n".join(f"+{line}" for line in ("int more(int x)", "{", *lines, "}"))
        hunk = f"@@ -40,1 +40,{len(lines) + 4} @@\n int memory_39;\n{body}\n"
        change = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n{hunk}"
        mail = MAIL.format(author="A. Developer", subject="add a function", diff=change)
        return str(self.write("../v1.patch", mail))

    def test_a_series_of_the_users(self) -> None:
        path = self.series("\tif (x > 1)", "\t\treturn 2;", "\treturn x;")
        self.mutant("a-caught", "int console_failure;")
        ran = self.program("mutants", SERIES=path, CONFIGS="16k", ONTO="stock")
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        found = self.verdicts()
        self.assertTrue(all(name.startswith("memory.c:more:") for name in found), found)
        self.assertGreater(len(found), 3)
        self.assertEqual({"missed"}, set(found.values()))
        [suite] = ElementTree.parse(self.build / "results/mutants.xml").getroot()
        self.assertEqual("mutants 16k", suite.get("name"))

    def test_a_range_of_commits(self) -> None:
        """The commits are in KSRC already, so the mutants are made of what is below them."""
        path = Path(self.series("\treturn x;"))
        tree = self.unpack_kernel()
        env = {**self.env, "GIT_CONFIG_GLOBAL": "/dev/null"}
        who = ["-c", "user.name=Me", "-c", "user.email=me@x"]
        for words in (
            ["init", "-q"],
            ["add", "-f", "."],
            ["commit", "-qm", "base"],
            ["tag", "start"],
            ["am", "-q", str(path)],
        ):
            subprocess.run(["git", *who, *words], cwd=tree, env=env, check=True)
        ran = self.program("mutants", SERIES="start..HEAD", KSRC=str(tree), CONFIGS="4k")
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        self.assertEqual({"missed"}, set(self.verdicts().values()))

    def test_what_a_series_fails_by_itself(self) -> None:
        path = self.series("\treturn x;")
        env = {"FAKE_CONSOLE": str(DATA / "failure.log"), "CONFIGS": "4k"}
        self.assertEqual(1, self.program("mutants", SERIES=path, **env).status)
        self.assertEqual({"missed"}, set(self.verdicts().values()))
        path = self.series("\treturn -x;")
        env["FAKE_CONSOLE"] = str(DATA / "panic.log")
        ran = self.program("mutants", SERIES=path, **env)
        self.assert_error(ran, 2, "stock 4k", "panicked")

    def test_a_series_for_another_architecture(self) -> None:
        path = self.series("\treturn x;", path="arch/riscv/mm/init.c")
        ran = self.program("mutants", SERIES=path, CONFIGS="4k")
        self.assert_error(ran, 2, "in a kernel with 4k")

    def test_a_series_without_code(self) -> None:
        path = str(self.write("../v1.patch", patch("mm/memory.c", "memory", 20, "int x;")))
        self.assert_error(self.program("mutants", SERIES=path), 2, "nothing to mutate")
        self.assert_error(
            self.program("mutants", KSRC=str(self.unpack_kernel())), 2, "SERIES=FROM..TO"
        )


class Generator(unittest.TestCase):
    def test_lines(self) -> None:
        made = generated.of_lines("mm/f.c", CODE, [9])
        self.assertEqual(
            {"drop", "double", "one-more", "one-less"}, {m.change.operator for m in made}
        )
        self.assertEqual([], generated.of_lines("mm/f.c", CODE, []))

    def test_diffs_apply_and_are_all_different(self) -> None:
        made = generated.of_lines("mm/f.c", CODE, range(20))
        self.assertEqual(len(made), len({m.mutant.diff for m in made}))
        self.assertEqual(len(made), len({m.mutant.name for m in made}))
        for one in made:
            body = one.mutant.diff.decode().splitlines()[4:]
            old = "\n".join(line[1:] for line in body if line[0] in " -")
            self.assertIn(old, CODE)

    def test_names_do_not_depend_on_other_lines(self) -> None:
        shifted = CODE.replace("	/* a", "	char *q;\n	/* a")
        names = [m.mutant.name for m in generated.of_lines("mm/f.c", CODE, range(20))]
        more = [m.mutant.name for m in generated.of_lines("mm/f.c", shifted, range(20))]
        self.assertLessEqual(set(names), set(more))

    def test_a_sample_is_the_same_each_time(self) -> None:
        made = generated.of_lines("mm/f.c", CODE, range(20))
        few, more = (generated.sample(made, most) for most in (3, 6))
        self.assertEqual(3, len(few))
        self.assertLessEqual({m.mutant.name for m in few}, {m.mutant.name for m in more})


class Schemata(unittest.TestCase):
    def apply(self) -> tuple[dict[int, Change], schemata.Mutated]:
        made = generated.of_lines("mm/f.c", CODE, range(20))
        changes = {number: one.change for number, one in enumerate(made, 1)}
        return changes, schemata.apply(CODE, changes, True)

    def test_each_mutant_has_a_line_of_its_own(self) -> None:
        changes, mutated = self.apply()
        lines = mutated.text.splitlines()
        self.assertEqual(set(changes), set(mutated.lines.values()))
        for at, number in mutated.lines.items():
            self.assertIn(f"MUTANT({number})", lines[at - 1])

    def test_without_its_mutants_it_is_the_original(self) -> None:
        changes, mutated = self.apply()
        lines = mutated.text.splitlines()
        kept = [line for at, line in enumerate(lines, 1) if at not in mutated.lines]
        text = "\n".join(kept)
        self.assertIn("oddity(", text)
        plain = re.sub(r"[\s(){}!]", "", CODE)
        self.assertIn(plain, re.sub(r"[\s(){}!]", "", text))

    def test_who_is_to_blame(self) -> None:
        _, mutated = self.apply()
        at, number = min(mutated.lines.items())
        log = (
            f"mm/f.c:{at}:3: error: no\nmm/f.c:{at + 1}:3: warning: hm\n"
            f"./include/a.h:2:1: error: bad\nmm/f.c:{at}:3: note: in expansion\n"
        )
        self.assertEqual(({number}, set()), schemata.blamed(log, "mm/f.c", mutated))

    def test_an_error_in_inlined_code(self) -> None:
        """The line that calls it is to blame, and not the line of an earlier error."""
        _, mutated = self.apply()
        line, original = max(mutated.origin.items())
        log = (
            f"mm/f.c:{line - 1}:3: warning: hm\nIn function 'a',\n"
            f"    inlined from 'f' at ../mm/f.c:{line}:19,\n"
            "    inlined from 'g' at ../mm/f.c:2:4:\n./include/a.h:2:1: error: BUILD_BUG failed\n"
        )
        self.assertEqual((set(), {original}), schemata.blamed(log, "mm/f.c", mutated))

    def test_the_condition_around_a_line_is_to_blame(self) -> None:
        source = (
            "f()\n{\n\tif (a) {\n\t\tint b;\n\n\t\tif (c)\n\t\t\tgo();\n\t\tbuild_bug();\n"
            "\t} else {\nagain:\n\t\tbuild_bug();\n\t}\n}\n"
        )
        mutants = {3: {1}, 6: {2}}
        for line, expected in ((6, {2}), (7, {2}), (8, {1}), (11, {1}), (3, {1}), (13, set())):
            self.assertEqual(expected, schemata.enclosing(source, mutants, line), line)
        self.assertEqual({9}, schemata.enclosing(source, {**mutants, 8: {9}}, 8))

    def test_what_was_seen(self) -> None:
        text = "mutants seen at boot: 0 01\nmutants seen later: 64 1010\n"
        self.assertEqual({1}, schemata.seen(text, "at boot"))
        self.assertEqual({64, 66}, schemata.seen(text, "later"))


class Syntax(unittest.TestCase):
    def test_the_statements_of_a_function(self) -> None:
        source = (
            "int f(int a)\n{\n\tint b = a;\n\n\tfor_each_x(b) {\n\t\tcontinue;\n\t}\n"
            "\tdo {\n\t\tb++;\n\t} while (a--, b < 3);\n\tDECLARE_X(a) = { 0 };\n"
            "\tswitch (a) {\n\tcase 1:\n\t\tgoto out;\n\tdefault:\n\t\tbreak;\n\t}\nout:\n"
            "\treturn a ?: b;\n}\n"
        )
        [function] = syntax.functions(source)
        kinds = [node.kind for node in function.body.parts]
        expected = ["declaration", "loop", "loop", "opaque", "opaque", "switch", "label", "return"]
        self.assertEqual(expected, kinds)
        self.assertEqual({"a": "int", "b": "int"}, function.types)


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


class TimeLeft(unittest.TestCase):
    def test_waiting_for_the_kernel_does_not_count(self) -> None:
        now = 1000.0

        class Watch(Stopwatch):
            @property
            def seconds(self) -> float:
                return now

        one = Mutant("m", "t", b"")
        with mock.patch.object(outcomes, "say"), mock.patch.object(Watch, "say") as said:
            countdown = Countdown(MutantReport([]), "4k", "mutants", 61, 61, Watch())
            for now in (1300.0, 1302.0, 1304.0):
                countdown.take(one, Tried(MutantVerdict.MISSED))
        lines = [call.args[0] for call in said.call_args_list]
        self.assertEqual("4k 1/61: m: missed", lines[0])
        self.assertEqual("4k 3/61, 2 min left: m: missed", lines[2])


class Verdicts(unittest.TestCase):
    def report(self, changed: Mutant, **found: MutantVerdict) -> MutantReport:
        report = MutantReport([changed])
        for config, verdict in found.items():
            report.add(changed, config[1:], Tried(verdict, ("suite.case",)))
        return report

    def test_to_be_caught_everywhere(self) -> None:
        one = Mutant("m", "t", b"")
        report = self.report(one, _4k=MutantVerdict.CAUGHT, _64k=MutantVerdict.MISSED)
        self.assertIs(MutantVerdict.MISSED, report.verdict(one))
        report = self.report(one, _4k=MutantVerdict.CAUGHT)
        self.assertTrue(report.wants(one, "64k"))

    def test_to_be_caught_anywhere(self) -> None:
        one = Mutant("m", "t", b"", everywhere=False)
        report = self.report(one, _4k=MutantVerdict.MISSED, _64k=MutantVerdict.TIMED_OUT)
        self.assertIs(MutantVerdict.TIMED_OUT, report.verdict(one))
        self.assertEqual("", report.complaint(one))
        report = self.report(one, _4k=MutantVerdict.SAME, _64k=MutantVerdict.MISSED)
        self.assertIs(MutantVerdict.MISSED, report.verdict(one))
        report = self.report(one, _4k=MutantVerdict.CAUGHT)
        self.assertFalse(report.wants(one, "64k"))
        report = self.report(one, _4k=MutantVerdict.SAME, _64k=MutantVerdict.SAME)
        self.assertEqual("", report.complaint(one))

    def test_what_does_not_compile(self) -> None:
        written, generated_one = Mutant("m", "t", b""), Mutant("m", "t", b"", everywhere=False)
        for one, is_wrong in (written, True), (generated_one, False):
            report = self.report(one, _4k=MutantVerdict.UNVIABLE, _64k=MutantVerdict.UNVIABLE)
            self.assertEqual(is_wrong, bool(report.complaint(one)))
            self.assertIs(MutantVerdict.UNVIABLE, report.verdict(one))

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
        return written_run.judge_outcome(outcome, expected, order)

    def test_hangs_and_deaths_are_told_apart(self) -> None:
        found = self.judged("hang", Fate.TIMED_OUT)
        self.assertIs(MutantVerdict.TIMED_OUT, found.verdict)
        self.assertEqual(1, len(found.by))
        found = self.judged("panic", Fate.BOOTED)
        self.assertIs(MutantVerdict.DIED, found.verdict)
        self.assertEqual(("vmem_altmap.follows_model",), found.by)
        self.assertIs(MutantVerdict.DIED_AT_BOOT, self.judged("no_kunit", Fate.BOOTED).verdict)
        self.assertIs(MutantVerdict.MISSED, self.judged("pass", Fate.BOOTED).verdict)

    def test_a_guest_that_was_stopped_did_not_die(self) -> None:
        """A guest is stopped as soon as a case fails."""
        lines = (DATA / "failure.log").read_text().splitlines(keepends=True)
        end = next(n for n, line in enumerate(lines) if "    not ok" in line) + 1
        ran = qemu.Ran("".join(lines[:end]), 1.0, is_stopped=True)
        found = outcomes.judge_boot(ran, Expectation(CASES), sorted(CASES))
        self.assertEqual(
            Tried(MutantVerdict.CAUGHT, ("vmemmap_basepages.maps_altmap_pages",), (), 1.0), found
        )
        ran = qemu.Ran(ran.console, 1.0)
        found = outcomes.judge_boot(ran, Expectation(CASES), sorted(CASES))
        self.assertEqual("vmemmap_basepages.short_altmap", found.by[1])


class Boots(unittest.TestCase):
    def test_a_guest_that_is_late_on_a_busy_machine_gets_another_chance(self) -> None:
        limits: list[tuple[float, float]] = []

        def run(_call: object, timeout: float, silence: float, _is_enough: object) -> qemu.Ran:
            limits.append((timeout, silence))
            return qemu.Ran(HANG, 20, is_late, waited=waited)

        for is_late, waited, boots in ((True, 1, 1), (True, 5, 2), (False, 5, 1)):
            limits.clear()
            with mock.patch.object(qemu, "boot", run):
                ran = guest.boot((), 30, 10, never)
            self.assertEqual((is_late, 20 * boots), (ran.is_late, ran.seconds))
            self.assertEqual([(30, 10), (150, 50)][:boots], limits)

    def test_two_nodes_with_numa(self) -> None:
        arguments = [boot.arguments for boot in boots.boots_of("4k-numa")]
        self.assertEqual(["numa=fake=2", "rodata=on numa=fake=2"], arguments)
        self.assertEqual([1, 2], [boot.cpus for boot in boots.boots_of("64k")])


class Written(unittest.TestCase):
    """The mutants that are there."""

    def test_they_can_be_read(self) -> None:
        found = mutant.read_patches()
        self.assertGreaterEqual(len(found), 60)
        self.assertTrue(6 <= sum(m.fast for m in found) <= 8)
        self.assertEqual([], [m.name for m in found if m.fast and "4k" not in m.configs])
        self.assertEqual(len(found), len({self.change(m) for m in found}))

    @staticmethod
    def change(one: Mutant) -> tuple[str, ...]:
        """The lines that go and come, and those around them, wherever they are."""
        lines = one.diff.decode().splitlines()
        kept = [line for line in lines if not line.startswith(("diff ", "--- ", "@@ "))]
        return tuple("".join(line.split()) for line in kept)

    def test_they_cite_the_contract(self) -> None:
        rules = set(re.findall(r"^([A-Z]\d+)$", CONTRACT.read_text(), re.MULTILINE))
        for written in mutant.read_patches():
            self.assertTrue(written.breaks, written.name)
            self.assertEqual(set(), set(written.breaks) - rules, written.name)

    def test_suites_of_rules(self) -> None:
        """Each suite checks rules, and the contract names it where it has these rules."""
        found = generated.read_suites()
        known = {name.partition(".")[0] for name in archive.read_list(EXPECTED / "cases")}
        self.assertEqual({"vmemmap_kmemleak", "warn_log"}, known - set().union(*found.values()))
        rules = CONTRACT.read_text().partition("\nHow the suites decide\n")[0]
        sections = re.split(r"(?m)^([A-Z]): .*\n=+\n", rules)
        named = {
            letter: known & set(re.findall(r"``(\w+)``", text))
            for letter, text in zip(sections[1::2], sections[2::2])
        }
        self.assertEqual(named, {letter: set(names) for letter, names in found.items()})

    def test_equivalents_have_reasons(self) -> None:
        for name, reason in mutant.read_equivalent().items():
            self.assertGreater(len(reason.split()), 3, name)


if __name__ == "__main__":
    unittest.main()
