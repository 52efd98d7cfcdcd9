# SPDX-License-Identifier: GPL-2.0
"""A fake mail archive. It answers the requests that b4 sends to public-inbox."""

import gzip
import http.server
import re
import threading
import urllib.parse
from collections.abc import Sequence


class MailArchive:
    """Serve mails on the loopback device until close() is called."""

    def __init__(self, mails: Sequence[str]) -> None:
        self.asked: list[str] = []
        self.mails = list(mails)
        archive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                archive.asked.append(self.path)
                found = archive.find(self.path)
                self.send_response(200 if found else 404)
                self.end_headers()
                if found:
                    self.wfile.write(gzip.compress("".join(found).encode()))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/all/"

    @property
    def config(self) -> str:
        """The lines of a .gitconfig that make b4 use this archive."""
        return f"[b4]\n\tmidmask = {self.url}%s\n\tsearchmask = {self.url}?x=m&t=1&q=%s\n"

    def find(self, path: str) -> list[str]:
        """The mails of the thread or search that a URL path requests."""
        parts = urllib.parse.urlsplit(path)
        subject = re.search(r's:"([^"]*)"', urllib.parse.parse_qs(parts.query).get("q", [""])[0])
        wanted = subject[1] if subject else f"<{urllib.parse.unquote(parts.path).split('/')[2]}>"
        found = [mail for mail in self.mails if wanted in mail.partition("\n\n")[0]]
        # Send the whole thread of each mail that matches.
        roots = {
            (_REPLY.search(mail) or _IDENT.search(mail) or [""])[0].split()[-1] for mail in found
        }
        return [mail for mail in self.mails if any(root in mail for root in roots)]

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()


_REPLY = re.compile(r"^In-Reply-To: <\S+>$", re.MULTILINE)
_IDENT = re.compile(r"^Message-ID: <\S+>$", re.MULTILINE)


def threaded(ident: str, root: str, mail: str) -> str:
    """A mail with this message-id, as a reply to root if that is not empty."""
    head = f"Message-ID: <{ident}>\n" + (f"In-Reply-To: <{root}>\n" if root else "")
    return mail.replace("\nSubject:", f"\n{head}Subject:", 1)
