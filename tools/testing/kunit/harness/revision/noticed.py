# SPDX-License-Identifier: GPL-2.0
"""Show which small changes to the lines of a series the suites notice, beside the lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.base.table import printable


@dataclass(frozen=True)
class Change:
    """A change to one line. noticed is None if it makes no kernel that could show it."""

    line: int
    title: str
    verdict: str
    noticed: bool | None
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """The lines that the series adds to a file, by number, and the changes made to them."""

    path: str
    lines: Mapping[int, str]
    changes: tuple[Change, ...]

    def at(self, line: int) -> list[Change]:
        """Return the changes to a line that could be noticed."""
        return [c for c in self.changes if c.line == line and c.noticed is not None]


@dataclass(frozen=True)
class Noticed:
    """What became of all changes, with one config."""

    config: str
    files: tuple[File, ...]

    @property
    def tried(self) -> list[tuple[File, Change]]:
        """The changes that could be noticed."""
        return [(f, c) for f in self.files for c in f.changes if c.noticed is not None]

    @property
    def missed(self) -> list[tuple[File, Change]]:
        """Those that no case noticed."""
        return [(file, change) for file, change in self.tried if not change.noticed]

    @property
    def sentence(self) -> str:
        """Return the score in one line."""
        total, missed = len(self.tried), len(self.missed)
        made = sum(len(file.changes) for file in self.files)
        if not made:
            return f"there is nothing in its lines to change ({self.config})"
        if not total:
            return f"none of {made} changes to its lines can be seen in a kernel ({self.config})"
        return f"{total - missed} of {total} changes to its lines are noticed ({self.config})"


def text(noticed: Noticed, few: int) -> list[str]:
    """Return the score and the first changes that nobody noticed."""
    missed = noticed.missed
    lines = [f"Mutants: {noticed.sentence}"]
    for file, change in missed[:few]:
        lines.append(f"  {file.path}:{change.line}: {change.title}")
    if len(missed) > few:
        lines.append(f"  and {len(missed) - few} more that no case noticed")
    return lines


def document(noticed: Noticed) -> dict[str, Any]:
    """Return the same for machines."""
    changes = [
        {
            "file": file.path,
            "line": change.line,
            "change": change.title,
            "verdict": change.verdict,
            "noticed": change.noticed,
            "by": list(change.by),
        }
        for file in noticed.files
        for change in file.changes
    ]
    return {"config": noticed.config, "changes": changes}


def section(noticed: Noticed) -> list[str]:
    """Return HTML: each added line, and below it the changes that nobody noticed."""
    lines = [
        "<h2>Mutants</h2>",
        f"<p>{escape(noticed.sentence)}. Each line that the series adds is marked: <b>+</b> all "
        "changes to it are noticed, <b>!</b> not all. Below such a line stand the changes that no "
        "case noticed.</p>",
    ]
    for file in noticed.files:
        body = "\n".join(_lines(file))
        lines.append(f'<h3>{escape(file.path)}</h3><pre class="mutants">{body}</pre>')
    return lines


def _lines(file: File) -> Iterator[str]:
    before: int | None = None
    for number, source in sorted(file.lines.items()):
        if before is not None and number != before + 1:
            yield "      ..."
        before = number
        tried = file.at(number)
        missed = [change for change in tried if not change.noticed]
        kind, mark = ("missed", "!") if missed else ("caught", "+") if tried else ("", " ")
        shown = escape(printable(source.expandtabs(8)))
        yield f'<span class="{kind}">{number:5} {mark} {shown}</span>'
        for change in missed:
            yield f'<span class="missed">        {escape(change.title)} ({change.verdict})</span>'


def of_file(path: str, source: str, added: set[int], changes: Sequence[Change]) -> File:
    """Return a file with those of its lines that were added."""
    lines = source.splitlines()
    return File(path, {number: lines[number - 1] for number in sorted(added)}, tuple(changes))
