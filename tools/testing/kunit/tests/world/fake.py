# SPDX-License-Identifier: GPL-2.0
"""A small world for tests: a kernel of a dozen files, fake tools, and a clone.

kunit.py and altmap run in it as for a user: as programs, with a PATH, in their own session.
"""

import atexit
import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import unittest
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

TOOLS = Path(__file__).resolve().parents[2]
DATA = TOOLS / "tests/data"
# Programs in Perl, which starts ten times as fast as Python.
STAND_INS = TOOLS / "tests/stand_ins"
PERL = shutil.which("perl") or "perl"

# In seconds. On a busy machine, a second of work can take much longer.
PATIENCE = 180

# Real programs that the fake PATH leads to.
_REAL_TOOLS = ("git", "xz", "sh", "sleep", "env", "touch", "cat", "make", "tar")
# Programs that only have to exist.
_IDLE_TOOLS = (
    "gcc",
    "flex",
    "bison",
    "bc",
    "perl",
    "ccache",
    "aarch64-linux-gnu-gcc",
    "mypy",
    "dtc",
    "mmdebstrap",
    "cpio",
    "b4",
    "curl",
    "jq",
    "flock",
)

NO_ENV: Mapping[str, str] = {}

# A fake Python. It draws a fixed picture, and runs the fake kunit.py with Perl.
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"/>'
_PYTHON = f"""\
case $1 in
-c) {{draw}};;
*/kunit.py) exec {PERL} "$@";;
*) exec {sys.executable} "$@";;
esac"""

DEBIAN_GITIGNORE = ".*\n*.o\n/vmlinux\n/*\n!/debian/\n"

KERNEL: dict[str, str] = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\n"
    f"Image:\n\t@{PERL} tools/testing/kunit/image $(O)\n"
    f"mm/%.o: FORCE\n\t@{PERL} tools/testing/kunit/image $(O) $@\nFORCE: ;\n",
    "Kbuild": "# Kbuild\n",
    ".gitignore": DEBIAN_GITIGNORE,
    "mm/Makefile": "obj-y := memory.o\n",
    "mm/memory.c": "".join(f"int memory_{n};\n" for n in range(40)),
    "mm/sparse-vmemmap.c": "".join(f"int vmemmap_{n};\n" for n in range(40)),
    "arch/arm64/mm/mmu.c": "".join(f"int mmu_{n};\n" for n in range(40)),
    "include/kunit/attributes.h": "/* speed */\n",
    "tools/testing/kunit/qemu_config.py": "# parameters\n",
}

MAIL = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: {author} <dev@example.org>
Date: Mon, 1 Jan 2024 00:00:00 +0000
Subject: [PATCH] {subject}

Because.
---
{diff}--
2.39
"""


def diff(path: str, old: str, new: str, before: str, after: str) -> str:
    """A hunk that changes one line, with a line of context on either side."""
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -1,3 +1,3 @@\n {before}\n-{old}\n+{new}\n {after}\n"
    )


def patch(path: str, stem: str, number: int, new: str, subject: str = "") -> str:
    """A mailed patch that changes line "int STEM_NUMBER;" of a fake kernel file."""
    body = diff(
        path, f"int {stem}_{number};", new, f"int {stem}_{number - 1};", f"int {stem}_{number + 1};"
    ).replace("@@ -1,3 +1,3 @@", f"@@ -{number},3 +{number},3 @@")
    return MAIL.format(author="A. Developer", subject=subject or f"change {stem}", diff=body)


def _become(script: Path, args: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become that program, in a process that was forked from the tests.

    This saves the time in which a new interpreter imports modules. All worlds of this process
    are at the same path, so they share the modules.
    """
    status = 1
    try:
        # Popen() waits until its pipe to us is closed.
        os.closerange(3, 1024)
        # A background job of a shell ignores SIGINT, and its children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # A new interpreter does this, too.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        os.environ.clear()
        os.environ.update(env)
        tempfile.tempdir = None
        sys.modules.update(_MODULES)
        sys.argv, sys.path[0] = [str(script), *args], str(script.parent)
        sys.executable = shutil.which("python3", path=env["PATH"]) or sys.executable
        sys.stdin = open(0, encoding="utf-8", closefd=False)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
        try:
            exec(compile(script.read_bytes(), script, "exec"), {"__name__": "__main__"})
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


# The modules of the programs, imported from a world.
_MODULES: dict[str, ModuleType] = {}


def _modules_below(directory: Path) -> dict[str, ModuleType]:
    """The modules that were imported from a directory."""
    return {
        name: module
        for name, module in sys.modules.items()
        if str(getattr(module, "__file__", None) or "").startswith(f"{directory}/")
    }


def _import_all(directory: Path) -> None:
    """Fill _MODULES from the tools of a world. The tests keep their own modules."""
    ours = _modules_below(TOOLS)
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(directory))
    try:
        for path in sorted(directory.glob("harness/**/*.py")):
            name = ".".join(path.relative_to(directory).with_suffix("").parts)
            importlib.import_module(name.removesuffix(".__init__"))
        _MODULES.update(_modules_below(directory))
    finally:
        sys.path.remove(str(directory))
        for name in _modules_below(directory):
            del sys.modules[name]
        sys.modules.update(ours)


@dataclass(frozen=True)
class Ran:
    """The status and output of a program that ended."""

    status: int
    stdout: str
    stderr: str


# The path of the world of each test. As it is always the same, prepared trees can be copied.
# A world has thousands of small files, so it is in memory if possible.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_PLACE = Path(_MEMORY or tempfile.gettempdir()) / f"kunit-test-{os.getpid()}"
# The place of the directory harness while no world uses it.
_HARNESS = _PLACE.with_name(f"kunit-harness-{os.getpid()}")
_PREPARED_FLAVOURS = ("series", "baseline", "stock", "fixed")


class World(unittest.TestCase):
    """A temporary directory with a clone of this repository, a kernel package and a PATH.

    kernel, kernel_tool: what is in the package, and which of the stand-ins is its kunit.py.
    is_prepared: whether the trees of the usual flavours are there from the beginning.
    """

    kernel: Mapping[str, str] = KERNEL
    kernel_tool = "kunit"
    is_prepared = True
    _templates: dict[str, Path] = {}

    def setUp(self) -> None:
        self.top = _PLACE
        shutil.rmtree(self.top, ignore_errors=True)
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.repo = self.top / "clone"
        harness = self.repo / "tools/testing/kunit/harness"
        self.bin = self.top / "bin"
        self.build = self.repo / "build"
        self.mark = self.top / "mark"
        self.record = self.top / "record"
        self.env: dict[str, str] = {
            "PATH": str(self.bin),
            "HOME": str(self.top),
            "SOURCES": str(self.top / "src"),
            "FAKE_MARK": str(self.mark),
            "FAKE_RECORD": str(self.record),
            "FAKE_DATA": str(DATA),
        }
        what = json.dumps([self.is_prepared, self.kernel_tool, dict(self.kernel)])
        if what not in World._templates:
            World._templates[what] = self._make_template()
        # Much faster than shutil.copytree().
        subprocess.run(["cp", "-a", World._templates[what], self.top], check=True)
        # No test changes it, so move it instead of copying it.
        _HARNESS.rename(harness)
        self.addCleanup(harness.rename, _HARNESS)

    # --- Set up ---

    def _make_template(self) -> Path:
        """Make the world that each test starts with. Return the path of the copy."""
        self.top.mkdir()
        self._make_path()
        self._make_clone()
        self.pack_kernel(self.kernel)
        tools = self.repo / "tools/testing/kunit"
        if not _MODULES:
            shutil.copytree(TOOLS / "harness", tools / "harness")
            _import_all(tools)
            (tools / "harness").rename(_HARNESS)
            atexit.register(shutil.rmtree, _HARNESS, ignore_errors=True)
        for flavour in _PREPARED_FLAVOURS if self.is_prepared else ():
            self.make_tree(FLAVOUR=flavour)
        for repository in self.build.glob("linux-*/git"):
            # A single pack is faster to copy.
            self.git(repository, "repack", "-adq")
        template = Path(tempfile.mkdtemp(prefix="kunit-template-", dir=_MEMORY))
        atexit.register(shutil.rmtree, template, ignore_errors=True)
        self.top.rename(template / "world")
        return template / "world"

    def _make_path(self) -> None:
        self.bin.mkdir()
        for name in _REAL_TOOLS:
            real = shutil.which(name)
            assert real, f"{name} is needed for these tests"
            (self.bin / name).symlink_to(real)
        for name in _IDLE_TOOLS:
            self.tool(name, "exit 0")
        for name, stand_in in (
            ("qemu-system-aarch64", "qemu"),
            ("aarch64-linux-gnu-objcopy", "objcopy"),
        ):
            shutil.copy(STAND_INS / stand_in, self.bin / name)
        self.tool("python3", _PYTHON.format(draw=f"echo '{PICTURE}'"))
        # Reports that two host tests passed.
        self.tool(
            "pytest-3",
            "for a; do case $a in --junitxml=*) echo \"<s><testcase classname='T' name='a'/>"
            "<testcase classname='T' name='b'/></s>\" >\"${a#*=}\";; esac; done",
        )

    def compiles_for_riscv(self, how: str = "") -> None:
        """A make that does only this for riscv, and otherwise is the real one."""
        for name in ("base", "riscv"):
            self.write(f"lib/kunit-configs/{name}.config", "")
        self.tool("riscv64-linux-gnu-gcc", "")
        others = 'case "$*" in *ARCH=riscv*) ;; *) exec /usr/bin/make "$@";; esac\n'
        config = 'case "$*" in *allnoconfig) : >.kunit-riscv64/.config; exit;; esac\n'
        self.tool("make", others + config + how)

    def tool(self, name: str, script: str) -> None:
        """Put a shell script on the PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def hanging(self, name: str, when: str, first: str = "true") -> None:
        """Make a tool hang if its arguments match the shell pattern when."""
        real = os.path.realpath(self.bin / name)
        self.tool(
            name,
            f'case " $* " in {when}) {first}; sleep 1000 & echo $$ $! >"$FAKE_MARK.tmp"; '
            f'/bin/mv "$FAKE_MARK.tmp" "$FAKE_MARK"; wait;; esac\nexec {real} "$@"',
        )

    def let_it_draw(self) -> None:
        """Let matplotlib draw, which takes a second."""
        self.tool("python3", _PYTHON.format(draw=f'exec {sys.executable} "$@"'))

    def healthy(self, name: str) -> None:
        """Restore the real tool."""
        (self.bin / name).unlink()
        real = shutil.which(name)
        assert real
        (self.bin / name).symlink_to(real)

    def _make_clone(self) -> None:
        shutil.copytree(
            TOOLS,
            self.repo / "tools/testing/kunit",
            ignore=shutil.ignore_patterns(
                "harness", "tests", "mutants", "scenarios", ".mypy_cache"
            ),
        )
        self.write(".gitignore", "/build/\n__pycache__/\n*~\n")
        self.write("patches/tested-on", "6.12.117\n")
        self.write("patches/hooks/series", "# hooks\n0001-hook.patch\n")
        self.write("patches/hooks/0001-hook.patch", patch("mm/memory.c", "memory", 3, "int hook;"))
        self.write("patches/baseline/series", "0001-baseline.patch\n")
        self.write(
            "patches/baseline/0001-baseline.patch",
            patch("mm/sparse-vmemmap.c", "vmemmap", 3, "int baseline;"),
        )
        self.write("patches/fixes/series", "# none\n")
        self.write("patches/speed/series", "# none\n")
        self.write("patches/series/series", "0001-one.patch\n0002-two.patch # the second\n")
        self.write(
            "patches/series/0001-one.patch", patch("mm/sparse-vmemmap.c", "vmemmap", 20, "int one;")
        )
        self.write(
            "patches/series/0002-two.patch", patch("arch/arm64/mm/mmu.c", "mmu", 20, "int two;")
        )
        self.write("mm/tests/.kunitconfig", "CONFIG_KUNIT=y\n")
        self.write("mm/tests/vmemmap_kunit.c", "/* a suite */\n")
        self.write("Documentation/index.rst", "ours\n")
        self.write("Documentation/mm/altmap.rst", "a page\n")
        for name in ("base", "arm64", "riscv", "4k", "16k", "64k", "debug"):
            self.write(f"lib/kunit-configs/{name}.config", "")

    def write(self, path: str, text: str) -> Path:
        """Write a file of the clone."""
        full = self.repo / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
        return full

    def _tools(self) -> dict[str, str]:
        """The fake tools that build and boot a kernel, in its tree."""
        return {
            "tools/testing/kunit/kunit.py": (STAND_INS / self.kernel_tool).read_text(),
            "tools/testing/kunit/image": (STAND_INS / "image").read_text(),
        }

    def pack_kernel(
        self, files: Mapping[str, str], mtime: int = 1, directory: str = "src", base: str = "6.12"
    ) -> Path:
        """Make the package of a kernel."""
        path = self.top / directory / f"linux-source-{base}.tar.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:xz") as tar:
            for name, text in {**files, **self._tools()}.items():
                member = tarfile.TarInfo(f"linux-source-{base}/{name}")
                data = text.encode()
                member.size = len(data)
                member.mode = 0o755 if name.endswith("kunit.py") else 0o644
                tar.addfile(member, io.BytesIO(data))
            link = tarfile.TarInfo(f"linux-source-{base}/mm/link")
            link.type, link.linkname = tarfile.SYMTYPE, "memory.c"
            tar.addfile(link)
        os.utime(path, (mtime, mtime))
        return path

    def unpack_kernel(self, name: str = "linux") -> Path:
        """A kernel tree of the user's."""
        tree = self.top / name
        for path, text in {**self.kernel, **self._tools()}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        return tree

    # --- Run programs ---

    def front_end(self, *args: str, cwd: Path | None = None, **env: str) -> Ran:
        """Run kunit.py with these arguments."""
        return self.finish(self.start("kunit.py", *args, cwd=cwd, env=env))

    def make_tree(self, **env: str) -> Path:
        """Run make tree, which must succeed. Return the path that it prints."""
        ran = self.finish(self.start("tree", env=env))
        self.assertEqual(0, ran.status, ran.stderr)
        return Path(ran.stdout.splitlines()[-1])

    def program(self, name: str, *args: str, **env: str) -> Ran:
        """Run kunit.py or a command of altmap. It must not print a traceback."""
        return self.finish(self.start(name, *args, env=env))

    def start(
        self, name: str, *args: str, cwd: Path | None = None, env: Mapping[str, str] = NO_ENV
    ) -> "subprocess.Popen[str]":
        """Start kunit.py or a command of altmap in its own process group, as a shell does."""
        tools = self.repo / "tools/testing/kunit"
        script, args = (
            (tools / name, args) if name == "kunit.py" else (tools / "altmap", (name, *args))
        )
        child = subprocess.Popen(
            [sys.executable, str(script), *args],
            cwd=cwd or self.repo,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: _become(script, args, {**self.env, **env}),
        )
        self.addCleanup(self._kill, child)
        return child

    @staticmethod
    def _kill(child: "subprocess.Popen[str]") -> None:
        if child.poll() is None:
            child.kill()
            child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()

    def finish(self, child: "subprocess.Popen[str]") -> Ran:
        """Wait for a program from start()."""
        stdout, stderr = child.communicate(timeout=PATIENCE)
        self.assertNotIn("Traceback", stderr)
        return Ran(child.returncode, stdout, stderr)

    def wait_for_hang(self, child: "subprocess.Popen[str]") -> list[int]:
        """Wait until a tool from hanging() hangs. Return its processes."""
        end = time.monotonic() + PATIENCE
        while not self.mark.exists():
            if child.poll() is not None or time.monotonic() > end:
                self.fail(f"nothing hung: {self.finish(child)}")
            time.sleep(0.01)
        return [int(pid) for pid in self.mark.read_text().split()]

    def interrupt(self, child: "subprocess.Popen[str]", signum: int = signal.SIGINT) -> Ran:
        """Interrupt a program as Ctrl-C does."""
        os.killpg(child.pid, signum)
        return self.finish(child)

    def assert_gone(self, pids: list[int]) -> None:
        """Check that none of these processes runs. Zombies do not count.

        The kernel may take a moment to end a process that was killed.
        """
        end = time.monotonic() + 10
        while (left := [pid for pid in pids if _is_running(pid)]) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual([], left, "left running")

    # --- Check ---

    def recorded(self) -> dict[str, Any]:
        """The arguments, directory and environment of the fake kunit.py."""
        count, *words = self.record.read_text().split("\0")
        cwd = int(count)
        env = words[cwd + 1 :]
        return {"argv": words[:cwd], "cwd": words[cwd], "env": dict(zip(env[::2], env[1::2]))}

    def git(self, tree: Path, *args: str) -> str:
        """Run git in a tree, as a user does."""
        done = subprocess.run(
            ["git", *args], cwd=tree, env=self.env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def assert_error(self, ran: Ran, status: int, *words: str) -> None:
        """Check the status, and that there is an error message with a next step and these words."""
        self.assertEqual(status, ran.status, ran.stderr)
        self.assertIn("error: ", ran.stderr)
        self.assertIn("\nnext: ", ran.stderr)
        for word in words:
            self.assertIn(word, ran.stderr)


def _is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def listing(directory: Path) -> dict[str, Any]:
    """Everything below a directory: kind, size, mode, times and content."""
    found: dict[str, Any] = {}
    for path in sorted(directory.rglob("*")):
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, content)
    return found
