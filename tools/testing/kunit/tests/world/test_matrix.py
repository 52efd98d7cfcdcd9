# SPDX-License-Identifier: GPL-2.0
"""make matrix and make report, end to end in a fake world."""

import json
import re
import unittest
import xml.etree.ElementTree as ElementTree
from typing import Any

from harness.base.errors import UsageError
from harness.kernel.finding import Status
from harness.matrix import rows
from harness.matrix import shards as matrix_shards
from harness.matrix.rows import MATRIX, OLDER, Row, Shard
from harness.matrix.shards import Part
from harness.request import settings
from harness.trees import debian
from harness.verdict.results import CaseResult, RunResult
from tests.unit.test_judge import CASES
from tests.world.fake import DATA, KERNEL, Ran, World, patch


class Matrix(World):
    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in ("baseline", "stock", "skips"):
            self.write(f"tools/testing/kunit/data/expected/{name}", "")
        for name in ("va39", "kasan"):
            self.write(f"lib/kunit-configs/{name}.config", "")
        self.results = self.build / "results"

    def matrix(self, log: str = "pass", **env: str) -> Ran:
        env = {"CONFIGS": "4k 64k", "FLAVOURS": "series", **env}
        return self.program("matrix", FAKE_CONSOLE=str(DATA / f"{log}.log"), **env)

    def report(self, **env: str) -> Ran:
        return self.program("report", **env)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.results / "matrix.json").read_text())
        return found

    def test_everything_passes(self) -> None:
        ran = self.matrix()
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertEqual("20 passed, 0 failed", ran.stdout.splitlines()[-1])
        self.assertTrue(all(len(line) <= 78 for line in ran.stdout.splitlines()), ran.stdout)
        self.assertEqual(["max", "cortex-a57"] * 2, [row["cpu"] for row in self.document()["rows"]])
        self.assertTrue((self.results / "series_4k_cortex-a57.console.log").exists())

    def test_boots_share_a_build(self) -> None:
        self.matrix(CONFIGS="4k-va52 4k")
        logs = sorted(path.name for path in self.results.glob("*.build.log"))
        self.assertEqual([], logs)  # No 4k-va52.config: nothing was started.
        self.write("lib/kunit-configs/va52.config", "")
        self.assertEqual(0, self.matrix(CONFIGS="4k-va52").status)
        self.assertEqual(1, len(list(self.results.glob("*.build.log"))))
        self.assertEqual(6, len(list(self.results.glob("*.console.log"))))

    def test_arguments_of_a_boot(self) -> None:
        self.write("lib/kunit-configs/va52.config", "")
        self.matrix(CONFIGS="16k-va52")  # The last boot has four older cores.
        recorded = self.recorded()
        self.assertEqual("neoverse-n1", recorded["env"]["KUNIT_QEMU_CPU"])
        self.assertIn("--kernel_args=rodata=on", recorded["argv"])
        self.assertIn("--qemu_args=-smp 4", recorded["argv"])
        for name in ("CONFIGS", "FLAVOURS", "SHARD"):
            self.assertNotIn(name, recorded["env"])

    def test_an_entry_for_a_page_size_applies_to_its_address_sizes(self) -> None:
        self.write(
            "tools/testing/kunit/data/expected/skips",
            "vmem_altmap.takes_from_altmap 4k it does not fit\n",
        )
        self.assertEqual(0, self.matrix("skipped", CONFIGS="4k-va39-kasan").status)
        self.assertEqual(1, self.matrix("skipped", CONFIGS="64k").status)

    def riscv(self, log: str, fails: str = "", config: str = "riscv", **env: str) -> Ran:
        for name in ("riscv64-linux-gnu-gcc", "qemu-system-riscv64"):
            self.tool(name, "echo it")
        cases = "\n".join([*sorted(CASES), "arm64_only.case"])
        self.write("tools/testing/kunit/data/expected/cases", cases)
        self.write("tools/testing/kunit/data/expected/riscv", fails)
        return self.matrix(log, CONFIGS=config, **env)

    def test_another_architecture(self) -> None:
        ran = self.riscv("pass")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"series +riscv +- +- +1 +5 +0 ")
        self.assertIn("--arch=riscv", self.recorded()["argv"])
        rows = self.document()["rows"]
        self.assertEqual([("riscv", ""), ("riscv", "")], [(r["config"], r["cpu"]) for r in rows])
        self.assertEqual(["", "no5lvl"], [row["arguments"] for row in rows])

    def test_expected_failures_on_another_architecture(self) -> None:
        known = "vmemmap_basepages.maps_altmap_pages"
        self.assertEqual(0, self.riscv("failure", known).status)
        ran = self.riscv("failure", f"{known} stock")  # Expected on stock, not on series.
        self.assertEqual(1, ran.status)
        self.assertIn(f"{known} failed", ran.stdout)
        ran = self.riscv("failure", f"{known} stock", FLAVOURS="stock")
        self.assertEqual(0, ran.status, ran.stdout)

    def test_another_architecture_with_a_fragment(self) -> None:
        known = "vmemmap_basepages.maps_altmap_pages"
        ran = self.riscv("failure", f"{known} riscv-debug", config="riscv-debug")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"series +riscv-debug +- +- +1 ")
        self.assertIn("--arch=riscv", self.recorded()["argv"])
        self.assertEqual(1, self.riscv("failure", f"{known} debug", config="riscv").status)
        ran = self.riscv("pass", config="riscv-bug")
        self.assert_error(ran, 2, "CONFIGS=bug", "there is no kunitconfig fragment 'bug'")

    def test_every_row_is_reported(self) -> None:
        ran = self.matrix("panic")
        self.assertEqual(1, ran.status)
        self.assertEqual(4, len(re.findall(r" in vmem_altmap.*Kernel panic", ran.stdout)))

    def test_a_failed_build_is_reported_in_each_row(self) -> None:
        ran = self.matrix(FAKE_TOOL="build fails")
        self.assertEqual(1, ran.status)
        self.assertEqual("0 passed, 4 failed", ran.stdout.splitlines()[-1])
        self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stdout)

    def test_unknown_names(self) -> None:
        self.assert_error(self.matrix(CONFIGS="5k"), 2, "5k")
        self.assert_error(self.matrix(CONFIGS="kasan"), 2, "does not start with a page size")
        self.assert_error(self.matrix(FLAVOURS="vanilla"), 2, "vanilla")
        self.assert_error(self.matrix(KSRC=str(self.top)), 2, "not KSRC")
        for shard in ("0/3", "4/3", "1", "a/b", "-1/2"):
            self.assert_error(self.matrix(SHARD=shard), 2, f"SHARD={shard}")

    def test_the_share_of_a_shard(self) -> None:
        ran = self.matrix(SHARD="1/2")
        self.assertRegex(ran.stderr, r"shard 1 of 2 has \d+ of \d+ kernels and \d+ of \d+ boots\n")
        self.assertRegex(self.matrix().stderr, r"the matrix has \d+ kernels and \d+ boots\n")

    def test_ctrl_c_leaves_the_old_result(self) -> None:
        self.assertEqual(0, self.matrix().status)
        old = (self.results / "matrix.json").read_bytes()
        env = {"CONFIGS": "4k", "FLAVOURS": "series", "FAKE_TOOL": "guest hangs"}
        child = self.start("matrix", env=env)
        pids = self.wait_for_hang(child)
        self.assertEqual(130, self.interrupt(child).status)
        self.assert_gone(pids)
        self.assertEqual(old, (self.results / "matrix.json").read_bytes())

    # --- make report ---

    def shards(self, *numbers: int, log: str = "pass") -> None:
        for number in numbers:
            self.matrix(log, SHARD=f"{number}/2")

    def test_shards_merge_to_the_whole_matrix(self) -> None:
        self.matrix()
        whole = self.document()
        (self.results / "matrix.json").unlink()
        self.shards(1, 2)
        ran = self.report()
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertEqual("20 passed, 0 failed", ran.stdout.splitlines()[-1])
        merged = self.document()
        for rows_of in (whole, merged):
            for row in rows_of["rows"]:
                row.pop("seconds")
        self.assertEqual(whole, merged)
        suites = ElementTree.parse(self.results / "matrix.xml").getroot()
        self.assertEqual(4, len(suites))

    def test_shards_in_another_directory(self) -> None:
        self.shards(1, 2)
        for number in (1, 2):
            part = self.top / f"parts/{number}"
            part.mkdir(parents=True)
            name = f"matrix-{number}-of-2.json"
            (self.results / name).rename(part / name)
        self.assertEqual(0, self.report(PARTS=str(self.top / "parts")).status)

    def test_a_failure_in_a_shard(self) -> None:
        self.shards(1)
        self.shards(2, log="failure")
        ran = self.report()
        self.assertEqual(1, ran.status)
        self.assertIn("series 64k max: 1 unexpected", ran.stdout)

    def test_a_missing_shard(self) -> None:
        self.shards(2)
        ran = self.report()
        self.assert_error(ran, 2, "1 of 2 shards are missing: 1/2", "make matrix SHARD=1/2")
        self.assertIn("10 passed", ran.stdout)

    def test_parts_that_do_not_belong_together(self) -> None:
        self.shards(1, 2)
        self.matrix(SHARD="1/3")
        self.assert_error(self.report(), 2, "different counts of shards")
        (self.results / "matrix-1-of-3.json").unlink()
        self.matrix(SHARD="1/2", CONFIGS="4k")
        self.assert_error(self.report(), 2, "different choices of rows")
        self.shards(1)
        copy = self.results / "again"
        copy.mkdir()
        part = (self.results / "matrix-1-of-2.json").read_text()
        (copy / "matrix-1-of-2.json").write_text(part)
        self.assert_error(self.report(), 2, "shard 1 more than once")
        (copy / "matrix-1-of-2.json").write_text(part.replace('"revision": "', '"revision": "x'))
        self.assert_error(self.report(), 2, "different revisions")

    def test_parts_of_different_revisions_without_git(self) -> None:
        self.shards(1)
        self.write("mm/tests/vmemmap_kunit.c", "/* another suite */\n")
        self.shards(2)
        self.assert_error(self.report(), 2, "different revisions")
        self.shards(1)
        self.assertEqual(0, self.report().status)

    def test_parts_with_changes_that_are_not_committed(self) -> None:
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
            self.git(self.repo, "-c", "user.name=a", "-c", "user.email=a@b", *words)
        for number in (1, 2):
            self.write(
                "patches/hooks/0001-hook.patch",
                patch("mm/memory.c", "memory", 3, f"int hook{number};"),
            )
            self.shards(number)
        self.assert_error(self.report(), 2, "different revisions")
        self.assertIn("-dirty", (self.results / "matrix-1-of-2.json").read_text())

    def test_parts_on_different_packages(self) -> None:
        self.shards(1)
        self.pack_kernel({**KERNEL, "mm/memory.c": KERNEL["mm/memory.c"] + "int newer;\n"}, mtime=2)
        self.shards(2)
        self.assert_error(self.report(), 2, "different revisions")

    def test_files_that_are_not_results(self) -> None:
        self.assert_error(self.report(), 2, "has no results of make matrix")
        self.shards(1, 2)
        path = self.results / "matrix-2-of-2.json"
        text = path.read_text()
        for bad in ("", "{", "[]", "{}", text.replace('"schema": 2', '"schema": 9'), text[:200]):
            path.write_text(bad)
            self.assert_error(self.report(), 2, "matrix-2-of-2.json is not a result of make matrix")


class Data(unittest.TestCase):
    def test_the_matrix_has_each_address_size(self) -> None:
        configs = {config for _, config, _ in MATRIX}
        regimes = {"4k": (39, 48, 52), "16k": (36, 47, 48, 52), "64k": (42, 48, 52)}
        for page, sizes in regimes.items():
            self.assertLessEqual({f"{page}-va{bits}" for bits in sizes}, configs)
        for config in configs:
            settings.check_config(config)
        cpus = {(row.config, row.cpu) for row in rows.choose({})}
        for page in regimes:
            self.assertLessEqual({(f"{page}-va52", "max"), (f"{page}-va52", OLDER[page])}, cpus)

    def test_names_are_unique(self) -> None:
        names = [row.name for row in rows.choose({})]
        self.assertEqual(len(names), len(set(names)))

    def test_shards_have_equal_numbers_of_builds(self) -> None:
        matrix = rows.choose({})
        for of in (1, 2, 3, 7, 29):
            shards = [Shard(n + 1, of).take(matrix) for n in range(of)]
            self.assertEqual(
                sorted(r.name for s in shards for r in s), sorted(r.name for r in matrix)
            )
            builds = [len(rows.groups(shard)) for shard in shards]
            self.assertLessEqual(max(builds) - min(builds), 1)
            self.assertEqual(sum(builds), len(rows.groups(matrix)))

    def test_a_flavour_runs_in_the_whole_matrix(self) -> None:
        self.assertEqual({"stock"}, {r.flavour for r in rows.choose({"FLAVOURS": "stock"})})
        self.assertIn("64k-va42", {r.config for r in rows.choose({"FLAVOURS": "stock"})})
        self.assertEqual({"series"}, {r.flavour for r in rows.choose({"CONFIGS": "4k"})})
        with self.assertRaises(UsageError):
            rows.choose({"CONFIGS": "4k va39"})

    def test_a_shard_without_a_row(self) -> None:
        matrix = rows.choose({"FLAVOURS": "series stock", "CONFIGS": "4k"})
        self.assertTrue(Shard(2, 9).take(matrix))
        with self.assertRaisesRegex(UsageError, "SHARD=3/9"):
            Shard(3, 9).take(matrix)

    def test_the_widest_row_fits(self) -> None:
        row = Row("baseline", "16k-va52-kasan", "neoverse-n1", "rodata=full", 4)
        case = CaseResult("s.c", Status.PASSED)
        run = RunResult(row.name, (case,) * 999, 9999.0)
        lines: list[str] = matrix_shards.table([row], [run])
        self.assertTrue(all(len(line) <= 78 for line in lines), lines)

    def test_a_shard_that_lost_a_row(self) -> None:
        matrix = tuple(rows.choose({"CONFIGS": "4k"}))
        run = RunResult(matrix[0].name, (), 1.0)
        self.assertEqual([1], matrix_shards.missing([Part(Shard(), "", "", matrix, (run,))]))


class Fragments(unittest.TestCase):
    def fragments(self, config: str) -> list[str]:
        wanted = debian.resolve(settings.read({"CONFIG": config}))
        return [path.stem for path in wanted.kunitconfigs]

    def test_fragments_that_apply_unless_named(self) -> None:
        self.assertEqual(
            ["base", "arm64", "no-kaslr", "no-page80-e2e", "no-slots", "64k", "va42"],
            self.fragments("64k-va42"),
        )
        self.assertEqual(
            ["base", "arm64", "no-page80-e2e", "no-slots", "64k", "kaslr"],
            self.fragments("64k-kaslr"),
        )
        self.assertEqual(["base", "riscv", "debug"], self.fragments("riscv-debug"))
        for config in ("4k-page80", "e2e-4k"):
            self.assertNotIn("no-page80-e2e", self.fragments(config))
        self.assertNotIn("no-kaslr", settings.known_configs())


if __name__ == "__main__":
    unittest.main()
