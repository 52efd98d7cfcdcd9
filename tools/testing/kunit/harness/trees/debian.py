# SPDX-License-Identifier: GPL-2.0
"""The newest kernel source in a Debian suite, for BASE=sid or BASE=trixie-backports.

apt-get downloads it. It uses the mirror, key and proxy of the system's apt, but lists, cache
and status below BUILD/suites, so the system does not change.
"""

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ContextManager

from harness.base import lock, process
from harness.base.builddir import mark
from harness.base.console import Stopwatch, say, tail
from harness.base.errors import KunitError, MissingToolError, SourceError
from harness.request.settings import Request, Settings, check_flavour, default_flavour
from harness.trees.source import package_of

# In seconds: how long to trust the answer to "which is the newest?".
FRESH = 24 * 3600

# The format of apt-get indextargets: URL, release, component, place of the sources entry.
_TARGET = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SOURCESENTRY)"
_SIGNED_BY = re.compile(r"signed-by\s*[=:]\s*(/[^\s\]]+)", re.IGNORECASE)
_PACKAGE = re.compile(r"linux-source-(\d+)\.(\d+)")
_ANSWER = "newest"


@dataclass(frozen=True)
class Package:
    """A linux-source package: the kernel version, as in 7.2, and the package version."""

    base: str
    version: str

    @property
    def name(self) -> str:
        """The name of the package."""
        return f"linux-source-{self.base}"


def resolve(request: Request) -> Settings:
    """Turn a Request into Settings. For a Debian suite this creates BUILD and may use the network.

    Raises UsageError if the kernel has no such flavour, MissingToolError or SourceError.
    """
    base, archives = request.base, request.sources
    if request.debian_suite:
        found = newest(request.debian_suite, request.build)
        base, archives = found.base, sources(request.debian_suite, request.build, found)
    flavour = request.flavour or default_flavour(request.ksrc, base)
    flavour = check_flavour(flavour, base)
    return Settings(**vars(replace(request, flavour=flavour, base=base, sources=archives)))


def newest(suite: str, build: Path) -> Package:
    """The newest kernel source in a suite. Asks the network once a day.

    Raises MissingToolError, SourceError.
    """
    directory = _directory(suite, build)
    with _locked(directory, suite):
        known = _read_answer(directory / _ANSWER)
        if known and time.time() - (directory / _ANSWER).stat().st_mtime < FRESH:
            return known
        say(f"looking for the newest kernel source in {suite} ...")
        try:
            found = _ask(Apt(directory, suite), suite)
        except (SourceError, MissingToolError) as error:
            if not known:
                raise
            say(f"note: {error.cause}; using {known.name} {known.version}, the last one known")
            return known
        (directory / _ANSWER).write_text(f"{found.base} {found.version}\n", encoding="ascii")
        say(f"{suite} has {found.name} {found.version}")
        return found


def sources(suite: str, build: Path, package: Package) -> Path:
    """The directory for the archive of a suite's package."""
    return _directory(suite, build) / package.version.replace("/", "_")


def fetch(suite: str, build: Path, archive: Path) -> None:
    """Download the archive of a suite's package, unless it exists.

    Raises MissingToolError, SourceError, DiskSpaceError.
    """
    if archive.exists():
        return
    name = package_of(archive)
    directory = _directory(suite, build)
    part_of = tempfile.TemporaryDirectory(prefix="part-", dir=directory)
    with _locked(directory, suite), part_of as part:
        say(f"downloading {name} from {suite}, once (about 160 MB) ...")
        watch = Stopwatch()
        Apt(directory, suite).run("apt-get", "download", name, cwd=part)
        packages = list(Path(part).glob("*.deb"))
        process.run(["dpkg-deb", "--extract", str(packages[0]), part])
        archive.parent.mkdir(exist_ok=True)
        (Path(part) / "usr/src" / archive.name).replace(archive)
        say(f"downloaded it in {watch.seconds:.0f} s")
    for old in directory.glob("*/linux-source-*.tar.xz"):
        if old != archive:
            shutil.rmtree(old.parent)


def _directory(suite: str, build: Path) -> Path:
    mark(build)
    directory = build / "suites" / suite
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _locked(directory: Path, suite: str) -> ContextManager[None]:
    return lock.waiting(directory / "lock", f"downloads the kernel source of {suite}")


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
            "name another suite, as in BASE=sid, or set KSRC=DIR to a kernel tree",
        )
    base = "{}.{}".format(*max(versions))
    shown = apt.run("apt-cache", "show", "--no-all-versions", f"linux-source-{base}")
    match = re.search(r"^Version: (\S+)$", shown, re.MULTILINE)
    if not match:
        raise SourceError(
            f"BASE={suite}: apt-cache has no version of linux-source-{base}",
            f"set KSRC=DIR to a kernel tree, or try again after rm -r {apt.state}",
            shown,
        )
    return Package(base, match.group(1))


class Apt:
    """apt-get with its own state, limited to one suite."""

    def __init__(self, directory: Path, suite: str) -> None:
        if shutil.which("apt-get") is None:
            raise MissingToolError(
                f"BASE={suite} is a Debian suite, and this system has no apt-get",
                "set KSRC=DIR to a kernel tree",
            )
        self._suite = suite
        self.state = state = directory / "apt"
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
            # apt's own user may have no right to write to the directory.
            "APT::Sandbox::User": "root",
        }
        self._options = [f"-o{name}={value}" for name, value in options.items()]

    def run(self, program: str, *args: str, cwd: str = "/") -> str:
        """Run one of apt's programs and return its output. Raises SourceError."""
        if not self._sources.exists():
            self._sources.write_text(repository(self._suite) + "\n", encoding="utf-8")
        argv = [program, "-q", *self._options, *args]
        try:
            return process.run(argv, cwd=cwd, env=_plain()).stdout
        except process.CommandFailed as error:
            # Make the next try read the system's configuration again.
            self._sources.unlink(missing_ok=True)
            raise SourceError(
                f"BASE={self._suite}: {program} {args[0]} failed",
                "check that Debian has that suite, and that apt-get update works",
                tail(error.output, 6),
            ) from error


def repository(suite: str = "") -> str:
    """A line for sources.list: the system's own mirror, with a given suite or the system's own.

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
    """The repository of the system's own release."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    for names in ((codename,), ("sid", "unstable", "testing", "stable")):
        for words in found:
            if words[1] in names:
                return words
    raise KunitError(
        "apt's configuration has no repository for this Debian release",
        "see apt-get indextargets, or set KSRC=DIR to a kernel tree",
    )


def _key(sources_entry: Path) -> str:
    """The keyring in a file of apt's sources, or "" for apt's default."""
    try:
        named = _SIGNED_BY.search(sources_entry.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return named.group(1) if named and os.path.exists(named.group(1)) else ""


def _plain() -> dict[str, str]:
    return process.clean_env((), LC_ALL="C")
