# SPDX-License-Identifier: GPL-2.0
"""The guest's user space: Debian's arm64 packages, as an initramfs.

mmdebstrap downloads and unpacks them from the system's own mirror. It needs no root and does
not change the system.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.base import archive, process
from harness.base.archive import Archive
from harness.base.console import say, tail
from harness.base.errors import CommandError
from harness.request.settings import DATA, Settings
from harness.trees import debian

GUEST = DATA / "guest"

PACKAGES = ("bash", "bc", "busybox-static", "daxctl", "e2fsprogs", "kmod", "ndctl")
# Files of the packages and their dependencies that no guest needs.
_LEFT_OUT = ("/usr/share/*", "/usr/lib/*/gconv/*", "/usr/*perl*")
# Runs before the packages are unpacked.
_SETUP = (
    'cd "$1" && mkdir -p usr/bin usr/lib usr/sbin && '
    "ln -s usr/bin usr/lib usr/sbin . && ln -s busybox usr/bin/sh"
)


def base(wanted: Settings) -> Path:
    """The initramfs without a scenario. Built if it does not exist yet.

    Raises CommandError if mmdebstrap fails.
    """
    cache = Archive(wanted.build / "e2e")
    name = archive.key("root", _SETUP, *PACKAGES, *_LEFT_OUT)
    if cache.find(name) is None:
        with cache.adding(name) as part:
            root = part / "root"
            _unpack(root)
            paths = sorted(path.relative_to(root) for path in root.rglob("*"))
            _pack(root, paths, part / "root.cpio")
            shutil.rmtree(root)
            archive.write_record(part, {"packages": PACKAGES})
    return cache.path(name) / "root.cpio"


def _unpack(root: Path) -> None:
    say("downloading arm64 packages for the guest, once ...")
    source = debian.repository()
    argv = ["mmdebstrap", "--mode=chrootless", "--variant=extract", "--architectures=arm64"]
    argv += [f"--include={','.join(PACKAGES)}", f"--setup-hook={_SETUP}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    argv += [source.split()[-2], str(root), source]
    done = process.run(argv, expect=range(256))
    if done.status != 0:
        raise CommandError(
            "mmdebstrap could not get the arm64 packages for the guest",
            f"check that this repository has them and is reachable: {source}",
            tail(done.stderr, 8),
        )


def _pack(top: Path, paths: Iterable[Path], out: Path) -> None:
    """Write files below top as an initramfs. A directory must come before its content."""
    argv = ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet", "--null"]
    names = "\0".join(map(str, paths))
    process.run([*argv, f"--file={out}"], cwd=str(top), data=names.encode())


def overlay(scenario: str, programs: Iterable[Path]) -> bytes:
    """The files for one boot: init, the scenario and the programs that it calls."""
    places = {"init": GUEST / "init", **{f"usr/bin/{path.name}": path for path in programs}}
    with tempfile.TemporaryDirectory(prefix="e2e-") as directory:
        top = Path(directory)
        (top / "usr/bin").mkdir(parents=True)
        (top / "scenario").write_text(scenario, encoding="utf-8")
        for place, file in places.items():
            shutil.copyfile(file, top / place)
            (top / place).chmod(0o755)
        _pack(top, map(Path, ("scenario", *places)), top / "cpio")
        return (top / "cpio").read_bytes()
