# SPDX-License-Identifier: GPL-2.0
"""Write the files of a verdict."""

import json
import shutil
from pathlib import Path

from harness.base import picture
from harness.base.archive import Archive
from harness.base.console import say
from harness.originmap import draw, plot
from harness.originmap.draw import Map, MapError
from harness.revision import document as revision_document
from harness.revision import html
from harness.revision import text as revision_text
from harness.revision.report import Report
from harness.verdict import results


def write(report: Report, kept: Archive, out: Path, figure: str) -> None:
    """Write the reports, one of them with a figure, and copy the logs of all runs."""
    document = json.dumps(revision_document.document(report), indent=1) + "\n"
    (out / "results.json").write_text(document, encoding="utf-8")
    results.write_junit(revision_document.junit_runs(report), out / "results.xml")
    page = html.page(report, figure)
    (out / "report.html").write_text(page, encoding="utf-8")
    (out / "summary.txt").write_text(revision_text.full(report) + "\n", encoding="utf-8")
    (out / "short.txt").write_text(revision_text.short(report) + "\n", encoding="utf-8")
    if report.range_diff:
        (out / "range-diff.txt").write_text(report.range_diff + "\n", encoding="utf-8")
    logs = out / "logs"
    logs.mkdir()
    for name, key in _runs(report).items():
        for what in ("build", "console", "console-2"):
            log = kept.path(key) / f"kernel.{what}.log"
            if log.exists():
                shutil.copyfile(log, logs / f"{name}.{what}.log")


def origin_figure(report: Report) -> str:
    """Return an SVG of where the memmap lies, on the base and at the tip, or "" without data."""
    panels: list[tuple[str, Map]] = []
    for config in report.patch_configs:
        for name, found in (("base", report.new.base.outcomes), ("tip", report.new.tip)):
            if config not in found:
                return ""
            try:
                maps = draw.read(found[config].run.console)
            except MapError as error:
                say(f"note: no map of the memmap: {error.cause}")
                return ""
            panels += [(f"{config}, {name}", drawn) for drawn in maps[-1:]]
    if len(panels) != 2 * len(report.patch_configs):
        return ""
    if not picture.is_possible():
        say("note: report.html has no map of the memmap: python3-matplotlib is not installed")
        return ""
    return plot.figure(panels)


def _runs(report: Report) -> dict[str, str]:
    """The keys of all runs, by log name."""
    found: dict[str, str] = {}
    for state in report.new.states:
        for config, outcome in state.outcomes.items():
            found[f"{state.number:04d}-{config}"] = outcome.run.key
    for config, outcome in report.new.tip.items():
        found.setdefault(f"{len(report.new.states) - 1:04d}-{config}", outcome.run.key)
    return found
