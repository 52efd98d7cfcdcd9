# SPDX-License-Identifier: GPL-2.0
"""Keep a page for each judged revision, updated while it is judged, and an index of them."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from harness.base import archive
from harness.revision import html, index
from harness.revision import text as revision_text
from harness.revision.index import Entry
from harness.revision.judged import Judged
from harness.revision.report import Report, Word


class History:
    """A directory with a page and a record for each revision. It has one writer at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        for entry in self.entries():
            if entry.word == Word.RUNNING.value:
                # It was killed, or else it would hold the lock.
                self._write(replace(entry, word=Word.STOPPED.value))

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first."""
        return sorted(self._read(), key=lambda entry: entry.when)

    def page(self, judged: Judged) -> Path:
        """Return the path of the page of a revision."""
        return self._directory / f"{_name(judged)}.html"

    def record(self, report: Report, figure: str = "") -> None:
        """Write the page of a revision and the index."""
        new = report.new
        config, outcome = next(iter(new.tip.items()), ("", None))
        cases = {name: case.status.value for name, case in outcome.cases.items()} if outcome else {}
        page = html.page(report, figure)
        archive.write_whole(self.page(new), page)
        entry = Entry(
            _name(new),
            new.series.title,
            new.series.source,
            new.series.version,
            new.version,
            time.time(),
            report.word.value,
            revision_text.headline(report),
            config,
            cases,
        )
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        record = json.dumps(asdict(entry), indent=1)
        archive.write_whole(self._directory / f"{entry.name}.json", record + "\n")
        archive.write_whole(self._directory / "index.html", index.page(self.entries()))

    def _read(self) -> Iterator[Entry]:
        for path in self._directory.glob("*.json"):
            try:
                yield Entry(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                # Of another form, or not ours.
                continue


def _name(judged: Judged) -> str:
    """A name that depends on the patches and the kernel only."""
    series = judged.series
    slug = re.sub(r"[^a-z0-9]+", "-", series.title.lower()).strip("-")[:40].rstrip("-")
    version = f"-v{series.version}" if series.version else ""
    key = archive.key(judged.onto, judged.version, *(m.patch.data for m in series.members))
    return f"{slug or 'series'}{version}-{key[:8]}"
