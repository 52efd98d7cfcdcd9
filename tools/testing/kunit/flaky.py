# SPDX-License-Identifier: GPL-2.0
"""Two boots of one kernel, put together: what they disagree on is nobody's fault."""

from dataclasses import replace
from typing import Callable, List, Optional, Sequence, Tuple

from finding import Finding, Kind, Status, of_case
from judge import Verdict
from results import CaseResult


def confirmed(first: Verdict, boot_again: Callable[[], Verdict]) -> Verdict:
    """The verdict on a boot; one that fails is repeated once before anything is blamed."""
    return merge(first, boot_again()) if first.wrong else first


def merge(first: Verdict, second: Verdict) -> Verdict:
    """What both boots agree on, and a finding FLAKY for each thing that they do not.

    A case that one boot never came to, because the kernel died before, is as the other says.
    """
    names = dict.fromkeys(case.name for case in (*first.cases, *second.cases))
    before, after = ({c.name: c for c in v.cases} for v in (first, second))
    cases = [_merge_case(before.get(name), after.get(name), first, second) for name in names]
    findings = _merge_findings(first.findings, second.findings)
    return Verdict(tuple(case for case in cases if case), tuple(findings))


def _merge_case(
    one: Optional[CaseResult], other: Optional[CaseResult], first: Verdict, second: Verdict
) -> Optional[CaseResult]:
    if one is None or other is None:
        return one or other
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


def _kind(case: CaseResult) -> Optional[Kind]:
    return case.finding.kind if case.finding else None


def _both(one: CaseResult, other: CaseResult) -> Tuple[str, ...]:
    lines: List[str] = []
    for words, case in (("first boot:", one), ("second boot:", other)):
        log = case.finding.log if case.finding else case.log
        lines += [words, *(f"  {line}" for line in log or (case.status.value,))]
    return tuple(lines)


def _merge_findings(first: Sequence[Finding], second: Sequence[Finding]) -> List[Finding]:
    found: List[Finding] = []
    for words, ours, others in (("first", first, second), ("second", second, first)):
        known = {finding.identity for finding in others}
        for finding in ours:
            if finding.identity not in known:
                text = f"only in the {words} boot of two: {finding.text}"
                found.append(replace(finding, kind=Kind.FLAKY, text=text))
            elif ours is first:
                found.append(finding)
    return found
