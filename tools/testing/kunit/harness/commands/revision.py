# SPDX-License-Identifier: GPL-2.0
"""make revision: judge a patch series patch by patch."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive, builddir, lock, picture, program, signals
from harness.base.archive import Archive
from harness.base.console import Stopwatch, conclude, say, short
from harness.base.errors import ExitStatus, KunitError, UsageError
from harness.kernel import machine
from harness.mutation import generated
from harness.mutation.generated import Generated
from harness.mutation.generated_run import try_generated
from harness.mutation.outcomes import CATCHES, MISSES, MutantReport
from harness.mutation.tree import MutatedTree
from harness.request import settings
from harness.request.settings import Request, Settings
from harness.request.variables import KERNEL, Command
from harness.revision import against, files, noticed, onto
from harness.revision import series as revision_series
from harness.revision import text as revision_text
from harness.revision.history import History
from harness.revision.judged import Judged
from harness.revision.noticed import Change, Noticed
from harness.revision.report import Report, Word
from harness.revision.series import Series
from harness.revision.series_run import SeriesRun
from harness.trees import alone, debian, worktree

PATCH_CONFIGS = ("4k",)
# For the complete series. What finds most for its time comes first.
TIP_CONFIGS = ("4k", "64k", "16k", "4k-debug", "4k-va39", "64k-va42", "16k-va36", "4k-kasan")
# What patches that are said to stand alone are tried with: two page sizes, another architecture.
ALONE_CONFIGS = ("4k", "64k", "riscv")

COMMAND = Command(
    "make revision",
    KERNEL
    | {"ALONE", "CONFIGS", "SERIES", "AGAINST", "ONTO", "TIP_CONFIGS", "TIP_ONLY", "SHORT"}
    | {"WITH_MUTANTS"},
    "judge a revision of a series, patch by patch",
    "altmap revision MESSAGE-ID",
    "SERIES",
    helps={
        "KSRC": "apply the series to the kernel tree in DIR; nothing is written to DIR",
        "CONFIGS": f"the configs to test each patch with (default: {' '.join(PATCH_CONFIGS)}; "
        f"with --alone: {' '.join(ALONE_CONFIGS)})",
        "TIP_CONFIGS": "the configs to test the complete series with (default: "
        f"{' '.join(TIP_CONFIGS)})",
    },
)


def main(environ: Mapping[str, str]) -> int:
    """Judge SERIES. Return 0 if it is good, 1 if it is at fault, 2 if there is no verdict."""
    try:
        return _main(environ)
    except KunitError as error:
        # To bisect is for kunit.py; here 125 would mean nothing.
        program.show(error)
        return int(ExitStatus.ERROR)


def _main(environ: Mapping[str, str]) -> int:
    request = settings.read(environ)
    given = environ.get("SERIES")
    if not given:
        raise UsageError(
            "SERIES is not set: which revision?",
            "make revision SERIES=MESSAGE-ID, a directory, an mbox, or FROM..TO with KSRC=DIR",
        )
    is_alone = bool(environ.get("ALONE"))
    _check_alone(environ)
    configs = _configs(environ, "CONFIGS", ALONE_CONFIGS if is_alone else PATCH_CONFIGS)
    tips = _configs(environ, "TIP_CONFIGS", (*configs, *TIP_CONFIGS))
    scope = Scope(configs, () if is_alone else tips, bool(environ.get("TIP_ONLY")))
    series = replace(revision_series.read(given, request.ksrc), alone=is_alone)
    named = "none" if is_alone else environ.get("AGAINST") or ""
    request = replace(request, flavour=onto.choose(environ, request, series))
    older = _older(named, request, series)
    wanted = debian.resolve(request)
    drawing = (replace(need, optional=True) for need in picture.needs())
    machine.ensure_tools(wanted, *drawing)
    builddir.mark(wanted.build)
    with _locked(wanted.build) as out:
        kept = Archive(wanted.build / "results/by-tree")
        with _replacing(out) as part:
            history = History(out.with_name("revisions"))
            report = Judge(wanted, series, kept, history, scope).verdict(older)
            if environ.get("WITH_MUTANTS"):
                report = replace(report, noticed=_mutants(wanted, report))
            figure = files.origin_figure(report)
            history.record(report, figure)
            files.write(report, kept, part, figure)
    if is_alone and report.is_good and not wanted.ksrc:
        green = [{c: len(s.green.get(c, ())) for c in configs} for s in report.new.states[1:]]
        alone.write(Path(given), green, wanted.base)
    text = revision_text.short(report) if environ.get("SHORT") else revision_text.full(report)
    conclude(text, report.is_good, out / "report.html", out / "results.json", out / "logs")
    return int(_STATUS[report.word])


def _check_alone(environ: Mapping[str, str]) -> None:
    """Raise UsageError if ALONE is set with a variable that is about the complete series."""
    for name in ("WITH_MUTANTS", "TIP_ONLY", "AGAINST"):
        if environ.get("ALONE") and environ.get(name, "none") != "none":
            raise UsageError(
                f"ALONE tests each patch by itself, and {name} is about the complete series",
                f"leave ALONE or {name} out",
            )


# A kernel that differs from boot to boot proves nothing.
_STATUS = {Word.GOOD: ExitStatus.OK, Word.FAULT: ExitStatus.FAILED, Word.FLAKY: ExitStatus.ERROR}


@dataclass(frozen=True)
class Scope:
    """The configs to test each patch with, and those for the whole series."""

    configs: tuple[str, ...]
    tips: tuple[str, ...]
    tip_only: bool


def _configs(environ: Mapping[str, str], variable: str, usual: Iterable[str]) -> tuple[str, ...]:
    """The configs in a variable, or the usual ones, each once. Raises UsageError."""
    names = environ.get(variable, "").split() or usual
    return tuple(dict.fromkeys(settings.check_kernel(name, variable) for name in names))


def _older(named: str, request: Request, series: Series) -> Series | None:
    """Choose the revision to compare with: AGAINST, the previous version, or patches/series."""
    if named == "none":
        return None
    if named:
        return revision_series.read(named, request.ksrc)
    earlier = revision_series.earlier(series)
    if earlier:
        say(f"comparing with v{earlier.version} (AGAINST=none leaves that out)")
        return earlier
    if request.ksrc or request.flavour != "baseline" or not onto.is_ours(series):
        return None
    ours = revision_series.read(str(onto.OUR_SERIES))
    if [m.patch.data for m in ours.members] == [m.patch.data for m in series.members]:
        return None
    say("comparing with patches/series, for it differs (AGAINST=none leaves that out)")
    return replace(ours, source="patches/series")


class Judge:
    """Runs all tests of a revision and reports findings as they appear."""

    def __init__(
        self, wanted: Settings, series: Series, kept: Archive, history: History, scope: Scope
    ) -> None:
        self._wanted = wanted
        self._kept = kept
        self._scope = scope
        self._history = history
        self._watch = Stopwatch()
        self._reported = ""
        self._shown: float | None = None
        self._run = SeriesRun(wanted, series, kept, self._report_faults)

    def verdict(self, older: Series | None) -> Report:
        """Return the verdict. Raises KunitError."""
        try:
            return self._judge(older)
        except BaseException:
            self._history.record(self._report(Word.STOPPED))
            raise

    def _judge(self, older: Series | None) -> Report:
        new, scope = self._run, self._scope
        new.apply()
        say(f"results appear in {short(self._history.page(new.judged))} as they come")
        new.check_style()
        if self._wanted.ksrc:
            # What fails on the user's own tree is written nowhere.
            new.try_base(scope.tips)
        elif not scope.tip_only:
            new.try_base(scope.configs)
        if new.judged.series.alone:
            new.try_patches(scope.configs)
            return self._report()
        # The first word on the series soon, then which patch it is about.
        new.try_tip(scope.tips[:1])
        if not scope.tip_only:
            new.try_patches(scope.configs)
        new.try_tip(scope.tips)
        report = self._report()
        if older is None:
            return report
        old = _judge_older(self._wanted, older, self._kept, report.new, scope)
        changes = {
            config: against.compare(old.tip[config], report.new.tip[config])
            for config in scope.tips
            if config in old.tip and config in report.new.tip
        }
        words = against.range_diff(self._wanted, old, report.new)
        seconds = self._watch.seconds
        return replace(report, seconds=seconds, old=old, changes=changes, range_diff=words)

    def _report(self, unfinished: Word | None = None) -> Report:
        scope, seconds = self._scope, self._watch.seconds
        judged = self._run.so_far()
        return Report(
            judged, scope.configs, scope.tips, scope.tip_only, seconds, unfinished=unfinished
        )

    def _report_faults(self) -> None:
        """Report new faults on the terminal and update the page."""
        report = self._report(Word.RUNNING)
        headline = revision_text.headline(report)
        if report.new.faults and headline != self._reported:
            self._reported = headline
            self._watch.say(headline)
            for line in revision_text.first_words(report):
                say(f"    {line}")
        # Results of an earlier run come too quickly for a page each.
        if self._shown is None or self._watch.seconds - self._shown > 1:
            self._history.record(report)
            self._shown = self._watch.seconds


def _judge_older(
    wanted: Settings, older: Series, kept: Archive, new: Judged, scope: Scope
) -> Judged:
    """Test the older revision, patch by patch only if the new one's faults require it."""
    say(f"now {older.source}, to compare with ...")
    old = SeriesRun(wanted, older, kept)
    old.apply()
    if any(f.is_of_case and f.patch is None for f in new.faults) and not scope.tip_only:
        old.try_base(scope.configs)
        old.try_patches(scope.configs)
    old.try_tip(tuple(new.tip))
    against.blame(new, old.judged)
    return old.judged


def _mutants(wanted: Settings, report: Report) -> Noticed | None:
    """Change each line of the series; None if its kernel does not run. Raises KunitError."""
    config = report.tip_configs[0] if report.tip_configs else report.patch_configs[0]
    outcome = report.new.tip.get(config)
    if outcome is None or not outcome.lives:
        say(f"no mutants: the kernel of the tip does not run with {config}")
        return None
    series = report.new.series
    patches = series.patches(len(series.members))
    tree = MutatedTree(worktree.fix_start(wanted, series.start), patches)
    tried = MutantReport([])
    with tree.opened():
        every = generated.of_series(tree, patches)
        one = [replace(m, mutant=replace(m.mutant, configs=(config,))) for m in every]
        try_generated(tree, every, one, (config,), tried)
        files, added = [], tree.added()
        for path in dict.fromkeys(m.path for m in every):
            source = tree.original(path)
            changes = [_change(m, source, tried) for m in every if m.path == path]
            files.append(noticed.of_file(path, source, set(added[path]), changes))
    return Noticed(config, tuple(files))


def _change(one: Generated, source: str, tried: MutantReport) -> Change:
    verdict = tried.verdict(one.mutant)
    is_noticed = None if verdict not in CATCHES + MISSES else verdict in CATCHES
    by = next(iter(tried.found[one.mutant.name].values())).by
    line = source.count("\n", 0, one.change.start) + 1
    return Change(line, one.mutant.title, verdict.value, is_noticed, by)


# --- What is left behind --------------------------------------------------


@contextlib.contextmanager
def _locked(build: Path) -> Iterator[Path]:
    """Lock the directory for results and return it. Raises WorkTreeError."""
    directory = build / "results"
    with lock.exclusive(directory / "revision.lock", "make revision"), signals.results_kept():
        yield directory / "revision"


@contextlib.contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """Yield a new directory, which replaces out if the block succeeds."""
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        with signals.signals_held():
            archive.replace_directory(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
