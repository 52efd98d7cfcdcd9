# SPDX-License-Identifier: GPL-2.0
"""The reports of make revision, made from hand-written outcomes."""

import contextlib
import io
import json
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from unittest import mock

from harness.base import picture
from harness.base.errors import ExitStatus
from harness.commands import revision
from harness.kernel.finding import DEATHS, Finding, Kind, Status, of_case
from harness.revision import document as revision_document
from harness.revision import files, html, noticed, outcomes, tables
from harness.revision import text as revision_text
from harness.revision.blame import Fault, Shown
from harness.revision.ending import Ending
from harness.revision.noticed import Change, Noticed
from harness.revision.outcomes import Outcome
from harness.revision.report import Report, Word
from harness.verdict import results
from harness.verdict.results import RunResult
from tests.unit.outcomes import A, B, death, judged, outcome, run, splat
from tests.world.test_origin_map import BLOCKS


class Told(unittest.TestCase):
    """The report: text, JSON, JUnit, HTML, exit status."""

    def report(self, *faults: Fault, tip: Outcome | None = None) -> Report:
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
            Fault(
                Finding(Kind.PANIC, "the kernel panicked", ("log",), of_case(A)),
                Shown.PATCH,
                1,
                "4k",
            ),
            Fault(
                Finding(Kind.FAILED, f"{B} failed", ("log",), of_case(B)), Shown.TIP, 2, "4k", True
            ),
            Fault(
                Finding(Kind.WARNINGS, "2 new warnings", ("x.c:1: warning",)), Shown.PATCH, 2, "4k"
            ),
        ]
        return self.report(*found, tip=outcome("a", "b"))

    def test_no_picture_where_nothing_can_draw(self) -> None:
        report = self.report()
        for place in (report.new.base, report.new.states[-1]):
            place.outcomes["4k"] = replace(outcome("ab"), run=run("4k", console=BLOCKS))
        report.new.tip["4k"] = report.new.base.outcomes["4k"]
        said = io.StringIO()
        with mock.patch.object(picture, "is_possible", lambda: False):
            with contextlib.redirect_stderr(said):
                self.assertEqual("", files.origin_figure(report))
        self.assertIn("python3-matplotlib is not installed", said.getvalue())

    def test_an_unfinished_run_has_no_verdict(self) -> None:
        for word, said in ((Word.RUNNING, "are done"), (Word.STOPPED, "stopped after")):
            report = replace(self.broken(), unfinished=word)
            self.assertTrue(revision_text.headline(report).startswith("So far: patch 1/2 makes"))
            page = html.page(report)
            self.assertIn(said, page)
            self.assertEqual(word is Word.RUNNING, 'http-equiv="refresh"' in page)
        self.assertNotIn('http-equiv="refresh"', html.page(self.broken()))
        self.assertEqual((3, 3), report.progress)
        self.assertEqual((3, 4), replace(report, tip_configs=("4k", "64k")).progress)

    def test_verdicts(self) -> None:
        for report, word, status in (
            (self.report(), Word.GOOD, ExitStatus.OK),
            (self.broken(), Word.FAULT, ExitStatus.FAILED),
            (self.report(tip=outcome("a", flaky="b")), Word.FLAKY, ExitStatus.ERROR),
            (
                self.report(self.broken().faults[0], tip=outcome("a", flaky="b")),
                Word.FAULT,
                ExitStatus.FAILED,
            ),
        ):
            self.assertEqual((word, status), (report.word, self.status(report)))
            self.assertEqual(word.value, revision_document.document(report)["verdict"])
            self.assertTrue(
                all(len(line) <= 78 for line in revision_text.full(report).splitlines())
            )

    def test_the_short_form_names_patch_and_title(self) -> None:
        text = revision_text.short(self.broken())
        self.assertTrue(
            text.startswith("Verdict: patch 1/2 makes the kernel panic (4k); patch 2/2 ")
        )
        self.assertIn("* patch 1 (4k): one\n  the kernel panicked\n", text)
        self.assertIn("* patch 2 (4k): two\n  s.b\n", text)
        self.assertIn("Bisectable: no, not at patch 1.", text)

    def test_the_short_form_fits_a_reply(self) -> None:
        faults = [
            Fault(
                Finding(Kind.FAILED, "x", ("y" * 90, f"{n}"), of_case(f"s.a{n}")),
                Shown.PATCH,
                1,
                "4k",
            )
            for n in range(40)
        ]
        lines = revision_text.short(self.report(*faults, tip=outcome("", "ab"))).splitlines()
        self.assertLessEqual(len(lines), 15)
        self.assertLessEqual(max(map(len, lines)), 75)
        self.assertEqual("Verdict: patch 1/2 breaks 40 cases (4k)", lines[0])
        self.assertIn("  and 38 more", lines)

    def test_mutants_are_shown_beside_their_lines(self) -> None:
        source = "int f(int x)\n{\n\tif (x > 1)\n\t\treturn 2;\n}\n"
        changes = [
            Change(3, "x > 1 => x >= 1", "missed", False),
            Change(3, "x > 1 => !(x > 1)", "caught", True, (A,)),
            Change(4, "return 2 => (dropped)", "caught", True, (B,)),
            Change(1, "int => long", "same code", None),
        ]
        file = noticed.of_file("mm/x.c", source, {1, 3, 4}, changes)
        report = replace(self.report(), noticed=Noticed("64k", (file,)))
        score = "2 of 3 changes to its lines are noticed (64k)"
        self.assertIn(f"\nMutants: {score}\n", revision_text.short(report) + "\n")
        whole = revision_text.full(report)
        self.assertIn(f"Mutants: {score}\n  mm/x.c:3: x > 1 => x >= 1\n", whole)
        page = html.page(report)
        pre = page[page.index('<pre class="mutants">') :].partition("</pre>")[0]
        self.assertEqual(
            [
                '<span class="">    1   int f(int x)</span>',
                "      ...",
                '<span class="missed">    3 !         if (x &gt; 1)</span>',
                '<span class="missed">        x &gt; 1 =&gt; x &gt;= 1 (missed)</span>',
                '<span class="caught">    4 +                 return 2;</span>',
            ],
            pre.removeprefix('<pre class="mutants">').splitlines(),
        )
        found = revision_document.document(report)["mutants"]
        self.assertEqual("64k", found["config"])
        self.assertEqual([False, True, True, None], [c["noticed"] for c in found["changes"]])

    def test_mutants_that_no_kernel_can_show(self) -> None:
        """That is another thing than lines which cannot be changed."""
        absent = Change(1, "x => y", "not in the kernel", None)
        for changes, expected in (
            ((), "there is nothing in its lines to change (4k)"),
            ((absent,), "none of 1 changes to its lines can be seen in a kernel (4k)"),
        ):
            found = Noticed("4k", (noticed.of_file("mm/x.c", "x\n", {1}, changes),))
            self.assertEqual(expected, found.sentence)

    def test_each_ending_of_a_kernel_has_its_own_word(self) -> None:
        kinds = [*DEATHS, Kind.SPLAT, Kind.KTAP, Kind.DUPLICATE, Kind.FLAKY]
        words = [tables.endings(outcome("a", "", death(kind)))[1] for kind in kinds]
        self.assertEqual(len(words), len(set(words)), words)
        self.assertTrue(all(len(word) <= 5 for word in words), words)
        # The table shows the worst ending.
        shaky = death(Kind.FLAKY)
        for worse, found in (
            ("FLAKY", outcome("a", flaky="b")),
            ("SPLAT", outcome("a", "", shaky, splat())),
            ("HANG", outcome("a", "", splat(), death(Kind.HANG))),
        ):
            self.assertEqual(("ok", worse), tables.endings(found))
        self.assertEqual(("ok", "ok"), tables.endings(outcome("a")))
        self.assertEqual(("-", "-"), tables.endings(None))

    def test_a_flaky_case_is_reported_and_is_no_failure(self) -> None:
        report = self.report(tip=outcome("a", flaky="b"))
        self.assertIn("FLAKY", revision_text.short(report))
        (first, *_) = revision_document.document(report)["flaky"]
        self.assertEqual((B, ["log"]), (first["case"], first["log"]))
        runs = revision_document.junit_runs(report)
        self.assertEqual(0, sum(len(run.unexpected) for run in runs))
        self.assertGreater(sum(len(run.flaky) for run in runs), 0)
        self.assertIn('class="flaky"', html.page(report))

    def test_results_for_machines(self) -> None:
        report = self.broken()
        document = json.loads(json.dumps(revision_document.document(report)))
        self.assertEqual(
            [(1, "patch", "panic"), (2, "tip", "failed"), (2, "patch", "warnings")],
            [(f["patch"], f["shown"], f["kind"]) for f in document["faults"]],
        )
        self.assertEqual(
            [(1, "panic", [A]), (2, "failed", [B]), (2, "warnings", [])],
            [(c["patch"], c["kind"], c["cases"]) for c in document["causes"]],
        )
        self.assertEqual([1], document["not_bisectable_at"])
        runs = revision_document.junit_runs(report)
        self.assertGreater(sum(len(run.unexpected) for run in runs), 0)

    def row(self, report: Report) -> list[str]:
        """The columns of the tip's table that count cases."""
        return tables.tip(report)[1].split()[3:]

    def test_the_table_of_the_tip(self) -> None:
        """The columns are: passed, failed, skipped, missing, flaky, known, fault."""
        fault = Fault(Finding(Kind.FAILED, "x", place=of_case(B)), Shown.TIP, None, "4k")
        hang = Fault(death(Kind.HANG, B), Shown.TIP, None, "4k")
        dead = outcome("a", "", death(Kind.HANG, B), missing="bc")
        for report, row in (
            (self.report(tip=outcome("a", "b")), "1 1 0 0 0 1 0"),
            (self.report(fault, tip=outcome("a", "b")), "1 1 0 0 0 0 1"),
            # A case that is flaky or did not run does not count as a known bug.
            (self.report(tip=outcome("a", flaky="b")), "1 0 0 0 1 0 0"),
            (self.report(fault, tip=outcome("a", flaky="b")), "1 0 0 0 1 0 0"),
            (self.report(hang, tip=dead), "1 0 0 2 0 0 1"),
            (self.report(tip=dead), "1 0 0 2 0 1 0"),
        ):
            self.assertEqual(row.split(), self.row(report))

    def junit(self, report: Report) -> dict[str, RunResult]:
        return {run.name: run for run in revision_document.junit_runs(report)}

    def test_a_flaky_death_or_splat_is_in_the_results_too(self) -> None:
        """A death or a splat that does not repeat belongs to no case, but is flaky all the same."""
        shaky = replace(splat(), kind=Kind.FLAKY)
        report = self.report(tip=outcome("ab", "", shaky))
        self.assertIs(Word.FLAKY, report.word)
        for name in ("patch 2 4k: two", "tip 4k"):
            run = self.junit(report)[name]
            self.assertEqual(([], 1), (run.unexpected, len(run.flaky)), name)

    def test_a_repaired_fault_is_no_failure_of_the_tip(self) -> None:
        unbuilt = Outcome(run(ending=Ending.BUILD_FAILED))
        for finding in (outcomes.not_built(unbuilt.run), splat(), death(Kind.HANG, B)):
            report = self.report(Fault(finding, Shown.PATCH, 1, "4k"))
            runs = self.junit(report)
            self.assertEqual(
                (1, 0), (len(runs["patch 1 4k: one"].unexpected), len(runs["tip 4k"].unexpected))
            )
        # A splat that the tip still prints counts as its failure.
        report = self.report(Fault(splat(), Shown.PATCH, 1, "4k"), tip=outcome("ab", "", splat()))
        self.assertEqual(1, len(self.junit(report)["tip 4k"].unexpected))

    def test_cases_that_did_not_run_have_not_passed(self) -> None:
        """Cases after a death count as skipped, and so does a patch after a broken build."""
        dead = outcome("a", "", death(Kind.HANG, B), missing="bc")
        tip = self.junit(self.report(Fault(death(Kind.HANG, B), Shown.PATCH, 1, "4k"), tip=dead))[
            "tip 4k"
        ]
        self.assertEqual((1, 2), (len(tip.unexpected), tip.count(Status.SKIPPED)))
        unbuilt = Outcome(run(ending=Ending.BUILD_FAILED))
        report = self.report(
            Fault(outcomes.not_built(unbuilt.run), Shown.PATCH, 1, "4k"), tip=unbuilt
        )
        later = self.junit(report)["patch 2 4k: two"]
        self.assertEqual((0, 1), (len(later.unexpected), later.count(Status.SKIPPED)))

    def test_any_title_fits_into_xml(self) -> None:
        report = self.report()
        report.new.states[1].title = "mm: \x1b[31m <red> & \x00"
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "x.xml"
            results.write_junit(revision_document.junit_runs(report), path)
            names = [suite.get("name") for suite in ElementTree.parse(path).getroot()]
        self.assertIn("patch 1 4k: mm: ?[31m <red> & ?", names)
        page = html.page(report)
        self.assertIn("&lt;red&gt; &amp;", page)
        self.assertNotIn("<red>", page)

    def test_the_report_has_both_logs_of_a_flaky_case(self) -> None:
        tip = replace(
            outcome("a", flaky="b"), run=run(console="the first said", again="the second said")
        )
        report = self.report(tip=tip)
        page = html.page(report)
        self.assertIn("the first said", page)
        self.assertIn("the second said", page)
        text = revision_text.short(report)
        self.assertIn(".console-2.log", text)
        self.assertIn("run it again", text.splitlines()[0])

    def test_bisectable_with_a_flaky_case(self) -> None:
        report = self.report(tip=outcome("a", flaky="b"))
        self.assertIsNone(revision_document.document(report)["bisectable"])
        self.assertIn("Bisectable: not known", revision_text.full(report))
        self.assertIs(True, revision_document.document(self.report())["bisectable"])
        alone = replace(self.report(), tip_only=True)
        self.assertIsNone(revision_document.document(alone)["bisectable"])

    def test_results_of_an_earlier_run_are_marked(self) -> None:
        report = self.report()
        self.assertNotIn("earlier run", revision_text.full(report))
        for number, key in enumerate(("base", "one", "two")):
            state = report.new.states[number]
            known = replace(run(), key=key, is_kept=number != 1)
            state.outcomes["4k"] = replace(state.outcomes["4k"], run=known)
        report.new.tip["4k"] = report.new.states[2].outcomes["4k"]
        text = revision_text.full(report)
        self.assertIn("*: 2 of 3 results are from an earlier run", text)
        self.assertEqual(3, text.count("4k* "))
        self.assertEqual([0, 2, 2], [one.kept for one in revision_document.junit_runs(report)])


if __name__ == "__main__":
    unittest.main()
