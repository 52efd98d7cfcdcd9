# SPDX-License-Identifier: GPL-2.0
"""make arches: what it compiles, and what counts as a failure."""

import re
import unittest

from harness.base.errors import UsageError
from harness.commands import arches as command
from harness.request.settings import REPO
from harness.verdict import arches
from tests.world.fake import Ran, World

# A fake make. allnoconfig writes the config that it gets. Any other target evaluates FAKE_CC.
_MAKE = """\
echo "$*" >>"$FAKE_CALLS"
for word in "$@"; do case $word in
O=*) out=${word#O=};;
KCONFIG_ALLCONFIG=*) config=${word#*=};;
esac; done
if [ -n "$config" ]; then cat "$config" >"$out/.config"; exit 0; fi
case "$*" in *mm/tests/) eval "$FAKE_SUITES"; exit;; esac
grep -q "int two;" arch/arm64/mm/mmu.c && eval "$FAKE_CC"
exit 0
"""


class Arches(World):
    def setUp(self) -> None:
        super().setUp()
        for prefix in ("s390x", "riscv64"):
            self.tool(f"{prefix}-linux-gnu-gcc", "echo a compiler")
        self.tool("make", _MAKE)
        (self.bin / "grep").symlink_to("/bin/grep")
        self.env["FAKE_CALLS"] = str(self.top / "calls")
        self.env["FAKE_CC"] = self.env["FAKE_SUITES"] = ""
        for name in ("arch/s390x", "arch/loongarch64", "base", "riscv"):
            self.write(f"lib/kunit-configs/{name}.config", "CONFIG_ZONE_DEVICE=y\n")

    def arches(self, names: str = "s390x", **env: str) -> Ran:
        return self.program("arches", ARCHES=names, **env)

    def test_each_state_is_compiled(self) -> None:
        ran = self.arches()
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("4 passed, 0 failed", ran.stdout)
        calls = (self.top / "calls").read_text().splitlines()
        compiled = [line for line in calls if "W=1" in line]
        self.assertEqual(4, len(compiled))
        for line in compiled:
            self.assertIn("ARCH=s390 CROSS_COMPILE=s390x-linux-gnu-", line)
            self.assertIn("mm/sparse-vmemmap.o arch/s390/mm/vmem.o", line)

    def test_a_new_warning_names_its_patch(self) -> None:
        ran = self.arches(FAKE_CC='echo "../arch/s390/mm/vmem.c:7:3: warning: unused [-Wunused]"')
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("patch 2: 0002-two: 1 new warnings", ran.stdout)
        self.assertNotIn("patch 1", ran.stdout)

    def test_a_patch_that_does_not_compile(self) -> None:
        ran = self.arches(FAKE_CC='echo "../mm/sparse-vmemmap.c:1:1: error: no"; exit 2')
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("patch 2: 0002-two: does not compile", ran.stdout)
        self.assertIn("mm/sparse-vmemmap.c:1:1: error: no", ran.stdout)

    def test_a_make_that_fails_without_a_compiler_error(self) -> None:
        self.assert_error(self.arches(FAKE_CC="echo no rule; exit 2"), 2, "no rule")

    def test_a_base_that_does_not_compile(self) -> None:
        self.tool("make", _MAKE.replace("grep -q", "true ||"))
        ran = self.arches(FAKE_CC='echo "elf.h:1:1: error: gelf.h: No such file"; exit 2')
        self.assert_error(ran, 2, "s390x: baseline itself does not compile", "gelf.h")

    def test_the_suites_are_compiled_where_they_run(self) -> None:
        ran = self.arches("riscv64")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("5 passed, 0 failed", ran.stdout)
        last = (self.top / "calls").read_text().splitlines()[-1]
        self.assertRegex(last, "ARCH=riscv .*W=1 mm/tests/$")

    def test_the_suites_may_have_no_warning(self) -> None:
        ran = self.arches(
            "riscv64", FAKE_SUITES='echo "../mm/tests/a.c:7:3: warning: unused [-Wunused]"'
        )
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("mm/tests/: 1 new warnings", ran.stdout)

    def test_suites_that_do_not_compile(self) -> None:
        ran = self.arches("riscv64", FAKE_SUITES='echo "../mm/tests/a.c:7:3: error: no"; exit 2')
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("mm/tests/: does not compile", ran.stdout)

    def test_a_config_option_that_kconfig_ignores(self) -> None:
        self.tool("make", _MAKE.replace('cat "$config"', "echo CONFIG_OTHER=y"))
        self.assert_error(self.arches(), 2, "cannot have CONFIG_ZONE_DEVICE=y")

    def test_a_compiler_that_debian_does_not_have(self) -> None:
        ran = self.arches("loongarch64")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertRegex(ran.stdout, r"loongarch64 +0 +0 +1 ")

    def test_arguments_that_are_refused(self) -> None:
        self.assert_error(self.arches("vax"), 2, "'vax'", "x86_64")
        self.assert_error(self.arches(KSRC=str(self.top)), 2, "KSRC")


class Data(unittest.TestCase):
    def test_each_architecture_has_its_fragment(self) -> None:
        for arch in arches.ARCHES:
            for path in arch.config:
                self.assertTrue(path.exists(), path)

    def test_each_file_of_the_series_is_compiled(self) -> None:
        touched = set()
        for path in (REPO / "patches/series").glob("*.patch"):
            touched |= set(re.findall(r"^\+\+\+ b/(\S+)\.c$", path.read_text(), re.MULTILINE))
        compiled = {name[: -len(".o")] for arch in arches.ARCHES for name in arch.objects}
        # make check and make matrix compile the files of arm64.
        self.assertEqual(set(), {x for x in touched if not x.startswith("arch/arm64")} - compiled)

    def test_a_newer_kernel_has_its_own_patches(self) -> None:
        for base, has_own in ("6.12", False), ("7.2", True):
            *_, (_, patches) = command.states(base)
            self.assertEqual(has_own, any(p.path.parent.name == "7.2" for p in patches))

    def test_choosing(self) -> None:
        self.assertEqual(list(arches.ARCHES), command.choose({}))
        with self.assertRaises(UsageError):
            command.choose({"ARCHES": "vax"})


if __name__ == "__main__":
    unittest.main()
