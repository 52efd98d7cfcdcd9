# SPDX-License-Identifier: GPL-2.0
"""The guest's user space: Debian's own arm64 packages, as an initramfs.

Packages come through an apt state of our own, below BUILD, with the machine's own
sources and keys: nothing of the user's system is changed, nor is an architecture
added to it.
"""

import os
import shutil
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base import archive, process
from harness.base.archive import Archive
from harness.base.console import say, tail
from harness.base.errors import CommandError
from harness.kernel import defaults, options
from harness.request.settings import DATA, Settings

GUEST = DATA / "guest"

PACKAGES = (
    "busybox-static",
    "ndctl",
    "daxctl",
    "e2fsprogs",
    # What these are linked with.
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libcxl1",
    "libdaxctl1",
    "libext2fs2",
    "libiniparser1",
    "libjson-c5",
    "libkeyutils1",
    "libkmod2",
    "liblzma5",
    "libndctl6",
    "libss2",
    "libssl3",
    "libtraceevent1",
    "libtracefs1",
    "libudev1",
    "libuuid1",
    "libzstd1",
    "zlib1g",
)

# To be changed when something else is made of the same packages.
_FORMAT = "1"
# What of a package no guest needs.
_LEFT_OUT = (
    "usr/share/",
    "usr/lib/systemd/",
    "usr/lib/udev/",
    "etc/init.d/",
    "usr/lib/locale/",
    "usr/lib/aarch64-linux-gnu/gconv/",
)
_IN_USR = ("bin", "sbin", "lib")


def base(wanted: Settings) -> Path:
    """The initramfs without scenario, made of the packages if it is not there yet.

    Raises CommandError when apt cannot get them.
    """
    cache = Archive(wanted.build / "e2e")
    name = archive.key("root", _FORMAT, *PACKAGES)
    if cache.find(name) is None:
        with cache.adding(name) as part:
            root = part / "root"
            debs = _download(part)
            for deb in debs:
                process.run(["dpkg-deb", "--extract", str(deb), str(root)])
            (part / "root.cpio").write_bytes(_pack(root))
            for made in (root, part / "apt", part / "debs"):
                shutil.rmtree(made)
            archive.write_record(part, {"packages": [deb.name for deb in debs]})
    return cache.path(name) / "root.cpio"


def _download(part: Path) -> list[Path]:
    """Get the packages into a directory below part."""
    say(f"getting {len(PACKAGES)} arm64 packages for the guest, once ...")
    state, debs = part / "apt", part / "debs"
    for path in (state / "lists/partial", state / "cache/archives/partial", debs):
        path.mkdir(parents=True)
    (state / "status").touch()
    settings = (
        f"Dir::State={state}",
        f"Dir::State::status={state}/status",
        f"Dir::Cache={state}/cache",
        "APT::Architecture=arm64",
        "APT::Architectures=arm64",
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
    )
    apt = ["apt-get", "-q", *(word for setting in settings for word in ("-o", setting))]
    # One source of the user's that is out of order need not matter: the download tells.
    updated = process.run([*apt, "update"], expect=range(256))
    got = process.run([*apt, "download", *PACKAGES], cwd=str(debs), expect=range(256))
    found = sorted(debs.glob("*.deb"))
    if got.status != 0 or len(found) != len(PACKAGES):
        raise CommandError(
            "apt-get could not get the arm64 packages for the guest",
            "see that this machine's apt sources are Debian 12's and that they can be reached",
            tail(updated.stderr + got.stderr, 8),
        )
    return found


# --- What is built in -----------------------------------------------------

# daxctl asks libkmod for these drivers, and libkmod a file that is made with modules.
_BUILT_IN = ("device_dax", "kmem")
_INDEX_MAGIC, _INDEX_VERSION = 0xB007F457, 0x00020001
_HAS_VALUES, _HAS_CHILDREN = 0x40000000, 0x20000000


def module_index(words: Sequence[str]) -> bytes:
    """The words as an index in libkmod's format: a tree with a letter at each branch."""
    body = bytearray(12)

    def add(rests: Sequence[str]) -> int:
        """Append the node for what may follow; return its offset, with its flags."""
        letters = sorted({rest[0] for rest in rests if rest})
        below = {x: add([rest[1:] for rest in rests if rest[:1] == x]) for x in letters}
        offset = len(body)
        if letters:
            first, last = ord(letters[0]), ord(letters[-1])
            offset |= _HAS_CHILDREN
            body.extend((first, last))
            for letter in range(first, last + 1):
                body.extend(struct.pack(">I", below.get(chr(letter), 0)))
        if "" in rests:
            offset |= _HAS_VALUES
            # One value, of no priority and empty.
            body.extend(struct.pack(">IIx", 1, 0))
        return offset

    root = add(words)
    body[:12] = struct.pack(">III", _INDEX_MAGIC, _INDEX_VERSION, root)
    return bytes(body)


# --- cpio -----------------------------------------------------------------


def overlay(scenario: str, program: Path) -> bytes:
    """What goes on top of the base for one boot: init, the scenario, our program."""
    files = {
        "init": ((GUEST / "init").read_bytes(), 0o755),
        "scenario": (scenario.encode(), 0o644),
        "bin/mapped": (program.read_bytes(), 0o755),
        "modules.builtin.bin": (module_index(_BUILT_IN), 0o644),
    }
    entries = [_entry(name, stat.S_IFREG | mode, data) for name, (data, mode) in files.items()]
    return b"".join(entries) + _entry("TRAILER!!!", 0, b"")


def compile_mapped(wanted: Settings) -> Path:
    """The program that reads and writes a device through a mapping, for arm64."""
    code = GUEST / "mapped.c"
    cache = Archive(wanted.build / "e2e")
    gcc = defaults.cross_prefix(options.take_apart(["build"])) + "gcc"
    name = archive.key("mapped", gcc, code.read_bytes())
    if cache.find(name) is None:
        with cache.adding(name) as part:
            flags = ["-O2", "-Wall", "-Werror", "-static", "-nostdlib", "-ffreestanding"]
            flags += ["-fno-stack-protector", "-o", str(part / "mapped"), str(code)]
            process.run([gcc, *flags])
            archive.write_record(part, {})
    return cache.path(name) / "mapped"


def _pack(root: Path) -> bytes:
    """The files below root, with /bin, /sbin and /lib as links into /usr."""
    found: dict[str, bytes] = {}
    for path in _walk(root):
        name = str(path.relative_to(root))
        if name.split("/")[0] in _IN_USR:
            name = f"usr/{name}"
        if name.startswith(_LEFT_OUT):
            continue
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            data = os.readlink(path).encode()
        else:
            data = path.read_bytes() if stat.S_ISREG(mode) else b""
        found.setdefault(name, _entry(name, mode, data))
    for name in _applets(found):
        found[name] = _entry(name, stat.S_IFLNK | 0o777, b"/usr/bin/busybox")
    for name in _IN_USR:
        found[name] = _entry(name, stat.S_IFLNK | 0o777, f"usr/{name}".encode())
    found["dev"] = _entry("dev", stat.S_IFDIR | 0o755, b"")
    # The kernel opens it for the first process before anything is mounted.
    found["dev/console"] = _entry("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))
    # A directory comes before what is in it.
    return b"".join(found[name] for name in sorted(found)) + _entry("TRAILER!!!", 0, b"")


_APPLETS = (
    "awk",
    "basename",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "cut",
    "dd",
    "df",
    "dmesg",
    "echo",
    "expr",
    "find",
    "grep",
    "head",
    "kill",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "poweroff",
    "rm",
    "sed",
    "seq",
    "sh",
    "sleep",
    "sort",
    "stat",
    "sync",
    "tail",
    "touch",
    "tr",
    "true",
    "umount",
    "uname",
    "wc",
)


def _applets(found: dict[str, bytes]) -> Iterator[str]:
    return (f"usr/bin/{name}" for name in _APPLETS if f"usr/bin/{name}" not in found)


def _walk(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _entry(name: str, mode: int, data: bytes, device: Sequence[int] = (0, 0)) -> bytes:
    """A member of an archive in cpio's "newc" format."""
    raw = name.encode() + b"\0"
    number = 0 if mode == 0 else _entry_number(name)
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + raw) + _padded(data)


def _entry_number(name: str) -> int:
    # Only hard links, of which there are none, need more than that inodes exist.
    return 1 + sum(name.encode())


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
