# SPDX-License-Identifier: GPL-2.0
"""A repeated run: what it rebuilds, and when it leaves the build to the kernel's kunit.py."""

import os
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from harness.kernel import image, incremental, kernel, options
from harness.kernel.finding import Finding, Kind
from harness.request.settings import Settings
from tests.unit.test_image import keep_record

OURS = f"--qemu_config={options.ARM64_QEMU_CONFIG}"


class Again(unittest.TestCase):
    """A tree whose image is up to date."""

    def setUp(self) -> None:
        self.status = 0
        patches = ExitStack()
        self.addCleanup(patches.close)
        patches.enter_context(mock.patch("harness.kernel.image.make_image", self.make))
        patches.enter_context(mock.patch("harness.kernel.incremental.say"))
        self.start()

    def start(self) -> None:
        """Create the tree and the image."""
        self.tree = Path(tempfile.mkdtemp(prefix="kunit-test-"))
        self.addCleanup(shutil.rmtree, self.tree)
        self.bin = self.tree / ".bin"
        for name in ("gcc", "ld"):
            self.write(f".bin/{name}", f"#!/bin/sh\necho {name} 1.0\n")
            (self.bin / name).chmod(0o755)
        self.environ: dict[str, str] = {"PATH": str(self.bin)}
        self.made: list[Sequence[str]] = []
        self.directory = self.tree / ".kunit-4k"
        self.write("Makefile", image.GOALS + "\n")
        self.write(".gitignore", ".kunit-4k\n.bin\n")
        self.write("mm/rmap.c", "int rmap;\n")
        self.write("mm/Kconfig", "config RMAP\n")
        self.write("mine.config", "CONFIG_KUNIT=y\n")
        self.git("init", "--quiet")
        self.commit()
        self.write(".kunit-4k/.config", "CONFIG_KUNIT=y\n")
        self.write(".kunit-4k/built-in.a", "!<thin>\n//   9  `\nmm/rmap.o/\n")
        self.write(f".kunit-4k/{image.IMAGE}", "image 1")
        keep_record(self.directory, "mm/rmap.o", "mm/rmap.c", [])
        build = self.build()
        build.remember(build.inputs())

    def write(self, name: str, text: str) -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *args: str) -> None:
        who = ["-c", "user.name=A. Developer", "-c", "user.email=dev@example.org"]
        subprocess.run(["git", *who, *args], cwd=self.tree, check=True, capture_output=True)

    def write_and_commit(self, name: str, text: str) -> None:
        self.write(name, text)
        self.commit()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=all")

    def build(self, *words: str) -> incremental.Build:
        given = ["run", "--kunitconfig=mine.config", "--build_dir=.kunit-4k", OURS, *words]
        return incremental.Build(options.parse(given), self.tree, self.environ)

    def make(self, *_: object, objects: Sequence[str]) -> int:
        self.made.append(objects)
        (self.directory / "kunit-make.log").write_text("CC mm/rmap.o\n")
        if self.status == 0:
            self.write(f".kunit-4k/{image.IMAGE}", f"image {len(self.made) + 1}, and longer")
        return self.status

    def is_up_to_date(self, *words: str) -> bool:
        build = self.build(*words)
        return build.bring_up_to_date(build.inputs())

    def test_nothing_has_changed(self) -> None:
        self.assertTrue(self.is_up_to_date())
        self.assertEqual([], self.made)

    def test_an_image_is_up_to_date_only_if_nothing_has_changed(self) -> None:
        def is_known(*words: str) -> bool:
            build = self.build(*words)
            return build.is_up_to_date(build.inputs())

        self.assertTrue(is_known())
        self.assertFalse(is_known("--kconfig_add=CONFIG_X=y"))
        self.write("mm/rmap.c", "int edited;\n")
        self.assertFalse(is_known())
        self.write("mm/rmap.c", "int rmap;\n")
        self.assertTrue(is_known())
        self.write_and_commit("mm/rmap.c", "int committed;\n")
        self.assertFalse(is_known())
        build = self.build()
        build.remember(build.inputs())
        self.assertTrue(is_known())
        self.write(f".kunit-4k/{image.IMAGE}", "another image")
        self.assertFalse(is_known())
        build.forget()
        self.assertFalse(is_known())
        self.assertEqual([], self.made)

    def test_kernel_build_skips_an_image_that_is_up_to_date(self) -> None:
        told: list[str] = []
        one = kernel.Kernel(self.tree, Settings("series", "4k", "6.12", self.tree), self.tree, "x")
        no = Finding(Kind.BUILD, "no")
        choices: Sequence[tuple[bool, Finding | None, list[str]]] = (
            (True, None, []),
            (False, None, ["forget", "made", "remember"]),
            (False, no, ["forget", "made"]),
        )
        for known, failed, expected in choices:
            told.clear()
            build = mock.Mock()
            build.is_supported.return_value, build.is_up_to_date.return_value = True, known
            build.forget.side_effect = lambda: told.append("forget")
            build.remember.side_effect = lambda _: told.append("remember")

            def made(*_: object, failed: Finding | None = failed) -> Finding | None:
                told.append("made")
                return failed

            with mock.patch("harness.kernel.kernel.incremental.Build", return_value=build):
                with mock.patch.object(one, "_made", side_effect=made):
                    self.assertIs(failed, one.build())
            self.assertEqual(expected, told)

    def test_an_edited_file(self) -> None:
        self.write("mm/rmap.c", "int edited;\n")
        self.assertTrue(self.is_up_to_date())
        self.assertEqual([["mm/rmap.o"]], self.made)

    def test_an_edit_that_is_undone(self) -> None:
        self.write("mm/rmap.c", "int edited;\n")
        self.is_up_to_date()
        self.write("mm/rmap.c", "int rmap;\n")
        self.assertTrue(self.is_up_to_date())
        self.assertEqual(2, len(self.made))
        self.assertTrue(self.is_up_to_date())
        self.assertEqual(2, len(self.made))

    def test_a_commit(self) -> None:
        self.write("mm/rmap.c", "int committed;\n")
        self.commit()
        self.assertTrue(self.is_up_to_date())
        self.assertEqual([["mm/rmap.o"]], self.made)

    def test_a_make_that_fails(self) -> None:
        self.write("mm/rmap.c", "no C\n")
        self.status = 2
        self.assertFalse(self.is_up_to_date())
        # A failed make may have written anything, so the image is not used again.
        self.write("mm/rmap.c", "int rmap;\n")
        self.assertFalse(self.is_up_to_date())

    def test_changes_that_need_a_full_build(self) -> None:
        """Any change whose effect on the build is not known leads to a full build."""
        changes: dict[str, Callable[[], None]] = {
            "another file": lambda: self.write_and_commit("mm/new.c", "int n;\n"),
            "a file that git does not know": lambda: self.write("mm/new.h", "int n;\n"),
            "a Kconfig file": lambda: self.write("mm/Kconfig", "config OTHER\n"),
            "the config": lambda: self.write(".kunit-4k/.config", "CONFIG_KUNIT=n\n"),
            "the kunitconfig": lambda: self.write("mine.config", "CONFIG_BUG=y\n"),
            "a Makefile": lambda: self.write_and_commit("Makefile", "all:\n"),
            "flags": lambda: self.environ.update(KCFLAGS="-Os"),
            "the compiler's version": lambda: self.write(".bin/gcc", "#!/bin/sh\necho gcc 9.9\n"),
            "the linker's version": lambda: self.write(".bin/ld", "#!/bin/sh\necho ld 9.9\n"),
            "another compiler of that version": lambda: os.utime(self.bin / "gcc", (1, 1)),
            "another image": lambda: self.write(f".kunit-4k/{image.IMAGE}", "somebody else's"),
            "a file that is gone": lambda: os.unlink(self.tree / "mm/rmap.c"),
            "no record": lambda: self.build().forget(),
        }
        for what, change in changes.items():
            with self.subTest(what):
                self.start()
                self.assertTrue(self.is_up_to_date())
                change()
                self.assertFalse(self.is_up_to_date())
                self.assertEqual([], self.made)

    def test_another_option(self) -> None:
        self.assertFalse(self.is_up_to_date("--kconfig_add=CONFIG_KASAN=y"))

    def test_options_that_no_build_depends_on(self) -> None:
        self.assertTrue(self.is_up_to_date("--timeout=5", "--kernel_args=quiet", "vmem_altmap"))

    def test_an_environment_that_no_build_depends_on(self) -> None:
        self.environ.update(PATH=f"/elsewhere:{self.bin}", MAKEFLAGS="w", TERM="xterm")
        self.assertTrue(self.is_up_to_date())

    def test_builds_that_can_be_incremental(self) -> None:
        self.assertTrue(self.build().is_supported())
        self.assertFalse(self.build("--arch=riscv").is_supported())
        self.assertFalse(self.build("--qemu_config=mine.py").is_supported())
        self.assertFalse(self.build("--build_dir=/elsewhere").is_supported())


class JustBoot(unittest.TestCase):
    """The command line that only boots the kernel, without a build."""

    def test_it(self) -> None:
        line = options.parse(["run", "--jobs=2", "--timeout", "9", "--", "run"])
        self.assertEqual(
            ["exec", "--timeout", "9", "--", "run"], incremental.just_boot(line).argv()
        )


if __name__ == "__main__":
    unittest.main()
