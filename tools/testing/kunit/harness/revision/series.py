# SPDX-License-Identifier: GPL-2.0
"""A series of patches as people have it: a directory, an mbox, a git range.

Whatever it was, each patch becomes a mail as git format-patch writes it.
"""

import email
import email.header
import email.message
import gzip
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.base.console import say
from harness.base.errors import KunitError
from harness.trees.git import environment
from harness.trees.stack import Patch

_SUFFIXES = (".patch", ".eml", ".mbox", ".mbx")
_POSTMARK = re.compile(rb"^From \S+ .*\d:\d\d.* \d{4}\s*$", re.MULTILINE)
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]")
_DIFF = re.compile(rb"^(?:diff --git |--- \S.*\r?\n\+\+\+ \S)", re.MULTILINE)
_REPLY = re.compile(r"\s*(?:re|aw|antw|fwd?|sv)\s*:", re.IGNORECASE)
_TAG = re.compile(r"\s*\[([^\]]*)\]\s*")
_NUMBER = re.compile(r"(?<!\d)(\d+)\s*/\s*(\d+)(?!\d)")
_VERSION = re.compile(r"\bv(\d+)\b", re.IGNORECASE)
_RANGE = re.compile(r"(?!\.)(\S*[^\s.])\.\.((?![./])\S*)?")

_FILL_IN = b"From: nobody <nobody@localhost>\nDate: Thu, 1 Jan 2024 00:00:00 +0000\n"


class SeriesError(KunitError):
    """What SERIES or AGAINST names is no series of patches."""


@dataclass(frozen=True)
class Member:
    """A patch of a series: its title without prefixes, the files it touches."""

    number: int
    title: str
    patch: Patch
    files: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Patches in their order.

    source is what the user called it; title is that of the cover letter, or of
    the only patch. A range tells the commit that it starts from.
    """

    source: str
    title: str
    members: tuple[Member, ...]
    start: str = ""

    def patches(self, count: int) -> tuple[Patch, ...]:
        """The first patches, as many as asked for."""
        return tuple(member.patch for member in self.members[:count])


@dataclass(frozen=True)
class _Mail:
    """A message; number and total are 0 where its subject tells none."""

    name: str
    ident: str
    subject: str
    data: bytes
    has_diff: bool
    number: int
    total: int
    version: int

    @property
    def is_reply(self) -> bool:
        return _REPLY.match(self.subject) is not None

    @property
    def is_cover(self) -> bool:
        """Whether it is number 0 of a series."""
        return self.total > 0 and self.number == 0 and not self.is_reply

    @property
    def title(self) -> str:
        return re.sub(r"\s+", " ", _without_tags(self.subject)).strip()


def read(given: str, ksrc: Path | None = None) -> Series:
    """Read what the user named: a directory, a file, or a range of commits in ksrc.

    Raises SeriesError.
    """
    path = Path(given)
    if path.is_dir():
        name = path.resolve()
        if (path / "series").exists():
            return _made(given, _read_quilt(path), _cover(path) or name.name)
        mails = [m for f in _files(path) for m in _split(f.name, _read_file(f))]
        return _chosen(given, mails, name.name)
    if path.exists():
        return _chosen(given, _split(path.stem, _read_file(path)), path.name)
    named = _RANGE.fullmatch(given)
    if named and "/../" not in given:
        if not ksrc:
            raise SeriesError(
                f"{given} is a range of commits, and nothing says in which repository",
                "let KSRC=DIR name it",
            )
        return _read_range(given, named.group(1), named.group(2) or "HEAD", ksrc)
    raise SeriesError(
        f"{given}: there is no such file or directory",
        "name a directory of patches, an mbox, or FROM..TO with KSRC=DIR",
    )


# --- Directories and files ------------------------------------------------


def _read_file(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise SeriesError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            "see to the file, or fetch it again",
        ) from error


def _files(directory: Path) -> list[Path]:
    """The files of git format-patch in a directory, in their order."""
    found = [p for p in sorted(directory.iterdir()) if p.suffix in _SUFFIXES and p.is_file()]
    if not found:
        raise SeriesError(
            f"{directory} holds no patches",
            f"it needs a quilt file 'series', or files named *{', *'.join(_SUFFIXES)}",
        )
    return found


def _read_quilt(directory: Path) -> list[_Mail]:
    """The patches that a quilt series file lists, in that order."""
    mails: list[_Mail] = []
    text = _read_file(directory / "series").decode(errors="replace")
    for line in text.splitlines():
        name, *words = line.split("#")[0].split() or [""]
        if not name:
            continue
        if words not in ([], ["-p1"]):
            raise SeriesError(
                f"{directory / 'series'}: '{line.strip()}' asks for more than -p1",
                "refresh the patch with quilt refresh -p1",
            )
        data = _read_file(directory / name)
        # One file, one patch, whatever lines begin with From in it.
        mail = _parse(Path(name).stem, _POSTMARK.sub(b"", data, count=1).lstrip(b"\r\n"))
        if not mail.has_diff:
            raise _damaged(f"{directory / name}", "there is no diff in it")
        mails.append(mail)
    return mails


def _cover(directory: Path) -> str:
    """The title in a quilt directory's cover letter, if there is one."""
    path = directory / "cover-letter"
    return _parse("cover", _read_file(path)).title if path.is_file() else ""


# --- Mails ----------------------------------------------------------------


def _split(name: str, data: bytes) -> list[_Mail]:
    """The messages of an mbox, or of a file that is one message."""
    marks = list(_POSTMARK.finditer(data))
    if not data.startswith(b"From ") or not marks:
        return [_parse(name, data)]
    ends = [mark.start() for mark in marks[1:]] + [len(data)]
    return [_parse(name, data[m.end() : e].lstrip(b"\r\n")) for m, e in zip(marks, ends)]


def _parse(name: str, data: bytes) -> _Mail:
    """Make a plain mail of a message, whatever its encoding; or of a bare diff."""
    if _all_crlf(data):
        data = data.replace(b"\r\n", b"\n")
    message = email.message_from_bytes(data)
    plain = not _HEADER.match(data) or not message["Subject"] or not message["From"]
    if plain:
        subject = str(message["Subject"] or name)
        body = data
        head = _FILL_IN + f"Subject: {_one_line(subject)}\n".encode()
        ident = ""
    else:
        subject = _decoded(message["Subject"])
        body = _body(message)
        parts = [part for part in message.walk() if not part.is_multipart()]
        charset = parts[0].get_content_charset() if parts else ""
        kept = [(h, message[h]) for h in ("From", "Date", "Subject") if message[h]]
        lines = [f"{h}: {_one_line(str(value))}\n" for h, value in kept]
        lines.append(f"Content-Type: text/plain; charset={charset or 'utf-8'}\n")
        lines.append("Content-Transfer-Encoding: 8bit\n")
        if not message["Date"]:
            lines.append(_FILL_IN.decode().splitlines()[1] + "\n")
        head = "".join(lines).encode("utf-8", "replace")
        ident = str(message["Message-ID"] or "").strip()
    tag = " ".join(_tags(subject))
    number = _NUMBER.search(tag)
    version = _VERSION.search(tag)
    has_diff = _DIFF.search(body) is not None
    return _Mail(
        name=name,
        ident=ident,
        subject=subject,
        data=b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\n" + head + b"\n" + body,
        has_diff=has_diff,
        number=int(number.group(1)) if number else 0,
        total=int(number.group(2)) if number else 0,
        version=int(version.group(1)) if version else 1,
    )


def _body(message: email.message.Message) -> bytes:
    """The text of a mail and of its attachments, in its own encoding."""
    found: list[bytes] = []
    for part in message.walk():
        if part.get_content_maintype() == "text" and part.get_content_subtype() != "html":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                found.append(payload.replace(b"\r\n", b"\n") if _all_crlf(payload) else payload)
    return b"\n".join(found)


def _all_crlf(data: bytes) -> bool:
    return b"\r\n" in data and data.count(b"\r\n") == data.count(b"\n")


def _decoded(header: object) -> str:
    """A header as people read it."""
    try:
        return str(email.header.make_header(email.header.decode_header(str(header))))
    except (LookupError, ValueError):
        return str(header)


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _tags(subject: str) -> list[str]:
    """What stands in brackets before a subject."""
    tags: list[str] = []
    rest = subject
    match = _TAG.match(rest)
    while match:
        tags.append(match.group(1))
        rest = rest[match.end() :]
        match = _TAG.match(rest)
    return tags


def _without_tags(subject: str) -> str:
    match = _TAG.match(subject)
    while match:
        subject = subject[match.end() :]
        match = _TAG.match(subject)
    return subject


# --- Which mails are the series -------------------------------------------


def _chosen(given: str, mails: Sequence[_Mail], name: str) -> Series:
    """The newest version among mails: cover letter, replies and duplicates go."""
    unique = list({m.ident or f"{n}": m for n, m in enumerate(mails)}.values())
    ours = [m for m in unique if not m.is_reply and (m.has_diff or m.total)]
    newest = max((m.version for m in ours), default=1)
    older = sum(m.version != newest for m in ours)
    if older:
        say(f"{given} holds several versions; v{newest} is taken")
    ours = [m for m in ours if m.version == newest]
    cover = next((m.title for m in ours if m.is_cover), "")
    numbered = [m for m in ours if m.total and not m.is_cover]
    if numbered:
        _require_all(given, numbered)
        loose = [m for m in ours if not m.total]
        for mail in loose:
            say(f"{given}: '{mail.title}' has no number, and is left out")
    for mail in numbered:
        if not mail.has_diff:
            raise _damaged(given, f"'{mail.subject}' has no diff")
    chosen = sorted(numbered, key=lambda m: m.number) or [m for m in ours if m.has_diff]
    return _made(given, chosen, cover or name)


def _require_all(given: str, numbered: Sequence[_Mail]) -> None:
    total = max(m.total for m in numbered)
    numbers = [m.number for m in numbered]
    missing = [n for n in range(1, total + 1) if n not in numbers]
    twice = sorted({n for n in numbers if numbers.count(n) > 1})
    if missing:
        raise SeriesError(
            f"{given} is not complete: patch {missing[0]}/{total} is not in it",
            "fetch the whole series, as b4 am does",
        )
    if twice:
        raise SeriesError(
            f"{given} has patch {twice[0]}/{total} twice, and they differ",
            "leave the one that is meant",
        )


def _made(given: str, mails: Sequence[_Mail], title: str, start: str = "") -> Series:
    if not mails:
        raise SeriesError(
            f"{given} holds no patch",
            "name a directory of patches, a quilt directory, or an mbox with patches in it",
        )
    members: list[Member] = []
    for number, mail in enumerate(mails, 1):
        slug = re.sub(r"[^A-Za-z0-9._]+", "-", mail.title).strip("-.")[:50]
        path = Path(given) / f"{number:04d}-{slug}.patch"
        patch = Patch(path, mail.data)
        members.append(Member(number, mail.title, patch, _touched(patch)))
    if len(members) == 1:
        title = members[0].title
    return Series(given, title, tuple(members), start)


def _touched(patch: Patch) -> tuple[str, ...]:
    """The files that a patch changes. Raises SeriesError on a damaged diff."""
    done = process.run(
        ["git", "apply", "--numstat", "-z", "-"],
        cwd="/",
        env=environment(),
        data=patch.data,
        expect=(0, 1, 128),
    )
    if done.status != 0:
        raise _damaged(str(patch.path), done.stderr)
    lines = [entry.split("\t", 2) for entry in done.stdout.split("\0") if entry]
    return tuple(sorted({words[2] for words in lines if len(words) == 3}))


def _damaged(what: str, detail: str) -> SeriesError:
    return SeriesError(
        f"{what} is damaged",
        "fetch or export it again; a mail program may have wrapped or cut it",
        detail,
    )


# --- Ranges ---------------------------------------------------------------


def _read_range(given: str, first: str, last: str, ksrc: Path) -> Series:
    """The commits from first to last in a repository of the user's."""
    start = _ask(ksrc, "merge-base", first, last)
    if _ask(ksrc, "rev-list", "--merges", "--max-count=1", f"{start}..{last}"):
        raise SeriesError(
            f"{given} has merges in it", "name a range without any, or rebase it first"
        )
    with tempfile.TemporaryDirectory(prefix="kunit-range-") as out:
        _ask(
            ksrc,
            "format-patch",
            "--quiet",
            "--no-numbered",
            "--no-signature",
            "--binary",
            "--no-ext-diff",
            "-o",
            out,
            f"{start}..{last}",
        )
        files = sorted(Path(out).iterdir())
        mails = [m for f in files for m in _split(f.name, f.read_bytes())]
    return _made(given, mails, given, start)


def _ask(ksrc: Path, *args: str) -> str:
    """Ask git about the user's repository; nothing is written there."""
    argv = ["git", *args]
    env = environment(GIT_OPTIONAL_LOCKS="0")
    done = process.run(argv, cwd=str(ksrc), env=env, expect=(0, 1, 128))
    if done.status != 0:
        raise SeriesError(
            f"KSRC={ksrc}: git {args[0]} {' '.join(args[1:3])} failed",
            "see that KSRC is a git repository and has both ends of the range",
            done.stderr,
        )
    return done.stdout.strip()


def titles(series: Series) -> dict[str, Member]:
    """The members by title."""
    return {member.title: member for member in series.members}
