# SPDX-License-Identifier: GPL-2.0
"""Plain-text tables."""

import unittest

from harness.base.table import table


class Table(unittest.TestCase):
    def test_columns_are_as_wide_as_their_content(self) -> None:
        rows = [("", "passed", "s"), ("series 4k", 140, "7"), ("x", "-", "100")]
        self.assertEqual(
            ["           passed    s", "series 4k     140    7", "x               -  100"],
            table(rows),
        )
        self.assertEqual(
            ["           passed  s", "series 4k  140"], table([rows[0], rows[1][:2]], "l")
        )

    def test_sides(self) -> None:
        self.assertEqual(
            ["aa  b c", " a bb c"], table([("aa", "b", "c"), ("a", "bb", "c")], "rrl", 1)
        )
        self.assertEqual([], table([]))


if __name__ == "__main__":
    unittest.main()
