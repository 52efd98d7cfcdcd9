# SPDX-License-Identifier: GPL-2.0
"""The one place where other programs are started.

Each program leads its own session, so that it and all that it starts can be
ended as a whole: on a timeout, on Ctrl-C and on SIGTERM. Nothing outlives us.
"""

import collections
import contextlib
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType
from typing import (
    IO, Any, Callable, Deque, Dict, Generator, Generic, Iterable, Iterator, List, Mapping,
    Optional, Sequence, TypeVar, Union,
)  # fmt: skip

from harness.base import errors
from harness.base.console import Stopwatch, say, tail
from harness.base.errors import ROOM, CommandError, DiskSpaceError, ExitStatus, KunitError, MissingToolError

# A guest or a compiler that was asked to end gets this long, in seconds.
GRACE = 5.0

# How often it is looked who is done first, in seconds.
_POLL = 0.05

_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Files that children hold open too. With a lock among them, what an untimely
# end of ours leaves running keeps the lock until it is done.
shared_files: List[int] = []

Stream = Union[int, IO[Any], None]


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM arrived. signum says which."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


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
    """A thread's program was ended because the main thread no longer wants it."""


@dataclass(frozen=True)
class Completed:
    """What a program left behind."""

    status: int
    stdout: str
    stderr: str


class _Held:
    """Signals that arrive while a child is being started or ended wait."""

    depth = 0
    pending: Optional[int] = None


def _on_signal(signum: int, _frame: Optional[FrameType]) -> None:
    if _Held.depth:
        _Held.pending = signum
    else:
        raise Interrupted(signum)


def catch_signals() -> None:
    """Turn Ctrl-C, SIGTERM and SIGHUP into Interrupted, raised where we are."""
    for signum in _CAUGHT:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _on_signal)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Do something whole: an interruption is raised when the block is left.

    Signals are the main thread's business: in another one there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        if _Held.depth == 0 and _Held.pending is not None:
            signum, _Held.pending = _Held.pending, None
            raise Interrupted(signum)


@contextlib.contextmanager
def started(
    argv: Sequence[str],
    *,
    cwd: Optional[str] = None,
    env: Optional[Mapping[str, str]] = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    first_signal: int = signal.SIGTERM,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run argv while the block lasts; whatever is left of it then is ended.

    first_signal is what its process group is sent first.
    Raises MissingToolError when there is no such program, CommandError when it
    cannot be started for another reason, and Abandoned in a Task that nobody
    waits for any more.
    """
    child: Optional["subprocess.Popen[bytes]"] = None
    task = Task.current()
    try:
        with signals_held(), task.starting() if task else contextlib.nullcontext():
            try:
                child = subprocess.Popen(
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
            if task:
                task.child = child
        yield child
    finally:
        if child is not None:
            with signals_held():
                if task:
                    task.ending()
                end(child, first_signal)
                for pipe in (child.stdin, child.stdout, child.stderr):
                    if pipe is not None:
                        with contextlib.suppress(OSError):
                            pipe.close()


def _not_started(program: str, cwd: Optional[str], error: OSError) -> KunitError:
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


T = TypeVar("T")


class Task(Generic[T]):
    """A function that runs in a thread of its own, and what it returns.

    As signals reach only the main thread, that one has to end the others:
    leaving the block that a task is used in ends the program that it has
    started, and waits for it.
    """

    _local = threading.local()

    def __init__(self, function: Callable[[], T]) -> None:
        self.child: Optional["subprocess.Popen[bytes]"] = None
        self._function = function
        self._lock = threading.Lock()
        self._abandoned = False
        self._result: List[T] = []
        self._error: Optional[BaseException] = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def current() -> Optional["Task[Any]"]:
        """The task that this code runs in."""
        found: Optional["Task[Any]"] = getattr(Task._local, "task", None)
        return found

    def __enter__(self) -> "Task[T]":
        with signals_held():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with signals_held():
            with self._lock:
                self._abandoned = True
                if self.child:
                    _signal_group(self.child.pid, signal.SIGTERM)
            self._thread.join()

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Start a child, unless it would outlive the task. Raises Abandoned."""
        with self._lock:
            if self._abandoned:
                raise Abandoned
            yield

    def ending(self) -> None:
        """The child is no longer the main thread's to end."""
        with self._lock:
            self.child = None

    @property
    def is_done(self) -> bool:
        """Whether result() returns at once."""
        return self._done.is_set()

    def result(self) -> T:
        """Wait for the function; return what it returned, or raise what it raised."""
        self._done.wait()
        if self._error:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        Task._local.task = self
        try:
            self._result.append(self._function())
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error
        finally:
            self._done.set()


def in_turn(functions: Iterable[Callable[[], T]], at_once: int) -> Iterator[T]:
    """Call functions in tasks, so many at once; what they return, in their order."""
    with contextlib.ExitStack() as stack:
        left: Deque[Task[T]] = collections.deque()
        for function in functions:
            while len(running := [task for task in left if not task.is_done]) >= at_once:
                wait_for_any(running)
            while left and left[0].is_done:
                yield left.popleft().result()
            left.append(stack.enter_context(Task(function)))
        while left:
            yield left.popleft().result()


def ahead(functions: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
    """Call functions one after the other, each in a task while the caller is busy with
    what the one before returned; what they return, in their order.

    Close it when not all is taken.
    """
    with contextlib.ExitStack() as stack:
        tasks: List[Task[T]] = []
        for function in functions:
            done = [task.result() for task in tasks]
            tasks = [stack.enter_context(Task(function))]
            yield from done
        for task in tasks:
            yield task.result()


def wait_for_any(tasks: Sequence["Task[T]"], seconds: float = math.inf) -> None:
    """Return as soon as one of the tasks is done, or after some seconds."""
    watch = Stopwatch()
    while watch.seconds < seconds and not any(task.is_done for task in tasks):
        time.sleep(_POLL)


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
    cwd: Optional[str] = None,
    env: Optional[Mapping[str, str]] = None,
    data: Optional[bytes] = None,
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
    cwd: Optional[str] = None,
    env: Optional[Mapping[str, str]] = None,
    timeout: Optional[float] = None,
) -> int:
    """Run a program with all that it says going to the file log; return its status.

    Raises TimedOut.
    """
    with open(log, "wb") as output, started(
        argv, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT
    ) as child:
        status = _wait(child, timeout)
    if status is None:
        raise TimedOut(
            f"{shlex.join(argv)}: not done after {timeout:.0f} s",
            f"see how far it came in {log}; if this machine was busy, try again",
        )
    return status


def _wait(child: "subprocess.Popen[bytes]", timeout: Optional[float]) -> Optional[int]:
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


def clean_env(drop: Sequence[str] = (), **extra: str) -> Dict[str, str]:
    """Our environment without the variables in drop, with extra added."""
    env = {name: value for name, value in os.environ.items() if name not in drop}
    env.update(extra)
    return env


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def main_guard(main: Callable[[List[str]], int], argv: List[str]) -> int:
    """Call a program's main function; turn expected errors into messages.

    Returns the exit status: main's own, that of a KunitError, or 128 plus the
    signal's number after an interruption.
    """
    catch_signals()
    try:
        return main(argv)
    except KunitError as error:
        print(error, file=sys.stderr)
        return int(error.status)
    except Interrupted as interruption:
        say("interrupted; the next run carries on from here")
        return 128 + interruption.signum
    except BrokenPipeError:
        # Whoever read our output has gone, as with "| head".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        print(errors.of_system(error), file=sys.stderr)
        return int(ExitStatus.ERROR)
