# SPDX-License-Identifier: GPL-2.0
"""What a revision tells while it is judged, and what is told of all that were judged."""

import re

from tests.world.test_revision import Revision, one, two

_HEAD = "From x Mon Jan  1 00:00:00 2024\nFrom: A <a@b>\n"


class History(Revision):
    def test_the_first_word_comes_before_the_single_patches(self) -> None:
        series = self.series(one(), two("int two; int fails_short_altmap;"))
        said = self.revision(series, AGAINST="none").stderr
        first = said.index("So far: 1 case fails at the tip (4k)")
        self.assertLess(first, said.index("4k: patch 1/2"))
        self.assertIn("vmemmap_basepages.short_altmap\n", said[first:])
        self.assertIn("So far: patch 2/2 breaks 1 case (4k)", said)

    def test_what_changed_between_revisions(self) -> None:
        for version, first in ((2, "int one; int fails_gives_pages_back;"), (3, "int one;")):
            tag = f"[PATCH v{version} {{}}/2]"
            cover = f"{_HEAD}Subject: {tag.format(0)} mm: x\n\n"
            patches = one(first, f"{tag.format(1)} change vmemmap"), two("int two;", tag.format(2))
            self.revision(self.mbox(cover, *patches), AGAINST="none")
        page = (self.build / "results/revisions/index.html").read_text()
        self.assertIn("<h2>mm: x</h2>", page)
        self.assertIn("1 case changed (4k)", page)
        cells = '<td class="failed">FAIL</td><td class="passed">ok</td>'
        self.assertIn(f"<tr><th>vmem_altmap.gives_pages_back</th>{cells}</tr>", page)
        for link in re.findall(r'href="([^"]+)"', page):
            self.assertTrue((self.build / "results/revisions" / link).exists(), link)
