# SPDX-License-Identifier: GPL-2.0
"""The newest kernel source of a Debian suite: BASE=sid, BASE=trixie-backports.

It is fetched by the machine's own apt-get, with lists, cache and status of our
own below BUILD/suites, so that the system neither knows nor changes. Mirror, key
and proxy are those that the system's apt has for the Debian that it is.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ContextManager

from harness.base import lock, process
from harness.base.builddir import mark
from harness.base.console import Stopwatch, say, tail
from harness.base.errors import KunitError, MissingToolError, SourceError
from harness.request.settings import Settings, Wish, check_flavour, default_flavour

# In seconds: how long an answer to "which is the newest?" is believed.
FRESH = 24 * 3600

# What apt-get prints about a repository: its URL, the parts that are used, the sources entry.
_TARGET = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SOURCESENTRY)"
_SIGNED_BY = re.compile(r"signed-by\s*[=:]\s*(/[^\s\]]+)", re.IGNORECASE)
_PACKAGE = re.compile(r"linux-source-(\d+)\.(\d+)")
_ANSWER = "newest"


@dataclass(frozen=True)
class Package:
    """A linux-source package: the kernel's version, as in 7.2, and Debian's of it."""

    base: str
    version: str

    @property
    def name(self) -> str:
        """What apt-get calls it."""
        return f"linux-source-{self.base}"


def resolve(wish: Wish) -> Settings:
    """What is wished for, with the kernel that BASE stands for. This begins the work:
    for a suite, it makes BUILD and may ask the network.

    Raises UsageError if that kernel has no such flavour, MissingToolError, SourceError.
    """
    base, archives = wish.base, wish.sources
    if wish.suite:
        found = newest(wish.suite, wish.build)
        base, archives = found.base, sources(wish.suite, wish.build, found)
    flavour = wish.flavour or default_flavour(wish.ksrc, base)
    return Settings(
        check_flavour(flavour, base),
        wish.config,
        base,
        wish.build,
        archives,
        wish.ksrc,
        wish.jobs,
        wish.suite,
    )


def newest(suite: str, build: Path) -> Package:
    """The newest kernel source that a suite has; the network is asked once a day.

    Raises MissingToolError, SourceError.
    """
    directory = _directory(suite, build)
    with _locked(directory, suite):
        known = _read_answer(directory / _ANSWER)
        if known and time.time() - (directory / _ANSWER).stat().st_mtime < FRESH:
            return known
        say(f"asking for the newest kernel source of {suite} ...")
        try:
            found = _ask(Apt(directory, suite), suite)
        except (SourceError, MissingToolError) as error:
            if not known:
                raise
            say(f"note: {error.cause}; {known.name} {known.version} is the last one known")
            return known
        (directory / _ANSWER).write_text(f"{found.base} {found.version}\n", encoding="ascii")
        say(f"{suite} has {found.name} {found.version}")
        return found


def sources(suite: str, build: Path, package: Package) -> Path:
    """The directory where a suite's package has its archive, once fetched."""
    return _directory(suite, build) / package.version.replace("/", "_")


def fetch(suite: str, build: Path, archive: Path) -> None:
    """See to it that the archive of a suite's package is there.

    Raises MissingToolError, SourceError, DiskSpaceError.
    """
    if archive.exists():
        return
    name = archive.name[: -len(".tar.xz")]
    directory = _directory(suite, build)
    part_of = tempfile.TemporaryDirectory(prefix="part-", dir=directory)
    with _locked(directory, suite), part_of as part:
        say(f"fetching {name} of {suite}, once (about 160 MB) ...")
        watch = Stopwatch()
        Apt(directory, suite).run("apt-get", "download", name, cwd=part)
        packages = list(Path(part).glob("*.deb"))
        process.run(["dpkg-deb", "--extract", str(packages[0]), part])
        archive.parent.mkdir(exist_ok=True)
        (Path(part) / "usr/src" / archive.name).replace(archive)
        say(f"fetched it in {watch.seconds:.0f} s")
    for old in directory.glob("*/linux-source-*.tar.xz"):
        if old != archive:
            shutil.rmtree(old.parent)


def _directory(suite: str, build: Path) -> Path:
    mark(build)
    directory = build / "suites" / suite
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _locked(directory: Path, suite: str) -> ContextManager[None]:
    return lock.waiting(directory / "lock", f"asks for the kernel source of {suite}")


def _read_answer(path: Path) -> Package | None:
    try:
        words = path.read_text(encoding="ascii").split()
    except OSError:
        return None
    return Package(*words) if len(words) == 2 else None


def _ask(apt: "Apt", suite: str) -> Package:
    apt.run("apt-get", "update")
    names = apt.run("apt-cache", "pkgnames", "linux-source-").split()
    versions = [tuple(map(int, m.groups())) for m in map(_PACKAGE.fullmatch, names) if m]
    if not versions:
        raise SourceError(
            f"BASE={suite}: that suite has no linux-source package",
            "name another suite, as in BASE=sid, or a kernel tree with KSRC=DIR",
        )
    base = "{}.{}".format(*max(versions))
    shown = apt.run("apt-cache", "show", "--no-all-versions", f"linux-source-{base}")
    match = re.search(r"^Version: (\S+)$", shown, re.MULTILINE)
    if not match:
        raise SourceError(
            f"BASE={suite}: apt-cache has no version of linux-source-{base}",
            "see what it says",
            shown,
        )
    return Package(base, match.group(1))


class Apt:
    """The machine's apt-get with a state of its own, which knows one suite only."""

    def __init__(self, directory: Path, suite: str) -> None:
        if shutil.which("apt-get") is None:
            raise MissingToolError(
                f"BASE={suite} is a suite of Debian, and there is no apt-get here",
                "let KSRC=DIR name a kernel tree",
            )
        self._suite = suite
        state = directory / "apt"
        for name in ("lists/partial", "cache/archives/partial"):
            (state / name).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        self._sources = state / "sources.list"
        options = {
            "Dir::State": state,
            "Dir::State::Lists": state / "lists",
            "Dir::State::status": state / "status",
            "Dir::Cache": state / "cache",
            "Dir::Etc::SourceList": self._sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "APT::Update::Error-Mode": "any",
            # What is fetched goes where root alone may write, perhaps.
            "APT::Sandbox::User": "root",
        }
        self._options = [f"-o{name}={value}" for name, value in options.items()]

    def run(self, program: str, *args: str, cwd: str = "/") -> str:
        """Call a program of apt's; return what it says. Raises SourceError."""
        if not self._sources.exists():
            self._sources.write_text(repository(self._suite) + "\n", encoding="utf-8")
        argv = [program, "-q", *self._options, *args]
        try:
            return process.run(argv, cwd=cwd, env=_plain()).stdout
        except process.CommandFailed as error:
            # The next try reads the system's configuration anew.
            self._sources.unlink(missing_ok=True)
            raise SourceError(
                f"BASE={self._suite}: {program} {args[0]} failed",
                "see that Debian has that suite, and that apt-get update works here",
                tail(error.output, 6),
            ) from error


def repository(suite: str = "") -> str:
    """A line of sources.list: from where the system has its packages, its own suite or that one.

    Raises KunitError.
    """
    argv = ["apt-get", "indextargets", "--format", _TARGET, "Created-By: Packages"]
    found = [line.split(None, 3) for line in process.run(argv, env=_plain()).stdout.splitlines()]
    ours = [words for words in found if len(words) == 4 and words[2] == "main"]
    uri, release, _, entry = _of_this_system(ours)
    key = _key(Path(entry.rpartition(":")[0]))
    options = f"[signed-by={key}] " if key else ""
    return f"deb {options}{uri} {suite or release} main"


def _of_this_system(found: Sequence[list[str]]) -> list[str]:
    """The repository that the system itself comes from."""
    release = re.search(
        r"^VERSION_CODENAME=\"?([\w-]+)", _read(Path("/etc/os-release")), re.MULTILINE
    )
    for words in found:
        if release and words[1] == release.group(1):
            return words
    for words in found:
        if words[1] in ("sid", "unstable", "testing", "stable"):
            return words
    raise KunitError(
        "apt's configuration has no repository of this Debian",
        "see apt-get indextargets; or let KSRC=DIR name a kernel tree",
    )


def _key(sources_entry: Path) -> str:
    """The keyring that a file of apt's sources names; "" for apt's own choice."""
    named = _SIGNED_BY.search(_read(sources_entry))
    return named.group(1) if named and os.path.exists(named.group(1)) else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _plain() -> dict[str, str]:
    return process.clean_env((), LC_ALL="C")
