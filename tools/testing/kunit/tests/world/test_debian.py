# SPDX-License-Identifier: GPL-2.0
"""BASE=SUITE, such as sid: use the newest kernel source of a Debian suite."""

import json
import os
import shutil
import time
import unittest
from dataclasses import replace
from pathlib import Path

from harness.base.errors import UsageError
from harness.matrix import rows
from harness.request import settings
from harness.request.settings import flavours_of
from harness.trees import versions
from tests.unit.test_judge import CASES
from tests.world.fake import DATA, KERNEL, Ran, World, patch

NEWER = {
    **KERNEL,
    "Makefile": KERNEL["Makefile"].replace("6\nPATCHLEVEL = 12", "7\nPATCHLEVEL = 2"),
}

# A fake apt-get, apt-cache and dpkg-deb. It records its arguments in the file "calls".
_APT = """\
echo "$(basename "$0") $*" >>"$FAKE_APT/calls"
[ ! -e "$FAKE_APT/offline" ] || { echo "E: no network" >&2; exit 100; }
case " $* " in
*" indextargets "*)
    echo "file:/mirror main main $FAKE_APT/debian.sources:1"
    echo "file:/mirror sid main $FAKE_APT/debian.sources:1";;
*" update "*) for o in "$@"; do case $o in -oDir::Etc::SourceList=*) cat "${o#*=}" >"$FAKE_APT/asked";; esac; done;;
*" pkgnames "*) cat "$FAKE_APT/names";;
*" show "*) echo "Package: linux-source"; echo "Version: $(cat "$FAKE_APT/version")";;
*" download "*) touch linux-source_all.deb;;
*" --extract "*) mkdir -p "$3/usr/src"; cp -p "$FAKE_APT"/packages/*.tar.xz "$3/usr/src";;
esac
"""


class Suite(World):
    is_prepared = False

    def setUp(self) -> None:
        super().setUp()
        self.apt = self.top / "apt"
        self.apt.mkdir()
        (self.apt / "names").write_text("linux-source-6.18\nlinux-source-7.2\nlinux-source-rt\n")
        (self.apt / "version").write_text("7.2.13-1\n")
        key = self.apt / "key.gpg"
        key.touch()
        (self.apt / "debian.sources").write_text(f"Types: deb\nSigned-By: {key}\n")
        self.env["FAKE_APT"] = str(self.apt)
        for name in ("basename", "cp", "mkdir"):
            real = shutil.which(name)
            assert real
            (self.bin / name).symlink_to(real)
        for name in ("apt-get", "apt-cache", "dpkg-deb"):
            self.tool(name, _APT)
        self.pack_kernel(NEWER, directory="apt/packages", base="7.2")

    def calls(self, word: str) -> list[str]:
        """The calls of the fake tools that have this word as an argument."""
        lines = (self.apt / "calls").read_text().splitlines()
        return [line for line in lines if f" {word} " in f"{line} "]

    def tree(self, **env: str) -> Ran:
        return self.program("tree", **{"BASE": "sid", **env})

    def test_the_newest_is_fetched_and_prepared(self) -> None:
        tree = self.make_tree(BASE="sid")
        self.assertEqual(self.build / "linux-7.2/stock", tree)
        self.assertIn("VERSION = 7", (tree / "Makefile").read_text())
        asked = (self.apt / "asked").read_text()
        self.assertEqual(f"deb [signed-by={self.apt}/key.gpg] file:/mirror sid main\n", asked)

    def test_the_system_is_left_alone(self) -> None:
        self.tree()
        for line in self.calls("update") + self.calls("download"):
            for name in ("Dir::State", "Dir::State::Lists", "Dir::State::status", "Dir::Cache"):
                self.assertIn(f"-o{name}={self.build}/suites/sid/apt", line)

    def test_the_network_is_asked_once_a_day(self) -> None:
        self.tree()
        self.assertEqual("", self.tree().stderr)
        self.assertEqual(1, len(self.calls("update")))
        yesterday = time.time() - 25 * 3600
        os.utime(self.build / "suites/sid/newest", (yesterday, yesterday))
        self.assertEqual(0, self.tree().status)
        self.assertEqual(2, len(self.calls("update")))
        self.assertEqual(1, len(self.calls("download")))

    def test_a_newer_package_replaces_the_old_one(self) -> None:
        self.tree()
        (self.build / "suites/sid/newest").unlink()
        (self.apt / "version").write_text("7.2.14-1\n")
        self.pack_kernel(
            {**NEWER, "mm/memory.c": KERNEL["mm/memory.c"] + "int newer;\n"},
            directory="apt/packages",
            base="7.2",
            mtime=2,
        )
        tree = self.make_tree(BASE="sid")
        self.assertIn("int newer;", (tree / "mm/memory.c").read_text())
        archives = list((self.build / "suites/sid").glob("*/*.tar.xz"))
        self.assertEqual(["7.2.14-1"], [path.parent.name for path in archives])

    def test_without_network_the_last_known_package_is_used(self) -> None:
        self.tree()
        yesterday = time.time() - 25 * 3600
        os.utime(self.build / "suites/sid/newest", (yesterday, yesterday))
        (self.apt / "offline").touch()
        ran = self.tree()
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertIn("linux-source-7.2 7.2.13-1, the last one known", ran.stderr)

    def test_without_network_and_without_any(self) -> None:
        (self.apt / "offline").touch()
        self.assert_error(self.tree(), 2, "indextargets", "no network")

    def test_an_unknown_suite(self) -> None:
        self.tool(
            "apt-get", 'case " $* " in *" update "*) echo "E: 404" >&2; exit 100;; esac\n' + _APT
        )
        self.assert_error(self.tree(BASE="potato"), 125, "BASE=potato", "404")

    def test_a_suite_without_a_kernel(self) -> None:
        (self.apt / "names").write_text("linux-source-rt\n")
        self.assert_error(self.tree(), 125, "no linux-source package")

    def test_a_fetch_that_fails_leaves_nothing(self) -> None:
        self.tool("dpkg-deb", "echo damaged >&2; exit 2")
        self.assertEqual(2, self.tree().status)
        self.assertEqual([], list((self.build / "suites/sid").glob("part-*")))
        self.tool("dpkg-deb", _APT)
        self.assertEqual(0, self.tree().status)

    def test_no_apt(self) -> None:
        (self.bin / "apt-get").unlink()
        self.assert_error(self.tree(), 2, "no apt-get", "KSRC=DIR")

    def test_a_flavour_that_was_not_rebased(self) -> None:
        for flavour in ("series", "baseline", "fast"):
            self.assertEqual(0, self.tree(FLAVOUR=flavour).status)
            self.assert_error(
                self.tree(FLAVOUR=flavour, BASE="6.18"), 2, "Linux 6.18", "from: stock fixed"
            )
        self.assertEqual(0, self.tree(FLAVOUR="fixed").status)

    def test_a_patch_that_does_not_apply_names_what_was_tested(self) -> None:
        self.write("patches/tested-on", "6.12.117\n7.2.13\n")
        self.write("patches/hooks/0001-hook.patch", patch("mm/memory.c", "gone", 3, "int x;"))
        self.assert_error(self.tree(), 125, "Linux 7.2.117", "tested on 6.12.117 and 7.2.13")

    def test_a_rebased_patch_is_for_its_base_only(self) -> None:
        self.write("patches/hooks/7.2/0001-hook.patch", patch("mm/memory.c", "memory", 9, "int x;"))
        self.assertIn("int x;", (self.make_tree(BASE="sid") / "mm/memory.c").read_text())
        self.assertNotIn("int x;", (self.make_tree() / "mm/memory.c").read_text())

    def last_row(self, **env: str) -> Ran:
        """The last row of the matrix, that of the newest kernel in experimental."""
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in (*settings.FLAVOURS, "skips"):
            for directory in ("expected", "expected/7.2"):
                self.write(f"tools/testing/kunit/data/{directory}/{name}", "")
        kernels = len(rows.groups(rows.choose({})))
        self.row = rows.choose({})[-1]
        shard = f"{kernels}/{kernels}"
        return self.program("matrix", FAKE_CONSOLE=str(DATA / "pass.log"), SHARD=shard, **env)

    def test_the_matrix_has_the_newest_kernels(self) -> None:
        ran = self.last_row()
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertEqual("experimental", self.row.base)
        what = f"{self.row.flavour} +{self.row.config} +max"
        self.assertRegex(ran.stdout, rf"Linux of experimental:\n.*\n{what} +- +1 +5 ")
        self.assertTrue((self.build / "linux-7.2" / self.row.flavour).is_dir())
        results = self.build / "results"
        self.assertTrue((results / f"{self.row.file_name}.console.log").exists())
        [part] = results.glob("matrix-*.json")
        first = json.loads(part.read_text())["revision"]
        shutil.rmtree(self.build / "suites")
        (self.apt / "version").write_text("7.2.14-1\n")
        self.last_row()
        self.assertNotEqual(first, json.loads(part.read_text())["revision"])

    def test_a_row_of_a_kernel_that_cannot_be_fetched(self) -> None:
        (self.apt / "offline").touch()
        ran = self.last_row()
        self.assertEqual(1, ran.status)
        self.assertIn(f"{self.row.name}: 1 unexpected", ran.stdout)
        self.assertIn("no network", ran.stdout)
        self.assertRegex(ran.stdout, r"next: \w+")
        self.assertEqual("0 passed, 1 failed", ran.stdout.splitlines()[-1])

    def test_clean_removes_the_suite(self) -> None:
        self.tree()
        self.assertEqual(0, self.program("clean").status)
        self.assertFalse(self.build.exists())


class Rebased(World):
    is_prepared = False

    def test_the_nearest_older_version_is_used(self) -> None:
        for place in (".", "7.2", "7.10", "notes"):
            self.write(f"expected/{place}/stock", "")
        directory = self.repo / "expected"
        for version, place in (
            ((6, 12), "."),
            ((7, 2, 3), "7.2"),
            ((7, 9), "7.2"),
            ((8, 0), "7.10"),
        ):
            found = versions.find(directory, "stock", version)
            self.assertEqual(directory / place / "stock", found)
        self.assertEqual(directory / "fixed", versions.find(directory, "fixed", (8, 0)))
        self.assertEqual(Path("/nowhere/x"), versions.find(Path("/nowhere"), "x", (8, 0)))


class Matrix(unittest.TestCase):
    def test_another_base_has_the_flavours_that_it_has(self) -> None:
        self.assertEqual(set(settings.FLAVOURS), set(flavours_of("7.2")))
        self.assertEqual({"stock", "fixed"}, set(flavours_of("6.18")))
        newest = {flavour for flavour, _, _ in rows.NEWEST}
        for base in ("7.2", "6.18"):
            chosen = {row.flavour for row in rows.choose({"BASE": base}, base)}
            self.assertEqual(newest & set(flavours_of(base)), chosen)
        self.assertEqual(rows.choose({}, "7.2"), rows.choose({"BASE": "sid"}, ""))
        found = rows.choose({"CONFIGS": "4k-debug"}, "6.18")
        self.assertEqual({"stock", "fixed"}, {row.flavour for row in found})
        with self.assertRaises(UsageError):
            rows.choose({"FLAVOURS": "series"}, "6.18")
        with self.assertRaises(UsageError):
            rows.choose({"CONFIGS": "s390"}, "6.12")

    def test_the_newest_kernels_belong_to_the_whole_matrix(self) -> None:
        for environ in ({"BASE": "6.12"}, {"CONFIGS": "4k"}, {"FLAVOURS": "stock"}):
            self.assertEqual({""}, {row.base for row in rows.choose(environ)})
        found = rows.choose({})
        for base in ("sid", "experimental"):
            ours = [replace(row, base="") for row in found if row.base == base]
            self.assertEqual(rows.choose({"BASE": base}, "7.2"), ours)
            kernels = {
                (flavour, size) for flavour in settings.FLAVOURS for size in settings.PAGE_SIZES
            }
            kernels |= {("fixed", "s390"), ("stock", "s390")}
            self.assertEqual(kernels, {(row.flavour, row.config) for row in ours})

    def test_the_default_flavour(self) -> None:
        self.assertEqual("series", settings.read({}).flavour)
        self.assertEqual("stock", settings.read({"BASE": "7.2"}).flavour)


if __name__ == "__main__":
    unittest.main()
