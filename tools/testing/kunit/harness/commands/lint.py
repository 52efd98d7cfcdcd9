# SPDX-License-Identifier: GPL-2.0
"""make lint: what the kernel's checkers, and ours, have to say about what goes out.

Silent when all is well: findings go to stdout, a line each, and progress to stderr.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import packages, process
from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError, ExitStatus
from harness.base.packages import Requirement
from harness.kernel import defaults, options
from harness.kernel.kernel import Kernel
from harness.outgoing import mails
from harness.outgoing.mails import Exported
from harness.request import settings
from harness.request.settings import REPO, TOOLS, Settings
from harness.request.variables import KERNEL, Command
from harness.trees import debian, diff, worktree
from harness.trees.git import Git, environment
from harness.verdict import host_tests, remarks

# All that is touched is in it: fault injection, kmemleak and the rest.
CONFIG = "4k-debug-kmemleak"
# In seconds, for what is compiled by one of the checks.
COMPILE_TIME = 1800
# The oldest clang that Linux 6.12 takes.
CLANG_NEEDED = (13, 0)
# What a compiler for arm64 can make.
_OURS = re.compile(r"(?!arch/)|arch/arm64/")

# What checkpatch cannot know, by the kind of its remark.
_NOT_KNOWN_TO_CHECKPATCH: dict[str, str] = {
    "UNKNOWN_COMMIT_ID": "a prepared tree has not the kernel's history",
    "NO_AUTHOR_SIGN_OFF": "who exports signs off; an author who is another has yet to",
    "FILE_PATH_CHANGES": "another patch of the series adds the entry to MAINTAINERS",
}

# Likewise, by rule and file.
_NOT_KNOWN_TO_COCCINELLE: dict[tuple[str, str], str] = {
    ("kfree.cocci", "mm/tests/fake_dev.c"): "kunit_skip(), after a kfree(), does not return"
}


@dataclass(frozen=True)
class Scene:
    """What is looked at: a tree, the commit that it started from, and what goes out."""

    wanted: Settings
    tree: Path
    origin: str
    series: tuple[Exported, ...]
    out: Path

    def touched(self, *suffixes: str) -> list[str]:
        """The files that the series touch, with one of these suffixes."""
        names = {n for s in self.series for m in s.mails for n in diff.files(m.read_bytes())}
        return sorted(n for n in names if n.endswith(suffixes) and (self.tree / n).exists())

    def is_ours(self, line: str) -> bool:
        """Whether a compiler's message is about a file that is touched."""
        return line.partition(":")[0] in self.touched(".c", ".h")

    def about_our_lines(self, said: Sequence[str]) -> list[str]:
        """Those of the messages that are about lines that are not the kernel's own."""
        names = self.touched(".c", ".h")
        git = Git(self.tree / ".git", work_tree=self.tree)
        ours = diff.added(git.out("diff", "-U0", "--no-renames", self.origin, "--", *names))
        places = [(line, line.split(":")) for line in said]
        return [line for line, place in places if int(place[1]) in ours.get(place[0], {})]

    @property
    def objects(self) -> list[str]:
        """What a compiler for arm64 makes of the touched files."""
        return [f"{name[:-2]}.o" for name in self.touched(".c") if _OURS.match(name)]


@dataclass(frozen=True)
class Check:
    """One of the checkers: it returns findings, a line each."""

    name: str
    do: Callable[[Scene], list[str]]
    needs: tuple[Requirement, ...] = ()


COMMAND = Command(
    "make lint",
    KERNEL,
    "check what goes out: checkpatch, W=1, sparse, clang, coccinelle and more",
    "altmap lint",
)


def main(environ: Mapping[str, str]) -> int:
    """Run all checks; 0 if none of them has a remark."""
    wanted = debian.resolve(replace(settings.read(environ), flavour="series", config=CONFIG))
    cross = defaults.needs_cross_package(options.take_apart(["build"]))
    build = [*worktree.requirements(wanted), *packages.for_build(cross)]
    packages.ensure([*build, *(need for one in CHECKS for need in one.needs)])
    out = wanted.build / "results/lint"
    origin = worktree.stack(replace(wanted, flavour="stock"), with_tests=False).commit
    scene = Scene(wanted, worktree.prepare(wanted), origin, mails.export(wanted), out)
    scene.out.mkdir(parents=True, exist_ok=True)
    found = 0
    watch = Stopwatch()
    for number, one in enumerate(CHECKS, 1):
        say(f"[{watch.seconds:4.0f} s] {number}/{len(CHECKS)}: {one.name} ...")
        for line in one.do(scene):
            print(f"{one.name}: {line}", flush=True)
            found += 1
    say(f"[{watch.seconds:4.0f} s] {found or 'no'} findings")
    return int(ExitStatus.FAILED if found else ExitStatus.OK)


# --- Patches and text -----------------------------------------------------


def checkpatch(scene: Scene) -> list[str]:
    """Ask the tree's checkpatch.pl about each mail."""
    found: list[str] = []
    for series in scene.series:
        entry = any("MAINTAINERS" in diff.files(mail.read_bytes()) for mail in series.mails)
        for mail in series.mails:
            for remark in remarks.checkpatch(scene.tree, mail) or ():
                excused = remark.kind in _NOT_KNOWN_TO_CHECKPATCH
                if remark.kind == "FILE_PATH_CHANGES" and not entry:
                    excused = False
                if not excused:
                    found.append(f"{series.name}/{mail.name}: {remark}")
    return found


def kernel_doc(scene: Scene) -> list[str]:
    """Let kernel-doc read the comments in what is touched."""
    argv = ["perl", "scripts/kernel-doc", "-none", *scene.touched(".c", ".h")]
    done = process.run(argv, cwd=str(scene.tree), expect=range(256))
    return _lines(done.stderr + done.stdout, r"^\S+:\d+: (?:warning|error): ")


def codespell(scene: Scene) -> list[str]:
    """Look for words that are often misspelt. Host tests misspell some on purpose."""
    tests = "tools/testing/kunit/tests/"
    files = [f for f in _tracked() if not f.startswith(tests) and f != "COPYING"]
    covers = [str(s.directory / mails.COVER) for s in scene.series]
    # mm/damon, and the devices of libnvdimm.
    argv = ["codespell", "--quiet-level=3", "--ignore-words-list=damon,nd", *files, *covers]
    done = process.run(argv, cwd=str(REPO), expect=range(256))
    return _lines(done.stdout, r"==>")


def shellcheck(_: Scene) -> list[str]:
    """Check each shell script."""
    scripts = [f for f in _tracked() if f.endswith(".sh") or _is_shell(REPO / f)]
    # What dash and busybox have may be used: SC3043 is about "local".
    argv = ["shellcheck", "--format=gcc", "--severity=warning", "--exclude=SC3043", *scripts]
    return _lines(process.run(argv, cwd=str(REPO), expect=(0, 1)).stdout, ".")


def mypy(_: Scene) -> list[str]:
    """The check of types that make check does as well."""
    return [line for finding in host_tests.type_check().findings for line in finding.log]


def python(_: Scene) -> list[str]:
    """The format of the Python code, and what pyflakes finds in it."""
    sources = ["altmap", "kunit.py", "harness", "tests"]
    found: list[str] = []
    for argv in (["black", "--check", "-q"], ["isort", "--check", "-q"], ["pyflakes3"]):
        done = process.run([*argv, *sources], cwd=str(TOOLS), expect=range(256))
        said = (done.stdout + done.stderr).splitlines()
        found += said or ([f"{argv[0]} would change something"] if done.status else [])
    return found


def _tracked() -> list[str]:
    """The files of this repository, new ones too."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    names = process.run(argv, cwd=str(REPO), env=environment()).stdout.split("\0")
    return [name for name in names if name and (REPO / name).is_file()]


def _is_shell(path: Path) -> bool:
    with open(path, "rb") as file:
        first = file.readline(80)
    return re.match(rb"#!\s*/(?:usr/)?bin/(?:env )?(?:ba|da)?sh\b", first) is not None


def _lines(text: str, pattern: str) -> list[str]:
    """The lines that are findings."""
    return [line for line in text.splitlines() if re.search(pattern, line)]


# --- Code -----------------------------------------------------------------


def gcc(scene: Scene) -> list[str]:
    """Compile what is touched with W=1."""
    return _compile(scene, "gcc", "W=1")


def sparse(scene: Scene) -> list[str]:
    """Let sparse read it. The kernel's own code is not free of what it complains of."""
    return scene.about_our_lines(_compile(scene, "gcc", "C=2"))


def clang(scene: Scene) -> list[str]:
    """Compile it with clang and W=1, if there is one that the kernel takes."""
    said = process.run(["clang", "--version"]).stdout
    version = re.search(r"version (\d+)\.(\d+)", said)
    if not version or (int(version[1]), int(version[2])) < CLANG_NEEDED:
        say("  clang is older than the kernel wants, and is left out")
        return []
    return _compile(scene, "clang", "W=1", "--make_options=LLVM=1")


def _compile(scene: Scene, name: str, what: str, *more: str) -> list[str]:
    """What is said when the objects are made, in a directory of the compiler's name."""
    build_dir = scene.tree / f".lint-{name}"
    kernel = Kernel(scene.tree, scene.wanted, scene.out, name, build_dir)
    failed = kernel.configure(COMPILE_TIME, *more)
    if failed:
        raise CommandError(failed.text, "see there", "\n".join(failed.log))
    variables = [*remarks.make_variables(scene.wanted, *more), what]
    said, _ = remarks.compile_objects(
        scene.tree, build_dir, variables, scene.objects, kernel.log(what), COMPILE_TIME
    )
    return [line for line in said if scene.is_ours(line)]


def coccinelle(scene: Scene) -> list[str]:
    """Apply the kernel's semantic patches that can report."""
    files = [name for name in scene.touched(".c") if _OURS.match(name)]
    found: list[str] = []
    rules = [
        (rule, rule.read_text(errors="replace"))
        for rule in sorted((scene.tree / "scripts/coccinelle").rglob("*.cocci"))
    ]
    rules = [(rule, text) for rule, text in rules if "virtual report" in text]
    for number, (rule, text) in enumerate(rules, 1):
        if number % 10 == 1:
            say(f"  rule {number} of {len(rules)} ...")
        given = re.search(r"^// Options: (.*)$", text, re.MULTILINE)
        argv = [
            "spatch",
            "-D",
            "report",
            "--no-show-diff",
            "--very-quiet",
            *(given[1].split() if given else ()),
            "--cocci-file",
            str(rule),
            *files,
        ]
        done = process.run(argv, cwd=str(scene.tree), expect=range(256))
        for line in scene.about_our_lines(_lines(done.stdout, r"^[^\s:]+:\d+:")):
            if (rule.name, line.partition(":")[0]) not in _NOT_KNOWN_TO_COCCINELLE:
                found.append(f"{rule.name}: {line}")
    return found


CHECKS: tuple[Check, ...] = (
    Check("checkpatch", checkpatch, (packages.PERL,)),
    Check("kernel-doc", kernel_doc, (packages.PERL,)),
    Check("codespell", codespell, (Requirement("codespell", "codespell"),)),
    Check("shellcheck", shellcheck, (Requirement("shellcheck", "shellcheck"),)),
    Check("mypy", mypy, (packages.MYPY,)),
    Check(
        "python",
        python,
        (
            Requirement("black", "black"),
            Requirement("isort", "isort"),
            Requirement("pyflakes3", "pyflakes3"),
        ),
    ),
    Check("gcc", gcc),
    Check("sparse", sparse, (Requirement("sparse", "sparse"),)),
    Check(
        "clang",
        clang,
        (
            Requirement("clang", "clang"),
            Requirement("ld.lld", "lld"),
            Requirement("llvm-nm", "llvm"),
        ),
    ),
    Check("coccinelle", coccinelle, (Requirement("spatch", "coccinelle"),)),
)
