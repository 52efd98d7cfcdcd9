# SPDX-License-Identifier: GPL-2.0
"""The GitHub workflow: what can be seen of it without GitHub."""

import re
import unittest

from tests.world.fake import TOOLS

TEXT = (TOOLS.parents[2] / ".github/workflows/kunit.yml").read_text(encoding="utf-8")
HEAD, _, JOBS = TEXT.partition("\njobs:\n")


def jobs() -> dict[str, str]:
    """The text of each job, by its name."""
    _, *parts = re.split(r"^  ([a-z]+):$", JOBS, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2]))


def steps(job: str) -> list[str]:
    """What a job runs and uses, in order."""
    return re.findall(r"^      - (?:run|uses): (.*)$", job, re.MULTILINE)


class Workflow(unittest.TestCase):
    def test_git_is_there_before_the_checkout(self) -> None:
        self.assertEqual(["check", "matrix", "report"], list(jobs()))
        for name, job in jobs().items():
            with self.subTest(name):
                first, second, third, *_ = steps(job)
                self.assertRegex(first, r"apt-get install .*\bca-certificates git$")
                self.assertEqual(("actions/checkout@v4", "./.ci/prepare"), (second, third))

    def test_a_pull_request_runs_once(self) -> None:
        self.assertIn("\n  push:\n    branches: [main]\n  pull_request:\n", HEAD)
        self.assertIn("\nconcurrency:\n", HEAD)

    def test_the_token_can_only_read(self) -> None:
        self.assertIn("\npermissions:\n  contents: read\n", HEAD)
        self.assertNotIn("write", TEXT)

    def test_no_job_runs_for_ever(self) -> None:
        for name, job in jobs().items():
            with self.subTest(name):
                self.assertRegex(job, r"\n    timeout-minutes: \d+\n")


if __name__ == "__main__":
    unittest.main()
