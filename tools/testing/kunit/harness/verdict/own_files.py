# SPDX-License-Identifier: GPL-2.0
"""Check this repository's own files: spelling, shell scripts and Python code.

Each check returns findings, a line each.
"""

import re
from pathlib import Path

from harness.base import process
from harness.request.settings import REPO, TOOLS
from harness.trees import git
from harness.verdict import host_tests
from harness.verdict.remarks import lines


def codespell() -> list[str]:
    """Look for misspelled words. Host tests misspell some on purpose."""
    tests = "tools/testing/kunit/tests/"
    files = [f for f in _tracked() if not f.startswith(tests) and f != "COPYING"]
    # mm/damon, and libnvdimm's devices.
    argv = [
        "codespell",
        "--quiet-level=3",
        "--ignore-words-list=damon,extraversion,filp,nd",
        *files,
    ]
    done = process.run(argv, cwd=str(REPO), expect=range(256))
    return lines(done.stdout, r"==>")


def shellcheck() -> list[str]:
    """Check shell scripts."""
    scripts = [f for f in _tracked() if f.endswith(".sh") or _is_shell(REPO / f)]
    # SC3043: dash and busybox support "local".
    argv = ["shellcheck", "--format=gcc", "--severity=warning", "--exclude=SC3043", *scripts]
    return lines(process.run(argv, cwd=str(REPO), expect=(0, 1)).stdout, ".")


def mypy() -> list[str]:
    """Check types, as make check does."""
    return [line for finding in host_tests.type_check().findings for line in finding.log]


def python() -> list[str]:
    """Check the format of the Python code, and run pyflakes on it."""
    sources = ["altmap", "kunit.py", "harness", "tests"]
    found: list[str] = []
    for argv in (["black", "--check", "-q"], ["isort", "--check", "-q"], ["pyflakes3"]):
        done = process.run([*argv, *sources], cwd=str(TOOLS), expect=range(256))
        said = (done.stdout + done.stderr).splitlines()
        found += said or ([f"{argv[0]} would change files"] if done.status else [])
    return found


def _tracked() -> list[str]:
    """The files of this repository, new ones included."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    names = process.run(argv, cwd=str(REPO), env=git.environment()).stdout.split("\0")
    return [name for name in names if name and (REPO / name).is_file()]


def _is_shell(path: Path) -> bool:
    with open(path, "rb") as file:
        first = file.readline(80)
    return re.match(rb"#!\s*/(?:usr/)?bin/(?:env )?(?:ba|da)?sh\b", first) is not None
