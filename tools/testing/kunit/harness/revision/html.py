# SPDX-License-Identifier: GPL-2.0
"""A verdict on a revision as one HTML page that needs nothing else, no network and no script."""

from collections.abc import Sequence
from html import escape

from harness.kernel.finding import Status
from harness.revision import text as revision_text
from harness.revision.outcomes import Case, Outcome
from harness.revision.report import Report

_STYLE = """
body { font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222 }
pre { background: #f5f5f2; padding: .8em; overflow: auto; font-size: 12.5px }
table { border-collapse: collapse; font-size: 13px }
th { text-align: left; font-weight: normal; vertical-align: bottom; padding: .2em .5em }
thead th { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #999 }
td { text-align: center; border: 1px solid #fff; padding: 0 }
td a { display: block; padding: .1em .6em; text-decoration: none; color: #111 }
.passed { background: #b7e1b0 } .failed { background: #f2a19b } .skipped { background: #e4e4dc }
.missing, .flaky { background: #f6cf8b } .none { background: #f7f7f5; color: #999 }
.fault a { font-weight: bold; outline: 2px solid #a00; outline-offset: -2px }
.log { display: none } .log:target { display: block; position: fixed; inset: 8% 6%; overflow: auto;
background: #fff; border: 1px solid #444; padding: 1em 1.5em; box-shadow: 0 0 4em #666 }
.close { float: right }
"""

_WORDS = {"good": "good", "fault": "at fault", "flaky": "no verdict"}
_MARK = {
    Status.PASSED: "ok",
    Status.FAILED: "FAIL",
    Status.SKIPPED: "skip",
    Status.MISSING: "none",
    Status.FLAKY: "flaky",
}


def page(report: Report, figure: str = "") -> str:
    """The page. figure is an SVG of what the memmap is backed by, if there is one."""
    title = f"{report.new.series.title}: {_WORDS[report.word]}"
    columns = _columns(report)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.new.series.title)}</h1>",
        f"<pre>{escape(revision_text.full(report))}</pre>",
        "<h2>Patch by case</h2>",
        "<p>A click on a cell shows what the kernel said there, on the head of a column the whole "
        "log.</p>",
        *_grid(report, columns),
    ]
    if figure:
        parts += ["<h2>What the memmap is backed by</h2>", figure]
    if report.range_diff:
        parts += ["<h2>git range-diff</h2>", f"<pre>{escape(report.range_diff)}</pre>"]
    parts += _logs(columns)
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _columns(report: Report) -> list[tuple[str, str, int, Outcome]]:
    """The columns: head, longer head, number of the patch, outcome."""
    found: list[tuple[str, str, int, Outcome]] = []
    for state in report.new.states:
        for config, outcome in state.outcomes.items():
            head = f"{state.number} {config}" if state.number else f"base {config}"
            found.append((head, f"{head}: {state.title}", state.number, outcome))
    last = report.new.states[-1]
    for config, outcome in report.new.tip.items():
        if config not in last.outcomes:
            found.append((f"tip {config}", f"tip {config}", len(report.new.states) - 1, outcome))
    return found


def _grid(report: Report, columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    at_fault = {(f.case, f.config) for f in report.new.faults if f.is_of_case}
    lines = ["<table><thead><tr><th>case</th>"]
    for place, (head, longer, _, outcome) in enumerate(columns):
        ends = " ".join(revision_text.endings(outcome))
        lines.append(
            f'<th title="{escape(longer)}"><a href="#c{place}">{escape(head)}</a><br>{ends}</th>'
        )
    lines.append("</tr></thead><tbody>")
    for row, name in enumerate(_case_names(columns)):
        lines.append(f"<tr><th>{escape(name)}</th>")
        for place, (_, _, _, outcome) in enumerate(columns):
            case = outcome.cases.get(name)
            if case is None:
                lines.append('<td class="none">-</td>')
                continue
            kind = case.status.value
            if not case.is_good and (name, outcome.run.config) in at_fault:
                kind += " fault"
            mark = _MARK[case.status]
            lines.append(f'<td class="{kind}"><a href="#c{place}-{row}">{mark}</a></td>')
        lines.append("</tr>")
    return [*lines, "</tbody></table>"]


def _case_names(columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    names: dict[str, None] = {}
    for *_, outcome in columns:
        names.update(dict.fromkeys(outcome.cases))
    return sorted(names)


def _logs(columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    """A section for each cell and for each column, hidden until it is linked to."""
    rows = {name: row for row, name in enumerate(_case_names(columns))}
    lines: list[str] = []
    for place, (head, longer, _, outcome) in enumerate(columns):
        whole = outcome.run.console or "\n".join(outcome.run.said) or "nothing was said"
        findings = [f.text for f in outcome.findings]
        again = outcome.run.again
        second = [] if again is None else ["", "The second boot:", again]
        lines.append(_section(f"c{place}", longer, "\n".join([*findings, whole, *second])))
        for name, case in outcome.cases.items():
            lines.append(_section(f"c{place}-{rows[name]}", f"{name}, {head}", _said(case)))
    return lines


def _said(case: Case) -> str:
    return "\n".join([case.status.value, *case.log])


def _section(ident: str, head: str, text: str) -> str:
    plain = "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
    return (
        f'<section class="log" id="{ident}"><a class="close" href="#">close</a>'
        f"<h3>{escape(head)}</h3><pre>{escape(plain)}</pre></section>"
    )
