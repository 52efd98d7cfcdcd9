# SPDX-License-Identifier: GPL-2.0
"""QEMU's own protocol, QMP, as far as plugging takes it: JSON, a line each way."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.base.console import Stopwatch
from harness.base.errors import CommandError

# In seconds: how long QEMU may take for an answer, and a guest to let a device go.
PATIENCE = 60.0

_NONE: Mapping[str, object] = {}


class Qmp:
    """A connection on which QEMU has greeted."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lines = link.makefile("r", encoding="utf-8")
        self._events: list[dict[str, Any]] = []
        self._receive()
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: Mapping[str, object] = _NONE) -> Any:
        """Execute a command; return the answer. Raises CommandError when QEMU refuses."""
        request = json.dumps({"execute": command, "arguments": dict(arguments)})
        self._link.sendall(f"{request}\n".encode())
        while True:
            said = self._receive()
            if "error" in said:
                raise CommandError(
                    f"QEMU: {command}: {said['error'].get('desc')}",
                    "see the machine of the scenario",
                )
            if "return" in said:
                return said["return"]
            self._events.append(said)

    def wait_for(self, *events: str, device: str) -> str:
        """Wait until one of the events happens to a device; return which. Raises CommandError."""
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
                f"QEMU said nothing for {PATIENCE:.0f} s, or nothing of use",
                "see the guest's console",
            ) from error
        if not isinstance(found, dict):
            raise CommandError("QEMU speaks another protocol than QMP", "see -qmp")
        return found


@contextlib.contextmanager
def connected(path: Path) -> Iterator[Qmp]:
    """A connection to the QEMU that listens there. Raises CommandError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(PATIENCE)
        try:
            link.connect(str(path))
        except OSError as error:
            raise CommandError(
                f"QEMU cannot be reached: {error.strerror}", "see the guest's console"
            ) from error
        yield Qmp(link)
