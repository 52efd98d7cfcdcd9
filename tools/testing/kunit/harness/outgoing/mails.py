# SPDX-License-Identifier: GPL-2.0
"""make export: what patches/ holds as mails, one git send-email away from the lists.

Each directory below patches/ with a file cover-letter becomes a series in
BUILD/outgoing. The cover letter says by headers of its own:

    Subject: [PATCH v3] TITLE   the numbers are filled in
    Base: FLAVOUR               what the series goes onto; without hooks and suites
    Order: any                  the patches do not depend on each other
"""

import email
import itertools
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, packages, process, signals
from harness.base.console import say
from harness.base.errors import UsageError
from harness.outgoing import contents
from harness.outgoing.contents import Change, PlanError
from harness.request.settings import REPO, Settings, check_flavour
from harness.trees import diff, layers, worktree
from harness.trees.git import Git, environment
from harness.trees.source import IDENTITY
from harness.trees.stack import Overlay

PATCHES = REPO / "patches"
LETTER = "cover-letter"
COVER = "0000-cover-letter.patch"

_SUBJECT = re.compile(r"\[(PATCH[^\]/]*?)\]\s*(\S.*)")


@dataclass(frozen=True)
class Letter:
    """A cover letter: prefix and title of its subject, and its text."""

    path: Path
    prefix: str
    title: str
    base: str
    any_order: bool
    text: str


@dataclass(frozen=True)
class Sender:
    """Who signs off."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"


@dataclass(frozen=True)
class Exported:
    """A series that was written: its files, and the commits that it leads from and to."""

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
    """Make BUILD/outgoing anew, or leave it as it is. Raises KunitError of some kind."""
    if wanted.ksrc:
        raise UsageError(
            "make export is for what patches/ holds, on Debian's kernel, not for KSRC",
            "unset KSRC; git format-patch exports what is in a tree of yours",
        )
    sender = read_sender()
    letters = [read_letter(path) for path in sorted(PATCHES.glob(f"*/{LETTER}"))]
    packages.ensure([*worktree.requirements(wanted), packages.PERL])
    builddir.mark(wanted.build)
    out, new, old = (wanted.build / f"outgoing{end}" for end in ("", ".new", ".old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    # The scripts of a kernel want to be called in a tree of it.
    scripts = worktree.prepare(replace(wanted, flavour="series"))
    found = [_Export(wanted, letter, sender, scripts, new).write() for letter in letters]
    shutil.rmtree(new / "work")
    with signals.signals_held():
        if out.exists():
            os.rename(out, old)
        os.rename(new, out)
    shutil.rmtree(old, ignore_errors=True)
    return tuple(replace(series, directory=out / series.name) for series in found)


def read_sender() -> Sender:
    """The user, as git's configuration knows him. Raises UsageError."""
    found = []
    for key, example in (("user.name", "A. Developer"), ("user.email", "dev@example.org")):
        asked = process.run(["git", "config", "--get", key], cwd=str(REPO), expect=(0, 1))
        if not asked.stdout.strip():
            raise UsageError(
                f"git does not know your {key}, and a patch needs a sign-off",
                f"run: git config --global {key} '{example}', with your own",
            )
        found.append(asked.stdout.strip())
    return Sender(*found)


def read_letter(path: Path) -> Letter:
    """Read a cover letter. Raises PlanError."""
    try:
        message = email.message_from_string(path.read_text(encoding="ascii"))
    except UnicodeDecodeError as error:
        raise PlanError(f"{path} is not plain ASCII", "mails are easier on everybody so") from error
    subject = _SUBJECT.fullmatch(re.sub(r"\s+", " ", str(message["Subject"])))
    if not subject:
        raise PlanError(f"{path} has no subject", "begin with 'Subject: [PATCH] TITLE'")
    if not message["Base"]:
        raise PlanError(f"{path} does not say what it goes onto", "add a line 'Base: stock'")
    return Letter(
        path,
        subject[1],
        subject[2],
        check_flavour(str(message["Base"])),
        message["Order"] == "any",
        str(message.get_payload()).strip(),
    )


class _Export:
    """The making of one series."""

    def __init__(
        self, wanted: Settings, letter: Letter, sender: Sender, scripts: Path, out: Path
    ) -> None:
        self._letter = letter
        self._sender = sender
        self._scripts = scripts
        self._name = letter.path.parent.name
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
        """Write the mails, and see that they apply."""
        say(f"making mails of {self._letter.path.parent} ...")
        self._work.mkdir(parents=True, exist_ok=True)
        overlay = layers.read_overlay(self._base.git)
        changes = contents.read(self._letter.path.parent, overlay)
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
        self._git.run(
            "format-patch",
            "--quiet",
            "--cover-letter",
            "--signoff",
            "--zero-commit",
            "--no-signature",
            f"--base={self._origin.commit}",
            f"--subject-prefix={self._letter.prefix}",
            *people,
            "-o",
            str(out),
            f"{self._base.commit}..{tip}",
        )

    def _recipients(self, mails: Sequence[Path]) -> list[str]:
        """Options with all whom the kernel's script names for any patch of the series."""
        script = [
            "perl",
            "scripts/get_maintainer.pl",
            "--nogit",
            "--nogit-fallback",
            "--nofixes",
            "--norolestats",
        ]
        found: list[str] = []
        for option, others in (("--to", ("--nor", "--nol")), ("--cc", ("--nom",))):
            argv = [*script, *others, *map(str, mails)]
            said = process.run(argv, cwd=str(self._scripts)).stdout
            found += [f"{option}={line}" for line in said.splitlines() if line]
        if not any(option.startswith("--to=") for option in found):
            raise PlanError(
                f"scripts/get_maintainer.pl knows nobody for {self._name}",
                f"see what it says in {self._scripts}",
            )
        return found

    def _fill_in_letter(self) -> None:
        path = self._out / COVER
        text = path.read_text(encoding="utf-8")
        for mark, words in (
            ("*** SUBJECT HERE ***", self._letter.title),
            ("*** BLURB HERE ***", self._letter.text),
        ):
            assert text.count(mark) == 1, f"git format-patch wrote no {mark}"
            text = text.replace(mark, words)
        path.write_text(text, encoding="utf-8")

    def _require_to_apply(self, made: Exported) -> None:
        """Do with the mails what their reader does. Raises PlanError."""
        tree_of = self._base.git.out("rev-parse", f"{made.tip}^{{tree}}")
        if apply_mails(made.git, made.base, made.mails, self._work / "am") != tree_of:
            raise PlanError(
                f"git am makes something else of {self._name} than what was exported",
                "see whether a message has a line that looks like a diff or a scissors line",
            )
        if self._letter.any_order:
            self._require_any_order(made)

    def _require_any_order(self, made: Exported) -> None:
        """See that each patch applies by itself, and before and after each other one."""
        names = sorted({name for mail in made.mails for name in diff.files(mail.read_bytes())})
        files = made.git.run("ls-tree", "-z", made.base, *names).stdout.encode()
        for chosen in itertools.permutations(made.mails, min(2, len(made.mails))):
            # Git looks only at the index, which is quick. A reader has git am -3 as well.
            self._git.run("read-tree", "--empty")
            self._git.run("update-index", "-z", "--index-info", data=files)
            for mail in chosen:
                done = self._git.run(
                    "apply", "--cached", "--3way", data=mail.read_bytes(), expect=(0, 1, 128)
                )
                if done.status != 0:
                    how = "by itself" if mail == chosen[0] else f"after {chosen[0].name} alone"
                    raise PlanError(
                        f"{mail.name} does not apply {how}",
                        f"adapt it, or take the promise 'Order: any' out of {self._letter.path}",
                        done.stderr,
                    )


def apply_mails(git: Git, base: str, mails: Sequence[Path], work: Path) -> str:
    """Apply mails with git am in a clone of its own; return the git tree that it makes of them.

    Only the files that they touch are written. Raises PlanError.
    """
    shutil.rmtree(work, ignore_errors=True)
    env = environment(**IDENTITY)
    process.run(
        ["git", "clone", "--quiet", "--shared", "--no-checkout", str(git.git_dir), str(work)],
        env=env,
    )
    own = Git(work / ".git", work_tree=work, extra_env=IDENTITY)
    names = sorted({f"/{name}" for mail in mails for name in diff.files(mail.read_bytes())})
    own.run("update-ref", "--no-deref", "HEAD", base)
    own.run("sparse-checkout", "set", "--no-cone", *names)
    own.run("read-tree", "-mu", "HEAD")
    done = own.run("am", "--quiet", *map(str, mails), expect=range(256))
    if done.status != 0:
        raise PlanError(
            "git am does not take what was exported",
            "this is a fault of export.py, or of a patch that is no mail",
            done.stdout + done.stderr,
        )
    made = own.out("rev-parse", "HEAD^{tree}")
    shutil.rmtree(work)
    return made
