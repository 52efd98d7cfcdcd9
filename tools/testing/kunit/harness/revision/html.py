# SPDX-License-Identifier: GPL-2.0
"""Write a verdict as one HTML page, without network access or scripts."""

from collections.abc import Sequence
from html import escape

from harness.base.console import counted
from harness.base.table import printable
from harness.kernel.finding import Status
from harness.revision import noticed, style, tables
from harness.revision import text as revision_text
from harness.revision.blame import Fault
from harness.revision.outcomes import Case, Outcome
from harness.revision.report import Report, Word

# In seconds.
_REFRESH = 5


def page(report: Report, figure: str = "") -> str:
    """Return the page. figure is an SVG of what backs the memmap, if there is one."""
    columns = _columns(report)
    new = report.new
    head = revision_text.headline(report)
    said = f"{new.series.title}: {counted(len(new.series.members), 'patch')} on Linux {new.version}, {new.onto}"
    parts = [
        style.head(f"{head}: {new.series.title}", _REFRESH if report.word is Word.RUNNING else 0),
        f'<h1 class="{report.word.value}">{escape(head)}</h1>',
        f'<p class="soft">{escape(said)}{_progress(report)}</p>',
        *_causes(report, columns),
        "<h2>Patch by case</h2>",
        '<input type="checkbox" id="only"><label for="only"> only cases that do not pass everywhere'
        "</label>",
        "<p>Click on a cell for what the kernel said in that case, on the head of a column for the "
        "whole log.</p>",
        *_grid(report, columns),
    ]
    if report.noticed:
        parts += noticed.section(report.noticed)
    if figure:
        parts += ["<h2>What the memmap is backed by</h2>", f'<div class="wide">{figure}</div>']
    parts += _folded("Tables", revision_text.full(report))
    if report.range_diff:
        parts += _folded("git range-diff", report.range_diff)
    parts += _logs(columns)
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _progress(report: Report) -> str:
    """How many builds and boots are done, if the run is not finished."""
    done, total = report.progress
    if report.word is Word.RUNNING:
        return f"; {done} of {total} builds and boots are done, and this page follows them"
    if report.word is Word.STOPPED:
        return f"; stopped after {done} of {total} builds and boots: the same command goes on there"
    return ""


def _folded(head: str, text: str) -> list[str]:
    return [f"<details><summary>{head}</summary><pre>{escape(text)}</pre></details>"]


def _causes(report: Report, columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    """An entry for each cause, with links to its cases."""
    rows = {name: row for row, name in enumerate(_case_names(columns))}
    lines: list[str] = []
    for cause in report.causes:
        title = report.new.states[cause.patch].title if cause.patch else ""
        whose = f"Patch {cause.patch}: {title}" if cause.patch else "The tip"
        configs = f" ({' '.join(cause.configs)})" if cause.configs else ""
        lines += [f'<div class="cause"><h3>{escape(whose + configs)}</h3>']
        if not cause.first.is_of_case:
            lines.append(f"<p>{escape(cause.what)}</p>")
        if cause.evidence:
            lines.append(f"<pre>{escape(chr(10).join(cause.evidence[:12]))}</pre>")
        links = [
            f'<a href="#c{place}-{rows[fault.case]}">{escape(fault.case)}</a>'
            for fault in {f.case: f for f in cause.faults if f.case in rows}.values()
            for place in [_column(fault, columns)]
            if place is not None
        ]
        if links:
            shown = "<p>" + "<br>".join(links[:3]) + "</p>"
            lines.append(shown)
            if len(links) > 3:
                rest = "<br>".join(links[3:])
                lines.append(
                    f"<details><summary>and {len(links) - 3} more</summary>{rest}</details>"
                )
        lines.append("</div>")
    return lines


def _column(fault: Fault, columns: Sequence[tuple[str, str, int, Outcome]]) -> int | None:
    """The column of a fault: that of its patch if the case is there, else the last one."""
    there = [
        (place, number)
        for place, (_, _, number, outcome) in enumerate(columns)
        if outcome.run.config == fault.config and fault.case in outcome.cases
    ]
    own = [place for place, number in there if number == fault.patch]
    return own[0] if own else there[-1][0] if there else None


def _columns(report: Report) -> list[tuple[str, str, int, Outcome]]:
    """The columns: heading, long heading, patch number, outcome."""
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
    lines = ['<div class="wide"><table><thead><tr><th>case</th>']
    for place, (head, longer, _, outcome) in enumerate(columns):
        ends = " ".join(tables.endings(outcome))
        lines.append(
            f'<th title="{escape(longer)}"><a href="#c{place}">{escape(head)}</a><br>{ends}</th>'
        )
    lines.append("</tr></thead><tbody>")
    for row, name in enumerate(_case_names(columns)):
        known = [o.cases[name] for *_, o in columns if name in o.cases]
        is_fine = all(case.status is Status.PASSED for case in known)
        lines.append(f"<tr{' class=fine' if is_fine else ''}><th>{escape(name)}</th>")
        for place, (_, _, _, outcome) in enumerate(columns):
            case = outcome.cases.get(name)
            if case is None:
                lines.append('<td class="none">-</td>')
                continue
            kind = case.status.value
            mark = style.mark(kind)
            if not case.is_good and (name, outcome.run.config) in at_fault:
                kind += " fault"
            lines.append(f'<td class="{kind}"><a href="#c{place}-{row}">{mark}</a></td>')
        lines.append("</tr>")
    return [*lines, "</tbody></table></div>"]


def _case_names(columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    names: dict[str, None] = {}
    for *_, outcome in columns:
        names.update(dict.fromkeys(outcome.cases))
    return sorted(names)


def _logs(columns: Sequence[tuple[str, str, int, Outcome]]) -> list[str]:
    """A section for each cell and each column, hidden until it is the target of a link."""
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
    return (
        f'<section class="log" id="{ident}"><a class="close" href="#">close</a>'
        f"<h3>{escape(head)}</h3><pre>{escape(printable(text))}</pre></section>"
    )
