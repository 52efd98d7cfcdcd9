# SPDX-License-Identifier: GPL-2.0
"""make tree: layers, incremental updates, repair, changes of the user, KSRC."""

import os
import shutil
import signal
import time
import unittest
from pathlib import Path

from tests.world.fake import KERNEL, MAIL, PATIENCE, World, listing, patch


def mtimes(tree: Path) -> dict[str, int]:
    """The modification time of each file in a tree."""
    return {
        str(p.relative_to(tree)): p.stat().st_mtime_ns
        for p in tree.rglob("*")
        if p.is_file() and ".git" not in p.parts
    }


# Changes a mode, adds a file, renames a file and removes a link.
ALL_AT_ONCE = """\
diff --git a/arch/arm64/mm/mmu.c b/arch/arm64/mm/mmu.c
old mode 100644
new mode 100755
diff --git a/mm/a new one.c b/mm/a new one.c
new file mode 100644
--- /dev/null
+++ b/mm/a new one.c\t
@@ -0,0 +1 @@
+int x;
diff --git a/mm/memory.c b/mm/moved.c
similarity index 100%
rename from mm/memory.c
rename to mm/moved.c
diff --git a/mm/link b/mm/link
deleted file mode 120000
--- a/mm/link
+++ /dev/null
@@ -1 +0,0 @@
-memory.c
\\ No newline at end of file
"""


class Flavours(World):
    def subjects(self, tree: Path) -> str:
        return self.git(tree, "log", "--reverse", "--format=%s")

    def test_each_flavour_has_its_layers_in_order(self) -> None:
        base = "Linux, as Debian's source package has it"
        suites = "mm: add KUnit suites"
        self.assertEqual(
            [base, suites, "change memory"],
            self.subjects(self.make_tree(FLAVOUR="stock")).split("\n"),
        )
        self.assertEqual(
            [base, "change vmemmap", suites, "change memory"],
            self.subjects(self.make_tree(FLAVOUR="baseline")).split("\n"),
        )
        self.assertEqual(
            [base, "change vmemmap", suites, "change memory", "change vmemmap", "change mmu"],
            self.subjects(self.make_tree()).split("\n"),
        )

    def test_one_repository_serves_all(self) -> None:
        trees = [self.make_tree(FLAVOUR=f) for f in ("stock", "baseline", "series")]
        question = ("rev-parse", "--path-format=absolute", "--git-common-dir")
        shared = {self.git(tree, *question) for tree in trees}
        self.assertEqual({str(self.build / "linux-6.12/git")}, shared)
        # git gc does not run by itself, and git log shows no references that record a state.
        self.assertEqual("0", self.git(trees[0], "config", "gc.auto"))
        shown = self.git(trees[0], "log", "-1", "--format=%D")
        self.assertEqual(["HEAD -> stock", "fixed"], shown.split(", "))

    def test_commits_are_the_same_everywhere(self) -> None:
        first = self.git(self.make_tree(), "rev-parse", "HEAD")
        other = self.git(self.make_tree(BUILD=str(self.top / "elsewhere")), "rev-parse", "HEAD")
        self.assertEqual(first, other)

    def test_a_commit_has_author_and_message_of_its_patch(self) -> None:
        tree = self.make_tree()
        said = self.git(tree, "log", "-1", "--format=%an|%ae|%at|%B")
        self.assertEqual("A. Developer|dev@example.org|1704067200|change mmu\n\nBecause.", said)

    def test_all_kinds_of_changes_to_files(self) -> None:
        self.write(
            "patches/series/0002-two.patch",
            MAIL.format(author="A. Developer", subject="all at once", diff=ALL_AT_ONCE),
        )
        tree = self.make_tree()
        said = self.git(tree, "show", "--format=", "--raw", "--no-abbrev", "-M")
        changes: list[list[str]] = [
            [*line[1:].split()[:2], *line.split("\t")[1:]] for line in said.splitlines()
        ]
        self.assertCountEqual(
            [
                ["100644", "100755", "arch/arm64/mm/mmu.c"],
                ["000000", "100644", "mm/a new one.c"],
                ["100644", "100644", "mm/memory.c", "mm/moved.c"],
                ["120000", "000000", "mm/link"],
            ],
            changes,
        )
        self.assertEqual("int x;\n", (tree / "mm/a new one.c").read_text())

    def test_suites_and_pages_are_added_to_the_tree(self) -> None:
        tree = self.make_tree()
        self.assertEqual("/* a suite */\n", (tree / "mm/tests/vmemmap_kunit.c").read_text())
        self.assertTrue((tree / "mm/tests/.kunitconfig").exists())
        self.assertTrue((tree / "Documentation/mm/altmap.rst").exists())
        self.assertFalse((tree / "Documentation/index.rst").exists())

    def test_ignored_files_are_not_added_to_the_tree(self) -> None:
        self.write("mm/tests/vmemmap_kunit.c~", "an editor's\n")
        self.assertFalse((self.make_tree() / "mm/tests/vmemmap_kunit.c~").exists())

    def test_new_files_show_in_git_status(self) -> None:
        tree = self.make_tree()
        (tree / "mm/new.c").write_text("")
        self.assertEqual("?? mm/new.c", self.git(tree, "status", "--short"))

    def test_the_tree_equals_the_package(self) -> None:
        tree = self.make_tree(FLAVOUR="stock")
        self.assertEqual(KERNEL["mm/sparse-vmemmap.c"], (tree / "mm/sparse-vmemmap.c").read_text())
        self.assertEqual("memory.c", os.readlink(tree / "mm/link"))
        self.assertTrue(os.access(tree / "tools/testing/kunit/kunit.py", os.X_OK))

    def test_the_users_git_config_has_no_effect(self) -> None:
        (self.top / ".gitconfig").write_text(
            "[core]\nautocrlf = true\nhooksPath = /nonexistent\n"
            "[commit]\ngpgSign = true\n[am]\nkeepcr = true\n"
        )
        shutil.rmtree(self.build)
        tree = self.make_tree()
        self.assertNotIn(b"\r", (tree / "mm/memory.c").read_bytes())

    def test_git_environment_variables_have_no_effect(self) -> None:
        shutil.rmtree(self.build)
        tree = self.make_tree(GIT_DIR="/nonexistent", GIT_INDEX_FILE="/nonexistent/index")
        self.assertTrue((tree / "Makefile").exists())


class Increments(World):
    def test_nothing_is_done_twice(self) -> None:
        tree = self.make_tree()
        before = mtimes(tree)
        ran = self.program("tree")
        self.assertEqual("", ran.stderr)
        self.assertEqual(before, mtimes(tree))

    def test_only_patches_from_the_changed_one_are_applied_again(self) -> None:
        tree = self.make_tree()
        before = mtimes(tree)
        self.write(
            "patches/series/0002-two.patch", patch("arch/arm64/mm/mmu.c", "mmu", 30, "int better;")
        )
        ran = self.program("tree")
        self.assertIn("5/5: series/0002-two.patch", ran.stderr)
        self.assertEqual(1, ran.stderr.count("applying"), ran.stderr)
        after = mtimes(tree)
        changed = {path for path in after if after[path] != before.get(path)}
        self.assertEqual({"arch/arm64/mm/mmu.c"}, changed)
        self.assertIn("int better;", (tree / "arch/arm64/mm/mmu.c").read_text())
        self.assertEqual("", self.program("tree").stderr)

    def test_a_changed_suite_is_picked_up(self) -> None:
        tree = self.make_tree()
        before = mtimes(tree)
        self.write("mm/tests/vmemmap_kunit.c", "/* a better suite */\n")
        self.write("mm/tests/more_kunit.c", "/* another */\n")
        self.make_tree()
        after = mtimes(tree)
        changed = {path for path in after if after[path] != before.get(path)}
        self.assertEqual({"mm/tests/vmemmap_kunit.c", "mm/tests/more_kunit.c"}, changed)

    def test_a_removed_suite_is_removed_from_the_tree(self) -> None:
        extra = self.write("mm/tests/more_kunit.c", "/* another */\n")
        tree = self.make_tree()
        self.assertTrue((tree / "mm/tests/more_kunit.c").exists())
        extra.unlink()
        self.make_tree()
        self.assertFalse((tree / "mm/tests/more_kunit.c").exists())

    def test_a_new_package_is_noticed(self) -> None:
        tree = self.make_tree()
        before = mtimes(tree)
        newer = {**KERNEL, "Makefile": KERNEL["Makefile"].replace("117", "118")}
        self.pack_kernel(newer, mtime=2)
        ran = self.program("tree")
        self.assertIn("imported Linux 6.12.118", ran.stderr)
        after = mtimes(tree)
        self.assertEqual({"Makefile"}, {path for path in after if after[path] != before[path]})

    def test_a_second_command_waits(self) -> None:
        self.make_tree()
        self.hanging("git", "*mailinfo*")
        self.write(
            "patches/series/0002-two.patch", patch("arch/arm64/mm/mmu.c", "mmu", 9, "int x;")
        )
        first = self.start("tree")
        self.wait_for_hang(first)
        self.healthy("git")
        second = self.start("tree", env={"FLAVOUR": "stock"})
        assert second.stderr
        self.assertIn(f"waiting for process {first.pid}", second.stderr.readline())
        self.interrupt(first)
        self.assertEqual(0, self.finish(second).status)


class Repair(World):
    """make tree is killed at some moment. The next one succeeds."""

    is_prepared = False

    def killed_while(self, tool: str, when: str, first: str = "true") -> None:
        self.hanging(tool, when, first)
        child = self.start("tree")
        pids = self.wait_for_hang(child)
        child.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        child.communicate(timeout=PATIENCE)
        self.healthy(tool)
        self.mark.unlink()

    def assert_whole(self) -> None:
        tree = self.make_tree()
        self.assertEqual("", self.git(tree, "status", "--short"))
        self.assertIn("int two;", (tree / "arch/arm64/mm/mmu.c").read_text())
        self.git(tree, "fsck", "--no-dangling", "--no-progress")

    def test_killed_in_import(self) -> None:
        self.killed_while("git", "*fast-import*")
        self.assert_whole()

    def test_killed_while_applying(self) -> None:
        self.killed_while("git", "*apply\\ --cached*")
        self.assert_whole()

    def test_killed_before_the_tree_is_written(self) -> None:
        self.killed_while("git", "*worktree\\ add*")
        self.assert_whole()

    def test_killed_while_the_tree_is_written(self) -> None:
        tree, git = f"{self.build}/linux-6.12/series", os.path.realpath(self.bin / "git")
        # What git leaves behind when it is killed: incomplete files and a lock.
        lock = f"{self.build}/linux-6.12/git/worktrees/series/locked"
        half = f'{git} "$@"; echo initializing >{lock}; echo half >{tree}/Makefile'
        self.killed_while("git", "*worktree\\ add*", half)
        self.assert_whole()

    def test_killed_after_the_tree_was_written(self) -> None:
        git = os.path.realpath(self.bin / "git")
        self.killed_while("git", "*worktree\\ add*", f'{git} "$@"')
        self.assert_whole()

    def test_killed_while_the_tree_is_moved(self) -> None:
        tree = self.make_tree()
        (tree / "mm/memory.c").write_text("the user's\n")
        self.write(
            "patches/series/0002-two.patch",
            patch("arch/arm64/mm/mmu.c", "mmu", 20, "int two; int better;"),
        )
        self.write("mm/tests/more_kunit.c", "/* another */\n")
        # What git leaves behind when it is killed: incomplete files and a lock.
        index = self.git(tree, "rev-parse", "--path-format=absolute", "--git-path", "index")
        files = (f"{tree}/arch/arm64/mm/mmu.c", f"{tree}/mm/tests/more_kunit.c", f"{index}.lock")
        half = "; ".join(f"echo ha >{file}" for file in files)
        self.killed_while("git", "*read-tree\\ -m\\ -u*", half)
        ran = self.program("tree")
        self.assertIn("repairing", ran.stderr)
        self.assertIn("int better;", (tree / "arch/arm64/mm/mmu.c").read_text())
        self.assertEqual("/* another */\n", (tree / "mm/tests/more_kunit.c").read_text())
        self.assertEqual("the user's\n", (tree / "mm/memory.c").read_text())
        self.assertEqual("M mm/memory.c", self.git(tree, "status", "--short"))

    def test_the_next_run_waits_for_leftover_processes(self) -> None:
        self.hanging("git", "*worktree\\ add*")
        child = self.start("tree")
        pids = self.wait_for_hang(child)
        child.kill()
        child.wait()
        self.healthy("git")
        second = self.start("tree")
        time.sleep(1)
        self.assertIsNone(second.poll())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(0, self.finish(second).status)


class UsersWork(World):
    """Changes that the user made in a prepared tree are never lost."""

    def better_patch(self) -> None:
        self.write(
            "patches/series/0002-two.patch",
            patch("arch/arm64/mm/mmu.c", "mmu", 20, "int two; int better;"),
        )

    def test_changes_are_used_with_a_note(self) -> None:
        tree = self.make_tree()
        (tree / "mm/memory.c").write_text("mine\n")
        ran = self.program("tree")
        self.assertIn("uncommitted changes", ran.stderr)
        self.assertEqual("mine\n", (tree / "mm/memory.c").read_text())

    def test_changes_to_other_files_survive_new_patches(self) -> None:
        tree = self.make_tree()
        (tree / "mm/memory.c").write_text("mine\n")
        self.better_patch()
        self.make_tree()
        self.assertEqual("mine\n", (tree / "mm/memory.c").read_text())
        self.assertIn("int better;", (tree / "arch/arm64/mm/mmu.c").read_text())

    def test_conflicting_changes_stop_new_patches(self) -> None:
        tree = self.make_tree()
        (tree / "arch/arm64/mm/mmu.c").write_text("mine\n")
        self.better_patch()
        ran = self.program("tree")
        self.assert_error(ran, 2, "changes of yours", "arch/arm64/mm/mmu.c", "stash")
        self.assertEqual("mine\n", (tree / "arch/arm64/mm/mmu.c").read_text())
        self.git(tree, "stash")
        self.assertIn("int better;", (self.make_tree() / "arch/arm64/mm/mmu.c").read_text())

    def test_a_running_git_command_stops_new_patches(self) -> None:
        tree = self.make_tree()
        lock = Path(self.git(tree, "rev-parse", "--absolute-git-dir")) / "index.lock"
        lock.touch()
        self.better_patch()
        self.assert_error(self.program("tree"), 2, "another git command", str(lock))
        lock.unlink()
        self.make_tree()

    def test_conflicting_new_files_stop_new_patches(self) -> None:
        tree = self.make_tree()
        (tree / "mm/tests/more_kunit.c").write_text("mine\n")
        self.write("mm/tests/more_kunit.c", "ours\n")
        self.assert_error(self.program("tree"), 2, "mm/tests/more_kunit.c")
        self.assertEqual("mine\n", (tree / "mm/tests/more_kunit.c").read_text())

    def test_a_file_that_was_only_touched_is_no_change(self) -> None:
        (self.make_tree() / "arch/arm64/mm/mmu.c").touch()
        self.better_patch()
        self.assertIn("int better;", (self.make_tree() / "arch/arm64/mm/mmu.c").read_text())

    def commit(self, tree: Path) -> str:
        (tree / "mm/memory.c").write_text("mine\n")
        self.git(tree, "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "-qam", "mine")
        return self.git(tree, "rev-parse", "HEAD")

    def test_the_users_commits_are_tested(self) -> None:
        tree = self.make_tree()
        mine = self.commit(tree)
        self.make_tree()
        self.assertEqual(mine, self.git(tree, "rev-parse", "HEAD"))

    def test_the_users_commits_stop_new_patches_until_rebased(self) -> None:
        tree = self.make_tree()
        self.commit(tree)
        self.better_patch()
        ran = self.program("tree")
        self.assert_error(ran, 2, "commits of yours", "rebase --onto")
        self.assertEqual("mine\n", (tree / "mm/memory.c").read_text())
        words = ran.stderr[ran.stderr.index("rebase --onto") :].split()
        self.git(tree, "-c", "user.name=Me", "-c", "user.email=me@x", *words[:4])
        self.make_tree()
        self.assertEqual("mine\n", (tree / "mm/memory.c").read_text())
        self.assertIn("int better;", (tree / "arch/arm64/mm/mmu.c").read_text())

    def test_a_tree_in_a_bisection_is_tested_as_it_is(self) -> None:
        tree = self.make_tree()
        self.git(tree, "checkout", "-q", "HEAD~2")
        ran = self.program("tree")
        self.assertEqual(0, ran.status)
        self.assertIn("used as it is", ran.stderr)
        self.assertNotIn("int two;", (tree / "arch/arm64/mm/mmu.c").read_text())

    def test_a_foreign_directory_is_left_alone(self) -> None:
        stranger = self.build / "linux-6.12/fast/thesis.tex"
        stranger.parent.mkdir(parents=True)
        stranger.write_text("years of work\n")
        ran = self.program("tree", FLAVOUR="fast")
        self.assert_error(ran, 2, "not a tree that was prepared here")
        self.assertEqual("years of work\n", stranger.read_text())


class BadPatches(World):
    def test_a_patch_that_does_not_apply(self) -> None:
        tree = self.make_tree()
        head = self.git(tree, "rev-parse", "HEAD")
        bad = patch("arch/arm64/mm/mmu.c", "mmu", 20, "int two;").replace(
            "-int mmu_20;", "-int gone;"
        )
        self.write("patches/series/0002-two.patch", bad)
        self.pack_kernel({**KERNEL, "Makefile": KERNEL["Makefile"].replace("117", "200")}, mtime=2)
        ran = self.program("tree")
        self.assert_error(
            ran,
            125,
            "series/0002-two.patch does not apply to Linux 6.12.200 (tested on 6.12.117)",
            "arch/arm64/mm/mmu.c:20",
        )
        self.assertEqual(head, self.git(tree, "rev-parse", "HEAD"))
        self.assertEqual("", self.git(tree, "status", "--short"))

    def test_a_file_that_is_no_patch(self) -> None:
        self.write("patches/series/0002-two.patch", "TODO\n")
        self.assert_error(self.program("tree"), 125, "0002-two.patch does not look like")

    def test_a_missing_patch(self) -> None:
        self.write("patches/series/series", "0003-three.patch\n")
        self.assert_error(self.program("tree"), 125, "0003-three.patch")

    def test_a_suite_that_would_replace_a_kernel_file(self) -> None:
        self.write("mm/memory.c", "a clash\n")
        self.assert_error(self.program("tree"), 125, "would replace", "mm/memory.c")


class Package(World):
    is_prepared = False

    def test_sources_without_the_archive(self) -> None:
        (self.top / "src/linux-source-6.12.tar.xz").unlink()
        ran = self.program("tree")
        self.assert_error(ran, 2, f"SOURCES={self.top}/src", "linux-source-6.12.tar.xz")

    def test_a_damaged_package(self) -> None:
        path = self.top / "src/linux-source-6.12.tar.xz"
        path.write_bytes(path.read_bytes()[:-60])
        self.assert_error(self.program("tree"), 125, "is damaged", "--reinstall")
        self.pack_kernel(KERNEL)
        self.make_tree()

    def test_a_package_that_is_no_archive(self) -> None:
        (self.top / "src/linux-source-6.12.tar.xz").write_text("not at all\n")
        self.assert_error(self.program("tree"), 125, "is damaged")

    def test_not_enough_disk_space(self) -> None:
        with open(self.top / "src/linux-source-6.12.tar.xz", "ab") as file:
            file.truncate(1 << 43)
        ran = self.program("tree")
        self.assert_error(ran, 2, "is too full", "GB needed", "GB free", "BUILD=DIR")
        self.assertFalse((self.build / "linux-6.12/series").exists())

    def test_a_disk_that_fills_up(self) -> None:
        self.tool("xz", f'exec {os.path.realpath(self.bin / "xz")} "$@"')
        real = os.path.realpath(self.bin / "git")
        self.tool(
            "git",
            'case "$*" in *worktree\\ add*) echo "fatal: No space left on device" >&2; exit 128;; esac\n'
            f'exec {real} "$@"',
        )
        self.assert_error(self.program("tree"), 2, "the disk is full", "No space left on device")
        self.healthy("git")
        self.make_tree()


class Ksrc(World):
    is_prepared = False

    def setUp(self) -> None:
        super().setUp()
        self.linux = self.unpack_kernel()

    def as_git(self, *, ignore_all: bool = False) -> None:
        if not ignore_all:
            (self.linux / ".gitignore").write_text(".*\n!.gitignore\n*.o\n")
        self.git(self.linux, "init", "-q")
        self.git(self.linux, "add", "-A", "-f")
        self.git(self.linux, "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "-qm", "x")

    def prepare(self, **env: str) -> Path:
        return self.make_tree(KSRC=str(self.linux), **env)

    def test_ksrc_is_tested_as_it_is_and_not_written(self) -> None:
        self.as_git()
        (self.linux / "mm/memory.c").write_text(KERNEL["mm/memory.c"] + "int uncommitted;\n")
        (self.linux / "mm/new.c").write_text("int untracked;\n")
        (self.linux / "mm/memory.o").write_text("an object\n")
        (self.linux / "Kbuild").unlink()
        (self.linux / "Kbuild").write_text("# another Kbuild\n")
        before = listing(self.linux)
        tree = self.prepare()
        self.assertIn("int uncommitted;", (tree / "mm/memory.c").read_text())
        self.assertIn("int hook;", (tree / "mm/memory.c").read_text())
        self.assertTrue((tree / "mm/new.c").exists())
        self.assertFalse((tree / "mm/memory.o").exists())
        self.assertTrue((tree / "mm/tests/vmemmap_kunit.c").exists())
        self.assertEqual(before, listing(self.linux))

    def test_ksrc_can_be_an_unpacked_package(self) -> None:
        (self.linux / "mm/memory.o").write_text("an object\n")
        (self.linux / "mm/.kunitconfig").write_text("CONFIG_KUNIT=y\n")
        before = listing(self.linux)
        tree = self.prepare()
        self.assertTrue((tree / "mm/sparse-vmemmap.c").exists())
        self.assertTrue((tree / "mm/.kunitconfig").exists())
        self.assertFalse((tree / "mm/memory.o").exists())
        self.assertEqual(before, listing(self.linux))

    def test_a_git_tree_that_ignores_everything(self) -> None:
        self.as_git(ignore_all=True)
        (self.linux / "mm/new.c").write_text("int untracked;\n")
        self.assertTrue((self.prepare() / "mm/new.c").exists())

    def test_the_second_time_only_changes_are_written(self) -> None:
        self.as_git()
        tree = self.prepare()
        before = mtimes(tree)
        (self.linux / "arch/arm64/mm/mmu.c").write_text("int other;\n")
        (self.linux / "mm/Makefile").unlink()
        self.prepare()
        after = mtimes(tree)
        self.assertEqual({"mm/Makefile"}, set(before) - set(after))
        self.assertEqual(
            {"arch/arm64/mm/mmu.c"}, {path for path in after if after[path] != before[path]}
        )

    def test_other_flavours_on_request(self) -> None:
        tree = self.prepare(FLAVOUR="series")
        self.assertIn("int two;", (tree / "arch/arm64/mm/mmu.c").read_text())
        self.assertEqual("series", tree.name)

    def test_ksrc_can_be_a_prepared_tree(self) -> None:
        self.linux = self.make_tree()
        (self.linux / "mm/tests/vmemmap_kunit.c").write_text("/* mine */\n")
        tree = self.prepare()
        self.assertEqual("/* mine */\n", (tree / "mm/tests/vmemmap_kunit.c").read_text())
        self.assertIn("int two;", (tree / "arch/arm64/mm/mmu.c").read_text())

    def test_no_such_directory(self) -> None:
        self.assert_error(
            self.program("tree", KSRC="/nowhere"), 125, "/nowhere", "no such directory"
        )

    def test_ksrc_is_not_a_kernel_tree(self) -> None:
        self.assert_error(self.program("tree", KSRC=str(self.repo)), 125, "is not a Linux tree")

    def test_ksrc_is_too_old(self) -> None:
        makefile = KERNEL["Makefile"].replace("12", "1", 1)
        (self.linux / "Makefile").write_text(makefile)
        ran = self.program("tree", KSRC=str(self.linux))
        self.assert_error(ran, 125, "is Linux 6.1.117: too old", "6.12 or later")

    def test_ksrc_is_incomplete(self) -> None:
        (self.linux / "include/kunit/attributes.h").unlink()
        ran = self.program("tree", KSRC=str(self.linux))
        self.assert_error(ran, 125, "has no include/kunit/attributes.h")


class Variables(World):
    is_prepared = False

    def test_unknown_flavour(self) -> None:
        self.assert_error(
            self.program("tree", FLAVOUR="vanilla"), 2, "vanilla", "series baseline stock"
        )

    def test_jobs_is_not_a_number(self) -> None:
        self.assert_error(self.front_end("build", JOBS="many"), 2, "JOBS=many")

    def test_base_is_not_a_version(self) -> None:
        self.assert_error(self.program("tree", BASE="/usr/src/linux"), 2, "KSRC=DIR")


if __name__ == "__main__":
    unittest.main()
