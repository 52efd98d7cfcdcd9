# SPDX-License-Identifier: GPL-2.0
"""Who is to blame: the judging of a series on plain values."""

import contextlib
import dataclasses
import io
import json
import shutil
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cell
import judge
import revision
import revision_html
import revision_report
import verdict
import walk
from errors import ExitStatus
from finding import Finding, Kind, Place, Status, of_case
from patchset import Member, Series
from revision_report import Report
from stack import Patch
from tests.fake import DATA
from tests.test_judge import CASES
from verdict import Case, Fault, Outcome, Progress, Shown, State
from walk import Judged
from workshop import Ending, Run

A, B, C = "s.a", "s.b", "s.c"


def run(config: str = "4k", ending: Ending = Ending.RAN, console: str = "", again: str = "") -> Run:
    return Run(config, "tree", "key", ending, 1.0, 1.0, ("x.c:1: error: no",), console, again=again)


def outcome(good: str = "", bad: str = "", *findings: Finding, missing: str = "", flaky: str = "",
            config: str = "4k") -> Outcome:  # fmt: skip
    """An outcome in which the cases of suite s, a letter each, ended so."""
    cases: Dict[str, Case] = {}
    for letters, status in ((good, Status.PASSED), (bad, Status.FAILED), (missing, Status.MISSING),
                            (flaky, Status.FLAKY)):  # fmt: skip
        cases.update({f"s.{x}": Case(status, status is Status.PASSED, ("log",)) for x in letters})
    return Outcome(run(config), cases, findings)


def splat(line: str = "WARNING: at mm/memory.c:7") -> Finding:
    return Finding(Kind.SPLAT, f"splat: {line}", ("log",), subject=line)


def death(kind: Kind, case: str = "") -> Finding:
    return Finding(kind, f"the kernel {kind.value}", ("log",), of_case(case) if case else Place())


def brief(faults: Sequence[Fault]) -> List[Tuple[Optional[int], Shown, Kind, str]]:
    return [(f.patch, f.shown, f.finding.kind, f.case) for f in faults]


class Steps(unittest.TestCase):
    """One patch after another: what each is at fault for."""

    def steps(self, base: Outcome, *outcomes: Outcome) -> List[Fault]:
        progress, found = Progress(base), []
        self.states = [State(n, f"patch {n}") for n in range(1, len(outcomes) + 1)]
        for state, one in zip(self.states, outcomes):
            found += progress.step(state, one)
        return found

    def test_a_feature_comes_step_by_step(self) -> None:
        self.assertEqual([], self.steps(outcome("c", "ab"), outcome("ac", "b"), outcome("abc")))
        self.assertEqual([(A,), (B,)], [state.green["4k"] for state in self.states])

    def test_a_patch_breaks_what_passed(self) -> None:
        faults = self.steps(outcome("ab"), outcome("ab"), outcome("a", "b"), outcome("a", "b"))
        self.assertEqual([(2, Shown.PATCH, Kind.FAILED, B)], brief(faults))
        self.assertEqual((B,), self.states[1].broken["4k"])

    def test_what_is_mended_and_broken_again(self) -> None:
        """Either patch is at fault for what it breaks, also if the base failed."""
        faults = self.steps(outcome("", "a"), outcome("a"), outcome("", "a"), outcome("a"), outcome("", "a"))
        self.assertEqual([2, 4], [f.patch for f in faults])

    def test_a_case_that_is_new_and_fails(self) -> None:
        """It never passed, so that no patch has broken it; the tip tells."""
        self.assertEqual([], self.steps(outcome("a"), outcome("a", "b")))

    def test_a_case_that_a_patch_removes(self) -> None:
        faults = self.steps(outcome("ab"), outcome("a", missing="b"))
        self.assertEqual([(1, Shown.PATCH, Kind.MISSING, B)], brief(faults))

    def test_a_death_hides_the_cases_behind_it(self) -> None:
        hang = death(Kind.HANG, B)
        faults = self.steps(outcome("abc"), outcome("a", "", hang, missing="bc"), outcome("abc"))
        self.assertEqual([(1, Shown.PATCH, Kind.HANG, B)], brief(faults))

    def test_what_passed_before_a_death_counts_after_it(self) -> None:
        hang = death(Kind.HANG, B)
        faults = self.steps(outcome("abc"), outcome("a", "", hang, missing="bc"), outcome("ab", "c"))
        self.assertEqual([(1, Kind.HANG), (2, Kind.FAILED)], [(f.patch, f.finding.kind) for f in faults])

    def test_a_splat_is_told_once_whatever_its_numbers(self) -> None:
        one, other = splat("WARNING: CPU: 0 at mm/memory.c:7 0xff"), splat("WARNING: CPU: 1 at mm/memory.c:9 0xfe")
        self.assertEqual([], self.steps(outcome("a", "", one), outcome("a", "", other)))
        faults = self.steps(outcome("a"), outcome("a", "", one), outcome("a", "", other))
        self.assertEqual([1], [f.patch for f in faults])

    def test_two_kinds_of_splat_are_two(self) -> None:
        faults = self.steps(outcome("a", "", splat("BUG: x")), outcome("a", "", splat("BUG: x"), splat("BUG: y")))
        self.assertEqual(["BUG: y"], [f.finding.subject for f in faults])

    def test_what_does_not_build(self) -> None:
        for ending, kind in (
            (Ending.BUILD_FAILED, Kind.BUILD),
            (Ending.BUILD_HUNG, Kind.BUILD_HUNG),
            (Ending.SUITES_STALE, Kind.STALE_SUITES),
        ):
            faults = self.steps(outcome("a"), Outcome(run(ending=ending)), outcome("a"))
            self.assertEqual([(1, Shown.PATCH, kind, "")], brief(faults))

    def test_flaky_is_no_fault_and_forgotten(self) -> None:
        """Nobody is at fault, neither now nor when it fails for good."""
        shaky = Finding(Kind.FLAKY, "words", subject="BUG: x")
        self.assertEqual([], self.steps(outcome("ab"), outcome("a", "", shaky, flaky="b"), outcome("a", "b")))


class Tip(unittest.TestCase):
    def judge(self, found: Outcome, may_fail: Sequence[str] = (), base: Optional[Outcome] = None,
              known: Sequence[Fault] = ()) -> List[Fault]:  # fmt: skip
        return verdict.judge_tip(found, may_fail, base, known)

    def test_what_fails_there(self) -> None:
        self.assertEqual([(None, Shown.TIP, Kind.FAILED, B)], brief(self.judge(outcome("a", "b"))))
        self.assertEqual([], self.judge(outcome("a", "b"), [B]))

    def test_what_a_patch_was_found_guilty_of(self) -> None:
        fault = Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.PATCH, 2, "4k")
        self.assertEqual([], self.judge(outcome("a", "b"), known=[fault]))
        # With another config it is told, and whose it is.
        faults = self.judge(outcome("a", "b", config="64k"), known=[fault])
        self.assertEqual([(2, Shown.TIP, Kind.FAILED, B)], brief(faults))

    def test_however_a_case_ends_it_is_the_same_one(self) -> None:
        fault = Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.PATCH, 2, "4k")
        self.assertEqual([], self.judge(outcome("a", missing="b"), known=[fault]))

    def test_splats_that_the_base_has(self) -> None:
        base = outcome("a", "", splat())
        self.assertEqual([], self.judge(outcome("a", "", splat()), base=base))
        self.assertEqual(1, len(self.judge(outcome("a", "", splat("BUG: x")), base=base)))

    def test_a_death_hides_the_cases_behind_it(self) -> None:
        faults = self.judge(outcome("a", "", death(Kind.PANIC), missing="bc"))
        self.assertEqual([Kind.PANIC], [f.finding.kind for f in faults])

    def test_a_case_that_is_missing_without_a_death(self) -> None:
        self.assertEqual([Kind.MISSING], [f.finding.kind for f in self.judge(outcome("a", missing="b"))])

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
        self.assertEqual([Kind.HANG, Kind.SPLAT], [f.finding.kind for f in self.judge(found, ["s.a"])])
        # What the kernel complained of before that case is another matter.
        early = splat("WARNING: early")
        console = text.replace("    ok 1 takes_from_altmap", "WARNING: early\n    ok 1 takes_from_altmap")
        found = Outcome(run(console=console), {}, (hang, early))
        self.assertEqual([Kind.SPLAT], [f.finding.kind for f in self.judge(found, [name])])

    def test_what_may_fail(self) -> None:
        expected = judge.Expectation(frozenset({A, B, C}), frozenset({A}))
        self.assertEqual({A}, set(verdict.tolerated("stock", None, expected)))
        base = outcome("c", "ab")
        self.assertEqual({A, B}, set(verdict.tolerated("stock", base, expected)))
        # On the baseline most fail for want of the feature.
        self.assertEqual({A}, set(verdict.tolerated("baseline", base, expected)))

    def test_two_revisions(self) -> None:
        changes = verdict.compare(outcome("ab", "c"), outcome("bc", "a", missing=""))
        self.assertEqual(((C,), (A,)), (changes.fixed, changes.broken))
        changes = verdict.compare(outcome("a", missing="b"), outcome("b", missing="a"))
        self.assertEqual(((B,), (A,)), (changes.new, changes.gone))


class Expected(unittest.TestCase):
    """What is expected is what the version of the base can do."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "cases").write_text("\n".join(sorted(CASES)))
        (self.directory / "7.2").mkdir()
        (self.directory / "7.2/skips").write_text("vmem_altmap.takes_from_altmap 4k no way to ask\n")

    def good(self, version: Tuple[int, int]) -> int:
        text = (DATA / "skipped.log").read_text()
        return len(verdict.read_outcome(run(console=text), self.directory, version).good)

    def test_skips_of_a_newer_kernel(self) -> None:
        self.assertEqual(4, self.good((6, 12)))
        self.assertEqual(5, self.good((7, 2)))
        self.assertEqual(5, self.good((7, 3)))

    def test_a_walk_asks_by_the_version_of_its_base(self) -> None:
        """Whatever BASE says: KSRC may be any kernel."""
        told = walk.Walk.__new__(walk.Walk)
        told.judged = judged()
        for words, version in (("6.12.117", (6, 12)), ("7.2.0-rc3", (7, 2)), ("7.3-rc7", (7, 3))):
            told.judged.version = words
            self.assertEqual(version, told._release)

    def test_the_repository_has_such_skips(self) -> None:
        old, new = (
            judge.read_expectation(cell.EXPECTED, "series", "4k", version)
            for version in ((6, 12), (7, 2))
        )
        self.assertNotEqual(old.skips, new.skips)


def judged(*titles: str) -> Judged:
    members = [
        Member(n, title, Patch(Path(f"{n}.patch"), b"diff"), ())
        for n, title in enumerate(titles or ("one", "two"), 1)
    ]
    found = Judged(Series("v2.mbox", "mm: two patches", tuple(members)), "baseline", "6.12.117")
    found.states = [State(0, "base", "ok"), *(State(m.number, m.title, "ok") for m in members)]
    found.applied = len(members)
    return found


class Blame(unittest.TestCase):
    def setUp(self) -> None:
        self.new, self.old = judged(), judged()
        self.new.faults = [Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.TIP, None, "4k")]
        self.old.states[2].green["4k"] = (B,)

    def patch(self) -> Optional[int]:
        walk.blame(self.new, self.old, "4k")
        return self.new.faults[0].patch

    def test_the_patch_that_turned_it_green(self) -> None:
        self.assertEqual(2, self.patch())
        self.assertTrue(self.new.faults[0].by_against)

    def test_it_is_found_by_its_title(self) -> None:
        self.old = judged("two", "one")
        self.old.states[1].green["4k"] = (B,)
        self.assertEqual(2, self.patch())

    def test_one_that_is_gone(self) -> None:
        self.new = replace(judged("one"), faults=self.new.faults)
        self.assertIsNone(self.patch())

    def test_what_a_patch_is_blamed_for_already(self) -> None:
        self.new.faults = [replace(self.new.faults[0], patch=1)]
        self.assertEqual(1, self.patch())

    def test_whether_one_can_bisect_is_the_same_with_an_older_revision(self) -> None:
        """A fault that shows at the tip says nothing about the states before it."""
        self.assertEqual((), self.new.not_bisectable)
        self.patch()
        self.assertEqual(2, self.new.faults[0].patch)
        self.assertEqual((), self.new.not_bisectable)

    def test_what_keeps_one_from_bisecting(self) -> None:
        for kind, stops in ((Kind.APPLY, True), (Kind.BUILD, True), (Kind.PANIC, True), (Kind.FAILED, True),
                            (Kind.STALE_SUITES, True), (Kind.SPLAT, True), (Kind.CHECKPATCH, False),
                            (Kind.WARNINGS, False)):  # fmt: skip
            self.new.faults = [Fault(Finding(kind, "x"), Shown.PATCH, 2)]
            self.assertEqual((2,) if stops else (), self.new.not_bisectable, kind)


class Told(unittest.TestCase):
    """The report: text, JSON, JUnit, HTML, exit status."""

    def report(self, *faults: Fault, tip: Optional[Outcome] = None) -> Report:
        new = judged()
        for number, one in enumerate((outcome("a", "b"), outcome("a", "b"), tip or outcome("ab"))):
            new.states[number].outcomes["4k"] = one
        new.tip["4k"] = tip or outcome("ab")
        new.faults = list(faults)
        return Report(new, ("4k",), ("4k",), False, 1.0)

    def status(self, report: Report) -> ExitStatus:
        return revision._STATUS[report.word]

    def broken(self) -> Report:
        found = [
            Fault(Finding(Kind.PANIC, "the kernel panicked", ("log",), of_case(A)), Shown.PATCH, 1, "4k"),
            Fault(Finding(Kind.FAILED, f"{B} failed", ("log",), of_case(B)), Shown.TIP, 2, "4k", True),
            Fault(Finding(Kind.WARNINGS, "2 new warnings", ("x.c:1: warning",)), Shown.PATCH, 2, "4k"),
        ]
        return self.report(*found, tip=outcome("a", "b"))

    def test_verdicts(self) -> None:
        for report, word, status in (
            (self.report(), "good", ExitStatus.OK),
            (self.broken(), "fault", ExitStatus.FAILED),
            (self.report(tip=outcome("a", flaky="b")), "flaky", ExitStatus.ERROR),
            (self.report(self.broken().faults[0], tip=outcome("a", flaky="b")), "fault", ExitStatus.FAILED),
        ):
            self.assertEqual((word, status), (report.word, self.status(report)))
            self.assertEqual(word, revision_report.document(report)["verdict"])
            self.assertTrue(all(len(line) <= 78 for line in revision_report.full(report).splitlines()))

    def test_the_short_form_names_patch_and_title(self) -> None:
        text = revision_report.short(self.broken())
        self.assertIn('FAIL patch 1/2 "one"', text)
        self.assertIn('FAIL patch 2/2 "two"', text)

    def test_how_a_kernel_ended_has_a_word_for_each(self) -> None:
        kinds = (Kind.PANIC, Kind.HANG, Kind.DIED, Kind.NEVER_BOOTED, Kind.NO_KUNIT)
        words = [revision_report.endings(outcome("a", "", death(kind)))[1] for kind in kinds]
        words += [revision_report.endings(outcome("a", "", splat()))[1],
                  revision_report.endings(outcome("a", flaky="b"))[1]]  # fmt: skip
        self.assertEqual(len(words), len(set(words)), words)
        self.assertTrue(all(len(word) <= 5 for word in words), words)
        self.assertEqual(("ok", "ok"), revision_report.endings(outcome("a")))
        self.assertEqual(("-", "-"), revision_report.endings(None))

    def test_flaky_is_told_with_both_logs_and_is_no_failure(self) -> None:
        report = self.report(tip=outcome("a", flaky="b"))
        self.assertIn("FLAKY", revision_report.short(report))
        (first, *_) = revision_report.document(report)["flaky"]
        self.assertEqual((B, ["log"]), (first["case"], first["log"]))
        runs = revision_report.junit_runs(report)
        self.assertEqual(0, sum(len(run.wrong) for run in runs))
        self.assertGreater(sum(len(run.flaky) for run in runs), 0)
        self.assertIn('class="flaky"', revision_html.page(report))

    def test_results_for_machines(self) -> None:
        report = self.broken()
        document = json.loads(json.dumps(revision_report.document(report)))
        self.assertEqual([(1, "patch", "panic"), (2, "tip", "failed"), (2, "patch", "warnings")],
                         [(f["patch"], f["shown"], f["kind"]) for f in document["faults"]])  # fmt: skip
        self.assertEqual([1], document["not_bisectable_at"])
        runs = revision_report.junit_runs(report)
        self.assertGreater(sum(len(run.wrong) for run in runs), 0)

    def test_no_word_of_a_text_decides(self) -> None:
        """With every text replaced, all that a program reads stays the same."""

        def reworded(value: Any) -> Any:
            if isinstance(value, Finding):
                return replace(value, text="quite another thing, at the tip; ok passed good")
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                fields = {f.name: reworded(getattr(value, f.name)) for f in dataclasses.fields(value)}
                return replace(value, **fields)
            if isinstance(value, (list, tuple)):
                return type(value)(map(reworded, value))
            if isinstance(value, dict):
                return {key: reworded(one) for key, one in value.items()}
            return value

        def stripped(document: Any) -> Any:
            if isinstance(document, dict):
                return {k: stripped(v) for k, v in document.items() if k != "what"}
            return [stripped(v) for v in document] if isinstance(document, list) else document

        dead = outcome("a", "", death(Kind.NEVER_BOOTED), missing="b")
        for report in (self.report(), self.broken(), self.report(tip=outcome("a", flaky="b")),
                       self.report(*self.broken().faults, tip=dead)):  # fmt: skip
            other = reworded(report)
            self.assertEqual(stripped(revision_report.document(report)), stripped(revision_report.document(other)))
            self.assertEqual(self.status(report), self.status(other))
            self.assertEqual(revision_report._patch_table(report), revision_report._patch_table(other))
            self.assertEqual(revision_report._tip_table(report), revision_report._tip_table(other))


class Repeated(unittest.TestCase):
    """A state that would speak against the series is booted once more."""

    def read(self, first: str, second: str) -> Outcome:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        (directory / "cases").write_text("\n".join(sorted(CASES)))
        texts = [(DATA / f"{name}.log").read_text() for name in (first, second)]
        return verdict.read_outcome(run(console=texts[0], again=texts[1]), directory, (6, 12))

    def test_what_both_boots_say(self) -> None:
        both = self.read("failure", "failure")
        self.assertEqual([], both.flaky)
        self.assertEqual(1, both.count(Status.FAILED))

    def test_what_one_of_them_says(self) -> None:
        one = self.read("failure", "pass")
        self.assertEqual(1, one.count(Status.FLAKY))
        self.assertEqual(1, len(one.flaky))
        self.assertIsNone(self.read("panic", "pass").death)
        self.assertTrue(self.read("panic", "panic").death)

    def test_only_what_would_be_blamed_is_booted_twice(self) -> None:
        class Shop:
            repeats = 0

            def run(self, *_: object) -> Run:
                return run()

            def repeat(self, _patches: object, _config: str, _limit: object, one: Run) -> Run:
                self.repeats += 1
                return replace(one, again="x")

        told = walk.Walk.__new__(walk.Walk)
        told.judged, told._shop = judged(), Shop()  # type: ignore[assignment]
        told._read = lambda _: outcome("a")  # type: ignore
        fault = Fault(splat(), Shown.PATCH, 1)
        with contextlib.redirect_stderr(io.StringIO()):
            told._outcome((), "4k", lambda _: [])
            self.assertEqual(0, told._shop.repeats)  # type: ignore[attr-defined]
            told._outcome((), "4k", lambda _: [fault])
            self.assertEqual(1, told._shop.repeats)  # type: ignore[attr-defined]


if __name__ == "__main__":
    unittest.main()
