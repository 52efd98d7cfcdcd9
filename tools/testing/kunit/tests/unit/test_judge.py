# SPDX-License-Identifier: GPL-2.0
"""The strict verdict on a console log. Some logs are captured, some are made up."""

import shutil
import tempfile
import unittest
from pathlib import Path

from harness.base.errors import UsageError
from harness.kernel.finding import Finding, Kind, Stage, Status
from harness.verdict import judge, ktap, splats
from harness.verdict.judge import Expectation, Verdict
from harness.verdict.ktap import Violation
from tests.world.fake import DATA

CASES = frozenset(
    {
        "vmem_altmap.takes_from_altmap",
        "vmem_altmap.follows_model",
        "vmem_altmap.gives_pages_back",
        "vmemmap_basepages.maps_altmap_pages",
        "vmemmap_basepages.short_altmap",
    }
)


def log(name: str) -> str:
    return (DATA / f"{name}.log").read_text()


CUT, END = "------------[ cut here ]------------", "---[ end trace 0000000000000000 ]---"


def as_expected(verdict: judge.Verdict) -> int:
    """The number of cases with the expected result."""
    return sum(case.finding is None for case in verdict.cases)


class Logs(unittest.TestCase):
    def judge(
        self,
        name: str,
        cases: frozenset[str] = CASES,
        failing: frozenset[str] = frozenset(),
        skips: dict[str, str] | None = None,
    ) -> Verdict:
        return judge.judge(log(name), Expectation(cases, failing, skips or {}))

    def findings(self, verdict: Verdict) -> list[Finding]:
        return [*verdict.findings, *(c.finding for c in verdict.cases if c.finding)]

    def assert_finds(self, verdict: Verdict, kind: Kind, place: str = "") -> Finding:
        """Check where the first finding of this kind is, and return it."""
        self.assertGreater(verdict.unexpected, 0)
        found = [f for f in self.findings(verdict) if f.kind is kind]
        self.assertTrue(found, self.findings(verdict))
        self.assertEqual(place, found[0].place.name)
        self.assertTrue(found[0].text)
        return found[0]

    def test_a_pass(self) -> None:
        verdict = self.judge("pass")
        self.assertEqual([], self.findings(verdict))
        self.assertEqual(
            (5, 0, 5), (as_expected(verdict), verdict.unexpected, verdict.count(Status.PASSED))
        )

    def test_a_pass_with_printk_times(self) -> None:
        self.assertEqual([], self.findings(self.judge("timestamps")))

    def test_a_failure(self) -> None:
        verdict = self.judge("failure")
        finding = self.assert_finds(verdict, Kind.FAILED, "vmemmap_basepages.maps_altmap_pages")
        self.assertIn("EXPECTATION FAILED at mm/tests", finding.log[0])
        self.assertEqual((4, 1), (as_expected(verdict), verdict.unexpected))

    def test_a_failure_of_a_parameter(self) -> None:
        finding = self.assert_finds(
            self.judge("param_failure"), Kind.FAILED, "vmem_altmap.follows_model"
        )
        self.assertEqual("parameter: blocks behind a reserve", finding.log[0])
        self.assertIn("altmap->align == 3", "".join(finding.log))

    def test_an_expected_failure(self) -> None:
        failing = frozenset({"vmemmap_basepages.maps_altmap_pages"})
        self.assertEqual([], self.findings(self.judge("failure", failing=failing)))

    def test_an_expected_failure_that_passes(self) -> None:
        name = "vmemmap_basepages.maps_altmap_pages"
        self.assert_finds(self.judge("pass", failing=frozenset({name})), Kind.PASSED, name)

    def test_a_panic(self) -> None:
        verdict = self.judge("panic")
        death = self.assert_finds(verdict, Kind.PANIC, "vmem_altmap")
        self.assertTrue(death.is_death)
        self.assertEqual("Kernel panic - not syncing: Oops", death.subject[:32])
        self.assertIn("end Kernel panic", death.log[-1])
        self.assert_finds(verdict, Kind.MISSING, "vmem_altmap.follows_model")
        self.assertEqual(1, as_expected(verdict))

    def test_a_panic_after_the_last_case(self) -> None:
        self.assert_finds(self.judge("crashed_later"), Kind.PANIC)

    def test_a_hang(self) -> None:
        death = self.assert_finds(self.judge("hang"), Kind.HANG, "vmem_altmap.follows_model")
        self.assertIn("ok 1 single pages", death.log[-1])

    def test_a_log_cut_off_anywhere_is_never_a_pass(self) -> None:
        lines = log("pass").splitlines(keepends=True)
        for count in range(len(lines) - 1):
            text = "".join(lines[:count])
            self.assertGreater(judge.judge(text, Expectation(CASES)).unexpected, 0, text)

    def test_a_kernel_that_never_boots(self) -> None:
        for name in ("no_boot", "garbage_boot"):
            death = self.assert_finds(self.judge(name), Kind.NEVER_BOOTED)
            self.assertTrue(death.is_death)
            self.assertIs(Stage.BOOT, death.place.stage)

    def test_a_kernel_without_kunit(self) -> None:
        self.assertTrue(self.assert_finds(self.judge("no_kunit"), Kind.NO_KUNIT).is_death)

    def test_a_skip(self) -> None:
        verdict = self.judge("skipped")
        finding = self.assert_finds(verdict, Kind.SKIPPED, "vmem_altmap.takes_from_altmap")
        self.assertIn("no memory is hidden", finding.text)
        self.assertEqual(1, verdict.count(Status.SKIPPED))

    def test_a_skip_of_all_parameters(self) -> None:
        text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n"
        text += "        KTAP version 1\n        # Subtest: c\n        ok 1 p # SKIP too small\n"
        text += "    ok 1 c # SKIP\n# s: x\nok 1 s # SKIP\n"
        verdict = judge.judge(text, Expectation(frozenset({"s.c"})))
        self.assertIn("too small", self.assert_finds(verdict, Kind.SKIPPED, "s.c").text)

    def test_an_allowed_skip(self) -> None:
        skips = {"vmem_altmap.takes_from_altmap": "the guest is too small"}
        self.assertEqual([], self.findings(self.judge("skipped", skips=skips)))

    def test_a_case_that_passes_but_must_be_skipped(self) -> None:
        text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n"
        text += "    ok 1 c\n# s: x\nok 1 s\n"
        cases = frozenset({"s.c"})
        verdict = judge.judge(text, Expectation(cases, skips={"s.c": "one node"}))
        self.assertEqual(0, verdict.unexpected)
        verdict = judge.judge(text, Expectation(cases, skips={"s.c": "one node"}, skipped=cases))
        self.assertIn("one node", self.assert_finds(verdict, Kind.SKIPPED, "s.c").text)

    def test_all_skipped(self) -> None:
        self.assertEqual(5, self.judge("all_skipped").unexpected)

    def test_a_skipped_parameter(self) -> None:
        self.assert_finds(self.judge("param_skipped"), Kind.SKIPPED, "vmem_altmap.follows_model")

    def test_a_splat_in_a_passing_log(self) -> None:
        verdict = self.judge("splat")
        self.assertEqual(5, as_expected(verdict))
        self.assertEqual(1, len(verdict.findings), verdict.findings)
        splat = self.assert_finds(verdict, Kind.SPLAT)
        self.assertIn("at arch/arm64/mm/mmu.c:912", splat.subject)
        self.assertIn("mmu.c:912", splat.log[1])

    def test_each_warn_is_a_finding_of_its_own(self) -> None:
        """All WARNs begin with the same line, and one may directly follow another."""
        cut = "------------[ cut here ]------------"
        message = "a message of the caller"
        old = "WARNING: CPU: 0 PID: 33 at mm/memory.c:912 unmap+0x2c/0x4d0"
        new = "WARNING: mm/sparse.c:7 at populate+0x8/0x10, CPU#1: kunit_try_catch/34"
        bug = "kernel BUG at mm/memory.c:7!"
        lines = [cut, old, "Call trace:", cut, message, new, "Call trace:", cut, bug, cut]
        self.assertEqual([old, new, bug, cut], [f.subject for f in splats.find(lines)])
        self.assertEqual(4, len({f.identity for f in splats.find(lines)}))

    def test_a_call_trace_belongs_to_its_warning(self) -> None:
        """There may be many register dumps between them. The finding leaves those out."""
        registers = [f"x{n}: 0000000000000000 x{n - 1}: 0000000000000000" for n in range(29, 0, -2)]
        trace = ["Call trace:", " f+0x8/0x20", " g+0x4/0x10"]
        warning = "WARNING: CPU: 0 PID: 7 at mm/memory.c:9 f+0x8/0x20"
        report = [CUT, warning, "pc : f+0x8/0x20", "sp : ffff800080", *registers, *trace, END]
        found = splats.find([*report, "ok 1 a", *report])
        self.assertEqual([warning, warning], [f.subject for f in found])
        self.assertEqual((CUT, warning, *trace, END), found[0].log)

    def test_violations_of_the_format(self) -> None:
        for name, kind, where in (
            ("misnumbered", Violation.NUMBER, "gives_pages_back"),
            ("plan_too_long", Violation.WRONG_PLAN, "vmem_altmap"),
            ("plan_missing", Violation.NO_PLAN, "vmem_altmap"),
            ("lying_parent", Violation.FAILED_CHILD, "follows_model"),
            ("twice", Violation.SECOND_START, ""),
        ):
            with self.subTest(name):
                self.assert_finds(self.judge(name), Kind.KTAP)
                problems = ktap.read(log(name).splitlines()).problems
                self.assertIn((kind, where), [(p.kind, p.name) for p in problems])

    def test_garbage(self) -> None:
        self.assertGreater(self.judge("garbage").unexpected, len(CASES))

    def test_an_unknown_case_in_the_log(self) -> None:
        name = "vmem_altmap.gives_pages_back"
        self.assert_finds(self.judge("pass", cases=CASES - {name}), Kind.UNKNOWN, name)

    def test_a_missing_case_in_the_log(self) -> None:
        cases = CASES | {"vmem_altmap.more"}
        self.assert_finds(self.judge("pass", cases=cases), Kind.MISSING, "vmem_altmap.more")

    def test_a_case_that_reports_twice(self) -> None:
        text = log("pass").replace("ok 2 follows_model", "ok 2 takes_from_altmap")
        text = text.replace("# Subtest: follows_model", "# Subtest: takes_from_altmap")
        verdict = judge.judge(text, Expectation(CASES))
        self.assert_finds(verdict, Kind.DUPLICATE, "vmem_altmap.takes_from_altmap")

    def test_no_case_expected_at_all(self) -> None:
        self.assertEqual(5, self.judge("pass", cases=frozenset()).unexpected)


class Splats(unittest.TestCase):
    def test_lines_that_are_splats(self) -> None:
        for line in (
            "WARNING: CPU: 0 PID: 1 at mm/memory.c:1 f+0x0/0x10",
            "WARNING: possible circular locking dependency detected",
            "BUG: KASAN: use-after-free in f+0x10/0x20",
            "BUG: sleeping function called from invalid context",
            "UBSAN: shift-out-of-bounds in mm/memory.c:1:2",
            "Unable to handle kernel NULL pointer dereference at virtual address 0",
            "Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP",
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
            "INFO: task kunit_try_catch:31 blocked for more than 120 seconds.",
            "BUG: Bad page state in process kunit_try_catch  pfn:48000",
            "kunit_try_catch: page allocation failure: order:9, mode:0xcc0",
            "Call trace:",
        ):
            self.assertTrue(splats.SPLAT.search(line), line)

    def test_lines_that_are_no_splats(self) -> None:
        for name in ("pass", "failure", "param_failure", "no_kunit"):
            for line in log(name).splitlines():
                self.assertFalse(splats.SPLAT.search(line), line)
        for line in (
            "KASAN shadow memory initialized",
            "kasan: KernelAddressSanitizer initialized (generic)",
            "rcu: RCU debug CPU stall detector off.",
            "random: crng init done",
            "CPU features: detected: Spectre-BHB",
        ):
            self.assertFalse(splats.SPLAT.search(line), line)


class Reader(unittest.TestCase):
    def test_the_structure_of_a_log(self) -> None:
        report = ktap.read(log("pass").splitlines())
        self.assertEqual((), report.problems)
        self.assertEqual(["vmem_altmap", "vmemmap_basepages"], [s.name for s in report.suites])
        model = report.suites[0].children[1]
        self.assertEqual(
            ["single pages", "blocks behind a reserve"], [t.name for t in model.children]
        )

    def test_reasons_and_attributes(self) -> None:
        text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n"
        text += "    # c.speed: slow\n    ok 1 c # SKIP no # memory\n# s: x\nok 1 s # SKIP\n"
        [suite] = ktap.read(text.splitlines()).suites
        self.assertEqual(
            ("c", Status.SKIPPED, "no # memory"),
            (suite.children[0].name, suite.children[0].status, suite.children[0].reason),
        )


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "cases").write_text("# all\n\ns.one\ns.two # a remark\n")

    def read(self, flavour: str = "series", config: str = "4k") -> Expectation:
        return judge.read_expectation(self.dir, flavour, config, (6, 12))

    def arch(self, arch: str, flavour: str) -> Expectation:
        return judge.read_arch_expectation(self.dir, arch, flavour, (6, 12))

    def test_skips_of_an_architecture(self) -> None:
        (self.dir / "cases").write_text("arm64_a.one\nb.two\nb.three\n")
        (self.dir / "riscv").write_text("b.three stock\n")
        (self.dir / "skips").write_text(
            "arm64_a.one stock only arm64 has it\nb.two fixed no such thing\nb.three riscv why\n"
        )
        self.assertEqual({"b.three": "why"}, self.arch("riscv", "stock").skips)
        self.assertEqual(
            {"b.three": "why", "b.two": "no such thing"}, self.arch("riscv", "fixed").skips
        )

    def test_lists(self) -> None:
        (self.dir / "baseline").write_text("s.one\n")
        (self.dir / "skips").write_text("s.two 64k too little memory\n")
        self.assertEqual(frozenset({"s.one", "s.two"}), self.read().cases)
        self.assertEqual(frozenset(), self.read().failing)
        self.assertEqual(frozenset({"s.one"}), self.read("baseline").failing)
        self.assertEqual({}, dict(self.read().skips))
        self.assertEqual({"s.two": "too little memory"}, dict(self.read(config="64k").skips))

    def test_a_failure_with_some_configs_only(self) -> None:
        (self.dir / "stock").write_text("s.one 16k 64k\n")
        self.assertEqual(frozenset(), self.read("stock", "4k").failing)
        self.assertEqual(frozenset({"s.one"}), self.read("stock", "64k").failing)

    def test_a_case_of_some_configs_only(self) -> None:
        (self.dir / "cases").write_text("s.one\ns.two kmemleak\n")
        self.assertEqual(frozenset({"s.one"}), self.read().cases)
        self.assertEqual(frozenset({"s.one", "s.two"}), self.read(config="64k-kmemleak").cases)

    def test_an_entry_applies_to_configs_with_more_fragments(self) -> None:
        (self.dir / "stock").write_text("s.one 64k-va42\n")
        (self.dir / "skips").write_text("s.two 64k too little memory\n")
        self.assertEqual(frozenset(), self.read("stock", "64k").failing)
        self.assertEqual(frozenset({"s.one"}), self.read("stock", "64k-va42-kasan").failing)
        self.assertEqual({"s.two"}, set(self.read(config="64k-va42").skips))

    def test_an_entry_for_a_version(self) -> None:
        (self.dir / "stock").write_text("s.one 6.12\ns.two 7.2\n")
        (self.dir / "riscv").write_text("s.one stock-6.12\ns.two stock-7.2\n")
        self.assertEqual({"s.one"}, set(self.read("stock").failing))
        self.assertEqual({"s.one"}, set(self.arch("riscv", "stock").failing))

    def test_an_unknown_case(self) -> None:
        (self.dir / "baseline").write_text("s.three\n")
        with self.assertRaisesRegex(UsageError, "s.three"):
            self.read("baseline")

    def test_a_case_that_must_be_skipped(self) -> None:
        (self.dir / "skips").write_text("s.one 64k! why\ns.two 64k why\n")
        expected = self.read(config="64k")
        self.assertEqual({"s.one": "why", "s.two": "why"}, dict(expected.skips))
        self.assertEqual(frozenset({"s.one"}), expected.skipped)
        self.assertEqual(frozenset(), self.read().skipped)

    def test_a_skip_without_a_reason(self) -> None:
        (self.dir / "skips").write_text("s.two 64k\n")
        with self.assertRaisesRegex(UsageError, "reason"):
            self.read()

    def test_no_list_of_cases(self) -> None:
        (self.dir / "cases").unlink()
        with self.assertRaisesRegex(UsageError, "cases"):
            self.read()


if __name__ == "__main__":
    unittest.main()
