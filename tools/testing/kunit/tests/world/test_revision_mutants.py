# SPDX-License-Identifier: GPL-2.0
"""make revision WITH_MUTANTS=1: which changes to the lines of a series go unnoticed."""

import unittest

from tests.world.fake import DATA, KERNEL, MAIL, World, patch
from tests.world.test_revision import Revision

BODY = ("int more(int x)", "{", "\tif (x > 1)", "\t\treturn 2;", "\treturn x;", "}")


class Mutants(Revision):
    # This one makes an image, which the mutants need.
    kernel_tool = World.kernel_tool
    kernel = {
        **KERNEL,
        "scripts/checkpatch.pl": Revision.kernel["scripts/checkpatch.pl"],
        "arch/riscv/mm/init.c": KERNEL["mm/memory.c"],
    }

    def setUp(self) -> None:
        super().setUp()
        self.env["FAKE_CONSOLE"] = str(DATA / "pass.log")

    def code(self, *paths: str) -> str:
        """A patch that adds a function to each file."""
        hunk = "\n".join(
            [
                f"@@ -40,1 +40,{len(BODY) + 1} @@",
                " int memory_39;",
                *(f"+{line}" for line in BODY),
                "",
            ]
        )
        diffs = [f"diff --git a/{p} b/{p}\n--- a/{p}\n+++ b/{p}\n{hunk}" for p in paths]
        return MAIL.format(author="A. Developer", subject="add code", diff="".join(diffs))

    def test_what_goes_unnoticed_is_shown_beside_the_lines(self) -> None:
        series = self.series(self.code("mm/memory.c"))
        ran = self.revision(series, WITH_MUTANTS="1", ONTO="stock", AGAINST="none")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        found = self.document()["mutants"]
        self.assertEqual("4k", found["config"])
        changes = found["changes"]
        self.assertEqual({"missed"}, {c["verdict"] for c in changes})
        self.assertGreater(len(changes), 3)
        self.assertEqual({"mm/memory.c"}, {change["file"] for change in changes})
        lines = {change["line"] for change in changes}
        self.assertTrue(lines <= set(range(41, 47)), lines)
        self.assertIn(f"Mutants: 0 of {len(changes)} changes to its lines are noticed", ran.stdout)
        page = (self.build / "results/revision/report.html").read_text()
        self.assertIn('<span class="missed">   43 !         if (x &gt; 1)</span>', page)
        short = self.revision(series, WITH_MUTANTS="1", ONTO="stock", AGAINST="none", SHORT="1")
        self.assertIn("Mutants: 0 of", short.stdout)

    def test_files_that_this_kernel_does_not_compile(self) -> None:
        series = self.series(self.code("arch/riscv/mm/init.c", "mm/memory.c"))
        ran = self.revision(series, WITH_MUTANTS="1", ONTO="stock", AGAINST="none")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        verdicts = {(c["file"], c["verdict"]) for c in self.document()["mutants"]["changes"]}
        self.assertEqual(
            {("mm/memory.c", "missed"), ("arch/riscv/mm/init.c", "not in the kernel")}, verdicts
        )

    def test_no_mutants_of_single_patches(self) -> None:
        series = self.series(self.code("mm/memory.c"))
        ran = self.revision(series, WITH_MUTANTS="1", ALONE="1")
        self.assert_error(ran, 2, "ALONE")


class NoMutants(Revision):
    def test_a_tip_that_does_not_run(self) -> None:
        series = self.series(patch("mm/memory.c", "memory", 20, "int breaks_build;", "break it"))
        ran = self.revision(series, WITH_MUTANTS="1", ONTO="stock", AGAINST="none")
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        self.assertIn("no mutants: the kernel of the tip does not run with 4k", ran.stderr)
        self.assertIsNone(self.document()["mutants"])


if __name__ == "__main__":
    unittest.main()
