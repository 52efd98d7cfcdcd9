# SPDX-License-Identifier: GPL-2.0
"""make docs: when it replaces the HTML pages, and when the old ones stay."""

import unittest

from tests.world.fake import World

# Writes its arguments to index.html in the output directory, which is the last argument.
SPHINX = 'for last; do :; done\nmkdir -p "$last"\necho "$srctree $*" >"$last/index.html"\n'
WARNS = SPHINX + 'echo "/x/page.rst:3: WARNING: Title underline too short." >&2\nexit 1'


class Docs(World):
    def setUp(self) -> None:
        super().setUp()
        self.tool("sphinx-build", SPHINX)
        self.tool("mkdir", 'exec /bin/mkdir "$@"')
        self.page = self.build / "docs/html/index.html"

    def test_pages_are_built_strictly_beside_a_prepared_tree(self) -> None:
        ran = self.program("docs")
        self.assertEqual((0, ""), (ran.status, ran.stdout), ran.stderr)
        tree, *argv = self.page.read_text().split()
        self.assertEqual(str(self.build / "linux-6.12/series"), tree)
        self.assertIn("-W", argv)
        self.assertIn(str(self.repo / "Documentation"), argv)

    def test_a_warning_is_a_failure_and_the_old_pages_stay(self) -> None:
        self.program("docs")
        before = self.page.read_text()
        self.tool("sphinx-build", WARNS)
        ran = self.program("docs")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertEqual("/x/page.rst:3: WARNING: Title underline too short.\n", ran.stdout)
        self.assertEqual(before, self.page.read_text())

    def test_removed_pages_leave_no_html(self) -> None:
        self.program("docs")
        gone = self.page.with_name("gone.html")
        gone.write_text("")
        self.program("docs")
        self.assertFalse(gone.exists())

    def test_a_broken_sphinx_is_an_error(self) -> None:
        self.tool("sphinx-build", 'echo "Extension error: no module kerneldoc" >&2; exit 2')
        ran = self.program("docs")
        self.assert_error(ran, 2, "sphinx-build failed", "kerneldoc")

    def test_an_interruption_leaves_the_old_pages(self) -> None:
        self.program("docs")
        before = self.page.read_text()
        self.hanging("sphinx-build", "*-b*")
        child = self.start("docs")
        pids = self.wait_for_hang(child)
        self.assertEqual(130, self.interrupt(child).status)
        self.assert_gone(pids)
        self.assertEqual(before, self.page.read_text())


if __name__ == "__main__":
    unittest.main()
