# SPDX-License-Identifier: GPL-2.0
"""make map: reading the map from a log, and drawing it."""

import re
import unittest
import xml.etree.ElementTree as ElementTree

from harness.originmap import draw, plot
from harness.originmap.draw import DEVICE, HOLE, RAM, MapError
from tests.world.fake import DATA, Ran, World

SVG = "{http://www.w3.org/2000/svg}"

BLOCKS = """\
    # memremap_pages_draws_origin_map: origin-map: begin page=4096 pfn=0x5e000 pages=67072 offered=0x5e003+1560
    # memremap_pages_draws_origin_map: origin-map: run at=0 pages=1024 leaf=2097152 from=device pfn=0x5e200
    # memremap_pages_draws_origin_map: origin-map: run at=1024 pages=23 leaf=4096 from=ram pfn=0x4a000
[    1.234567]     # memremap_pages_draws_origin_map: origin-map: run at=1047 pages=1 leaf=0 from=hole pfn=0x0
    # memremap_pages_draws_origin_map: origin-map: end pages=1048 tables=1
"""


class Read(unittest.TestCase):
    def test_a_map(self) -> None:
        (found,) = draw.read("noise\n" + BLOCKS + "noise\n")
        self.assertEqual(
            (4096, 0x5E000, 67072, (0x5E003, 1560)),
            (found.page, found.pfn, found.pages, found.offered),
        )
        self.assertEqual([DEVICE, RAM, HOLE], [run.origin for run in found.runs])
        self.assertEqual(1024 * 4096, found.bytes_from(DEVICE))
        self.assertEqual("2 blocks of 2 MiB and 23 pages of 4 KiB", draw.leaves(found))

    def test_no_map_and_an_incomplete_map(self) -> None:
        self.assertEqual([], draw.read("nothing\n"))
        self.assertEqual([], draw.read("\n".join(BLOCKS.splitlines()[:3])))

    def test_several(self) -> None:
        self.assertEqual(2, len(draw.read(BLOCKS + BLOCKS)))

    def test_malformed_lines(self) -> None:
        for old, new in (("from=ram", "from=mars"), ("pages=23 ", ""), ("leaf=4096", "leaf=x")):
            with self.assertRaises(MapError):
                draw.read(BLOCKS.replace(old, new))


class Draw(unittest.TestCase):
    def setUp(self) -> None:
        (self.map,) = draw.read(BLOCKS)

    def test_text(self) -> None:
        lines = draw.ascii_map("4K pages", self.map).splitlines()
        self.assertIn("4 MiB in the device, 92 KiB in system RAM", lines[0])
        self.assertEqual("  |DDDDDDDDDDDD|DDDDDDDDDDDD|" + "r" * 23 + "|.|", lines[1])
        self.assertTrue(all(len(line) <= 78 for line in lines), lines)
        self.assertIn("0x4a000 to 0x4a016", "\n".join(lines))

    def test_the_picture_has_a_title_and_a_description(self) -> None:
        root = ElementTree.fromstring(plot.figure([("a < b & c", self.map)] * 3))
        self.assertEqual(f"{SVG}svg", root.tag)
        self.assertEqual("Where a device's struct pages lie", root.findtext(f"{SVG}title"))
        self.assertIn("92 KiB in system RAM", str(root.findtext(f"{SVG}desc")))
        text = [element.text for element in root.iter(f"{SVG}text")]
        self.assertEqual(3, text.count("a < b & c"))
        self.assertIn("offered, unused", text)

    def test_boxes_and_colours(self) -> None:
        drawn = plot.figure([("x", self.map)])
        # An entry is a box. Two blocks and 23 pages are drawn twice: at their addresses and in
        # memory.
        root = ElementTree.fromstring(drawn)
        edges = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("LineCollection")]
        boxes = [len(list(group.iter(f"{SVG}path"))) - 1 for group in edges]
        self.assertEqual([2, 2, 23, 23, 1], boxes)
        # Each colour has a dark variant, except for colours that suit both backgrounds.
        both = {"#e69f00", "#5c3d00", "#8c959f", "#cf222e"}
        dark = re.search(r"<style>@media \(prefers-color-scheme:dark\)(.*?)</style>", drawn)
        assert dark
        used = re.findall(r"(?:fill|stroke)(?:: |=\")(#\w+)", drawn.replace(dark[0], ""))
        self.assertGreater(len(set(used) - both), 5)
        self.assertLessEqual(set(used) - both, set(re.findall(r'fill: (#\w+)"', dark[1])))


class Make(World):
    def setUp(self) -> None:
        super().setUp()
        log = (DATA / "soak.log").read_text()
        case = "memremap_devices.random_sequence_follows_model"
        suite, name = case.split(".")
        new_suite, new_name = "arm64_memremap", "memremap_pages_draws_origin_map"
        self.assertIn(name, log)
        self.log = self.top / "console.log"
        self.log.write_text(log.replace(suite, new_suite).replace(name, new_name))

    def map(self, **env: str) -> Ran:
        return self.program("map", FAKE_CONSOLE=str(self.log), CONFIGS="4k", **env)

    def with_map(self) -> None:
        head, ok, tail = self.log.read_text().partition("    ok 1")
        self.log.write_text(head + BLOCKS + ok + tail)

    def test_a_picture_is_written(self) -> None:
        self.with_map()
        self.let_it_draw()
        picture = self.top / "picture.svg"
        ran = self.map(MAP=str(picture))
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("4K pages, without the series", ran.stdout)
        self.assertIn("4K pages, with the series", ran.stdout)
        drawn = ElementTree.parse(picture).getroot()
        self.assertEqual("Where a device's struct pages lie", drawn.findtext(f"{SVG}title"))

    def test_a_log_without_a_map(self) -> None:
        self.assert_error(self.map(), 2, "baseline 4k printed 0 maps")

    def test_a_kernel_that_does_not_boot(self) -> None:
        self.log.write_text("")
        self.assert_error(self.map(), 2, "baseline 4k: ")


if __name__ == "__main__":
    unittest.main()
