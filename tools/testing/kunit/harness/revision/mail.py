# SPDX-License-Identifier: GPL-2.0
"""Split and parse mails with git."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.trees import diff
from harness.trees.git import environment

_REPLY = re.compile(r"\s*(?:re|aw|antw|fwd?|sv)\s*:", re.IGNORECASE)
_TAGS = re.compile(r"(?:\s*\[[^\]]*\])*\s*")
_NUMBER = re.compile(r"(?<!\d)(\d+)\s*/\s*(\d+)(?!\d)")
_VERSION = re.compile(r"\bv(\d+)\b", re.IGNORECASE)
_FIELD = re.compile(r"^(Author|Email|Subject|Date): (.+)$", re.MULTILINE)
_IDENT = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """A message: its Message-ID, subject, and the whole text in UTF-8."""

    ident: bytes
    subject: str
    data: bytes
    has_diff: bool

    @property
    def title(self) -> str:
        """The subject without its prefix in brackets."""
        return _TAGS.sub("", self.subject, count=1)

    @property
    def is_reply(self) -> bool:
        return _REPLY.match(self.subject) is not None

    @property
    def place(self) -> tuple[int, int]:
        """Its number and the total, as in 2/7, or zeros if the subject has none."""
        found = _NUMBER.search(self._tags)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def version(self) -> int:
        found = _VERSION.search(self._tags)
        return int(found[1]) if found else 1

    @property
    def is_cover(self) -> bool:
        """Whether it is patch 0 of a series."""
        number, total = self.place
        return total > 0 and number == 0

    @property
    def _tags(self) -> str:
        found = _TAGS.match(self.subject)
        return found[0] if found else ""


def split(name: str, data: bytes) -> list[Mail]:
    """Return the messages of an mbox, or of a file with one message."""
    with tempfile.TemporaryDirectory(prefix="kunit-mails-") as out:
        process.run(["git", "mailsplit", "-b", f"-o{out}"], env=environment(), data=data)
        return [parse(name, file.read_bytes()) for file in sorted(Path(out).iterdir())]


def parse(name: str, data: bytes) -> Mail:
    """Convert a message in any encoding, or a bare diff, to a plain mail."""
    with tempfile.TemporaryDirectory(prefix="kunit-mail-") as out:
        message, patch = Path(out) / "message", Path(out) / "patch"
        argv = ["git", "mailinfo", "-k", "--quoted-cr=strip", str(message), str(patch)]
        done = process.run(argv, cwd=out, env=environment(), data=data, expect=(0, 1, 128))
        if done.status != 0:
            # A reply can have any encoding, even one that does not exist.
            done = process.run([*argv, "-n"], cwd=out, env=environment(), data=data)
        body, change = message.read_bytes(), patch.read_bytes()
    found = dict(_FIELD.findall(done.stdout))
    subject = found.get("Subject", name)
    head = (
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n"
        f"From: {found.get('Author', 'nobody')} <{found.get('Email', 'nobody@localhost')}>\n"
        f"Date: {found.get('Date', 'Thu, 1 Jan 2024 00:00:00 +0000')}\n"
        f"Subject: {subject}\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    ident = _IDENT.search(data.partition(b"\n\n")[0])
    return Mail(
        ident[1] if ident else b"", subject, head.encode() + body + change, bool(diff.files(change))
    )
