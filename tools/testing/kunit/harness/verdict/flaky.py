# SPDX-License-Identifier: GPL-2.0
"""Merge two boots of the same kernel. Differences between them are flaky."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.kernel.finding import Finding, Kind, Status, of_case
from harness.verdict.judge import Verdict
from harness.verdict.results import CaseResult


def confirmed(first: Verdict, boot_again: Callable[[], Verdict]) -> Verdict:
    """The verdict on a boot. If it fails, boot again before blaming anything."""
    return merge(first, boot_again()) if first.unexpected else first


def merge(first: Verdict, second: Verdict) -> Verdict:
    """The results that both boots agree on, and a FLAKY finding for each difference.

    A case that did not report because the kernel died before gets the result of the other boot.
    Two deaths count as a death even if they happened at different places.
    """
    names = dict.fromkeys(case.name for case in (*first.cases, *second.cases))
    before, after = ({c.name: c for c in v.cases} for v in (first, second))
    cases = []
    for name in names:
        silent = CaseResult(name, Status.MISSING, suite=of_case(name).suite)
        one, other = before.get(name, silent), after.get(name, silent)
        cases.append(_merge_case(one, other, first, second))
    return Verdict(tuple(cases), tuple(_merge_findings(first.findings, second.findings)))


def _merge_case(one: CaseResult, other: CaseResult, first: Verdict, second: Verdict) -> CaseResult:
    if (one.status, _kind(one)) == (other.status, _kind(other)):
        return one
    if one.status is Status.MISSING and first.has_died:
        return other
    if other.status is Status.MISSING and second.has_died:
        return one
    text = f"{one.name}: {one.status.value} in the first boot, {other.status.value} in the second"
    place = one.finding.place if one.finding else of_case(one.name)
    finding = Finding(Kind.FLAKY, text, _both(one, other), place)
    return replace(one, status=Status.FLAKY, finding=finding)


def _kind(case: CaseResult) -> Kind | None:
    return case.finding.kind if case.finding else None


def _both(one: CaseResult, other: CaseResult) -> tuple[str, ...]:
    lines: list[str] = []
    for words, case in (("first boot:", one), ("second boot:", other)):
        log = case.finding.log if case.finding else case.log
        lines += [words, *(f"  {line}" for line in log or (case.status.value,))]
    return tuple(lines)


def _merge_findings(first: Sequence[Finding], second: Sequence[Finding]) -> list[Finding]:
    found: list[Finding] = []
    deaths = [next((f for f in findings if f.is_death), None) for findings in (first, second)]
    if deaths[0] and deaths[1] and deaths[0].identity != deaths[1].identity:
        found.append(_two_deaths(deaths[0], deaths[1]))
        first, second = ([f for f in findings if not f.is_death] for findings in (first, second))
    for words, ours, others in (("first", first, second), ("second", second, first)):
        known = {finding.identity for finding in others}
        for finding in ours:
            if finding.identity not in known:
                text = f"only in the {words} boot of two: {finding.text}"
                found.append(replace(finding, kind=Kind.FLAKY, text=text))
            elif ours is first:
                found.append(finding)
    return found


def _two_deaths(one: Finding, other: Finding) -> Finding:
    log = ("first boot:", *one.log, "second boot:", *other.log)
    return replace(one, text=f"{one.text}; in the second boot {other.text}", log=log)
