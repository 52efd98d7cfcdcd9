# SPDX-License-Identifier: GPL-2.0
"""The parser of patches, compared with git."""

import re
import unittest

from harness.base import process
from harness.request.settings import REPO
from harness.trees import diff
from harness.trees.git import environment

MAIL = b"""\
Subject: [PATCH] x

--- a diff could begin like this
---
 mm/a.c | 2 +-

diff --git a/mm/old.c b/mm/new.c
rename from mm/old.c
rename to mm/new.c
diff --git a/bin b/bin
GIT binary patch
diff --git a/mm/a one.c b/mm/a one.c
--- a/mm/a one.c\t
+++ b/mm/a one.c\t
@@ -1 +1 @@
-x
+y
"""
HUNKS = """\
--- a/mm/a.c
+++ b/mm/a.c
@@ -3,3 +3,4 @@ void f(void)
 \tint x;
-\t--- x;
+\t++ x;
+++ y;
 \treturn;
@@ -20,2 +21,0 @@
-gone
-gone
@@ -30,0 +30 @@
+a\x0cb
\\ No newline at end of file
--- /dev/null
+++ b/mm/b.c
@@ -0,0 +1,2 @@
+one
+two
"""


class Diff(unittest.TestCase):
    def test_files(self) -> None:
        found = diff.files(MAIL)
        self.assertEqual(("bin", "mm/a one.c", "mm/new.c", "mm/old.c"), found)

    def test_files_of_quilt(self) -> None:
        found = diff.files(b"--- linux-6.12.orig/mm/a.c\t2026\n+++ linux-6.12/mm/a.c\t2026\n")
        self.assertEqual(("mm/a.c",), found)
        self.assertEqual((), diff.files(b"--- /dev/null\n"))

    def test_files_are_those_that_git_sees(self) -> None:
        patches = sorted(REPO.glob("patches/*/*.patch"))
        self.assertGreater(len(patches), 5)
        for path in patches:
            argv = ["git", "apply", "--numstat", "-z", str(path)]
            lines = process.run(argv, cwd="/", env=environment()).stdout.split("\0")
            names = {line.split("\t", 2)[2] for line in lines if line}
            with self.subTest(path.name):
                self.assertEqual(names, set(diff.files(path.read_bytes())))

    def test_added_lines(self) -> None:
        found = {name: dict(lines) for name, lines in diff.added(HUNKS).items()}
        first = {4: "\t++ x;", 5: "++ y;", 30: "a\x0cb"}
        self.assertEqual({"mm/a.c": first, "mm/b.c": {1: "one", 2: "two"}}, found)
        self.assertEqual({}, diff.added(""))

    def test_as_many_lines_as_git_counts(self) -> None:
        for path in REPO.glob("patches/*/*.patch"):
            text = path.read_text(encoding="utf-8")
            said = process.run(["git", "apply", "--numstat", str(path)], cwd="/").stdout
            counted = {name: int(n) for n, name in re.findall(r"^(\d+)\t\d+\t(.*)$", said, re.M)}
            found = {name: len(lines) for name, lines in diff.added(text).items()}
            with self.subTest(path.name):
                self.assertEqual({name: n for name, n in counted.items() if n}, found)


if __name__ == "__main__":
    unittest.main()
