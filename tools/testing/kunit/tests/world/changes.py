# SPDX-License-Identifier: GPL-2.0
"""Changes to a fake world. After each of them, a stored result must not be used again."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ContextManager

from tests.world.fake import World

COMPILER, LINKER = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ld"


@contextlib.contextmanager
def rewritten(path: Path, text: str) -> Iterator[None]:
    """Replace a file during the block. Then restore it, its times included."""
    before = path.with_name(path.name + ".before")
    path.rename(before)
    path.write_text(text)
    path.chmod(before.stat().st_mode)
    yield
    before.replace(path)


@contextlib.contextmanager
def touched(path: Path) -> Iterator[None]:
    """Give a file a later time during the block."""
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    yield
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextlib.contextmanager
def exported(world: World, name: str, value: str) -> Iterator[None]:
    """Set an environment variable during the block."""
    world.env[name] = value
    yield
    del world.env[name]


def relevant(world: World) -> dict[str, Callable[[], ContextManager[None]]]:
    """Changes after which no stored result may be used. The fake LINKER must exist."""
    tools = world.repo / "tools/testing/kunit"
    qemu = tools / "qemu_configs/arm64.py"

    def program(name: str) -> Callable[[], ContextManager[None]]:
        return lambda: rewritten(world.bin / name, f"#!/bin/sh\necho {name} version 99.9\n")

    return {
        "the compiler's version": program(COMPILER),
        "the linker's version": program(LINKER),
        "QEMU's version": program("qemu-system-aarch64"),
        "another compiler of that version": lambda: touched(world.bin / COMPILER),
        "flags": lambda: exported(world, "KCFLAGS", "-Os"),
        "a fragment": lambda: rewritten(world.repo / "lib/kunit-configs/4k.config", "CONFIG_X=y\n"),
        "a kernel argument": lambda: rewritten(
            qemu, qemu.read_text().replace("console=ttyAMA0", "console=ttyAMA0 quiet")
        ),
    }
