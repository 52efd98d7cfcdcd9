# SPDX-License-Identifier: GPL-2.0
"""make e2e: reading, choosing, running and judging scenarios."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from harness.base.errors import UsageError
from harness.e2e import choice, host, judge
from harness.e2e import reader as e2e_reader
from harness.e2e import rootfs
from harness.e2e import run as e2e_run
from harness.e2e import scenario as e2e_scenario
from harness.e2e import text as e2e_text
from harness.e2e.guest import Ended, Guest, Memory
from harness.e2e.scenario import Case, Line, Scenario, ScenarioError
from harness.kernel.finding import Finding, Kind, Stage, Status
from harness.verdict.results import CaseResult, RunResult
from tests.world.fake import MAIL, Ran, World

GOOD = """\
# A comment.
title   Two devices
memory  512M
device  $size at 4G      # the first
device  2M at 4G+64M
each    size 2M 16M
pages   4k 64k
fails   baseline second
record  stock

case first
    # Another comment.
    $ ndctl list
    > "dev"
    ! error

case second on 4k
    $ spent=$(spent $before) # not a comment of ours
"""


class Reading(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "two-devices.scenario"

    def read(self, text: str) -> list[Scenario]:
        self.path.write_text(text)
        return e2e_reader.read(self.path)

    def test_a_scenario(self) -> None:
        small, large = self.read(GOOD)
        self.assertEqual(["two-devices/2M", "two-devices/16M"], [small.variant, large.variant])
        self.assertEqual((16 << 20, 4 << 30), (large.devices[0].size, large.devices[0].address))
        self.assertEqual((4 << 30) + (64 << 20), small.devices[1].address)
        self.assertEqual(["first", "second"], [case.name for case in small.cases("4k")])
        self.assertEqual(["first"], [case.name for case in small.cases("64k")])
        first, second = small.cases("4k")
        self.assertEqual(("run", "see", "unseen"), tuple(line.kind for line in first.lines))
        self.assertEqual("spent=$(spent $before) # not a comment of ours", second.lines[0].text)
        self.assertEqual({"baseline": ("second",)}, small.failing)
        self.assertEqual(("stock",), small.recorded)

    def test_hidden_memory_is_not_described(self) -> None:
        found = self.read(GOOD.replace("device  2M at", "hidden  2M at"))[0].devices
        self.assertEqual([True, False], [device.is_described for device in found])
        self.assertEqual([4 << 30, (4 << 30) + (64 << 20)], [device.address for device in found])

    def test_a_node_without_ram(self) -> None:
        text = "title one\ndevice 2M at 4G on node 1\ndevice 2M at 5G\ncase first\n$ true\n"
        scenario = self.read(text)[0]
        self.assertEqual(([1, 0], 2), ([d.node for d in scenario.devices], scenario.nodes))

    def test_a_slot_that_is_larger_than_the_host(self) -> None:
        text = "title one\nmemory 2G\nnvdimm 1T\ncase first\n$ ndctl list\n"
        scenario = self.read(text)[0]
        self.assertEqual((1 << 40,), scenario.nvdimms)
        guest = Guest(Path("Image"), self.path, scenario, self.directory)
        with guest.memory() as memory:
            words = " ".join(guest.command(b"", memory))
        self.assertIn("-m 2048M,slots=16,maxmem=1040G ", words)
        self.assertRegex(words, r"memory-backend-ram,id=slot0,size=\d+,reserve=off ")

    def test_the_script(self) -> None:
        small = self.read(GOOD)[0]
        text = e2e_scenario.script(small, small.cases("4k"), cut=False)
        self.assertTrue(
            text.startswith("size=2M\nplan two-devices 2\nbegin first\nrun 'ndctl list'\n")
        )
        self.assertIn("see '\"dev\"'\nunseen error\nfinish\n", text)
        self.assertTrue(text.endswith("finish\nend\n"))

    def test_power_cuts_divide_boots(self) -> None:
        scenario = self.read(GOOD.replace("case second on 4k", "power cut\n\ncase second"))[0]
        self.assertEqual(
            [["first"], ["second"]], [[c.name for c in b] for b in scenario.boots("4k")]
        )
        self.assertTrue(scenario.looks_from_outside)

    def assert_refused(self, old: str, new: str, line: int, *words: str) -> None:
        self.assertIn(old, GOOD)
        with self.assertRaises(ScenarioError) as caught:
            self.read(GOOD.replace(old, new))
        self.assertIn(f"{self.path}:{line}: ", caught.exception.cause)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_errors_have_a_line(self) -> None:
        for old, new, line, words in (
            ("memory  512M", "memroy  512M", 3, ("'memroy' is not a keyword", "memory")),
            ("memory  512M", "memory  half", 3, ("'half' is not a size",)),
            ("memory  512M", "memory  8G", 4, ("does not fit", "0x240000000")),
            ("memory  512M", "memory 1G\nmemory 2G", 4, ("a second 'memory'", "line 3")),
            ("title   Two devices\n", "", 1, ("'title' line is missing",)),
            ("at 4G+64M", "at 4G+1M", 5, ("multiples of 2 MiB",)),
            ("at 4G+64M", "at 4G", 5, ("overlaps the one at 0x100000000",)),
            ("at 4G+64M", "at 64G", 5, ("does not fit", "64G")),
            ("at 4G+64M", "", 5, ("needs a size and an address",)),
            ("at 4G+64M", "at 4G+64M on node one", 5, ("'one' is not a node", "on node 1")),
            ("device  2M at 4G+64M", "hidden 2M", 5, ("needs a size", "hidden 2G at 4G")),
            ("device  2M at 4G+64M", "hidden 2M at 4G", 5, ("overlaps the one at",)),
            ("pages   4k", "dimm 1M\npages   4k", 7, ("multiple of 2 MiB",)),
            ("pages   4k", "nvdimm 64M\npages   4k", 4, ("cannot have both",)),
            ("each    size 2M 16M", "each", 6, ("needs a name",)),
            ("each    size 2M 16M", "each    size", 6, ("needs a name",)),
            ("each    size", "each    seize", 4, ("$size is not defined",)),
            ("pages   4k 64k", "pages   8k", 7, ("'8k' is not a page size",)),
            ("baseline second", "baseline third", 8, ("'third' is not a case", "first second")),
            ("fails   baseline second", "fails", 8, ("needs a flavour",)),
            ("fails   baseline", "fails   base", 8, ("'base' is not a flavour",)),
            ("record  stock", "record  stick", 9, ("'stick' is not a flavour",)),
            ("case first", "$ ls\ncase first", 11, ("outside of a case",)),
            ("case first", "case First", 11, ("'First' is not a valid name",)),
            ("    $ ndctl list", "    $", 13, ("nothing follows the sign",)),
            ("    $ ndctl list\n", "", 13, ("no command above it",)),
            ("case second on 4k", "case second on 5k", 17, ("'5k'",)),
            ("case second on 4k", "case first", 17, ("a second case 'first'",)),
            ("case second on 4k", "case empty\ncase second", 18, ("'empty' is empty",)),
            ("case second on 4k", "cpus 4\ncase second", 17, ("below the first case",)),
            ("\ncase first", "power cut\ncase first", 10, ("before the first case",)),
        ):
            with self.subTest(new=new):
                self.assert_refused(old, new, line, *words)

    def test_numbers(self) -> None:
        self.assert_refused("pages   4k 64k", "cpus    many", 7, "'many' is not a number")

    def test_no_case(self) -> None:
        with self.assertRaisesRegex(ScenarioError, ":1: it has no case"):
            self.read("title nothing\n")

    def test_files_that_cannot_be_read(self) -> None:
        with self.assertRaisesRegex(UsageError, "nowhere.scenario"):
            e2e_reader.read(self.directory / "nowhere.scenario")
        with self.assertRaisesRegex(UsageError, "has no scenarios"):
            e2e_reader.load(self.directory)

    def test_the_smoke_test_is_there(self) -> None:
        found = [s for s in e2e_reader.load() if s.name == e2e_run.SMOKE_SCENARIO]
        self.assertTrue(found)
        self.assertTrue(all(e2e_run.SMOKE_PAGE in s.pages for s in found))

    def test_the_files_of_this_repository_can_be_read(self) -> None:
        ours = e2e_reader.load()
        names = [scenario.variant for scenario in ours]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("ram-spent", names)


PASSED, FAILED, DIED = Status.PASSED, Status.FAILED, Status.DIED

CONSOLE = """\
[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x000f0510]
KTAP version 1
1..1
    KTAP version 1
    # Subtest: two-devices
    1..2
    # first
    # $ ndctl list
    #   WARNING: this is only what a command says
    #   figure spent-kB 112
    ok 1 first
    # second
    # $ about 1 2 0
    #   1 is not within 0 of 2
    # failed: exit status 1
    not ok 2 second
not ok 1 two-devices
[    1.000000] reboot: Power down
"""
WARN = """\
[    0.900000] ------------[ cut here ]------------
[    0.900000] WARNING: CPU: 0 PID: 9 at arch/arm64/mm/mmu.c:900 unmap_hotplug_range
"""
CASES = (Case("first", (Line("run", "ndctl list"),)), Case("second", (Line("run", "about 1 2 0"),)))


class Judging(unittest.TestCase):
    def look(self, console: str, timed_out: bool = False) -> list[tuple[str, Status]]:
        self.seen = judge.read(Ended(console, timed_out), CASES)
        return [(outcome.name, outcome.status) for outcome in self.seen.outcomes]

    def finding(self, kind: Kind) -> Finding:
        """The only finding of this kind in the cases."""
        (found,) = (o.finding for o in self.seen.outcomes if o.finding and o.finding.kind is kind)
        return found

    def test_a_pass_and_a_failure(self) -> None:
        self.assertEqual([("first", PASSED), ("second", FAILED)], self.look(CONSOLE))
        self.assertEqual((), self.seen.trouble)
        self.assertEqual((("spent-kB", 112),), self.seen.outcomes[0].figures)
        finding = self.finding(Kind.FAILED)
        self.assertEqual("exit status 1", finding.subject)
        self.assertIn("    #   1 is not within 0 of 2", finding.log)

    def test_a_splat_counts_for_its_case(self) -> None:
        text = CONSOLE.replace("    ok 1 first", f"{WARN}    ok 1 first")
        self.assertEqual([("first", Status.SPLAT), ("second", FAILED)], self.look(text))
        self.assertIn("mmu.c:900", "\n".join(self.finding(Kind.SPLAT).log))

    def test_splats_outside_of_cases(self) -> None:
        self.look(WARN + CONSOLE)
        self.assertEqual(1, len(self.seen.trouble))
        self.look(CONSOLE + WARN)
        self.assertEqual(1, len(self.seen.trouble))

    def test_a_panic(self) -> None:
        text = CONSOLE[: CONSOLE.index("    # second")]
        text += "[    2.0] Unable to handle kernel paging request at virtual address fffffdff\n"
        text += "[    2.0] Kernel panic - not syncing: Oops: Fatal exception\n"
        self.assertEqual([("first", PASSED), ("second", DIED)], self.look(text))
        self.assertIn("Unable to handle kernel paging request", self.finding(Kind.PANIC).subject)

    def test_a_hang(self) -> None:
        text = CONSOLE[: CONSOLE.index("    #   1 is not within")]
        self.assertEqual([("first", PASSED), ("second", DIED)], self.look(text, True))
        self.assertIn("    # $ about 1 2 0", self.finding(Kind.HANG).log)

    def test_a_log_that_is_cut(self) -> None:
        self.assertEqual([("first", PASSED), ("second", DIED)], self.look(CONSOLE[:-140]))
        self.look(CONSOLE[: CONSOLE.index("not ok 1 two-devices")])
        self.assertIs(Kind.DIED, self.seen.trouble[0].kind)

    def test_no_report_at_all(self) -> None:
        for text, timed_out, kind in (
            ("", True, Kind.NEVER_BOOTED),
            ("[    0.000000] Booting Linux\n", True, Kind.HANG),
            ("[    0.000000] Booting Linux\n", False, Kind.DIED),
        ):
            self.assertEqual([], self.look(text, timed_out))
            self.assertIs(kind, self.seen.trouble[0].kind)
            self.assertIs(Stage.BOOT, self.seen.trouble[0].place.stage)

    def test_a_case_with_another_name(self) -> None:
        self.assertEqual(FAILED, self.look(CONSOLE.replace("ok 1 first", "ok 1 other"))[0][1])


class Host(unittest.TestCase):
    def test_struct_pages_are_counted(self) -> None:
        page = (0x1000001234).to_bytes(8, "little") + (0xFFFF0000C1234500).to_bytes(8, "little")
        other = (0x1000001274).to_bytes(8, "little") + (0xFFFF0000C1234600).to_bytes(8, "little")
        text = b"no page but 64 bytes of something that is not one, not at all.\n\n"
        self.assertEqual(64, len(text[:64]))
        pages = page.ljust(64, b"\1") * 5 + other.ljust(64, b"\2") * 2
        self.assertEqual(5, host.struct_pages(text[:64] + pages + text[:64] + b"rest"))
        self.assertEqual(0, host.struct_pages(bytes(6400)))

    def test_requests_to_the_host(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "two-devices.scenario"
            path.write_text(GOOD)
            scenario = e2e_reader.read(path)[0]
            memory = Memory(Path(directory), looks=True)
            memory.path.write_bytes(b"")
            self.assertEqual("0", host.answer(scenario, "struct-pages 1 640", memory))
            self.assertIsNone(host.answer(scenario, "power cut", memory))
            for request in (
                "struct-pages 2 640",
                "struct-pages x 640",
                "struct-pages 0",
                "sing",
                "",
            ):
                said = str(host.answer(scenario, request, memory))
                self.assertTrue(said.startswith("error: the host cannot"), said)


class Plugging(unittest.TestCase):
    """The host plugs and unplugs a DIMM. A fake QEMU gives the answers of the test."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.memory = Memory(directory, False, directory / "qmp")
        self.commands: list[str] = []

    def qemu(self, *answers: str) -> None:
        """Start a fake QEMU that answers each command with one or more lines."""
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.memory.control))
        server.listen()

        def serve() -> None:
            link, _ = server.accept()
            with link, link.makefile("rw") as lines:
                for answer in ('{"QMP": {}}', '{"return": {}}', *answers):
                    lines.write(f"{answer}\n")
                    lines.flush()
                    said = lines.readline()
                    self.commands.append(json.loads(said)["execute"] if said else "")

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def ask(self, request: str) -> str:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "dimm.scenario"
            path.write_text(
                GOOD.replace("device  $size at 4G      # the first", "dimm $size").replace(
                    "device  2M at 4G+64M", "arguments quiet"
                )
            )
            scenario = e2e_reader.read(path)[1]
        self.assertEqual((16 << 20,), scenario.dimms)
        return str(host.answer(scenario, request, self.memory))

    def test_plug(self) -> None:
        self.qemu('{"return": {}}', '{"return": {}}')
        self.assertEqual("plugged", self.ask("plug 0"))
        self.assertEqual(["qmp_capabilities", "object-add", "device_add"], self.commands[:3])

    def test_not_enough_disk_space(self) -> None:
        self.qemu('{"return": {}}', '{"error": {"desc": "no slots left"}}')
        self.assertEqual("error: QEMU: device_add: no slots left", self.ask("plug 0"))

    def test_unplug(self) -> None:
        other = '{"event": "DEVICE_DELETED", "data": {"device": "dimm7"}}'
        gone = '{"event": "DEVICE_DELETED", "data": {"device": "dimm0"}}'
        self.qemu(f'{other}\n{{"return": {{}}}}\n{gone}', '{"return": {}}')
        self.assertEqual("unplugged", self.ask("unplug 0"))

    def test_a_guest_that_does_not_release_a_dimm(self) -> None:
        kept = '{"event": "DEVICE_UNPLUG_GUEST_ERROR", "data": {"device": "dimm0"}}'
        self.qemu('{"return": {}}\n' + kept)
        self.assertEqual("error: the guest does not release dimm0", self.ask("unplug 0"))

    def test_no_qemu(self) -> None:
        self.assertIn("error: QEMU cannot be reached", self.ask("plug 0"))
        self.assertIn("error: the host cannot", self.ask("plug 1"))


class Choosing(unittest.TestCase):
    def selections(self, **environ: str) -> list[str]:
        return [selection.name for selection in choice.choose(e2e_reader.load(), environ)]

    def test_default_choice(self) -> None:
        self.assertEqual([f"{f} {p}" for f, p, _ in choice.RUNS], self.selections())
        self.assertEqual(
            ["series 4k", "series 64k", "baseline 4k"], self.selections(SCENARIOS="ram-spent")
        )
        self.assertEqual(["stock 4k", "stock 64k"], self.selections(FLAVOURS="stock"))
        self.assertEqual(["stock 64k"], self.selections(FLAVOURS="stock", CONFIGS="64k"))
        self.assertEqual(["series 16k"], self.selections(CONFIGS="16k"))

    def test_every_scenario_is_run(self) -> None:
        scenarios = e2e_reader.load()
        run = {
            s.variant
            for flavour, _, globs in choice.RUNS
            if flavour in ("series", "fast")
            for s in choice.matching(scenarios, globs)
            if flavour not in s.recorded
        }
        self.assertEqual({s.variant for s in scenarios}, run)

    def test_scenarios_that_must_fail_are_run_where_they_must(self) -> None:
        scenarios = e2e_reader.load()
        for flavour, _, globs in choice.RUNS:
            # Scenarios with firmware need a larger kernel, so only some kernels run them.
            must = {s.name for s in scenarios if flavour in s.failing and not s.has_firmware}
            self.assertLessEqual(must, {s.name for s in choice.matching(scenarios, globs)})

    def test_excluded_scenarios(self) -> None:
        scenarios = e2e_reader.load()
        found = {s.name for s in choice.matching(scenarios, ("!geometry-*", "!ram-spent"))}
        self.assertIn("system-ram", found)
        self.assertNotIn("geometry-pair", found)
        pairs = choice.matching(scenarios, ("geometry-pair", "!geometry-pair/[!4]*"))
        self.assertEqual({"48M"}, {s.variant.partition("/")[2].split(",")[0] for s in pairs})

    def test_only_firmware_needs_slots_and_selftests_are_built_if_wanted(self) -> None:
        selections = {
            selection.name: selection.config for selection in choice.choose(e2e_reader.load(), {})
        }
        self.assertEqual("4k-e2e-slots-selftests", selections["series 4k"])
        self.assertEqual("64k-e2e-selftests", selections["series 64k"])
        self.assertEqual("4k-e2e", selections["baseline 4k"])

    def test_further_fragments(self) -> None:
        [one] = choice.choose(e2e_reader.load(), {"SCENARIOS": "tera", "CONFIGS": "4k-kasan"})
        self.assertEqual(("series 4k-kasan", "series-4k-kasan"), (one.name, one.directory))
        self.assertEqual("4k-e2e-kasan-slots", one.config)

    def test_mistakes(self) -> None:
        for environ, words in (
            ({"SCENARIOS": "nothing"}, "there is no scenario 'nothing'"),
            ({"SCENARIOS": "dimm nothing-*"}, "there is no scenario 'nothing-\\*'"),
            ({"SCENARIOS": "dimm !dimm"}, "selects none"),
            ({"SCENARIOS": "dimm", "CONFIGS": "64k"}, "none of these scenarios"),
            ({"FLAVOURS": "vanilla"}, "no such flavour"),
            ({"CONFIGS": "4k-e2e"}, "has 'e2e', which make e2e adds"),
            ({"CONFIGS": "8k"}, "there is no '8k'"),
            ({"CONFIGS": "4k-nothing"}, "no kunitconfig fragment 'nothing'"),
        ):
            with self.assertRaisesRegex(UsageError, words):
                self.selections(**environ)


class Grids(unittest.TestCase):
    def test_the_worst_of_each_variant(self) -> None:
        def run(name: str, **found: str) -> RunResult:
            cases = [
                CaseResult(f"case {n}", Status(status), suite=f"{name}/{variant.replace('_', ',')}")
                for variant, statuses in found.items()
                for n, status in enumerate(statuses.split())
            ]
            return RunResult(f"stock 4k {name}", tuple(cases), 1.0)

        fine = run("fine", a_b="passed", a_c="passed passed")
        pair = run("pair", m2_m2="passed splat failed", m2_m16="flaky", m16_m2="died passed")
        single = RunResult("stock 4k single", (CaseResult("case", FAILED, suite="single"),), 1.0)
        shown = e2e_text.grids([fine, pair, single])
        self.assertEqual(
            [
                "stock 4k pair, the worst result of each variant:",
                "        m2    m16",
                "m2   splat  flaky",
                "m16   died      -",
                'to run one: make e2e FLAVOURS=stock CONFIGS=4k SCENARIOS="pair/VALUES"',
            ],
            shown,
        )
        self.assertEqual([], e2e_text.grids([fine, single]))


class Archives(unittest.TestCase):
    def test_overlay(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            program = Path(directory) / "mapped"
            program.write_bytes(b"ELF")
            data = rootfs.overlay("plan x 1\n", [program])
            argv = ["cpio", "--extract", "--make-directories", "--quiet"]
            subprocess.run(argv, cwd=directory, input=data, check=True)
            found = [Path(directory) / name for name in ("init", "scenario", "usr/bin/mapped")]
            self.assertEqual(b"plan x 1\n", found[1].read_bytes())
            self.assertEqual(b"ELF", found[2].read_bytes())
            modes = [path.stat().st_mode & 0o777 for path in found]
        self.assertEqual([0o755, 0o644, 0o755], modes)


class GuestWorld(World):
    """A fake world with the tools that build a guest, and a QEMU that prints given logs."""

    def setUp(self) -> None:
        super().setUp()
        self.write("lib/kunit-configs/e2e.config", "")
        self.write("lib/kunit-configs/slots.config", "")
        self.write("lib/kunit-configs/selftests.config", "")
        self.scenario(GOOD.replace("each    size 2M 16M\n", "").replace("$size", "2M"))
        self.tool("dtc", 'while [ "$1" != -o ]; do shift; done; echo >"$2"')
        self.tool("apt-get", 'echo "file:/mirror stable main /nowhere:1"')
        self.tool(
            "mmdebstrap",
            'echo "$@" >>"$FAKE_MARK.mmdebstrap"\n'
            '[ "$FAKE_APT" != fails ] || { echo "E: no network" >&2; exit 100; }\n'
            'for word; do root=$last; last=$word; done; /bin/mkdir -p "$root/usr/bin"\n'
            'echo >"$root/usr/bin/busybox"',
        )
        self.tool("cpio", 'exec /usr/bin/cpio "$@"')
        self.tool(
            "aarch64-linux-gnu-gcc",
            'while [ $# -gt 0 ] && [ "$1" != -o ]; do shift; done; [ $# -eq 0 ] || echo >"$2"',
        )
        self.console(CONSOLE)

    def scenario(self, text: str) -> None:
        self.write("tools/testing/kunit/data/scenarios/two-devices.scenario", text)

    def console(self, *texts: str) -> None:
        """Set the console logs of successive boots. After the last one, the first follows again."""
        path = self.top / "console"
        for number, text in enumerate(texts, 1):
            path.with_suffix(f".{number}").write_text(text)
        self.tool(
            "qemu-system-aarch64",
            'case "$*" in --version) echo QEMU emulator version 7.2.0;;\n'
            '*dumpdtb=*) for a; do case $a in *dumpdtb=*) echo >"${a##*dumpdtb=}";; esac; done;;\n'
            '*) echo "$@" >>"$FAKE_MARK.qemu"; n=$(/usr/bin/wc -l <"$FAKE_MARK.qemu")\n'
            f"cat {path}.$(((n - 1) % {len(texts)} + 1)); $FAKE_GUEST;; esac",
        )


SELFTEST = MAIL.format(
    author="A. Developer",
    subject="add hmm-tests",
    diff="""\
diff --git a/tools/testing/selftests/mm/hmm-tests.c b/tools/testing/selftests/mm/hmm-tests.c
new file mode 100644
--- /dev/null
+++ b/tools/testing/selftests/mm/hmm-tests.c
@@ -0,0 +1 @@
+int main(void) { return 0; }
""",
)


class Running(GuestWorld):
    """Whole runs of make e2e with fake tools."""

    choice = {"FLAVOURS": "series", "CONFIGS": "4k", "FAKE_APT": "", "FAKE_GUEST": ""}

    def e2e(self, **env: str) -> Ran:
        return self.program("e2e", **{**self.choice, **env})

    def mutants(self, **env: str) -> Ran:
        return self.program("e2e", **env)

    def test_a_failure(self) -> None:
        ran = self.e2e()
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("two-devices: second: exit status 1", ran.stdout)
        self.assertIn("1 passed, 1 failed", ran.stdout)
        self.assertRegex(ran.stdout, r"two-devices spent-kB +112")
        document = json.loads((self.build / "results/e2e.json").read_text())
        self.assertEqual(1, document["failed"])
        self.assertIn("second", (self.build / "results/e2e.xml").read_text())

    def test_selftests_of_the_kernel(self) -> None:
        """They come from the kernel's tree: this one lacks them."""
        text = (self.repo / "tools/testing/kunit/data/scenarios/two-devices.scenario").read_text()
        self.scenario(f"selftest mm/hmm-tests\n{text}")
        ran = self.e2e()
        self.assertEqual(1, ran.status)
        self.assertIn("has no tools/testing/selftests/mm/hmm-tests", ran.stdout + ran.stderr)
        self.write("patches/hooks/0001-hook.patch", SELFTEST)
        ran = self.e2e(FLAVOURS="baseline")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        programs = self.build / "results/e2e/baseline-4k/programs"
        self.assertEqual(
            {"mapped", "dax_user", "hmm-tests"}, {path.name for path in programs.iterdir()}
        )
        self.assertTrue((self.build / "linux-6.12/baseline/.kunit-4k-e2e-selftests").is_dir())

    def test_a_case_that_must_fail(self) -> None:
        ran = self.e2e(FLAVOURS="baseline")
        self.assertEqual(0, ran.status, ran.stdout)
        self.console(CONSOLE.replace("not ok", "ok"))
        ran = self.e2e(FLAVOURS="baseline")
        self.assertEqual(1, ran.status)
        self.assertIn("second passed, but should have failed", ran.stdout)

    def test_a_case_that_is_only_recorded(self) -> None:
        ran = self.e2e(FLAVOURS="stock")
        self.assertEqual(0, ran.status, ran.stdout)
        self.assertIn('"status": "failed"', (self.build / "results/e2e.json").read_text())

    def test_cases_after_a_death_run_in_another_boot(self) -> None:
        died = CONSOLE[: CONSOLE.index("    ok 1")] + "Kernel panic - not syncing: Oops\n"
        rest = CONSOLE.replace(
            CONSOLE[CONSOLE.index("    1..2") : CONSOLE.index("    # second")], "    1..1\n"
        )
        self.console(died, rest.replace("not ok 2", "ok 1").replace("not ok 1", "ok 1"))
        ran = self.e2e()
        self.assertEqual(1, ran.status)
        self.assertIn("first: the kernel died: Kernel panic", ran.stdout)
        self.assertIn("1 passed, 1 failed", ran.stdout)

    def test_a_power_cut(self) -> None:
        text = GOOD.replace("each    size 2M 16M\n", "").replace("$size", "2M")
        self.scenario(text.replace("case second on 4k", "power cut\n\ncase second"))
        one = CONSOLE.replace("1..2", "1..1")
        before = one[: one.index("    # second")] + "ok 1 two-devices\nE2E-HOST power cut\n"
        after = one.replace(one[one.index("    # first") : one.index("    # second")], "")
        self.console(before, after.replace("not ok 2", "ok 1").replace("not ok 1", "ok 1"))
        ran = self.e2e(FAKE_GUEST="sleep 3")
        self.assertIn("2 passed, 0 failed", ran.stdout)
        boots = Path(f"{self.mark}.qemu").read_text().splitlines()
        self.assertEqual(2, len(boots))
        ram = [word for word in boots[0].split() if "mem-path=" in word]
        self.assertEqual(ram, [word for word in boots[1].split() if "mem-path=" in word])
        self.assertEqual(1, len(ram))

    def test_a_guest_that_hangs_is_killed_with_its_processes(self) -> None:
        self.scenario(GOOD.replace("each    size 2M 16M\n", "seconds 1\n").replace("$size", "2M"))
        self.console(CONSOLE[: CONSOLE.index("    ok 1")])
        ran = self.e2e(FAKE_GUEST="sleep 1000")
        self.assertEqual(1, ran.status)
        self.assertIn("the guest hung and was ended", ran.stdout)

    def test_the_guest_is_built_once_and_leaves_the_system_alone(self) -> None:
        self.e2e()
        self.e2e()
        calls = Path(f"{self.mark}.mmdebstrap").read_text().splitlines()
        (call,) = (call for call in calls if call != "--version")
        self.assertIn("--mode=chrootless", call)
        self.assertIn("--architectures=arm64", call)
        self.assertTrue(call.endswith("deb file:/mirror stable main"), call)
        self.assertIn(f"stable {self.build}/e2e/", call)

    def test_no_packages(self) -> None:
        ran = self.e2e(FAKE_APT="fails")
        self.assertEqual(1, ran.status)
        self.assertIn("mmdebstrap could not get the arm64 packages", ran.stdout)
        self.assertIn("E: no network", ran.stdout)
        self.assertEqual(0, len(list((self.build / "e2e").glob("*.part"))))

    def test_variants_run_side_by_side(self) -> None:
        self.scenario(GOOD)
        # Each guest waits until two of them run.
        both = 'while [ "$(/usr/bin/wc -l <"$FAKE_MARK.qemu")" -lt 2 ]; do sleep 0.1; done'
        self.tool("both", both)
        ran = self.e2e(FAKE_GUEST="both", JOBS="2")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("2 passed, 2 failed", ran.stdout)
        for size in ("2M", "16M"):
            self.assertIn(f"two-devices/{size}: second: exit status 1", ran.stdout)

    def test_guests_run_while_the_next_kernel_is_built(self) -> None:
        log = self.build / "results/e2e/stock-4k.build.log"
        self.tool("until-built", f"while [ ! -e {log} ]; do sleep 0.1; done")
        ran = self.e2e(FLAVOURS="series stock", FAKE_GUEST="until-built")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("3 passed, 1 failed", ran.stdout)

    def test_two_runs_at_once(self) -> None:
        self.tool(
            "hang",
            'sleep 1000 & echo $$ $! >"$FAKE_MARK.tmp"; /bin/mv "$FAKE_MARK.tmp" "$FAKE_MARK"; wait',
        )
        first = self.start("e2e", env={**self.choice, "FAKE_GUEST": "hang"})
        self.wait_for_hang(first)
        second = self.e2e()
        self.assert_error(second, 2, "another make e2e is running")
        self.assertEqual(130, self.interrupt(first).status)

    def mutant(self, scenarios: str) -> None:
        self.write(
            "tools/testing/kunit/data/mutants/memory-gone.patch",
            f"Subject: memory is gone\n\nIt is.\n\nBreaks: C1\nScenarios: {scenarios}\n---\n"
            "diff --git a/mm/memory.c b/mm/memory.c\n--- a/mm/memory.c\n+++ b/mm/memory.c\n"
            "@@ -1,3 +1,2 @@\n int memory_0;\n-int memory_1;\n int memory_2;\n",
        )

    def test_a_mutant_that_is_noticed(self) -> None:
        self.mutant("two-devices")
        ran = self.mutants(MUTANTS="memory-*")
        self.assertEqual(0, ran.status, ran.stdout)
        self.assertRegex(ran.stdout, r"mutant memory-gone +1 +0 +1 +0 +0 +0 ")
        self.assertEqual([], list(self.build.glob("linux-*/series/.kunit*")))
        memory = next(self.build.glob("linux-*/mutants/mm/memory.c"))
        self.assertIn("int memory_1;", memory.read_text())

    def test_a_mutant_that_is_missed(self) -> None:
        self.mutant("two-devices")
        self.console(CONSOLE.replace("not ok", "ok"))
        ran = self.mutants(MUTANTS="memory-*")
        self.assertEqual(1, ran.status)
        self.assertIn("memory-gone: no scenario notices it: memory is gone", ran.stdout)

    def test_a_mutant_that_cannot_be_built(self) -> None:
        self.mutant("two-devices")
        ran = self.mutants(MUTANTS="memory-*", FAKE_TOOL="build fails")
        self.assertEqual(1, ran.status)
        self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stdout)

    def test_mutants_that_name_an_unknown_scenario(self) -> None:
        self.mutant("three-devices")
        self.assert_error(self.mutants(MUTANTS="memory-*"), 2, "no scenario 'three-devices' for 4k")
        self.mutant("two-devices")
        self.assert_error(self.mutants(MUTANTS="alloc-*"), 2, "alloc-*")

    def test_a_scenario_with_an_error(self) -> None:
        self.scenario(GOOD.replace("case first", "cases first"))
        self.assert_error(self.e2e(), 2, "two-devices.scenario:11: 'cases' is not a keyword")

    def test_interrupted_while_the_guest_runs(self) -> None:
        self.tool(
            "hang",
            'sleep 1000 & echo $$ $! >"$FAKE_MARK.tmp"; /bin/mv "$FAKE_MARK.tmp" "$FAKE_MARK"; wait',
        )
        child = self.start("e2e", env={**self.choice, "FAKE_GUEST": "hang"})
        pids = self.wait_for_hang(child)
        ran = self.interrupt(child)
        self.assertEqual(130, ran.status, ran.stderr)
        self.assert_gone(pids)
        self.assertEqual([], [n for n in os.listdir(self.build / "e2e") if n.startswith("e2e-")])


if __name__ == "__main__":
    unittest.main()
