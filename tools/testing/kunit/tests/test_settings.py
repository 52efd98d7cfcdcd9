# SPDX-License-Identifier: GPL-2.0
"""What the user says through variables: what it means, and what is refused."""

import re
import unittest

import kunit
import settings
from errors import UsageError
from tests.fake import TOOLS

MAKEFILE = (TOOLS.parents[2] / "Makefile").read_text(encoding="utf-8")


class Flavours(unittest.TestCase):
    """settings.FLAVOURS is the only list of flavours."""

    def test_the_help_of_kunit_py(self) -> None:
        line = re.search(r"FLAVOUR=NAME +the tree: ([a-z, ]+);", kunit.OUR_HELP)
        assert line
        self.assertEqual(list(settings.FLAVOURS), line.group(1).split(", "))

    def test_make_help(self) -> None:
        line = re.search(r"'  FLAVOUR=([a-z|]+) ", MAKEFILE)
        assert line
        self.assertEqual(list(settings.FLAVOURS), line.group(1).split("|"))

    def test_the_error(self) -> None:
        with self.assertRaises(UsageError) as caught:
            settings.read({"FLAVOUR": "vanilla"})
        self.assertTrue(caught.exception.next_step.endswith(" ".join(settings.FLAVOURS)))


if __name__ == "__main__":
    unittest.main()
