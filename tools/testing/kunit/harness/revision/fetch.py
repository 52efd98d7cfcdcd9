# SPDX-License-Identifier: GPL-2.0
"""Fetch a series by message-id with b4, from the archive in the user's git configuration."""

import functools
import os
import re
import tempfile
import urllib.parse
from pathlib import Path

from harness.base import packages, process
from harness.base.console import say
from harness.base.errors import KunitError
from harness.revision.mail import Mail, parse, split

_URL = re.compile(r"https?://\S+")
_IDENT = re.compile(r"<?([^\s<>/@]+@[^\s<>/@]+)>?")


class FetchError(KunitError):
    """A message cannot be fetched."""


def ident(given: str) -> str:
    """Return the message-id in a bare id, an id in <> or a URL, or "" if there is none."""
    if _URL.fullmatch(given):
        parts = urllib.parse.urlsplit(given).path.split("/")
        found = [m[1] for part in parts if (m := _IDENT.fullmatch(urllib.parse.unquote(part)))]
        return found[0] if found else ""
    match = _IDENT.fullmatch(given)
    return match[1] if match else ""


@functools.cache
def thread(given: str) -> tuple[Mail, ...]:
    """Return the messages of a thread, by message-id or URL. Raises FetchError."""
    packages.ensure([packages.B4])
    say(f"fetching the thread of {ident(given)} ...")
    with tempfile.TemporaryDirectory(prefix="kunit-b4-") as out:
        argv = [packages.B4.proof, "mbox", "--outdir", out, "--mbox-name", "thread.mbx", given]
        try:
            # The user's own configuration of git says which archive b4 asks.
            process.run(argv, cwd=os.getcwd())
        except process.CommandFailed as error:
            raise _unknown(given, error.detail) from error
        found = Path(out) / "thread.mbx"
        if not found.exists():
            raise _unknown(given, "")
        return tuple(split("thread", found.read_bytes()))


def earlier(given: str, version: int) -> list[Mail]:
    """Return the messages of an earlier version of the series, which b4 searches for.

    The list has no such version if the archive has none. Raises FetchError.
    """
    # No command of b4 writes what its search for an earlier version finds.
    import b4
    import b4.mbox

    try:
        messages = b4.get_pi_thread_by_msgid(ident(given)) or []
        found = b4.mbox.get_extra_series(messages, direction=-1, wantvers=[version], nocache=True)
    except OSError as error:
        raise _unknown(given, str(error)) from error
    return [parse("mail", message.as_bytes(policy=b4.emlpolicy)) for message in found]


def _unknown(given: str, detail: str) -> FetchError:
    return FetchError(
        f"b4 cannot fetch {ident(given)}",
        "check the message-id, and the archive that git config b4.midmask names",
        detail,
    )
