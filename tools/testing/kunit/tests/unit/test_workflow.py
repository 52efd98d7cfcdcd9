# SPDX-License-Identifier: GPL-2.0
"""The GitHub workflows, as far as they can be checked without GitHub."""

import re
import unittest

from tests.world.fake import TOOLS

WORKFLOWS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (TOOLS.parents[2] / ".github/workflows").glob("*.yml")
}


def jobs(text: str) -> dict[str, str]:
    """The text of each job, by its name."""
    _, *parts = re.split(r"^  ([a-z]+):$", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2]))


def steps(job: str) -> list[str]:
    """The commands and actions of a job, in order."""
    return re.findall(r"^      - (?:run|uses): (.*)$", job, re.MULTILINE)


class Workflows(unittest.TestCase):
    def test_names_of_workflows_and_jobs(self) -> None:
        found = {name: list(jobs(text)) for name, text in WORKFLOWS.items()}
        self.assertEqual({"kunit": ["check", "matrix", "report"], "revision": ["revision"]}, found)

    def test_git_is_installed_before_the_checkout(self) -> None:
        for name, text in WORKFLOWS.items():
            for job in jobs(text).values():
                with self.subTest(name):
                    first, second, third, *_ = steps(job)
                    self.assertRegex(first, r"apt-get install .*\bca-certificates git$")
                    self.assertEqual(("actions/checkout@v4", "./.ci/prepare"), (second, third))

    def test_a_pull_request_runs_once(self) -> None:
        self.assertIn("\n  push:\n    branches: [main]\n  pull_request:\n", WORKFLOWS["kunit"])
        self.assertNotIn("push:", WORKFLOWS["revision"])
        for text in WORKFLOWS.values():
            self.assertIn("\nconcurrency:\n", text)

    def test_the_token_can_only_read(self) -> None:
        for text in WORKFLOWS.values():
            self.assertIn("\npermissions:\n  contents: read\n", text)
            self.assertNotIn("write", text)

    def test_each_job_has_a_timeout(self) -> None:
        for name, text in WORKFLOWS.items():
            for job in jobs(text).values():
                with self.subTest(name):
                    self.assertRegex(job, r"\n    timeout-minutes: \d+\n")

    def test_jobs_that_compile_keep_ccache(self) -> None:
        for name, text in WORKFLOWS.items():
            for job in jobs(text).values():
                if re.search(r"make (check|matrix|revision)", job):
                    with self.subTest(name):
                        self.assertRegex(job, r"path: (?:\|\n\s+)?\.ccache\n")
            self.assertIn("\n  CCACHE_DIR: ${{ github.workspace }}/.ccache\n", text)


if __name__ == "__main__":
    unittest.main()
