# SPDX-License-Identifier: GPL-2.0
"""What a kept result depends on, changed one by one in the small world."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ContextManager

from tests.world.fake import World

COMPILER, LINKER = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ld"


@contextlib.contextmanager
def rewritten(path: Path, text: str) -> Iterator[None]:
    """Another file at that path for the block; then the same one as before, times included."""
    before = path.with_name(path.name + ".before")
    path.rename(before)
    path.write_text(text)
    path.chmod(before.stat().st_mode)
    yield
    before.replace(path)


@contextlib.contextmanager
def touched(path: Path) -> Iterator[None]:
    """A file with a later time for the block."""
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    yield
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextlib.contextmanager
def exported(world: World, name: str, value: str) -> Iterator[None]:
    """A variable in the environment for the block."""
    world.env[name] = value
    yield
    del world.env[name]


def relevant(world: World) -> dict[str, Callable[[], ContextManager[None]]]:
    """Changes after which nothing that was kept may be used. LINKER must be there."""
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
