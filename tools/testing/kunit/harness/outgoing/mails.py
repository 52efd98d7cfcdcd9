# SPDX-License-Identifier: GPL-2.0
"""Export patches/ as mails that git send-email can send."""

import itertools
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive, builddir, packages, process, signals
from harness.base.console import say
from harness.base.errors import UsageError
from harness.outgoing import contents, letters
from harness.outgoing.contents import Change, PlanError
from harness.outgoing.letters import Letter
from harness.request.settings import REPO, Settings
from harness.trees import alone, diff, layers, versions, worktree
from harness.trees.git import Git, environment, of_tree
from harness.trees.source import IDENTITY
from harness.trees.stack import Overlay

PATCHES = REPO / "patches"
COVER = "0000-cover-letter.patch"


@dataclass(frozen=True)
class Sender:
    """The user who signs off."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"


@dataclass(frozen=True)
class Exported:
    """An exported series: its files, its base and its last commit."""

    name: str
    directory: Path
    git: Git
    base: str
    tip: str

    @property
    def mails(self) -> tuple[Path, ...]:
        """The patches, without the cover letter."""
        return tuple(p for p in sorted(self.directory.glob("*.patch")) if p.name != COVER)


def export(wanted: Settings) -> tuple[Exported, ...]:
    """Replace BUILD/outgoing. On an error it stays as it was. Raises KunitError."""
    sender = read_sender()
    found = letters.read_all(PATCHES, versions.parse(wanted.base))
    packages.ensure([*worktree.requirements(wanted), packages.PERL])
    builddir.mark(wanted.build)
    out, new = wanted.build / "outgoing", wanted.build / "outgoing.new"
    shutil.rmtree(new, ignore_errors=True)
    # The kernel's scripts must be called in a kernel tree.
    scripts = worktree.prepare(replace(wanted, flavour="series"))
    made = [_Export(wanted, letter, sender, scripts, new).write() for letter in found]
    shutil.rmtree(new / "work")
    with signals.signals_held():
        archive.replace_directory(new, out)
    return tuple(replace(series, directory=out / series.name) for series in made)


def read_sender() -> Sender:
    """The user in git's configuration. Raises UsageError."""
    found = []
    for key, example in (("user.name", "A. Developer"), ("user.email", "dev@example.org")):
        asked = process.run(["git", "config", "--get", key], cwd=str(REPO), expect=(0, 1))
        if not asked.stdout.strip():
            raise UsageError(
                f"git has no {key}, which the sign-off needs",
                f"run: git config --global {key} '{example}', with your own value",
            )
        found.append(asked.stdout.strip())
    return Sender(*found)


class _Export:
    """The export of one series."""

    def __init__(
        self, wanted: Settings, letter: Letter, sender: Sender, scripts: Path, out: Path
    ) -> None:
        self._wanted = wanted
        self._letter = letter
        self._sender = sender
        self._scripts = scripts
        self._name = letter.name
        self._out = out / self._name
        self._work = out / "work"
        self._base = worktree.stack(replace(wanted, flavour=letter.base), with_tests=False)
        self._origin = worktree.stack(replace(wanted, flavour="stock"), with_tests=False)
        self._git = replace(
            self._base.git,
            index=self._work / "index",
            extra_env={"GIT_COMMITTER_NAME": sender.name, "GIT_COMMITTER_EMAIL": sender.address},
        )

    def write(self) -> Exported:
        """Write the mails and check that they apply."""
        say(f"exporting {self._letter.path} ...")
        self._work.mkdir(parents=True, exist_ok=True)
        overlay = layers.read_overlay(self._base.git)
        changes = contents.read(
            self._letter.directory, overlay, versions.parse(self._wanted.base), self._letter.patches
        )
        tip = self._commit(overlay, changes)
        draft = self._work / "draft"
        self._format(tip, draft)
        people = self._recipients(sorted(draft.glob("*.patch"))[1:])
        shutil.rmtree(draft)
        self._format(tip, self._out, people)
        self._fill_in_letter()
        made = Exported(self._name, self._out, self._base.git, self._base.commit, tip)
        self._require_to_apply(made)
        return made

    def _commit(self, overlay: Overlay, changes: Sequence[Change]) -> str:
        chain = contents.Chain(self._base.git, overlay, self._work / "index", str(self._sender))
        return chain.build(self._base.commit, changes)

    def _format(self, tip: str, out: Path, people: Sequence[str] = ()) -> None:
        options = "--quiet --cover-letter --signoff --zero-commit --no-signature".split()
        options += [f"--base={self._origin.commit}", f"--subject-prefix={self._letter.prefix}"]
        commits = f"{self._base.commit}..{tip}"
        self._git.run("format-patch", *options, *people, "-o", str(out), commits)

    def _recipients(self, mails: Sequence[Path]) -> list[str]:
        """Options for all recipients that get_maintainer.pl names for any patch."""
        script = ["perl", "scripts/get_maintainer.pl"]
        script += ["--nogit", "--nogit-fallback", "--nofixes", "--norolestats"]
        found: list[str] = []
        for option, others in (("--to", ("--nor", "--nol")), ("--cc", ("--nom",))):
            argv = [*script, *others, *map(str, mails)]
            said = process.run(argv, cwd=str(self._scripts)).stdout
            found += [f"{option}={line}" for line in said.splitlines() if line]
        if not any(option.startswith("--to=") for option in found):
            raise PlanError(
                f"scripts/get_maintainer.pl finds no maintainer for {self._name}",
                f"run it by hand in {self._scripts}",
            )
        return found

    def _fill_in_letter(self) -> None:
        path = self._out / COVER
        text = path.read_text(encoding="utf-8")
        blurb = self._letter.text
        if letters.BASE in blurb:
            blurb = blurb.replace(letters.BASE, self._name_base())
        for mark, words in (
            ("*** SUBJECT HERE ***", self._letter.title),
            ("*** BLURB HERE ***", blurb),
        ):
            assert text.count(mark) == 1, f"git format-patch wrote no {mark}"
            text = text.replace(mark, words)
        path.write_text(text, encoding="utf-8")

    def _name_base(self) -> str:
        """The kernel's release and Debian's package, as a letter names them."""
        makefile = self._git.run("show", f"{self._origin.commit}:Makefile").stdout
        value = dict(re.findall(r"^([A-Z]+) =[ ]*(.*)$", makefile, re.MULTILINE))
        release = ".".join(value[name] for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
        release = release.removesuffix(".0") + value["EXTRAVERSION"]
        return f"Linux {release} as in Debian's linux-source-{self._wanted.base}"

    def _require_to_apply(self, made: Exported) -> None:
        """Apply the mails as their reader does. Raises PlanError."""
        tree_of = self._base.git.out("rev-parse", f"{made.tip}^{{tree}}")
        if apply_mails(made.git, made.base, made.mails, self._work / "am") != tree_of:
            raise PlanError(
                f"git am of {self._name} gives other files than the exported ones",
                "check the messages for lines that look like a diff or a scissors line",
            )
        if self._letter.any_order:
            self._require_any_order(made)
        if self._letter.alone:
            self._require_alone()

    def _require_alone(self) -> None:
        """Check that each patch was tested alone as it is now. Raises PlanError."""
        directory = self._letter.directory
        missing = alone.not_seen(directory, self._letter.alone, self._letter.patches)
        if missing:
            raise PlanError(
                f"{self._letter.path} says that each patch was tested alone, but {missing[0]} "
                f"was not, on {self._letter.base} of Linux {self._letter.alone}",
                f"run: altmap revision {directory} --alone --onto {self._letter.base}",
            )

    def _require_any_order(self, made: Exported) -> None:
        """Check that each patch applies alone, and before and after each other patch."""
        names = sorted({name for mail in made.mails for name in diff.files(mail.read_bytes())})
        files = made.git.run("ls-tree", "-z", made.base, *names).stdout.encode()
        for chosen in itertools.permutations(made.mails, min(2, len(made.mails))):
            # Applying to the index only is quick. Readers do not have the files of the trees
            # between base and tip, so git am -3 would not help them.
            self._git.run("read-tree", "--empty")
            self._git.run("update-index", "-z", "--index-info", data=files)
            for mail in chosen:
                done = self._git.apply(mail.read_bytes(), "-C1")
                if done.status != 0:
                    how = "by itself" if mail == chosen[0] else f"after {chosen[0].name} alone"
                    raise PlanError(
                        f"{mail.name} does not apply {how}",
                        f"adapt it, or remove 'Order: any' from {self._letter.path}",
                        done.stderr,
                    )


def apply_mails(git: Git, base: str, mails: Sequence[Path], work: Path) -> str:
    """Apply mails with git am in a clone. Return the resulting git tree.

    Only the files that the mails touch are checked out. Raises PlanError.
    """
    shutil.rmtree(work, ignore_errors=True)
    env = environment(**IDENTITY)
    process.run(
        ["git", "clone", "--quiet", "--shared", "--no-checkout", str(git.git_dir), str(work)],
        env=env,
    )
    own = of_tree(work, **IDENTITY)
    names = sorted({f"/{name}" for mail in mails for name in diff.files(mail.read_bytes())})
    own.run("update-ref", "--no-deref", "HEAD", base)
    own.run("sparse-checkout", "set", "--no-cone", *names)
    own.run("read-tree", "-mu", "HEAD")
    done = own.run("am", "--quiet", *map(str, mails), expect=range(256))
    if done.status != 0:
        raise PlanError(
            "git am cannot apply the exported mails",
            "check that each patch is a mail; otherwise this is a bug in make export",
            done.stdout + done.stderr,
        )
    made = own.out("rev-parse", "HEAD^{tree}")
    shutil.rmtree(work)
    return made
