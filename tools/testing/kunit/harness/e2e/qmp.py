# SPDX-License-Identifier: GPL-2.0
"""A minimal QMP client, for plugging devices into QEMU."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.base.console import Stopwatch
from harness.base.errors import CommandError

# In seconds: the timeout for QEMU's answers, and for a guest to release a device.
PATIENCE = 60.0

_NONE: Mapping[str, object] = {}


class Qmp:
    """A QMP connection after the greeting."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lines = link.makefile("r", encoding="utf-8")
        self._events: list[dict[str, Any]] = []
        self._receive()
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: Mapping[str, object] = _NONE) -> Any:
        """Execute a command and return the answer. Raises CommandError if QEMU refuses."""
        request = json.dumps({"execute": command, "arguments": dict(arguments)})
        self._link.sendall(f"{request}\n".encode())
        while True:
            said = self._receive()
            if "error" in said:
                raise CommandError(
                    f"QEMU: {command}: {said['error'].get('desc')}",
                    "check the machine of the scenario",
                )
            if "return" in said:
                return said["return"]
            self._events.append(said)

    def wait_for(self, *events: str, device: str) -> str:
        """Wait for one of the events of a device and return its name. Raises CommandError."""
        watch = Stopwatch()
        while watch.seconds < PATIENCE:
            said = self._events.pop(0) if self._events else self._receive()
            if said.get("event") in events and said.get("data", {}).get("device") == device:
                return str(said["event"])
        raise CommandError(
            f"{device}: none of {', '.join(events)} in {PATIENCE:.0f} s", "see the guest's console"
        )

    def _receive(self) -> dict[str, Any]:
        try:
            found = json.loads(self._lines.readline())
        except (OSError, ValueError) as error:
            raise CommandError(
                f"QEMU sent no usable answer for {PATIENCE:.0f} s", "see the guest's console"
            ) from error
        if not isinstance(found, dict):
            raise CommandError("QEMU sent something other than QMP", "check the -qmp option")
        return found


@contextlib.contextmanager
def connected(path: Path) -> Iterator[Qmp]:
    """A connection to QEMU's socket. Raises CommandError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(PATIENCE)
        try:
            link.connect(str(path))
        except OSError as error:
            raise CommandError(
                f"QEMU cannot be reached: {error.strerror}", "see the guest's console"
            ) from error
        yield Qmp(link)
