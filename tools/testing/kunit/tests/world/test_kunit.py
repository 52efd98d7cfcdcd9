# SPDX-License-Identifier: GPL-2.0
"""The front end kunit.py: what it passes to the kernel's tool, and what it prints."""

import shutil
import unittest

from tests.world.fake import World, listing


class PassThrough(World):
    """The arguments and environment of the kernel's tool."""

    def given(self, *args: str, **env: str) -> list[str]:
        ran = self.front_end(*args, cwd=self.top, **env)
        self.assertEqual(0, ran.status, ran.stderr)
        argv: list[str] = self.recorded()["argv"]
        return argv

    def test_defaults_of_run(self) -> None:
        configs = self.repo / "lib/kunit-configs"
        self.assertEqual(
            [
                "run",
                "--arch=arm64",
                f"--kunitconfig={configs}/base.config",
                f"--kunitconfig={configs}/arm64.config",
                f"--kunitconfig={configs}/4k.config",
                "--build_dir=.kunit-4k",
                f"--qemu_config={self.repo}/tools/testing/kunit/qemu_configs/arm64.py",
                "--cross_compile=aarch64-linux-gnu-",
                "--make_options=CC=ccache aarch64-linux-gnu-gcc",
                "--make_options=HOSTCC=ccache gcc",
            ],
            self.given("run"),
        )

    def test_defaults_of_another_architecture(self) -> None:
        configs = self.repo / "lib/kunit-configs"
        self.tool("riscv64-linux-gnu-gcc", "exit 0")
        self.tool("qemu-system-riscv64", "exit 0")
        self.assertEqual(
            [
                "run",
                f"--kunitconfig={configs}/base.config",
                f"--kunitconfig={configs}/riscv.config",
                "--build_dir=.kunit-riscv",
                f"--qemu_config={self.repo}/tools/testing/kunit/qemu_configs/riscv.py",
                "--cross_compile=riscv64-linux-gnu-",
                "--make_options=CC=ccache riscv64-linux-gnu-gcc",
                "--make_options=HOSTCC=ccache gcc",
                "--arch=riscv",
            ],
            self.given("run", "--arch=riscv"),
        )
        argv = self.given("run", "--arch=riscv", CONFIG="riscv-debug")
        self.assertIn(f"--kunitconfig={configs}/debug.config", argv)
        self.assertIn("--build_dir=.kunit-riscv-debug", argv)
        ran = self.front_end("run", CONFIG="riscv-debug")
        self.assert_error(ran, 2, "riscv is another architecture", "--arch=riscv")

    def test_it_runs_in_the_prepared_tree(self) -> None:
        self.given("run")
        self.assertEqual(str(self.build / "linux-6.12/series"), self.recorded()["cwd"])

    def test_config_names_join(self) -> None:
        (self.repo / "lib/kunit-configs/kasan.config").write_text("")
        argv = self.given("build", CONFIG="64k-kasan")
        configs = [a.rsplit("/", 1)[1] for a in argv if a.startswith("--kunitconfig=")]
        self.assertEqual(["base.config", "arm64.config", "64k.config", "kasan.config"], configs)
        self.assertIn("--build_dir=.kunit-64k-kasan", argv)

    def test_options_go_only_to_subcommands_that_have_them(self) -> None:
        self.assertIn("--jobs=3", self.given("build", JOBS="3"))
        self.assertNotIn("--jobs=3", self.given("exec", JOBS="3"))
        self.assertEqual(["parse", "--json"], self.given("parse", "--json"))

    def test_variables_of_altmap_are_not_passed_on(self) -> None:
        self.given("run", CONFIG="16k", JOBS="2", MAKEFLAGS="-j9", ARCH_ENV="kept")
        env = self.recorded()["env"]
        self.assertEqual("kept", env["ARCH_ENV"])
        for name in ("CONFIG", "JOBS", "MAKEFLAGS", "SOURCES"):
            self.assertNotIn(name, env)

    def test_stdout_is_the_kernel_tools_alone(self) -> None:
        self.assertEqual("stdout of run\n", self.front_end("run", "--json").stdout)

    def test_another_architecture(self) -> None:
        argv = self.given("run", "--arch=um")
        self.assertEqual(["run", "--kunitconfig=mm/tests", "--arch=um"], argv)

    def test_llvm_needs_no_gcc_options(self) -> None:
        argv = self.given("run", "--make_options", "LLVM=1")
        self.assertFalse([a for a in argv if "gcc" in a or "cross_compile" in a], argv)

    def test_cross_compile_from_the_environment(self) -> None:
        argv = self.given("run", CROSS_COMPILE="arm-", PATH=self.env["PATH"])
        self.assertIn("--make_options=CC=ccache arm-gcc", argv)

    def test_no_ccache(self) -> None:
        (self.bin / "ccache").unlink()
        self.assertFalse([a for a in self.given("run") if "ccache" in a])


class Paths(World):
    """Relative paths are relative to the current directory, not to the prepared tree."""

    def setUp(self) -> None:
        super().setUp()
        self.cwd = self.top / "here"
        self.cwd.mkdir()
        (self.cwd / "my.config").write_text("")
        (self.cwd / "qemu.py").write_text("")

    def given(self, *args: str) -> list[str]:
        ran = self.front_end(*args, cwd=self.cwd)
        self.assertEqual(0, ran.status, ran.stderr)
        argv: list[str] = self.recorded()["argv"]
        return argv

    def test_a_kunitconfig_in_the_current_directory(self) -> None:
        spellings = (
            ["--kunitconfig=my.config"],
            ["--kunitconfig", "my.config"],
            ["--kunitc=my.config"],
        )
        for spelling in spellings:
            argv = self.given("run", *spelling)
            configs = [a for a in argv if a.startswith("--kunitconfig")]
            self.assertEqual([f"--kunitconfig={self.cwd}/my.config"], configs)
            self.assertIn("--build_dir=.kunit-custom", argv)

    def test_a_kunitconfig_of_the_kernel_tree(self) -> None:
        self.assertIn("--kunitconfig=mm/tests", self.given("run", "--kunitconfig=mm/tests"))

    def test_a_missing_kunitconfig(self) -> None:
        ran = self.front_end("run", "--kunitconfig=no.config", cwd=self.cwd)
        self.assert_error(ran, 2, "no.config", str(self.cwd))

    def test_a_build_dir(self) -> None:
        self.assertIn(f"--build_dir={self.cwd}/out", self.given("run", "--build_dir", "out"))

    def test_a_qemu_config(self) -> None:
        argv = self.given("run", "--qemu_config=qemu.py")
        self.assertEqual(1, sum(a.startswith("--qemu_config") for a in argv))
        self.assertIn(f"--qemu_config={self.cwd}/qemu.py", argv)

    def test_a_cross_compiler_with_a_path(self) -> None:
        argv = self.given("run", "--cross_compile=../gcc/bin/a-")
        self.assertIn(f"--cross_compile={self.top}/gcc/bin/a-", argv)
        self.assertIn("--cross_compile=a-", self.given("run", "--cross_compile=a-"))

    def test_json(self) -> None:
        self.assertIn(f"--json={self.cwd}/x.json", self.given("run", "--json=x.json"))
        self.assertEqual(["--json", "vmem*"], self.given("run", "--json", "vmem*")[-2:])
        self.assertIn("--json=stdout", self.given("run", "--json=stdout"))

    def test_the_file_that_parse_reads(self) -> None:
        self.assertEqual(["parse", f"{self.cwd}/a.log"], self.given("parse", "a.log"))
        argv = self.given("parse", "--raw_output", "--", "-odd.log")
        self.assertEqual(["parse", "--raw_output", "--", f"{self.cwd}/-odd.log"], argv)

    def test_parse_touches_no_tree(self) -> None:
        before = listing(self.build)
        self.given("parse", "a.log")
        self.assertEqual(before, listing(self.build))

    def test_parse_needs_no_tree(self) -> None:
        shutil.rmtree(self.build)
        self.assertEqual(["parse", f"{self.cwd}/a.log"], self.given("parse", "a.log"))
        self.assertFalse(self.build.exists())
        (self.top / "src/linux-source-6.12.tar.xz").write_bytes(b"damaged")
        self.assert_error(self.front_end("parse"), 125, "cannot be extracted")

    def test_values_that_look_like_words(self) -> None:
        argv = self.given("run", "--kernel_args", "parse", "--filter", "speed>slow", "vmem*")
        self.assertEqual(["--kernel_args", "parse", "--filter", "speed>slow", "vmem*"], argv[-5:])


class Statuses(World):
    def test_success(self) -> None:
        self.assertEqual(0, self.front_end("run").status)

    def test_failed_tests(self) -> None:
        self.assertEqual(1, self.front_end("run", FAKE_TOOL="tests fail").status)
        self.assertEqual(1, self.front_end("exec", FAKE_TOOL="tests fail").status)

    def test_a_failed_build(self) -> None:
        self.assertEqual(0, self.front_end("run").status)
        for subcommand in ("run", "build", "config"):
            ran = self.front_end(subcommand, FAKE_TOOL="build fails")
            self.assertEqual(125, ran.status)
            self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stderr)

    def test_a_tree_that_cannot_be_prepared(self) -> None:
        self.write("patches/hooks/0001-hook.patch", "TODO\n")
        self.assertEqual(125, self.front_end("run").status)

    def test_an_unknown_architecture(self) -> None:
        self.assert_error(
            self.front_end("run", "--arch=vax"),
            2,
            "--arch=vax",
            "arm64 powerpc riscv s390 um x86_64",
        )

    def test_an_architecture_without_device_memory(self) -> None:
        shutil.rmtree(self.build)
        ran = self.front_end("run", "--arch=s390")
        self.assert_error(ran, 2, "s390: Linux 6.12 has no ZONE_DEVICE", "BASE=sid")
        self.assertFalse(self.build.exists(), "it is told before the long work")

    def test_an_unknown_config(self) -> None:
        shutil.rmtree(self.build)
        ran = self.front_end("run", CONFIG="5k")
        self.assert_error(ran, 2, "CONFIG=5k", "16k 4k 64k debug")
        self.assertFalse(self.build.exists(), "it is told before the long work")


class Help(World):
    is_prepared = False

    def test_without_a_tree(self) -> None:
        for args in ((), ("--help",), ("run", "-h")):
            ran = self.front_end(*args)
            self.assertEqual(0, ran.status)
            self.assertIn("FLAVOUR=NAME", ran.stdout)
            self.assertIn("make tree", ran.stdout)
            self.assertFalse(self.build.exists())

    def test_with_a_tree(self) -> None:
        self.make_tree()
        ran = self.front_end("run", "--help")
        self.assertIn("FLAVOUR=NAME", ran.stdout)
        self.assertIn("[the kernel's]", ran.stdout)

    def test_with_ksrc(self) -> None:
        linux = self.unpack_kernel()
        before = sorted(linux.rglob("*"))
        self.assertIn("[the kernel's]", self.front_end("--help", KSRC=str(linux)).stdout)
        self.assertEqual(before, sorted(linux.rglob("*")))


class Packages(World):
    def test_no_way_to_install(self) -> None:
        (self.bin / "bison").unlink()
        shutil.rmtree(self.build)
        ran = self.front_end("run")
        self.assert_error(ran, 2, "missing: bison", "no apt-get")
        self.assertFalse(self.build.exists())

    def test_only_needed_packages_are_required(self) -> None:
        for name in ("bison", "gcc", "qemu-system-aarch64", "aarch64-linux-gnu-gcc", "make"):
            (self.bin / name).unlink()
        shutil.rmtree(self.build)
        self.assertEqual(0, self.front_end("parse").status)
        self.assertEqual(0, self.program("tree").status)

    def test_another_toolchain_needs_no_cross_compiler(self) -> None:
        (self.bin / "aarch64-linux-gnu-gcc").unlink()
        self.assertEqual(0, self.front_end("build", "--make_options=LLVM=1").status)

    def test_ccache_is_optional(self) -> None:
        (self.bin / "ccache").unlink()
        self.assertEqual(0, self.front_end("run").status)

    def test_qemu_is_missing(self) -> None:
        (self.bin / "qemu-system-aarch64").unlink()
        self.assert_error(self.front_end("run"), 2, "qemu-system-aarch64")
        self.assertEqual(0, self.front_end("build").status)

    def test_qemu_is_too_old(self) -> None:
        self.tool("qemu-system-aarch64", "echo 'QEMU emulator version 5.2.0 (Debian)'")
        self.assert_error(self.front_end("run"), 2, "is QEMU 5.2; 7.0 or later", "newer")


if __name__ == "__main__":
    unittest.main()
