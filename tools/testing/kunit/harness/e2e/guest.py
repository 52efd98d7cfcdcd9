# SPDX-License-Identifier: GPL-2.0
"""Boot a guest with devices, read its console, answer its requests, and end it.

Its devices are RAM that mem= hides from the kernel and that the device tree describes as
persistent memory. Such a guest has no firmware. Guests with memory slots use UEFI and ACPI.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.base import packages, process
from harness.base.errors import CommandError
from harness.e2e.scenario import RAM_START, Device, Scenario
from harness.kernel import identity, qemu

# The guest prints this before a request to the host.
CALL = "E2E-HOST "

# The limit for a boot, as a multiple of the limit for silence.
_IN_ALL = 10

_MACHINE = "virt"
# The number of memory slots, and the size of an NVDIMM's label area.
_SLOTS = 16
_LABELS = 256 << 10
# oops=panic: after an oops, the kernel might hang.
_ARGUMENTS = "console=ttyAMA0 rdinit=/init oops=panic panic=-1"


@dataclass(frozen=True)
class Ended:
    """The end of a boot. timed_out: the host ended the guest."""

    console: str
    timed_out: bool


@dataclass(frozen=True)
class Memory:
    """The guest's RAM and devices.

    If looks is set, they are in a sparse file that starts at RAM_START, and their content
    survives a boot. control is the path of QEMU's QMP socket.
    """

    directory: Path
    looks: bool
    control: Path = Path()

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / "ram"

    def slot(self, number: int, size: int) -> str:
        """QEMU's option for the memory of a slot."""
        if self.looks:
            path = self.directory / f"slot{number}"
            return f"memory-backend-file,id=slot{number},size={size},mem-path={path},share=on"
        # The host need not have that much memory: only what the guest writes to takes some.
        return f"memory-backend-ram,id=slot{number},size={size},reserve=off"

    def read(self, device: Device, size: int) -> bytes:
        """The present content of the first bytes of a device."""
        with open(self.path, "rb") as file:
            file.seek(device.address - RAM_START)
            return file.read(size)


# Answers a request of the guest. None cuts its power.
Answer = Callable[[str], str | None]


class Guest:
    """A kernel image and a user space, for the boots of one scenario.

    work is a directory for temporary files.
    """

    def __init__(self, image: Path, root: Path, scenario: Scenario, work: Path) -> None:
        self._image = image
        self._root = root
        self._scenario = scenario
        self._work = work

    @contextlib.contextmanager
    def memory(self) -> Iterator[Memory]:
        """Empty RAM and devices, which last until the block ends."""
        # The path of a socket must be short.
        with tempfile.TemporaryDirectory(
            prefix="e2e-", dir=self._work
        ) as directory, tempfile.TemporaryDirectory(prefix="e2e-") as short:
            control = Path(short) / "qmp"
            memory = Memory(Path(directory), self._scenario.looks_from_outside, control)
            if memory.looks:
                with open(memory.path, "wb") as file:
                    file.truncate(self._size)
            yield memory

    @property
    def _size(self) -> int:
        ends = [device.end for device in self._scenario.devices]
        return max([RAM_START + self._scenario.memory, *ends]) - RAM_START

    def boot(self, overlay: bytes, memory: Memory, log: Path, answer: Answer) -> Ended:
        """Run the guest until it ends or times out. Its console goes to log.

        Raises CommandError if QEMU or dtc fails.
        """
        argv = self.command(overlay, memory)
        complaints = memory.directory / "stderr"
        with open(log, "w", encoding="utf-8") as console, open(complaints, "wb") as errors:
            with process.started(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            ) as child:
                timed_out = _follow(child, console, self._scenario.seconds, answer)
        text = log.read_text(encoding="utf-8", errors="backslashreplace")
        said = complaints.read_text(errors="replace")
        if not text and said:
            raise CommandError("QEMU did not start the guest", "see its message above", said)
        return Ended(text, timed_out)

    def talk(self, overlay: bytes, memory: Memory) -> int:
        """Run the guest with its console on our terminal. Return QEMU's exit status."""
        argv = self.command(overlay, memory)
        argv[argv.index("stdio")] = "mon:stdio"
        return process.hand_over(argv, cwd=str(memory.directory), env=process.clean_env())

    def command(self, overlay: bytes, memory: Memory) -> list[str]:
        """The command that boots the guest. Writes the files that it needs."""
        initrd, tree = memory.directory / "initrd", memory.directory / "tree.dtb"
        initrd.write_bytes(self._root.read_bytes() + overlay)
        argv = [*self._machine(memory), "-kernel", str(self._image), "-initrd", str(initrd)]
        argv += ["-append", self._command_line()]
        if self._scenario.has_firmware:
            return argv + self._slots(memory)
        self._make_tree(argv, tree)
        return [*argv, "-dtb", str(tree)]

    def _machine(self, memory: Memory) -> list[str]:
        size = self._size
        backend = f"memory-backend-ram,id=ram,size={size}"
        if memory.looks:
            backend = f"memory-backend-file,id=ram,size={size},mem-path={memory.path},share=on"
        machine, ram = f"{_MACHINE},memory-backend=ram", f"{size >> 20}M"
        if self._scenario.nodes > 1:
            # -numa names the memory.
            machine = _MACHINE
        if self._scenario.has_firmware:
            machine += ",nvdimm=on"
            slots = sum(self._scenario.nvdimms) + sum(self._scenario.dimms)
            ram += f",slots={_SLOTS},maxmem={_SLOTS + (slots >> 30)}G"
        argv = [packages.QEMU.proof, "-machine", machine, *_cpu(), "-m", ram]
        argv += ["-smp", str(self._scenario.cpus), "-object", backend, *self._nodes()]
        return [*argv, *"-nodefaults -nic none -display none -serial stdio -no-reboot".split()]

    def _nodes(self) -> list[str]:
        """QEMU's options for NUMA nodes of which only the first one has CPUs and RAM."""
        others = range(1, self._scenario.nodes)
        if not others:
            return []
        argv = ["-numa", f"node,nodeid=0,memdev=ram,cpus=0-{self._scenario.cpus - 1}"]
        for node in others:
            # The kernel learns of the node from the distance.
            argv += ["-numa", f"node,nodeid={node}", "-numa", f"dist,src=0,dst={node},val=20"]
        return argv

    def _slots(self, memory: Memory) -> list[str]:
        """QEMU's options for firmware, for NVDIMMs, and for plugging DIMMs later."""
        argv = ["-bios", packages.FIRMWARE.proof]
        argv += ["-qmp", f"unix:{memory.control},server=on,wait=off"]
        for number, size in enumerate(self._scenario.nvdimms):
            argv += ["-object", memory.slot(number, size + _LABELS)]
            argv += ["-device", f"nvdimm,memdev=slot{number},label-size={_LABELS}"]
        return argv

    def _command_line(self) -> str:
        words = [_ARGUMENTS, self._scenario.arguments]
        if not self._scenario.has_firmware:
            words.insert(1, f"mem={self._scenario.memory >> 20}M")
        return " ".join(filter(None, words))

    def _make_tree(self, argv: list[str], path: Path) -> None:
        """Write QEMU's device tree for the machine, plus the devices."""
        dump = path.with_suffix(".dump")
        text = _checked([f"{a},dumpdtb={dump}" if a.startswith(_MACHINE) else a for a in argv])
        if not dump.exists():
            raise CommandError("QEMU wrote no device tree", "see its message above", text)
        source = path.with_suffix(".dts")
        _checked(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", str(source), str(dump)])
        nodes = "".join(_node(device) for device in self._scenario.devices if device.is_described)
        with open(source, "a", encoding="utf-8") as file:
            file.write(f"/ {{\n{nodes}}};\n")
        _checked(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(path), str(source)])


def _node(device: Device) -> str:
    cells = [device.address >> 32, device.address, device.size >> 32, device.size]
    reg = " ".join(f"{cell & 0xFFFFFFFF:#x}" for cell in cells)
    return (
        f'\tpmem@{device.address:x} {{\n\t\tcompatible = "pmem-region";\n'
        f"\t\treg = <{reg}>;\n\t\tnuma-node-id = <{device.node}>;\n\t}};\n"
    )


def _checked(argv: list[str]) -> str:
    done = process.run(argv)
    return done.stdout + done.stderr


def _cpu() -> list[str]:
    """QEMU's options for the CPU: KVM if available, else a CPU with all features."""
    if identity.has_kvm():
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-cpu", qemu.MAX_CPU]


def _follow(
    child: "subprocess.Popen[bytes]", console: IO[str], seconds: float, answer: Answer
) -> bool:
    """Copy a guest's output to console and answer its requests, until it ends.

    Returns whether it hung: it printed nothing for this many seconds, or never ended.
    """
    assert child.stdin
    line = b""
    for data in qemu.output(child, _IN_ALL * seconds, seconds):
        if not data:
            return True
        text = data.replace(b"\r", b"")
        console.write(text.decode("utf-8", "backslashreplace"))
        console.flush()
        *lines, line = (line + text).split(b"\n")
        for one in lines:
            _, call, request = one.decode(errors="replace").partition(CALL)
            if not call:
                continue
            said = answer(request)
            if said is None:
                return False
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(f"{said}\n".encode())
                child.stdin.flush()
    return False
