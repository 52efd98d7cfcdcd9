# SPDX-License-Identifier: GPL-2.0
"""A prepared tree with a config, built and booted by the tree's kunit.py."""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base import process
from harness.base.console import tail
from harness.base.errors import CommandError, DiskSpaceError
from harness.kernel import defaults, frontend, image, incremental
from harness.kernel.finding import Finding, Kind, Place, Stage
from harness.kernel.options import CommandLine
from harness.request.settings import CPU_VARIABLE, Settings

# In seconds. A guest takes a few; a build on a slow machine takes half an hour.
GUEST_TIME = 120
BUILD_TIME = 3600
# Kernels with these take this many times longer.
_SLOW, _SLOW_FACTOR = frozenset({"debug", "kasan", "s390"}), 3

_MACHINE = re.compile(
    r"No space left on device|Disk quota exceeded|Killed signal|Cannot allocate memory|"
    r"virtual memory exhausted|internal compiler error|Input/output error"
)
_COMPILER_MESSAGE = re.compile(r"error: |undefined reference|\*\*\*|ERROR:|Missing: |No such file")


class Kernel:
    """A kernel, built in the tree's directory .kunit-CONFIG or in build_dir.

    make_options are variables for make, as in "NAME=value". name is the prefix of the log files
    in the directory out.
    """

    def __init__(
        self,
        tree: Path,
        wanted: Settings,
        out: Path,
        name: str,
        build_dir: Path | None = None,
        make_options: Sequence[str] = (),
    ) -> None:
        self._tree = tree
        self._wanted = wanted
        self._out = out
        self._name = name
        self._options = [f"--build_dir={build_dir}"] if build_dir else []
        self._make_options = [f"--make_options={option}" for option in make_options]
        self.build_dir = build_dir or tree / f".kunit-{wanted.config}"

    def log(self, what: str) -> Path:
        """The path of a log: "config", "build", "exec" or "console"."""
        return self._out / f"{self._name}.{what}.log"

    def configure(self, timeout: float = BUILD_TIME, *more: str) -> Finding | None:
        """Write a .config with kunit.py. Return None on success.

        Raises process.TimedOut and the exceptions of require_healthy_machine().
        """
        return self._made("config", Kind.CONFIG, timeout, *more)

    def build(self, timeout: float = BUILD_TIME) -> Finding | None:
        """Configure and build, unless nothing changed. Return None on success.

        Raises process.TimedOut and the exceptions of require_healthy_machine().
        """
        known = incremental.Build(self._line("build"), self._tree)
        if not known.is_supported():
            return self._made("build", Kind.BUILD, timeout)
        inputs = known.inputs()
        if known.is_up_to_date(inputs):
            return None
        known.forget()
        failed = self._made("build", Kind.BUILD, timeout)
        if not failed:
            known.remember(inputs)
        return failed

    def _made(self, what: str, kind: Kind, timeout: float, *more: str) -> Finding | None:
        log = self.log(what)
        if self._tool(log, timeout, what, *more) == 0:
            return None
        text = log.read_text(errors="replace")
        require_healthy_machine(text)
        said = compiler_messages(text)
        return Finding(kind, f"the {what} failed: see {log}", said, Place(Stage.BUILD))

    def boot(
        self,
        timeout: int = GUEST_TIME,
        arguments: Sequence[str] = (),
        cpu: str = "",
        attempt: int = 1,
    ) -> str:
        """Run the suites in a guest and return its console log.

        arguments are passed to kunit.py exec. cpu is a QEMU model other than the default. A
        guest is ended after timeout seconds. A second attempt has log files of its own. Raises
        CommandError if QEMU did not start, and process.TimedOut.
        """
        console = self.build_dir / "test.log"
        console.unlink(missing_ok=True)
        tool = self.log("exec" if attempt == 1 else f"exec-{attempt}")
        self._tool(tool, timeout + 60, "exec", f"--timeout={timeout}", *arguments, cpu=cpu)
        if not console.exists():
            raise CommandError(
                "QEMU was not started", f"see {tool}", tail(tool.read_text(errors="replace"))
            )
        kept = self.log("console" if attempt == 1 else f"console-{attempt}")
        shutil.copyfile(console, kept)
        return kept.read_text(errors="backslashreplace")

    def _line(self, *args: str) -> CommandLine:
        more = [*self._options, *self._make_options]
        return defaults.command_line(self._wanted, *args, *more)

    def _tool(self, log: Path, timeout: float, *args: str, cpu: str = "") -> int:
        argv = [sys.executable, str(self._tree / frontend.TOOL), *self._line(*args).argv()]
        env = image.build_env(**({CPU_VARIABLE: cpu} if cpu else {}))
        return process.run_logged(argv, str(log), cwd=str(self._tree), env=env, timeout=timeout)


def slowness(config: str) -> int:
    """The factor by which guests with this config are slower."""
    return _SLOW_FACTOR if _SLOW & set(config.split("-")) else 1


def require_healthy_machine(log: str) -> None:
    """Raise DiskSpaceError or CommandError if a build failed because of the machine."""
    if not _MACHINE.search(log):
        return
    failure = process.failure(["make"], 2, log)
    if isinstance(failure, DiskSpaceError):
        raise failure
    raise CommandError(
        "the build failed because of this machine, not because of the code",
        "free some memory or use a smaller JOBS, then try again",
        "\n".join(line for line in log.splitlines() if _MACHINE.search(line)),
    )


def compiler_messages(log: str) -> tuple[str, ...]:
    """The first error messages of the compiler, make or Kconfig in a log."""
    # kunit.py prints this before make's output.
    lines = [line.removeprefix("ERROR:root:") for line in log.splitlines()]
    lines = [line for line in lines if _COMPILER_MESSAGE.search(line)]
    return tuple(lines[:5]) or tuple(tail(log, 5).splitlines())
