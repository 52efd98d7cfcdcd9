# SPDX-License-Identifier: GPL-2.0
"""The commit that a tree starts from: a Debian package or a directory of the user's."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import process
from harness.base.console import say
from harness.base.errors import ROOM, DiskSpaceError, SourceError
from harness.request.settings import OLDEST
from harness.trees.git import Git, environment

BASE_REFS = "refs/kunit/base/"

# A fixed identity and date, so that equal content gives equal commits.
IDENTITY = {
    "GIT_AUTHOR_NAME": "KUnit tree",
    "GIT_AUTHOR_EMAIL": "kunit@localhost",
    "GIT_COMMITTER_NAME": "KUnit tree",
    "GIT_COMMITTER_EMAIL": "kunit@localhost",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}

# Disk space as a multiple of the archive's size, rounded up. Measured on linux-source-6.12:
# archive 145 MiB, repository 325 MiB, tree 1.7 GiB.
REPOSITORY_RATIO = 3
TREE_RATIO = 13

# The files that hooks and suites need, and the first version that has each.
NEEDED_FILES = {
    "Makefile": "every Linux",
    "Kbuild": "every Linux",
    "mm/sparse-vmemmap.c": "every Linux",
    "arch/arm64/mm/mmu.c": "every Linux",
    "tools/testing/kunit/kunit.py": "Linux 5.6",
    "tools/testing/kunit/qemu_config.py": "Linux 5.15",
    "include/kunit/attributes.h": "Linux 6.6",
}

# Files of the kernel, which Debian's .gitignore would hide.
NOT_IGNORED = (
    "/COPYING /CREDITS /Documentation /Kbuild /Kconfig /LICENSES /MAINTAINERS /Makefile /README"
    " /arch /block /certs /crypto /drivers /fs /include /init /io_uring /ipc /kernel /lib /mm /net"
    " /rust /samples /scripts /security /sound /tools /usr /virt"
    " .clang-format .clippy.toml .cocciconfig .editorconfig .get_maintainer.ignore .gitattributes"
    " .gitignore .kunitconfig .mailmap .rustfmt.toml"
).split()
# The rule in Debian's .gitignore that ignores everything.
DEBIAN_IGNORES_ALL = b"/*"


@dataclass(frozen=True)
class Base:
    """The commit that a stack of patches starts from."""

    commit: str
    # The tree is the user's and may already have hooks and suites.
    is_users: bool
    # A hash over its steps, or "" if only the commit identifies it.
    key: str = ""


def package_of(tarball: Path) -> str:
    """The name of the Debian package that an archive is from."""
    return tarball.name.removesuffix(".tar.xz")


def snapshot(git: Git, ksrc: Path) -> Base:
    """Return a commit of a kernel tree as it is now. Writes nothing to that tree.

    It has all files that git does not ignore, committed or not. A separate index makes the next
    snapshot quick. Raises SourceError.
    """
    check_ksrc(ksrc)
    say(f"taking a snapshot of {ksrc} ...")
    own = replace(git, work_tree=ksrc, index=git.git_dir / "ksrc.index", extra_env=IDENTITY)
    files = _files_of(own, ksrc)
    gone = set(own.names("ls-files")) - set(files)
    own.run("update-index", "--force-remove", "-z", "--stdin", data=_join(sorted(gone)))
    own.run("update-index", "--add", "--remove", "-z", "--stdin", data=_join(files))
    tree = own.out("write-tree")
    return Base(own.out("commit-tree", tree, "-m", f"{ksrc}, as it stands"), is_users=True)


def _files_of(own: Git, ksrc: Path) -> list[str]:
    """The source files of a tree, tracked or not."""
    listing = ["--exclude-standard", "--others"]
    if _ignores_all(ksrc):
        listing += [f"--exclude=!{name}" for name in NOT_IGNORED]
    if (ksrc / ".git").exists():
        command = ["git", "ls-files", "-z", *listing, "--cached", "--deduplicate"]
        env = environment(GIT_OPTIONAL_LOCKS="0")
        names = process.run(command, cwd=str(ksrc), env=env).stdout.rstrip("\0").split("\0")
    else:
        # With an empty index, --others lists all files.
        names = replace(own, index=own.git_dir / "no.index").names("ls-files", *listing)
    return [n for n in names if n and not n.endswith("/") and os.path.lexists(ksrc / n)]


def _ignores_all(ksrc: Path) -> bool:
    try:
        return DEBIAN_IGNORES_ALL in (ksrc / ".gitignore").read_bytes().split()
    except FileNotFoundError:
        return False


def import_commit(git: Git, ksrc: Path, name: str) -> Base:
    """Return a commit of ours with the files of a commit in the user's repository.

    The history is not copied. Raises SourceError.
    """
    check_ksrc(ksrc)
    env = environment(GIT_OPTIONAL_LOCKS="0")
    found = process.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{tree}}"],
        cwd=str(ksrc),
        env=env,
        expect=(0, 1, 128),
    )
    tree = found.stdout.strip()
    if found.status != 0:
        raise SourceError(
            f"KSRC={ksrc} has no commit {name}",
            f"check the name: git -C {ksrc} log {name}",
            found.stderr,
        )
    ref = BASE_REFS + tree
    commit = git.lookup(ref).get(ref)
    if commit is None:
        say(f"copying {name} from {ksrc} ...")
        _copy_tree(git, ksrc, tree)
        own = replace(git, extra_env=IDENTITY)
        commit = own.out("commit-tree", tree, "-m", f"{name} of {ksrc}")
        git.set_refs({ref: commit})
    return Base(commit, is_users=True)


def _copy_tree(git: Git, ksrc: Path, tree: str) -> None:
    """Copy a git tree and its content from one repository to another."""
    pack = ["git", "pack-objects", "--revs", "--stdout", "--quiet"]
    load = ["git", "index-pack", "--stdin"]
    env = environment(GIT_OPTIONAL_LOCKS="0")
    with process.started(
        pack, cwd=str(ksrc), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as packer:
        assert packer.stdin and packer.stdout
        packer.stdin.write(f"{tree}\n".encode())
        packer.stdin.close()
        with process.started(
            load,
            env=git.env(),
            stdin=packer.stdout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as loader:
            assert loader.stderr
            words = loader.stderr.read().decode(errors="replace")
            if process.wait(loader) != 0 or process.wait(packer) != 0:
                raise process.failure(load, loader.returncode or packer.returncode, words)


def check_ksrc(ksrc: Path) -> None:
    """Raise SourceError unless ksrc is a Linux tree that hooks and suites can be added to."""
    advice = "set KSRC to the top directory of a Linux source tree"
    if not ksrc.is_dir():
        raise SourceError(f"KSRC={ksrc}: there is no such directory", advice)
    found = _makefile_version(ksrc / "Makefile")
    if found is None:
        raise SourceError(f"KSRC={ksrc} is not a Linux tree: its Makefile has no version", advice)
    name = ".".join(map(str, found))
    if found[:2] < OLDEST:
        raise SourceError(
            f"KSRC={ksrc} is Linux {name}: too old",
            "use Linux {}.{} or later: older kernels lack KUnit features".format(*OLDEST),
        )
    for path, since in NEEDED_FILES.items():
        if not (ksrc / path).is_file():
            raise SourceError(
                f"KSRC={ksrc} (Linux {name}) has no {path}",
                f"use a complete tree: {since} has that file",
            )


def _makefile_version(makefile: Path) -> tuple[int, ...] | None:
    try:
        return parse_version(makefile.read_text(errors="replace"))
    except OSError:
        return None


def parse_version(makefile: str) -> tuple[int, ...] | None:
    """The kernel version in a top-level Makefile, or None."""
    names = ("VERSION", "PATCHLEVEL", "SUBLEVEL")
    found: dict[str, str] = {}
    for name in names:
        match = re.search(rf"^{name} = (\d+)$", makefile, re.MULTILINE)
        if match:
            found[name] = match.group(1)
    if len(found) != len(names):
        return None
    return tuple(int(found[name]) for name in names)


def numbers(git: Git, commit: str) -> tuple[int, ...]:
    """The kernel version of a commit, as in (6, 12, 117), or () if it has none."""
    return _numbers(git.git_dir, commit)


@functools.cache
def _numbers(git_dir: Path, commit: str) -> tuple[int, ...]:
    done = Git(git_dir).run("cat-file", "blob", f"{commit}:Makefile", expect=(0, 128))
    return parse_version(done.stdout) or ()


def version(git: Git, commit: str) -> str:
    """The kernel version of a commit, as in 6.12.117."""
    return ".".join(map(str, numbers(git, commit) or ("of", "unknown", "version")))


def require_space(directory: Path, need: int) -> None:
    """Raise DiskSpaceError if fewer than need bytes are free in directory."""
    have = shutil.disk_usage(directory).free
    if have < need:
        raise DiskSpaceError(
            f"the disk of {directory} is too full: {need / 1e9:.1f} GB needed, "
            f"{have / 1e9:.1f} GB free",
            ROOM,
        )


def _join(names: list[str]) -> bytes:
    return "".join(f"{name}\0" for name in names).encode()
