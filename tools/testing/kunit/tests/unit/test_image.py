# SPDX-License-Identifier: GPL-2.0
"""Which objects a changed file affects. None means that a full build must find out."""

import shutil
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path

from harness.kernel import image


def keep_record(build_dir: Path, made: str, source: str, headers: Sequence[str]) -> None:
    """Write the .cmd file in which Kbuild records how a file was built, and from which files."""
    path = build_dir / made
    path.parent.mkdir(parents=True, exist_ok=True)
    listing = "".join(f"  ../{header} \\\n" for header in headers)
    path.with_name(f".{path.name}.cmd").write_text(
        f"savedcmd_{made} := gcc -o {made} ../{source} \n\n"
        f"source_{made} := ../{source}\n\ndeps_{made} := \\\n{listing}\n"
    )


class Objects(unittest.TestCase):
    """Look up changed files in the .cmd files of an earlier build."""

    def setUp(self) -> None:
        self.tree = Path(tempfile.mkdtemp(prefix="kunit-test-"))
        self.addCleanup(shutil.rmtree, self.tree)
        self.build_dir = self.tree / ".kunit-4k"
        self.build_dir.mkdir()
        self.makefile(f"$(MAKE) $(build)=$@ {image.GOALS}\n")
        self.linked("mm/rmap.o", "mm/page_alloc.o", "arch/arm64/mm/mmu.o")
        keep_record(
            self.build_dir, "mm/rmap.o", "mm/rmap.c", ["mm/internal.h", "include/linux/mm.h"]
        )
        keep_record(
            self.build_dir,
            "mm/page_alloc.o",
            "mm/page_alloc.c",
            ["mm/internal.h", "include/linux/mm.h"],
        )
        keep_record(
            self.build_dir, "arch/arm64/mm/mmu.o", "arch/arm64/mm/mmu.c", ["include/linux/mm.h"]
        )
        keep_record(self.build_dir, "lib/ctype.o", "lib/ctype.c", ["lib/only.h"])
        keep_record(self.build_dir, "kernel/bounds.s", "kernel/bounds.c", ["include/linux/mm.h"])

    def makefile(self, text: str) -> None:
        (self.tree / "Makefile").write_text(text)

    def linked(self, *members: str) -> None:
        names = "".join(f"{name}/\n" for name in members)
        (self.build_dir / "built-in.a").write_text(f"!<thin>\n//   {len(names)}  `\n{names}")

    def objects(self, *changed: str) -> object:
        return image.objects_of(self.tree, self.build_dir, changed)

    def test_a_source_file(self) -> None:
        self.assertEqual(["mm/rmap.o"], self.objects("mm/rmap.c"))

    def test_a_header_of_two(self) -> None:
        self.assertEqual(["mm/page_alloc.o", "mm/rmap.o"], self.objects("mm/internal.h"))

    def test_several_files(self) -> None:
        self.assertEqual(
            ["arch/arm64/mm/mmu.o", "mm/rmap.o"], self.objects("mm/rmap.c", "arch/arm64/mm/mmu.c")
        )

    def test_a_file_that_no_object_depends_on(self) -> None:
        self.assertEqual([], self.objects("arch/x86/mm/init.c"))

    def test_similar_file_names(self) -> None:
        self.assertEqual([], self.objects("mm/rmap.cc"))
        self.assertEqual([], self.objects("rmap.c"))

    def test_part_of_a_library(self) -> None:
        self.assertIsNone(self.objects("lib/ctype.c"))

    def test_a_header_of_a_file_that_is_not_an_object(self) -> None:
        self.assertIsNone(self.objects("include/linux/mm.h"))

    def test_no_earlier_build(self) -> None:
        (self.build_dir / "built-in.a").unlink()
        self.assertIsNone(self.objects("mm/rmap.c"))

    def test_a_makefile_that_takes_no_goals(self) -> None:
        self.makefile("$(MAKE) $(build)=$@ need-builtin=1 need-modorder=1\n")
        self.assertIsNone(self.objects("mm/rmap.c"))

    def test_a_build_directory_elsewhere(self) -> None:
        elsewhere = self.tree / "deeper"
        elsewhere.mkdir()
        shutil.copytree(self.build_dir, elsewhere / ".kunit-4k")
        self.assertIsNone(image.objects_of(self.tree, elsewhere / ".kunit-4k", ["mm/rmap.c"]))


if __name__ == "__main__":
    unittest.main()
