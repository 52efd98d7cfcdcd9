# SPDX-License-Identifier: GPL-2.0
"""make bench: reading, comparing, printing and drawing measurements, and whole runs."""

import json
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.base import picture
from harness.base.errors import UsageError
from harness.bench import barriers as bench_barriers
from harness.bench import costs as bench_costs
from harness.bench import growth, plot
from harness.bench import text as bench_text
from harness.bench.barriers import TraceError
from harness.bench.costs import BenchError, Costs, Key
from harness.commands import bench
from harness.request.settings import FLAVOURS
from harness.verdict import judge
from harness.verdict.results import RunResult
from tests.world import fake
from tests.world.fake import KERNEL, Ran, World
from tests.world.test_origin_map import SVG

GIB = 1 << 30
FACTS = "bench: kernel page=4096 section=134217728 subsection=2097152 struct_page=64 block=2097152"

# The instructions, in thousands, that each call takes for 1 GiB.
COSTS: dict[tuple[str, str], int] = {
    ("memremap_pages", "device"): 13000,
    ("memunmap_pages", "device"): 9000,
    ("arch_add_memory", "device"): 2500,
    ("__add_pages", "device"): 500,
    ("vmemmap_populate", "device"): 300,
    ("move_pfn_range_to_zone", "device"): 200,
    ("memmap_init_zone_device", "device"): 10000,
    ("remove_pfn_range_from_zone", "device"): 10,
    ("arch_remove_memory", "device"): 8500,
    ("__remove_pages", "device"): 500,
    ("vmemmap_free", "device"): 400,
    ("add_memory", "dimm"): 3000,
}


def row(call: str, of: str, origin: str, count: int, own: int) -> str:
    ram, device = (3, 4096) if origin == "device" else (4099, 0)
    return (
        f"bench: row call={call} of={of} origin={origin} bytes={count} own={own} "
        f"insns={own + 7} ns={own + 5007} ram={ram} device={device} window=1"
    )


def lines() -> list[str]:
    found = [FACTS]
    for origin in ("device", "ram"):
        found += [row(call, of, origin, GIB, n * 1000) for (call, of), n in COSTS.items()]
        found += [row("vmemmap_populate", "page", origin, 4096, 264)]
        found += [row("vmemmap_free", "page", origin, 4096, 74)]
    return found


def log(rows: Iterable[str]) -> str:
    """A console log with these rows in the last case of the suite."""
    expected = judge.read_expectation(bench.EXPECTED, "stock", "4k", (6, 12))
    cases = sorted(name.split(".")[1] for name in expected.cases)
    text = [
        "Booting Linux",
        "KTAP version 1",
        "1..1",
        "    KTAP version 1",
        f"    # Subtest: {bench.SUITE}",
        f"    1..{len(cases)}",
    ]
    text += [f"    ok {n} {name}" for n, name in enumerate(cases[:-1], 1)]
    text += [f"    # {cases[-1]}: {line}" for line in rows]
    text += [f"    ok {len(cases)} {cases[-1]}", f"ok 1 {bench.SUITE}", "reboot: System halted"]
    return "\n".join(text) + "\n"


class Read(unittest.TestCase):
    def test_measurements(self) -> None:
        found = bench_costs.read(log(lines()))
        self.assertEqual((4096, 134217728), (found.facts.page, found.facts.section))
        got = found.rows[Key("memremap_pages", "device", "ram", GIB)]
        self.assertEqual((13000000, 13000000, 5000), (got.own, got.work, got.waiting))
        self.assertEqual(4099, got.ram)

    def test_a_call_that_does_not_sleep_counts_all_instructions(self) -> None:
        self.assertEqual(
            271, bench_costs.read(log(lines())).work("vmemmap_populate", "page", "device", 4096)
        )

    def test_without_a_wait_all_tasks_count(self) -> None:
        line = row("remove_memory", "dimm", "device", GIB, 3366960)
        line = line.replace("insns=3366967 ns=3371967", "insns=4570557 ns=4570560")
        self.assertEqual(
            4570557,
            bench_costs.read(log([FACTS, line])).work("remove_memory", "dimm", "device", GIB),
        )

    def test_malformed_lines(self) -> None:
        good = row("add_memory", "dimm", "ram", GIB, 5)
        for bad in (
            good.replace("bytes=1073741824", ""),
            good.replace("origin=ram", "origin=mars"),
            good.replace("own=5", "own=many"),
            good + "\n" + good,
            FACTS.replace("page=4096", ""),
        ):
            with self.assertRaises(BenchError, msg=bad):
                bench_costs.read(f"{FACTS}\n{bad}\n" if bad is not FACTS else bad)

    def test_a_log_without_measurements(self) -> None:
        for text in ("", FACTS, row("add_memory", "dimm", "ram", GIB, 5)):
            with self.assertRaisesRegex(BenchError, "no measurements"):
                bench_costs.read(text)


class Compare(unittest.TestCase):
    def costs(self, *changed: tuple[str, str]) -> Costs:
        text = "\n".join(lines())
        for old, new in changed:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return bench_costs.read(text)

    def faults(self, *changed: tuple[str, str]) -> list[str]:
        changes = bench_costs.compare(self.costs(), self.costs(*changed))
        return [change.fault for change in changes if change.fault]

    def test_limits(self) -> None:
        self.assertEqual([], self.faults())
        self.assertEqual([], self.faults(("own=13000000", "own=13260000")))
        (first, second) = self.faults(("own=13000000", "own=13260001"))
        self.assertIn("memremap_pages of a device of 1 GiB, memmap in the device", first)
        self.assertIn("memmap in the device: +2.0%", first)
        self.assertIn("system RAM", second)

    def test_mapping_alone_may_grow_more(self) -> None:
        self.assertEqual([], self.faults(("insns=271", "insns=298")))
        self.assertEqual(2, len(self.faults(("insns=271", "insns=299"))))

    def test_growth_that_is_listed(self) -> None:
        costs = (self.costs(), self.costs(("insns=271", "insns=320")))
        faults = [c for c in bench_costs.compare(*costs) if c.fault]
        first = faults[0].name
        for percent, count in ((19, 0), (18, 2), (9, 2)):
            with self.subTest(percent=percent), tempfile.TemporaryDirectory() as directory:
                path = Path(directory, "growth")
                lines = [f"fast 4k {percent}% {c.name}: why\n" for c in faults]
                path.write_text("".join(lines))
                self.assertEqual({}, growth.read(path, "fixed", "4k-bench"))
                self.assertEqual({}, growth.read(path, "fast", "64k-bench"))
                allowed = growth.read(path, "fast", "4k-bench")
                found = [c for c in growth.apply(faults, allowed) if c.fault]
                self.assertEqual(count, len(found))
        listed = growth.apply(bench_costs.compare(costs[0], costs[0]), {first: 0.2})
        (stale,) = (c for c in listed if c.fault)
        self.assertEqual(f"{first}: within the limit, but listed", stale.fault)
        changes = bench_costs.compare(*costs)
        names = {first: 0.2, "gone": 0.2, "isb in gone": 0.2}
        self.assertEqual(["gone"], growth.unknown(changes, names, has_barriers=False))
        self.assertEqual(["gone", "isb in gone"], growth.unknown(changes, names, True))

    def test_any_other_part_may_grow_if_the_whole_does_not(self) -> None:
        self.assertEqual(
            [], self.faults(("own=2500000 insns=2500007", "own=9000000 insns=9000007"))
        )
        self.assertEqual([], self.faults(("own=300000 insns=300007", "own=900000 insns=900007")))
        key = Key("arch_add_memory", "device", "ram", GIB)
        for before, now in ((0, 0), (0, 3), (8, 80)):
            (change,) = bench_costs.compare_barriers({key: {"tlbi": before}}, {key: {"tlbi": now}})
            self.assertEqual("", change.fault)

    def test_a_memmap_smaller_than_a_page_is_compared_with_one_in_ram(self) -> None:
        facts = FACTS.replace("page=4096", "page=65536", 1)

        def small(work: int, device: int, count: int = 1 << 24) -> Costs:
            rows = [
                row("memremap_pages", "device", "device", count, work),
                row("memremap_pages", "device", "ram", count, 33000),
            ]
            text = "\n".join([facts, *rows]).replace("device=4096", f"device={device}")
            return bench_costs.read(text)

        for work, device, count, faults in (
            (33000, 0, 1 << 24, 0),
            (34000, 0, 1 << 24, 1),
            (33000, 1, 1 << 24, 1),
            # 64 KiB of struct pages fill a page, so they do not share it.
            (33000, 0, 1 << 26, 1),
        ):
            stock = small(30000, 1, count)
            with self.subTest(work=work, device=device, count=count):
                changes = bench_costs.compare(stock, small(work, device, count))
                self.assertEqual(faults, len([c for c in changes if c.fault]))
        (change,) = (c for c in bench_costs.compare(small(30000, 1), small(34000, 0)) if c.against)
        self.assertIn(
            "34,000 instructions for 33,000 in stock, memmap in system RAM", change.numbers
        )

    def test_a_lower_count_is_no_fault(self) -> None:
        self.assertEqual([], self.faults(("own=13000000", "own=10")))

    def test_a_missing_measurement_is_a_fault(self) -> None:
        stock = self.costs()
        rows = dict(stock.rows)
        gone = rows.popitem()[0]
        (fault,) = (
            c.fault for c in bench_costs.compare(stock, Costs(stock.facts, rows)) if c.fault
        )
        self.assertIn(f"{gone.name}: not measured", fault)
        new = [c for c in bench_costs.compare(Costs(stock.facts, rows), stock) if not c.before]
        self.assertEqual([gone], [c.key for c in new])
        self.assertEqual("", new[0].fault)

    def test_barriers_are_compared_with_stock(self) -> None:
        key = Key("vmemmap_free", "page", "ram", 4096)
        stock = {key: {"dsb": 20, "isb": 10, "tlbi": 0}}
        for now, fault in (
            ({"dsb": 22, "isb": 10, "tlbi": 0}, ""),
            (
                {"dsb": 23, "isb": 10, "tlbi": 0},
                "dsb in vmemmap_free of a page, memmap in system RAM: +15.0%",
            ),
            (
                {"dsb": 20, "isb": 10, "tlbi": 1},
                "tlbi in vmemmap_free of a page, memmap in system RAM: from nothing",
            ),
            (
                {"dsb": 20, "isb": 10},
                "tlbi in vmemmap_free of a page, memmap in system RAM: not measured",
            ),
        ):
            changes = bench_costs.compare_barriers(stock, {key: now})
            self.assertEqual(fault, "".join(change.fault for change in changes))

    def test_parts_add_up(self) -> None:
        costs = self.costs()
        added = bench_costs.adding(costs, "device", GIB)
        self.assertEqual(costs.work("memremap_pages", "device", "device", GIB), sum(added.values()))
        # The parts do not sleep, so all instructions count: 7 more for each of two parts.
        self.assertEqual(10200014, added["struct pages"])
        self.assertEqual(2000000, added["linear mapping"])
        removed = bench_costs.removing(costs, "ram", GIB)
        self.assertEqual(9000000, sum(removed.values()))
        self.assertEqual(400007, removed["vmemmap mapping"])

    def test_a_part_that_is_missing(self) -> None:
        with self.assertRaisesRegex(BenchError, "no measurement of memmap_init"):
            bench_costs.adding(self.costs(), "device", 2 * GIB)


class Tell(unittest.TestCase):
    def test_tables_fit_a_mail(self) -> None:
        costs = bench_costs.read(log(lines()))
        key = Key("vmemmap_free", "page", "device", 4096)
        barriers = {key: {"dsb": 4, "isb": 2, "tlbi": 2}}
        found = [
            bench_text.Measured(flavour, "4k", RunResult(flavour, (), 1.0), costs, barriers)
            for flavour in ("stock", "series", "fixed", "fast")
        ]
        table = bench_text.tables(found)
        self.assertTrue(all(len(line) <= 78 for line in table), "\n".join(table))
        text = "\n".join(table)
        self.assertRegex(text, r"memremap_pages 1 GiB, device +13,000,000 +\+0\.00% +\+0\.00%")
        self.assertRegex(text, r"struct pages +10,200,014 +78\.46% +10,200,014 +78\.46%")
        self.assertEqual([], [line for line in table if line != line.rstrip()])
        self.assertRegex(text, r"free page, device +4/2/2 += += +=")
        self.assertRegex(text, r"memmap in RAM +series +16 MiB +0 bytes")

    def test_a_kernel_without_measurements_has_no_column(self) -> None:
        none = bench_text.Measured("series", "4k", RunResult("series", (), 1.0), Costs.none())
        self.assertEqual([], bench_text.tables([none]))


class Draw(unittest.TestCase):
    def setUp(self) -> None:
        text = "\n".join(lines())
        small = text.replace(str(GIB), str(GIB // 2)).replace("000000 ", "00000 ")
        rows = {**bench_costs.read(text).rows, **bench_costs.read(small).rows}
        self.costs = Costs(bench_costs.read(text).facts, rows)

    def draw(self, *flavours: str) -> ElementTree.Element:
        drawn = plot.figure("a < b", dict.fromkeys(flavours, self.costs), flavours[-1])
        return ElementTree.fromstring(drawn)

    def test_a_picture_of_all_kernels(self) -> None:
        flavours = ("stock", *(name for name in FLAVOURS if name not in ("stock", "series")))
        self.assertGreater(len(flavours), 2)
        root = self.draw(*flavours, "series")
        self.assertEqual("a < b", root.findtext(f"{SVG}title"))
        self.assertIn("13,000,000 instructions for 1 GiB", str(root.findtext(f"{SVG}desc")))
        text = [element.text for element in root.iter(f"{SVG}text")]
        for words in ("struct pages", "linear mapping", "The parts are those of series."):
            self.assertIn(words, text)
        for flavour in (*flavours, "series"):
            self.assertIn(f"all of it, {flavour}", text)
        # Each flavour has a mark for two sizes in each of four panels, and one in the legend.
        uses = list(root.iter(f"{SVG}use"))
        marks = [use.get("{http://www.w3.org/1999/xlink}href") for use in uses]
        shapes = {path.get("id"): path.get("d") for path in root.iter(f"{SVG}path")}
        drawn = Counter(shapes.get(str(mark)[1:]) for mark in marks)
        self.assertEqual(len(FLAVOURS), list(drawn.values()).count(9), drawn)
        # The axis includes the highest mark.
        heights = [float(use.get("y", "0")) for use in uses if use.get("y")]
        self.assertGreater(min(heights), picture.HEAD + 40)

    def test_a_negative_part(self) -> None:
        """Each call is measured by itself, so a cheap part can come out negative."""
        key = Key("vmemmap_populate", "device", "ram", GIB)
        rows = dict(self.costs.rows)
        rows[key] = replace(rows[key], insns=10**9)
        costs = Costs(self.costs.facts, rows)
        self.assertLess(bench_costs.adding(costs, "ram", GIB)["the rest"], 0)
        ElementTree.fromstring(plot.figure("t", {"stock": costs}, "stock"))


MAP = """\
ffff800080000000 T _text
ffff800080000010 t set_table
ffff800080000020 T plain
ffff800080000030 t cost_begin
ffff800080000040 t cost_end
ffff800080000050 T set_table_elsewhere
ffff800080000060 T _etext
"""
NOP, DSB_ISHST, ISB_SY, TLBI_VAALE1IS = 0xD503201F, 0xD5033A9F, 0xD5033FDF, 0xD50883E0


def executed(block: int, pc: int) -> str:
    return f"Trace 0: {block:#x} [0000000000000000/{pc:016x}/00000402/ff280000] set_table"


def translated(pc: int, *words: int) -> str:
    lines = [f"{pc + 4 * n:#x}:  {word:08x}          what" for n, word in enumerate(words)]
    return "\n".join(["----------------", "IN: set_table", *lines, ""])


class Trace(unittest.TestCase):
    TEXT = 0xFFFF800080000000
    TABLE, BEGIN, END = TEXT + 0x10, TEXT + 0x30, TEXT + 0x40
    BODY = (DSB_ISHST, ISB_SY, NOP, TLBI_VAALE1IS)

    def setUp(self) -> None:
        words = [NOP] * 4 + list(self.BODY) + [NOP] * 12 + [DSB_ISHST] * 4
        self.image = b"".join(word.to_bytes(4, "little") for word in words)
        self.found = bench_barriers.watched(MAP, self.image, ["set_table", "plain"])

    def count(self, *lines: str) -> list[dict[str, int]]:
        marks = [translated(self.BEGIN, NOP), translated(self.END, NOP)]
        text = "\n".join([*marks, *lines]).splitlines()
        return [dict(window) for window in bench_barriers.count(text, self.found)]

    def begin(self) -> str:
        return executed(0x7F01, self.BEGIN)

    def end(self) -> str:
        return executed(0x7F02, self.END)

    def test_functions_to_trace(self) -> None:
        """Functions that contain a barrier, and the first instruction of each mark."""
        self.assertEqual(["set_table", "cost_begin", "cost_end"], [f.name for f in self.found])
        said = bench_barriers.arguments(self.found, Path("/tmp/a log"))
        self.assertIn("-D '/tmp/a log' -dfilter 0xffff800080000010..0xffff80008000001f,", said)
        self.assertIn("0xffff800080000030..0xffff800080000033", said)

    def test_no_marks(self) -> None:
        with self.assertRaisesRegex(TraceError, "no cost_begin"):
            bench_barriers.watched(MAP.replace("cost_end", "cost_fin"), self.image, [])
        with self.assertRaisesRegex(TraceError, "no cost_begin"):
            bench_barriers.watched("", b"", [])

    def test_barriers_between_the_marks_are_counted(self) -> None:
        table = executed(0x7F03, self.TABLE)
        found = self.count(
            translated(self.TABLE, *self.BODY),
            table,
            self.begin(),
            table,
            table,
            self.end(),
            table,
            self.begin(),
            self.end(),
        )
        self.assertEqual([{"dsb": 2, "isb": 2, "tlbi": 2}, {}], found)

    def test_a_block_that_was_left_before_it_began(self) -> None:
        table = executed(0x7F03, self.TABLE)
        stopped = f"Stopped execution of TB chain before 0x7f03 [{self.TABLE:016x}] set_table"
        found = self.count(
            translated(self.TABLE, *self.BODY), self.begin(), table, stopped, table, self.end()
        )
        self.assertEqual([{"dsb": 1, "isb": 1, "tlbi": 1}], found)
        at_mark = f"Stopped execution of TB chain before 0x7f01 [{self.BEGIN:016x}] cost_begin"
        found = self.count(self.begin(), at_mark, self.begin(), self.end())
        self.assertEqual([{}], found)

    def test_a_block_of_another_length(self) -> None:
        """When its instruction budget ends, QEMU translates a shorter block of the same address."""
        whole, part = executed(0x7F03, self.TABLE), executed(0x7F04, self.TABLE)
        found = self.count(
            translated(self.TABLE, *self.BODY),
            self.begin(),
            whole,
            translated(self.TABLE, *self.BODY[:2]),
            part,
            whole,
            part,
            self.end(),
        )
        self.assertEqual([{"dsb": 4, "isb": 4, "tlbi": 2}], found)

    def test_an_empty_trace(self) -> None:
        with self.assertRaisesRegex(TraceError, "no measurement"):
            self.count()


class Choose(unittest.TestCase):
    def test_stock_always_comes_first(self) -> None:
        self.assertEqual(
            (["stock", "series", "fixed", "fast"], ["4k", "16k", "64k"]), bench.choose("", "")
        )
        self.assertEqual((["stock", "series"], ["64k"]), bench.choose("series stock", "64k 64k"))

    def test_unknown_names(self) -> None:
        for flavours, configs in (("nosuch", ""), ("", "nosuch"), ("", "debug-4k")):
            with self.assertRaises(UsageError):
                bench.choose(flavours, configs)


class Make(World):
    """Whole runs. The console log is a file in the kernel tree, so each flavour has its own."""

    CONSOLE = "mm/console.log"
    text = log(lines())
    kernel = {**KERNEL, CONSOLE: text}

    def setUp(self) -> None:
        super().setUp()
        self.write("lib/kunit-configs/bench.config", "")
        self.write("tools/testing/kunit/data/expected/bench/growth", "")
        self.old = row("memremap_pages", "device", "device", GIB, 13000000)

    def console(self, text: str) -> None:
        self.pack_kernel({**KERNEL, self.CONSOLE: text}, mtime=2)

    def series_says(self, new: str) -> None:
        text = self.text.splitlines()
        at = next(n for n, line in enumerate(text) if line.endswith(self.old))
        before, old, after = text[at - 1 : at + 2]
        new = old.replace(self.old, new)
        body = fake.diff(self.CONSOLE, old, new, before, after).replace(
            "@@ -1,3 +1,3 @@", f"@@ -{at},3 +{at},3 @@"
        )
        mail = fake.MAIL.format(author="A. Developer", subject="growth", diff=body)
        self.write("patches/series/0001-one.patch", mail)

    def bench(self, **env: str) -> Ran:
        return self.program(
            "bench", FAKE_CONSOLE=self.CONSOLE, **{"CONFIGS": "4k", "BARRIERS": "0", **env}
        )

    def test_everything_passes(self) -> None:
        ran = self.bench()
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"4K pages: instructions +stock +series +fixed +fast")
        # Four runs of six cases. Three of them compare 28 measurements with stock.
        self.assertEqual("108 passed, 0 failed", ran.stdout.splitlines()[-1])

    def test_the_guest_counts_instructions(self) -> None:
        self.bench(FLAVOURS="stock")
        recorded = self.recorded()
        self.assertIn("--qemu_args=-icount shift=0,sleep=off", recorded["argv"])
        self.assertIn("memmap_bench", recorded["argv"])
        self.assertEqual("max,pauth-impdef=on", recorded["env"]["KUNIT_QEMU_CPU"])

    def test_arguments_for_the_kernel(self) -> None:
        ran = self.bench(FLAVOURS="stock", KERNEL_ARGS="rodata=on nokaslr")
        self.assertIn("kernel arguments: rodata=on nokaslr\n", ran.stdout)
        recorded = self.recorded()
        for word in ("rodata=on", "nokaslr"):
            self.assertIn(f"--kernel_args={word}", recorded["argv"])
        self.assertNotIn("KERNEL_ARGS", recorded["env"])

    def test_a_series_that_is_more_expensive(self) -> None:
        self.series_says(row("memremap_pages", "device", "device", GIB, 14000000))
        ran = self.bench()
        self.assertEqual(1, ran.status, ran.stdout + ran.stderr)
        self.assertIn("series 4k: 1 unexpected", ran.stdout)
        self.assertIn("memmap in the device: +7.7%\n", ran.stdout)
        self.assertIn("14,000,000 instructions for 13,000,000 in stock; 2% is", ran.stdout)
        self.assertRegex(
            ran.stdout, r"memremap_pages 1 GiB, device +13,000,000 +\+7\.69% +\+0\.00%"
        )
        self.assertEqual("107 passed, 1 failed", ran.stdout.splitlines()[-1])

    def test_results_for_machines(self) -> None:
        self.series_says(row("memremap_pages", "device", "device", GIB, 14000000))
        self.let_it_draw()
        self.bench(FLAVOURS="series")
        out = self.build / "results/bench"
        document = json.loads((out / "bench.json").read_text())
        stock, series = document["kernels"]
        self.assertEqual(
            ("stock", "series", "4k"), (stock["flavour"], series["flavour"], series["config"])
        )
        self.assertEqual(4096, series["facts"]["page"])
        self.assertEqual(0.07692, series["rows"][0]["growth"])
        self.assertEqual(5000, series["rows"][0]["waiting"])
        suites = ElementTree.parse(out / "bench.xml").getroot()
        self.assertEqual(["0", "1"], [suite.get("failures") for suite in suites])
        self.assertTrue((out / "series-4k.console.log").exists())
        self.assertIn("memremap_pages", (out / "bench.txt").read_text())
        drawn = ElementTree.parse(out / "bench-4k.svg").getroot()
        self.assertEqual("What a device costs the kernel, 4K pages", drawn.findtext(f"{SVG}title"))

    def test_pictures_go_to_the_given_directory(self) -> None:
        shown = self.top / "docs/mm"
        ran = self.bench(FLAVOURS="stock", PLOTS=str(shown))
        self.assertEqual(0, ran.status, ran.stderr)
        names = sorted(path.name for path in shown.iterdir())
        self.assertEqual(["bench-4k.svg", "bench.txt"], names)

    def test_a_kernel_that_measures_nothing(self) -> None:
        text = log(lines()).replace("bench: ", "")
        self.console(text)
        ran = self.bench(FLAVOURS="stock")
        self.assertEqual(1, ran.status)
        self.assertIn("the log has no measurements", ran.stdout)

    def test_a_skipped_case_is_a_failure(self) -> None:
        self.console(
            log(lines()).replace("memremap_pages_by_size", "memremap_pages_by_size # SKIP no")
        )
        ran = self.bench(FLAVOURS="stock")
        self.assertEqual(1, ran.status)
        self.assertIn("memremap_pages_by_size", ran.stdout)

    def test_memory_that_cannot_hold_its_memmap_is_skipped(self) -> None:
        self.console(
            log(lines()).replace("add_memory_by_size\n", "add_memory_by_size # SKIP refused\n")
        )
        for config, status in (("64k", 0), ("4k", 1)):
            ran = self.bench(FLAVOURS="stock", CONFIGS=config)
            self.assertEqual(status, ran.status, ran.stdout + ran.stderr)

    def test_a_build_that_fails(self) -> None:
        ran = self.bench(FLAVOURS="stock", FAKE_TOOL="build fails")
        self.assertEqual(1, ran.status)
        self.assertIn("error: 'x' undeclared", ran.stdout)

    def test_arguments_that_are_refused(self) -> None:
        self.assert_error(self.program("bench", "4k"), 2, "does not take 4k")
        self.assert_error(self.bench(KSRC="/nowhere"), 2, "not KSRC")
        self.assert_error(self.bench(CONFIGS="5k"), 2, "5k")

    def test_an_interruption(self) -> None:
        child = self.start("bench", env={"CONFIGS": "4k", "FAKE_TOOL": "build hangs"})
        pids = self.wait_for_hang(child)
        self.assertEqual(130, self.interrupt(child).status)
        self.assert_gone(pids)
        self.assertFalse((self.build / "results/bench/bench.json").exists())


if __name__ == "__main__":
    unittest.main()
