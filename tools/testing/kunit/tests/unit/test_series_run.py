# SPDX-License-Identifier: GPL-2.0
"""How make revision walks from the base to the tip: what it boots, how often, and the verdict."""

import contextlib
import functools
import io
import shutil
import tempfile
import unittest
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from harness.base.errors import ExitStatus
from harness.commands import revision
from harness.kernel.finding import Finding, Kind, Status
from harness.request.settings import Settings
from harness.revision import against, blame
from harness.revision import document as revision_document
from harness.revision import outcomes, tables
from harness.revision.blame import Progress
from harness.revision.builds import Run
from harness.revision.ending import Ending
from harness.revision.outcomes import Outcome
from harness.revision.report import Report
from harness.revision.series_run import BaseError, SeriesRun
from tests.unit.outcomes import B, death, judged, outcome, run
from tests.unit.test_judge import CASES
from tests.world.fake import DATA


class FakeBuilds:
    """Fake kernels. A state is the outcome of one boot, and optionally that of two boots."""

    def __init__(
        self, *states: tuple[Outcome, ...], kept: Sequence[int] = (), tip: tuple[Outcome, ...] = ()
    ) -> None:
        # Only the tip is booted with a config other than 4k.
        self._states = (*states, tip)
        self._kept = kept
        # The states that were booted. A repeated boot is listed again.
        self.boots: list[int] = []

    def begin(
        self, patches: Sequence[object], config: str, _limit: object, anew: bool = False
    ) -> Callable[[], Run]:
        return functools.partial(self._boot, patches, config, anew)

    def _boot(self, patches: Sequence[object], config: str, anew: bool) -> Run:
        number = len(patches) if config == "4k" else -1
        is_kept = number in self._kept and not anew
        if not is_kept:
            self.boots.append(number)
        again = "" if is_kept and len(self._states[number]) > 1 else None
        ending = self._states[number][0].run.ending
        return Run(config, "tree", str(number), ending, 1.0, 1.0, is_kept=is_kept, again=again)

    def repeat(self, _patches: object, config: str, _limit: object, one: Run) -> Run:
        if one.again is not None:
            return one
        self.boots.append(int(one.key))
        return replace(one, again="")

    def read(self, one: Run) -> Outcome:
        found = self._states[int(one.key)][-1 if one.again is not None else 0]
        return Outcome(one, found.cases, found.findings)

    def warnings(self, *_: object) -> Sequence[str]:
        return ()

    def checkpatch(self, *_: object) -> None:
        return None


class Boots(unittest.TestCase):
    """A boot that would count against the series is repeated once."""

    def walk(
        self,
        *states: tuple[Outcome, ...],
        kept: Sequence[int] = (),
        onto: str = "baseline",
        tip: tuple[Outcome, ...] = (),
        applied: int = 2,
    ) -> SeriesRun:
        self.builds = FakeBuilds(*states, kept=kept, tip=tip)
        told = judged()
        wanted = Settings(onto, "4k", "6.12", Path("/nowhere"))
        with mock.patch("harness.revision.series_run.Builds"):
            done = SeriesRun(wanted, told.series, mock.Mock())
        done.judged.version, done.judged.applied = told.version, applied
        done._builds = self.builds  # type: ignore[assignment]
        setattr(done, "_read", self.builds.read)
        with contextlib.redirect_stderr(io.StringIO()):
            done.try_base(["4k"])
            done.try_patches(["4k"])
            done.try_tip(["4k", "64k"] if tip else ["4k"])
            done.judged = done.so_far()
        return done

    def test_an_expected_failure_is_not_booted_again(self) -> None:
        done = self.walk((outcome("", "ab"),), (outcome("a", "b"),), (outcome("ab"),))
        self.assertEqual(([0, 1, 2], []), (self.builds.boots, done.judged.faults))

    def test_a_fault_is_booted_again_before_blame(self) -> None:
        bad = outcome("a", "b")
        done = self.walk((outcome("ab"),), (bad, bad), (bad, bad))
        self.assertEqual([(1, B)], [(f.patch, f.case) for f in done.judged.faults])
        self.assertEqual([0, 1, 1, 2], self.builds.boots[:4])

    def test_one_boot_of_two(self) -> None:
        done = self.walk(
            (outcome("ab"),), (outcome("a", "b"), outcome("a", flaky="b")), (outcome("ab"),)
        )
        self.assertEqual(([0, 1, 1, 2], []), (self.builds.boots, done.judged.faults))
        self.assertEqual([("patch 1 4k", B)], [(w, f.place.name) for w, f in done.judged.flaky])

    def test_a_case_that_the_last_patch_should_have_turned_green(self) -> None:
        """The case never passed, so it fails only at the tip. That boot is repeated as well."""
        base, last = outcome("a", "b"), (outcome("a", "b"), outcome("a", flaky="b"))
        done = self.walk((base,), (base,), last)
        self.assertEqual(([0, 1, 2, 2], []), (self.builds.boots, done.judged.faults))
        self.assertEqual(1, len(done.judged.flaky))
        done = self.walk((base,), (base,), (base, base))
        self.assertEqual(
            ([0, 1, 2, 2], [B]), (self.builds.boots, [f.case for f in done.judged.faults])
        )

    def test_a_tip_with_another_config(self) -> None:
        good, bad, shaky = outcome("ab"), outcome("a", "b"), outcome("a", flaky="b")
        for tip, boots, cases in (((good,), 1, []), ((bad, shaky), 2, []), ((bad, bad), 2, [B])):
            done = self.walk((good,), (good,), (good,), tip=tip)
            self.assertEqual([0, 1, 2, *[-1] * boots], self.builds.boots)
            self.assertEqual(cases, [f.case for f in done.judged.faults])
        self.assertEqual(["64k"], [f.config for f in done.judged.faults])

    def test_a_base_that_dies(self) -> None:
        dead, good = outcome("a", "", death(Kind.HANG), missing="b"), outcome("ab")
        with self.assertRaises(BaseError):
            self.walk((dead, dead), (good,), (good,))
        self.assertEqual([0, 0], self.builds.boots)
        # If the base survives the second boot, the series is tested, but gets no verdict.
        shaky = outcome("ab", "", Finding(Kind.FLAKY, "words"))
        done = self.walk((dead, shaky), (good,), (good,))
        self.assertEqual(([0, 0, 1, 2], []), (self.builds.boots, done.judged.faults))
        self.assertEqual(["base 4k"], [where for where, _ in done.judged.flaky])

    def test_a_series_that_does_not_apply_as_a_whole_has_no_tip(self) -> None:
        done = self.walk((outcome("ab"),), (outcome("ab"),), (outcome("ab"),), applied=1)
        self.assertEqual(([0, 1], {}), (self.builds.boots, done.judged.tip))

    def test_a_base_that_does_not_build(self) -> None:
        with self.assertRaises(BaseError) as caught:
            self.walk((Outcome(run(ending=Ending.BUILD_FAILED)),))
        self.assertIn("the base itself (baseline, 4k): build failed", str(caught.exception))

    def test_a_result_on_which_two_boots_disagree_is_not_reused(self) -> None:
        """The next run boots that state again, as the advice "run it again" promises."""
        good, shaky = outcome("ab"), outcome("a", flaky="b")
        self.walk((good,), (outcome("a", "b"), shaky), (good,), kept=(0, 1, 2))
        self.assertEqual([1, 1], self.builds.boots)

    def test_a_result_on_which_two_boots_agree_is_reused(self) -> None:
        good, bad = outcome("ab"), outcome("a", "b")
        done = self.walk((good,), (bad, bad), (good,), kept=(0, 1, 2))
        self.assertEqual(([], 1), (self.builds.boots, len(done.judged.faults)))


class Read(unittest.TestCase):
    """How the console logs of one or two boots become an outcome."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "cases").write_text("\n".join(sorted(CASES)))

    def read(self, first: str, second: str | None = None) -> Outcome:
        one, other = (
            (DATA / f"{name}.log").read_text() if name else name for name in (first, second)
        )
        return outcomes.read_outcome(run(console=one or "", again=other), self.directory, (6, 12))

    def test_a_failure_in_both_boots(self) -> None:
        both = self.read("failure", "failure")
        self.assertEqual([], both.flaky)
        self.assertEqual(1, both.count(Status.FAILED))

    def test_a_failure_in_one_of_two_boots(self) -> None:
        one = self.read("failure", "pass")
        self.assertEqual(1, one.count(Status.FLAKY))
        self.assertEqual(1, len(one.flaky))
        self.assertIsNone(self.read("panic", "pass").death)
        self.assertTrue(self.read("panic", "panic").death)

    def test_a_second_boot_without_output(self) -> None:
        """A silent boot is a problem of the machine, so the patch is not blamed."""
        found = self.read("splat", "")
        self.assertEqual({Kind.FLAKY}, {finding.kind for finding in found.findings})

    def test_cases_of_the_series_itself(self) -> None:
        """A case that expected/cases does not list is good if it passes in each boot."""
        name = "vmemmap_basepages.maps_altmap_pages"
        (self.directory / "cases").write_text("\n".join(sorted(CASES - {name})))
        self.assertIn(name, self.read("pass").good)
        for names in (
            ("failure",),
            ("failure", "failure"),
            ("failure", "pass"),
            ("pass", "failure"),
        ):
            self.assertNotIn(name, self.read(*names).good)

    def verdict(self, *names: tuple[str, ...]) -> tuple[Any, list[str], ExitStatus]:
        """The document, tables and status for these console logs of the base and two patches."""
        new, old = judged(), judged()
        base, *outcomes = (self.read(*pair) for pair in names)
        new.states[0].outcomes["4k"] = base
        progress = Progress(base)
        for state, found in zip(new.states[1:], outcomes):
            new.faults += progress.step(state, found)
        new.tip["4k"] = outcomes[-1]
        new.faults += blame.judge_tip(outcomes[-1], (), base, new.faults)
        old.states[1].green["4k"] = tuple(sorted(CASES))
        against.blame(new, old)
        changes = {"4k": against.compare(base, outcomes[-1])}
        report = Report(new, ("4k",), ("4k",), False, 1.0, old, changes)
        shown = tables.patches(report) + tables.tip(report)
        for junit in revision_document.junit_runs(report):
            kinds = [f.kind.value for f in junit.findings]
            shown.append(f"{junit.name} {junit.count(Status.SKIPPED)} {kinds}")
        return (
            _without_text(revision_document.document(report)),
            shown,
            revision._STATUS[report.word],
        )

    def test_the_text_of_a_finding_decides_nothing(self) -> None:
        """The text of a finding is for people only. Replacing it does not change the verdict."""
        original = Finding.__init__

        def reworded(self: Finding, kind: Kind, text: str, *rest: Any, **more: Any) -> None:
            original(self, kind, "ok, passed; panicked at the tip", *rest, **more)

        statuses = set()
        for names in (
            (("pass",), ("pass",), ("pass",)),
            (("pass",), ("failure", "pass"), ("pass",)),
            (("pass",), ("failure", "failure"), ("hang", "hang")),
            (("failure",), ("panic", "panic"), ("splat", "splat")),
            (("splat",), ("no_boot", "no_boot"), ("no_kunit", "no_kunit")),
            (("skipped",), ("twice", "twice"), ("misnumbered", "misnumbered")),
            (("pass",), ("panic", "hang"), ("", "")),
            (("failure",), ("panic", "pass"), ("splat", "pass")),
        ):
            usual = self.verdict(*names)
            with mock.patch.object(Finding, "__init__", reworded):
                self.assertEqual(usual, self.verdict(*names), names)
            statuses.add(usual[2])
        self.assertEqual({ExitStatus.OK, ExitStatus.FAILED, ExitStatus.ERROR}, statuses)


def _without_text(document: Any) -> Any:
    """A document without the members that are for people only."""
    if isinstance(document, dict):
        return {key: _without_text(value) for key, value in document.items() if key != "what"}
    return [_without_text(one) for one in document] if isinstance(document, list) else document


if __name__ == "__main__":
    unittest.main()
