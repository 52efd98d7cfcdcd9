# SPDX-License-Identifier: GPL-2.0
"""An interrupted run saves its results, and the next run continues from there."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base import archive, asjson
from harness.base.errors import WorkTreeError
from harness.bench import costs as bench_costs
from harness.bench import text as bench_text
from harness.kernel.finding import Finding, Kind, Place, Stage, Status
from harness.verdict import journal
from harness.verdict.journal import Journal
from harness.verdict.results import CaseResult, RunResult
from tests.unit.test_judge import CASES
from tests.world import test_bench
from tests.world.fake import DATA, World
from tests.world.test_e2e import GuestWorld


def run(name: str, *findings: Finding) -> RunResult:
    cases = [
        CaseResult(f"s.{n}", Status.FAILED, f, "s", (), (("kB", 3),))
        for n, f in enumerate(findings)
    ]
    return RunResult(name, (CaseResult("s.c", Status.PASSED), *cases), 1.5)


class Units(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.top)
        self.said = io.StringIO()

    @contextlib.contextmanager
    def opened(self, key: str = "same") -> Iterator[Journal]:
        with contextlib.redirect_stderr(self.said):
            with journal.opened(self.top / "check.partial", "make check", key) as found:
                yield found

    def ended(self, *names: str, key: str = "same") -> None:
        """Interrupt a run after these results."""
        with self.assertRaises(KeyboardInterrupt), self.opened(key) as kept:
            for name in names:
                kept.run(name, lambda name=name: run(name))  # type: ignore[misc]
            raise KeyboardInterrupt

    def never(self) -> RunResult:
        self.fail("it is there already")

    def test_the_next_run_continues(self) -> None:
        self.ended("one", "two")
        with self.opened() as kept:
            self.assertEqual(2, kept.count())
            found = kept.run("two", self.never)
            self.assertEqual((run("two").cases, 1), (found.cases, found.kept))
            self.assertEqual(0, kept.run("three", lambda: run("three")).kept)
        self.assertIn("results kept: 2\n", self.said.getvalue())

    def test_a_complete_run_leaves_nothing_to_continue(self) -> None:
        with self.opened() as kept:
            kept.run("one", lambda: run("one"))
        self.assertFalse((self.top / "check.partial").exists())
        with self.opened() as kept:
            self.assertEqual(0, kept.count())

    def test_a_run_with_another_key_starts_over(self) -> None:
        self.ended("one")
        with self.opened("other") as kept:
            self.assertIsNone(kept.known("one"))

    def test_findings_and_figures_survive(self) -> None:
        finding = Finding(Kind.SPLAT, "words", ("a", "b"), Place(suite="s", case="c"), "WARNING")
        with self.opened() as kept:
            kept.run("one", lambda: run("one", finding))
            found = kept.known("one")
            assert found
            self.assertEqual(run("one", finding).cases, found.cases)

    def test_findings_about_the_machine_are_not_stored(self) -> None:
        for kind in (Kind.PREPARATION, Kind.BUILD, Kind.FLAKY):
            finding = Finding(kind, "words", place=Place(Stage.BUILD))
            with self.opened() as kept:
                kept.run("one", lambda finding=finding: run("one", finding))  # type: ignore[misc]
                self.assertIsNone(kept.known("one"), kind)

    def test_damaged_result_files_are_ignored(self) -> None:
        self.ended("one", "two")
        units = sorted((self.top / "check.partial").glob("*.unit.json"))
        whole = units[0].read_text()
        for text in (
            "",
            whole[: len(whole) // 2],
            "[]",
            '{"name": "one"}',
            '{"name": 1, "unit": 2}',
            '{"name": "one", "unit": {}}',
        ):
            for path in units:
                path.write_text(text)
            (self.top / "check.partial/half.123.new").write_text("x")
            with contextlib.suppress(KeyboardInterrupt), self.opened() as kept:
                self.assertIsNone(kept.known("one"), text)
                self.assertIsNone(kept.known("two"), text)
                raise KeyboardInterrupt

    def test_a_damaged_key_is_ignored(self) -> None:
        for text in ("", "[]", '{"key"'):
            self.ended("one")
            (self.top / "check.partial/key.json").write_text(text)
            with self.opened() as kept:
                self.assertEqual(0, kept.count())

    def test_two_runs_at_once(self) -> None:
        with self.opened(), self.assertRaises(WorkTreeError), self.opened():
            pass

    def test_a_full_disk_leaves_the_older_file(self) -> None:
        path = self.top / "check.json"
        archive.write_whole(path, "old")
        with self.assertRaises(UnicodeEncodeError):
            archive.write_whole(path, "new \udc80")
        self.assertEqual("old", path.read_text())
        self.assertEqual([path], list(self.top.iterdir()))

    def test_a_directory_replaces_another(self) -> None:
        for text in ("one", "two"):
            (self.top / "part").mkdir()
            (self.top / "part/file").write_text(text)
            archive.replace_directory(self.top / "part", self.top / "whole")
            self.assertEqual(text, (self.top / "whole/file").read_text())
        self.assertEqual(["whole"], [path.name for path in self.top.iterdir()])

    def test_measurements_survive(self) -> None:
        costs = bench_costs.read(test_bench.log(test_bench.lines()))
        key = next(iter(costs.rows))
        found = bench_text.Measured("stock", "4k", run("stock 4k"), costs, {key: {"dsb": 3}})
        document = json.loads(json.dumps(asjson.encode(found)))
        self.assertEqual(found, asjson.decode(bench_text.Measured, document))


class Killed(World):
    """Programs that are killed at random moments and started again until they finish."""

    def setUp(self) -> None:
        super().setUp()
        self.write("tools/testing/kunit/data/expected/cases", "\n".join(sorted(CASES)))
        for name in ("baseline", "stock", "skips"):
            self.write(f"tools/testing/kunit/data/expected/{name}", "")
        self.results = self.build / "results"

    def kill_after(self, child: "subprocess.Popen[str]", lines: int) -> None:
        """Kill a program after it has printed this many lines of progress."""
        assert child.stderr
        for _ in range(lines):
            child.stderr.readline()
        self.assertIsNone(child.poll(), "it ended before it was killed")
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def kept(self, partial: str) -> int:
        return len(list((self.results / partial).glob("*.unit.json")))

    def kill_until_done(self, name: str, stem: str, runs: str, choice: dict[str, str]) -> None:
        """Run a program once, then kill it repeatedly. The results must be the same."""

        def document() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(path.read_text())[runs]
            return found

        def outcome() -> list[Any]:
            """The results without times and without the marks of an earlier run."""
            return [(r["name"], [(c["name"], c["status"]) for c in r["cases"]]) for r in document()]

        path = self.results / f"{stem}.json"
        choice = {**choice, "FAKE_CONSOLE": str(DATA / "failure.log")}
        whole = self.program(name, **choice)
        self.assertEqual(1, whole.status, whole.stdout + whole.stderr)
        expected, old = outcome(), path.read_bytes()
        chance = random.Random(7)
        before = 0
        for attempt in range(6):
            # A later run reports the saved results first, so it prints more lines.
            self.kill_after(self.start(name, env=choice), attempt + chance.randrange(1, 6))
            # The older result file stays complete, and no saved result is lost.
            self.assertEqual(old, path.read_bytes())
            self.assertGreaterEqual(self.kept(f"{stem}.partial"), before)
            before = self.kept(f"{stem}.partial")
        self.assertGreater(before, 1)
        last = self.program(name, **choice)
        self.assertEqual(1, last.status, last.stdout + last.stderr)
        self.assertIn(f"results kept: {before}\n", last.stderr)
        self.assertEqual(expected, outcome())
        self.assertEqual(before, sum(r["kept"] > 0 for r in document()))
        self.assertEqual([], list(self.results.glob("*.partial")))
        again = self.program(name, **choice)
        self.assertNotIn("continuing the interrupted run", again.stderr)
        self.assertEqual(0, sum(r["kept"] for r in document()))

    def test_make_check(self) -> None:
        self.kill_until_done("check", "check", "runs", {"FLAVOURS": "baseline fixed stock"})

    def test_make_matrix(self) -> None:
        choice = {"FLAVOURS": "fixed stock", "CONFIGS": "4k 64k"}
        self.kill_until_done("matrix", "matrix", "rows", choice)


class KilledInGuests(GuestWorld):
    def test_make_e2e(self) -> None:
        """Kill make e2e while the second kernel hangs. The next run does not boot the first one."""
        hang = (
            'sleep 1000 & echo $$ $! >"$FAKE_MARK.tmp"; /bin/mv "$FAKE_MARK.tmp" "$FAKE_MARK"; wait'
        )
        self.tool("hang", f'[ "$(/usr/bin/wc -l <"$FAKE_MARK.qemu")" -lt 3 ] || {{ {hang}; }}')
        choice = {"FLAVOURS": "series baseline", "CONFIGS": "4k", "FAKE_APT": ""}
        choice["TMPDIR"] = str(Path(self.mark).parent)  # what SIGKILL leaves is removed with it
        child = self.start("e2e", env={**choice, "FAKE_GUEST": "hang"})
        pids = self.wait_for_hang(child)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        boots = len(Path(f"{self.mark}.qemu").read_text().splitlines())
        ran = self.program("e2e", **choice, FAKE_GUEST="")
        self.assertEqual(1, ran.status, ran.stderr)
        self.assertIn("results kept: 1\n", ran.stderr)
        self.assertRegex(ran.stdout, r"two-devices spent-kB +112 +112")
        self.assertEqual(boots + 1, len(Path(f"{self.mark}.qemu").read_text().splitlines()))


if __name__ == "__main__":
    unittest.main()
