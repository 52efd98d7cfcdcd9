# SPDX-License-Identifier: GPL-2.0
"""Which patch of a series is blamed for what, on hand-written outcomes."""

import dataclasses
import shutil
import tempfile
import unittest
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.kernel.finding import Finding, Kind, of_case
from harness.request.settings import Settings
from harness.revision import against, blame, outcomes, series_run
from harness.revision.blame import Fault, Progress, Shown, State
from harness.revision.ending import Ending
from harness.revision.outcomes import Outcome
from harness.verdict import judge
from tests.unit.outcomes import A, B, C, brief, death, judged, ktap_of, outcome, run, splat
from tests.unit.test_judge import CASES
from tests.world.fake import DATA


class Steps(unittest.TestCase):
    """Compare each patch with the state before it."""

    def steps(self, base: Outcome, *outcomes: Outcome) -> list[Fault]:
        progress, found = Progress(base), []
        self.states = [State(n, f"patch {n}") for n in range(1, len(outcomes) + 1)]
        for state, one in zip(self.states, outcomes):
            found += progress.step(state, one)
        return found

    def test_patches_turn_cases_green_one_by_one(self) -> None:
        self.assertEqual([], self.steps(outcome("c", "ab"), outcome("ac", "b"), outcome("abc")))
        self.assertEqual([(A,), (B,)], [state.green["4k"] for state in self.states])

    def test_a_patch_breaks_a_case(self) -> None:
        faults = self.steps(outcome("ab"), outcome("ab"), outcome("a", "b"), outcome("a", "b"))
        self.assertEqual([(2, Shown.PATCH, Kind.FAILED, B)], brief(faults))
        self.assertEqual((B,), self.states[1].broken["4k"])

    def test_a_case_that_is_repaired_and_broken_again(self) -> None:
        """Each patch that breaks the case is at fault, even if the case failed on the base."""
        faults = self.steps(
            outcome("", "a"), outcome("a"), outcome("", "a"), outcome("a"), outcome("", "a")
        )
        self.assertEqual([2, 4], [f.patch for f in faults])

    def test_a_case_that_is_new_and_fails(self) -> None:
        """The case never passed, so no patch broke it. It is reported at the tip."""
        self.assertEqual([], self.steps(outcome("a"), outcome("a", "b")))

    def test_a_case_that_a_patch_removes(self) -> None:
        faults = self.steps(outcome("ab"), outcome("a", missing="b"))
        self.assertEqual([(1, Shown.PATCH, Kind.MISSING, B)], brief(faults))

    def test_a_death_hides_the_cases_after_it(self) -> None:
        hang = death(Kind.HANG, B)
        faults = self.steps(outcome("abc"), outcome("a", "", hang, missing="bc"), outcome("abc"))
        self.assertEqual([(1, Shown.PATCH, Kind.HANG, B)], brief(faults))

    def test_a_case_that_passed_before_a_death_can_be_broken_after_it(self) -> None:
        hang = death(Kind.HANG, B)
        faults = self.steps(
            outcome("abc"), outcome("a", "", hang, missing="bc"), outcome("ab", "c")
        )
        self.assertEqual(
            [(1, Kind.HANG), (2, Kind.FAILED)], [(f.patch, f.finding.kind) for f in faults]
        )

    def test_a_splat_with_other_numbers_is_reported_once(self) -> None:
        one, other = splat("WARNING: CPU: 0 at mm/memory.c:7 0xff"), splat(
            "WARNING: CPU: 1 at mm/memory.c:9 0xfe"
        )
        self.assertEqual([], self.steps(outcome("a", "", one), outcome("a", "", other)))
        faults = self.steps(outcome("a"), outcome("a", "", one), outcome("a", "", other))
        self.assertEqual([1], [f.patch for f in faults])

    def test_two_kinds_of_splat_are_two(self) -> None:
        faults = self.steps(
            outcome("a", "", splat("BUG: x")), outcome("a", "", splat("BUG: x"), splat("BUG: y"))
        )
        self.assertEqual(["BUG: y"], [f.finding.subject for f in faults])

    def test_a_patch_that_does_not_build(self) -> None:
        for ending, kind in (
            (Ending.BUILD_FAILED, Kind.BUILD),
            (Ending.BUILD_HUNG, Kind.BUILD_HUNG),
            (Ending.SUITES_STALE, Kind.STALE_SUITES),
        ):
            faults = self.steps(outcome("a"), Outcome(run(ending=ending)), outcome("a"))
            self.assertEqual([(1, Shown.PATCH, kind, "")], brief(faults))

    def test_a_broken_build_is_reported_once(self) -> None:
        """A later patch is not blamed for the same error, only for a new one."""
        unbuilt = Outcome(run(ending=Ending.BUILD_FAILED))
        other = Outcome(run(ending=Ending.BUILD_FAILED, said="y.c:1: error: no"))
        good = outcome("a")
        self.assertEqual([1], [f.patch for f in self.steps(good, unbuilt, unbuilt, good)])
        self.assertEqual([1, 3], [f.patch for f in self.steps(good, unbuilt, unbuilt, other)])
        self.assertEqual([1, 3], [f.patch for f in self.steps(good, unbuilt, good, unbuilt)])

    def test_a_case_that_the_kernel_died_in(self) -> None:
        """Only the patch that made the kernel die is blamed. A later patch can repair the case."""
        dead = outcome("a", "", death(Kind.HANG, B), missing="bc")
        faults = self.steps(outcome("abc"), dead, outcome("ac", "b"), outcome("abc"))
        self.assertEqual([(1, Kind.HANG)], [(f.patch, f.finding.kind) for f in faults])
        self.assertEqual([(), (), (B,)], [state.green["4k"] for state in self.states])

    def test_a_death_hides_the_splats_after_it(self) -> None:
        """A patch that repairs the kernel is not blamed for a splat that the base had."""
        base, dead = outcome("abc", "", splat()), outcome("a", "", death(Kind.HANG), missing="bc")
        faults = self.steps(base, dead, dead, outcome("abc", "", splat()))
        self.assertEqual([(1, Kind.HANG)], [(f.patch, f.finding.kind) for f in faults])

    def test_a_splat_that_was_flaky_before(self) -> None:
        """As with a case: nobody knows which patch caused it."""
        shaky = replace(splat(), kind=Kind.FLAKY, text="only in the first boot")
        found, dead = outcome("a", "", splat()), outcome("", "", death(Kind.HANG), missing="a")
        self.assertEqual([], self.steps(outcome("a"), outcome("a", "", shaky), found))
        # The same if a death hides the splat in between.
        faults = self.steps(outcome("a"), outcome("a", "", shaky), dead, found)
        self.assertEqual([Kind.HANG], [f.finding.kind for f in faults])
        faults = self.steps(
            outcome("a"), outcome("a", "", shaky), outcome("a"), outcome("a", "", splat())
        )
        self.assertEqual([3], [f.patch for f in faults])

    def test_flaky_results_are_no_fault_at_later_patches_either(self) -> None:
        """No patch is blamed, not even a later one at which the case fails in both boots."""
        shaky = Finding(Kind.FLAKY, "words", subject="BUG: x")
        self.assertEqual(
            [], self.steps(outcome("ab"), outcome("a", "", shaky, flaky="b"), outcome("a", "b"))
        )


class Tip(unittest.TestCase):
    def judge(
        self,
        found: Outcome,
        may_fail: Sequence[str] = (),
        base: Outcome | None = None,
        known: Sequence[Fault] = (),
    ) -> list[Fault]:
        return blame.judge_tip(found, may_fail, base, known)

    def test_a_failure_at_the_tip(self) -> None:
        self.assertEqual([(None, Shown.TIP, Kind.FAILED, B)], brief(self.judge(outcome("a", "b"))))
        self.assertEqual([], self.judge(outcome("a", "b"), [B]))

    def test_a_failure_that_a_patch_is_blamed_for(self) -> None:
        fault = Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.PATCH, 2, "4k")
        self.assertEqual([], self.judge(outcome("a", "b"), known=[fault]))
        # With another config, it is reported again and names the patch.
        faults = self.judge(outcome("a", "b", config="64k"), known=[fault])
        self.assertEqual([(2, Shown.TIP, Kind.FAILED, B)], brief(faults))

    def test_a_case_that_ends_differently_is_the_same_fault(self) -> None:
        fault = Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.PATCH, 2, "4k")
        self.assertEqual([], self.judge(outcome("a", missing="b"), known=[fault]))

    def test_splats_of_the_base(self) -> None:
        base = outcome("a", "", splat())
        self.assertEqual([], self.judge(outcome("a", "", splat()), base=base))
        self.assertEqual(1, len(self.judge(outcome("a", "", splat("BUG: x")), base=base)))

    def test_a_death_hides_the_cases_after_it(self) -> None:
        faults = self.judge(outcome("a", "", death(Kind.PANIC), missing="bc"))
        self.assertEqual([Kind.PANIC], [f.finding.kind for f in faults])

    def test_a_case_that_is_missing_without_a_death(self) -> None:
        self.assertEqual(
            [Kind.MISSING], [f.finding.kind for f in self.judge(outcome("a", missing="b"))]
        )

    def test_flaky_is_no_fault(self) -> None:
        shaky = Finding(Kind.FLAKY, "words")
        self.assertEqual([], self.judge(outcome("a", "", shaky, flaky="b")))

    def test_a_death_in_a_case_that_may_fail(self) -> None:
        name = "vmem_altmap.follows_model"
        oops = "Unable to handle kernel paging request"
        text = (DATA / "hang.log").read_text() + f"{oops}\n"
        hang = replace(death(Kind.HANG), place=of_case(name))
        found = Outcome(run(console=text), {}, (hang, splat(oops)))
        self.assertEqual([], self.judge(found, [name]))
        self.assertEqual(
            [Kind.HANG, Kind.SPLAT], [f.finding.kind for f in self.judge(found, ["s.a"])]
        )
        # A WARN before that case still counts.
        early = splat("WARNING: early")
        console = text.replace(
            "    ok 1 takes_from_altmap", "WARNING: early\n    ok 1 takes_from_altmap"
        )
        found = Outcome(run(console=console), {}, (hang, early))
        self.assertEqual([Kind.SPLAT], [f.finding.kind for f in self.judge(found, [name])])

    def test_cases_that_may_fail(self) -> None:
        expected = judge.Expectation(frozenset({A, B, C}), frozenset({A}))
        self.assertEqual({A}, set(blame.tolerated("stock", None, expected)))
        base = outcome("c", "ab")
        self.assertEqual({A, B}, set(blame.tolerated("stock", base, expected)))
        # On the baseline, most cases fail because the feature is missing.
        self.assertEqual({A}, set(blame.tolerated("baseline", base, expected)))

    def test_differences_of_two_revisions(self) -> None:
        changes = against.compare(outcome("ab", "c"), outcome("bc", "a", missing=""))
        self.assertEqual(((C,), (A,)), (changes.fixed, changes.broken))
        changes = against.compare(outcome("a", missing="b"), outcome("b", missing="a"))
        self.assertEqual(((B,), (A,)), (changes.new, changes.gone))

    def test_unknown_results_are_not_compared(self) -> None:
        none = ((), (), (), ())
        good = outcome("abc")
        for other in (
            outcome("ac", flaky="b"),
            outcome("a", "", death(Kind.HANG), missing="bc"),
            Outcome(run(ending=Ending.BUILD_FAILED)),
        ):
            self.assertEqual(none, dataclasses.astuple(against.compare(good, other)), other)
            self.assertEqual(none, dataclasses.astuple(against.compare(other, good)), other)


class Expected(unittest.TestCase):
    """The expected results depend on the version of the base."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "cases").write_text("\n".join(sorted(CASES)))
        (self.directory / "7.2").mkdir()
        (self.directory / "7.2/skips").write_text(
            "vmem_altmap.takes_from_altmap 4k no way to ask\n"
        )

    def good(self, version: tuple[int, int]) -> int:
        text = (DATA / "skipped.log").read_text()
        return len(outcomes.read_outcome(run(console=text), self.directory, version).good)

    def test_skips_of_a_newer_kernel(self) -> None:
        self.assertEqual(4, self.good((6, 12)))
        self.assertEqual(5, self.good((7, 2)))
        self.assertEqual(5, self.good((7, 3)))

    def test_the_version_of_the_base_counts(self) -> None:
        """The version comes from the tree and not from BASE, because KSRC may be any kernel."""
        told = series_run.SeriesRun.__new__(series_run.SeriesRun)
        told.judged = judged()
        for words, version in (("6.12.117", (6, 12)), ("7.2.0-rc3", (7, 2)), ("7.3-rc7", (7, 3))):
            told.judged.version = words
            self.assertEqual(version, told._release)

    def test_a_tree_without_a_version(self) -> None:
        told = series_run.SeriesRun.__new__(series_run.SeriesRun)
        told.judged, told._wanted = judged(), Settings("stock", "4k", "7.2", self.directory)
        told.judged.version = "of.unknown.version"
        self.assertEqual((7, 2), told._release)

    def test_a_perfect_series_on_a_newer_kernel(self) -> None:
        """The newer kernel skips what it does not support, and fails what stock fails."""

        def faults(version: tuple[int, int]) -> list[Fault]:
            found = outcomes.read_outcome(run(console=console), judge.EXPECTED, version, "stock")
            expected = judge.read_expectation(judge.EXPECTED, "stock", "4k", version)
            return blame.judge_tip(found, blame.tolerated("stock", None, expected), None, [])

        newer = judge.read_expectation(judge.EXPECTED, "stock", "4k", (7, 2))
        console = ktap_of(newer.cases, newer.failing, newer.skips)
        self.assertEqual([], faults((7, 2)))
        self.assertEqual({Kind.SKIPPED, Kind.FAILED}, {f.finding.kind for f in faults((6, 12))})


class Blame(unittest.TestCase):
    def setUp(self) -> None:
        self.new, self.old = judged(), judged()
        self.new.faults = [
            Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.TIP, None, "4k")
        ]
        self.old.states[2].green["4k"] = (B,)
        self.old.tip["4k"] = outcome("ab")

    def patch(self) -> int | None:
        against.blame(self.new, self.old)
        return self.new.faults[0].patch

    def test_the_patch_that_turned_it_green(self) -> None:
        self.assertEqual(2, self.patch())
        self.assertTrue(self.new.faults[0].by_against)

    def test_it_is_found_by_its_title(self) -> None:
        self.old = judged("two", "one")
        self.old.states[1].green["4k"] = (B,)
        self.old.tip["4k"] = outcome("ab")
        self.assertEqual(2, self.patch())

    def test_a_patch_that_this_revision_does_not_have(self) -> None:
        self.new = replace(judged("one"), faults=self.new.faults)
        self.assertIsNone(self.patch())

    def test_a_patch_that_is_already_blamed(self) -> None:
        self.new.faults = [replace(self.new.faults[0], patch=1)]
        self.assertEqual(1, self.patch())

    def change_patch_one(self) -> None:
        first, *rest = self.new.series.members
        data = b"head\n\ndiff --git a/x b/x\n@@ -1 +1 @@\n-old\n+new\n"
        changed = replace(first, patch=replace(first.patch, data=data))
        self.new.series = replace(self.new.series, members=(changed, *rest))

    def test_a_patch_that_did_not_change_is_not_to_blame(self) -> None:
        self.change_patch_one()
        self.assertEqual(1, self.patch())
        # The same if a patch breaks a case that passed. Bisecting still stops at that patch.
        self.new.faults = [replace(self.new.faults[0], shown=Shown.PATCH, patch=2)]
        self.assertEqual(1, self.patch())
        self.assertEqual((2,), self.new.not_bisectable)
        self.assertIn("seen at patch 2", self.new.faults[0].text)

    def test_the_only_patch_that_changed(self) -> None:
        """Any difference between the tips of the two revisions comes from that patch."""
        self.change_patch_one()
        self.new.faults = [Fault(splat(), Shown.TIP, None, "4k")]
        self.assertEqual(1, self.patch())

    def test_a_fault_of_the_older_revision_stays_where_it_was_seen(self) -> None:
        self.change_patch_one()
        self.new.faults = [
            replace(self.new.faults[0], shown=Shown.PATCH, patch=2),
            Fault(splat(), Shown.PATCH, 2, "4k"),
            Fault(Finding(Kind.CHECKPATCH, "x"), Shown.PATCH, 2),
        ]
        self.old.tip["4k"] = outcome("a", "b", splat())
        self.patch()
        self.assertEqual([2, 2, 2], [fault.patch for fault in self.new.faults])

    def test_the_same_case_with_another_config(self) -> None:
        self.new.faults = [replace(self.new.faults[0], config="64k")]
        self.old.tip["64k"] = outcome("ab")
        self.assertEqual(2, self.patch())

    def test_bisectable_does_not_depend_on_the_older_revision(self) -> None:
        """A fault that shows at the tip says nothing about the states before it."""
        self.assertEqual((), self.new.not_bisectable)
        self.patch()
        self.assertEqual(2, self.new.faults[0].patch)
        self.assertEqual((), self.new.not_bisectable)

    def test_faults_that_prevent_bisecting(self) -> None:
        for kind, stops in (
            (Kind.APPLY, True),
            (Kind.BUILD, True),
            (Kind.PANIC, True),
            (Kind.FAILED, True),
            (Kind.STALE_SUITES, True),
            (Kind.SPLAT, True),
            (Kind.CHECKPATCH, False),
            (Kind.WARNINGS, False),
        ):
            self.new.faults = [Fault(Finding(kind, "x"), Shown.PATCH, 2)]
            self.assertEqual((2,) if stops else (), self.new.not_bisectable, kind)

    def test_a_patch_that_does_not_repair_the_one_before_it(self) -> None:
        """The second patch is not blamed, but git bisect cannot use its commit either."""
        self.new.faults = [Fault(death(Kind.HANG), Shown.PATCH, 1, "4k")]
        for tree in (outcome("a", "", death(Kind.HANG)), Outcome(run(ending=Ending.BUILD_FAILED))):
            self.new.states[1].outcomes["4k"] = self.new.states[2].outcomes["4k"] = tree
            self.assertEqual((1, 2), self.new.not_bisectable)
        self.assertIs(False, self.new.is_bisectable)

    def test_bisectable_with_a_flaky_case(self) -> None:
        self.new.states[1].outcomes["4k"] = outcome("a")
        self.assertIs(True, self.new.is_bisectable)
        self.new.states[1].outcomes["4k"] = outcome("a", flaky="b")
        self.assertIsNone(self.new.is_bisectable)


if __name__ == "__main__":
    unittest.main()
