# SPDX-License-Identifier: GPL-2.0
"""make revision, from end to end in a small world whose kernel obeys its patches."""

import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import KunitError
from harness.commands import revision
from harness.matrix import rows
from harness.revision import series as revision_series
from tests.unit.test_judge import CASES
from tests.world import changes, fake
from tests.world.fake import KERNEL, Ran, World, patch
from tests.world.test_origin_map import BLOCKS

# Stands for make W=1: a line with "warns" in it does.
_WARN = """\
while (<>) {
	print "../$ARGV:$.:1: warning: unused ", (split)[-1], " [-Wunused]\\n" if /warns/;
}
"""
_CHECKPATCH = """\
my $name = $ARGV[-1];
open(my $file, "<", $name) or die "$name: $!";
my $text = join("", <$file>);
my %kinds = ("bad_style" => "ERROR:CODE_INDENT", "long_line" => "WARNING:LONG_LINE",
	     "Because" => "ERROR:MISSING_SIGN_OFF");
my @found = grep { $text =~ /$_/ } sort(keys(%kinds));
print "$name:12: $kinds{$_}: $_ was seen\\n" for @found;
exit(@found ? 1 : 0);
"""

TITLES = ("[PATCH v2 1/2] change vmemmap", "[PATCH v2 2/2] change mmu")


def one(new: str = "int one;", subject: str = TITLES[0]) -> str:
    """A revision of the first patch."""
    return mail("mm/sparse-vmemmap.c", "vmemmap", new, subject)


def two(new: str = "int two;", subject: str = TITLES[1]) -> str:
    """A revision of the second patch."""
    return mail("arch/arm64/mm/mmu.c", "mmu", new, subject)


def mail(path: str, stem: str, new: str, subject: str) -> str:
    """A mailed patch with just that subject."""
    return patch(path, stem, 20, new, "x").replace("[PATCH] x", subject)


class Revision(World):
    kernel_tool = "kunit-of-patches"
    kernel = {
        **KERNEL,
        "Makefile": KERNEL["Makefile"]
        + "mm/%.o arch/arm64/mm/%.o: FORCE\n"
        + "\t@perl scripts/warn.pl $(basename $@).c\nFORCE: ;\n",
        "scripts/warn.pl": _WARN,
        "scripts/checkpatch.pl": _CHECKPATCH,
    }

    def setUp(self) -> None:
        super().setUp()
        self.healthy("perl")
        self.count = self.top / "count"
        self.env["FAKE_COUNT"] = str(self.count)
        self.env["TIP_CONFIGS"] = "4k"
        self.expect("cases", sorted(CASES))
        for name in ("stock", "skips"):
            self.expect(name, [])

    def expect(self, name: str, lines: Sequence[str]) -> None:
        self.write(f"tools/testing/kunit/data/expected/{name}", "\n".join([*lines, ""]))

    def revision(self, series: Any = "patches/series", **env: str) -> Ran:
        return self.program("revision", SERIES=str(series), **env)

    def series(self, *patches: str, name: str = "v2") -> Path:
        """A directory of git format-patch files."""
        directory = self.top / name
        directory.mkdir(exist_ok=True)
        for number, text in enumerate(patches, 1):
            (directory / f"{number:04d}-x.patch").write_text(text)
        return directory

    def mbox(self, *messages: str, name: str = "v2.mbx") -> Path:
        path = self.top / name
        path.write_text("".join(messages))
        return path

    def calls(self) -> list[str]:
        """What the kernel's tool was asked to do since the last time."""
        found = self.count.read_text().splitlines() if self.count.exists() else []
        self.count.unlink(missing_ok=True)
        return found

    def boots(self) -> int:
        """How many kernels were booted since the last time."""
        return len([call for call in self.calls() if call.startswith("exec")])

    def document(self) -> dict[str, Any]:
        text = (self.build / "results/revision/results.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found

    def faults(self, ran: Ran, status: int = 1) -> list[dict[str, Any]]:
        self.assertEqual(status, ran.status, ran.stdout + ran.stderr)
        found: list[dict[str, Any]] = self.document()["faults"]
        return found


class Verdicts(Revision):
    def test_our_own_series(self) -> None:
        ran = self.revision(TIP_CONFIGS="4k 16k 64k")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertIn("Verdict: good", ran.stdout.splitlines()[-1])
        self.assertIn("Bisectable: yes", ran.stdout)
        self.assertTrue(all(len(line) <= 78 for line in ran.stdout.splitlines()), ran.stdout)
        self.assertIn("good green broke\n", ran.stdout)
        document = self.document()
        self.assertEqual("vmemmap-kunit-revision", document["schema"])
        green = [state["turns_green"].get("4k") for state in document["states"]]
        self.assertEqual(
            [None, ["vmem_altmap.takes_from_altmap"], ["vmemmap_basepages.maps_altmap_pages"]],
            green,
        )
        self.assertEqual({"4k", "16k", "64k"}, set(document["tip"]))
        self.assertIn("patch 1, 4k: 1 case\n    vmem_altmap.takes_from_altmap", ran.stdout)
        # The base, two patches, the last of which is the tip, and two more configs. Once each.
        self.assertEqual(5, self.boots())
        self.assertEqual(0, self.revision(TIP_CONFIGS="4k 16k 64k").status)
        self.assertEqual([], self.calls())

    def test_what_else_a_result_depends_on(self) -> None:
        self.tool(changes.LINKER, "exit 0")
        quick = {"TIP_ONLY": "1", "TIP_CONFIGS": "4k"}
        ran = self.revision(**quick)
        self.assertNotIn("earlier run", ran.stdout)
        self.assertEqual(["build", "exec"], [call.split()[0] for call in self.calls()])
        for what, change in changes.relevant(self).items():
            with self.subTest(what), change():
                self.revision(**quick)
                self.assertEqual(["build", "exec"], [call.split()[0] for call in self.calls()])
        ran = self.revision(**quick, UNRELATED="x")
        self.assertEqual([], self.calls())
        self.assertIn("4k*  ", ran.stdout)
        self.assertIn("*: 1 of 1 results is from an earlier run", ran.stdout)
        self.assertIs(True, self.document()["tip"]["4k"]["kept"])

    def test_a_case_that_a_patch_breaks(self) -> None:
        title = "[PATCH v2 2/2] <script>alert(1)</script>"
        series = self.series(one(), two("int two; int fails_short_altmap;", title))
        faults = self.faults(self.revision(series, AGAINST="none"))
        self.assertEqual(
            [(2, "patch", "failed", "vmemmap_basepages.short_altmap")],
            [(f["patch"], f["shown"], f["kind"], f["case"]) for f in faults],
        )
        self.assertEqual([2], self.document()["not_bisectable_at"])
        # The base, patch 1, and patch 2 twice before it is blamed.
        self.assertEqual(4, self.boots())
        out = self.build / "results/revision"
        suites = ElementTree.parse(out / "results.xml").getroot()
        failures = {s.get("name"): s.get("failures") for s in suites}
        self.assertEqual("0", failures["patch 1 4k: change vmemmap"])
        self.assertEqual("1", failures["patch 2 4k: <script>alert(1)</script>"])
        names = {p.name for p in (out / "logs").iterdir()}
        self.assertLess({"0002-4k.console.log", "0002-4k.console-2.log"}, names)
        self.assertNotIn("0001-4k.console-2.log", names)
        page = (out / "report.html").read_text()
        self.assertNotRegex(page, r"(?:src|href)=\"?(?:https?:|//)|<script")
        linked = set(re.findall(r'href="#(c[\d-]+)"', page))
        self.assertEqual(linked, set(re.findall(r'id="(c[\d-]+)"', page)))
        self.assertIn("EXPECTATION FAILED", page)

    def test_a_build_that_breaks_in_the_middle(self) -> None:
        series = self.series(one("int one; int breaks_build;"), two())
        ran = self.revision(series, AGAINST="none")
        faults = self.faults(ran)
        self.assertEqual((1, "build"), (faults[0]["patch"], faults[0]["kind"]))
        self.assertIn("mm/memory.c:7:3: error: 'x' undeclared", ran.stdout)

    def test_a_guest_that_hangs(self) -> None:
        series = self.series(one(), two("int two; int hangs_in_follows_model;"))
        ran = self.revision(series, AGAINST="none")
        faults = self.faults(ran)
        self.assertEqual({(2, "hang")}, {(f["patch"], f["kind"]) for f in faults if f["patch"]})
        self.assertIn(" in vmem_altmap", faults[0]["what"])
        self.assertIn("HANG", ran.stdout)

    def test_style(self) -> None:
        """checkpatch and W=1. Only errors and new warnings are faults."""
        warns = self.kernel["arch/arm64/mm/mmu.c"] + "int warns_already;\n"
        self.pack_kernel({**self.kernel, "arch/arm64/mm/mmu.c": warns}, mtime=2)
        last = two("int two; int bad_style;\n+int warns_new;").replace("+20,3 @@", "+20,4 @@")
        series = self.series(one("int one; int long_line;"), last)
        ran = self.revision(series, AGAINST="none")
        faults = self.faults(ran)
        self.assertEqual(
            {(2, "checkpatch"), (2, "warnings")}, {(f["patch"], f["kind"]) for f in faults}
        )
        (new,) = (f["log"] for f in faults if f["kind"] == "warnings")
        self.assertEqual(1, len(new))
        self.assertIn("warns_new", new[0])
        self.assertIn("1: WARNING: long_line was seen", ran.stdout)
        # A missing sign-off is told, and no more.
        self.assertIn("MISSING_SIGN_OFF", ran.stdout)

    def test_the_tip_alone_in_short(self) -> None:
        ran = self.revision(TIP_ONLY="1", TIP_CONFIGS="4k 64k", SHORT="1")
        self.assertEqual(0, ran.status, ran.stderr)
        self.assertEqual(
            ["Verdict: good: 2 patches, nothing against them", "", "Linux 6.12.117, baseline."],
            ran.stdout.splitlines(),
        )
        self.assertEqual(2, self.boots())
        self.assertEqual({"4k", "64k"}, set(self.document()["tip"]))
        self.assertIsNone(self.document()["bisectable"])

    def test_each_patch_alone(self) -> None:
        breaks = two("int two; int fails_short_altmap;")
        directory = self.series(one(), breaks, two("int two;", "[PATCH] other"), name="fixes")
        names = sorted(path.name for path in directory.glob("*.patch"))
        (directory / "series").write_text("".join(f"{name}\n" for name in names))
        how = {"ALONE": "1", "ONTO": "baseline", "CONFIGS": "4k"}
        faults = self.faults(self.revision(directory, **how))
        # The third patch does not follow the second, so it neither breaks nor inherits anything.
        self.assertEqual(
            [(2, "vmemmap_basepages.short_altmap")], [(f["patch"], f["case"]) for f in faults]
        )
        self.assertFalse((directory / "alone").exists())

        (directory / names[1]).write_text(two())
        ran = self.revision(directory, **how)
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertIn("Alone on the base: yes", ran.stdout)
        noted = (directory / "alone").read_text().splitlines()
        words = [line.split() for line in noted if not line.startswith("#")]
        self.assertEqual([(n, "6.12", "4k:1") for n in names], [(w[0], *w[2:]) for w in words])

    def test_a_kernel_that_fails_in_one_boot_of_two(self) -> None:
        series = self.series(one(), two("int two; int shaky_short_altmap;"))
        choice = {"AGAINST": "none", "CONFIGS": "4k", "TIP_CONFIGS": "4k"}
        ran = self.revision(series, **choice)
        self.assertEqual((2, []), (ran.status, self.document()["faults"]), ran.stdout + ran.stderr)
        document = self.document()
        self.assertEqual("flaky", document["verdict"])
        self.assertEqual(["vmemmap_basepages.short_altmap"], [f["case"] for f in document["flaky"]])
        # The base, patch 1, and patch 2 twice; both of its logs are there.
        self.assertEqual(4, self.boots())
        logs = self.build / "results/revision/logs"
        self.assertIn("not ok", (logs / "0002-4k.console.log").read_text())
        self.assertNotIn("not ok", (logs / "0002-4k.console-2.log").read_text())
        # The next run boots that state again. This time nothing is wrong with it.
        ran = self.revision(series, **choice)
        self.assertEqual((0, "good", 1), (ran.status, self.document()["verdict"], self.boots()))
        self.assertFalse((logs / "0002-4k.console-2.log").exists())


class Against(Revision):
    def test_what_changed(self) -> None:
        old = self.series(one("int one; int fails_gives_pages_back;"), two(), name="v1")
        new = self.series(one(), two("int two; int fails_short_altmap;"))
        ran = self.revision(new, AGAINST=str(old))
        self.assertEqual(1, ran.status)
        # What two revisions share is tried once, and in this run.
        self.assertNotIn("earlier run", ran.stdout)
        changes = self.document()["against"]["changes"]["4k"]
        self.assertEqual(["vmem_altmap.gives_pages_back"], changes["fixed"])
        self.assertEqual(["vmemmap_basepages.short_altmap"], changes["broken"])
        self.assertEqual(([], []), (changes["new"], changes["gone"]))
        self.assertIn("broken: vmemmap_basepages.short_altmap", ran.stdout)
        self.assertRegex(ran.stdout, r"1: +[0-9a-f]+ ! 1: +[0-9a-f]+ change vmemmap")


class Inputs(Revision):
    def test_an_mbox_with_cover_letter_and_replies(self) -> None:
        head = "From x Mon Jan  1 00:00:00 2024\nFrom: A <a@b>\n"
        cover = f"{head}Subject: [PATCH v2 0/2] The thing\nMessage-ID: <0@b>\n\nblurb\n"
        reply = (
            f"{head}Subject: Re: [PATCH v2 1/2] change\nMessage-ID: <9@b>\n\n"
            "> diff --git a/x b/x\ndiff --git a/y b/y\n"
        )
        ran = self.revision(self.mbox(cover, two(), reply, one()), AGAINST="none")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertIn("Revision: The thing (2 patches)", ran.stdout)
        diff = two()[two().index("diff --git") :]
        reply = f"{head}Subject: Re: [PATCH] change\n\n{diff}"
        alone = revision_series.read(str(self.mbox(one(subject="[PATCH] change"), reply)))
        self.assertEqual(["change"], [member.title for member in alone.members])

    def test_a_range_of_commits(self) -> None:
        tree = self.unpack_kernel()
        env = {**self.env, "GIT_CONFIG_GLOBAL": "/dev/null"}
        who = ["-c", "user.name=Me", "-c", "user.email=me@x"]

        def git(*args: str) -> None:
            subprocess.run(["git", *who, *args], cwd=tree, env=env, check=True, capture_output=True)

        (tree / ".gitignore").write_text("")
        git("init", "-q")
        git("add", ".")
        git("commit", "-qm", "base")
        git("tag", "start")
        for name in ("one", "fails_short_altmap"):
            changed = tree / "mm/sparse-vmemmap.c"
            changed.write_text(changed.read_text() + f"int {name};\n")
            git("commit", "-qam", f"add {name}")
        before = fake.listing(tree)
        faults = self.faults(self.revision("start..HEAD", KSRC=str(tree)))
        self.assertEqual({2}, {f["patch"] for f in faults})
        self.assertEqual(before, fake.listing(tree))
        self.assertEqual("add one", self.document()["states"][1]["title"])
        ran = self.revision("start..nowhere", KSRC=str(tree))
        self.assert_error(ran, 2, "merge-base", "nowhere")
        # A series on the tree as it stands, where a case fails already.
        series = self.series(patch("mm/memory.c", "memory", 20, "int x;", "speed"))
        ran = self.revision(series, KSRC=str(tree))
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)


class Reading(unittest.TestCase):
    """What SERIES can be, read in the process."""

    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.top)

    def mbox(self, *messages: str) -> str:
        path = self.top / "v2.mbx"
        path.write_text("".join(messages))
        return str(path)

    def read(self, given: str) -> revision_series.Series:
        self.said = io.StringIO()
        with contextlib.redirect_stderr(self.said):
            return revision_series.read(given)

    def refused(self, given: str, *words: str) -> None:
        with self.assertRaises(KunitError) as caught:
            self.read(given)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_the_newest_version_counts(self) -> None:
        v1 = one("int old;", "[PATCH 1/2] change vmemmap")
        found = self.read(self.mbox(v1, one(), two()))
        self.assertEqual([b"int one;" in m.patch.data for m in found.members], [True, False])
        self.assertIn("several versions; v2 is taken", self.said.getvalue())

    def test_a_quilt_directory_of_bare_diffs(self) -> None:
        for name, text in (("b.patch", one()), ("a.diff", two())):
            (self.top / name).write_text(text[text.index("diff --git") : text.index("--\n2.39")])
        (self.top / "series").write_text("# first\nb.patch -p1\na.diff\n")
        self.assertEqual(["b", "a"], [m.title for m in self.read(str(self.top)).members])

    def test_encoded_mails(self) -> None:
        head, body = one().split("\n\n", 1)
        coded = base64.encodebytes(body.replace("\n", "\r\n").encode()).decode()
        head += "\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64"
        found = self.read(self.mbox(f"{head}\n\n{coded}\n", two()))
        self.assertEqual(("mm/sparse-vmemmap.c",), found.members[0].files)

    def test_a_reply_in_no_known_encoding(self) -> None:
        reply = (
            "From x Mon Jan  1 00:00:00 2024\nFrom: A <a@b>\nSubject: Re: [PATCH v2 1/2] change\n"
            "Content-Type: text/plain; charset=x-unknown\n\n\xe4\n"
        )
        path = self.top / "v2.mbx"
        path.write_bytes((one() + reply + two()).encode("latin-1"))
        self.assertEqual(2, len(self.read(str(path)).members))

    def test_what_is_damaged(self) -> None:
        cut = one()[: one().index("+int one;")]
        self.refused(self.mbox(cut, two()), "0001-change-vmemmap.patch is damaged", "corrupt patch")
        cut = two()[: two().index("+int two;")]
        self.refused(self.mbox(one(), cut), "0002-change-mmu.patch is damaged", "corrupt patch")
        self.refused(self.mbox("\0\1\2 nonsense"), "holds no patch")
        self.refused(self.mbox(one()), "not complete: patch 2/2")
        bad = self.top / "bad.mbox.gz"
        bad.write_bytes(b"\x1f\x8b\x08 truncated")
        self.refused(str(bad), "bad.mbox.gz cannot be read")
        bare = two()[: two().index("diff --git")]
        self.refused(self.mbox(one(), bare), "has no diff")

    def test_what_is_empty(self) -> None:
        (self.top / "empty").mkdir()
        self.refused(str(self.top / "empty"), "holds no patches")
        self.refused(self.mbox(), "holds no patch")
        (self.top / "series").write_text("# nothing\n")
        self.refused(str(self.top), "holds no patch")
        (self.top / "series").write_text("gone.patch\n")
        self.refused(str(self.top), "gone.patch cannot be read")
        self.refused(str(self.top / "nowhere"), "no such file")

    def test_variables(self) -> None:
        series = self.mbox(one(), two())
        choices: Sequence[tuple[dict[str, str], str]] = (
            ({}, "SERIES is not set"),
            ({"SERIES": "start..HEAD"}, "KSRC=DIR"),
            ({"SERIES": series, "ONTO": "vanilla"}, "vanilla"),
            ({"SERIES": series, "CONFIGS": "5k"}, "5k"),
            ({"SERIES": series, "TIP_CONFIGS": "5k"}, "5k"),
        )
        for environ, words in choices:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertEqual(2, revision.main(environ), environ)
            self.assertIn(words, said.getvalue())

    def test_the_tip_runs_with_each_page_size(self) -> None:
        self.assertLessEqual({"4k", "16k", "64k"}, set(revision.TIP_CONFIGS))
        self.assertLessEqual(
            set(revision.TIP_CONFIGS), {"4k", "16k", "64k", *rows.default_configs()}
        )
        chosen = revision._configs({}, "TIP_CONFIGS", ("64k", *revision.TIP_CONFIGS))
        self.assertEqual(("64k", "4k", "16k"), chosen[:3])
        self.assertEqual(sorted(revision.TIP_CONFIGS), sorted(chosen))


class BadInputs(Revision):
    def test_a_patch_that_does_not_apply_in_the_middle(self) -> None:
        texts = [one(), two("int x;").replace("-int mmu_20;", "-int nonsense;"), two()]
        texts = [re.sub(r"\d/2\]", f"{n}/3]", t) for n, t in enumerate(texts, 1)]
        ran = self.revision(self.series(*texts), AGAINST="none")
        faults = self.faults(ran)
        self.assertEqual([(2, "apply")], [(f["patch"], f["kind"]) for f in faults])
        # What comes before it is judged all the same.
        states = self.document()["states"]
        self.assertEqual(["ok", "ok", "failed", "not tried"], [s["applies"] for s in states])
        self.assertIn("4k", states[1]["runs"])
        self.assertIn("The tip was not tried", ran.stdout)

    def test_hooks_in_the_way_are_not_the_series_fault(self) -> None:
        series = self.series(patch("mm/memory.c", "memory", 3, "int x;", "clash"))
        self.assert_error(self.revision(series), 2, "not beside our patches/hooks")

    def test_output_that_cannot_be_written(self) -> None:
        (self.build / "results").mkdir(parents=True)
        (self.build / "results/by-tree").write_text("in the way\n")
        self.assert_error(self.revision(), 2, "by-tree")
        self.assert_error(self.revision(BUILD=str(self.repo / "patches/tested-on/x")), 2)
        self.assertEqual([], self.calls())

    def test_changes_in_the_work_tree(self) -> None:
        self.revision(TIP_ONLY="1")
        (self.build / "linux-6.12/revision/mm/memory.c").write_text("mine\n")
        series = self.series(one("int one; int other;"), two())
        ran = self.revision(series, AGAINST="none", TIP_ONLY="1")
        self.assert_error(ran, 2, "changes of yours")
        self.assertEqual("mine\n", (self.build / "linux-6.12/revision/mm/memory.c").read_text())

    def test_interrupted_between_build_and_boot(self) -> None:
        """The kernel is up to date then, so nothing builds it again."""
        self.assertEqual(0, self.revision(AGAINST="none").status)
        for result in sorted((self.build / "results/by-tree").iterdir()):
            shutil.rmtree(result)
            ran = self.revision(AGAINST="none")
            self.assertEqual(0, ran.status, ran.stderr)

    def test_interrupted(self) -> None:
        """It carries on later, and what it was to replace is still there. It works alone."""
        self.revision(TIP_ONLY="1")
        self.calls()
        series = self.series(one(), two("int two; int hangs_build;"))
        child = self.start("revision", env={"SERIES": str(series), "AGAINST": "none"})
        pids = self.wait_for_hang(child)
        self.assert_error(self.revision(), 2, "another make revision")
        ran = self.interrupt(child)
        self.assertEqual(130, ran.status)
        self.assertIn("the next run continues from here", ran.stderr)
        self.assert_gone(pids)
        self.assertEqual([], list((self.build / "results").rglob("*.part")))
        self.assertEqual(("patches/series", "good"), self.last())
        # The base. The whole series is next, before its single patches.
        self.assertEqual(1, self.boots())
        self.assertEqual(["good", "stopped"], self.history())
        self.assertIn("stopped after 1 of 3", self.page(series))
        index = (self.build / "results/revisions/index.html").read_text()
        self.assertIn("So far: 2 patches, nothing against them</a> (stopped)", index)
        ran = self.revision(series, AGAINST="none", FAKE_HEALED="1")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertEqual(2, self.boots())
        self.assertEqual((str(series), "good"), self.last())
        self.assertEqual(["good", "good"], self.history())

    def history(self) -> list[str]:
        """The words of the revisions that are on record, by their time."""
        records = (self.build / "results/revisions").glob("*.json")
        found = [json.loads(record.read_text()) for record in records]
        return [word for _, word in sorted((entry["when"], entry["word"]) for entry in found)]

    def page(self, series: Path) -> str:
        """The page in the history about a series."""
        records = (self.build / "results/revisions").glob("*.json")
        found = [r for r in records if json.loads(r.read_text())["source"] == str(series)]
        return found[0].with_suffix(".html").read_text()

    def last(self) -> tuple[str, str]:
        """Which series the results are of, and the verdict."""
        document = self.document()
        return document["series"]["source"], document["verdict"]

    def test_killed_without_warning(self) -> None:
        series = self.series(one(), two("int two; int hangs_build;"))
        child = self.start("revision", env={"SERIES": str(series), "AGAINST": "none"})
        pids = self.wait_for_hang(child)
        child.kill()
        child.wait()
        for pid in pids:
            subprocess.run(["kill", "-9", str(pid)], check=False)
        self.calls()
        self.assertEqual(["running"], self.history())
        self.revision(TIP_ONLY="1")
        self.assertEqual(["stopped", "good"], self.history())
        self.calls()
        ran = self.revision(series, AGAINST="none", FAKE_HEALED="1")
        self.assertEqual(0, ran.status, ran.stdout + ran.stderr)
        self.assertEqual(2, self.boots())
        self.assertEqual(["good", "good"], self.history())


class Outputs(Revision):
    def test_the_map_of_the_memmap(self) -> None:
        self.let_it_draw()
        self.revision(FAKE_MAP=BLOCKS)
        out = self.build / "results/revision"
        page = (out / "report.html").read_text()
        self.assertEqual(1, page.count("<svg"))
        self.assertIn('<title id="picture-title">Where a device\'s struct pages lie', page)
        self.assertIn("4k, tip", page)
        ran = self.revision(CONFIGS="64k", FAKE_MAP="origin-map: begin nonsense")
        self.assertEqual(0, ran.status, ran.stdout)
        self.assertIn("no map of the memmap", ran.stderr)
        self.assertNotIn("<svg", (out / "report.html").read_text())


if __name__ == "__main__":
    unittest.main()
