# SPDX-License-Identifier: GPL-2.0
"""Every program and make target that the documentation names exists."""

import os
import re
import unittest
from collections.abc import Iterator
from pathlib import Path

from harness import cli
from tests.world.fake import TOOLS

REPO = TOOLS.parents[2]
MAKEFILE = (REPO / "Makefile").read_text(encoding="utf-8")

# The start of a command in a code block or between backquotes, and the variables before it.
_CALL = r"(?:^[ \t]+|`|\"\$\(|\| )((?:[A-Z_]+=\S+ +)*)"
PROGRAM = re.compile(_CALL + r"(\./(?:tools|\.ci)/[\w./-]+)", re.MULTILINE)
MAKE = re.compile(_CALL + r"make ([a-z][a-z0-9-]*)\b((?: +[A-Z_]+=\S+)*)", re.MULTILINE)


def documents() -> list[Path]:
    """README.md and all pages of Documentation/."""
    return [REPO / "README.md", *sorted((REPO / "Documentation").rglob("*.rst"))]


def found(pattern: "re.Pattern[str]") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each match in the documents: its file and line, and its groups."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.end()) + 1
            yield f"{path.relative_to(REPO)}:{line}", match.groups()


class Documented(unittest.TestCase):
    def test_programs_can_be_started(self) -> None:
        calls = [(where, groups[1].rstrip(".")) for where, groups in found(PROGRAM)]
        self.assertIn("./tools/testing/kunit/kunit.py", [name for _, name in calls])
        for where, name in calls:
            with self.subTest(f"{where}: {name}"):
                self.assertTrue(os.access(REPO / name, os.X_OK), "not executable")
                self.assertTrue((REPO / name).read_bytes().startswith(b"#!"), "no #! line")

    def test_targets_are_in_the_makefile(self) -> None:
        targets = {*cli.NAMES, *re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE)}
        named = [(where, groups[1]) for where, groups in found(MAKE)]
        self.assertLess({"check", "tree", "revision"}, {name for _, name in named})
        for where, name in named:
            with self.subTest(where):
                self.assertIn(name, targets)

    def test_each_command_is_a_target(self) -> None:
        targets = re.search(r"^COMMANDS := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
        assert targets
        self.assertEqual(list(cli.NAMES), targets[1].replace("\\", "").split())

    def test_each_command_is_a_module(self) -> None:
        modules = {path.stem for path in (TOOLS / "harness/commands").glob("*.py")}
        self.assertEqual(set(cli.NAMES) | {"__init__"}, modules)

    def test_bisecting_is_not_done_through_make(self) -> None:
        # make turns status 125, "skip this commit", into 2, which means "bad".
        texts = {path: path.read_text(encoding="utf-8") for path in documents()}
        texts = {path: text for path, text in texts.items() if "bisect run" in text}
        self.assertTrue(texts)
        for path, text in texts.items():
            with self.subTest(str(path.relative_to(REPO))):
                self.assertTrue(re.search(r"git bisect run [^`\n]*kunit\.py", text))
                self.assertFalse(re.search(r"git bisect run [^`\n]*\bmake\b", text))
                self.assertTrue(re.search(r"`make`+\s+turns 125 into 2", text))

    def test_each_page_is_in_the_index(self) -> None:
        # Each page has ":orphan:", for kernel trees, so Sphinx does not report a missing entry.
        top = REPO / "Documentation"
        pages = {str(path.relative_to(top).with_suffix("")) for path in top.rglob("*.rst")}
        index = (top / "index.rst").read_text(encoding="utf-8")
        listed = re.findall(r"^   ([\w/-]+)$", index, re.MULTILINE)
        self.assertEqual(sorted(pages - {"index"}), sorted(listed))


if __name__ == "__main__":
    unittest.main()
