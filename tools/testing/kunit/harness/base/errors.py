# SPDX-License-Identifier: GPL-2.0
"""The errors that a user can meet: each says the cause and the next step."""

import enum
import errno
import os
import shlex


class ExitStatus(enum.IntEnum):
    """Exit statuses of our own; everything else is the kernel tool's."""

    OK = 0
    FAILED = 1
    ERROR = 2
    # What "git bisect run" takes for "this commit cannot be tested".
    CANNOT_BUILD = 125


class KunitError(Exception):
    """An expected error: one clear message, no traceback.

    cause: what is wrong, in one line; detail: a tool's own words, if any;
    next_step: what the user can do about it.
    """

    status = ExitStatus.ERROR

    def __init__(self, cause: str, next_step: str, detail: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.detail = detail.strip()

    def __str__(self) -> str:
        lines = [f"error: {self.cause}"]
        lines += [f"    {line}" for line in self.detail.splitlines()]
        lines.append(f"next: {self.next_step}")
        return "\n".join(lines)


class UsageError(KunitError):
    """A variable or an option has a value that means nothing."""


class MissingToolError(KunitError):
    """A program or package is missing or too old, and could not be installed."""


class DiskSpaceError(KunitError):
    """There is not enough room on the disk."""


class SourceError(KunitError):
    """The kernel source (package or KSRC) is missing or of no use."""

    status = ExitStatus.CANNOT_BUILD


class PatchError(KunitError):
    """A patch or a suite does not go onto the tree."""

    status = ExitStatus.CANNOT_BUILD


class WorkTreeError(KunitError):
    """A prepared tree holds work of the user's that stands in the way."""


class CommandError(KunitError):
    """A program that we called failed for no reason that we know."""


_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ROOM = "make room, or let BUILD=DIR name a directory with room"


def of_system(error: OSError) -> KunitError:
    """The error for what the system refused to do."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    cause = f"{name}: {error.strerror}" if name else str(error.strerror or error)
    if error.errno in _FULL_DISK:
        return DiskSpaceError(cause, f"{ROOM}, and try again")
    if error.errno == errno.EROFS:
        return CommandError(cause, "let BUILD=DIR name a directory on a disk that can be written")
    if error.errno == errno.EIO:
        return CommandError(cause, "the disk may be failing: see what dmesg says of it")
    if not name:
        return CommandError(
            cause, "try again; if it persists, report it with the command you typed"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        shown = shlex.quote(name)
        return CommandError(cause, f"see who may use it: ls -ld {shown}; then change that")
    shown = shlex.quote((os.path.dirname(name) if error.errno == errno.ENOENT else name) or ".")
    return CommandError(cause, f"see what is there: ls -ld {shown}; then try again")
