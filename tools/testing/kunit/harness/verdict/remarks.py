# SPDX-License-Identifier: GPL-2.0
"""Messages of checkpatch, and compiler warnings, about patches."""

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.base.console import tail
from harness.base.errors import CommandError
from harness.kernel import defaults, image
from harness.request.settings import Settings

CHECKPATCH = "scripts/checkpatch.pl"

# Errors about the mail rather than the code. They are reported but are no faults: a draft
# may lack a sign-off, and a prepared tree lacks the history to look up commits.
_ABOUT_THE_MAIL = frozenset(
    "MISSING_SIGN_OFF NO_AUTHOR_SIGN_OFF BAD_SIGN_OFF FROM_SIGN_OFF_MISMATCH GIT_COMMIT_ID "
    "UNKNOWN_COMMIT_ID".split()
)

_REMARK = re.compile(r"^.*?:(\d+): (ERROR|WARNING|CHECK):(\w+): (.*)$")
_WARNING = re.compile(r"^(\S+?):\d+(?::\d+)?: ((?:fatal )?(?:warning|error): .*)$")


@dataclass(frozen=True)
class Remark:
    """A message of checkpatch. line counts in the patch."""

    level: str
    kind: str
    text: str
    line: int

    @property
    def is_fault(self) -> bool:
        """Whether the message must be fixed before the patch can be merged."""
        return self.level == "ERROR" and self.kind not in _ABOUT_THE_MAIL

    def __str__(self) -> str:
        return f"{self.level}: {self.text} ({self.kind}, line {self.line})"


def checkpatch(tree: Path, patch: Path) -> tuple[Remark, ...] | None:
    """Run the tree's checkpatch.pl on a patch. None if the tree has none.

    Raises CommandError if checkpatch itself fails.
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
            f"run it by hand in {tree}",
            tail(done.stderr + done.stdout, 5),
        )
    return remarks


def checkpatch_settings() -> str:
    """The content of ~/.checkpatch.conf, which checkpatch.pl reads if the tree has none."""
    try:
        return (Path.home() / ".checkpatch.conf").read_text(errors="backslashreplace")
    except OSError:
        return ""


def warnings(
    tree: Path, build_dir: Path, wanted: Settings, files: Sequence[str], log: Path, timeout: float
) -> tuple[str, ...]:
    """The W=1 warnings about files of a kernel that has been built.

    Files that are not part of this kernel are left out. A separate build directory keeps W=1
    from invalidating the whole build. Raises CommandError, process.TimedOut.
    """
    sources = [f for f in files if f.endswith(".c") and (tree / f).exists()]
    objects = [f"{f[:-2]}.o" for f in sources if (build_dir / f"{f[:-2]}.o").exists()]
    if not objects:
        return ()
    beside = build_dir.with_name(f"{build_dir.name}-w1")
    beside.mkdir(exist_ok=True)
    config = build_dir / ".config"
    if config.exists() and not _same(config, beside / ".config"):
        shutil.copyfile(config, beside / ".config")
    variables = [*make_variables(wanted), "W=1"]
    return compile_objects(beside, variables, objects, log, timeout)[0]


def compile_objects(
    build_dir: Path, variables: Sequence[str], objects: Sequence[str], log: Path, timeout: float
) -> tuple[tuple[str, ...], bool]:
    """Recompile objects in a configured build directory.

    A name that ends with a slash stands for all objects of that directory.

    Returns the compiler's messages, and whether it succeeded. Raises CommandError if make
    failed for another reason, and process.TimedOut.
    """
    for name in objects:
        place = build_dir / name
        for path in place.glob("*.o") if name.endswith("/") else [place]:
            path.unlink(missing_ok=True)
    status = image.make(build_dir, [*variables, *objects], log, timeout)
    text = log.read_text(errors="replace")
    said = read_warnings(text)
    if status != 0 and not any("error: " in line for line in said):
        raise CommandError(f"make {' '.join(variables[-1:])} failed", f"see {log}", tail(text, 5))
    return said, status == 0


def read_warnings(log: str) -> tuple[str, ...]:
    """The warnings and errors in compiler output, with paths relative to the tree."""
    lines = (re.sub(r"^(?:\.\./)+|^\./", "", line) for line in log.splitlines())
    return tuple(dict.fromkeys(line for line in lines if _WARNING.match(line)))


def new_warnings(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The warnings that are new, ignoring line numbers."""
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
    """The arguments of make for kunit.py build with more options."""
    return image.make_variables(defaults.command_line(wanted, "build", *more))


def _without_line(line: str) -> str:
    match = _WARNING.match(line)
    return f"{match[1]}: {match[2]}" if match else line


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


def lines(text: str, pattern: str) -> list[str]:
    """The lines of a text that match a pattern."""
    return [line for line in text.splitlines() if re.search(pattern, line)]
