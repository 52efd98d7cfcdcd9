# SPDX-License-Identifier: GPL-2.0
"""The one place where other programs are started.

Each program leads its own session, so that it and all that it starts can be
ended as a whole: on a timeout, on Ctrl-C and on SIGTERM. Nothing outlives us.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.base import progress
from harness.base.console import Stopwatch, say_details, tail
from harness.base.errors import ROOM, CommandError, DiskSpaceError, KunitError, MissingToolError
from harness.base.signals import signals_held

# A guest or a compiler that was asked to end gets this long, in seconds.
GRACE = 5.0

# How often a child is looked after, in seconds.
_POLL = 0.05

# Files that children hold open too. With a lock among them, what an untimely
# end of ours leaves running keeps the lock until it is done.
shared_files: list[int] = []

Stream = int | IO[Any] | None


class CommandFailed(CommandError):
    """A program ended with a status that its caller did not expect."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(
            f"{shlex.join(argv)} failed with status {status}",
            "mend what it complains of" if output.strip() else "run it by hand to see why",
            tail(output),
        )
        self.output = output


class TimedOut(KunitError):
    """A program was ended because its time was over."""


class Abandoned(Exception):
    """A thread wants to start a program, and the main thread no longer wants the thread."""


class Children:
    """The programs that some threads have started.

    Signals reach only the main thread, so that one has to end the programs of the others.
    """

    _local = threading.local()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set["subprocess.Popen[bytes]"] = set()
        self._is_over = False

    @staticmethod
    def current() -> "Children | None":
        """Those that this thread adds to."""
        found: Children | None = getattr(Children._local, "children", None)
        return found

    def adopt(self) -> None:
        """Take what this thread starts from now on."""
        Children._local.children = self

    def start(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
        """Start one more. Raises Abandoned after end()."""
        with self._lock:
            if self._is_over:
                raise Abandoned
            child = start()
            self._running.add(child)
            return child

    def forget(self, child: "subprocess.Popen[bytes]") -> None:
        """Its own thread ends this one."""
        with self._lock:
            self._running.discard(child)

    def end(self) -> None:
        """Ask all of them to end; their threads see to it that they do."""
        with self._lock:
            self._is_over = True
            for child in self._running:
                _signal_group(child.pid, signal.SIGTERM)


@dataclass(frozen=True)
class Completed:
    """What a program left behind."""

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
    """Run argv while the block lasts; whatever is left of it then is ended.

    first_signal is what its process group is sent first.
    Raises MissingToolError when there is no such program, CommandError when it
    cannot be started for another reason, and Abandoned in a thread whose pool has
    been left.
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
    """The error for a program that could not be started; its directory may be the reason."""
    if cwd is not None and error.filename == cwd:
        return CommandError(
            f"{program} cannot be started in {cwd}: {error.strerror}",
            f"see what is there: ls -ld {cwd}; then try again",
        )
    cause = f"{program} cannot be started: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return MissingToolError(cause, f"install {program}, or see that it is on PATH")
    if isinstance(error, PermissionError):
        return CommandError(cause, f"make it executable: chmod +x {program}")
    return CommandError(cause, f"see that {program} is a program for this machine")


def end(child: "subprocess.Popen[bytes]", first_signal: int = signal.SIGTERM) -> None:
    """End a child and everything in its process group, gently at first."""
    if child.poll() is None:
        for signum in (first_signal, signal.SIGTERM):
            _signal_group(child.pid, signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=GRACE)
                break
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(pgid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)


def run(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
    expect: Sequence[int] = (0,),
) -> Completed:
    """Run a program to its end and return what it said.

    data is its standard input. Raises CommandFailed on a status that is not
    in expect, DiskSpaceError, MissingToolError.
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
    """The exception that fits a program's failure: a full disk has its own."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return DiskSpaceError(
            f"the disk is full: {shlex.join(argv[:2])} stopped",
            f"{ROOM}, and try again: what was begun is repaired",
            tail(output, 3),
        )
    return CommandFailed(argv, status, output)


def hand_over(argv: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> int:
    """Run a program on our own stdin, stdout and stderr; return its status.

    Ctrl-C reaches it, and what it started, as SIGINT.
    """
    with started(argv, cwd=cwd, env=env, stdin=None, first_signal=signal.SIGINT) as child:
        return child.wait()


def run_logged(
    argv: Sequence[str],
    log: str,
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> int:
    """Run a program with all that it says going to the file log; return its status.

    Raises TimedOut.
    """
    with open(log, "wb") as output, progress.activity(Path(log).stem), started(
        argv, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT
    ) as child:
        status = _wait(child, timeout)
    if status is None:
        raise TimedOut(
            f"{shlex.join(argv)}: not done after {timeout:.0f} s",
            f"see how far it came in {log}; if this machine was busy, try again",
        )
    return status


def _wait(child: "subprocess.Popen[bytes]", timeout: float | None) -> int | None:
    """Wait for the end of a child; return its status, None when it is not done in time.

    An interruption in the midst of Popen.wait() can leave its lock taken, and then
    nobody can wait for the child any more.
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
    """Our environment without the variables in drop, with extra added."""
    env = {name: value for name, value in os.environ.items() if name not in drop}
    env.update(extra)
    return env


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
