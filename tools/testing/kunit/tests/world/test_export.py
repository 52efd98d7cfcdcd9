# SPDX-License-Identifier: GPL-2.0
"""make export: the content of the mails, and what git am makes of them."""

import tempfile
import unittest
from pathlib import Path

from harness.outgoing import contents
from harness.request.settings import HOME_BASE, REPO
from harness.trees import alone, layers, versions
from harness.trees.git import Git
from tests.world.fake import KERNEL, World, patch

LETTER = "Subject: [PATCH v3] mm: a title\nBase: {base}\n{more}\nWhy, and who is affected.\n"

# A fake perl. make export calls it for get_maintainer.pl only.
MAINTAINERS = """\
case "$*" in
*--nom*) echo linux-mm@kvack.org;;
*--nor*--nol*) echo 'A. Maintainer <am@example.org>';;
esac"""

PLAN = """\
From: A. Developer <dev@example.org>
Stays: mm/tests/*.private
# The order is that of the mails.
%%
Patch: hooks/0001-hook.patch
%%
Subject: mm/tests: add what tests share
Files: mm/tests/.kunitconfig mm/tests/Makefile
 mm/tests/Kconfig mm/tests/lib.c
Patch: suites/0001-entry.patch

Nothing uses it yet.
%%
Subject: mm/tests: test the vmemmap
Files: mm/tests/vmemmap_kunit.c Documentation/mm/altmap.rst

It was not tested.
"""

MAKEFILE = """\
# SPDX
obj-$(CONFIG_LIB)	+= lib.o
obj-$(CONFIG_TEST)	+= vmemmap_kunit.o

ifdef CONFIG_TEST
obj-$(CONFIG_LEAKS)	+= vmemmap_kunit.o
endif
"""

KCONFIG = """\
# SPDX

config TEST
	bool "Test"
	help
	  One.

	  If unsure, say N.

# Shared.
config LIB
	def_bool TEST

config LEAKS
	bool
"""


class Exporting(World):
    def setUp(self) -> None:
        super().setUp()
        self.tool("perl", MAINTAINERS)
        self.identity = self.top / ".gitconfig"
        self.identity.write_text("[user]\n\tname = S. Ender\n\temail = sender@example.org\n")
        self.letter("series", "baseline")
        self.out = self.build / "outgoing"

    def letter(self, name: str, base: str, more: str = "") -> None:
        self.write(f"patches/{name}/cover-letter", LETTER.format(base=base, more=more))

    def export(self) -> None:
        ran = self.program("export")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertEqual("", ran.stdout)

    def mails(self, name: str) -> list[Path]:
        return sorted((self.out / name).glob("*.patch"))

    def add_fixes(self, second: int = 30) -> None:
        """Add two fixes. The second one changes the given line."""
        self.write("patches/fixes/series", "0001-a.patch\n0002-b.patch\n")
        self.write("patches/fixes/0001-a.patch", patch("mm/memory.c", "memory", 20, "int a;"))
        self.write("patches/fixes/0002-b.patch", patch("mm/memory.c", "memory", second, "int b;"))

    def seen_alone(self) -> None:
        """Record that both fixes, in their current form, were tested alone."""
        alone.write(self.repo / "patches/fixes", [{"4k": 1}, {"4k": 0}], "6.12")


class Mails(Exporting):
    def test_cover_letter_is_filled_in(self) -> None:
        self.export()
        cover, *patches = self.mails("series")
        self.assertEqual("0000-cover-letter.patch", cover.name)
        text = cover.read_text()
        self.assertIn("\nSubject: [PATCH v3 0/2] mm: a title\n", text)
        self.assertIn('\nFrom: "S. Ender" <sender@example.org>\n', text)
        self.assertIn("\n\nWhy, and who is affected.\n", text)
        self.assertIn("change vmemmap", text)
        self.assertNotIn("***", text)
        self.assertEqual(2, len(patches))

    def test_base_commit_and_prerequisite_patches(self) -> None:
        tree = self.make_tree()
        base = self.git(tree, "rev-list", "--max-parents=0", "HEAD")
        self.export()
        text = self.mails("series")[0].read_text()
        self.assertIn(f"\nbase-commit: {base}\n", text)
        self.assertEqual(1, text.count("\nprerequisite-patch-id: "))

    def test_each_mail_has_recipients(self) -> None:
        self.export()
        for mail in self.mails("series"):
            text = mail.read_text()
            self.assertIn("\nTo: A. Maintainer <am@example.org>\n", text)
            self.assertIn("\nCc: linux-mm@kvack.org\n", text)

    def test_the_sender_signs_off_and_the_author_stays(self) -> None:
        self.export()
        for mail in self.mails("series")[1:]:
            text = mail.read_text()
            self.assertIn('\nFrom: "A. Developer" <dev@example.org>\n', text)
            self.assertIn("\nBecause.\n\nSigned-off-by: S. Ender <sender@example.org>\n---\n", text)

    def test_without_an_identity_nothing_is_written(self) -> None:
        self.export()
        before = [mail.read_text() for mail in self.mails("series")]
        for text, word in (("", "user.name"), ("[user]\n\tname = S. Ender\n", "user.email")):
            self.identity.write_text(text)
            self.assert_error(self.program("export"), 2, word, "git config --global")
        self.assertEqual(before, [mail.read_text() for mail in self.mails("series")])

    def test_git_am_applies_the_mails_in_any_order(self) -> None:
        self.add_fixes()
        self.seen_alone()
        self.letter("fixes", "stock", "Order: any\n")
        self.export()
        linux = self.unpack_kernel()
        self.git(linux, "init", "--quiet")
        self.git(linux, "add", "--force", ".")
        self.git(linux, "commit", "--quiet", "--message=base")
        first, second = map(str, self.mails("fixes")[1:])
        self.git(linux, "am", "--quiet", second, first)
        text = KERNEL["mm/memory.c"].replace("int memory_20;", "int a;")
        self.assertEqual(
            text.replace("int memory_30;", "int b;"), (linux / "mm/memory.c").read_text()
        )

    def test_order_any_is_checked(self) -> None:
        self.add_fixes(second=21)
        after = patch("mm/memory.c", "memory", 21, "int b;").replace(" int memory_20;", " int a;")
        self.write("patches/fixes/0002-b.patch", after)
        self.letter("fixes", "stock")
        self.export()
        self.letter("fixes", "stock", "Order: any\n")
        ran = self.program("export")
        self.assert_error(ran, 2, "0002-change-memory.patch does not apply by itself", "Order: any")
        self.assertEqual(3, len(self.mails("fixes")))

    def test_a_newer_kernel_has_its_own_letters_and_patches(self) -> None:
        self.pack_kernel(KERNEL, base="7.2")
        self.write("patches/tested-on", "6.12.117\n7.2.117\n")
        self.add_fixes()
        self.letter("fixes", "stock")
        self.write("patches/fixes/7.2/series", "0002-b.patch\n")
        self.write("patches/fixes/7.2/0002-b.patch", patch("mm/memory.c", "memory", 9, "int c;"))
        self.letter("fixes/7.2", "stock", "Patches: 0002\n")
        for base, lines in (("6.12", ["int a;", "int b;"]), ("7.2", ["int c;"])):
            ran = self.program("export", BASE=base)
            self.assertEqual(0, ran.status, ran.stderr)
            added = [
                line[1:]
                for mail in self.mails("fixes")[1:]
                for line in mail.read_text().splitlines()
                if line.startswith("+int")
            ]
            self.assertEqual(lines, added)

    def test_a_patch_that_was_not_tested_alone_is_not_exported(self) -> None:
        self.add_fixes()
        self.letter("fixes", "stock", "Alone: 6.12\n")
        words = ("0001-a.patch", "altmap revision", "--alone")
        self.assert_error(self.program("export"), 2, *words)
        self.seen_alone()
        self.export()
        changed = self.repo / "patches/fixes/0002-b.patch"
        changed.write_text(changed.read_text().replace("int b;", "int c;"))
        self.assert_error(self.program("export"), 2, "0002-b.patch")

    def test_a_directory_can_go_to_several_trees(self) -> None:
        self.add_fixes()
        for tree, number in (("mm", "0001"), ("arm64", "0002")):
            text = LETTER.format(base="stock", more=f"Patches: {number}\n")
            self.write(f"patches/fixes/cover-letter-{tree}", text)
        self.export()
        for tree, words in (("mm", "+int a;"), ("arm64", "+int b;")):
            _cover, *patches = self.mails(f"fixes-{tree}")
            self.assertEqual(1, len(patches))
            self.assertIn(words, patches[0].read_text())
        (self.repo / "patches/fixes/cover-letter-mm").unlink()
        self.assert_error(self.program("export"), 2, "fixes/0001-a.patch is in 0 cover letters")

    def test_a_letter_is_left_out_if_no_patch_of_it_is_needed(self) -> None:
        self.add_fixes()
        for tree, numbers in (("mm", "0001 0002"), ("newer", "0003")):
            text = LETTER.format(base="stock", more=f"Patches: {numbers}\n")
            self.write(f"patches/fixes/cover-letter-{tree}", text)
        self.export()
        self.assertEqual(3, len(self.mails("fixes-mm")))
        self.assertFalse((self.out / "fixes-newer").exists())

    def test_a_letter_names_its_base(self) -> None:
        makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\nNAME = N\n"
        self.pack_kernel({**KERNEL, "Makefile": makefile})
        text = LETTER.format(base="stock", more="").replace("Why", "For @BASE@. Why")
        self.write("patches/series/cover-letter", text)
        self.export()
        words = "For Linux 6.12.117 as in Debian's linux-source-6.12. Why"
        self.assertIn(words, self.mails("series")[0].read_text())

    def test_malformed_cover_letters(self) -> None:
        for text, words in (
            ("Base: stock\n\nText\n", "no subject"),
            ("Subject: [PATCH] a\n\nText\n", "does not name its base"),
            ("Subject: [PATCH] a\nBase: vanilla\n\nText\n", "no such flavour"),
            ("Subject: [PATCH] \N{LATIN SMALL LETTER E WITH ACUTE}\nBase: stock\n\n", "ASCII"),
        ):
            self.write("patches/series/cover-letter", text)
            self.assert_error(self.program("export"), 2, words)

    def test_a_series_without_recipients_is_an_error(self) -> None:
        self.tool("perl", "exit 0")
        self.assert_error(self.program("export"), 2, "finds no maintainer")

    def test_an_interruption_leaves_the_old_mails(self) -> None:
        self.export()
        before = [mail.read_text() for mail in self.mails("series")]
        self.tool("perl", 'sleep 1000 & echo $$ $! >"$FAKE_MARK"; wait')
        child = self.start("export")
        pids = self.wait_for_hang(child)
        self.assertEqual(130, self.interrupt(child).status)
        self.assert_gone(pids)
        self.assertEqual(before, [mail.read_text() for mail in self.mails("series")])
        self.tool("perl", MAINTAINERS)
        self.export()


class Plans(Exporting):
    def setUp(self) -> None:
        super().setUp()
        (self.repo / "patches/series/cover-letter").unlink()
        self.letter("suites", "stock")
        self.write("patches/suites/plan", PLAN)
        self.write(
            "patches/suites/0001-entry.patch",
            patch("mm/memory.c", "memory", 30, "/* M: @SENDER@ */"),
        )
        self.write("mm/tests/Makefile", MAKEFILE)
        self.write("mm/tests/Kconfig", KCONFIG)
        self.write("mm/tests/lib.c", "/* shared */\n")
        self.write("mm/tests/notes.private", "not for the kernel\n")
        self.write("Documentation/mm/altmap.rst", ".. SPDX\n\n:orphan:\n\nA page\n")

    def applied(self, count: int) -> Path:
        """A kernel tree with the first mails applied by git am."""
        linux = self.unpack_kernel(f"linux-{count}")
        self.git(linux, "init", "--quiet")
        self.git(linux, "add", "--force", ".")
        self.git(linux, "commit", "--quiet", "--message=base")
        self.git(linux, "am", "--quiet", *map(str, self.mails("suites")[1 : count + 1]))
        return linux

    def test_files_and_hooks_become_one_series(self) -> None:
        self.export()
        linux = self.applied(3)
        self.assertEqual(
            ["mm/tests: test the vmemmap", "mm/tests: add what tests share", "change memory"],
            self.git(linux, "log", "-3", "--format=%s").split("\n"),
        )
        self.assertEqual("/* a suite */\n", (linux / "mm/tests/vmemmap_kunit.c").read_text())
        self.assertEqual(MAKEFILE, (linux / "mm/tests/Makefile").read_text())
        self.assertEqual(KCONFIG, (linux / "mm/tests/Kconfig").read_text())
        self.assertTrue((linux / "mm/tests/.kunitconfig").exists())
        self.assertIn("int hook;", (linux / "mm/memory.c").read_text())
        self.assertFalse((linux / "mm/tests/notes.private").exists())

    def test_each_commit_names_only_existing_files(self) -> None:
        self.export()
        linux = self.applied(2)
        makefile = (linux / "mm/tests/Makefile").read_text()
        self.assertEqual("# SPDX\nobj-$(CONFIG_LIB)\t+= lib.o\n", makefile)
        kconfig = (linux / "mm/tests/Kconfig").read_text()
        self.assertEqual("# SPDX\n\n# Shared.\nconfig LIB\n\tdef_bool TEST\n", kconfig)

    def test_the_author_comes_from_the_plan_and_the_sender_signs_off(self) -> None:
        self.export()
        said = self.git(self.applied(3), "log", "-1", "--format=%an|%ae|%b")
        self.assertIn("A. Developer|dev@example.org|It was not tested.\n", said)
        self.assertIn("Signed-off-by: S. Ender <sender@example.org>", said)

    def test_sender_is_filled_in(self) -> None:
        self.export()
        text = (self.applied(2) / "mm/memory.c").read_text()
        self.assertIn("/* M: S. Ender <sender@example.org> */", text)

    def test_an_exported_page_has_no_orphan_line(self) -> None:
        self.export()
        page = self.applied(3) / "Documentation/mm/altmap.rst"
        self.assertEqual(".. SPDX\n\nA page\n", page.read_text())

    def test_a_file_that_no_plan_names_is_an_error(self) -> None:
        self.write("mm/tests/more_kunit.c", "/* another */\n")
        ran = self.program("export")
        self.assert_error(ran, 2, "no patch has the file mm/tests/more_kunit.c")
        (self.repo / "mm/tests/more_kunit.c").unlink()
        self.write("patches/suites/plan", PLAN.replace("Patch: hooks/0001-hook.patch\n%%\n", ""))
        self.assert_error(self.program("export"), 2, "no patch has the hook hooks/0001-hook.patch")

    def test_malformed_plans(self) -> None:
        for old, new, words in (
            ("mm/tests/lib.c", "mm/tests/lib.c mm/tests/vmemmap_kunit.c", "is in it twice"),
            ("mm/tests/lib.c", "mm/tests/lib.c mm/tests/none.c", "no file mm/tests/none.c"),
            ("0001-entry.patch", "0002-none.patch", "no patch suites/0002-none.patch"),
            ("It was not tested.", "", "has no message"),
            ("From: A. Developer <dev@example.org>\n", "", "has no author"),
            ("Files:", "Flies:", "'Flies:' is not a header"),
        ):
            self.write("patches/suites/plan", PLAN.replace(old, new, 1))
            self.assert_error(self.program("export"), 2, words)

    def test_a_patch_that_comes_too_early_is_an_error(self) -> None:
        self.write(
            "patches/suites/0001-entry.patch", patch("mm/tests/lib.c", "lib", 2, "int early;")
        )
        self.assert_error(self.program("export"), 2, "does not apply at its place")


class Ours(unittest.TestCase):
    def test_the_plan_names_every_new_file_and_hook(self) -> None:
        with tempfile.TemporaryDirectory() as top:
            git = Git(Path(top))
            git.run("init", "--quiet", "--bare", top)
            overlay = layers.read_overlay(git)
        plans = sorted(REPO.glob("patches/*/plan"))
        self.assertEqual([REPO / "patches/suites/plan"], plans)
        for path in plans:
            for change in contents.read(path.parent, overlay, versions.parse(HOME_BASE)):
                with self.subTest(change.title):
                    lines = change.message.splitlines()
                    self.assertLessEqual(max(map(len, lines), default=0), 75)


if __name__ == "__main__":
    unittest.main()
