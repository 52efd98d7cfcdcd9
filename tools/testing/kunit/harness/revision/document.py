# SPDX-License-Identifier: GPL-2.0
"""Write a verdict as JSON and JUnit."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.kernel.finding import Kind, Status, of_case
from harness.revision import noticed
from harness.revision.blame import Fault, Shown, State
from harness.revision.causes import Cause
from harness.revision.judged import Judged
from harness.revision.outcomes import Outcome, flaky_case, same
from harness.revision.report import Report
from harness.verdict.results import CaseResult, RunResult, failed

SCHEMA = "vmemmap-kunit-revision"


SCHEMA_VERSION = 2


def document(report: Report) -> dict[str, Any]:
    """Return the whole verdict. Documentation/dev-tools/kunit/revision-json.rst describes it."""
    new = report.new
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "verdict": report.word.value,
        "bisectable": None if report.tip_only else new.is_bisectable,
        "not_bisectable_at": list(new.not_bisectable),
        "seconds": round(report.seconds, 1),
        "base": {"linux": new.version, "onto": new.onto},
        "configs": {"patch": list(report.patch_configs), "tip": list(report.tip_configs)},
        "series": _series(new),
        "causes": [_cause(cause) for cause in report.causes],
        "faults": [_fault(fault) for fault in report.faults],
        "flaky": [
            {"where": where, "case": f.place.name or None, "what": f.text, "log": list(f.log)}
            for where, f in new.flaky
        ],
        "states": [_state(state) for state in new.states],
        "tip": {config: _outcome(outcome) for config, outcome in new.tip.items()},
        "against": _against(report),
        "mutants": noticed.document(report.noticed) if report.noticed else None,
    }


def _series(judged: Judged) -> dict[str, Any]:
    series = judged.series
    return {"source": series.source, "title": series.title, "patches": len(series.members)}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "patch": cause.patch,
        "kind": cause.first.finding.kind.value,
        "what": cause.what,
        "configs": list(cause.configs),
        "cases": list(cause.cases),
        "log": list(cause.evidence),
    }


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "patch": fault.patch,
        "shown": fault.shown.value,
        "kind": fault.finding.kind.value,
        "config": fault.config or None,
        "case": fault.case or None,
        "what": fault.text,
        "log": list(fault.finding.log),
    }


def _state(state: State) -> dict[str, Any]:
    remarks = None if state.remarks is None else [str(remark) for remark in state.remarks]
    return {
        "number": state.number,
        "title": state.title,
        "applies": state.applies,
        "checkpatch": remarks,
        "new_warnings": {c: list(w) for c, w in state.warnings.items()},
        "runs": {c: _outcome(o) for c, o in state.outcomes.items()},
        "turns_green": {c: list(names) for c, names in state.green.items()},
        "breaks": {c: list(names) for c, names in state.broken.items()},
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    run = outcome.run
    return {
        "ending": run.ending.value,
        "tree": run.tree,
        "key": run.key,
        "kept": run.is_kept,
        "build_seconds": run.build_seconds,
        "boot_seconds": run.boot_seconds,
        "said": list(run.said),
        "cases": {name: case.status.value for name, case in sorted(outcome.cases.items())},
        "findings": [
            {"kind": f.kind.value, "what": f.text, "log": list(f.log)} for f in outcome.findings
        ],
    }


def _against(report: Report) -> dict[str, Any] | None:
    if report.old is None or report.changes is None:
        return None
    changes = {
        config: {name: list(names) for name, names in asdict(change).items()}
        for config, change in report.changes.items()
    }
    return {**_series(report.old), "changes": changes, "range_diff": report.range_diff}


def junit_runs(report: Report) -> list[RunResult]:
    """Return a JUnit suite for each state and config, and one for the tip with each config."""
    runs: list[RunResult] = []
    for state in report.new.states[1:]:
        faults = [f for f in report.new.faults if f.patch == state.number]
        general = [f for f in faults if not f.config]
        if general or not state.outcomes:
            cases = [_failed(f) for f in general]
            name = f"patch {state.number}: {state.title}"
            runs.append(RunResult(name, tuple(cases or [CaseResult("patch", Status.SKIPPED)]), 0.0))
        for config, outcome in state.outcomes.items():
            own = [f for f in faults if f.config == config]
            runs.append(_run(f"patch {state.number} {config}: {state.title}", outcome, own))
    for config, outcome in report.new.tip.items():
        own = [f for f in report.new.faults if f.config == config and _is_there(f, outcome)]
        runs.append(_run(f"tip {config}", outcome, own))
    return runs


def _is_there(fault: Fault, outcome: Outcome) -> bool:
    """Whether a fault is present in an outcome, or a later patch has repaired it."""
    if fault.shown is Shown.TIP or fault.is_of_case:
        return True
    return same(fault.finding) in {same(finding) for finding in outcome.trouble}


def _run(name: str, outcome: Outcome, faults: Sequence[Fault]) -> RunResult:
    at_fault = {fault.case: fault.finding for fault in faults if fault.is_of_case}
    cases = [_failed(fault) for fault in faults if not fault.is_of_case]
    cases += [failed("the run", f) for f in outcome.findings if f.kind is Kind.FLAKY]
    for case, found in outcome.cases.items():
        status, suite = found.status, of_case(case).suite
        finding = None if found.is_good else at_fault.get(case)
        if status is Status.FLAKY:
            finding = flaky_case(case, found)
        elif status is Status.MISSING and finding is None:
            # It did not run, which is no pass.
            status = Status.SKIPPED
        cases.append(CaseResult(case, status, finding, suite))
    if not cases:
        # It could not be booted, for what an earlier patch did.
        cases.append(CaseResult("build", Status.SKIPPED))
    run = outcome.run
    kept = len(cases) if run.is_kept else 0
    return RunResult(name, tuple(cases), run.build_seconds + run.boot_seconds, kept)


def _failed(fault: Fault) -> CaseResult:
    finding = replace(fault.finding, text=fault.text)
    return CaseResult(finding.kind.value, Status.FAILED, finding)
