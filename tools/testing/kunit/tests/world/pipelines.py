# SPDX-License-Identifier: GPL-2.0
"""make check-pipelines: run .gitlab-ci.yml in a fake world, check the GitHub workflows, and build
the image of Containerfile.

It is not a part of make check, because it needs npm to fetch gitlab-ci-local, and the image takes
2 GB. The jobs are the real ones. They run in a clone with a fake kernel and a fake kunit.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from harness.base import builddir, packages, process, program
from harness.base.console import say
from harness.request import settings
from harness.request.settings import REPO
from harness.request.variables import Command
from tests.unit.test_judge import CASES
from tests.world.fake import DATA, Ran, World

# The newest version that runs on Node 20.
GITLAB_CI_LOCAL = "gitlab-ci-local@4.61.1"
# Checks the grammar of GitHub workflows.
ACTION_VALIDATOR = ("@action-validator/cli@0.6.0", "@action-validator/core@0.6.0")
NPM = packages.Requirement("npm", "npm")
RSYNC = packages.Requirement("rsync", "rsync")
# podman uses the same library to build, and needs more rights to run.
BUILDAH = packages.Requirement("buildah", "buildah")
MMDEBSTRAP = packages.Requirement("mmdebstrap", "mmdebstrap")


def program_of(name: str) -> Path:
    """The path of a program that npm installs."""
    return settings.read().build / "npm/node_modules/.bin" / name


def runner() -> Path:
    """The path of gitlab-ci-local."""
    return program_of("gitlab-ci-local")


def main(_argv: list[str]) -> int:
    """Install gitlab-ci-local below BUILD, then run the tests of this file."""
    Command("make check-pipelines", frozenset({"BUILD"})).given(os.environ)
    packages.ensure([packages.GIT, packages.MAKE, NPM, RSYNC, BUILDAH, MMDEBSTRAP])
    wanted = settings.read()
    builddir.mark(wanted.build)
    if not (runner().exists() and program_of("action-validator").exists()):
        names = [GITLAB_CI_LOCAL, *ACTION_VALIDATOR]
        say(f"installing {' '.join(names)} ...")
        directory = wanted.build / "npm"
        directory.mkdir(exist_ok=True)
        process.run(["npm", "install", "--no-audit", "--no-fund", *names], cwd=str(directory))
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case)
        for case in (Workflows, Pipelines, Container)
    )
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


class Workflows(unittest.TestCase):
    """The GitHub workflows: their grammar only."""

    def validate(self, path: Path) -> int:
        argv = [str(program_of("action-validator")), str(path)]
        return subprocess.run(argv, capture_output=True, timeout=60).returncode

    def test_grammar(self) -> None:
        paths = sorted((REPO / ".github/workflows").glob("*.yml"))
        self.assertGreater(len(paths), 1)
        for path in paths:
            with self.subTest(path.name):
                self.assertEqual(0, self.validate(path))

    def test_a_mistake_is_found(self) -> None:
        text = (REPO / ".github/workflows/kunit.yml").read_text()
        with tempfile.TemporaryDirectory() as top:
            path = Path(top) / "kunit.yml"
            path.write_text(text.replace("timeout-minutes: 10", "timeout-minuts: 10"))
            self.assertNotEqual(0, self.validate(path))


class Pipelines(World):
    """The GitLab pipeline. Each guest prints FAKE_CONSOLE."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("Makefile", ".gitlab-ci.yml", ".ci"):
            if (REPO / name).is_dir():
                shutil.copytree(REPO / name, self.repo / name)
            else:
                shutil.copy(REPO / name, self.repo / name)
        self.write("tools/testing/kunit/tests/__init__.py", "")
        self.write(
            "tools/testing/kunit/tests/test_it.py",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): pass\n",
        )
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in ("baseline", "stock", "skips"):
            self.write(f"tools/testing/kunit/data/expected/{name}", "")
        self.env["PATH"] += ":" + os.environ["PATH"]
        self.env["GIT_CONFIG_GLOBAL"] = str(
            self.write("../gitconfig", "[user]\nname = A\nemail = a@b\n")
        )
        for argv in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-qm", "all"],
            ["remote", "add", "origin", "https://gitlab.example/mm/altmap.git"],
        ):
            self.git(self.repo, *argv)

    def pipeline(self, log: str) -> Ran:
        """Run all jobs. Each runs in a copy of the clone, with the artifacts of earlier jobs."""
        argv = [
            str(runner()),
            "--force-shell-executor",
            "--shell-isolation",
            "--no-color",
            "--variable",
            "CONFIGS=4k 64k",
            "--variable",
            "FLAVOURS=stock fixed",
        ]
        env = {**self.env, "FAKE_CONSOLE": str(DATA / f"{log}.log")}
        done = subprocess.run(
            argv, cwd=self.repo, env=env, capture_output=True, text=True, timeout=300
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def test_everything_passes(self) -> None:
        ran = self.pipeline("pass")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        for command in (
            "make check ALL=1",
            "make matrix SHARD=$CI_NODE_INDEX/$CI_NODE_TOTAL",
            "make report",
        ):
            self.assertIn(command, ran.stdout)
        # Four shards with one kernel each. Each kernel boots twice and runs five cases.
        self.assertEqual(4, ran.stdout.count(" 10 passed, 0 failed"), ran.stdout)
        self.assertEqual(1, ran.stdout.count(" 40 passed, 0 failed"), ran.stdout)

    def test_a_case_that_fails(self) -> None:
        ran = self.pipeline("failure")
        self.assertNotEqual(0, ran.status)
        self.assertIn("make report", ran.stdout)
        self.assertIn(" 32 passed, 8 failed", ran.stdout)


class Container(unittest.TestCase):
    """The image of Containerfile, on a Debian that was made here: no registry is asked."""

    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp(dir=settings.read().build))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)

    def buildah(self, *words: str) -> str:
        """Run buildah with a store of its own, and without namespaces, which CI may lack."""
        store = [f"--root={self.top}/store", f"--runroot={self.top}/run", "--storage-driver=vfs"]
        env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        done = subprocess.run(
            ["buildah", *store, *words],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
        self.assertEqual(0, done.returncode, "\n".join(done.stdout.splitlines()[-40:]))
        return done.stdout.strip()

    def test_the_image_has_all_that_altmap_needs(self) -> None:
        base = self.top / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(base)], check=True
        )
        scratch = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", scratch, str(base), "/")
        self.buildah("commit", "--quiet", "--rm", scratch, "localhost/debian:12")
        base.unlink()
        image = "--from=localhost/debian:12"
        self.buildah(
            "build", "--pull=never", "--layers=false", image, "--tag=localhost/altmap", str(REPO)
        )
        inside = self.buildah("from", "--pull=never", "localhost/altmap")
        for words in (
            ["tools/testing/kunit/altmap", "--help"],
            ["aarch64-linux-gnu-gcc", "--version"],
            ["sh", "-c", "cd tools/testing/kunit && pytest-3 -q -p no:cacheprovider tests/unit"],
        ):
            with self.subTest(" ".join(words)):
                self.buildah("run", f"--volume={REPO}:/src:ro", inside, "--", *words)


if __name__ == "__main__":
    sys.exit(program.main_guard(main, sys.argv[1:]))
