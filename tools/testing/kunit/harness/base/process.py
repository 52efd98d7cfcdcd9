# SPDX-License-Identifier: GPL-2.0
"""Start other programs. No other module does that.

Each program leads its own session. On a timeout, Ctrl-C or SIGTERM, the program and everything
that it started are ended together.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.base import progress
from harness.base.children import Children, signal_group
from harness.base.console import Stopwatch, say_details, tail
from harness.base.errors import (
    ROOM,
    CommandError,
    DiskSpaceError,
    KunitError,
    MissingToolError,
    of_system,
)
from harness.base.signals import signals_held

# In seconds: how long a program may take to end after a signal.
GRACE = 5.0

# In seconds: how often to poll a child.
_POLL = 0.05

# Files that children inherit. If we are killed while a child runs, the child keeps the
# lock until it ends.
shared_files: list[int] = []

Stream = int | IO[Any] | None


class CommandFailed(CommandError):
    """A program ended with an unexpected status."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(
            f"{shlex.join(argv)} failed with status {status}",
            "fix what it complains about" if output.strip() else "run it by hand to see why",
            tail(output),
        )
        self.output = output


class TimedOut(KunitError):
    """A program took too long and was ended."""


@dataclass(frozen=True)
class Completed:
    """The status and output of a program that ended."""

    status: int
    stdout: str
    stderr: str


@contextlib.contextmanager
def started(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    first_signal: int = signal.SIGTERM,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program for the duration of the block, then end it.

    first_signal is the first signal that its process group receives. Raises MissingToolError if
    the program does not exist, CommandError if it cannot be started for another reason, and
    Abandoned if the thread's pool is closed.
    """

    def start() -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                pass_fds=shared_files,
            )
        except OSError as error:
            raise _not_started(argv[0], cwd, error) from error

    say_details(f"$ {shlex.join(argv)}")
    child, children = None, Children.current()
    try:
        with signals_held():
            child = children.start(start) if children else start()
        yield child
    finally:
        if child is not None:
            with signals_held():
                if children:
                    children.forget(child)
                end(child, first_signal)
                for pipe in (child.stdin, child.stdout, child.stderr):
                    if pipe is not None:
                        with contextlib.suppress(OSError):
                            pipe.close()


def _not_started(program: str, cwd: str | None, error: OSError) -> KunitError:
    """The error for a program that could not be started."""
    if isinstance(error, FileNotFoundError) and error.filename != cwd:
        hint = f"install {program}, or add its directory to PATH"
        return MissingToolError(f"{program} cannot be started: {error.strerror}", hint)
    return of_system(error)


def end(child: "subprocess.Popen[bytes]", first_signal: int = signal.SIGTERM) -> None:
    """End a child and its process group, with SIGKILL if signals do not help."""
    if child.poll() is None:
        for signum in (first_signal, signal.SIGTERM):
            signal_group(child.pid, signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=GRACE)
                break
    signal_group(child.pid, signal.SIGKILL)
    child.wait()


def run(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
    expect: Sequence[int] = (0,),
) -> Completed:
    """Run a program to its end and return its output.

    data is its standard input. Raises CommandFailed if its status is not in expect,
    DiskSpaceError or MissingToolError.
    """
    with started(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        out, err = child.communicate(data)
        status = child.returncode
    done = Completed(status, _text(out), _text(err))
    if status not in expect:
        raise failure(argv, status, done.stderr + done.stdout)
    return done


def failure(argv: Sequence[str], status: int, output: str) -> KunitError:
    """The exception for a failed program: DiskSpaceError if it hit a full disk."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return DiskSpaceError(
            f"the disk is full: {shlex.join(argv[:2])} stopped",
            f"{ROOM}, and try again: the next run repairs what was interrupted",
            tail(output, 3),
        )
    return CommandFailed(argv, status, output)


def hand_over(argv: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> int:
    """Run a program on our own stdin, stdout and stderr. Return its status.

    On Ctrl-C the program and its children receive SIGINT.
    """
    with started(argv, cwd=cwd, env=env, stdin=None, first_signal=signal.SIGINT) as child:
        return wait(child)


def run_logged(
    argv: Sequence[str],
    log: str,
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> int:
    """Run a program with its output in the file log. Return its status.

    Raises TimedOut.
    """
    with open(log, "wb") as output, progress.activity(Path(log).stem), started(
        argv, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT
    ) as child:
        status = _wait(child, timeout)
    if status is None:
        raise TimedOut(
            f"{shlex.join(argv)}: still running after {timeout:.0f} s",
            f"see {log}; if this machine was busy, try again",
        )
    return status


def wait(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child to end. Return its status."""
    status = _wait(child, None)
    assert status is not None
    return status


def _wait(child: "subprocess.Popen[bytes]", timeout: float | None) -> int | None:
    """Wait for a child to end. Return its status, or None after the timeout.

    A signal during Popen.wait() can leave its lock taken, and every later wait() would hang.
    Poll with signals blocked instead.
    """
    watch, delay = Stopwatch(), _POLL / 100
    while timeout is None or watch.seconds < timeout:
        with signals_held():
            status = child.poll()
        if status is not None:
            return status
        time.sleep(delay)
        delay = min(2 * delay, _POLL)
    return None


def clean_env(drop: Sequence[str] = (), **extra: str) -> dict[str, str]:
    """Our environment without the variables in drop, plus extra."""
    env = {name: value for name, value in os.environ.items() if name not in drop}
    env.update(extra)
    return env


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
