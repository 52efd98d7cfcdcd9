# SPDX-License-Identifier: GPL-2.0
"""How make check reads the results of pytest."""

import tempfile
import unittest
from pathlib import Path

from harness.kernel.finding import Kind
from harness.verdict import host_tests


class Reading(unittest.TestCase):
    def read(self, xml: str, status: int = 0) -> tuple[int, list[Kind]]:
        """The number of results, and the kinds of the findings."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "x.xml"
            if xml:
                path.write_text(xml)
            (Path(directory) / "log").write_text("the end\n")
            cases = host_tests.read(path, status, Path(directory) / "log")
        return len(cases), [case.finding.kind for case in cases if case.finding]

    def suite(self, *inner: str) -> str:
        cases = (
            f'<testcase classname="t.C" name="c{n}">{x}</testcase>' for n, x in enumerate(inner)
        )
        return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"

    def test_results(self) -> None:
        self.assertEqual((2, []), self.read(self.suite("", "")))
        bad = self.suite("", "<failure>E</failure>", "<error>E</error>", '<skipped message="m"/>')
        kinds = [Kind.HOST_TEST, Kind.HOST_TEST, Kind.SKIPPED]
        self.assertEqual((4, kinds), self.read(bad, 1))
        # pytest does not fail because of a skipped test.
        self.assertEqual((1, [Kind.SKIPPED]), self.read(self.suite("<skipped/>")))

    def test_no_results_are_not_a_pass(self) -> None:
        for xml in ("", "<", self.suite(), "<html/>"):
            self.assertEqual((1, [Kind.EMPTY]), self.read(xml), xml)
        self.assertEqual((2, [Kind.EMPTY]), self.read(self.suite(""), 3))


if __name__ == "__main__":
    unittest.main()
