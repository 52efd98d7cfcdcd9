# SPDX-License-Identifier: GPL-2.0
"""Write a page that lists the judged revisions and the cases that changed between them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from harness.kernel.finding import Status
from harness.revision import style
from harness.revision.report import Word

UNFINISHED = {Word.RUNNING.value, Word.STOPPED.value}


@dataclass(frozen=True)
class Entry:
    """A judged revision. cases has the status of each case at the tip, with config."""

    name: str
    title: str
    source: str
    version: int
    linux: str
    when: float
    word: str
    headline: str
    config: str = ""
    cases: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The heading of a column."""
        return f"v{self.version}" if self.version else Path(self.source).name

    @property
    def day(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.when))


def page(entries: Sequence[Entry]) -> str:
    """Return the page for entries that are sorted by time."""
    titles = dict.fromkeys(entry.title for entry in reversed(entries))
    lines = [style.head("Revisions judged here"), "<h1>Revisions judged here</h1>"]
    for title in titles:
        lines += _series(title, [entry for entry in entries if entry.title == title])
    return "\n".join([*lines, "</body></html>", ""])


def _series(title: str, entries: Sequence[Entry]) -> list[str]:
    """The revisions of a series, newest first, and the cases in which they differ."""
    lines = [f"<h2>{escape(title)}</h2>", '<div class="wide"><table class="list">']
    for entry in reversed(entries):
        lines.append(
            f"<tr><td>{escape(entry.label)}</td><td>{entry.day}</td><td>Linux {escape(entry.linux)}"
            f'</td><td class="{escape(entry.word)}"><a href="{escape(entry.name)}.html">'
            f"{escape(entry.headline)}</a>{_notes(entry)}</td></tr>"
        )
    lines.append("</table></div>")
    return [*lines, *_changes([entry for entry in entries if entry.cases])]


def _notes(entry: Entry) -> str:
    """Whether the run is not finished, and how many cases differed between two boots."""
    count = sum(status == Status.FLAKY.value for status in entry.cases.values())
    unfinished = f" ({entry.word})" if entry.word in UNFINISHED else ""
    return unfinished + (f' <span class="flaky">{count} flaky</span>' if count else "")


def _changes(entries: Sequence[Entry]) -> list[str]:
    """A table of the cases that differ between revisions, for one config."""
    entries = [entry for entry in entries if entry.config == entries[-1].config]
    names = sorted({name for entry in entries for name in entry.cases})
    rows = [(name, [entry.cases.get(name, "") for entry in entries]) for name in names]
    rows = [(name, found) for name, found in rows if len(set(found)) > 1]
    if not rows:
        return []
    heads = "".join(f"<th>{escape(entry.label)}</th>" for entry in entries)
    count = f"{len(rows)} case{'s' * (len(rows) > 1)} changed"
    lines = [f"<details open><summary>{count} ({escape(entries[0].config)})</summary>"]
    lines += [f'<div class="wide"><table><thead><tr><th>case</th>{heads}</tr></thead>']
    for name, found in rows:
        cells = "".join(f'<td class="{word or "none"}">{style.mark(word)}</td>' for word in found)
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return [*lines, "</table></div></details>"]
