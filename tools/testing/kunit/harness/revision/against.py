# SPDX-License-Identifier: GPL-2.0
"""Compare a revision with an older one, and use that one to find the patch to blame."""

from dataclasses import dataclass, replace

from harness.kernel.finding import Status
from harness.request.settings import Settings
from harness.revision.blame import Fault, State
from harness.revision.ending import Ending
from harness.revision.judged import OF_STYLE, Judged
from harness.revision.outcomes import Outcome, same
from harness.revision.series import Member, Series, titles
from harness.trees import worktree
from harness.trees.git import Git
from harness.trees.stack import Patch


@dataclass(frozen=True)
class Changes:
    """The cases that differ between the tips of two revisions, with one config."""

    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def compare(old: Outcome, new: Outcome) -> Changes:
    """Compare the cases of two tips.

    Cases whose result is unknown at either tip are left out.
    """
    if any(tip.run.ending is not Ending.RAN for tip in (old, new)):
        return Changes((), (), (), ())
    unknown = old.unknown | new.unknown
    was, now = (
        {n for n, c in tip.cases.items() if c.status is not Status.MISSING} - unknown
        for tip in (old, new)
    )
    both = was & now
    return Changes(
        fixed=tuple(sorted(n for n in both if n in new.good and n not in old.good)),
        broken=tuple(sorted(n for n in both if n in old.good and n not in new.good)),
        new=tuple(sorted(now - was)),
        gone=tuple(sorted(was - now)),
    )


def blame(new: Judged, old: Judged) -> None:
    """Use the older revision to find the patch to blame for each fault that it does not have.

    A case that never passed is blamed on the patch that makes it pass in the old revision: the
    one with the same title, or else with the same number. A patch that has not changed since
    the old revision is not to blame, but the last patch before it that has. If only one patch
    has changed, it is to blame for all.
    """
    turned = {c: s for s in old.states for green in s.green.values() for c in green}
    changed = differing(new.series, old.series)
    for place, fault in enumerate(new.faults):
        tip = old.tip.get(fault.config)
        if tip is None or not _is_absent(fault, tip):
            continue
        number = fault.patch
        if fault.is_of_case and not number and fault.case in turned:
            state = turned[fault.case]
            member = _counterpart(state, old.series, new.series)
            number = member.number if member else None
            fault = replace(fault, patch=number, by_against=number is not None)
        if not number and len(changed) == 1:
            fault = replace(fault, patch=min(changed), by_against=True)
        earlier = [n for n in changed if number and n < number]
        if number and number not in changed and earlier:
            fault = replace(fault, patch=max(earlier), by_against=True, seen_at=number)
        new.faults[place] = fault


def _is_absent(fault: Fault, tip: Outcome) -> bool:
    """Whether a tip is known not to have a fault."""
    if fault.finding.kind in OF_STYLE or not tip.lives:
        return False
    if fault.is_of_case:
        return fault.case in tip.good
    return fault.identity[1] not in {same(f) for f in tip.findings}


def differing(new: Series, old: Series) -> set[int]:
    """Return the numbers of the new patches that change something else than the old ones."""
    found = set()
    for member in new.members:
        other = _counterpart(member, new, old)
        if other is None or _changed_lines(other.patch) != _changed_lines(member.patch):
            found.add(member.number)
    return found


def _counterpart(patch: Member | State, its: Series, other: Series) -> Member | None:
    """The patch of another revision with the same title, or else with the same number."""
    found = titles(other).get(patch.title)
    same_length = len(its.members) == len(other.members)
    return found or (other.members[patch.number - 1] if same_length else None)


def _changed_lines(patch: Patch) -> list[bytes]:
    """The lines that a patch adds and removes, wherever they are."""
    _, _, diff = patch.data.partition(b"\ndiff --git ")
    return [line for line in diff.splitlines() if line[:1] in (b"+", b"-")]


def range_diff(wanted: Settings, old: Judged, new: Judged) -> str:
    """Return the git range-diff of two revisions, as far as they apply."""
    if not old.applied or not new.applied:
        return ""
    git: Git = worktree.stack(wanted).git
    ranges = [f"{judged.base_commit}..{judged.tip_commit}" for judged in (old, new)]
    return git.out("range-diff", "--no-color", *ranges)
