# SPDX-License-Identifier: GPL-2.0
""".ci/poll, with a fake patchwork server and a fake altmap."""

import http.server
import json
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from harness.request.settings import REPO

_ALTMAP = """\
#!/bin/sh
echo "$2" >>"$0.asked"
[ "$2" != broken@b ] || exit 2
mkdir -p "${0%/tools/*}/build/results/revision"
echo page >"${0%/tools/*}/build/results/revision/report.html"
echo "Verdict on $2"
[ "$2" != bad@b ]
"""


class Poll(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="kunit-test-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.altmap = self.top / "clone/tools/testing/kunit/altmap"
        self.altmap.parent.mkdir(parents=True)
        self.altmap.write_text(_ALTMAP)
        self.altmap.chmod(0o755)
        (self.top / "clone/.ci").mkdir()
        shutil.copy(REPO / ".ci/poll", self.top / "clone/.ci/poll")
        self.listed: list[dict[str, object]] = []
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(test.listed).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def series(self, number: int, message: str, whole: bool = True, cover: bool = True) -> None:
        first = {"msgid": f"<{message}>"}
        self.listed.append(
            {
                "id": number,
                "received_all": whole,
                "cover_letter": first if cover else None,
                "patches": [{"msgid": "<patch@b>"} if cover else first],
            }
        )

    def poll(self, status: int = 0) -> str:
        url = f"http://127.0.0.1:{self.server.server_address[1]}/api/series/?q=vmemmap"
        argv = [str(self.top / "clone/.ci/poll"), url, str(self.top / "out")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stdout

    def asked(self) -> list[str]:
        """The series that were judged since the last call."""
        path = Path(f"{self.altmap}.asked")
        found = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def test_each_series_is_judged_once(self) -> None:
        self.series(9, "bad@b")
        self.series(7, "good@b", cover=False)
        self.series(8, "part@b", whole=False)
        said = self.poll()
        self.assertEqual(["good@b", "bad@b"], self.asked())
        self.assertIn("https://lore.kernel.org/r/good@b\nVerdict on good@b\n", said)
        self.assertEqual("1\n", (self.top / "out/9/verdict").read_text())
        self.assertEqual("page\n", (self.top / "out/9/report.html").read_text())
        self.assertEqual("", self.poll())
        self.assertEqual([], self.asked())
        self.listed[-1]["received_all"] = True
        self.poll()
        self.assertEqual(["part@b"], self.asked())

    def test_a_series_without_a_verdict_is_tried_again(self) -> None:
        """The message is printed only once, because cron mails all output."""
        self.series(1, "broken@b")
        self.series(2, "good@b")
        said = self.poll()
        self.assertIn("broken@b: no verdict yet", said)
        self.assertIn("Verdict on good@b", said)
        self.assertEqual("", self.poll())
        self.assertEqual(["broken@b", "good@b", "broken@b"], self.asked())

    def test_a_server_that_cannot_be_reached(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.assertEqual("", self.poll(status=7))


if __name__ == "__main__":
    unittest.main()
