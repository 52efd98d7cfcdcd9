# SPDX-License-Identifier: GPL-2.0
"""Import the kernel in Debian's linux-source package into git."""

import contextlib
import hashlib
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.base import archive, process
from harness.base.console import Stopwatch, say
from harness.base.errors import SourceError
from harness.trees import source
from harness.trees.git import Git
from harness.trees.source import Base

# A commit that is not known to be whole yet.
_NEW = "refs/kunit/importing"


def import_package(git: Git, tarball: Path) -> Base:
    """Return a commit with the files of the archive. Import them if it is new.

    The files go straight into one pack. None is written to a work tree. Raises SourceError,
    DiskSpaceError.
    """
    ref = source.BASE_REFS + _package_id(tarball)
    commit = git.lookup(ref).get(ref)
    if commit is None:
        ratio = source.REPOSITORY_RATIO + source.TREE_RATIO
        source.require_space(git.git_dir, ratio * tarball.stat().st_size)
        _remove_leftovers(git)
        say(f"importing {tarball} into git, once (about half a minute) ...")
        watch = Stopwatch()
        _fast_import(git, tarball)
        commit = git.lookup(_NEW)[_NEW]
        git.set_refs({ref: commit, _NEW: ""})
        say(f"imported Linux {source.version(git, commit)} in {watch.seconds:.0f} s")
    return Base(commit, is_users=False)


def extract(tarball: Path, directory: str, to: Path) -> None:
    """Extract one directory of the archive. Raises SourceError."""
    try:
        process.run(
            ["tar", "--extract", "--file", str(tarball), "--directory", str(to)]
            + ["--strip-components=1", "--wildcards", f"*/{directory}/*"]
        )
    except process.CommandFailed as error:
        raise SourceError(
            f"{tarball} cannot be extracted", "reinstall its package", error.output
        ) from error


def _package_id(tarball: Path) -> str:
    try:
        identity = f"{tarball.name} {archive.stamp(tarball)}"
    except OSError as error:
        raise SourceError(
            f"the kernel source {tarball} does not exist",
            "install the Debian package of that name, or set KSRC=DIR to a kernel tree",
        ) from error

    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _remove_leftovers(git: Git) -> None:
    """Remove the files of an import that was killed."""
    for pattern in ("objects/pack/tmp_*", "fast_import_crash_*"):
        for path in git.git_dir.glob(pattern):
            path.unlink()


def _fast_import(git: Git, tarball: Path) -> None:
    """Feed an archive to git fast-import, which makes the commit _NEW."""
    xz = ["xz", "--decompress", "--stdout", str(tarball)]
    importer = ["git", "-c", "core.compression=1", "fast-import"]
    importer += ["--quiet", "--force", "--depth=0", "--done"]
    with process.started(xz, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as unpack:
        with process.started(
            importer,
            env=git.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as load:
            assert unpack.stdout and unpack.stderr and load.stdin and load.stderr
            damage = ""
            try:
                with contextlib.suppress(BrokenPipeError):
                    _write_stream(load.stdin, unpack.stdout)
                    load.stdin.close()
            except (tarfile.TarError, EOFError) as error:
                damage = str(error)
                process.end(load, signal.SIGTERM)
            words = load.stderr.read().decode(errors="replace")
            if not damage and process.wait(load) != 0:
                raise process.failure(importer, load.returncode, words)
        complaint = unpack.stderr.read().decode(errors="replace").strip()
        if damage or process.wait(unpack) != 0:
            raise SourceError(
                f"{tarball} is damaged",
                f"reinstall it: apt-get install --reinstall {source.package_of(tarball)}",
                complaint or damage,
            )


def _write_stream(sink: IO[bytes], archive: IO[bytes]) -> None:
    """Translate a tar stream into a fast-import stream of one commit."""
    who = "{GIT_COMMITTER_NAME} <{GIT_COMMITTER_EMAIL}> {GIT_COMMITTER_DATE}".format(
        **source.IDENTITY
    )
    message = b"Linux, as Debian's source package has it\n"
    sink.write(f"commit {_NEW}\ncommitter {who}\ndata {len(message)}\n".encode() + message)
    count = 0
    for path, mode, data in _tar_members(archive):
        sink.write(b"M %s inline %s\ndata %d\n" % (mode, path.encode(), len(data)))
        sink.write(data)
        sink.write(b"\n")
        count += 1
        if count % 20000 == 0:
            say(f"  {count} files ...")
    sink.write(b"done\n")
    if count == 0:
        raise tarfile.ReadError("it is empty")


def _tar_members(archive: IO[bytes]) -> Iterator[tuple[str, bytes, bytes]]:
    """The files of a tar stream: path below the top directory, git mode, content."""
    with tarfile.open(fileobj=archive, mode="r|", bufsize=1 << 20) as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if member.issym():
                yield path, b"120000", member.linkname.encode()
            elif member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                data = content.read()
                if path == ".gitignore":
                    data = without_debian_rules(data)
                yield path, b"100755" if member.mode & 0o100 else b"100644", data
            # tarfile keeps a list of all members otherwise.
            tar.members = []  # type: ignore[attr-defined]


def without_debian_rules(gitignore: bytes) -> bytes:
    """Remove the rules that hide every new file from git status.

    The .gitignore of Debian's package ignores everything except debian/.
    """
    lines = gitignore.splitlines(keepends=True)
    return b"".join(x for x in lines if x.strip() not in (source.DEBIAN_IGNORES_ALL, b"!/debian/"))
