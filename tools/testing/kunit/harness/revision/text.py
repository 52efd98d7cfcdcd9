# SPDX-License-Identifier: GPL-2.0
"""Write a verdict as text, in full or short enough for a reply."""

import textwrap
from collections.abc import Iterable, Sequence

from harness.base.console import counted
from harness.base.table import WIDTH, cut
from harness.revision import noticed, tables
from harness.revision.causes import Cause, summary
from harness.revision.judged import Judged
from harness.revision.report import Report
from harness.verdict.results import from_earlier

_FEW = 4
_LOG_LINES = 8


# A reply to a mail is at most so many lines of so many characters.
_SHORT_LINES, _SHORT_WIDTH = 15, 75


def headline(report: Report) -> str:
    """Return the verdict in one line: the patch, what it did, and the configs."""
    return f"{'So far' if report.unfinished else 'Verdict'}: {_verdict(report)}"


def _verdict(report: Report) -> str:
    new = report.new
    total = len(new.series.members)
    if report.is_good:
        good = "" if report.unfinished else "good: "
        return f"{good}{counted(total, 'patch')}, nothing against {'it' if total == 1 else 'them'}"
    if not new.faults:
        return f"none: {len(new.flaky)} results differ between two boots; run it again"
    return "; ".join(
        _blame(number, total, [c for c in report.causes if c.patch == number])
        for number in dict.fromkeys(cause.patch for cause in report.causes)
    )


def _blame(number: int | None, total: int, found: Sequence[Cause]) -> str:
    configs = " ".join(dict.fromkeys(config for cause in found for config in cause.configs))
    where = f" ({configs})" if configs else ""
    if number:
        return f"patch {number}/{total} {summary(found)}{where}"
    cases = len({name for cause in found for name in cause.cases})
    if cases:
        return f"{cases} case{'s' * (cases > 1)} fail{'s' * (cases == 1)} at the tip{where}"
    return f"the tip {summary(found)}{where}"


def short(report: Report) -> str:
    """Return the text of a reply: the verdict, and as many causes as fit."""
    lines = [*textwrap.wrap(headline(report), _SHORT_WIDTH, subsequent_indent="  "), ""]
    said = "" if report.tip_only else f" {_bisectable(report.new)}."
    tail = [""] if report.causes else []
    tail.append(f"Linux {report.new.version}, {report.new.onto}.{said}")
    if report.noticed:
        tail += noticed.text(report.noticed, 0)[:1]
    shown = 0
    for cause in report.causes:
        entry = _entry(report, cause, 3 if len(report.causes) == 1 else 2, _SHORT_WIDTH)
        if len(lines) + len(entry) + len(tail) + 1 > _SHORT_LINES:
            break
        lines += entry
        shown += 1
    lines += _more(report.causes, shown)
    if not report.causes:
        lines += _flaky(report.new, 3)
    return "\n".join(cut(line, _SHORT_WIDTH) for line in [*lines, *tail])


def first_words(report: Report) -> list[str]:
    """Return the first cause."""
    return _entry(report, report.causes[0], 3)


def _entry(report: Report, cause: Cause, most: int, width: int = WIDTH) -> list[str]:
    """A cause: the patch, the cases, and the output."""
    where = f" ({' '.join(cause.configs)})" if cause.configs else ""
    title = f": {report.new.states[cause.patch].title}" if cause.patch else ":"
    whose = f"patch {cause.patch}" if cause.patch else "the tip"
    lines = [f"* {whose}{where}{title}"]
    if not cause.first.is_of_case:
        lines += _wrapped(cause.what, width, "  ")
    others = [name for name in cause.cases if cause.first.is_of_case or name != cause.first.case]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        lines.append(f"  {others[0]}{more}")
    evidence = [part for line in cause.evidence for part in _wrapped(line, width, "    ")]
    return [*lines, *evidence[:most]]


def _wrapped(line: str, width: int, indent: str) -> list[str]:
    """Wrap a line, because readers look for an address at its end."""
    return textwrap.wrap(
        line, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def _flaky(judged: Judged, few: int = _FEW) -> list[str]:
    """The results that differ between two boots."""
    found = judged.flaky
    if not found:
        return []
    lines = [f"  {where}: {finding.text}" for where, finding in found[:few]]
    logs = "  both logs: logs/*.console.log and logs/*.console-2.log"
    return ["FLAKY, so no patch is blamed for it:", *lines, *_more(found, few), logs, ""]


def full(report: Report) -> str:
    """Return the verdict, the causes, the tables, and the verdict again."""
    new = report.new
    lines = [
        headline(report),
        f"Revision: {new.series.title} ({counted(len(new.series.members), 'patch')})",
        f"On Linux {new.version}, {new.onto}; each patch with {_names(report.patch_configs)}, "
        + ("alone" if new.series.alone else f"the tip with {_names(report.tip_configs)}"),
        "",
    ]
    for cause in report.causes:
        lines += [*_entry(report, cause, _LOG_LINES), ""]
    lines += _flaky(new)
    if not report.tip_only:
        lines += [*tables.patches(report), "", _bisectable(new), ""]
        lines += _remarks(new)
        lines += _green(report)
    lines += [*tables.tip(report), *_kept(report), ""]
    lines += _changes(report)
    if report.noticed:
        lines += [*noticed.text(report.noticed, _FEW), ""]
    lines.append(headline(report))
    return "\n".join(map(cut, lines))


def _names(configs: Iterable[str]) -> str:
    return " ".join(configs) or "nothing"


def _kept(report: Report) -> list[str]:
    kept, total = report.kept
    return [f"*: {from_earlier(kept, total)}"] if kept else []


def _bisectable(judged: Judged) -> str:
    what = "Alone on the base" if judged.series.alone else "Bisectable"
    if judged.not_bisectable:
        return f"{what}: no, not at patch {', '.join(map(str, judged.not_bisectable))}"
    return f"{what}: yes" if judged.is_bisectable else f"{what}: not known, see FLAKY"


def _remarks(judged: Judged) -> list[str]:
    """The remarks of checkpatch that are no fault."""
    lines = [
        f"  {state.number}: {remark}"
        for state in judged.states
        for remark in state.remarks or ()
        if not remark.is_fault
    ]
    return ["checkpatch, for information:", *lines[:10], *_more(lines, 10), ""] if lines else []


def _green(report: Report) -> list[str]:
    lines: list[str] = []
    for state in report.new.states:
        for config in report.patch_configs:
            names = state.green.get(config, ())
            if names:
                lines.append(f"  patch {state.number}, {config}: {counted(len(names), 'case')}")
                lines += [f"    {name}" for name in names[:_FEW]] + _more(names, _FEW, "    ")
    return ["Turns green:", *lines, ""] if lines else []


def _more(names: Sequence[object], shown: int, indent: str = "  ") -> list[str]:
    return [f"{indent}and {len(names) - shown} more"] if len(names) > shown else []


def _changes(report: Report) -> list[str]:
    if report.changes is None or report.old is None:
        return []
    lines = [f"Against {report.old.series.source}:"]
    for config, changes in report.changes.items():
        parts = (
            ("fixed", changes.fixed),
            ("broken", changes.broken),
            ("new", changes.new),
            ("gone", changes.gone),
        )
        lines.append(f"  {config}: " + ", ".join(f"{what} {len(names)}" for what, names in parts))
        for what, names in parts:
            lines += [f"    {what}: {name}" for name in names[:_FEW]] + _more(names, _FEW, "    ")
    heads = [line for line in report.range_diff.splitlines() if line[:1] not in (" ", "")]
    heads += [x for x in report.range_diff.splitlines() if x.startswith(" ") and _is_head(x)]
    if heads:
        lines += ["  git range-diff:", *(f"    {line.strip()}" for line in heads)]
    return [*lines, ""]


def _is_head(line: str) -> bool:
    """Whether a line of git range-diff compares two commits."""
    return not line.startswith("    ") and line.lstrip()[:1] in "0123456789-" and ":" in line
