# SPDX-License-Identifier: GPL-2.0
"""make lint: it reports the findings of every checker, and nothing else."""

import unittest

from tests.world.fake import KERNEL, World, diff

PERL = """\
case "$1" in
scripts/get_maintainer.pl) case "$*" in *--nom*) ;; *) echo am@example.org;; esac;;
scripts/checkpatch.pl) {checkpatch};;
scripts/kernel-doc) {doc};;
esac"""

CLANG = 'echo "Debian clang version {version}"'

# Prints warnings as a compiler or sparse would. The series changes line 21.
MAKEFILE = KERNEL["Makefile"].partition("mm/%.o")[0] + (
    "%.o:\n"
    "\t@if [ 'C=$(C)$(LLVM)' = '$(FAKE_C)' ]; then echo '../$(FAKE_AT): warning: $(FAKE_C)'; fi\n"
)
OURS = "mm/sparse-vmemmap.c:21:1"
REMARK = 'echo "x.patch:9: WARNING:{kind}: said"; exit 1'


class Lint(World):
    kernel = {
        **KERNEL,
        "Makefile": MAKEFILE,
        "scripts/checkpatch.pl": "",
        "scripts/coccinelle/a.cocci": "// Options: --no-includes\nvirtual report\n",
        "scripts/coccinelle/b.cocci": "virtual patch\n",
    }

    def setUp(self) -> None:
        super().setUp()
        self.perl()
        self.tool("clang", CLANG.format(version="14.0.6"))
        for name in (
            "codespell",
            "shellcheck",
            "black",
            "isort",
            "pyflakes3",
            "sparse",
            "ld.lld",
            "llvm-nm",
            "spatch",
        ):
            self.tool(name, "exit 0")
        (self.top / ".gitconfig").write_text("[user]\n\tname = S\n\temail = s@example.org\n")
        letter = "Subject: [PATCH] mm: a title\nBase: baseline\n\nWhy.\n"
        self.write("patches/series/cover-letter", letter)
        self.write(".ci/run", "#!/bin/bash\n")
        self.write("lib/kunit-configs/kmemleak.config", "")
        self.git(self.repo, "init", "--quiet")

    def perl(self, checkpatch: str = "exit 0", doc: str = "exit 0") -> None:
        self.tool("perl", PERL.format(checkpatch=checkpatch, doc=doc))

    def findings(self, **env: str) -> str:
        ran = self.program("lint", **env)
        self.assertEqual(1 if ran.stdout else 0, ran.status, ran.stderr)
        return ran.stdout

    def test_no_output_without_findings(self) -> None:
        ran = self.program("lint")
        self.assertEqual((0, ""), (ran.status, ran.stdout), ran.stderr)
        for name in ("checkpatch", "sparse", "clang", "coccinelle", "no findings"):
            self.assertIn(name, ran.stderr)

    def test_texts_are_checked(self) -> None:
        self.tool("codespell", 'echo "README.md:3: teh ==> the"; exit 1')
        self.tool(
            "shellcheck", 'case "$*" in *.ci/run*) echo ".ci/run:1:1: note: hm"; exit 1;; esac'
        )
        self.tool("mypy", 'echo "lint.py:1: error: no type"; exit 1')
        self.perl(REMARK.format(kind="LONG_LINE"), 'echo "mm/x.c:1: warning: no description" >&2')
        mail = "series/0001-change-vmemmap.patch"
        said = self.findings()
        for line in (
            f"checkpatch: {mail}: WARNING: said (LONG_LINE, line 9)",
            "kernel-doc: mm/x.c:1: warning: no description",
            "codespell: README.md:3: teh ==> the",
            "shellcheck: .ci/run:1:1: note: hm",
            "mypy: lint.py:1: error: no type",
        ):
            self.assertIn(f"{line}\n", said)

    def test_code_is_checked_by_each_compiler(self) -> None:
        for variables, name in (("C=", "gcc"), ("C=2", "sparse"), ("C=1", "clang")):
            said = self.findings(FAKE_C=variables, FAKE_AT=OURS)
            self.assertEqual(f"{name}: {OURS}: warning: {variables}\n", said)

    def test_code_that_only_fast_has_is_compiled_there(self) -> None:
        patch = (self.repo / "patches/series/0002-two.patch").read_text(encoding="utf-8")
        self.write("patches/speed/series", "0001-three.patch\n")
        self.write("patches/speed/0001-three.patch", patch.replace("two", "three"))
        self.write(
            "patches/speed/cover-letter", "Subject: [PATCH] mm: a title\nBase: fixed\n\nWhy.\n"
        )
        at = "arch/arm64/mm/mmu.c:21:1"
        done = self.program("lint", FAKE_C="C=", FAKE_AT=at)
        self.assertEqual(f"gcc: {at}: warning: C=\n", done.stdout)
        self.assertIn("gcc on fast ...", done.stderr)

    def test_a_mutant_that_does_not_apply(self) -> None:
        for name, line in (("good", "int vmemmap_1;"), ("old", "int vmemmap;")):
            change = diff("mm/sparse-vmemmap.c", line, "int x;", "int vmemmap_0;", "int vmemmap_2;")
            text = f"Subject: {name}\n\nText.\n\nBreaks: A1\n---\n{change}"
            self.write(f"tools/testing/kunit/data/mutants/{name}.patch", text)
        self.assertRegex(self.findings(), r"\Amutants: old: .*mm/sparse-vmemmap\.c.*\n\Z")

    def test_warnings_of_unchanged_lines_are_no_finding(self) -> None:
        self.assertEqual("", self.findings(FAKE_C="C=2", FAKE_AT="mm/sparse-vmemmap.c:3:1"))
        self.assertEqual("", self.findings(FAKE_C="C=", FAKE_AT="mm/memory.h:3:1"))

    def test_semantic_patches_with_a_report_mode_run(self) -> None:
        theirs = "echo mm/sparse-vmemmap.c:7:1-2: WARNING: not ours"
        self.tool("spatch", f'echo "{OURS}-2: WARNING: $*"\n{theirs}')
        said = self.findings()
        self.assertEqual(1, said.count("\n"), said)
        self.assertIn(f"coccinelle: a.cocci: {OURS}-2: WARNING: ", said)
        self.assertIn(" --no-includes ", said)
        self.assertIn(" mm/sparse-vmemmap.c", said)

    def test_a_clang_that_is_too_old_is_left_out(self) -> None:
        self.tool("clang", CLANG.format(version="11.0.1"))
        ran = self.program("lint", FAKE_C="C=1")
        self.assertEqual((0, ""), (ran.status, ran.stdout), ran.stderr)
        self.assertIn("needs a newer clang", ran.stderr)

    def test_remarks_of_checkpatch_that_are_ignored(self) -> None:
        self.perl(REMARK.format(kind="UNKNOWN_COMMIT_ID"))
        self.assertEqual("", self.findings())

    def test_a_new_file_needs_a_maintainers_entry_in_the_series(self) -> None:
        self.perl(REMARK.format(kind="FILE_PATH_CHANGES"))
        self.assertIn("(FILE_PATH_CHANGES, line 9)", self.findings())


if __name__ == "__main__":
    unittest.main()
