# SPDX-License-Identifier: GPL-2.0
"""What patches/suites/plan sends to the kernel: the contract, and which suite checks which rule."""

import re
import unittest

from harness.request.settings import FLAVOURS, REPO

_RULES = r"\b([A-O])(\d+)\b(?: to [A-O](\d+)\b)?"


def rules(text: str) -> set[str]:
    """The rules that a text names, one by one or as in "A1 to A6"."""
    return {
        f"{letter}{number}"
        for letter, first, last in re.findall(_RULES, text)
        for number in range(int(first), int(last or first) + 1)
    }


def cited(source: str) -> set[str]:
    """The rules that the comments of a suite cite, except the first, which says how it does."""
    comments = re.findall(r"/\*.*?\*/", source, re.DOTALL)[1:]
    # A line with a tab is a drawing.
    drawing = re.compile(r"^ \*.*\t.*$", re.MULTILINE)
    return rules(drawing.sub("", "\n".join(comments)))


class Plan(unittest.TestCase):
    def test_it_names_the_rules_that_suites_cite(self) -> None:
        plan = (REPO / "patches/suites/plan").read_text(encoding="utf-8")
        for block in plan.split("%%\n")[1:]:
            for suite in re.findall(r"\S+_kunit\.c", block):
                stated = re.search(r"It checks the rules? [^.]*", block)
                with self.subTest(suite=suite):
                    source = (REPO / suite).read_text(encoding="utf-8")
                    self.assertEqual(cited(source), rules(stated[0] if stated else ""))

    def test_the_contract_names_no_flavour(self) -> None:
        text = (REPO / "Documentation/mm/vmemmap_altmap.rst").read_text(encoding="utf-8")
        self.assertEqual([], [name for name in FLAVOURS if f"``{name}``" in text])


if __name__ == "__main__":
    unittest.main()
