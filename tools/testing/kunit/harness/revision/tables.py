# SPDX-License-Identifier: GPL-2.0
"""The tables of a verdict: each patch, and the whole series."""

from harness.base.table import table
from harness.kernel.finding import Kind, Status
from harness.revision.blame import State
from harness.revision.ending import Ending
from harness.revision.outcomes import Outcome
from harness.revision.report import Report


def _mark(outcome: Outcome | None) -> str:
    """The mark of a result from an earlier run."""
    return "*" if outcome and outcome.run.is_kept else ""


def patches(report: Report) -> list[str]:
    """Return a table with a row for each state and config."""
    heads = "patch appl chkp W=1 config build boot good green broke".split()
    rows = [["", *heads]]
    for state in report.new.states:
        for place, config in enumerate(report.patch_configs):
            rows.append(_row(state, config, first=place == 0))
    return table(rows, "rlllllllr", gap=1)


def _row(state: State, config: str, first: bool) -> list[str]:
    outcome = state.outcomes.get(config)
    build, boot = endings(outcome)
    good = str(len(outcome.good)) if outcome and outcome.cases else "-"
    is_base = state.number == 0
    number = "" if is_base else str(state.number)
    applies = {"ok": "ok", "failed": "FAIL"}.get(state.applies, "-")
    applies, style = ("-", "-") if is_base else (applies, _style(state))
    head = [number, state.title[:21], applies, style] if first else [""] * 4
    warned = "-" if is_base else _warned(state, config)
    green = "" if is_base or not outcome else f"+{len(state.green.get(config, ()))}"
    broke = "" if is_base or not outcome else f"-{len(state.broken.get(config, ()))}"
    return [*head, warned, config[:7] + _mark(outcome), build, boot, good, green, broke]


def _style(state: State) -> str:
    if state.remarks is None:
        return "-"
    errors = sum(remark.is_fault for remark in state.remarks)
    if errors:
        return f"{errors}E"
    return f"{len(state.remarks)}w" if state.remarks else "ok"


def _warned(state: State, config: str) -> str:
    found = state.warnings.get(config)
    return "-" if found is None else f"+{len(found)}" if found else "ok"


def endings(outcome: Outcome | None) -> tuple[str, str]:
    """Return one word for the build and one for the boot."""
    if outcome is None:
        return "-", "-"
    build = {
        Ending.RAN: "ok",
        Ending.BUILD_FAILED: "FAIL",
        Ending.BUILD_HUNG: "HANG",
        Ending.SUITES_STALE: "SUITE",
    }[outcome.run.ending]
    if outcome.run.ending is not Ending.RAN:
        return build, "-"
    kinds = {finding.kind for finding in outcome.findings} - {Kind.FLAKY}
    words = [word for kind, word in _BOOTS.items() if kind in kinds]
    words += ["FLAKY"] if outcome.flaky else []
    return build, next(iter(words), "ok")


# What can be said of a boot, the worst first.
_BOOTS = {
    Kind.PANIC: "PANIC",
    Kind.HANG: "HANG",
    Kind.DIED: "DIED",
    Kind.NEVER_BOOTED: "NONE",
    Kind.NO_KUNIT: "EMPTY",
    Kind.SPLAT: "SPLAT",
    Kind.DUPLICATE: "TWICE",
    Kind.KTAP: "KTAP",
}


_COUNTED = (Status.PASSED, Status.FAILED, Status.SKIPPED, Status.MISSING, Status.FLAKY)


def tip(report: Report) -> list[str]:
    """Return a table with a row for each config of the tip."""
    tip = report.new.tip
    if report.new.series.alone:
        return []
    if not tip:
        return ["The tip was not tried: not all patches apply."]
    heads = ("tip with", "build", "boot", *(s.value for s in _COUNTED), "known", "fault")
    rows: list[tuple[object, ...]] = [heads]
    for config, outcome in tip.items():
        build, boot = endings(outcome)
        counts = [outcome.count(status) for status in _COUNTED]
        wrong = {f.case for f in report.new.faults if f.config == config and f.case}
        failed = {n for n in outcome.cases if n not in outcome.good}
        died_in = {outcome.death.place.name} if outcome.death else set()
        fault = failed & wrong - (outcome.unknown - died_in)
        known = failed - wrong - (outcome.unknown - died_in)
        rows.append((config + _mark(outcome), build, boot, *counts, len(known), len(fault)))
    return [
        *table(rows, "lllr", gap=1),
        "known: fails for a bug of the base that the series does not claim to fix;",
        "a kernel that dies leaves the cases behind it missing",
    ]
