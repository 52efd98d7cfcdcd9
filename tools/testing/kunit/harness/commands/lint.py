# SPDX-License-Identifier: GPL-2.0
"""make lint: run the kernel's checkers and others on everything that is sent or published.

Findings go to stdout, a line each. Progress goes to stderr.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, packages, process
from harness.base.console import Stopwatch, counted, say
from harness.base.errors import CommandError, ExitStatus
from harness.base.packages import Requirement
from harness.kernel import machine
from harness.kernel.kernel import Kernel
from harness.mutation import mutant as mutation_mutant
from harness.outgoing import mails
from harness.outgoing.mails import Exported
from harness.request import settings
from harness.request.settings import Settings
from harness.request.variables import OWN_TREES, Command
from harness.trees import debian, diff, git, worktree
from harness.verdict import own_files, remarks
from harness.verdict.remarks import lines

# A config that compiles all touched code: fault injection, kmemleak and so on.
CONFIG = "4k-debug-kmemleak"
# In seconds, for the compilations of one check.
COMPILE_TIME = 1800
# The oldest clang that Linux 6.12 takes.
CLANG_NEEDED = (13, 0)
# The tree that has the code of an exported series. That of any other is in "series".
_TREES = {"speed": "fast"}
# The files that an arm64 kernel compiles.
_OURS = re.compile(r"(?!arch/)|arch/arm64/")

# False positives of checkpatch, by the type of the message.
_NOT_KNOWN_TO_CHECKPATCH: dict[str, str] = {
    "UNKNOWN_COMMIT_ID": "a prepared tree does not have the kernel's history",
    "NO_AUTHOR_SIGN_OFF": "the exporting user signs off; another author still has to",
    "EMAIL_SUBJECT": "a subject about mm/sparse-vmemmap.c does not name the tool sparse",
    "FILE_PATH_CHANGES": "another patch of the series adds the entry to MAINTAINERS",
}

# False positives of coccinelle, by rule and file.
_NOT_KNOWN_TO_COCCINELLE: dict[tuple[str, str], str] = {
    ("kfree.cocci", "mm/tests/fake_dev.c"): "kunit_skip(), after a kfree(), does not return"
}


@dataclass(frozen=True)
class Context:
    """A tree to check, the commit that it started from, and the exported series in it."""

    wanted: Settings
    tree: Path
    origin: str
    series: tuple[Exported, ...]
    out: Path

    def touched(self, *suffixes: str) -> list[str]:
        """The files with one of these suffixes that the series touch, and that differ."""
        names = {n for s in self.series for m in s.mails for n in diff.files(m.read_bytes())}
        return sorted(n for n in names if n.endswith(suffixes) and n in self._added)

    def is_ours(self, line: str) -> bool:
        """Whether a compiler message is about a touched file."""
        return line.partition(":")[0] in self.touched(".c", ".h")

    def about_our_lines(self, said: Sequence[str]) -> list[str]:
        """The messages about lines that the series add."""
        places = [(line, line.split(":")) for line in said]
        return [line for line, place in places if int(place[1]) in self._added.get(place[0], {})]

    @functools.cached_property
    def _added(self) -> Mapping[str, Mapping[int, str]]:
        return git.of_tree(self.tree).added(self.origin)

    @property
    def objects(self) -> list[str]:
        """The objects of touched files in an arm64 kernel."""
        return [f"{name[:-2]}.o" for name in self.touched(".c") if _OURS.match(name)]


@dataclass(frozen=True)
class Check:
    """A checker. It returns findings, a line each."""

    name: str
    do: Callable[[Context], list[str]]
    needs: tuple[Requirement, ...] = ()
    # Whether it checks kernel code. Any other checks this repository, whatever the tree is.
    of_code: bool = True


COMMAND = Command(
    "make lint",
    OWN_TREES,
    "run checkpatch, W=1, sparse, clang, coccinelle and more on all patches",
    "altmap lint",
    own_trees="unset KSRC",
)


def main(environ: Mapping[str, str]) -> int:
    """Run all checks. Returns 0 if there are no findings."""
    wanted = debian.resolve(replace(settings.read(environ), flavour="series", config=CONFIG))
    needed = [need for one in CHECKS for need in one.needs]
    packages.ensure([*machine.for_build(wanted), *needed])
    out = builddir.results(wanted.build, "lint")
    contexts = _contexts(wanted, out)
    todo = [(one, c) for one in CHECKS for c in (contexts if one.of_code else contexts[:1])]
    found: set[str] = set()
    watch = Stopwatch()
    for number, (one, context) in enumerate(todo, 1):
        where = f" on {context.wanted.flavour}" if one.of_code else ""
        watch.say(f"{number}/{len(todo)}: {one.name}{where} ...")
        for line in one.do(context):
            finding = f"{one.name}: {line}"
            if finding not in found:
                print(finding, flush=True)
            found.add(finding)
    watch.say(counted(len(found), "finding") if found else "no findings")
    return int(ExitStatus.FAILED if found else ExitStatus.OK)


def _contexts(wanted: Settings, out: Path) -> list[Context]:
    """A context for each tree that has the code of an exported series."""
    origin = worktree.stack(replace(wanted, flavour="stock"), with_tests=False).commit
    series: dict[str, list[Exported]] = {}
    for exported in mails.export(wanted):
        series.setdefault(_TREES.get(exported.name, wanted.flavour), []).append(exported)
    found = []
    for flavour, ones in sorted(series.items(), reverse=True):
        settled = replace(wanted, flavour=flavour)
        found.append(Context(settled, worktree.prepare(settled), origin, tuple(ones), out))
    return found


def checkpatch(context: Context) -> list[str]:
    """Run the tree's checkpatch.pl on each mail."""
    found: list[str] = []
    for series in context.series:
        entry = any("MAINTAINERS" in diff.files(mail.read_bytes()) for mail in series.mails)
        for mail in series.mails:
            for remark in remarks.checkpatch(context.tree, mail) or ():
                is_known = remark.kind in _NOT_KNOWN_TO_CHECKPATCH
                if not is_known or (remark.kind == "FILE_PATH_CHANGES" and not entry):
                    found.append(f"{series.name}/{mail.name}: {remark}")
    return found


def kernel_doc(context: Context) -> list[str]:
    """Run kernel-doc on the comments in touched files."""
    argv = ["perl", "scripts/kernel-doc", "-none", *context.touched(".c", ".h")]
    done = process.run(argv, cwd=str(context.tree), expect=range(256))
    return lines(done.stderr + done.stdout, r"^\S+:\d+: (?:warning|error): ")


def mutants(context: Context) -> list[str]:
    """Try to apply each handwritten mutant of the tree's flavour."""
    found: list[str] = []
    tree = git.of_tree(context.tree)
    for mutant in mutation_mutant.written(context.wanted.flavour):
        argv = ["apply", "--check", "--whitespace=nowarn"]
        done = tree.run(*argv, data=mutant.diff, expect=(0, 1, 128))
        if done.status:
            found.append(f"{mutant.name}: {done.stderr.strip().splitlines()[-1]}")
    return found


def gcc(context: Context) -> list[str]:
    """Compile touched files with W=1."""
    return _compile(context, "gcc", "W=1")


def sparse(context: Context) -> list[str]:
    """Run sparse. The kernel's own code has findings, so report only added lines."""
    return context.about_our_lines(_compile(context, "gcc", "C=2"))


def clang(context: Context) -> list[str]:
    """Compile with clang and W=1, if clang is new enough for the kernel."""
    if packages.version("clang") < CLANG_NEEDED:
        say("  skipped: the kernel needs a newer clang")
        return []
    return _compile(context, "clang", "W=1", "--make_options=LLVM=1")


def _compile(context: Context, name: str, what: str, *more: str) -> list[str]:
    """The messages from compiling the objects in a build directory for this compiler."""
    build_dir = context.tree / f".lint-{name}"
    kernel = Kernel(context.tree, context.wanted, context.out, name, build_dir)
    failed = kernel.configure(COMPILE_TIME, *more)
    if failed:
        raise CommandError(failed.text, f"see {kernel.log('config')}", "\n".join(failed.log))
    variables = [*remarks.make_variables(context.wanted, *more), what]
    log = kernel.log(what)
    said, _ = remarks.compile_objects(build_dir, variables, context.objects, log, COMPILE_TIME)
    return [line for line in said if context.is_ours(line)]


def coccinelle(context: Context) -> list[str]:
    """Run the kernel's semantic patches that have a report mode."""
    files = [name for name in context.touched(".c") if _OURS.match(name)]
    found: list[str] = []
    rules = [
        (rule, rule.read_text(errors="replace"))
        for rule in sorted((context.tree / "scripts/coccinelle").rglob("*.cocci"))
    ]
    rules = [(rule, text) for rule, text in rules if "virtual report" in text]
    for number, (rule, text) in enumerate(rules, 1):
        if number % 10 == 1:
            say(f"  rule {number} of {len(rules)} ...")
        given = re.search(r"^// Options: (.*)$", text, re.MULTILINE)
        argv = ["spatch", "-D", "report", "--no-show-diff", "--very-quiet"]
        argv += [*(given[1].split() if given else ()), "--cocci-file", str(rule), *files]
        done = process.run(argv, cwd=str(context.tree), expect=range(256))
        for line in context.about_our_lines(lines(done.stdout, r"^[^\s:]+:\d+:")):
            if (rule.name, line.partition(":")[0]) not in _NOT_KNOWN_TO_COCCINELLE:
                found.append(f"{rule.name}: {line}")
    return found


CHECKS: tuple[Check, ...] = (
    Check("checkpatch", checkpatch, (packages.PERL,)),
    Check("kernel-doc", kernel_doc, (packages.PERL,)),
    Check("mutants", mutants),
    Check(
        "codespell",
        lambda _: own_files.codespell(),
        (Requirement("codespell", "codespell"),),
        of_code=False,
    ),
    Check(
        "shellcheck",
        lambda _: own_files.shellcheck(),
        (Requirement("shellcheck", "shellcheck"),),
        of_code=False,
    ),
    Check("mypy", lambda _: own_files.mypy(), (packages.MYPY,), of_code=False),
    Check(
        "python",
        lambda _: own_files.python(),
        (
            Requirement("black", "black"),
            Requirement("isort", "isort"),
            Requirement("pyflakes3", "pyflakes3"),
        ),
        of_code=False,
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
