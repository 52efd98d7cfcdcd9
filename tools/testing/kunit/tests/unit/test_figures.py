# SPDX-License-Identifier: GPL-2.0
"""The figures that README and the cover letters give agree with data/expected."""

import re
import unittest
from collections.abc import Iterable

from harness.matrix import rows
from harness.request.settings import HOME_BASE, REPO
from harness.trees import versions
from harness.verdict import judge

Figures = tuple[int, int, int]


def read(path: str) -> str:
    return (REPO / path).read_text(encoding="utf-8")


def triples(words: str) -> list[Figures]:
    """All "passed / failed / skipped" or "passed, failed, skipped" of a line."""
    found = re.findall(r"\b(\d+)(?:, | +/ )(\d+)(?:, | +/ )(\d+)\b", words)
    return [(int(p), int(f), int(s)) for p, f, s in found]


class Written(unittest.TestCase):
    def assert_right(self, flavour: str, config: str, figures: Figures, cpu: str = "max") -> None:
        expected = judge.read_expectation(
            judge.EXPECTED, flavour, config, versions.parse(HOME_BASE), cpu
        )
        passed, failed, skipped = figures
        with self.subTest(flavour=flavour, config=config, cpu=cpu):
            self.assertEqual(len(expected.cases), passed + failed + skipped)
            self.assertEqual(len(expected.failing), failed)
            self.assertLessEqual(skipped, len(expected.skips))

    def assert_rows_right(self, text: str, sizes: Iterable[str], flavours: tuple[str, str]) -> None:
        for size in sizes:
            line = re.search(rf"^  {size.upper()} pages .*$", text, re.MULTILINE)
            assert line, size
            for flavour, figures in zip(flavours, triples(line[0]), strict=True):
                self.assert_right(flavour, size, figures)

    def test_readme_table(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \|.*$", read("README.md"), re.MULTILINE)
        self.assertEqual(["series", "baseline", "stock", "fixed", "fast"], rows)
        for row in re.finditer(r"^\| `(\w+)` \|.*$", read("README.md"), re.MULTILINE):
            for config, figures in zip(("4k", "64k"), triples(row[0]), strict=True):
                self.assert_right(row[1], config, figures)

    def test_readme_sample(self) -> None:
        row = r"^    (series|baseline|stock|fixed) (\S+) +(\d+) +(\d+) +(\d+) +0 +\d+$"
        found = re.findall(row, read("README.md"), re.MULTILINE)
        self.assertEqual(10, len(found))
        for flavour, config, passed, failed, skipped in found:
            self.assert_right(flavour, config, (int(passed), int(failed), int(skipped)))
        # The last line counts every expected result as passed.
        counts = re.findall(r"^    \S.*? +(\d+) +(\d+) +(\d+) +0 +\d+$", read("README.md"), re.M)
        total = sum(int(count) for row in counts for count in row)
        self.assertIn(f"\n    {total} passed, 0 failed\n", read("README.md"))

    def test_sample_of_the_matrix(self) -> None:
        page = read("Documentation/dev-tools/kunit/matrix.rst")
        row = r"^\t(series|stock) +(\S+) +(\S+) +- +1 +(\d+) +(\d+) +(\d+) +0$"
        found = re.findall(row, page, re.MULTILINE)
        self.assertEqual(8, len(found))
        for flavour, config, cpu, passed, failed, skipped in found:
            self.assert_right(flavour, config, (int(passed), int(failed), int(skipped)), cpu)
        chosen = rows.choose({})
        shard = rows.Shard(2, 4).take(chosen)
        counts = [len(rows.groups(shard)), len(rows.groups(chosen)), len(shard), len(chosen)]
        self.assertIn("{} of {} kernels and {} of {} boots".format(*counts), page)

    def test_cover_letter_of_the_series(self) -> None:
        text = read("patches/series/cover-letter")
        self.assert_rows_right(text, ("4k", "64k"), ("baseline", "series"))

    def test_cover_letter_of_the_suites(self) -> None:
        text = read("patches/suites/cover-letter")
        self.assert_rows_right(text, ("4k", "64k"), ("stock", "fixed"))
        failing = re.search(r"ignore the altmap, (\d+) of the (\d+) fail", " ".join(text.split()))
        assert failing
        expected = judge.read_expectation(
            judge.EXPECTED, "baseline", "4k", versions.parse(HOME_BASE)
        )
        counts = (len(expected.failing), len(expected.cases))
        self.assertEqual(counts, (int(failing[1]), int(failing[2])))

    def test_score_of_the_mutants(self) -> None:
        numbers = [
            re.search(words, " ".join(read(path).split()))
            for path, words in (
                (
                    "patches/suites/cover-letter",
                    r"of (\d+) generated changes, (\d+) were noticed, (\d+) change nothing that a "
                    r"case could see, (\d+) were missed, and (\d+) are in code",
                ),
                (
                    "Documentation/dev-tools/kunit/mutants-score.rst",
                    r"Of (\d+) mutants, the suites noticed (\d+): .*\. (\d+) are declared "
                    r"equivalent, (\d+) were missed, and no case runs the code of (\d+)\.",
                ),
            )
        ]
        letter, page = (found.groups() if found else None for found in numbers)
        self.assertIsNotNone(page)
        self.assertEqual(page, letter)


if __name__ == "__main__":
    unittest.main()
