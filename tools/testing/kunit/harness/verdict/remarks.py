# SPDX-License-Identifier: GPL-2.0
"""What checkpatch and the compiler's further warnings say about a patch."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.base.console import tail
from harness.base.errors import CommandError
from harness.kernel import defaults, image, options
from harness.request.settings import Settings

CHECKPATCH = "scripts/checkpatch.pl"

# Errors about the mail rather than about the code. They are told and not held
# against a revision: a draft may lack a sign-off, and our repository has not the
# history in which a commit could be looked up.
_ABOUT_THE_MAIL = frozenset(
    {
        "MISSING_SIGN_OFF",
        "NO_AUTHOR_SIGN_OFF",
        "BAD_SIGN_OFF",
        "FROM_SIGN_OFF_MISMATCH",
        "GIT_COMMIT_ID",
        "UNKNOWN_COMMIT_ID",
    }
)

_REMARK = re.compile(r"^.*?:(\d+): (ERROR|WARNING|CHECK):(\w+): (.*)$")
_WARNING = re.compile(r"^(\S+?):\d+(?::\d+)?: ((?:fatal )?(?:warning|error): .*)$")


@dataclass(frozen=True)
class Remark:
    """A remark of checkpatch; line counts in the patch."""

    level: str
    kind: str
    text: str
    line: int

    @property
    def is_fault(self) -> bool:
        """Whether the patch cannot go in like this."""
        return self.level == "ERROR" and self.kind not in _ABOUT_THE_MAIL

    def __str__(self) -> str:
        return f"{self.level}: {self.text} ({self.kind}, line {self.line})"


def checkpatch(tree: Path, patch: Path) -> tuple[Remark, ...] | None:
    """Ask the tree's checkpatch.pl about a patch; None if the tree has none.

    Raises CommandError when it does not work.
    """
    if not (tree / CHECKPATCH).exists():
        return None
    argv = ["perl", CHECKPATCH, "--strict", "--show-types", "--terse", "--no-summary", str(patch)]
    done = process.run(argv, cwd=str(tree), expect=range(256))
    found = [_REMARK.match(line) for line in done.stdout.splitlines()]
    remarks = tuple(Remark(m[2], m[3], m[4], int(m[1])) for m in found if m)
    if done.status not in (0, 1) or (done.status == 1 and not remarks):
        raise CommandError(
            f"{CHECKPATCH} failed with status {done.status}",
            f"try it by hand in {tree}",
            tail(done.stderr + done.stdout, 5),
        )
    return remarks


def checkpatch_settings() -> str:
    """The user's ~/.checkpatch.conf, which checkpatch.pl reads if the tree has none."""
    try:
        return (Path.home() / ".checkpatch.conf").read_text(errors="backslashreplace")
    except OSError:
        return ""


def warnings(
    tree: Path, build_dir: Path, wanted: Settings, files: Sequence[str], log: Path, timeout: float
) -> tuple[str, ...]:
    """What the compiler says with W=1 about the given files of a kernel that was built.

    Files that this kernel is not made of are left out. They are compiled beside
    it, for with other options all of it would have to be built again.
    Raises CommandError, proc.TimedOut.
    """
    sources = [f for f in files if f.endswith(".c") and (tree / f).exists()]
    objects = [str(Path(f).with_suffix(".o")) for f in sources]
    objects = [o for o in objects if (build_dir / o).exists()]
    if not objects:
        return ()
    beside = build_dir.with_name(f"{build_dir.name}-w1")
    beside.mkdir(exist_ok=True)
    config = build_dir / ".config"
    if config.exists() and not _same(config, beside / ".config"):
        shutil.copyfile(config, beside / ".config")
    return compile_objects(tree, beside, [*make_variables(wanted), "W=1"], objects, log, timeout)


def compile_objects(
    tree: Path,
    build_dir: Path,
    variables: Sequence[str],
    objects: Sequence[str],
    log: Path,
    timeout: float,
) -> tuple[str, ...]:
    """What is said when these objects are made anew in a directory that is configured.

    Raises CommandError, proc.TimedOut.
    """
    for name in objects:
        (build_dir / name).unlink(missing_ok=True)
    argv = ["make", f"O={build_dir.name}", *variables, *objects]
    env = image.build_env()
    status = process.run_logged(argv, str(log), cwd=str(tree), env=env, timeout=timeout)
    text = log.read_text(errors="replace")
    said = read_warnings(text)
    if status != 0 and not any("error: " in line for line in said):
        raise CommandError(f"make {' '.join(variables[-1:])} failed", f"see {log}", tail(text, 5))
    return said


def read_warnings(log: str) -> tuple[str, ...]:
    """The warnings and errors in a compiler's output, with paths from the tree's top."""
    lines = (re.sub(r"^(?:\.\./)+|^\./", "", line) for line in log.splitlines())
    return tuple(dict.fromkeys(line for line in lines if _WARNING.match(line)))


def new_warnings(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Those that came, wherever in their file they stand."""
    known = Counter(_without_line(line) for line in before)
    found: list[str] = []
    for line in after:
        what = _without_line(line)
        if known[what] > 0:
            known[what] -= 1
        else:
            found.append(line)
    return tuple(found)


def make_variables(wanted: Settings, *more: str) -> list[str]:
    """The variables with which kunit.py, given more options, would call make."""
    line = defaults.with_defaults(options.take_apart(["build", "--arch=arm64", *more]), wanted)
    found = ["ARCH=arm64"]
    found += [f"CROSS_COMPILE={value}" for value in line.values("--cross_compile")]
    found += line.values("--make_options")
    jobs = (line.values("--jobs") or [str(os.cpu_count() or 1)])[-1]
    return [*found, f"--jobs={jobs}"]


def _without_line(line: str) -> str:
    match = _WARNING.match(line)
    return f"{match[1]}: {match[2]}" if match else line


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()
