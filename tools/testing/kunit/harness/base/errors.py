# SPDX-License-Identifier: GPL-2.0
"""Errors that users can meet. Each names the cause and the next step."""

import enum
import errno
import os
import shlex


class ExitStatus(enum.IntEnum):
    """Our own exit statuses. All others come from the kernel's kunit.py."""

    OK = 0
    FAILED = 1
    ERROR = 2
    # "git bisect run" skips the commit.
    CANNOT_BUILD = 125


class KunitError(Exception):
    """An expected error, printed as one message without a traceback.

    cause says in one line what is wrong. detail is the output of the tool that failed, if any.
    next_step says what the user can do.
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
    """A variable or an option has an invalid value."""


class MissingToolError(KunitError):
    """A program or package is missing or too old and could not be installed."""


class DiskSpaceError(KunitError):
    """The disk is too full."""


class SourceError(KunitError):
    """The kernel source (package or KSRC) is missing or unusable."""

    status = ExitStatus.CANNOT_BUILD


class PatchError(KunitError):
    """A patch or the suites do not apply to the tree."""

    status = ExitStatus.CANNOT_BUILD


class WorkTreeError(KunitError):
    """The user's own work in a prepared tree is in the way."""


class CommandError(KunitError):
    """A program failed for an unknown reason."""


_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ROOM = "free some space, or set BUILD=DIR to a directory on another disk"


def of_system(error: OSError) -> KunitError:
    """Turn an OSError into an error message with a next step."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    cause = f"{name}: {error.strerror}" if name else str(error.strerror or error)
    if error.errno in _FULL_DISK:
        return DiskSpaceError(cause, f"{ROOM}, and try again")
    if error.errno == errno.EROFS:
        return CommandError(cause, "set BUILD=DIR to a directory on a writable disk")
    if error.errno == errno.EIO:
        return CommandError(cause, "the disk may be failing: check dmesg")
    if not name:
        return CommandError(cause, "try again; if it fails again, report the command you typed")
    if error.errno in (errno.EACCES, errno.EPERM):
        shown = shlex.quote(name)
        return CommandError(cause, f"check the permissions: ls -ld {shown}")
    shown = shlex.quote((os.path.dirname(name) if error.errno == errno.ENOENT else name) or ".")
    return CommandError(cause, f"check this path: ls -ld {shown}; then try again")
