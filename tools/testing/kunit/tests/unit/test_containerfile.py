# SPDX-License-Identifier: GPL-2.0
"""The Containerfile installs every package that the commands would otherwise install."""

import re
import unittest

from harness.base import packages
from harness.request.settings import REPO


class Containerfile(unittest.TestCase):
    def test_it_has_what_the_commands_need(self) -> None:
        needed = [
            *packages.for_build(cross=True),
            *packages.for_guest(firmware=True, selftests=True),
            *packages.HOST_TESTS,
            *packages.for_other("riscv", build=True, boot=False, cross=True),
            *(packages.GIT, packages.XZ, packages.QEMU),
        ]
        text = (REPO / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
        found = re.search(r"apt-get install -y --no-install-recommends ([^&]+)", text)
        assert found
        # util-linux is part of every Debian. git needs ca-certificates, the scripts python3.
        wanted = {need.package for need in needed} - {"util-linux"} | {"ca-certificates", "python3"}
        self.assertEqual(sorted(wanted), found[1].split())


if __name__ == "__main__":
    unittest.main()
