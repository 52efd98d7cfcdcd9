# SPDX-License-Identifier: GPL-2.0
"""What the result of a build or a boot depends on: tools, environment, options, files.

The tools are shell scripts that print a version.
"""

import shutil
import tempfile
import unittest
from pathlib import Path

from harness.kernel import identity, options
from tests.world.changes import rewritten, touched

TOOLS = (
    "gcc",
    "g++",
    "ld",
    "as",
    "ar",
    "nm",
    "objcopy",
    "clang",
    "ld.lld",
    "make",
    "cross-gcc",
    "cross-ld",
    "cross-as",
    "cross-objcopy",
    "qemu-system-aarch64",
)

Lines = tuple[str, ...]


class Identity(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="kunit-test-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.bin = self.top / "bin"
        self.bin.mkdir()
        for name in TOOLS:
            self.tool(name, f"echo {name} 1.0")
        self.mine = self.top / "mine.config"
        self.mine.write_text("CONFIG_KUNIT=y\n")
        self.qemu = self.top / "arm64.py"
        self.qemu.write_text("QEMU_ARCH = None\n")
        self.environ: dict[str, str] = {"PATH": str(self.bin)}

    def tool(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def build(self, *words: str, **env: str) -> Lines:
        given = [
            "run",
            "--cross_compile=cross-",
            "--kunitconfig=mine.config",
            "--qemu_config=arm64.py",
            *words,
        ]
        line = options.parse(given)
        return identity.of_build(line, self.top, {**self.environ, **env})

    def boot(self, *words: str, **env: str) -> Lines:
        line = options.parse(["run", "--qemu_config=arm64.py", *words])
        return identity.of_boot(line, self.top, {**self.environ, **env})

    def assert_read(self, name: str, is_read: bool, *words: str, **env: str) -> None:
        """Check whether a build depends on the version that a program prints and on its file."""
        with self.subTest(name, words=words, env=env):
            before = self.build(*words, **env)
            path = self.bin / name
            with rewritten(path, f"#!/bin/sh\necho {name} 2.0\n"):
                self.assertEqual(is_read, before != self.build(*words, **env))
            with touched(path):
                self.assertEqual(is_read, before != self.build(*words, **env))
            self.assertEqual(before, self.build(*words, **env))


class Programs(Identity):
    def test_the_compiler_and_its_binutils(self) -> None:
        for name in ("cross-gcc", "cross-ld", "cross-as", "cross-objcopy", "gcc", "g++", "make"):
            self.assert_read(name, True)
        for name in ("ld", "objcopy", "clang", "ld.lld", "qemu-system-aarch64"):
            self.assert_read(name, False)

    def test_every_way_to_select_a_compiler(self) -> None:
        native = options.parse(["run"])
        before = identity.of_build(native, self.top, self.environ)
        with touched(self.bin / "ld"):
            self.assertNotEqual(before, identity.of_build(native, self.top, self.environ))
        cross = {**self.environ, "CROSS_COMPILE": "cross-"}
        before = identity.of_build(native, self.top, cross)
        with touched(self.bin / "cross-ld"):
            self.assertNotEqual(before, identity.of_build(native, self.top, cross))
        self.assert_read("clang", True, "--make_options=CC=clang")
        self.assert_read("cross-gcc", False, "--make_options=CC=clang")

    def test_llvm(self) -> None:
        for name, is_read in (("clang", True), ("ld.lld", True), ("cross-ld", False)):
            self.assert_read(name, is_read, "--make_options=LLVM=1")
            self.assert_read(name, is_read, LLVM="1")
        for name, value in (("clang-14", "-14"), ("llvm/clang", f"{self.bin}/llvm/")):
            self.tool(name, "echo clang 14")
            self.assert_read(name, True, LLVM=value)
            self.assert_read("clang", False, LLVM=value)

    def test_the_programs_that_a_compiler_calls(self) -> None:
        hidden = self.tool("lib/cc1", "exit 1")
        self.tool("cross-gcc", f'[ "$1" != -print-prog-name=cc1 ] || echo {hidden}')
        self.assert_read("lib/cc1", True)

    def test_ccache_does_not_matter(self) -> None:
        before = self.build()
        words = "--make_options=CC=ccache cross-gcc", "--make_options=HOSTCC=ccache gcc"
        self.assertEqual(before, self.build(*words))
        self.tool("ccache", "exit 1")
        self.tool("front/unused", "exit 1")
        (self.bin / "front/cross-gcc").symlink_to("../ccache")
        self.assertEqual(before, self.build(PATH=f"{self.bin}/front:{self.bin}"))

    def test_path_counts_only_for_the_programs_it_selects(self) -> None:
        before = self.build()
        self.tool("other/unrelated", "exit 1")
        self.assertEqual(before, self.build(PATH=f"{self.bin}/other:{self.bin}"))
        self.tool("other/cross-gcc", "echo cross-gcc 1.0")
        self.assertNotEqual(before, self.build(PATH=f"{self.bin}/other:{self.bin}"))

    def test_no_tool_at_all(self) -> None:
        self.assertEqual(self.build(PATH="/nowhere"), self.build(PATH="/nowhere"))


class Environment(Identity):
    def test_variables_that_a_build_reads(self) -> None:
        for name in (
            "KCFLAGS",
            "KAFLAGS",
            "KCPPFLAGS",
            "HOSTCFLAGS",
            "HOSTLDLIBS",
            "USERLDFLAGS",
            "CFLAGS_KERNEL",
            "LDFLAGS_vmlinux",
            "KBUILD_BUILD_USER",
            "KBUILD_EXTRA_WARN",
            "KCONFIG_ALLCONFIG",
            "CONFIG_",
            "LOCALVERSION",
            "LLVM_IAS",
            "CROSS_COMPILE_COMPAT",
            "CC",
            "HOSTCC",
            "OBJCOPY",
            "GNUMAKEFLAGS",
            "MAKEFILES",
            "KASAN_SANITIZE",
            "CPATH",
            "C_INCLUDE_PATH",
            "COMPILER_PATH",
            "GCC_EXEC_PREFIX",
            "SOURCE_DATE_EPOCH",
            "LD_LIBRARY_PATH",
            "LANG",
            "LC_MESSAGES",
        ):
            with self.subTest(name):
                self.assertNotEqual(self.build(), self.build(**{name: "x"}))
                self.assertNotEqual(self.build(**{name: "x"}), self.build(**{name: "y"}))

    def test_variables_that_a_build_does_not_read(self) -> None:
        for name in (
            "HOME",
            "TERM",
            "HOSTNAME",
            "EDITOR",
            "CCACHE_DIR",
            "PWD",
            "SSH_TTY",
            # Variables of this repository or of a calling make. No kernel build gets them.
            "CONFIG",
            "CONFIGS",
            "JOBS",
            "MAKEFLAGS",
            "MFLAGS",
            "KUNIT_QEMU_CPU",
        ):
            with self.subTest(name):
                self.assertEqual(self.build(), self.build(**{name: "x"}))
                self.assertEqual(self.boot(), self.boot(**{name: "x"}))


class Options(Identity):
    def test_options_that_a_build_depends_on(self) -> None:
        for word in (
            "--kconfig_add=CONFIG_X=y",
            "--alltests",
            "--arch=riscv",
            "--cross_compile=other-",
            "--make_options=W=1",
            "--make_options=KCFLAGS=-Os",
        ):
            with self.subTest(word):
                self.assertNotEqual(self.build(), self.build(word))

    def test_files_count_by_their_content(self) -> None:
        for path in (self.mine, self.qemu):
            before = self.build()
            with touched(path):
                self.assertEqual(before, self.build())
            with rewritten(path, "another\n"):
                self.assertNotEqual(before, self.build())
        directory = self.top / "suite"
        directory.mkdir()
        (directory / ".kunitconfig").write_text("CONFIG_A=y\n")
        before = self.build("--kunitconfig=suite")
        (directory / ".kunitconfig").write_text("CONFIG_B=y\n")
        self.assertNotEqual(before, self.build("--kunitconfig=suite"))
        with self.assertRaises(OSError):
            self.build("--kunitconfig=nowhere")

    def test_options_that_no_build_depends_on(self) -> None:
        words = "--timeout=5", "--kernel_args=quiet", "--jobs=7", "--qemu_args=-smp 2", "suite"
        self.assertEqual(self.build(), self.build(*words))


class Boots(Identity):
    def test_qemu(self) -> None:
        path = self.bin / "qemu-system-aarch64"
        before = self.boot()
        with rewritten(path, "#!/bin/sh\necho QEMU 99.0\n"):
            self.assertNotEqual(before, self.boot())
        with touched(path):
            self.assertNotEqual(before, self.boot())
        self.assertEqual(before, self.boot())
        with rewritten(self.qemu, "another\n"):
            self.assertNotEqual(before, self.boot())
        self.assertNotEqual(before, self.boot(QEMU_MODULE_DIR="x"))

    def test_options(self) -> None:
        for word in (
            "--kernel_args=quiet",
            "--qemu_args=-smp 2",
            "--filter=speed>slow",
            "--filter_action=skip",
            "--run_isolated=suite",
            "vmem_altmap",
        ):
            with self.subTest(word):
                self.assertNotEqual(self.boot(), self.boot(word))

    def test_options_that_no_boot_depends_on(self) -> None:
        self.assertEqual(self.boot(), self.boot("--jobs=7", "--timeout=5", KCFLAGS="-Os"))


if __name__ == "__main__":
    unittest.main()
