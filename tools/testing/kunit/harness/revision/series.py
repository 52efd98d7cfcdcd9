# SPDX-License-Identifier: GPL-2.0
"""Read a series from a message-id, a directory, an mbox or a git range.

Git parses the mails. Each patch becomes a mail as git format-patch writes it.
"""

import gzip
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import process
from harness.base.console import say
from harness.base.errors import KunitError
from harness.revision import fetch
from harness.revision.mail import Mail, parse, split
from harness.trees.git import environment
from harness.trees.stack import Patch

_SUFFIXES = (".patch", ".eml", ".mbox", ".mbx")
_RANGE = re.compile(r"(?!\.)(\S*[^\s.])\.\.((?![./])\S*)?")


class SeriesError(KunitError):
    """SERIES or AGAINST does not name a patch series."""


@dataclass(frozen=True)
class Member:
    """A patch of a series: its title without prefixes, and the files that it touches."""

    number: int
    title: str
    patch: Patch
    files: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Patches in order.

    source: the name that the user gave. title: from the cover letter, or of the only patch.
    start: the first commit of a range. version: from the subjects of the mails, or 0.
    alone: each patch goes onto the base by itself.
    """

    source: str
    title: str
    members: tuple[Member, ...]
    start: str = ""
    version: int = 0
    alone: bool = False

    def patches(self, count: int) -> tuple[Patch, ...]:
        """Return the patches of a state: the first ones, or the last of these alone."""
        first = max(count - 1, 0) if self.alone else 0
        return tuple(member.patch for member in self.members[first:count])

    def before(self, number: int) -> int:
        """Return the state that a patch is compared with."""
        return 0 if self.alone else number - 1


def read(given: str, ksrc: Path | None = None) -> Series:
    """Read a message-id, a directory, a file, or a range of commits in ksrc.

    Raises SeriesError, FetchError.
    """
    path = Path(given)
    if fetch.ident(given) and not path.exists():
        mails = fetch.thread(given)
        return _chosen(given, mails, fetch.ident(given), _version_of(given, mails))
    if path.is_dir():
        name = path.resolve().name
        if (path / "series").exists():
            return _made(given, _read_quilt(path), _cover(path) or name)
        return _chosen(given, [m for file in _files(path) for m in _messages(file)], name)
    if path.exists():
        return _chosen(given, _messages(path), path.name)
    named = _RANGE.fullmatch(given)
    if named and "/../" not in given:
        if not ksrc:
            raise SeriesError(
                f"{given} is a range of commits, but KSRC is not set",
                "set KSRC=DIR to the repository that has these commits",
            )
        return _read_range(given, named[1], named[2] or "HEAD", ksrc)
    raise SeriesError(
        f"{given}: there is no such file or directory",
        "name a message-id, a directory of patches, an mbox, or FROM..TO with KSRC=DIR",
    )


def earlier(series: Series) -> Series | None:
    """Return the previous version from the thread, the mbox or the archive, or None.

    Raises SeriesError if that version is damaged.
    """
    wanted, given = series.version - 1, series.source
    if wanted < 1:
        return None
    path = Path(given)
    if path.exists():
        files = _files(path) if path.is_dir() else [path]
        mails = [mail for file in files for mail in _messages(file)]
    else:
        mails = [*fetch.thread(given)]
        if not _has(mails, wanted):
            mails = fetch.earlier(given, wanted)
    return _chosen(f"v{wanted} of {given}", mails, given, wanted) if _has(mails, wanted) else None


def _has(mails: Sequence[Mail], version: int) -> bool:
    return any(mail.version == version and mail.has_diff and not mail.is_reply for mail in mails)


def _version_of(given: str, mails: Sequence[Mail]) -> int:
    """The version of the message with that id, or 0 for a reply."""
    named = f"<{fetch.ident(given)}>".encode()
    found = next((m for m in mails if m.ident == named and not m.is_reply), None)
    return found.version if found else 0


# --- Directories and files ------------------------------------------------


def _read_file(path: Path) -> bytes:
    """The content of a file, decompressed and with Unix line ends."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise SeriesError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            "see to the file, or fetch it again",
        ) from error
    return data.replace(b"\r\n", b"\n")


def _messages(path: Path) -> list[Mail]:
    return split(path.stem, _read_file(path))


def _files(directory: Path) -> list[Path]:
    """The files from git format-patch in a directory, in order."""
    found = [p for p in sorted(directory.iterdir()) if p.suffix in _SUFFIXES and p.is_file()]
    if not found:
        raise SeriesError(
            f"{directory} holds no patches",
            f"it needs a quilt file 'series', or files named *{', *'.join(_SUFFIXES)}",
        )
    return found


def _read_quilt(directory: Path) -> list[Mail]:
    """The patches in a quilt series file, in order."""
    mails: list[Mail] = []
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
        # One file, one patch, whatever lines begin with From in it.
        mails.append(parse(Path(name).stem, _read_file(directory / name)))
        if not mails[-1].has_diff:
            raise _damaged(f"{directory / name}", "there is no diff in it")
    return mails


def _cover(directory: Path) -> str:
    """The title in a quilt directory's cover letter, if there is one."""
    path = directory / "cover-letter"
    return parse("cover", _read_file(path)).title if path.is_file() else ""


# --- Which mails are the series -------------------------------------------


def _chosen(given: str, mails: Sequence[Mail], name: str, version: int = 0) -> Series:
    """Choose the patches of one version, by default the newest, and drop replies."""
    unique = list({m.ident or n: m for n, m in enumerate(mails)}.values())
    ours = [m for m in unique if not m.is_reply and (m.has_diff or m.place[1])]
    newest = version or max([1, *(m.version for m in ours)])
    if not version and any(m.version != newest for m in ours):
        say(f"{given} holds several versions; v{newest} is taken")
    ours = [m for m in ours if m.version == newest]
    cover = next((m.title for m in ours if m.is_cover), "")
    numbered = sorted((m for m in ours if m.place[0]), key=lambda m: m.place)
    if not numbered:
        return _made(given, [m for m in ours if m.has_diff], cover or name, version=newest)
    _require_all(given, [m.place for m in numbered])
    for mail in ours:
        if not mail.place[1]:
            say(f"{given}: '{mail.title}' has no number, and is left out")
    for mail in numbered:
        if not mail.has_diff:
            raise _damaged(given, f"'{mail.subject}' has no diff")
    return _made(given, numbered, cover or name, version=newest)


def _require_all(given: str, places: Sequence[tuple[int, int]]) -> None:
    total = max(total for _, total in places)
    numbers = [number for number, _ in places]
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


def _made(
    given: str, mails: Sequence[Mail], title: str, start: str = "", version: int = 0
) -> Series:
    if not mails:
        raise SeriesError(
            f"{given} holds no patch",
            "name a directory of patches, a quilt directory, or an mbox with patches in it",
        )
    members: list[Member] = []
    for number, mail in enumerate(mails, 1):
        slug = re.sub(r"[^A-Za-z0-9._]+", "-", mail.title).strip("-.")[:50]
        patch = Patch(Path(given) / f"{number:04d}-{slug}.patch", mail.data)
        members.append(Member(number, mail.title, patch, patch.touched))
    patches = [member.patch for member in members]
    if not all(member.files for member in members) or _complaint(*patches):
        for patch in patches:
            if complaint := _complaint(patch):
                raise _damaged(str(patch.path), complaint)
    if len(members) == 1:
        title = members[0].title
    return Series(given, title, tuple(members), start, version)


def _complaint(*patches: Patch) -> str:
    """What git finds wrong with patches, or "". It does not look for one without a diff."""
    argv, data = ["git", "apply", "--numstat", "-"], b"".join(patch.data for patch in patches)
    done = process.run(argv, cwd="/", env=environment(), data=data, expect=(0, 1, 128))
    return done.stderr if done.status else ""


def _damaged(what: str, detail: str) -> SeriesError:
    return SeriesError(
        f"{what} is damaged",
        "fetch or export it again; a mail program may have wrapped or cut it",
        detail,
    )


# --- Ranges ---------------------------------------------------------------


def _read_range(given: str, first: str, last: str, ksrc: Path) -> Series:
    """The commits of a range in the user's repository."""
    start = _ask(ksrc, "merge-base", first, last)
    if _ask(ksrc, "rev-list", "--merges", "--max-count=1", f"{start}..{last}"):
        raise SeriesError(
            f"{given} has merges in it", "name a range without any, or rebase it first"
        )
    with tempfile.TemporaryDirectory(prefix="kunit-range-") as out:
        options = "--quiet --no-numbered --no-signature --binary --no-ext-diff".split()
        _ask(ksrc, "format-patch", *options, "-o", out, f"{start}..{last}")
        mails = [parse(file.stem, file.read_bytes()) for file in sorted(Path(out).iterdir())]
    return _made(given, mails, given, start)


def _ask(ksrc: Path, *args: str) -> str:
    """Query the user's repository without writing to it."""
    argv = ["git", *args]
    env = environment(GIT_OPTIONAL_LOCKS="0")
    done = process.run(argv, cwd=str(ksrc), env=env, expect=(0, 1, 128))
    if done.status != 0:
        raise SeriesError(
            f"KSRC={ksrc}: git {args[0]} {' '.join(args[1:3])} failed",
            "check that KSRC is a git repository and has both ends of the range",
            done.stderr,
        )
    return done.stdout.strip()


def titles(series: Series) -> dict[str, Member]:
    """Return the members by title."""
    return {member.title: member for member in series.members}
