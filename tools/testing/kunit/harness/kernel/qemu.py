# SPDX-License-Identifier: GPL-2.0
"""Boot a guest without the kernel's kunit.py, to save time if there are hundreds of boots."""

import contextlib
import importlib.util
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from harness.base import process
from harness.base.console import Stopwatch

# A CPU with all features.
MAX_CPU = "max,pauth-impdef=on"

_PACKAGE = "kunit_guest"
# In seconds.
_AFTER_PANIC = 2.0


@dataclass(frozen=True)
class Ran:
    """A guest that ended: its console log and its duration.

    is_late: it exceeded a time limit. is_stopped: is_enough() ended it. waited: for how many
    of the seconds it waited for a CPU.
    """

    console: str
    seconds: float
    is_late: bool = False
    is_stopped: bool = False
    waited: float = 0.0


def argv(
    config: Path, image: Path, words: Sequence[str], cpu: str = "", cpus: int = 1
) -> list[str]:
    """The QEMU command line for a file in qemu_configs/, the same as that of kunit.py.

    words are added to the kernel's command line. cpu is a model other than the default.
    """
    wanted = parameters(config)
    line = " ".join([*words, "kunit.enable=1", "kunit_shutdown=reboot", wanted.kernel_command_line])
    serial = getattr(wanted, "serial", "stdio")
    more = ["-accel", "tcg", "-cpu", cpu] if cpu else []
    return [
        *(f"qemu-system-{wanted.qemu_arch}", "-nodefaults", "-m", "1024"),
        *("-kernel", str(image), "-append", line, "-no-reboot", "-nographic"),
        # If an option is given twice, QEMU uses the last one.
        *("-serial", serial, *wanted.extra_qemu_params, "-smp", str(cpus), *more),
    ]


def parameters(config: Path) -> Any:
    """The parameters in a file of qemu_configs/, without the kernel's class that it imports."""
    for name in (_PACKAGE, f"{_PACKAGE}.qemu_configs"):
        sys.modules.setdefault(name, ModuleType(name)).__path__ = []
    kernels = ModuleType(f"{_PACKAGE}.qemu_config")
    kernels.__dict__["QemuArchParams"] = SimpleNamespace
    sys.modules[kernels.__name__] = kernels
    spec = importlib.util.spec_from_file_location(f"{_PACKAGE}.qemu_configs.{config.stem}", config)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.QEMU_ARCH


def waited(pid: int) -> float:
    """How many seconds a process, or the thread of it that did so longest, waited for a CPU.

    Returns 0 if the host's kernel does not count them.
    """
    longest = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            longest = max(longest, int(file.read_text().split()[1]))
    return longest / 1e9


def output(child: "subprocess.Popen[bytes]", total: float, silence: float) -> Iterator[bytes]:
    """Yield the output of a guest.

    The last part is empty if the guest runs for longer than total or prints nothing for silence
    seconds. On a busy machine, the time in which it waits for a CPU does not count. After a
    panic, wait only briefly: early in the boot, a kernel cannot reboot.
    """
    assert child.stdout
    has_panicked = False
    watch = Stopwatch()
    now = heard = lost = 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while now < total and now - heard < (_AFTER_PANIC if has_panicked else silence):
            is_heard = selector.select(timeout=0.5)
            # A thread that has ended is counted no longer.
            lost = max(lost, waited(child.pid))
            now = watch.seconds - lost
            if not is_heard:
                continue
            data = os.read(child.stdout.fileno(), 65536)
            if not data:
                return
            heard = now
            has_panicked = has_panicked or b"Kernel panic" in data
            yield data
    if not has_panicked:
        yield b""


def boot(
    call: Sequence[str], timeout: float, silence: float, is_enough: Callable[[str], bool]
) -> Ran:
    """Run a guest until it ends, exceeds a limit, or is_enough() returns True for a line.

    The limits are timeout seconds in total, and silence seconds without output; see output().
    """
    said, line, watch, is_late, is_stopped, lost = b"", b"", Stopwatch(), False, False, 0.0
    with process.started(
        call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        for data in output(child, timeout, silence):
            is_late = not data
            said += data
            *lines, line = (line + data).split(b"\n")
            if any(is_enough(one.decode(errors="replace").rstrip()) for one in lines):
                is_stopped = True
                break
        lost = waited(child.pid)
        child.kill()
    text = said.replace(b"\r", b"").decode("utf-8", "backslashreplace")
    return Ran(text, watch.seconds, is_late, is_stopped, lost)
